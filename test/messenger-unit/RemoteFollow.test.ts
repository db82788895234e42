/** Following a process over HTTP: events, resuming, and going on after the connection broke. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Client from "../../messenger-unit/Client.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Caller from "../support/Caller.ts"
import * as ServedNode from "../support/ServedNode.ts"
import * as SmallNode from "../support/SmallNode.ts"

const ada = Caller.caller("ada")

const counting = Effect.gen(function* () {
  const node = yield* SmallNode.make()
  const process = yield* SmallNode.spawn(node, ada, "let n = 0; heddle.on('Add', () => ++n)")
  const add = Effect.flatMap(SmallNode.send(node, ada, process, "Add"), ({ slot }) =>
    node.messenger.turn(process, slot),
  )
  return { node, process, add }
})

/** Reads text from a response until `done` says that there is enough. */
const readUntil = async (response: Response, done: (text: string) => boolean): Promise<string> => {
  let text = ""
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (done(text)) break
  }
  return text
}

const ids = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))

describe("following over HTTP", () => {
  it.live("gives one event a turn whose id is its slot, and goes on behind Last-Event-ID", () =>
    Effect.gen(function* () {
      const { node, process, add } = yield* counting
      for (let i = 0; i < 4; i++) yield* add
      const url = `${yield* ServedNode.serve(node)}/v1/processes/${process}/follow`
      const events = (path: string, headers: Record<string, string>, last: number) =>
        Effect.promise(async () => {
          const response = await fetch(`${url}${path}`, { headers })
          assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
          assert.strictEqual(response.headers.get("cache-control"), "no-store")
          return readUntil(response, (text) => text.includes(`id: ${last}\n`) && text.endsWith("\n\n"))
        })
      const all = yield* events("", {}, 4)
      assert.deepStrictEqual(ids(all), [0, 1, 2, 3, 4])
      const [first = ""] = all.split("\n\n")
      assert.match(first, /^id: 0\nevent: turn\ndata: \{/)
      const turn = JSON.parse(first.slice(first.indexOf("data: ") + 6)) as {
        outcome: { slot: number; message: string }
      }
      assert.deepInclude(turn.outcome, { slot: 0, message: process })
      assert.deepStrictEqual(ids(yield* events("?from=3", {}, 4)), [3, 4])
      assert.deepStrictEqual(ids(yield* events("", { "Last-Event-ID": "1" }, 4)), [2, 3, 4])
      assert.deepStrictEqual(ids(yield* events("?from=0", { "Last-Event-ID": "2" }, 4)), [3, 4])
    }),
  )

  it.effect("says that it is alive where nothing happens for a while", () =>
    Effect.gen(function* () {
      const { node, process } = yield* counting
      yield* node.messenger.turn(process, 0)
      const url = `${yield* ServedNode.serve(node)}/v1/processes/${process}/follow`
      const response = yield* Effect.promise(() => fetch(url))
      const text = yield* Effect.forkChild(
        Effect.promise(() =>
          readUntil(response, (text) => text.includes(": alive\n\n") && ids(text).length === 1),
        ),
        { startImmediately: true },
      )
      yield* TestClock.adjust(Limit.followSilenceMsMax)
      assert.include(yield* Fiber.join(text), ": alive\n\n")
    }),
  )

  it.live("misses nothing and repeats nothing when the server goes and comes back", () =>
    Effect.gen(function* () {
      const { node, process, add } = yield* counting
      const first = yield* Scope.make()
      const url = yield* Scope.provide(ServedNode.serve(node, { stopMsMax: 1_000 }), first)
      const remote = yield* ServedNode.connect(url)
      const seen = yield* Queue.unbounded<number>()
      yield* Client.follow(process).pipe(
        Stream.runForEach(({ outcome }) => Queue.offer(seen, outcome.slot)),
        Effect.provideContext(Context.make(MessengerUnit, remote)),
        Effect.forkScoped,
      )
      yield* add
      assert.deepStrictEqual([yield* Queue.take(seen), yield* Queue.take(seen)], [0, 1])
      yield* Scope.close(first, Exit.void)
      yield* add
      yield* ServedNode.serve(node, { port: Number(new URL(url).port) })
      yield* add
      assert.deepStrictEqual([yield* Queue.take(seen), yield* Queue.take(seen)], [2, 3])
    }),
  )

  it.live("ends as unreachable for a reader that does not come back", () =>
    Effect.gen(function* () {
      const { node, process } = yield* counting
      const scope = yield* Scope.make()
      const url = yield* Scope.provide(ServedNode.serve(node), scope)
      const remote = yield* ServedNode.connect(url)
      const reading = yield* Effect.forkChild(
        Effect.flip(Stream.runForEach(remote.follow(process, 0), () => Scope.close(scope, Exit.void))),
      )
      assert.deepInclude(yield* Fiber.join(reading), { _tag: "Unreachable", url })
    }),
  )
})

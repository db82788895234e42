import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Engine from "../../compute-unit/Engine.ts"
import * as EngineFile from "../../compute-unit/EngineFile.ts"
import type { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as SandboxWorkers from "../../compute-unit/SandboxWorkers.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import { sandboxSuite } from "../compliance/sandbox.ts"
import * as Life from "../support/Life.ts"
import * as Threads from "../support/Threads.ts"

sandboxSuite("worker threads", SandboxWorkers.make(2))

const guest = `
  let n = 0
  heddle.on("Add", () => ++n)
  heddle.on("Loop", () => { for (;;); })
  heddle.on("Deep", () => { const down = (i) => down(i + 1) + 1; down(0) })`

const begin = Effect.fnUntraced(function* (
  sandbox: Sandbox["Service"],
  life: Life.Life,
  ...said: ReadonlyArray<string>
) {
  yield* sandbox.open(life.opening)
  return yield* sandbox.run(life.process, life.all(...said))
})

/** A life whose process lives in one of two threads. */
const lifeIn = (thread: 0 | 1): Life.Life => {
  for (let i = 0; ; i++) {
    const life = Life.make(guest, [], `in thread ${thread}, ${i}`)
    if (Id.toBytes(life.process)[0]! % 2 === thread) return life
  }
}

describe("SandboxWorkers", () => {
  it.live("loses what a dead thread held, says whose run it died in, and goes on in a new one", () =>
    Effect.gen(function* () {
      const workers = yield* Threads.started
      const sandbox = yield* SandboxWorkers.make(1)
      const [ill, well] = [Life.make(guest), Life.make(guest)]
      yield* begin(sandbox, ill)
      yield* begin(sandbox, well, "Add")
      const lost = [
        yield* Effect.forkChild(Effect.flip(sandbox.run(ill.process, [ill.next("Loop")])), {
          startImmediately: true,
        }),
        yield* Effect.forkChild(Effect.flip(sandbox.run(well.process, [well.next("Add")])), {
          startImmediately: true,
        }),
      ]
      yield* Threads.kill(workers)
      const [first, second] = yield* Effect.all(lost.map(Fiber.join))
      assert.deepInclude(first, { _tag: "SandboxLost", process: ill.process, own: true })
      assert.deepInclude(second, { _tag: "SandboxLost", process: well.process, own: false })
      const gone = yield* Effect.flip(sandbox.run(well.process, [well.next("Add")]))
      assert.deepInclude(gone, { _tag: "SandboxLost", process: well.process, own: false })
      assert.strictEqual(workers.length, 2)

      const again = yield* begin(sandbox, Life.make(guest), "Add", "Add")
      assert.deepStrictEqual(
        again.at(-1)!.outcome.replies.map((reply) => "value" in reply && reply.value),
        ["2"],
      )
    }),
  )

  it.live("costs processes of another thread nothing when a thread dies", () =>
    Effect.gen(function* () {
      const workers = yield* Threads.started
      const sandbox = yield* SandboxWorkers.make(2)
      const [here, there] = [lifeIn(0), lifeIn(1)]
      yield* begin(sandbox, there, "Add")
      yield* begin(sandbox, here, "Add")
      assert.strictEqual(workers.length, 2)
      yield* Threads.kill(workers)
      const [kept] = yield* sandbox.run(there.process, [there.next("Add")])
      assert.isUndefined(kept!.outcome.error)
      const gone = yield* Effect.flip(sandbox.run(here.process, [here.next("Add")]))
      assert.deepInclude(gone, { _tag: "SandboxLost", process: here.process })
    }),
  )

  it.live("answers who waits, and who asks later, when its scope closes", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const sandbox = yield* Scope.provide(SandboxWorkers.make(1), scope)
      const life = Life.make(guest)
      yield* begin(sandbox, life)
      const waiting = yield* Effect.forkChild(Effect.flip(sandbox.run(life.process, [life.next("Loop")])), {
        startImmediately: true,
      })
      yield* Scope.close(scope, Exit.void)
      assert.include((yield* Fiber.join(waiting)).message, "stopping")
      assert.include((yield* Effect.flip(sandbox.run(life.process, [life.next("Add")]))).message, "stopping")
    }),
  )

  it.live("replaces a thread that comes no further, and says whose run it was in", () =>
    Effect.gen(function* () {
      const workers = yield* Threads.started
      const script = new URL("./HangingWorker.ts", import.meta.url)
      const sandbox = yield* SandboxWorkers.make(1, { hangMs: 3_000, script })
      const [ill, well] = [Life.make(guest), Life.make(guest)]
      yield* begin(sandbox, ill)
      yield* begin(sandbox, well, "Add")
      const lost = yield* Effect.all(
        [
          Effect.flip(sandbox.run(ill.process, [ill.next("Hang")])),
          Effect.flip(sandbox.run(well.process, [well.next("Add")])),
        ],
        { concurrency: 2 },
      )
      assert.deepInclude(lost[0], { _tag: "SandboxLost", process: ill.process, own: true })
      assert.include(lost[0].message, "its thread has come no further for 3000 ms")
      assert.deepInclude(lost[1], { _tag: "SandboxLost", process: well.process, own: false })
      const [, counted] = yield* begin(sandbox, Life.make(guest), "Add")
      assert.isUndefined(counted!.outcome.error)
      assert.strictEqual(workers.length, 2)
    }),
  )

  it.live("gives a thread that it starts anew the engines that the others were given", () =>
    Effect.gen(function* () {
      const workers = yield* Threads.started
      const sandbox = yield* SandboxWorkers.make(1)
      const artifact = Engine.artifactOf(
        Engine.build().with(2, Bytes.fromText(`${EngineFile.prelude()}\n\n\n`)),
      )
      const engine = Hash.sha256(artifact)
      const life = Life.make(guest, [["Engine", Id.fromBytes(engine)]])
      const unknown = yield* Effect.flip(sandbox.open(life.opening))
      assert.deepInclude(unknown, { _tag: "EngineUnknown", engine })
      const bad = yield* Effect.flip(sandbox.addEngine(artifact, sandbox.engine))
      assert.strictEqual(bad._tag, "EngineInvalid")
      yield* sandbox.addEngine(artifact, engine)
      yield* begin(sandbox, life, "Add")
      yield* Threads.kill(workers)
      yield* Effect.flip(sandbox.run(life.process, [life.next("Add")]))
      const again = Life.make(guest, [["Engine", Id.fromBytes(engine)]])
      const [, counted] = yield* begin(sandbox, again, "Add")
      assert.deepStrictEqual(counted!.engine, engine)
      assert.strictEqual(workers.length, 2)
    }),
  )

  it.live("loads code while the thread that was asked dies", () =>
    Effect.gen(function* () {
      const workers = yield* Threads.started
      const sandbox = yield* SandboxWorkers.make(1)
      yield* sandbox.check(Bytes.fromText(guest))
      const slow = Bytes.fromText("for (let i = 0; i < 1e6; i++);")
      const checked = yield* Effect.forkChild(sandbox.check(slow), { startImmediately: true })
      yield* Threads.kill(workers)
      yield* Fiber.join(checked)
      assert.strictEqual(workers.length, 2)
    }),
  )
})

describe("a native stack that ends before the guest's depth limit", () => {
  it.live("is a fault of the host and no outcome, and the thread goes on", () =>
    Effect.gen(function* () {
      // The main thread has a sixteenth of the stack that a sandbox thread has.
      const sandbox = SandboxInline.make()
      const [deep, other] = [Life.make(guest), Life.make(guest)]
      yield* begin(sandbox, deep, "Add")
      yield* begin(sandbox, other, "Add")
      const fault = yield* Effect.flip(sandbox.run(deep.process, [deep.next("Deep")]))
      assert.deepInclude(fault, { _tag: "SandboxLost", process: deep.process, own: true })
      const gone = yield* Effect.flip(sandbox.run(deep.process, [deep.next("Add")]))
      assert.deepInclude(gone, { _tag: "SandboxLost", process: deep.process, own: false })
      const [kept] = yield* sandbox.run(other.process, [other.next("Add")])
      assert.deepStrictEqual(
        kept!.outcome.replies.map((reply) => "value" in reply && reply.value),
        ["2"],
      )
    }),
  )

  it.live("does not end first on a sandbox thread: there the limit is the outcome", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxWorkers.make(1)
      const evaluated = yield* begin(sandbox, Life.make(guest), "Deep")
      assert.strictEqual(evaluated.at(-1)!.outcome.error?.reason, "stack overflow")
    }),
  )
})

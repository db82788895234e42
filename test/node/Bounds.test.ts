/** Queues that a stranger can fill, each at its bound and one over it (spec 03 §11). */
import { once } from "node:events"
import net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import { Refused } from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Gate from "../../runtime/Gate.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Peer from "../../runtime/Peer.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as StoreFaulty from "../simulation/StoreFaulty.ts"
import * as Caller from "../support/Caller.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import * as ServedNode from "../support/ServedNode.ts"
import * as SmallNode from "../support/SmallNode.ts"

const ada = Caller.caller("ada")

/** As many of one peer as go in wait; the next is refused at once, and another peer is not. */
const fills = Effect.fnUntraced(function* <A, E>(max: number, what: string, one: Effect.Effect<A, E>) {
  const from = (name: string) => Effect.provideService(one, Peer.Peer, { name })
  const waiting = yield* Effect.forEach(Array.from({ length: max }), () =>
    Effect.forkChild(from("flood"), { startImmediately: true }),
  )
  yield* LocalScheduler.settle
  for (const fiber of waiting) assert.isUndefined(fiber.pollUnsafe())
  const refused = yield* Effect.flip(from("flood"))
  assert.instanceOf(refused, Refused)
  assert.strictEqual(refused.reason, "overloaded")
  assert.include(refused.message, `${max} ${what} are in hand`)
  const other = yield* Effect.forkChild(from("quiet"), { startImmediately: true })
  yield* LocalScheduler.settle
  assert.isUndefined(other.pollUnsafe())
  return [...waiting, other]
})

describe("at its bound", () => {
  it.live("a compute unit refuses the next question of a peer", () =>
    Effect.gen(function* () {
      const sandbox = { ...SandboxInline.make(), query: () => Effect.never }
      const node = yield* SmallNode.make({ sandbox })
      const process = yield* SmallNode.spawn(node, ada, "heddle.on('Get', () => 1)")
      yield* node.compute.turn(process, 0)
      const question = { action: "Get", tags: [], data: Bytes.empty, from: "" } as const
      yield* fills(Gate.aloneMax(Limit.questionsMax), "questions", node.compute.query(process, question))
    }),
  )

  it.live("a compute unit refuses the next module of a peer", () =>
    Effect.gen(function* () {
      const sandbox = { ...SandboxInline.make(), check: () => Effect.never }
      const node = yield* SmallNode.make({ sandbox })
      yield* fills(
        Gate.aloneMax(Limit.modulesInHandMax),
        "modules",
        node.messenger.addModule(Bytes.fromText("heddle.on('Get', () => 1)")),
      )
    }),
  )

  it.effect("a scheduler refuses the next upload of a peer, and takes those that it has", () =>
    Effect.gen(function* () {
      const { store, hold, release } = StoreFaulty.bend(StoreMemory.make())
      const scheduler = yield* LocalScheduler.start({ store })
      hold()
      let uploads = 0
      const upload = Effect.suspend(() => scheduler.addData(Bytes.fromText(`upload ${uploads++}`)))
      const waiting = yield* fills(Gate.aloneMax(Limit.uploadsInHandMax), "uploads", upload)
      release()
      const hashes = yield* Effect.forEach(waiting, Fiber.join)
      assert.strictEqual(new Set(hashes).size, waiting.length)
    }),
  )

  it.live("a server closes the next connection", () =>
    Effect.gen(function* () {
      const url = new URL(yield* ServedNode.serve(yield* SmallNode.make(), { connectionsMax: 2 }))
      const connect = Effect.promise(async () => {
        const socket = net.connect(Number(url.port), url.hostname)
        await once(socket, "connect")
        return socket
      })
      const open = [yield* connect, yield* connect]
      const third = yield* connect
      yield* Effect.promise(() => once(third.resume(), "close"))
      for (const socket of open) {
        socket.write(`GET /health HTTP/1.1\r\nHost: ${url.hostname}\r\n\r\n`)
        const [heard] = (yield* Effect.promise(() => once(socket, "data"))) as [Buffer] // no encoding is set
        assert.match(heard.toString(), /^HTTP\/1\.1 200 /)
        socket.destroy()
      }
    }),
  )
})

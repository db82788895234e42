/** What an answer costs, counted: durable commits are what a node waits for, and signatures what it works for. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ComputeUnit } from "../../compute-unit/ComputeUnit.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Node from "../../node/Node.ts"
import type * as Id from "../../runtime/Id.ts"
import { Store } from "../../runtime/Store.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "../support/Caller.ts"
import * as Folder from "../support/Folder.ts"
import * as SignerProbe from "../support/SignerProbe.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as StoreProbe from "../support/StoreProbe.ts"

const ada = Caller.caller("ada")
const counter = `
  let n = 0
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })
  heddle.on("Tell", (m) => { heddle.send(m.tags.To, { action: "Add" }); return "told" })`

const increment = (process: Id.ProcessId) => Effect.promise(() => ada.message(process, "Add"))

/** A node whose every commit and signature is counted, with a process that has come to rest. */
const counted = Effect.gen(function* () {
  const [probe, { signer, signed }] = [StoreProbe.make(), SignerProbe.make(SmallNode.identity)]
  const node = yield* SmallNode.make({ store: probe.store, signer })
  const process = yield* SmallNode.spawn(node, ada, counter)
  yield* node.compute.turn(process, 0)
  /** First table of each commit, and use of each signature, since `spent` was called last. */
  let seen = [probe.commits.length, signed.length] as const
  const spent = () => {
    const since = [probe.commits.slice(seen[0]).map(([table]) => table), signed.slice(seen[1])]
    seen = [probe.commits.length, signed.length]
    return since
  }
  return { node, process, spent }
})

const order = ["batch", "heddle/batch/1"]
const computation = ["release", "heddle/attestation/1"]
const cost = (...kinds: ReadonlyArray<ReadonlyArray<string>>) => [
  kinds.map(([table]) => table),
  kinds.map(([, use]) => use),
]

describe("the cost", () => {
  it.effect("of an ask is two commits and two signatures", () =>
    Effect.gen(function* () {
      const { node, process, spent } = yield* counted
      for (let n = 1; n <= 3; n++) {
        const item = yield* increment(process)
        spent()
        const { result } = yield* node.messenger.ask(item.bytes)
        assert.deepStrictEqual(result, { value: String(n) })
        assert.deepStrictEqual(spent(), cost(order, computation))
      }
    }),
  )

  it.effect(
    "of a send is one commit and one signature by the time of its answer, and what follows from it one each",
    () =>
      Effect.gen(function* () {
        const { node, process, spent } = yield* counted
        const item = yield* increment(process)
        spent()
        const { slot } = yield* node.messenger.send(item.bytes)
        assert.deepStrictEqual(spent(), cost(order))
        yield* node.compute.turn(process, slot)
        assert.deepStrictEqual(spent(), cost(computation))
      }),
  )

  it.effect("of a repeat, a query, a view and a refusal is nothing", () =>
    Effect.gen(function* () {
      const { node, process, spent } = yield* counted
      const item = yield* increment(process)
      yield* node.messenger.ask(item.bytes)
      spent()
      yield* node.messenger.ask(item.bytes)
      yield* node.messenger.query(process, { action: "Add", tags: [], data: new Uint8Array(0), from: "" })
      yield* node.messenger.view(process, "n")
      yield* Effect.flip(node.messenger.send(item.bytes.subarray(1)))
      assert.deepStrictEqual(spent(), cost())
    }),
  )

  it.effect("of what a process tells another is one more order and one more computation", () =>
    Effect.gen(function* () {
      const { node, process, spent } = yield* counted
      const other = yield* SmallNode.spawn(node, ada, counter)
      yield* node.compute.turn(other, 0)
      const item = yield* Effect.promise(() => ada.message(process, "Tell", { To: other }))
      spent()
      yield* node.messenger.ask(item.bytes)
      yield* node.compute.turn(other, 1)
      assert.deepStrictEqual(spent(), cost(order, computation, order, computation))
    }),
  )

  it.effect("is shared by messages that come together", () =>
    Effect.gen(function* () {
      const { node, process, spent } = yield* counted
      const count = 64
      const items = yield* Effect.forEach(Array.from({ length: count }), () => increment(process))
      spent()
      yield* Effect.forEach(items, ({ bytes }) => node.messenger.ask(bytes), { concurrency: "unbounded" })
      const [commits, signatures] = spent()
      assert.isAtMost(commits!.length, 8)
      assert.strictEqual(signatures!.length, commits!.length)
    }),
  )

  it.live("of an ask and of a send on the embedded node is as much", () =>
    Effect.gen(function* () {
      const dataFolder = yield* Folder.make
      const { identity } = Caller.caller("embedded node")
      const layer = Node.layer({ dataFolder, identity, sandboxWorkers: 1, cryptoWorkers: 1 })
      yield* Effect.gen(function* () {
        const [store, messenger] = [yield* Store, yield* MessengerUnit]
        const [scheduler, compute] = [yield* SchedulerUnit, yield* ComputeUnit]
        const process = yield* SmallNode.spawn({ messenger }, ada, counter)
        yield* compute.turn(process, 0)
        /** One signature a batch of the scheduler and one a release of the compute unit, and one commit with each. */
        const total = Effect.map(scheduler.nextBatch, (batches) => [store.commits(), batches] as const)
        for (let n = 1; n <= 3; n++) {
          const item = yield* increment(process)
          const [commits, batches] = yield* total
          const { slot } = yield* messenger.send(item.bytes)
          assert.deepStrictEqual(yield* total, [commits + 1, batches + 1])
          yield* compute.turn(process, slot)
          assert.deepStrictEqual(yield* total, [commits + 2, batches + 1])

          const asked = yield* increment(process)
          yield* messenger.ask(asked.bytes)
          assert.deepStrictEqual(yield* total, [commits + 4, batches + 2])
        }
      }).pipe(Effect.provide(Layer.fresh(layer)))
    }),
  )
})

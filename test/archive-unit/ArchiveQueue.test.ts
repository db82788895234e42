import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as ArchiveQueue from "../../archive-unit/ArchiveQueue.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import { id } from "../support/Unsigned.ts"

const bundle = (name: string) => ({ id: id(name), bytes: Bytes.fromText(name) })

/** A bundle that ends before a batch and a commit of this number. */
const closed = (
  number: number,
  names: ReadonlyArray<string> = [`bundle ${number}`],
): ArchiveQueue.Closed => ({
  bundles: names.map(bundle),
  marks: [],
  reached: [],
  batch: number,
  commit: number,
  since: 1,
  oldest: 1,
  assigned: 1,
})

const transfer = (row: ArchiveQueue.Row, cost: bigint) => ({
  id: id(`transfer ${row.number}`),
  bundle: row.bundle,
  bytes: row.bytes,
  cost,
  record: Bytes.empty,
})

const ready = Effect.gen(function* () {
  const probe = StoreProbe.make(StoreMemory.make())
  const reopened = Effect.provideService(ArchiveQueue.make, Store, probe.store)
  return { probe, reopened, queue: yield* reopened }
})

describe("the queue of bundles", () => {
  it.effect("is the same after a crash, bytes and all", () =>
    Effect.gen(function* () {
      const { queue, reopened } = yield* ready
      yield* queue.add(closed(3, ["one", "two"]))
      yield* queue.transfer(queue.open()[0]!, transfer(queue.open()[0]!, 7n))
      yield* queue.mark(queue.open()[0]!, "sent")
      const again = yield* reopened
      assert.deepStrictEqual(again.open(), queue.open())
      assert.deepStrictEqual(again.state(), queue.state())
      assert.deepInclude(again.state(), { next: 2, batch: 3, commit: 3, spent: 7n })
      assert.deepStrictEqual(again.open().map(again.bytes), ["one", "two"].map(Bytes.fromText))
    }),
  )

  it.effect("keeps all changes that are made at the same time, durably", () =>
    Effect.gen(function* () {
      const { probe, queue, reopened } = yield* ready
      yield* queue.add(closed(1))
      const [first] = queue.open()
      yield* queue.transfer(first!, transfer(first!, 5n))
      probe.before = () => Effect.yieldNow
      yield* Effect.all([queue.add(closed(2)), queue.confirm(queue.open()[0]!, 9)], { concurrency: 2 })
      const [second] = queue.open()
      yield* Effect.all([queue.transfer(second!, transfer(second!, 6n)), queue.add(closed(3))], {
        concurrency: 2,
      })
      for (const one of [queue, yield* reopened])
        assert.deepStrictEqual(one.state(), {
          next: 3,
          batch: 3,
          commit: 3,
          spent: 11n,
          bundles: 1,
          bytes: "bundle 1".length,
        })
    }),
  )

  it.effect("knows of what was committed though whoever added it was interrupted", () =>
    Effect.gen(function* () {
      const { probe, queue, reopened } = yield* ready
      const held = StoreProbe.barrier()
      probe.after = (tables) => (tables.includes("archive-state") ? held.wait : Effect.void)
      const adding = yield* Effect.forkChild(queue.add(closed(1)))
      yield* held.reached
      const leaving = yield* Effect.forkChild(Fiber.interrupt(adding), { startImmediately: true })
      yield* held.open
      yield* Fiber.join(leaving)
      assert.deepStrictEqual(queue.state(), (yield* reopened).state())
      assert.strictEqual(queue.state().batch, 1)
    }),
  )

  it.effect("leaves what was spent on a way that is given up as spent", () =>
    Effect.gen(function* () {
      const { queue, reopened } = yield* ready
      yield* queue.add(closed(1))
      yield* queue.transfer(queue.open()[0]!, transfer(queue.open()[0]!, 5n))
      yield* queue.leave(queue.open()[0]!)
      for (const one of [queue, yield* reopened]) {
        assert.deepInclude(one.open()[0]!, { transfer: undefined, state: "waiting" })
        assert.strictEqual(one.state().spent, 5n)
      }
    }),
  )
})

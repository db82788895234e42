import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Bounds, type Carried, Lane, type Memory, oneCommit } from "../../messenger-unit/Lane.ts"
import * as Parcels from "../../messenger-unit/Parcels.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import { id } from "../support/Unsigned.ts"

const [source, target] = [id("loom"), id("heddle")]

const parcel = (index: number, bytes = 10): Parcels.Parcel => ({
  source,
  slot: 0,
  index,
  target,
  kind: "message",
  pair: index + 1,
  due: 0,
  since: 0,
  item: new Uint8Array(bytes),
  proof: new Uint8Array(0),
})
const carried = (index: number, kept: boolean, bytes?: number): Carried => ({
  parcel: parcel(index, bytes),
  release: 0,
  kept,
  delivered: false,
})

const lane = (bounds: Partial<Bounds> = {}, more = false) => {
  const store = StoreMemory.make()
  const memory: Memory = { bytes: 0, bounds: { lanesMax: 1, parcelsPerLaneMax: 3, bytesMax: 100, ...bounds } }
  const keep = (...indices: ReadonlyArray<number>) =>
    store.commit(indices.flatMap((index) => Parcels.put(parcel(index))))
  return { memory, keep, lane: new Lane(Parcels.laneOf(parcel(0)), store, memory, more) }
}

/** What comes out of it, one after the other. */
const drained = (one: Lane): ReadonlyArray<number> => {
  const out: Array<number> = []
  for (let next = one.first(); next !== undefined; next = one.first()) {
    out.push(next.parcel.index)
    one.shift(next)
  }
  return out
}

describe("a lane", () => {
  it("has as many in memory as it may, and says of the next that it is one too many", () => {
    const { lane: one } = lane()
    assert.deepStrictEqual(
      [0, 1, 2, 3].map((index) => one.push(carried(index, false))),
      [false, false, false, true],
    )
    assert.isTrue(one.isStuck)
    assert.deepStrictEqual(drained(one), [0, 1, 2, 3])
  })

  it("has one alone where all lanes together have more bytes than they may", () => {
    const { lane: one, memory } = lane()
    assert.isFalse(one.push(carried(0, false, 50)))
    assert.isFalse(one.push(carried(1, false, 50)))
    assert.isTrue(one.push(carried(2, false, 1)))
    assert.strictEqual(memory.bytes, 101)
    assert.deepStrictEqual(drained(one), [0, 1, 2])
    assert.strictEqual(memory.bytes, 0)
  })

  it.effect("reads back what came once more after a crash and belongs before what has gone meanwhile", () =>
    Effect.gen(function* () {
      for (const waits of [false, true]) {
        const { lane: one, keep } = lane({ parcelsPerLaneMax: 1 }, true)
        yield* keep(1)
        const stored = one.first()!
        const again = carried(0, false)
        one.push(again)
        if (waits) one.shift(stored) // and it is the next, but has to wait
        if (waits) assert.strictEqual(one.first(), again)
        yield* keep(0)
        again.kept = true
        one.trim(waits)
        if (!waits) one.shift(stored)
        assert.strictEqual(one.next()?.index, 0)
        assert.strictEqual(drained(one)[0], 0)
      }
    }),
  )

  it.effect("lets go of what the store holds, and reads it back between what it has and what comes", () =>
    Effect.gen(function* () {
      const { lane: one, keep, memory } = lane()
      for (let index = 0; index < 7; index++) one.push(carried(index, true))
      yield* keep(0, 1, 2, 3, 4, 5, 6)
      one.trim(false)
      assert.strictEqual(memory.bytes, 30)
      one.push(carried(7, false))
      one.trim(false)
      assert.strictEqual(memory.bytes, 40)
      assert.deepStrictEqual(
        one.loose().map((each) => each.parcel.index),
        [7],
      )
      // Kept, but not known to be: it is in the store and in memory, and goes once.
      yield* keep(7)
      assert.deepStrictEqual(drained(one), [0, 1, 2, 3, 4, 5, 6, 7])
      assert.strictEqual(memory.bytes, 0)
    }),
  )

  it.effect("has nothing in memory while it waits, and one when it tries again", () =>
    Effect.gen(function* () {
      const { lane: one, keep, memory } = lane()
      for (let index = 0; index < 3; index++) one.push(carried(index, true))
      yield* keep(0, 1, 2)
      one.trim(true)
      assert.deepStrictEqual([one.isInMemory, memory.bytes], [false, 0])
      assert.strictEqual(one.next()?.index, 0)
      assert.strictEqual(memory.bytes, 0)
      assert.strictEqual(one.first()?.parcel.index, 0)
      assert.strictEqual(memory.bytes, 10)
      assert.deepStrictEqual(drained(one), [0, 1, 2])
    }),
  )

  it.effect("has what comes once more before what the store has of it, and forgets nothing of that", () =>
    Effect.gen(function* () {
      const { lane: one, keep } = lane({}, true)
      yield* keep(1, 2, 4)
      one.push(carried(0, false))
      one.push(carried(3, false))
      assert.strictEqual(one.first()?.parcel.index, 0)
      one.push(carried(5, false))
      assert.deepStrictEqual(drained(one), [0, 1, 2, 3, 4, 5])
    }),
  )

  it("lets go of nothing that the store may not hold", () => {
    const { lane: one } = lane()
    one.push(carried(0, true))
    one.push(carried(1, false))
    one.trim(true)
    assert.deepStrictEqual(drained(one), [0, 1])
  })

  it.effect("reads on where something came into the store behind it", () =>
    Effect.gen(function* () {
      const { lane: one, keep } = lane()
      one.push(carried(0, false))
      yield* keep(1)
      one.addMore()
      assert.deepStrictEqual(drained(one), [0, 1])
    }),
  )
})

describe("what goes into one commit", () => {
  it("is as many as it takes, in order", () => {
    const half = Limit.batchBytesMax / 2
    const indices = (...bytes: ReadonlyArray<number>) =>
      oneCommit(bytes.map((each, index) => carried(index, false, each))).map((each) => each.parcel.index)
    assert.deepStrictEqual(indices(half, half), [0, 1])
    assert.deepStrictEqual(indices(half, half + 1, 1), [0])
  })
})

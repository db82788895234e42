import { assert, describe, it } from "vitest"
import * as Deferred from "effect/Deferred"
import { Lanes } from "../../messenger-unit/Lanes.ts"
import type * as Parcels from "../../messenger-unit/Parcels.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import { id } from "../support/Unsigned.ts"

const of = (name: string): Parcels.Lane => ({
  name,
  source: id("loom"),
  target: id(name),
  isTimer: false,
  prefix: [],
})
const waiting = (next?: number) => ({ reason: "unknown process", next, woken: Deferred.makeUnsafe<void>() })
const make = () => new Lanes(StoreMemory.make(), { lanesMax: 2, parcelsPerLaneMax: 1, bytesMax: 1 })

describe("places of lanes", () => {
  it("are as many as there may be lanes, and come back where one ends", () => {
    const lanes = make()
    assert.isTrue(lanes.hasPlace())
    const one = lanes.begin(of("one"), false)
    assert.isTrue(lanes.hasPlace())
    lanes.begin(of("two"), false)
    assert.isFalse(lanes.hasPlace())
    lanes.close(one)
    assert.isTrue(lanes.hasPlace())
    assert.deepStrictEqual([...lanes.to(id("one"))], [])
  })

  it("are given up by the one that is held longest, of which the reason is remembered", () => {
    const lanes = make()
    const [one, two] = [lanes.begin(of("one"), true), lanes.begin(of("two"), true)]
    for (const held of [two, one]) {
      held.waiting = waiting()
      held.attempts = 3
      lanes.rest(held)
    }
    assert.isTrue(lanes.hasPlace())
    assert.deepStrictEqual([one.isEvicted, two.isEvicted], [false, true])
    assert.deepStrictEqual(lanes.lastKnown("two"), { reason: "unknown process", attempts: 3 })
    assert.isTrue(lanes.hasClosed)
    assert.strictEqual(lanes.begin(of("two"), true).attempts, 3)
  })

  it("are not given up by those that wait for a time, or that were woken", () => {
    const lanes = make()
    const [one, two] = [lanes.begin(of("one"), true), lanes.begin(of("two"), true)]
    one.waiting = waiting(5_000)
    two.waiting = waiting()
    for (const each of [one, two]) lanes.rest(each)
    lanes.wake(two)
    assert.isFalse(lanes.hasPlace())
  })
})

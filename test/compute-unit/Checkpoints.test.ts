import { describe, expect, it } from "vitest"
import { type Checkpoint, Checkpoints } from "../../compute-unit/Checkpoints.ts"
import * as Admission from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"

const checkpoint = (slot: number, length = 10): Checkpoint => ({
  slot,
  stateRoot: Bytes.empty,
  bytes: new Uint8Array(length),
  log: Admission.emptyLog,
  inForce: { source: Bytes.empty, engine: undefined },
})

const gaps = (slots: ReadonlyArray<number>) => slots.map((slot, i) => slot - (slots[i - 1] ?? -1))

describe("checkpoints", () => {
  it("give the last one that is not after a slot", () => {
    const kept = new Checkpoints()
    expect(kept.before(10)).toBeUndefined()
    for (const slot of [10, 30, 20]) kept.add(checkpoint(slot))
    expect([9, 10, 29, 30, 1_000].map((slot) => kept.before(slot)?.slot)).toEqual([undefined, 10, 20, 30, 30])
    expect(kept.at(20)?.slot).toBe(20)
    expect(kept.at(21)).toBeUndefined()
  })

  it("keep one of a slot", () => {
    const kept = new Checkpoints()
    kept.add(checkpoint(10))
    kept.add(checkpoint(10, 20))
    expect(kept.slots).toEqual([10])
    expect(kept.at(10)?.bytes.length).toBe(20)
  })

  it("are as many as they may be, and no more", () => {
    const kept = new Checkpoints({ count: 5, bytes: 1_000 })
    for (let slot = 0; slot < 5; slot++) kept.add(checkpoint(slot))
    expect(kept.slots.length).toBe(5)
    kept.add(checkpoint(5))
    expect(kept.slots.length).toBe(5)
    expect(kept.at(5)).toBeDefined()
  })

  it("take as many bytes as they may, and no more, but always keep where one is", () => {
    const kept = new Checkpoints({ count: 100, bytes: 100 })
    for (let slot = 0; slot < 20; slot++) kept.add(checkpoint(slot * 10))
    expect(kept.slots.length).toBe(10)
    kept.add(checkpoint(500, 1_000))
    expect(kept.slots).toEqual([500])
  })

  it("lie close around where one is and further apart the further away, back to the beginning", () => {
    const kept = new Checkpoints({ count: 16, bytes: 1_000_000 })
    for (let slot = 127; slot < 100_000; slot += 128) kept.add(checkpoint(slot))
    const slots = kept.slots
    const here = slots.at(-1)!
    expect(slots.length).toBe(16)
    expect(gaps(slots).slice(-3)).toEqual([128, 128, 128])
    // From any slot back there is one to start from that is not further off than the slot is from here.
    for (const [i, slot] of slots.entries()) {
      const gap = gaps(slots)[i]!
      expect(gap).toBeLessThanOrEqual(Math.max(256, here - slot))
    }
  })

  it("gather around another place once one is there", () => {
    const kept = new Checkpoints({ count: 16, bytes: 1_000_000 })
    for (let slot = 127; slot < 100_000; slot += 128) kept.add(checkpoint(slot))
    for (let slot = 50_000; slot < 52_000; slot += 128) kept.add(checkpoint(slot))
    const near = kept.slots.filter((slot) => slot >= 50_000 && slot < 52_000)
    expect(near.length).toBeGreaterThanOrEqual(5)
    expect(kept.slots.length).toBe(16)
  })
})

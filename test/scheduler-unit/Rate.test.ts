import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Limit from "../../runtime/Limit.ts"
import * as Rate from "../../scheduler-unit/Rate.ts"

/** A time as clocks have it. */
const now = 1_764_000_000_123

/** How many are taken at one time until there is none. */
const drain = (buckets: Rate.Buckets, who: string, at: number): number => {
  let taken = 0
  while (buckets.take(who, at) === 0) taken++
  return taken
}

describe("a bucket", () => {
  it.each([1, 3, 7, 10, 999, Limit.ratePerSecondMax])(
    "of %i a second has what a burst may take and not one more, and fills at that rate",
    (perSecond) => {
      const buckets = Rate.buckets(Rate.perSecond(perSecond))
      const burst = (perSecond * Limit.rateBurstMs) / 1_000
      assert.strictEqual(drain(buckets, "ada", now), burst)
      assert.strictEqual(drain(buckets, "ada", now + 1_000), perSecond)
      assert.strictEqual(drain(buckets, "ada", now + 3_000), 2 * perSecond)
      assert.strictEqual(drain(buckets, "ada", now + 3_000 + Limit.rateBurstMs), burst)
      assert.strictEqual(drain(buckets, "ada", now + 3_000 + 100 * Limit.rateBurstMs), burst)
    },
  )

  it("that is empty says when it has one again, and has it then", () => {
    const buckets = Rate.buckets(Rate.perSecond(10))
    drain(buckets, "ada", now)
    assert.strictEqual(buckets.waitMs("ada", now), 100)
    assert.strictEqual(buckets.take("ada", now + 30), 70)
    assert.strictEqual(buckets.take("ada", now + 100), 0)
    assert.strictEqual(buckets.take("ada", now + 100), 100)
  })

  it("is one's own, and asking takes nothing out of it", () => {
    const buckets = Rate.buckets(Rate.perSecond(1))
    drain(buckets, "ada", now)
    assert.isAbove(buckets.waitMs("ada", now), 0)
    for (let i = 0; i < 100; i++) assert.strictEqual(buckets.waitMs("grace", now), 0)
    assert.strictEqual(drain(buckets, "grace", now), 10)
  })

  it("has one more for each that was given back, and never more than a burst", () => {
    const buckets = Rate.buckets(Rate.perSecond(1))
    drain(buckets, "ada", now)
    buckets.giveBack("ada")
    assert.strictEqual(drain(buckets, "ada", now), 1)
    for (let i = 0; i < 50; i++) buckets.giveBack("ada")
    buckets.giveBack("stranger")
    assert.strictEqual(drain(buckets, "ada", now), 10)
  })

  it("is empty at most where the clock was set back", () => {
    const buckets = Rate.buckets(Rate.perSecond(1))
    drain(buckets, "ada", now)
    const before = now - 3_600_000
    assert.strictEqual(buckets.waitMs("ada", before), 1_000)
    assert.strictEqual(buckets.take("ada", before + 1_000), 0)
  })

  it("lets through at most burst + rate × time in whatever stretch, however it is asked", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 })
    let runs = 0
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), gaps, (perSecond, all) => {
        const rate = { ...Rate.perSecond(perSecond), burstMs: 1_000 }
        const taken: Array<number> = []
        let at = now
        let bucket = Rate.full(rate, now)
        for (const gap of all) {
          at += gap
          const one = Rate.take(rate, bucket, at)
          bucket = one.bucket
          if (one.waitMs === 0) taken.push(at)
        }
        for (let from = 0; from < taken.length; from++)
          for (let to = from; to < taken.length; to++)
            assert.isAtMost(to - from + 1, perSecond + (perSecond * (taken[to]! - taken[from]!)) / 1_000)
        runs++
      }),
      { numRuns: 50, seed: 1 },
    )
    assert.strictEqual(runs, 50)
  })
})

describe("buckets", () => {
  it(`are at most ${Limit.rateBucketsMax}, and one more makes room`, () => {
    const buckets = Rate.buckets(Rate.perSecond(1))
    for (let i = 0; i < Limit.rateBucketsMax; i++) buckets.take(`${i}`, now)
    assert.strictEqual(buckets.size(), Limit.rateBucketsMax)
    buckets.take("one more", now)
    assert.isAtMost(buckets.size(), Limit.rateBucketsMax)
  })

  it("that are full are forgotten before any other", () => {
    const buckets = Rate.buckets(Rate.perSecond(1), 4)
    drain(buckets, "ada", now)
    for (const who of ["b", "c", "d"]) buckets.take(who, now)
    buckets.take("e", now + 1_000)
    assert.strictEqual(buckets.size(), 2)
    assert.strictEqual(drain(buckets, "ada", now + 1_000), 1)
  })

  it("that are fullest are forgotten where none is full, so that whoever used up his keeps it", () => {
    const buckets = Rate.buckets(Rate.perSecond(1), 4)
    drain(buckets, "ada", now)
    for (let i = 0; i < 1_000; i++) buckets.take(`stranger ${i}`, now)
    assert.strictEqual(buckets.size(), 4)
    assert.strictEqual(buckets.take("ada", now), 1_000)
  })

  it("that were forgotten are as a stranger's", () => {
    const buckets = Rate.buckets(Rate.perSecond(1), 2)
    for (const who of ["ada", "grace"]) for (let i = 0; i < 5; i++) buckets.take(who, now)
    buckets.take("grace", now)
    buckets.take("joan", now)
    assert.strictEqual(drain(buckets, "ada", now), 10)
  })
})

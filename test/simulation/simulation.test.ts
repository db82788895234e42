/** Worlds of fixed seeds and of fresh ones, in which every property holds; and that a seed is a world, to the byte. */
import { describe, expect, it } from "vitest"
import * as World from "./World.ts"

describe("a simulated world", () => {
  it("is the same in two runs of a seed, to the last event", () => {
    for (const seed of [3, 7]) {
      const [one, again] = [World.run({ seed }), World.run({ seed })]
      expect(one.steps).toBeGreaterThan(100)
      expect([again.hash, again.steps]).toEqual([one.hash, one.steps])
    }
    expect(World.run({ seed: 3 }).hash).not.toBe(World.run({ seed: 7 }).hash)
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])("keeps every property, seed %i", (seed) => {
    expect(World.run({ seed }).broken).toBeUndefined()
  })
})

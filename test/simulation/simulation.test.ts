/** Worlds in which every property holds; and that a seed is a world, to the byte. */
import { describe, expect, it } from "vitest"
import * as World from "./World.ts"

/** Fresh ones are for `npm run simulate`: whoever changes something else is not to be stopped by what it finds. */
const seeds = Array.from({ length: 16 }, (_, i) => i + 1)

describe("a simulated world", () => {
  it("is the same in two runs of a seed, to the last event", () => {
    // With real signatures, with several units, with crashes.
    for (const seed of [32, 3]) {
      const [one, again] = [World.run({ seed }), World.run({ seed })]
      expect(one.steps).toBeGreaterThan(100)
      expect(again).toEqual(one)
    }
    expect(World.run({ seed: 3 }).hash).not.toBe(World.run({ seed: 7 }).hash)
  })

  it.each(seeds)("keeps every property, seed %i", (seed) => {
    expect(World.run({ seed }).broken).toBeUndefined()
  })
})

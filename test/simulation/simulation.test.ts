/** Worlds of fixed seeds and of fresh ones, in which every property holds; and that a seed is a world, to the byte. */
import { describe, expect, it } from "vitest"
import * as World from "./World.ts"

const fixed = Array.from({ length: 12 }, (_, i) => i + 1)
/** Other ones each time: the name of a test that fails says which. */
const fresh = Array.from({ length: 4 }, (_, i) => (Date.now() % 1_000_000_000) + i)

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

  it.each([...fixed, ...fresh])("keeps every property, seed %i", (seed) => {
    expect(World.run({ seed }).broken).toBeUndefined()
  })
})

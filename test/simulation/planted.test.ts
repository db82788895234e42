/** Bugs that are planted are found: that nothing is found elsewhere means something. */
import { describe, expect, it } from "vitest"
import { bugs } from "./Planted.ts"
import { shrink } from "./Shrink.ts"
import * as World from "./World.ts"
import * as Workload from "./Workload.ts"
import * as Luck from "./Luck.ts"

/** Seeds that are looked at, should a change have moved the bug out of the one in which it showed. */
const seedsMax = 12

describe("a simulated world with a planted bug", () => {
  it("has at least twelve to live with, each of another kind", () => {
    expect(bugs.length).toBeGreaterThanOrEqual(12)
    expect(new Set(bugs.map(({ name }) => name)).size).toBe(bugs.length)
  })

  it.each(bugs)("breaks a property: $name", (bug) => {
    const seen: Array<string> = []
    for (let seed = bug.seed; seed < bug.seed + seedsMax; seed++) {
      const { broken } = World.run({ seed, planted: bug })
      if (broken !== undefined && bug.found.includes(broken.checker)) return
      seen.push(`${seed}: ${broken === undefined ? "nothing" : `${broken.checker}: ${broken.detail}`}`)
    }
    expect.fail(`not found: ${seen.join("\n")}`)
  })

  it("breaks the same property in the same way with the same seed", () => {
    const planted = bugs.find(({ name }) => name === "a repeat is not recognised")!
    const [one, again] = [0, 1].map(() => World.run({ seed: planted.seed, planted }))
    expect(one!.broken).toBeDefined()
    expect(again).toEqual(one)
  })
})

describe("a workload", () => {
  const shape = { operations: 20, spanMs: 1_000, units: 1 }
  const operations = Workload.make(Luck.make(1, "workload"), shape)
  const numbers = (some: ReadonlyArray<Workload.Operation>) => some.map(({ number }) => number)

  it("is shrunk to the operations that matter", () => {
    let tries = 0
    const fewest = shrink(operations, 200, (some) => {
      tries++
      return [3, 11].every((number) => numbers(some).includes(number))
    })
    expect(numbers(fewest)).toEqual([3, 11])
    expect(tries).toBeLessThan(60)
  })

  it("is left as it is where there is no time to shrink it, or nothing can be left out", () => {
    expect(shrink(operations, 0, () => true)).toEqual(operations)
    expect(shrink(operations, 200, (some) => some.length === operations.length)).toEqual(operations)
    expect(shrink(operations, 200, () => true)).toEqual([])
  })
})

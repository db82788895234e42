/** Generated programs compute, instrumented, what they compute as they are, and cost the sum of what they run. */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { programOf } from "./WasmProgram.ts"
import { argumentBits, numbers, reference, WasmProgramRun } from "./WasmProgramRun.ts"

const runs = { numRuns: 300, seed: 7 }

describe("a generated program", () => {
  it("gives the same values and traps as the original, with the same memory and globals, for the fuel of every instruction run", () => {
    let [ended, stopped, fuelMost, grown] = [0, 0, 0n, 0]
    fc.assert(
      fc.property(numbers, (numbers) => {
        const program = programOf(numbers)
        const original = reference(program.reference)
        const metered = new WasmProgramRun(program.subject)
        for (const args of argumentBits.keys()) {
          const [expected, actual] = [original.call(0, args), metered.call(0, args)]
          expect(actual.ending).toBe(expected.ending)
          expect(metered.state.globals).toEqual(original.state.globals.slice(0, 4))
          expect(Buffer.from(metered.state.memory).equals(original.state.memory)).toBe(true)
          if (actual.stopped) {
            stopped++
            continue
          }
          expect(actual.fuel).toBe(expected.fuel)
          expect(metered.wordsUsed).toBe(0)
          ended++
          if (actual.fuel > fuelMost) fuelMost = actual.fuel
          if (metered.state.memory.length > 65_536) grown++
        }
      }),
      runs,
    )
    // The programs are not all alike, and not all short.
    expect(ended).toBeGreaterThan(300)
    expect(stopped).toBeGreaterThan(50)
    expect(grown).toBeGreaterThan(20)
    expect(fuelMost).toBeGreaterThan(10_000n)
  })

  it("costs the same on every run, and for one call after another the sum of both, each from the same memory and globals", () => {
    let summed = 0
    fc.assert(
      fc.property(numbers, fc.nat(4), fc.nat(4), (numbers, first, second) => {
        const { subject } = programOf(numbers)
        const [one, other] = [new WasmProgramRun(subject), new WasmProgramRun(subject)]
        const a = one.call(first, 0)
        expect(other.call(first, 0)).toEqual(a)
        if (a.stopped) return
        const b = WasmProgramRun.restored(subject, one.state).call(second, 1)
        expect(one.call(second, 1)).toEqual(b)
        if (b.stopped) return
        const both = new WasmProgramRun(subject)
        both.arm()
        both.enter(first, 0)
        both.enter(second, 1)
        expect(both.fuel).toBe(a.fuel + b.fuel)
        expect(both.state).toEqual(one.state)
        summed++
      }),
      runs,
    )
    expect(summed).toBeGreaterThan(100)
  })

  it("ends the same, for equal fuel, in the first tier of the compiler and in the second", async () => {
    const script = join(import.meta.dirname, "WasmProgramBatch.ts")
    const lines = async (...options: ReadonlyArray<string>) => {
      const args = [...options, script, "150", "11"]
      const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 })
      return stdout.trimEnd().split("\n")
    }
    const expected = await lines()
    expect(expected).toHaveLength(150 * argumentBits.length)
    expect(new Set(expected).size).toBeGreaterThan(100)
    expect(await lines("--liftoff-only")).toEqual(expected)
    expect(await lines("--no-liftoff")).toEqual(expected)
  })
})

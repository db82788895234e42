/**
 * The core specification tests of WebAssembly, on every module as it is and instrumented: as an author's, and as an
 * engine's. An author's module may import functions only; one that imports more is run as an engine's both times.
 */
import { describe, expect, it } from "vitest"
import type { Options } from "../../compute-unit/Instrumentation.ts"
import { describeShared } from "../vectors/shared.ts"
import { type Report, Run, type Vectors } from "./WasmSpec.ts"

const kinds: ReadonlyArray<readonly [string, Options]> = [
  ["an author's", { frameWordsMax: 8_000, chargeValues: true, authored: true }],
  ["an engine's", { frameWordsMax: 8_000, chargeValues: false }],
]

/** Files of one test, as numbers and ranges: `bulk 5-12`. */
const inRanges = (files: ReadonlyArray<string>): ReadonlyArray<string> => {
  const byTest = new Map<string, Array<Array<number>>>()
  for (const file of files) {
    const [test, number] = file.split(".") as [string, string] // <test>.<number>.wasm
    const ranges = byTest.get(test) ?? []
    const last = ranges.at(-1)
    if (last?.at(-1) === Number(number) - 1) last.push(Number(number))
    else ranges.push([Number(number)])
    byTest.set(test, ranges)
  }
  const shown = (range: ReadonlyArray<number>): string =>
    range.length === 1 ? `${range[0]}` : `${range[0]}-${range.at(-1)}`
  return [...byTest].map(([test, ranges]) => `${test} ${ranges.map(shown).join(" ")}`)
}

/** What is refused: it changes tables, drops segments or keeps references in globals. */
const hiddenState = [
  "bulk 5-12",
  "elem 31-32",
  "global 0",
  "linking 9-10 13-14",
  "memory_init 3 6-7",
  "ref_func 1",
  "ref_is_null 0",
  "table_copy 2-9 11-51",
  "table_fill 0",
  "table_get 0",
  "table_grow 0-4",
  "table_init 1-6 11-31 95-101",
  "table_set 0",
  "table_size 0",
]

describeShared<Vectors>("the WebAssembly specification", "vectors/wasm-spec-tests.json.gz", ({ tests }) => {
  const names = Object.keys(tests)

  describe.each(kinds)("for a module instrumented as %s", (_, options) => {
    const reports = new Map<string, Report>()
    const report = (name: string): Report => {
      const made = reports.get(name) ?? new Run(tests[name]!, options).run()
      reports.set(name, made)
      return made
    }
    const total = (count: (report: Report) => Readonly<Record<string, number>>): Record<string, number> => {
      const sum: Record<string, number> = {}
      for (const name of names)
        for (const [type, n] of Object.entries(count(report(name)))) sum[type] = (sum[type] ?? 0) + n
      return sum
    }

    it.each(names)("%s: both compute the same and leave the same state", (name) => {
      const { differences, accepted } = report(name)
      expect(differences).toEqual([])
      expect(accepted).toEqual([])
    })

    it("89 tests are run, and of every command it is known whether both were", () => {
      expect(names).toHaveLength(89)
      expect(total(({ ran }) => ran)).toEqual({
        module: 973,
        register: 16,
        action: 86,
        assert_return: 20_630,
        assert_trap: 613,
        assert_exhaustion: 15,
        assert_invalid: 1_463,
        assert_malformed: 733,
        assert_unlinkable: 79,
        assert_uninstantiable: 34,
      })
      expect(total(({ passedOver }) => passedOver)).toEqual({
        module: 110,
        register: 1,
        action: 69,
        assert_return: 723,
        assert_trap: 1_740,
        assert_unlinkable: 4,
      })
      expect(total(({ memories, globals }) => ({ memories, globals }))).toEqual({
        memories: 7_917,
        globals: 1_830,
      })
    })

    it("modules are refused for these reasons, and no other", () => {
      const refused: Record<string, Array<string>> = {}
      for (const name of names)
        for (const [reason, files] of Object.entries(report(name).refused))
          (refused[reason] ??= []).push(...files)
      expect(Object.entries(refused).map(([reason, files]) => [reason, inRanges(files)])).toEqual([
        ["hidden state", hiddenState],
        ["imports from a refused module", ["linking 11-12"]],
      ])
      expect(refused["hidden state"]).toHaveLength(112)
      const engines = names.flatMap((name) => report(name).engines)
      expect(engines).toHaveLength(options.authored ? 149 : 0)
    })
  })
})

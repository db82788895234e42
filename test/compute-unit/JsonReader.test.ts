import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { JsonInvalid, JsonReader, nestingMax } from "../../compute-unit/JsonReader.ts"

const accepts = (text: string): boolean => {
  try {
    return new JsonReader(text) instanceof JsonReader
  } catch (error) {
    if (error instanceof JsonInvalid) return false
    throw error
  }
}

const parses = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** A value as a reader gives it, with numbers as they are written. */
const read = (json: JsonReader): unknown => {
  if (json.kind === "text") return json.text()
  if (json.kind === "array") {
    const all: Array<unknown> = []
    json.array((index) => {
      expect(index).toBe(all.length)
      all.push(read(json))
    })
    return all
  }
  if (json.kind !== "object") return [json.kind, json.raw()]
  const all: Array<unknown> = []
  json.object((name) => all.push({ name, value: read(json) }))
  return { members: all }
}

const written = (value: unknown): unknown => {
  if (typeof value === "string") return value
  if (Array.isArray(value)) return value.map(written)
  if (typeof value === "object" && value !== null)
    return { members: Object.entries(value).map(([name, value]) => ({ name, value: written(value) })) }
  return [value === null ? "null" : typeof value, JSON.stringify(value)]
}

describe("a text", () => {
  it("is JSON if and only if the language says so, however it is spoilt", () => {
    const pieces = `{}[],:"\\/ \t\n\r-+.eE0123456789truefalsn\u0000\u000b\u000c\u001fbu d83é\u2028`
    let both = 0
    fc.assert(
      fc.property(
        fc.json({ noUnicodeString: false }),
        fc.array(
          fc.record({
            at: fc.nat(),
            take: fc.nat({ max: 3 }),
            put: fc.string({ unit: fc.constantFrom(...pieces.split("")), maxLength: 3 }),
          }),
          { maxLength: 2 },
        ),
        (json, changes) => {
          let text = json
          for (const { at, take, put } of changes) {
            const from = text.length === 0 ? 0 : at % (text.length + 1)
            text = text.slice(0, from) + put + text.slice(from + take)
          }
          expect(accepts(text)).toBe(parses(text))
          if (parses(text)) both++
        },
      ),
      { numRuns: 5_000 },
    )
    expect(both).toBeGreaterThan(500)
    expect(both).toBeLessThan(4_500)
  })

  it.each([
    "",
    " ",
    "tru",
    "nullx",
    "01",
    "-",
    "1.",
    ".5",
    "1e",
    "+1",
    "0x1",
    "NaN",
    '"',
    '"\\',
    '"\\x"',
    '"\\u12"',
    '"\u0001"',
    "[1,]",
    "[,1]",
    "[1 2]",
    "[",
    "]",
    '{"a"}',
    '{"a":}',
    "{a:1}",
    '{"a":1,}',
    '{"a" 1}',
    "1 2",
    "\ufeff1",
    "\u00a01",
    "\u000b1",
    "'a'",
  ])("is no JSON: %j", (text) => {
    expect(parses(text)).toBe(false)
    expect(() => new JsonReader(text)).toThrow("the words are no JSON")
  })

  it("is read as it is written", () => {
    let nested = 0
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom("", " ", "\t\n"), (value, space) => {
        const text = space + JSON.stringify(value, null, space.trim() === "" ? space : 0) + space
        const json = JSON.parse(text) as unknown
        expect(read(new JsonReader(text))).toEqual(written(json))
        if (typeof json === "object" && json !== null) nested++
      }),
    )
    expect(nested).toBeGreaterThan(20)
  })
})

describe("a value that is passed on", () => {
  it("keeps large numbers, the order of names, names that stand twice, escapes and spaces", () => {
    const value = `{ "b": 18446744073709551615, "1": [1e400, -0, 1.10], "1": "\\u00e9\\/",\n"__proto__": {} }`
    const json = new JsonReader(` { "x" : ${value} , "y":[ ] }\n`)
    const found: Array<string> = []
    json.object((name) => found.push(name, json.raw()))
    expect(found).toEqual(["x", value, "y", "[ ]"])
  })

  it.each([
    ["object", "{}"],
    ["array", "[]"],
    ["text", '""'],
    ["number", "-1"],
    ["number", "0"],
    ["boolean", "true"],
    ["boolean", "false"],
    ["null", "null"],
  ])("is of the kind %s: %s", (kind, text) => {
    const json = new JsonReader(text)
    expect([json.kind, json.raw()]).toEqual([kind, text])
  })
})

describe("nesting", () => {
  const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels)
  const deepObject = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`

  it(`is read to ${nestingMax} levels and refused beyond`, () => {
    for (const make of [deep, deepObject]) {
      expect(accepts(make(nestingMax))).toBe(true)
      expect(() => new JsonReader(make(nestingMax + 1))).toThrow(
        `the words are nested deeper than ${nestingMax}`,
      )
    }
    expect(() => new JsonReader("[".repeat(5_000_000))).toThrow("nested deeper")
  })

  it("counts what stands in each other, not what stands side by side", () => {
    expect(accepts(`[${Array.from({ length: 1_000 }, () => deep(nestingMax - 1)).join()}]`)).toBe(true)
    expect(accepts(`["${"[".repeat(1_000)}"]`)).toBe(true)
  })
})

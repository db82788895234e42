import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { bundle } from "../../compute-unit/Bundle.ts"
import * as Engine from "../../compute-unit/Engine.ts"
import * as SourcePositions from "../../compute-unit/SourcePositions.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"
import { limits, Stage } from "./Stage.ts"

const folder = mkdtempSync(join(tmpdir(), "heddle-positions-"))
afterAll(() => rmSync(folder, { recursive: true }))

type Files = Readonly<Record<string, string>>

let written = 0

/** The module of files of which `main.ts` is the entry. */
const moduleOf = async (files: Files): Promise<Uint8Array> => {
  const at = join(folder, String(written++))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(at, name)), { recursive: true })
    writeFileSync(join(at, name), text)
  }
  const result = await bundle(join(at, "main.ts"))
  if (result._tag === "BundleFailed") throw new Error(result.message)
  return result.source
}

/** The place right behind the comment `mark`, as an editor counts. */
const placeOf = (files: Files, mark: string): SourcePositions.Place => {
  for (const [file, text] of Object.entries(files)) {
    const [before, behind] = text.split(`/*${mark}*/`)
    if (before === undefined || behind === undefined) continue
    const lines = `${before}/*${mark}*/`.split("\n")
    return { file, line: lines.length, column: lines.at(-1)!.length + 1 }
  }
  throw new Error(`there is no mark ${mark}`)
}

const at = (files: Files, mark: string): string => {
  const { file, line, column } = placeOf(files, mark)
  return `${file}:${line}:${column}`
}

const stageOf = (source: Uint8Array): Stage => new Stage(Bytes.toText(source)!)

/** Text of every kind that takes other space in the author's file, the module, and its bytes. */
const shop: Files = {
  "main.ts": `
/** Ünïcode 😀, and a type that goes. */
import { on, sleep, type Message } from "heddle/guest"
import { Till, type Price } from "./lib/till.ts"

interface Paid { readonly price: Price }
const loaded = /*loaded*/Error("😀"); const till: Till<Price> = new Till<Price>("💰", "é")

on("Pay", (message: Message): Paid => {
  const price: Price = { amount: Number(message.data) } // 😀
  return { price: "😀😀€" && till./*handler*/pay(price) as unknown as Price }
})
on("Later", async (): Promise<string> => {
  const name: string = "😀"
  await sleep("1s")
  await null; return name + till./*later*/pay({ amount: -1 } as Price)
})
on("Inner", () => ["😀"]./*map*/map((one: string): number => {
  const a = one as unknown as { readonly b: { readonly c: number } }; return a./*property*/b.c
}))
on("Log", () => { console.log("😀", /*logged*/Error("logged")); console.log(loaded) })
on("Name", () => { const name = "at (module.js:1:1)"; ({ [name]: () => { throw /*named*/Error() } })[name]!() })
`,
  "lib/till.ts": `export interface Price { readonly amount: number }

// 😀 before the class
export class Till<T extends Price> {
  readonly #names: ReadonlyArray<string>
  constructor(...names: ReadonlyArray<string>) { this.#names = names }
  pay(price: T): string {
    return \`\${this.#names} 😀
      😀 \${this./*method*/#check(price)}\`
  }
  #check(price: T): number {
    const text: string = "😀"
    if (!(price.amount > 0)) throw new /*thrown*/RangeError(\`\${text} takes a price\`)
    return price.amount
  }
}
`,
}

describe("a stack", async () => {
  const source = await moduleOf(shop)
  const read = (stack: string | undefined) => SourcePositions.rewrite(source, stack ?? "")

  it("names file, line and column of each of the author's calls, through classes and files", () => {
    const failed = stageOf(source).failed({ action: "Pay", data: "nothing" })
    expect(failed.message).toBe("RangeError: 😀 takes a price")
    expect(failed.stack).toMatch(/^ {4}at #check \(module\.js:2:\d+\)\n/)
    expect(read(failed.stack)).toBe(
      [
        `    at #check (${at(shop, "thrown")})`,
        `    at pay (${at(shop, "method")})`,
        `    at <anonymous> (${at(shop, "handler")})`,
        "",
      ].join("\n"),
    )
  })

  it("does so in the turn that goes on after an await", () => {
    const stage = stageOf(source)
    expect(stage.done("Later").emission.outbox).toHaveLength(1)
    const timer = { action: "Timer", from: "self", tags: [["X-Reference", "1"] as const], after: 1000 }
    expect(read(stage.failed(timer).stack)).toBe(
      [
        `    at #check (${at(shop, "thrown")})`,
        `    at pay (${at(shop, "method")})`,
        `    at <anonymous> (${at(shop, "later")})`,
        "",
      ].join("\n"),
    )
  })

  it("keeps lines of what is not the author's", () => {
    expect(read(stageOf(source).failed("Inner").stack)).toBe(
      [
        `    at <anonymous> (${at(shop, "property")})`,
        "    at map (native)",
        `    at <anonymous> (${at(shop, "map")})`,
        "",
      ].join("\n"),
    )
  })

  it("is read in a line of the console, without what the bundler put around the author's files", () => {
    const { console } = stageOf(source).done("Log")
    expect(console.map(([, text]) => read(text))).toEqual([
      `😀 Error: logged\n    at <anonymous> (${at(shop, "logged")})\n`,
      `Error: 😀\n    at <anonymous> (${at(shop, "loaded")})\n`,
    ])
    expect(console[1]![1]).toContain("at <eval> (module.js:")
  })

  it("is read by the place at the end of a line, whatever a function is called", () => {
    const [line] = read(stageOf(source).failed("Name").stack).split("\n")
    expect(line).toBe(`    at at (module.js:1:1) (${at(shop, "named")})`)
  })

  it("is left as it is where no line of it is the author's", () => {
    for (const text of [
      "    at <eval> (module.js:2:100000)\n",
      "    at f (native)\n    at <eval> (<input>:1:1)\n",
      "see module.js:2:30 for more",
      "at f (module.js:2:30) and more",
      "at f (module.js:99999999999:1)",
      "",
    ])
      expect(read(text)).toBe(text)
  })
})

describe("code that does not load", () => {
  const invalid = async (files: Files) => {
    const source = await moduleOf(files)
    const result = Turn.boot(Engine.load(), source, limits)
    if (result._tag === "Booted") throw new Error("it loads")
    expect(result.file).toBe(SourcePositions.moduleFile)
    return SourcePositions.place(source, result.line, result.column)
  }

  it("has the author's place where it throws", async () => {
    const files = {
      "main.ts": `import "./lib/part.ts"`,
      "lib/part.ts": `
type Part = undefined
const text: string = "😀"
const make = (part: Part): string => { if (part === undefined) throw /*thrown*/TypeError(text); return part }
make(undefined)`,
    }
    expect(await invalid(files)).toEqual(placeOf(files, "thrown"))
  })

  it("has the author's place where the engine does not parse what the bundler let pass", async () => {
    const files = { "main.ts": `const a: string = "😀é"\nheddle.on("A", () => [a, /*pattern*/ /(/])` }
    const { line, column, ...place } = (await invalid(files))!
    expect({ ...place, line, column: column - 1 }).toEqual(placeOf(files, "pattern"))
  })

  it("has no place where the engine gives none", async () => {
    expect(
      await invalid({ "main.ts": `const all = []; for (;;) all.push(new Uint8Array(1e6))` }),
    ).toBeUndefined()
  })
})

/** A script with a map as its last line. */
const scriptWith = (map: unknown, script = "f()\n"): Uint8Array => {
  const json = typeof map === "string" ? map : JSON.stringify(map)
  return Bytes.fromText(`${script}${SourcePositions.mapStart}${Buffer.from(json).toString("base64")}\n`)
}

const stack = "    at f (module.js:1:1)\n"

describe("a map by a stranger", () => {
  const mapped = (source: Uint8Array) => SourcePositions.rewrite(source, stack)
  const good = { version: 3, sources: ["a.ts"], names: [], mappings: "AAAA" }

  it("is read wherever it comes from, with or without a line end behind it", () => {
    expect(mapped(scriptWith(good))).toBe("    at f (a.ts:1:1)\n")
    expect(mapped(scriptWith(good).slice(0, -1))).toBe("    at f (a.ts:1:1)\n")
    expect(mapped(scriptWith(good, ""))).toBe("    at f (a.ts:1:1)\n")
  })

  it("has its columns in units of UTF-16, and the engine's places theirs in characters", () => {
    const lines = ["'😀a😀😀b€é😀c'", "'abc'", "'😀'"]
    // Each line and column comes from that of the same number; a line begins with the way back from the one before.
    const back = (length: number): string => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[2 * length + 1]!
    const first = lines.map((_, row) => (row === 0 ? "AAAA" : `AAC${back(lines[row - 1]!.length - 1)}`))
    const mappings = lines.map((line, row) => first[row] + ",CAAC".repeat(line.length - 1)).join(";")
    const source = scriptWith({ ...good, mappings }, `${lines.join("\n")}\n`)
    for (const [row, line] of lines.entries()) {
      const characters = Array.from(line)
      for (const index of characters.keys()) {
        const column = characters.slice(0, index).join("").length + 1
        expect(SourcePositions.place(source, row + 1, index + 1)).toEqual({
          file: "a.ts",
          line: row + 1,
          column,
        })
      }
    }
  })

  it.each([
    ["a.ts", "a.ts"],
    ["../lib/a.ts", "../lib/a.ts"],
    ["./lib/../a.ts", "a.ts"],
    ["with space/%C3%BC%25.ts", "with space/ü%.ts"],
    ["100%.ts", "100%.ts"],
    ["__proto__", "__proto__"],
    ["constructor", "constructor"],
    ["...", "..."],
    ["a".repeat(1024), "a".repeat(1024)],
  ])("may name a file %s", (source, file) => {
    expect(mapped(scriptWith({ ...good, sources: [source] }))).toBe(`    at f (${file}:1:1)\n`)
  })

  it.each([
    "",
    ".",
    "..",
    "../..",
    "lib/",
    "/etc/passwd",
    "%2Fetc%2Fpasswd",
    "lib/../../..",
    "//host/a.ts",
    "\\\\host\\a.ts",
    "..\\a.ts",
    "C:/a.ts",
    "file:///a.ts",
    "https://host/a.ts",
    "a\u001b[2Jb.ts",
    "a%1B[2Jb.ts",
    "a\nb.ts",
    "a\u0000b.ts",
    "a\u009bb.ts",
    "a\u202eb.ts",
    "a\u200bb.ts",
    "a\u2028b.ts",
    "a\ud800b.ts",
    "a".repeat(1025),
    null,
    7,
    { toString: "a.ts" },
    ["a.ts"],
  ])("may not name a file %j", (source) => {
    expect(mapped(scriptWith({ ...good, sources: [source] }))).toBe(stack)
  })

  const maps: Readonly<Record<string, unknown>> = {
    "that is no JSON": "{",
    "that is nothing": "",
    "that is null": null,
    "that is a list": [good],
    "that is a number": 3,
    "without sources": { ...good, sources: undefined },
    "with sources that are no list": { ...good, sources: { length: 1, 0: "a.ts" } },
    "with mappings that are no text": { ...good, mappings: ["AAAA"] },
    "of sections": { version: 3, sections: [{ offset: { line: 0, column: 0 }, map: good }] },
    "without mappings": { ...good, mappings: "" },
    "with a source that it does not have": { ...good, mappings: "ACAA" },
    "with a source before its first": { ...good, mappings: "ADAA" },
    "with a line before the first": { ...good, mappings: "AADA" },
    "with a column before the first": { ...good, mappings: "AAAD" },
    "that is nested deeply": "[".repeat(1_000_000),
  }

  it.each(Object.keys(maps))("is as good as none: one %s", (name) => {
    expect(mapped(scriptWith(maps[name]))).toBe(stack)
  })

  it.each([
    "AAAg".repeat(1_000),
    "g".repeat(100_000),
    "\u0000\u{1f600}=!",
    "AA",
    "AAA",
    "AAAAAAAA",
    ",,;",
    "A;AACA",
  ])("is read as far as it goes where its mappings are broken: %j", (mappings) => {
    expect(mapped(scriptWith({ ...good, mappings }))).toMatch(/^ {4}at f \((module\.js|a\.ts):1:1\)\n$/)
  })

  it("does not get at what objects inherit", () => {
    const hostile = `{"version":3,"__proto__":{"x":1},"sources":["__proto__","a.ts"],"names":["__proto__"],"mappings":"ACAAA"}`
    expect(mapped(scriptWith(hostile))).toBe("    at f (a.ts:1:1)\n")
    expect("x" in {}).toBe(false)
  })

  it("is as good as none where it is not the last line", () => {
    expect(mapped(Bytes.concat([scriptWith(good), Bytes.fromText("g()\n")]))).toBe(stack)
    expect(mapped(Bytes.fromText("f()\n"))).toBe(stack)
    expect(mapped(Bytes.empty)).toBe(stack)
  })

  it("is as good as none over its limits: segments, sources, bytes of the module", () => {
    const segments = (count: number) => scriptWith({ ...good, mappings: `AAAA${",CAAA".repeat(count - 1)}` })
    expect(mapped(segments(524_288))).toBe("    at f (a.ts:1:1)\n")
    expect(mapped(segments(524_289))).toBe(stack)
    const sources = (count: number) => scriptWith({ ...good, sources: Array(count).fill("a.ts") })
    expect(mapped(sources(16_384))).toBe("    at f (a.ts:1:1)\n")
    expect(mapped(sources(16_385))).toBe(stack)
    const { length } = scriptWith(good)
    const bytes = (size: number) => scriptWith(good, `f()${" ".repeat(size - length)}\n`)
    expect(mapped(bytes(Limit.moduleBytesMax))).toBe("    at f (a.ts:1:1)\n")
    expect(mapped(bytes(Limit.moduleBytesMax + 1))).toBe(stack)
  })

  it("is as good as none in a module that is no text", () => {
    expect(mapped(Bytes.concat([Uint8Array.of(0xff, 10), scriptWith(good)]))).toBe(stack)
  })

  it("says nothing of lines and columns that a script can't have", () => {
    const source = scriptWith(good)
    for (const [line, column] of [
      [0, 0],
      [1, 0],
      [-1, 5],
    ] as const)
      expect(SourcePositions.place(source, line, column)).toBeUndefined()
    expect(SourcePositions.place(source, 2 ** 40, 2 ** 40)).toEqual({ file: "a.ts", line: 1, column: 1 })
  })
})

import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { bundle } from "../../compute-unit/Bundle.ts"
import { mapStart } from "../../compute-unit/SourcePositions.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import { id, limits, Stage } from "./Stage.ts"

const folder = realpathSync(mkdtempSync(join(tmpdir(), "heddle-bundle-")))
afterAll(() => rmSync(folder, { recursive: true }))

let written = 0

/** Writes files into a folder of their own and says where it is. */
const write = (files: Readonly<Record<string, string>>): string => {
  const at = join(folder, `project ${written++}`)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(at, name)), { recursive: true })
    writeFileSync(join(at, name), text)
  }
  return at
}

const bundled = async (entry: string) => {
  const result = await bundle(entry)
  if (result._tag === "BundleFailed")
    throw new Error(`${result.file}:${result.line}:${result.column} ${result.message}`)
  const text = Bytes.toText(result.source)!
  const [code = "", map = ""] = text.split(mapStart)
  return { ...result, text, code, map: Buffer.from(map, "base64").toString() }
}

const project = {
  "main.ts": `
    import { on, process, type Message } from "heddle/guest"
    import { double } from "./lib/double.ts"
    import settings from "./settings.json" with { type: "json" }
    import old from "./old.cjs"
    enum Colour { Red = 3 }
    class Box { constructor(readonly value: number) {} }
    on("Double", (m: Message): unknown => [new Box(double(Number(m.data))).value, settings.name, old.answer, Colour.Red, process.id])`,
  "lib/double.ts": `/** @license keep me out */ export const double = (n: number): number => n * 2`,
  "settings.json": `{ "name": "é" }`,
  "old.cjs": `exports.answer = process.env.NODE_ENV`,
  "tsconfig.json": `{ "compilerOptions": { "target": "es5", "alwaysStrict": true, "jsx": "react" }, "extends": "./missing.json" }`,
}

describe("a bundle", () => {
  it("is one script that runs, of TypeScript, JSON and old modules", async () => {
    const { text, source, moduleId } = await bundled(join(write(project), "main.ts"))
    expect(moduleId).toBe(
      Bytes.toBase64Url(Hash.tagged("heddle/module/1", Bytes.fromText("javascript"), source)),
    )
    const stage = new Stage(text)
    expect(stage.value({ action: "Double", data: "21" })).toEqual([42, "é", "production", 3, id("process")])
  })

  it("has the same bytes wherever its files lie and whatever the working directory is, and names no path", async () => {
    const at = write(project)
    const elsewhere = join(folder, "else", "where")
    cpSync(at, elsewhere, { recursive: true })
    const first = await bundled(join(at, "main.ts"))
    const before = process.cwd()
    try {
      process.chdir(elsewhere)
      for (const entry of ["main.ts", "./lib/../main.ts", join(elsewhere, "main.ts")])
        expect((await bundled(entry)).moduleId).toBe(first.moduleId)
    } finally {
      process.chdir(before)
    }
    for (const word of [folder, "project", "double.ts", "license"]) expect(first.code).not.toContain(word)
  })

  it("has the same bytes for an entry that is a link, and files beside it", async () => {
    const at = write(project)
    const { moduleId } = await bundled(join(at, "main.ts"))
    symlinkSync(join(at, "main.ts"), join(folder, "linked.ts"))
    symlinkSync(at, join(folder, "linked"))
    for (const entry of ["linked.ts", "linked/main.ts"]) {
      const linked = await bundled(join(folder, entry))
      expect(linked.moduleId).toBe(moduleId)
      expect(linked.folder).toBe(at)
    }
  })

  it("has the same bytes wherever the packages it takes are installed", async () => {
    const main = { "main.ts": `import { deep } from "deep"\nheddle.on("Deep", () => deep)` }
    const deep = {
      "node_modules/deep/package.json": `{ "name": "deep", "type": "module", "exports": "./deep.js" }`,
      "node_modules/deep/deep.js": `export const deep = () => { throw new Error("deep") }`,
    }
    const beside = await bundled(join(write({ ...main, ...deep }), "main.ts"))
    const above = await bundled(join(write({ "below/main.ts": main["main.ts"], ...deep }), "below/main.ts"))
    expect(above.text).toBe(beside.text)
    expect(JSON.parse(beside.map)).toMatchObject({ sources: ["node_modules/deep/deep.js", "main.ts"] })
  })

  it("names no path of ours, even where it takes our file as an old module", async () => {
    const { text, map } = await bundled(
      join(write({ "main.cjs": `const { on } = require("heddle/guest")\non("Get", () => 1)` }), "main.cjs"),
    )
    expect(text).not.toContain("guest/index.js")
    expect(JSON.parse(map)).toMatchObject({ sources: ["heddle/guest", "main.cjs"] })
    expect(new Stage(text).value("Get")).toBe(1)
  })

  it("ends with a map to the author's files that holds neither their text nor names", async () => {
    const { map, text } = await bundled(join(write(project), "main.ts"))
    expect(text.endsWith("\n") && text.lastIndexOf("\n", text.length - 2) < text.indexOf(mapStart)).toBe(true)
    expect(JSON.parse(map)).toEqual({
      version: 3,
      sources: ["old.cjs", "heddle/guest", "lib/double.ts", "settings.json", "main.ts"],
      names: [],
      mappings: expect.stringMatching(/^(?:(?:[g-z0-9+/]*[A-Za-f]){0,4}[,;])*$/),
    })
    expect(map).not.toContain(folder)
  })

  it("drops what nobody uses in other files, and types that are imported like values", async () => {
    const { code } = await bundled(
      join(
        write({
          "main.ts": `
            import { on, Message } from "heddle/guest"
            import { Settings, used } from "./part.ts"
            on("Get", (message: Message): Settings => ({ used, id: message.id }))`,
          "part.ts": `
            export interface Settings { used: string; id: string }
            export const used = "kept word"
            export const unused = { text: "dropped word" }`,
        }),
        "main.ts",
      ),
    )
    expect(code).toContain("kept word")
    expect(code).not.toContain("dropped word")
    expect(code).not.toContain("__commonJS")
  })
})

describe("a bundle that is inspected", () => {
  const inspector = async (files: Readonly<Record<string, string>>, entry = "main.ts") => {
    const { text } = await bundled(join(write(files), entry))
    const stage = new Stage(text)
    stage.spawn()
    return {
      stage,
      inspect: (code: string) => stage.machine.inspect(stage.memory, code, limits, 0).text,
    }
  }

  it("shows what its entry declares, exported or not, used or not, as it is by then", async () => {
    const { stage, inspect } = await inspector({
      "main.ts": `
        import { on } from "heddle/guest"
        let count = 40
        const unused = (by: number): number => count + by
        class Box<T> { value: T; constructor(value: T) { this.value = value } }
        on("Add", () => { const local = 1; count += local; return count })`,
    })
    expect(stage.value("Add")).toBe(41)
    expect(inspect("count")).toBe("41")
    expect(inspect("unused(1)")).toBe("42")
    expect(inspect("new Box(7).value + count")).toBe("48")
    expect(inspect("local")).toContain("'local' is not defined")
  })

  it("takes each name as the author's entry does, whatever other files call by it", async () => {
    const files = {
      "main.ts": `
        import { on, process } from "heddle/guest"
        import { total } from "./part.ts"
        import { rate } from "./other.ts"
        import old from "./old.cjs"
        const limit = "of the entry"
        const price = () => total()
        on("Get", () => { const tax = 3; return [limit, price(), tax, rate, old.answer, process.id] })`,
      "part.ts": `
        const limit = "of the part"
        const price = 5
        const rate = "of the part"
        const tax = "of the part"
        export const total = () => [price, tax, limit, rate]`,
      "other.ts": `export const rate = "of the other"`,
      "old.cjs": `exports.answer = process.env.NODE_ENV`,
    }
    const { inspect } = await inspector(files)
    expect(inspect("limit")).toBe('"of the entry"')
    expect(inspect("rate")).toBe('"of the other"')
    expect(inspect("typeof price")).toBe('"function"')
    expect(inspect("price()[0]")).toBe("5")
    expect(inspect("old.answer")).toBe('"production"')
    expect(inspect("process.id")).toBe(`"${id("process")}"`)
  })

  it("shows the variables of old modules and plain scripts too", async () => {
    const script = `let count = 5; heddle.on("Get", () => count)`
    expect((await inspector({ "main.js": script }, "main.js")).inspect("count")).toBe("5")
    const old = `${script}; module.exports = { count }`
    expect((await inspector({ "main.cjs": old }, "main.cjs")).inspect("count")).toBe("5")
  })

  it("calls functions what they are called without being inspected", async () => {
    const { stage } = await inspector({
      "main.ts": `
        import { on } from "heddle/guest"
        import { Account } from "./part.ts"
        on("Name", () => { const helper = 1, Book = 2; return [helper, Book, new Account().constructor.name, Account.help()] })`,
      "part.ts": `
        class Book {}
        function helper() {}
        export class Account { static help() { return [helper.name, Book.name] } }`,
    })
    expect(stage.value("Name")).toEqual([1, 2, "Account", ["helper", "Book"]])
  })

  it("is still a module where the entry is no code", async () => {
    const { code } = await bundled(join(write({ "main.json": `{ "a": "kept" }` }), "main.json"))
    expect(code).toContain('"kept"')
    expect(code).not.toContain("inspectWith")
  })
})

describe("what can't be bundled", () => {
  const failure = async (files: Readonly<Record<string, string>>, entry = "main.ts") => {
    const at = write(files)
    const result = await bundle(join(at, entry))
    if (result._tag === "Bundled") throw new Error("it was bundled")
    return { ...result, file: result.file.slice(at.length + 1) }
  }

  it("says file, line and column of an error in the author's TypeScript", async () => {
    const files = {
      "main.ts": `import "./part.ts"`,
      "part.ts": "const a: number = 1\n\nconst b: number = ;\n",
    }
    expect(await failure(files)).toMatchObject({
      file: "part.ts",
      line: 3,
      column: 19,
      message: 'Unexpected ";"',
    })
  })

  it.each([
    ["const a = 5 +", 13],
    ["const a = 1; if (a)", 19],
  ])("says that a file ends too early: %s", async (text, length) => {
    const wrong = await failure({ "main.ts": `const b = 2\n${text}` })
    expect(wrong).toMatchObject({ file: "main.ts", line: 2, column: length + 1 })
    expect(wrong.message).toBe("Unexpected end of file")
  })

  it("says where the file of an error is when the entry is a link", async () => {
    const at = write({ "main.ts": `import "./part.ts"`, "part.ts": "const b: number = ;" })
    symlinkSync(join(at, "main.ts"), join(folder, "broken.ts"))
    expect(await bundle(join(folder, "broken.ts"))).toMatchObject({ file: join(at, "part.ts"), line: 1 })
  })

  it("says where something is imported that is not there", async () => {
    expect(await failure({ "main.ts": `\nimport { a } from "./gone.ts"\na()` })).toMatchObject({
      line: 2,
      column: 19,
      message: 'Could not resolve "./gone.ts"',
    })
    expect(await failure({ "main.ts": `import { nothing } from "heddle/guest"\nnothing()` })).toMatchObject({
      line: 1,
      column: 10,
      message: 'No matching export in "heddle/guest" for import "nothing"',
    })
  })

  it.each(["fs", "node:fs", "node:fs/promises", "crypto", "node:sqlite"])(
    "says that %s is no part of a process",
    async (name) => {
      expect(await failure({ "main.ts": `import * as it from "${name}"\nit.a()` })).toMatchObject({
        line: 1,
        column: 21,
        message: `"${name}" belongs to Node.js; a process has what "heddle/guest" gives, and packages that need no platform`,
      })
    },
  )

  it("says that a script can't await at its top", async () => {
    expect((await failure({ "main.ts": "await 1" })).message).toContain("Top-level await")
  })

  it("says that the file is not there", async () => {
    expect(await failure({}, "gone.ts")).toMatchObject({ file: "gone.ts", line: 0, column: 0 })
  })

  it("says that it is too large", async () => {
    const large = `globalThis.a = "${"x".repeat(4 * 1024 * 1024)}"`
    expect((await failure({ "main.ts": large })).message).toContain("at most 4194304 are allowed")
  })
})

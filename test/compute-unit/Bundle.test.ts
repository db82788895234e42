import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { bundle } from "../../compute-unit/Bundle.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import { id, Stage } from "./Stage.ts"

const folder = mkdtempSync(join(tmpdir(), "heddle-bundle-"))
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
  return { ...result, text: Bytes.toText(result.source)! }
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
    for (const word of [folder, "project", "double.ts", "license"]) expect(first.text).not.toContain(word)
  })

  it("comes with a map to the author's files", async () => {
    const { map } = await bundled(join(write(project), "main.ts"))
    const { sources } = JSON.parse(map) as { sources: ReadonlyArray<string> } // a source map
    expect(sources).toEqual(expect.arrayContaining(["main.ts", "lib/double.ts"]))
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

/** The package as its users get it: built, packed, checked, installed into an empty folder and used there. */
import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import project from "../package.json" with { type: "json" }
import { root } from "./SourceFile.ts"

const millisMax = 300_000

// A folder of installed packages may stand above the project, so the user's folder stands elsewhere.
let folder: string
const at = (...names: ReadonlyArray<string>): string => join(folder, ...names)
const tarball = (): string => at(`${project.name}-${project.version}.tgz`)

/** What a command printed. One that fails rejects with all that it printed. */
const run = async (cwd: string, command: string, ...args: ReadonlyArray<string>): Promise<string> => {
  const PATH = `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`
  const options = { cwd, env: { ...process.env, PATH }, timeout: millisMax, maxBuffer: 2 ** 26 }
  return new Promise((resolve, reject) => {
    execFile(command, [...args], options, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stdout}${stderr}`)),
    )
  })
}

const tool = (...path: ReadonlyArray<string>): string => join(root, "node_modules", ...path)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-package-"))
  await run(root, process.execPath, "build.ts", at("built"))
  await run(folder, "npm", "pack", "./built")
  await mkdir(at("user"))
  await writeFile(at("user", "package.json"), JSON.stringify({ private: true, type: "module" }))
  await run(at("user"), "npm", "install", "--no-audit", "--no-fund", "--prefer-offline", tarball())
}, millisMax)

afterAll(() => rm(folder, { recursive: true, force: true }))

describe("the package", () => {
  it("is in order for publint", async () => {
    const { messages, pkg } = await publint({ pkgDir: at("built"), strict: true })
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
  })

  it("has types that resolve for attw", async () => {
    const attw = tool("@arethetypeswrong", "cli", "dist", "index.js")
    const args = [attw, tarball(), "--profile", "esm-only", "--no-definitely-typed", "--format", "json"]
    const { analysis } = JSON.parse(await run(folder, process.execPath, ...args))
    expect(Object.keys(analysis.entrypoints)).toEqual([".", "./guest", "./package.json"])
    // The package is ESM: who resolves as CommonJS did is not served, and says so.
    const notServed = new Set(["node10", "node16-cjs"])
    const problems: ReadonlyArray<{ readonly resolutionKind?: string }> = analysis.problems
    expect(problems.filter(({ resolutionKind = "" }) => !notServed.has(resolutionKind))).toEqual([])
  })
})

describe("in an empty folder", () => {
  it("answers `npx heddle --help`", async () => {
    expect(await run(at("user"), "npx", "--no-install", "heddle", "--help")).toContain("heddle")
  })

  it("is a library", async () => {
    await writeFile(at("user", "use.js"), 'import { connect } from "heddle"\nconsole.log(typeof connect)\n')
    expect(await run(at("user"), process.execPath, "use.js")).toBe("function\n")
  })

  it("is typed for the caller and for the author", async () => {
    const text =
      'import { connect } from "heddle"\nimport * as guest from "heddle/guest"\nexport { connect, guest }\n'
    await writeFile(at("user", "use.ts"), text)
    const compiler = [tool("typescript", "bin", "tsc"), "--ignoreConfig", "--noEmit", "--strict"]
    const settings = ["--module", "nodenext", "--target", "es2024", "--skipLibCheck"]
    expect(await run(at("user"), process.execPath, ...compiler, ...settings, "use.ts")).toBe("")
  })
})

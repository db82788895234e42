/** House rules that a machine can check (CONTRIBUTING.md), each with a planted break that it must find. */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { describe, expect, it } from "vitest"
import { imports, isNode, lineOf, list, type Node, parse, read, root, type SourceFile } from "./SourceFile.ts"

const folders = [
  "runtime",
  "identity",
  "privacy",
  "ledger",
  "scheduler-unit",
  "compute-unit",
  "archive-unit",
  "messenger-unit",
  "node",
]
const linesMax = 400

/** Files, and folders with a `/` at the end, outside `node/` that may reach for the machine, each with its reason. */
const authorities: Readonly<Record<string, string>> = {
  "compute-unit/Bundle.ts": "an author's code is files",
  "compute-unit/EngineFile.ts": "the engine and its prelude are files of packages",
  "identity/KeyFolder.ts": "sealed key files are files",
  "runtime/ArchiveFolder.ts": "an archive of files",
  "runtime/StoreLmdb.ts": "the store on disk",
}

const source = (path: string): boolean => folders.some((folder) => path.startsWith(`${folder}/`))
const test = (path: string): boolean => path.startsWith("test/")
const everywhere = (): boolean => true
const covers = (entry: string, path: string): boolean =>
  entry.endsWith("/") ? path.startsWith(entry) : path === entry
const withoutAuthority = (path: string): boolean =>
  source(path) && !path.startsWith("node/") && !Object.keys(authorities).some((entry) => covers(entry, path))

type Found = ReadonlyArray<{ readonly at: number; readonly what: string }>

interface Rule {
  readonly name: string
  readonly applies: (path: string) => boolean
  readonly find: (file: SourceFile) => Found
  /** A file that breaks the rule, what is found in it, and a file near it that does not break the rule. */
  readonly bad: SourceFile
  readonly finds: ReadonlyArray<string>
  readonly good: SourceFile
}

const nodes =
  (what: (node: Node) => string | undefined) =>
  (file: SourceFile): Found =>
    file.nodes.flatMap((node) => {
      const found = what(node)
      return found === undefined ? [] : [{ at: node.start, what: found }]
    })

const matches =
  (pattern: RegExp) =>
  (file: SourceFile): Found =>
    [...file.text.matchAll(pattern)].map(({ 0: what, index }) => ({ at: index, what }))

const name = (value: unknown): string | undefined =>
  isNode(value) && typeof value["name"] === "string" ? value["name"] : undefined

/** `a.b.c` of nested member expressions. */
const dotted = (value: unknown): string => {
  if (!isNode(value) || value.type !== "MemberExpression") return name(value) ?? ""
  const property = value["property"]
  const last = name(property) ?? (isNode(property) ? String(property["value"]) : "")
  return `${dotted(value["object"])}.${last}`
}

const machine = new Set(["process.env", "Date.now", "Math.random", "performance.now"])

const global = nodes((node) => {
  const path = node.type === "MemberExpression" ? dotted(node).replace(/^globalThis\./, "") : ""
  if (machine.has(path) || /^console\.\w+$/.test(path)) return path
  const now = node.type === "NewExpression" && name(node["callee"]) === "Date"
  return now && Array.isArray(node["arguments"]) && node["arguments"].length === 0 ? "new Date()" : undefined
})

const specifiers =
  (pattern: RegExp) =>
  (file: SourceFile): Found =>
    imports(file)
      .filter(({ specifier }) => pattern.test(specifier))
      .map(({ specifier, at }) => ({ at, what: specifier }))

const machineModules = specifiers(
  /^node:(fs|fs\/promises|net|tls|dgram|dns|dns\/promises|http|https|http2|child_process|process|readline|sqlite)$/,
)
const platform = specifiers(/^@effect\/platform-node/)

const testFunction = /^(it|test|describe|bench)(\.\w+)*\.(only|skip|todo|fails)$/

const rules: ReadonlyArray<Rule> = [
  {
    name: "environment, console, clock and randomness are used in node/ and substrate files only",
    applies: withoutAuthority,
    find: global,
    bad: parse(
      "runtime/A.ts",
      "console.log(process.env.A, process['env'], globalThis.Date.now(), Math.random(), performance.now(), new Date())",
    ),
    finds: [
      "console.log",
      "process.env",
      "process.env",
      "Date.now",
      "Math.random",
      "performance.now",
      "new Date()",
    ],
    good: parse(
      "runtime/A.ts",
      "// console.log\nexport const at = new Date(message.timestamp), env = message.process.id",
    ),
  },
  {
    name: "files, sockets and processes are used in node/ and substrate files only",
    applies: withoutAuthority,
    find: machineModules,
    bad: parse(
      "identity/A.ts",
      'import { readFileSync } from "node:fs"; export const net = () => import("node:net")',
    ),
    finds: ["node:fs", "node:net"],
    good: parse("identity/A.ts", 'import { Worker } from "node:worker_threads"; import "node:crypto"'),
  },
  {
    name: "the platform is used in node/ and substrate files only",
    applies: withoutAuthority,
    find: platform,
    bad: parse("runtime/A.ts", 'import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"'),
    finds: ["@effect/platform-node/NodeHttpServer"],
    good: parse("runtime/A.ts", 'import * as HttpClient from "effect/http/HttpClient"'),
  },
  {
    // A barrel loads all of its library: 0.2 s of every start.
    name: "Effect is imported module by module, not through a barrel",
    applies: (path) => !test(path),
    find: specifiers(/^(effect|@effect\/[^/]+)(\/[a-z][^/]*)*$/),
    bad: parse(
      "node/A.ts",
      'import { Effect } from "effect"; import { HttpRouter } from "effect/http"; import "@effect/platform-node"',
    ),
    finds: ["effect", "effect/http", "@effect/platform-node"],
    good: parse(
      "node/A.ts",
      'import * as Effect from "effect/Effect"; import * as HttpRouter from "effect/http/HttpRouter"',
    ),
  },
  {
    name: "nothing is left to be done in a comment",
    applies: (path) => path !== "test/tidy.test.ts",
    find: matches(/\b(TODO|FIXME|XXX|HACK)\b/g),
    bad: parse("runtime/A.ts", "// TODO: bounds"),
    finds: ["TODO"],
    good: parse("runtime/A.ts", "// the to-do list of a process"),
  },
  {
    name: "there is no `any`",
    applies: everywhere,
    find: nodes((node) => (node.type === "TSAnyKeyword" ? "any" : undefined)),
    bad: parse("test/A.ts", "export const a = JSON.parse(text) as any; let b: Array<any>; let c: any"),
    finds: ["any", "any", "any"],
    good: parse("test/A.ts", "// any\nexport const a = JSON.parse(text) as unknown"),
  },
  {
    name: "a check is switched off for one line and with its reason",
    applies: (path) => path !== "test/tidy.test.ts",
    find: matches(
      /@ts-(ignore|nocheck)\b|@ts-expect-error\s*$|(oxlint|eslint)-disable(?!-next-line [^\n]* -- \S)[^\n]*/gm,
    ),
    bad: parse(
      "node/A.ts",
      "// @ts-ignore\n// @ts-expect-error\n/* oxlint-disable no-console */\n// oxlint-disable-next-line no-console",
    ),
    finds: [
      "@ts-ignore",
      "@ts-expect-error",
      "oxlint-disable no-console */",
      "oxlint-disable-next-line no-console",
    ],
    good: parse("node/A.ts", "// oxlint-disable-next-line no-await-in-loop -- each waits for the one before"),
  },
  {
    name: `a source file has at most ${linesMax} lines`,
    applies: source,
    find: ({ text }) => {
      const lines = text.replace(/\n$/, "").split("\n").length
      return lines > linesMax ? [{ at: 0, what: `${lines} lines` }] : []
    },
    bad: parse("runtime/A.ts", "\n".repeat(linesMax + 1)),
    finds: [`${linesMax + 1} lines`],
    good: parse("runtime/A.ts", "\n".repeat(linesMax)),
  },
  {
    name: "a file is named after a noun",
    applies: everywhere,
    find: ({ path }) =>
      /(^|\/)(utils?|common|helpers?|misc)(\/|\.)/i.test(path) ? [{ at: 0, what: path }] : [],
    bad: parse("runtime/Utils.ts", ""),
    finds: ["runtime/Utils.ts"],
    good: parse("runtime/Commons.ts", ""),
  },
  {
    name: "every test runs",
    applies: test,
    find: nodes((node) => {
      const path = node.type === "MemberExpression" ? dotted(node) : ""
      return testFunction.test(path) ? path : undefined
    }),
    bad: parse(
      "test/a.test.ts",
      'it.only("a", f); it.effect.skip("b", f); describe.skip("c", f); test.todo("d")',
    ),
    finds: ["it.only", "it.effect.skip", "describe.skip", "test.todo"],
    good: parse(
      "test/a.test.ts",
      'it.skipIf(vectors === undefined)("a", f); it.effect("b", f); queue.skip(1)',
    ),
  },
]

const files = list(".", [".ts", ".js"]).map(read)

const say = (file: SourceFile, found: Found): ReadonlyArray<string> =>
  found.map(({ at, what }) => `${file.path}:${lineOf(file, at)} ${what}`)

describe.each(rules.map((rule) => [rule.name, rule] as const))(
  "%s",
  (_, { applies, find, bad, finds, good }) => {
    it("holds", () => {
      expect(files.length).toBeGreaterThan(0)
      expect(files.filter(({ path }) => applies(path)).flatMap((file) => say(file, find(file)))).toEqual([])
    })

    it("is found broken where it is", () => {
      expect(applies(bad.path) && applies(good.path)).toBe(true)
      expect(find(bad).map(({ what }) => what)).toEqual(finds)
      expect(find(good)).toEqual([])
    })
  },
)

describe("the list of authorities", () => {
  it.each(Object.keys(authorities))("is as short as can be: %s", (entry) => {
    const listed = files.filter(({ path }) => covers(entry, path))
    const used = listed.flatMap((file) => [global, machineModules, platform].flatMap((find) => find(file)))
    expect(used.length, "takes nothing of the machine: leave it out").toBeGreaterThan(0)
  })
})

const link = /\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g

/** Relative links of a Markdown text that lead to no file of the project. */
const brokenLinks = (path: string, text: string): ReadonlyArray<string> =>
  [...text.replace(/^```[\s\S]*?^```/gm, "").matchAll(link)].flatMap(([, target = ""]) => {
    const file = decodeURI(target.split("#", 1)[0] ?? "")
    if (file === "" || /^[a-z]+:/.test(file)) return []
    const to = join(root, dirname(path), file)
    return !relative(root, to).startsWith("..") && existsSync(to) ? [] : [`${path}: ${target}`]
  })

describe("links", () => {
  const pages = list(".", [".md"]).filter((path) => !path.includes("/") || /^(spec|examples)\//.test(path))

  it("lead to files of the project", () => {
    expect(pages.length).toBeGreaterThan(0)
    expect(pages.flatMap((path) => brokenLinks(path, readFileSync(join(root, path), "utf8")))).toEqual([])
  })

  it("are found where they lead nowhere or outside", () => {
    const text =
      '[a](gone.md) [b](../LICENSE "the terms") [c](https://nodejs.org) ![d](../../elsewhere.png) [e](#here)\n```\n[f](f.md)\n```\n'
    expect(brokenLinks("spec/A.md", text)).toEqual(["spec/A.md: gone.md", "spec/A.md: ../../elsewhere.png"])
  })
})

/** Numbers that two rows of requirements have. */
const numberedTwice = (text: string): ReadonlyArray<string> => {
  const numbers = [...text.matchAll(/^\| (\d\d-R\d+) \|/gm)].map(([, number = ""]) => number)
  return numbers.filter((number, i) => numbers.indexOf(number) !== i)
}

describe("a requirement", () => {
  const chapters = list("spec", [".md"]).map((path) => readFileSync(join(root, path), "utf8"))

  it("has a number of its own", () => {
    expect(chapters.join("\n")).toContain("| 03-R1 |")
    expect(numberedTwice(chapters.join("\n"))).toEqual([])
  })

  it("is seen to have another's", () => {
    expect(numberedTwice("| 03-R1 | one |\n| 03-R2 | two |\n| 03-R1 | three |\n")).toEqual(["03-R1"])
  })
})

/** The house of this project (CONTRIBUTING.md): who may import whom, held as data. */
import { describe, expect, it } from "vitest"
import project from "../package.json" with { type: "json" }
import { type Import, imports, lineOf, list, parse, read, type SourceFile } from "./SourceFile.ts"

const schedulerSeam = "scheduler-unit/SchedulerUnit.ts"
const leaseSeam = "scheduler-unit/Lease.ts"
const intakeSeam = "scheduler-unit/Intake.ts"
const computeSeam = "compute-unit/ComputeUnit.ts"
const archiveSeam = "archive-unit/ArchiveUnit.ts"

/** What each folder may import besides itself: folders end with `/`, files and package entries do not. */
const mayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  runtime: [],
  identity: ["runtime/"],
  privacy: ["runtime/", "identity/"],
  ledger: ["runtime/", "identity/"],
  "scheduler-unit": ["runtime/", "identity/", "ledger/"],
  "compute-unit": ["runtime/", "identity/", "ledger/", schedulerSeam, intakeSeam],
  "archive-unit": ["runtime/", "identity/", "ledger/", schedulerSeam, leaseSeam, computeSeam],
  "messenger-unit": ["runtime/", "identity/", "privacy/", "ledger/", schedulerSeam, computeSeam, archiveSeam],
  node: [
    "runtime/",
    "identity/",
    "privacy/",
    "ledger/",
    "scheduler-unit/",
    "compute-unit/",
    "archive-unit/",
    "messenger-unit/",
    "package.json",
  ],
  examples: ["heddle", "heddle/guest"],
}

const installed = new Set(Object.keys(project.dependencies))

/** `effect/Effect` is of package `effect`, `@effect/platform-node/NodeHttpServer` of `@effect/platform-node`. */
const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

/** The rule that `one` breaks, in words, or undefined where it breaks none. */
const broken = (folder: string, one: Import): string | undefined => {
  const allowed = mayImport[folder] ?? []
  if (one.path !== undefined) {
    const { path } = one
    const free =
      path.startsWith(`${folder}/`) ||
      allowed.some((entry) => (entry.endsWith("/") ? path.startsWith(entry) : path === entry))
    return free ? undefined : `${folder} may import ${allowed.join(", ") || "none of ours"}`
  }
  if (one.specifier.startsWith("node:") || allowed.includes(one.specifier)) return undefined
  if (packageOf(one.specifier) === project.name) return `only examples import ${project.name} by its name`
  if (folder === "examples") return `examples may import ${allowed.join(", ")}`
  return installed.has(packageOf(one.specifier))
    ? undefined
    : "what the published package imports is in `dependencies`"
}

const breaks = (files: ReadonlyArray<SourceFile>): ReadonlyArray<string> =>
  files.flatMap((file) =>
    imports(file).flatMap((one) => {
      const rule = broken(file.path.split("/", 1)[0] ?? "", one)
      return rule === undefined
        ? []
        : [`${file.path}:${lineOf(file, one.at)} imports ${one.specifier}: ${rule}`]
    }),
  )

/** Each cycle once, as the files on it in order. A worker's URL closes none: it starts a program of its own. */
const cycles = (files: ReadonlyArray<SourceFile>): ReadonlyArray<string> => {
  const next = new Map(
    files.map((file) => [
      file.path,
      imports(file).flatMap(({ kind, path }) => (kind === "import" && path !== undefined ? [path] : [])),
    ]),
  )
  const found: Array<string> = []
  const done = new Set<string>()
  const visit = (path: string, trail: ReadonlyArray<string>): void => {
    const seen = trail.indexOf(path)
    if (seen >= 0) found.push([...trail.slice(seen), path].join(" -> "))
    if (seen >= 0 || done.has(path)) return
    for (const target of next.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of next.keys()) visit(path, [])
  return found
}

const all = Object.keys(mayImport).flatMap((folder) => list(folder, [".ts", ".js"]).map(read))

describe("the house", () => {
  it("has folders that import only what they may", () => {
    expect(all.length).toBeGreaterThan(0)
    expect(breaks(all)).toEqual([])
  })

  it("has no cycle of imports between files", () => {
    expect(cycles(all)).toEqual([])
  })
})

describe("the check of the house", () => {
  it.each([
    ["runtime/A.ts", 'import "../identity/Key.ts"', "runtime may import none of ours"],
    ["runtime/A.ts", 'import type { Key } from "../identity/Key.ts"', "runtime may import none of ours"],
    ["runtime/A.ts", 'export * from "../identity/Key.ts"', "runtime may import none of ours"],
    ["runtime/A.ts", 'type Key = import("../identity/Key.ts").Key', "runtime may import none of ours"],
    ["runtime/A.ts", 'const key = () => import("../identity/Key.ts")', "runtime may import none of ours"],
    ["runtime/A.ts", 'new URL("../identity/Key.ts", import.meta.url)', "runtime may import none of ours"],
    [
      "scheduler-unit/A.ts",
      `import "../${computeSeam}"`,
      "scheduler-unit may import runtime/, identity/, ledger/",
    ],
    ["compute-unit/A.ts", 'import "../scheduler-unit/Sequencer.ts"', "compute-unit may import"],
    ["compute-unit/guest/A.ts", 'import "../../node/Serve.ts"', "compute-unit may import"],
    ["archive-unit/A.ts", 'import "../compute-unit/Turn.ts"', "archive-unit may import"],
    ["messenger-unit/A.ts", 'import "../compute-unit/Turn.ts"', "messenger-unit may import"],
    ["messenger-unit/A.ts", 'import "../archive-unit/Piece.ts"', "messenger-unit may import"],
    ["node/A.ts", 'import "../examples/demo.ts"', "node may import"],
    ["node/A.ts", 'import "../test/SourceFile.ts"', "node may import"],
    ["node/A.ts", 'import "heddle"', "only examples import heddle by its name"],
    [
      "node/A.ts",
      'import "@noble/post-quantum/ml-dsa.js"',
      "what the published package imports is in `dependencies`",
    ],
    ["examples/counter/A.ts", 'import "../../runtime/Store.ts"', "examples may import heddle, heddle/guest"],
    ["examples/counter/A.ts", 'import "effect/Effect"', "examples may import heddle, heddle/guest"],
  ])("%s: %s", (path, text, rule) => {
    const [found, ...more] = breaks([parse(path, text)])
    expect(found).toMatch(new RegExp(`^${path}:1 imports `))
    expect(found).toContain(rule)
    expect(more).toEqual([])
  })

  it.each([
    ["compute-unit/A.ts", `import "../${schedulerSeam}"`],
    ["archive-unit/A.ts", `import "../${computeSeam}"`],
    ["messenger-unit/A.ts", `import "../${computeSeam}"`],
    ["messenger-unit/A.ts", `import "../${archiveSeam}"`],
    ["compute-unit/guest/A.ts", 'import "../Turn.ts"'],
    ["node/cli/A.ts", 'import "../../messenger-unit/Client.ts"'],
    ["node/A.ts", 'import "effect/Effect"'],
    ["examples/counter/A.ts", 'import "heddle/guest"; import "node:fs"; import "../Table.ts"'],
  ])("lets %s: %s", (path, text) => {
    expect(imports(parse(path, text)).length).toBeGreaterThan(0)
    expect(breaks([parse(path, text)])).toEqual([])
  })

  it("names the files of a cycle", () => {
    const file = (name: string, target: string): SourceFile =>
      parse(`runtime/${name}.ts`, `import "./${target}.ts"`)
    expect(cycles([file("A", "B"), file("B", "C"), file("C", "B")])).toEqual([
      "runtime/B.ts -> runtime/C.ts -> runtime/B.ts",
    ])
    expect(cycles([file("A", "B"), file("B", "C")])).toEqual([])
  })

  it("knows every folder with sources", () => {
    const folders = list(".", [".ts"])
      .filter((path) => path.includes("/"))
      .map((path) => path.split("/", 1)[0] ?? "")
    expect([...new Set(folders)].filter((folder) => !(folder in mayImport))).toEqual(["test"])
  })
})

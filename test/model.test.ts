/**
 * The model of ordering, moving and delivery (spec/model): its README says what is checked, on what, and which mutation
 * breaks which invariant. All of it is read from there, searched by Spin, and held against the chapters.
 */
import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { list, root } from "./SourceFile.ts"

const missing =
  "spec/model is NOT CHECKED: there is no spin or no gcc on this machine. On Debian: apt-get install spin gcc libc6-dev"

const run = promisify(execFile)
const answers = (command: string, flag: string): Promise<boolean> =>
  run(command, [flag]).then(
    () => true,
    () => false,
  )

const installed = (await answers("spin", "-V")) && (await answers("gcc", "--version"))
const isCi = (process.env["CI"] ?? "") !== ""
if (!installed) console.warn(`\n${missing}\n`)

const models = list("spec/model", [".pml"])
const text = (path: string): string => readFileSync(join(root, path), "utf8")
const readme = text("spec/model/README.md")

/** Cells of the rows of Markdown tables whose first cell begins with `start`, without their backticks. */
const rows = (markdown: string, start: string): ReadonlyArray<ReadonlyArray<string>> =>
  markdown
    .split("\n")
    .filter((line) => line.startsWith(`| ${start}`))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("`", "")),
    )

interface Claim {
  readonly name: string
  readonly formula: string
  /** What must come about in the end, and not only what must never be. */
  readonly live: boolean
  /** Whether it takes that each process that can go on does. */
  readonly fair: boolean
}

const claimsIn = (model: string): ReadonlyArray<Claim> =>
  [...text(model).matchAll(/^ltl (\w+) \{ (.*) \}(.*)$/gm)].map(([, name = "", formula = "", note = ""]) => ({
    name,
    formula,
    live: formula.includes("<>"),
    fair: note.includes("under weak fairness"),
  }))

const claims = new Map(models.flatMap(claimsIn).map((claim) => [claim.name, claim]))
const mutationsIn = (model: string) =>
  [...text(model).matchAll(/\b(?:MUTATE|LIMIT)_\w+/g)].map(([name]) => name)
const checks = rows(readme, "`r").map(([name = "", requirement = "", instance = "", states = ""]) => ({
  name,
  requirement,
  instance,
  states,
}))
/** Switches that break something: faults that are planted, and limits that are known. */
const mutations = ["`MUTATE_", "`LIMIT_"]
  .flatMap((start) => rows(readme, start))
  .map(([mutation = "", instance = "", broken = ""]) => ({
    mutation,
    instance: `${instance} -D${mutation}`,
    breaks: broken.split(", "),
  }))

const folders: Array<string> = []
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

interface Checker {
  readonly folder: string
  /** The invariants that this instance has. */
  readonly claims: ReadonlyArray<Claim>
}

/** A checker for an instance, which is a model with its switches as in `move -DOLD_DISK`, and for claims of one's own. */
const build = async (
  instance: string,
  own: (claims: Checker["claims"]) => string = () => "",
): Promise<Checker> => {
  const [model = "", ...switches] = instance.split(" ")
  const folder = mkdtempSync(join(tmpdir(), "heddle-model-"))
  folders.push(folder)
  const spin = async (added: string) => {
    writeFileSync(join(folder, "model.pml"), text(`spec/model/${model}.pml`) + added)
    const { stdout } = await run("spin", [...switches, "-a", "model.pml"], { cwd: folder })
    const made = [...stdout.matchAll(/^ltl (\w+):/gm)].map(([, name = ""]) => claims.get(name))
    if (!existsSync(join(folder, "pan.c")) || made.length === 0)
      throw new Error(`spin refuses ${instance}:\n${stdout}`)
    return made.filter((claim) => claim !== undefined)
  }
  const made = await spin("")
  const added = own(made)
  if (added !== "") await spin(added)
  await run("gcc", ["-O1", "-w", "-DCOLLAPSE", "-DNFAIR=3", "-DMEMLIM=512", "-o", "pan", "pan.c"], {
    cwd: folder,
  })
  return { folder, claims: made }
}

/** Searches all states, or up to the first that breaks the claim: `holds`, or what the checker says of it. */
const search = async ({ folder }: Checker, ...which: ReadonlyArray<string>) => {
  const { stdout } = await run("./pan", ["-w20", "-m200000", ...which], { cwd: folder, timeout: 60_000 })
  const [, errors] = /errors: (\d+)/.exec(stdout) ?? []
  const [, states] = /(\d+) states, stored/.exec(stdout) ?? []
  if (errors === undefined || /max search depth too small|out of memory|invalid array index/.test(stdout))
    throw new Error(`not all states were searched:\n${stdout}`)
  const whole = errors === "0" && !stdout.includes("Search not completed")
  return { verdict: whole ? "holds" : stdout, states: Number(states), stdout }
}

const searchFor = (checker: Checker, { name, live, fair }: Claim) =>
  search(checker, ...(live ? ["-a"] : []), ...(fair ? ["-f"] : []), "-N", name)

describe("the model", () => {
  it("has its checker here, or says that it was not checked", () => {
    expect(isCi && !installed ? missing : "").toBe("")
  })

  it("names a requirement of a chapter with each invariant, and that requirement names the model", () => {
    for (const { name, requirement, instance } of checks) {
      const [, chapter = "", number = ""] = /^r(\d\d)_(\d+)_/.exec(name) ?? []
      expect(requirement).toBe(`${chapter}-R${number}`)
      const [path = ""] = list("spec", [".md"]).filter((file) => file.startsWith(`spec/${chapter}-`))
      const [, , test = ""] = rows(text(path), `${requirement} |`)[0] ?? []
      expect(`${requirement}: ${test}`).toContain(`spec/model/${instance.split(" ")[0]}.pml`)
    }
  })

  it("is listed whole: every invariant, and every mutation", () => {
    expect(models.length).toBeGreaterThan(0)
    expect([...new Set(checks.map(({ name }) => name))].toSorted()).toEqual([...claims.keys()].toSorted())
    const listed = mutations.map(({ mutation }) => mutation).toSorted()
    expect(listed).toEqual([...new Set(models.flatMap(mutationsIn))].toSorted())
  })

  it("has a mutation for each invariant", () => {
    const broken = mutations.map(({ breaks: [first = ""] }) => first)
    expect([...claims.keys()].filter((name) => !broken.includes(name))).toEqual([])
  })
})

describe.skipIf(!installed).each([...new Set(checks.map(({ instance }) => instance))])("%s", (instance) => {
  const listed = checks.filter((check) => check.instance === instance)
  let checker: Checker
  beforeAll(async () => {
    checker = await build(instance)
  })

  it.each(listed)("keeps to $name", async ({ name, states }) => {
    const found = await searchFor(checker, claims.get(name)!)
    expect(found.verdict).toBe("holds")
    expect(found.states.toLocaleString("en"), "states in the README").toBe(states)
  })

  it("has no invariant that is not listed, and no line that no state reaches", async () => {
    expect(checker.claims.map(({ name }) => name).toSorted()).toEqual(
      listed.map(({ name }) => name).toSorted(),
    )
    const { verdict, stdout } = await search(checker, "-noclaim")
    expect(verdict).toBe("holds")
    const dead = [...stdout.matchAll(/^\tmodel\.pml:\d+, state \d+, .*$/gm)].map(([line]) => line)
    expect(dead.filter((line) => !line.includes('"-end-"'))).toEqual([])
  })
})

describe.skipIf(!installed)("of mutations", () => {
  it.each(mutations)("$mutation breaks $breaks and nothing else", async ({ instance, breaks }) => {
    const isBroken = ({ name }: Claim): boolean => breaks.includes(name)
    // All that must never be and should not be broken in one search: one broken claim fails it.
    const checker = await build(instance, (made) => {
      const kept = made.filter((claim) => !claim.live && !isBroken(claim))
      return `ltl rest { ${kept.map(({ formula }) => `(${formula})`).join(" && ")} }\n`
    })
    const broken: Array<string> = []
    for (const claim of checker.claims.filter((one) => one.live || isBroken(one)))
      if ((await searchFor(checker, claim)).verdict !== "holds") broken.push(claim.name)
    expect(broken.toSorted()).toEqual(breaks.toSorted())
    const rest = await search(checker, "-N", "rest")
    expect(rest.verdict).toBe("holds")
  })
})

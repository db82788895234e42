/**
 * What a process computes follows from its log alone: one corpus comes to the same fuel, outcomes and state roots after
 * every turn wherever it is computed, and every attack ends the same. Each setting is a program of its own, and the
 * lines that it prints are compared.
 */
import { execFile } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { pathToFileURL } from "node:url"
import { promisify } from "node:util"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Node26 from "../oracle/node26.ts"
import * as Life from "../support/Life.ts"
import { attacks } from "./Attacks.ts"
import * as Corpus from "./Corpus.ts"
import type { Attacked } from "./DeterminismRun.ts"

const program = path.join(import.meta.dirname, "DeterminismRun.ts")
const turns = 3_000
/** The spawn, the turns, and the size of memory in the end. */
const lineCount = 1 + turns + 1

interface Setting {
  readonly node?: string
  readonly options?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly script?: string
}

/** Programs that run at once: as many as the smallest machine has cores. */
const runsMax = 2
let running = 0
const waiting: Array<() => void> = []
const inTurn = async <A>(run: () => Promise<A>): Promise<A> => {
  if (running >= runsMax) await new Promise<void>((go) => waiting.push(go))
  else running++
  try {
    return await run()
  } finally {
    const next = waiting.shift()
    if (next === undefined) running--
    else next()
  }
}

/** The lines that the program prints. */
const lines = (
  args: ReadonlyArray<string>,
  { node = process.execPath, options = [], env = {}, cwd = process.cwd(), script = program }: Setting = {},
): Promise<ReadonlyArray<string>> =>
  inTurn(async () => {
    const settings = { cwd, env: { PATH: process.env["PATH"], ...env }, maxBuffer: 2 ** 26 }
    const { stdout } = await promisify(execFile)(node, [...options, script, ...args], settings)
    return stdout.split("\n")
  })

/** Where two runs part, if they do. */
const parting = (expected: ReadonlyArray<string>, actual: ReadonlyArray<string>) => {
  const count = Math.max(expected.length, actual.length)
  const at = Array.from({ length: count }, (_, i) => i).find((i) => expected[i] !== actual[i])
  return at === undefined ? undefined : { at, expected: expected[at], actual: actual[at] }
}

const once = <A>(make: () => A): (() => A) => {
  let made: { readonly value: A } | undefined
  return () => (made ??= { value: make() }).value
}

const node26 = Node26.load()
const life = (where: "inline" | "workers") => ["life", where, String(turns)]
const reference = once(() => lines(life("workers")))

let folder: string
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "heddle determinism ü "))
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const tiers: ReadonlyArray<readonly [name: string, option: string]> = [
  ["in the first tier of the compiler", "--liftoff-only"],
  ["in the second tier of the compiler", "--no-liftoff"],
]

describe("the corpus", () => {
  it("goes through every topic many times and fails where it is meant to", { timeout: 300_000 }, async () => {
    const all = await reference()
    expect(all).toHaveLength(lineCount)
    const parts = all.slice(1, -1).map((line) => line.split(" | "))
    const ends = (end: string) => parts.filter((part) => part[2] === end).map((part) => part[1])
    const done = ends("done")
    for (const topic of Corpus.topics)
      expect([topic, done.filter((action) => action === topic).length > 100]).toEqual([topic, true])
    expect(new Set(ends("threw"))).toEqual(new Set(["Fail", "Reply", "Unheard of"]))
    expect(new Set(ends("out of fuel"))).toEqual(new Set(["Burn"]))
    expect(new Set(ends("out of memory"))).toEqual(new Set(["Bomb"]))
    const named = new Set([...Corpus.topics, "Fail", "Reply", "Unheard of", "Burn", "Bomb"])
    const rest = parts.filter(([, action]) => !named.has(action!))
    expect(rest.filter((part) => part[2] !== "done")).toEqual([])
    // What was asked for some turns before is answered in turns of replies and timers.
    const late = rest.filter(([, action, , said]) => action === "Timer" && said !== '""')
    expect(late.length).toBeGreaterThan(60)
    expect(new Set(parts.map((part) => part.at(-1))).size).toBe(turns)
    expect(Number(all.at(-1)!.split(" | ")[1])).toBeGreaterThan(110)
  })
})

describe.concurrent("fuel, outcome and state root after every turn", { timeout: 300_000 }, () => {
  const partingIn = async (where: "inline" | "workers", setting: Setting = {}) => {
    const [expected, actual] = await Promise.all([reference(), lines(life(where), setting)])
    return parting(expected, actual)
  }

  it("are equal on a second run, on the main thread", async () => {
    expect(await partingIn("inline")).toBeUndefined()
  })

  it.each(tiers)("are equal %s", async (_, option) => {
    expect(await partingIn("workers", { options: [option] })).toBeUndefined()
  })

  it("are equal under another time zone, language, user, working directory and script path, and without the optimising tier for JavaScript", async () => {
    const script = path.join(folder, "another path.mjs")
    fs.writeFileSync(script, `import ${JSON.stringify(pathToFileURL(program).href)}`)
    const env = {
      TZ: "Asia/Kathmandu",
      LANG: "de_DE.UTF-8",
      LC_ALL: "tr_TR.UTF-8",
      HOME: folder,
      USER: "eve",
      LOGNAME: "eve",
    }
    expect(await partingIn("workers", { options: ["--no-opt"], env, cwd: folder, script })).toBeUndefined()
  })

  describe.skipIf(node26 === undefined)("on Node 26", () => {
    const node = node26!

    it("are equal in the first tier of the compiler, on the main thread", async () => {
      expect(await partingIn("inline", { node, options: ["--liftoff-only"] })).toBeUndefined()
    })

    it("are equal in the second tier of the compiler", async () => {
      expect(await partingIn("workers", { node, options: ["--no-liftoff"] })).toBeUndefined()
    })
  })

  it("are equal when the process goes from machine to machine by its snapshots, for a while at every slot", async () => {
    const settings: ReadonlyArray<Setting> = [
      {},
      { node: node26 ?? process.execPath, options: ["--liftoff-only"] },
      { options: ["--no-liftoff"] },
      { node: node26 ?? process.execPath },
      { options: ["--no-opt"] },
    ]
    const file = path.join(folder, "snapshot")
    const legs = 6
    const slots = Math.ceil((turns + 1) / legs)
    const all: Array<string> = []
    for (let n = 0; n < legs; n++) {
      const [from, to] = [n * slots, Math.min((n + 1) * slots, turns + 1)]
      const args = ["leg", file, String(turns), String(from), String(to)]
      all.push(...(await lines(args, settings[n % settings.length])))
    }
    expect(all).toHaveLength(lineCount)
    expect(parting(await reference(), all)).toBeUndefined()
  })

  it("are equal when other processes, of this module and of others, run between in one thread", async () => {
    const { life, entries } = Corpus.make(200)
    const hoards = `const all = []; heddle.onMessage((m) => void all.push(new Uint8Array(50000)))`
    const throws = `heddle.onMessage(() => { throw 1 })`
    const others = [
      Corpus.make(200, "another"),
      ...[hoards, throws].map((source) => {
        const life = Life.make(source, [], source)
        return { life, entries: life.all(...entries.slice(1).map(() => "Any")) }
      }),
    ]
    const together = SandboxInline.make()
    const rootsOf = (sandbox: typeof together, disturb: (slot: number) => Effect.Effect<unknown, unknown>) =>
      Effect.runPromise(
        Effect.gen(function* () {
          yield* sandbox.open(life.opening)
          const roots: Array<string> = []
          for (const entry of entries) {
            const [evaluated] = yield* sandbox.run(life.process, [entry])
            roots.push(`${evaluated!.outcome.fuelUsed} ${Bytes.toHex(evaluated!.stateRoot!)}`)
            yield* disturb(entry.slot)
          }
          return roots
        }),
      )
    const alone = await rootsOf(SandboxInline.make(), () => Effect.void)
    await Effect.runPromise(Effect.forEach(others, (other) => together.open(other.life.opening)))
    const disturbed = await rootsOf(together, (slot) =>
      Effect.forEach(others, ({ life, entries }) => together.run(life.process, [entries[slot]!])),
    )
    expect(alone).toHaveLength(201)
    expect(parting(alone, disturbed)).toBeUndefined()
  })
})

describe("an attack", { timeout: 300_000 }, () => {
  const first = once(() => lines(["attacks"]))
  const others = once(() => {
    const nodes = node26 === undefined ? [process.execPath] : [process.execPath, node26]
    return Promise.all(
      nodes.flatMap((node) => tiers.map(([, option]) => lines(["attacks"], { node, options: [option] }))),
    )
  })

  const cases = attacks.map((attack, i) => {
    const { ends } = attack
    return [attack.name, "reason" in ends ? ends.reason : "harmlessly", attack, i] as const
  })

  it.each(cases)(
    "by %s ends %s, the same everywhere, and others are served",
    async (name, _, { ends }, i) => {
      const line = (await first())[i]!
      const came = JSON.parse(line) as Attacked // as the program prints it
      const expected = "reason" in ends ? { reason: ends.reason, kept: true, sentInAll: 0 } : ends
      expect(came).toMatchObject({ ...expected, name, next: '"served"', undisturbed: true })
      expect(came.neighbour).toBe(String(i + 1))
      expect(came.message ?? "").toContain("reason" in ends ? ends.says : "")
      for (const again of await others()) expect(again[i]).toBe(line)
    },
  )
})

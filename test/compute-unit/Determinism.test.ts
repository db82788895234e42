/** What a process computes follows from its log alone. */
import { execFile } from "node:child_process"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import * as Turn from "../../compute-unit/Turn.ts"
import { attacks, conversation, language } from "./Corpus.ts"
import { Stage } from "./Stage.ts"

const script = join(import.meta.dirname, "Corpus.ts")

interface Setting {
  readonly options?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly path?: string
}

/** The lines that the corpus prints in a Node of its own. */
const corpus = async (
  kind: string,
  { options = [], env = {}, cwd = process.cwd(), path = script }: Setting,
) => {
  const args = [...options, path, ...kind.split(" ")]
  const settings = { cwd, env: { PATH: process.env["PATH"], ...env }, maxBuffer: 2 ** 26 }
  const { stdout } = await promisify(execFile)(process.execPath, args, settings)
  return stdout.split("\n")
}

describe("fuel and memory root after every turn", () => {
  const here = corpus("language 150", {})

  it.each<readonly [string, Setting]>([
    ["on a second run", {}],
    ["in the first tier of the compiler", { options: ["--liftoff-only"] }],
    ["in the second tier of the compiler", { options: ["--no-liftoff"] }],
    ["without the optimising tier for JavaScript", { options: ["--no-opt"] }],
    [
      "under another time zone, language, folder and script path",
      {
        env: {
          TZ: "Asia/Kathmandu",
          LANG: "de_DE.UTF-8",
          LC_ALL: "tr_TR.UTF-8",
          HOME: "/nowhere",
          USER: "eve",
        },
        cwd: tmpdir(),
        path: relative(tmpdir(), script),
      },
    ],
  ])("are equal %s", async (_, setting) => {
    const expected = await here
    expect(expected).toHaveLength(150 + 1 + expected.slice(151).length)
    expect(new Set(expected.map((line) => line.split(" | ").at(-1))).size).toBeGreaterThan(150)
    expect(await corpus("language 150", setting)).toEqual(expected)
  })

  const step = (stage: Stage, sent: Parameters<Stage["next"]>[0]) => {
    const result = stage.next(sent)
    if (result._tag === "Failed") stage.machine.abandon(stage.memory, stage.input(sent), result, stage.limits)
    return [result.fuelUsed, stage.root]
  }
  const turns = [{}, ...conversation(40)]

  it("are equal when other processes and modules run between, in one instance", () => {
    const alone = new Stage(language)
    const machine = new Turn.Machine()
    const shared = new Stage(language, { machine })
    const others = [
      new Stage(language, { machine, name: "other" }),
      new Stage(`const all = []; heddle.onMessage((m) => void all.push(new Uint8Array(50000)))`, {
        machine,
        name: "another",
      }),
    ]
    for (const sent of turns) {
      expect(step(shared, sent)).toEqual(step(alone, sent))
      for (const other of others) step(other, sent)
    }
  })

  it("are equal when the process is taken up from its snapshot before every turn, in a fresh machine now and then", () => {
    const alone = new Stage(language)
    let machine = new Turn.Machine()
    let memory = new Turn.Memory(alone.memory.boot)
    const at = { slot: -1, timestamp: alone.timestamp }
    let taken = 0
    for (const [i, sent] of turns.entries()) {
      if (i % 10 === 0) machine = new Turn.Machine()
      const stage = Object.assign(new Stage(memory, { machine }), at)
      expect(step(stage, sent)).toEqual(step(alone, sent))
      Object.assign(at, { slot: stage.slot, timestamp: stage.timestamp })
      memory = new Turn.Memory(alone.memory.boot, structuredClone(stage.memory.difference()))
      taken++
    }
    expect(taken).toBe(turns.length)
  })
})

describe("an attack", () => {
  const first = corpus("attacks", {})

  it.each(attacks.map(([name, reason], i) => [name, reason, i] as const))(
    "by %s ends %s, with the memory of before and others served",
    async (name, reason, i) => {
      const line = (await first)[i]!
      expect(line).toMatch(new RegExp(`^${name} \\| ${reason}: `))
      expect(line).toMatch(/ \| memory as before \| others served$/)
    },
  )

  it("ends the same, for equal fuel, in the first tier of the compiler and in the second", async () => {
    const expected = await first
    expect(expected).toHaveLength(attacks.length)
    for (const option of ["--liftoff-only", "--no-liftoff"])
      expect(await corpus("attacks", { options: [option] })).toEqual(expected)
  })
})

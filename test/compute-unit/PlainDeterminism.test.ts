/**
 * What plain modules compute follows from their messages alone: equal fuel, outcomes and memory roots wherever it is
 * computed; and every attack ends as it must, the same everywhere, with the memory of before and its neighbour served.
 */
import { execFile } from "node:child_process"
import os from "node:os"
import path from "node:path"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import * as Turn from "../../compute-unit/Turn.ts"
import * as Node26 from "../oracle/node26.ts"
import { attacks, inlinedWarm } from "./PlainAttacks.ts"
import * as PlainLife from "./PlainLife.ts"
import { type Attacked, step } from "./PlainRun.ts"
import { Stage } from "./Stage.ts"

const program = path.join(import.meta.dirname, "PlainRun.ts")

interface Setting {
  readonly node?: string
  readonly options?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** The lines that the program prints. */
const lines = async (
  mode: string,
  { node = process.execPath, options = [], env = {}, cwd = process.cwd() }: Setting = {},
): Promise<ReadonlyArray<string>> => {
  const settings = { cwd, env: { PATH: process.env["PATH"], ...env }, maxBuffer: 2 ** 26 }
  const { stdout } = await promisify(execFile)(node, [...options, program, ...mode.split(" ")], settings)
  return stdout.split("\n")
}

const once = <A>(make: () => A): (() => A) => {
  let made: { readonly value: A } | undefined
  return () => (made ??= { value: make() }).value
}

const node26 = Node26.load()

const elsewhere: ReadonlyArray<readonly [string, Setting]> = [
  ["in the first tier of the compiler", { options: ["--liftoff-only"] }],
  ["in the second tier of the compiler", { options: ["--no-liftoff"] }],
  ...(node26 === undefined
    ? []
    : ([
        ["on Node 26, in the first tier of the compiler", { node: node26, options: ["--liftoff-only"] }],
        ["on Node 26, in the second tier of the compiler", { node: node26, options: ["--no-liftoff"] }],
      ] as const)),
]

const turns = 800

describe("fuel, outcome, size, globals and memory root after every turn", { timeout: 240_000 }, () => {
  const reference = once(() => lines(`life ${turns}`))

  it("are of turns of every kind", async () => {
    const all = await reference()
    expect(all).toHaveLength(PlainLife.names.length + turns)
    const parts = all.map((line) => line.split(" | "))
    const ends = new Set(parts.map(([name, , end]) => `${name}: ${end}`))
    expect(ends).toEqual(
      new Set([
        ...PlainLife.names.map((name) => `${name}: done`),
        "everything: trapped: the program trapped",
        "everything else: trapped: the program trapped",
        "counter: threw: By takes a whole number of 1 to 9 digits",
      ]),
    )
    const mine = parts.filter(([name]) => name === "everything")
    expect(Math.max(...mine.map((part) => Number(part[4])))).toBeGreaterThan(50)
    expect(new Set(parts.map((part) => part.at(-1))).size).toBeGreaterThan(turns / 2)
  })

  it.each<readonly [string, Setting]>([
    ["on a second run", {}],
    ...elsewhere,
    [
      "under another time zone, language, user and folder",
      {
        env: { TZ: "Asia/Kathmandu", LC_ALL: "tr_TR.UTF-8", HOME: "/nowhere", USER: "eve" },
        cwd: os.tmpdir(),
      },
    ],
  ])("are equal %s", async (_, setting) => {
    expect(await lines(`life ${turns}`, setting)).toEqual(await reference())
  })

  const few = 250

  it("are equal for a process alone and for one among others, of its module and of others, in one machine", () => {
    const together = PlainLife.open({ machine: new Turn.Machine() })
    const alone = PlainLife.open()
    for (const name of PlainLife.names) expect(step(together[name]!, {})).toBe(step(alone[name]!, {}))
    const messages = PlainLife.messages(few)
    for (const [name, sent] of messages) {
      expect(step(together[name]!, sent)).toBe(step(alone[name]!, sent))
      step(together["everything else"]!, { data: "between" })
      step(alone["everything else"]!, { data: "between" })
    }
    expect(messages).toHaveLength(few)
  })

  it("are equal for a process that is taken up from its snapshot before every turn, in a fresh machine now and then", () => {
    const alone = PlainLife.open()
    const taken = PlainLife.open()
    const at = new Map(Object.entries(taken))
    let machine = new Turn.Machine()
    for (const name of PlainLife.names) expect(step(at.get(name)!, {})).toBe(step(alone[name]!, {}))
    for (const [n, [name, sent]] of PlainLife.messages(few).entries()) {
      if (n % 10 === 0) machine = new Turn.Machine()
      const { memory, slot, timestamp, limits } = at.get(name)!
      const copy = new Turn.Memory(memory.boot, structuredClone(memory.difference()))
      const next = Object.assign(new Stage(copy, { machine, name, limits }), { slot, timestamp })
      at.set(name, next)
      expect(step(next, sent)).toBe(step(alone[name]!, sent))
    }
    expect(at.get("everything")!.slot).toBeGreaterThan(few / 2)
  })
})

describe("recursion between small functions", { timeout: 240_000 }, () => {
  it.each<readonly [string, Setting]>([["as a node runs it", {}], ...elsewhere])(
    "ends as an outcome when the compiler has come to know them, %s",
    async (_, { options = [], ...setting }) => {
      // Straight into the second tier is not how a node runs, and inlines by another rule.
      const inlining = options.includes("--no-liftoff") ? ["--no-wasm-inlining"] : []
      const ends = await lines("inlined", { ...setting, options: [...options, ...inlining] })
      expect(ends.slice(0, inlinedWarm)).toEqual(Array.from({ length: inlinedWarm }, () => "done"))
      expect(ends.slice(inlinedWarm)).toEqual(Array.from({ length: inlinedWarm }, () => "stack overflow"))
    },
  )
})

describe("an attack", { timeout: 240_000 }, () => {
  const first = once(() => lines("attacks"))
  const others = once(() => Promise.all(elsewhere.map(([, setting]) => lines("attacks", setting))))

  const cases = attacks.map(({ name, ends }, i) => {
    const how = "refused" in ends ? "is refused" : `ends ${ends.reason}`
    return [name, how, ends, i] as const
  })

  it.each(cases)("by %s %s, the same everywhere, and others are served", async (name, _, ends, i) => {
    const line = (await first())[i]!
    const came = JSON.parse(line) as Attacked // as the program prints it
    const message = "refused" in ends ? came.refused : came.message
    expect(message).toContain("refused" in ends ? ends.refused : ends.says)
    const reason = "refused" in ends ? undefined : ends.reason
    expect(came.reason).toBe(reason)
    expect(came).toMatchObject({ name, again: true, kept: true, neighbour: i + 1 })
    expect(came.fuelUsed).toMatch("refused" in ends ? /^none$/ : /^[1-9]/)
    for (const again of await others()) expect(again[i]).toBe(line)
  })
})

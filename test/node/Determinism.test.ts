/** Two nodes with nothing in common but the logs come to the same states and outcomes, slot by slot. */
import { execFile } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { promisify } from "node:util"
import { expect, test } from "vitest"
import * as Node26 from "../oracle/node26.ts"

const script = path.join(import.meta.dirname, "DeterminismNode.ts")

const node26 = Node26.load()

interface Machine {
  readonly folder: string
  readonly node?: string
  readonly options: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
}

const run = async (
  { folder, node = process.execPath, options, env }: Machine,
  mode: string,
  file: string,
) => {
  const settings = {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: folder, ...env },
    maxBuffer: 2 ** 26,
  }
  const { stdout } = await promisify(execFile)(node, [...options, script, mode, file], settings)
  return stdout.split("\n").filter(Boolean)
}

test(
  "a few hundred turns, attacks among them, come to the same on two machines' worth of settings and on Node 26",
  { timeout: 180_000 },
  async () => {
    const [here, there] = ["here", "there"].map((name) =>
      fs.mkdtempSync(path.join(os.tmpdir(), `heddle-${name}-`)),
    )
    const logs = path.join(here!, "logs")
    try {
      const lived = await run({ folder: here!, options: [], env: { TZ: "UTC", LANG: "C" } }, "live", logs)
      const env = { TZ: "America/St_Johns", LANG: "tr_TR.UTF-8", LC_ALL: "ar_EG.UTF-8", USER: "eve" }
      const elsewhere: ReadonlyArray<Machine> = [
        { folder: there!, options: ["--no-opt", "--liftoff-only"], env },
        ...(node26 === undefined ? [] : [{ folder: there!, node: node26, options: ["--no-liftoff"], env }]),
      ]
      const again = await Promise.all(elsewhere.map((machine) => run(machine, "evaluate", logs)))
      const turns = lived.filter((line) => line.startsWith("turn "))
      expect(turns.length).toBeGreaterThan(300)
      expect(turns.filter((line) => line.includes(" done ")).length).toBeGreaterThan(270)
      expect(turns.filter((line) => line.includes(" threw ")).length).toBeGreaterThan(10)
      for (const [end, count] of [
        ["out of fuel", 4],
        ["stack overflow", 1],
        ["out of memory", 1],
      ] as const)
        expect([end, turns.filter((line) => line.includes(` ${end} `)).length]).toEqual([end, count])
      expect(new Set(turns.map((line) => line.split(" ").at(-1))).size).toBeGreaterThan(300)
      expect(lived.filter((line) => line.startsWith("recorded otherwise"))).toEqual([])
      for (const lines of again) expect(lines).toEqual(lived)
    } finally {
      for (const folder of [here!, there!]) fs.rmSync(folder, { recursive: true, force: true })
    }
  },
)

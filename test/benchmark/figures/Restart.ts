/**
 * A node that starts on a process with a long log, which has snapshots: how long until it answers the first query. A
 * start of Node that does nothing is what it can't be faster than.
 */
import { execFile } from "node:child_process"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { against, type Figure, ms } from "../Figure.ts"
import type { Answered, Since } from "../FirstAnswer.ts"
import * as LongLogs from "../LongLogs.ts"
import * as Meter from "../Meter.ts"

/** Times as long as a bare start of Node that a restart may take. */
const factorMax = 2

const script = fileURLToPath(new URL("../FirstAnswer.ts", import.meta.url))

/** Starts a Node with these arguments; ms of wall time to its end, and what it said. */
const run = async (...args: ReadonlyArray<string>) => {
  const from = performance.now()
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return { wallMs: performance.now() - from, stdout }
}

const answer = async (folder: string, process: string): Promise<Answered> =>
  JSON.parse((await run(script, folder, process)).stdout) as Answered // what the script prints

/** A Node that does nothing but say how many ms of CPU it took. */
const nothing = async (): Promise<Since> => {
  const { wallMs, stdout } = await run("-p", "const { user, system } = process.cpuUsage(); user + system")
  return { wallMs, cpuMs: Number(stdout) / 1_000 }
}

export const figure: Figure = async ({ folder, quick, progress }) => {
  const [count, rounds] = quick ? [200, 1] : [10_000, 9]
  const [long, short] = [path.join(folder, "long"), path.join(folder, "short")]
  progress(`making a log of ${count} messages`)
  const old = await LongLogs.make(long, count)
  const young = await LongLogs.make(short, 1)
  const told: Array<Answered> = []
  const bare: Array<Since> = []
  const works = {
    long: async () => {
      const answered = await answer(long, old)
      if (answered.value !== count)
        throw new Error(`the counter counted ${String(answered.value)} of ${count}`)
      told.push(answered)
      return answered.answered.wallMs
    },
    short: async () => (await answer(short, young)).answered.wallMs,
    bare: async () => {
      bare.push(await nothing())
      return bare.at(-1)!.wallMs
    },
  }
  progress(`${rounds} restarts of each`)
  if (!quick) await Meter.inTurns(1, works) // files are in the system's cache then
  told.length = bare.length = 0
  const times = await Meter.inTurns(rounds, works)
  const middle = (of: (answered: Answered) => number) => Meter.median(told.map(of))
  const measured = Meter.median(times.long)
  const name = `restart to first answer, ${count} messages`
  const limit = Meter.median(times.bare)
  const { replayed } = told[0]!
  const so = (what: "loaded" | "started" | "answered") =>
    `${middle((one) => one[what].wallMs).toFixed(0)} ms (${middle((one) => one[what].cpuMs).toFixed(0)} of CPU)`
  return {
    _tag: "Measured",
    rows: [
      against(name, ms(measured), "node -e 0", limit, 1 / factorMax),
      against(
        "the same: CPU of all threads",
        ms(middle(({ answered }) => answered.cpuMs)),
        "the same",
        Meter.median(bare.map(({ cpuMs }) => cpuMs)),
        1 / factorMax,
      ),
      against(name, ms(measured), "the same with 1 message", Meter.median(times.short)),
    ],
    reckoning: [
      `modules are loaded after ${so("loaded")}, the node has started after ${so("started")}, and answers after ${so("answered")}; wanted is ${(factorMax * limit).toFixed(0)} ms`,
      `the newest snapshot spared ${count + 1 - replayed} turns, ${replayed} were run again; at best it took ${Math.min(...times.long).toFixed(0)} ms, a bare start ${Math.min(...times.bare).toFixed(0)}`,
    ],
  }
}

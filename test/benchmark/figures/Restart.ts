/**
 * A node that starts on a process with a long log, which has snapshots: how long until it answers the first query. A
 * start of Node that does nothing is what it can't be faster than.
 */
import { execFile } from "node:child_process"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { against, type Figure, ms } from "../Figure.ts"
import type { Answered } from "../FirstAnswer.ts"
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

export const figure: Figure = async ({ folder, quick, progress }) => {
  const [count, rounds] = quick ? [200, 1] : [10_000, 9]
  const [long, short] = [path.join(folder, "long"), path.join(folder, "short")]
  progress(`making a log of ${count} messages`)
  const old = await LongLogs.make(long, count)
  const young = await LongLogs.make(short, 1)
  const told: Array<Answered> = []
  const works = {
    long: async () => {
      const answered = await answer(long, old)
      if (answered.value !== count)
        throw new Error(`the counter counted ${String(answered.value)} of ${count}`)
      told.push(answered)
      return answered.answeredMs
    },
    short: async () => (await answer(short, young)).answeredMs,
    nothing: async () => (await run("-e", "0")).wallMs,
  }
  progress(`${rounds} restarts of each`)
  if (!quick) await Meter.inTurns(1, works) // files are in the system's cache then
  told.length = 0
  const times = await Meter.inTurns(rounds, works)
  const middle = (of: (answered: Answered) => number) => Meter.median(told.map(of))
  const measured = Meter.median(times.long)
  const name = `restart to first answer, ${count} messages`
  const nothing = Meter.median(times.nothing)
  const replayed = told[0]!.replayed
  return {
    _tag: "Measured",
    rows: [
      against(name, ms(measured), "node -e 0", nothing, 1 / factorMax),
      against(name, ms(measured), "the same with 1 message", Meter.median(times.short)),
    ],
    reckoning: [
      `modules are loaded after ${middle(({ loadedMs }) => loadedMs).toFixed(0)} ms, the node has started after ${middle(({ startedMs }) => startedMs).toFixed(0)}, and answers after ${measured.toFixed(0)}; wanted is ${(factorMax * nothing).toFixed(0)}`,
      `the newest snapshot spared ${count + 1 - replayed} turns, ${replayed} were run again; at best it took ${Math.min(...times.long).toFixed(0)} ms, a bare start ${Math.min(...times.nothing).toFixed(0)}`,
    ],
  }
}

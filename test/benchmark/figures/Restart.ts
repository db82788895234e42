/** A node that starts on a process with a long log: how long until it answers the first query. */
import { execFile } from "node:child_process"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as Bare from "../Bare.ts"
import { against, type Figure, ms } from "../Figure.ts"
import * as LongLogs from "../LongLogs.ts"
import * as Meter from "../Meter.ts"
import type { Answered } from "../FirstAnswer.ts"

const script = fileURLToPath(new URL("../FirstAnswer.ts", import.meta.url))

const answer = async (folder: string, process: string): Promise<Answered> => {
  const { stdout } = await promisify(execFile)(globalThis.process.execPath, [script, folder, process])
  return JSON.parse(stdout) as Answered // what the script prints
}

export const figure: Figure = async ({ folder, quick, progress }) => {
  const count = quick ? 1_000 : 10_000
  const [long, short] = [path.join(folder, "long"), path.join(folder, "short")]
  progress("limits")
  const before = await Bare.turns(Meter.limitMsOf(quick))
  progress(`making a log of ${count} messages`)
  const old = await LongLogs.make(long, count)
  const young = await LongLogs.make(short, 1)
  const after: Array<number> = []
  const bare: Array<number> = []
  for (let round = 0; round < 3; round++) {
    progress(`restart ${round + 1} of 3`)
    const told = await answer(long, old)
    if (told.value !== count) throw new Error(`the counter counted ${String(told.value)} of ${count}`)
    after.push(told.ms)
    bare.push((await answer(short, young)).ms)
  }
  progress("limits, once more")
  const turns = Math.max(before, await Bare.turns(Meter.limitMsOf(quick)))
  const [measured, start] = [Meter.median(after), Meter.median(bare)]
  const limit = start + (count * 1_000) / turns
  return {
    _tag: "Measured",
    rows: [
      against(
        `restart to first answer, ${count} messages`,
        ms(measured),
        "the same with 1 message, and the turns",
        limit,
      ),
    ],
    reckoning: [
      `a node with one message answers after ${start.toFixed(0)} ms; ${count} turns take ${((count * 1_000) / turns).toFixed(0)} ms of one thread, and a snapshot would spare them`,
    ],
  }
}

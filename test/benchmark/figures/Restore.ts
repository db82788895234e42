/**
 * A node that lost its data folder comes back from the folder it archived to. The bare limit is what nobody can leave
 * out: a hash of every byte, a verification of every signature that is another, every turn.
 */
import { execFile } from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { start } from "../../../node/index.ts"
import * as Bare from "../Bare.ts"
import { against, type Figure, kib, ms, perSecond } from "../Figure.ts"
import * as LongLogs from "../LongLogs.ts"
import * as Meter from "../Meter.ts"
import type { Restored } from "../RestoreRun.ts"

/** Share of what the bare machine does. */
const goal = 0.7

const script = fileURLToPath(new URL("../RestoreRun.ts", import.meta.url))

/** ms between two looks at how far the archive is. */
const lookMs = 100

/** A data folder whose log is in its archive, all of it, and what it holds. */
const archived = async (dataFolder: string, messages: number) => {
  const process = await LongLogs.make(dataFolder, messages)
  await using node = await start({ dataFolder })
  let status = await node.archive()
  while (status.batches.confirmed < status.batches.made || status.turns.confirmed < status.turns.made) {
    await setTimeout(lookMs)
    status = await node.archive()
  }
  const { slots, signedBytes } = await node.archiveCost(process)
  // One of the sender, one of each batch; turns of a bundle have one.
  return { dataFolder, slots, signedBytes, signatures: 1 + status.batches.made + status.bundles }
}

type Archived = Awaited<ReturnType<typeof archived>>

const restore = async ({ dataFolder, slots }: Archived): Promise<Restored> => {
  const into = `${dataFolder}-restored`
  const args = [script, path.join(dataFolder, "archive"), dataFolder, into]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  fs.rmSync(into, { recursive: true })
  const restored = JSON.parse(stdout) as Restored // what the script prints
  if (restored.slots !== slots) throw new Error(`${restored.slots} of ${slots} slots came back`)
  return restored
}

export const figure: Figure = async ({ folder, quick, progress }) => {
  const [count, rounds, msEach] = quick ? [300, 1, 60] : [20_000, 3, 500]
  progress(`making and archiving logs of ${count / 10} and ${count} messages`)
  const short = await archived(path.join(folder, "short"), count / 10)
  const long = await archived(path.join(folder, "long"), count)
  const { next } = await Bare.counter()
  const bytes = Math.ceil(long.signedBytes / long.slots)
  const runs: Array<Restored> = []
  const works = {
    short: async () => (await restore(short)).memoryMax,
    long: async () => {
      const run = await restore(long)
      runs.push(run)
      return run.memoryMax
    },
    hashes: () => Bare.hashes(msEach, bytes),
    verifies: () => Bare.verifies(msEach),
    turns: () => Meter.rate(msEach, next),
    turnsCpu: () => Meter.cpuRate(msEach, next),
  }
  progress(`${rounds} restores of each`)
  const done = await Meter.inTurns(rounds, works)
  const best = (name: keyof typeof works) => Math.max(...done[name])
  const middle = (of: (run: Restored) => number) => Meter.median(runs.map(of))
  const [hash, verify, turn] = [
    1_000 / best("hashes"),
    (long.signatures / long.slots) * (1_000 / best("verifies")),
    1_000 / best("turns"),
  ]
  const turnCpu = 1_000 / best("turnsCpu")
  const wall = middle(({ all }) => all.wallMs) / long.slots
  const name = `restore of ${count} messages from a folder`
  const each = (value: number) => `${value.toFixed(3)} ms`
  const phase = (which: keyof Restored["phases"]) => {
    const of = (what: "wallMs" | "cpuMs") =>
      each(middle(({ phases }) => phases[which]?.[what] ?? 0) / long.slots)
    return `${of("wallMs")} (${of("cpuMs")} of CPU)`
  }
  return {
    _tag: "Measured",
    rows: [
      against(name, perSecond(1_000 / wall), "hash + verify + turn", 1_000 / (hash + verify + turn), goal),
      against(
        "the same: CPU of all threads, a message",
        ms(middle(({ all }) => all.cpuMs) / long.slots),
        "CPU of hash + verify + turn",
        hash + verify + turnCpu,
        goal,
      ),
      against(
        "the same: memory at most, without the store's file",
        kib(Meter.median(done.long) / 1_024),
        `restore of ${count / 10} messages`,
        Meter.median(done.short) / 1_024,
      ),
    ],
    reckoning: [
      `a message takes one thread ${each(hash)} to hash its ${bytes} bytes, ${each(verify)} for its share of ${long.signatures} signatures, ${each(turn)} for its turn; measured ${each(wall)}`,
      `of those the log takes ${phase("log")}, with the turns that are taken and run again beside it; the last of these ${phase("turns")}, what is left to run ${phase("running")}`,
      `${count} messages and not 100,000: making and archiving so many takes longer than 3 minutes; no snapshot is taken out of the archive, which would spare turns`,
    ],
  }
}

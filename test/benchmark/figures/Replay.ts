/** Replay of a long log through the client: read, examined, run in a fresh sandbox, compared. */
import path from "node:path"
import { start } from "../../../node/index.ts"
import * as Bare from "../Bare.ts"
import * as BareEngine from "../BareEngine.ts"
import { against, type Figure, ms, perSecond } from "../Figure.ts"
import * as LongLogs from "../LongLogs.ts"
import * as Meter from "../Meter.ts"

/** Share of the turns that the bare machine does. */
const goal = 0.65

export const figure: Figure = async ({ folder, quick, progress }) => {
  const [count, rounds, msEach] = quick ? [300, 1, 60] : [10_000, 5, 500]
  progress(`making a log of ${count} messages`)
  const dataFolder = path.join(folder, "data")
  const process = await LongLogs.make(dataFolder, count)
  const { next } = await Bare.counter()
  const [published, instrumented] = [BareEngine.caller("published"), BareEngine.caller("instrumented")]
  /** ms of CPU of a message on all threads, in each round. */
  const cpu: Array<number> = []
  await using node = await start({ dataFolder })
  const works = {
    replay: async () => {
      const before = Meter.cpuMsOfAll()
      const wall = await Meter.timed(async () => {
        const { slots, finding } = await node.replay(process)
        if (finding !== undefined || slots !== count + 1)
          throw new Error(`${slots} slots, then: ${finding?.detail}`)
      })
      cpu.push((Meter.cpuMsOfAll() - before) / (count + 1))
      return ((count + 1) * 1_000) / wall
    },
    turns: () => Meter.rate(msEach, next),
    turnsCpu: () => Meter.cpuRate(msEach, next),
    instrumented: () => Meter.rate(msEach, instrumented),
    published: () => Meter.rate(msEach, published),
  }
  progress(`${rounds} replays`)
  const rates = await Meter.inTurns(rounds, works)
  const best = (name: keyof typeof works) => Math.max(...rates[name])
  const rate = Meter.median(rates.replay)
  const share = (name: keyof typeof works) => `${((100 * rate) / best(name)).toFixed(1)} %`
  const name = `replay of ${count} messages`
  return {
    _tag: "Measured",
    rows: [
      against(name, perSecond(rate), "turn of the counter", best("turns"), goal),
      against(
        `${name}: CPU of all threads, a message`,
        ms(Meter.median(cpu)),
        "CPU of a turn of the counter",
        1_000 / best("turnsCpu"),
      ),
    ],
    reckoning: [
      `one turn after another on one thread takes ${(1_000 / best("turns")).toFixed(3)} ms a message, measured ${(1_000 / rate).toFixed(3)}; reading, hashing and comparing could be done beside it by another`,
      `a call into the bare engine with its counters takes ${(1_000 / best("instrumented")).toFixed(3)} ms: replay reaches ${share("instrumented")} of those, ${share("published")} of calls into the engine as published`,
    ],
  }
}

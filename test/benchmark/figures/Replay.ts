/** Replay of a long log through the client: read, examined, run in a fresh sandbox, compared. */
import path from "node:path"
import { start } from "../../../node/index.ts"
import * as Bare from "../Bare.ts"
import { against, type Figure, perSecond } from "../Figure.ts"
import * as LongLogs from "../LongLogs.ts"
import * as Meter from "../Meter.ts"

export const figure: Figure = async ({ folder, quick, progress }) => {
  const count = quick ? 1_000 : 10_000
  progress("limits")
  const before = await Bare.turns(Meter.limitMsOf(quick))
  progress(`making a log of ${count} messages`)
  const dataFolder = path.join(folder, "data")
  const process = await LongLogs.make(dataFolder, count)
  const rates: Array<number> = []
  {
    await using node = await start({ dataFolder })
    for (let round = 0; round < 3; round++) {
      progress(`replay ${round + 1} of 3`)
      const ms = await Meter.timed(async () => {
        const { slots, finding } = await node.replay(process)
        if (finding !== undefined || slots !== count + 1)
          throw new Error(`${slots} slots, then: ${finding?.detail}`)
      })
      rates.push(((count + 1) * 1_000) / ms)
    }
  }
  progress("limits, once more")
  const turns = Math.max(before, await Bare.turns(Meter.limitMsOf(quick)))
  const rate = Meter.median(rates)
  return {
    _tag: "Measured",
    rows: [against(`replay of ${count} messages`, perSecond(rate), "turn of the counter", turns)],
    reckoning: [
      `one turn after another on one thread takes ${(1_000 / turns).toFixed(3)} ms a message, measured ${(1_000 / rate).toFixed(3)}; reading, hashing and comparing could be done beside it by another`,
    ],
  }
}

/** Two processes of one node that ask each other, each time after the answer to the time before. */
import path from "node:path"
import { fileURLToPath } from "node:url"
import { start } from "../../../node/index.ts"
import * as Caller from "../../support/Caller.ts"
import * as Bare from "../Bare.ts"
import { against, type Figure, perSecond } from "../Figure.ts"
import * as Meter from "../Meter.ts"

const file = fileURLToPath(new URL("../guests/pinger.ts", import.meta.url))

export const figure: Figure = async ({ folder, quick, progress }) => {
  const times = quick ? 20 : 200
  const part = Meter.limitMsOf(quick)
  progress("limits")
  const before = await Bare.parts(folder, part)
  const seconds: Array<number> = []
  {
    const as = Caller.caller("benchmark ping-pong").identity
    await using node = await start({ dataFolder: path.join(folder, "data"), as })
    const [one, other] = [await node.spawn({ file }), await node.spawn({ file })]
    for (let round = 0; round < 4; round++) {
      progress(`${times} round trips${round === 0 ? " to warm up" : ""}`)
      const ms = await Meter.timed(() => node.ask(one, "Start", { data: { other, times } }))
      if (round > 0) seconds.push(ms / 1_000)
    }
  }
  progress("limits, once more")
  const { sign, verify, commit, turn } = Bare.cheapest(before, await Bare.parts(folder, part))
  const hop = 2 * sign + verify + 2 * commit + turn
  const trips = times / Meter.median(seconds)
  const limitName = "2 signs + verify + 2 commits + turn a hop"
  return {
    _tag: "Measured",
    rows: [
      against("ping-pong, round trips", perSecond(trips), limitName, 1_000 / (2 * hop)),
      against("ping-pong, hops", perSecond(2 * trips), limitName, 1_000 / hop),
      against("the same", perSecond(2 * trips), "2 durable commits a hop", 1_000 / (2 * commit)),
    ],
    reckoning: [
      `a hop takes ${(1_000 / (2 * trips)).toFixed(1)} ms and ${hop.toFixed(1)} ms at least: two signatures of ${sign.toFixed(2)} ms, one check of ${verify.toFixed(2)}, two commits of ${commit.toFixed(2)}, one turn of ${turn.toFixed(2)}`,
      "no message is signed by itself: a batch is, and the attestation of a commit, whatever number of messages is in them",
    ],
  }
}

/**
 * Signed messages through HTTP to one process, each after the answer to the one before: a caller's waiting time.
 *
 *     ask:  sign -> HTTP -> verify -> sign batch -> commit -> turn -> sign attestation -> commit -> HTTP
 *     send: sign -> HTTP -> verify -> sign batch -> commit -> HTTP
 */
import { connect } from "../../../node/index.ts"
import * as Caller from "../../support/Caller.ts"
import * as Bare from "../Bare.ts"
import { against, type Figure, ms } from "../Figure.ts"
import * as Meter from "../Meter.ts"
import * as NodeProcess from "../NodeProcess.ts"

export const figure: Figure = async ({ folder, quick, profile, progress }) => {
  const count = quick ? 30 : 300
  const warmUp = quick ? 10 : 100
  const { identity } = Caller.caller("benchmark sequence")
  const part = Meter.limitMsOf(quick)
  progress("limits")
  const before = await Bare.parts(folder, part)
  const times: { readonly ask: Array<number>; readonly send: Array<number> } = { ask: [], send: [] }
  let cpu = 0
  {
    await using node = await NodeProcess.start(`${folder}/data`, profile)
    await using client = await connect(node.url, { as: identity })
    const counter = await client.spawn({ file: Bare.counterFile })
    for (const call of ["ask", "send"] as const) {
      progress(`${call} ${count} times`)
      for (let i = 0; i < warmUp; i++) await client[call](counter, "Increment")
      const used = await node.cpuMs()
      for (let i = 0; i < count; i++)
        times[call].push(await Meter.timed(() => client[call](counter, "Increment")))
      if (call === "ask") cpu = ((await node.cpuMs()) - used) / count
    }
  }
  progress("limits, once more")
  const { sign, verify, commit, turn, http } = Bare.cheapest(before, await Bare.parts(folder, part))
  const [ask, send] = [Meter.median(times.ask), Meter.median(times.send)]
  const askLimit = 3 * sign + 2 * commit + verify + turn + http
  const sendLimit = 2 * sign + commit + verify + http
  const costs = `sign ${sign.toFixed(2)}, verify ${verify.toFixed(2)}, commit ${commit.toFixed(2)}, turn ${turn.toFixed(2)}, HTTP ${http.toFixed(2)} ms`
  return {
    _tag: "Measured",
    rows: [
      against("ask, one after another", ms(ask), "3 signs + verify + 2 commits + turn + HTTP", askLimit),
      against("ask: CPU of the node", ms(cpu), "2 signs + verify + turn", 2 * sign + verify + turn),
      against("send, one after another", ms(send), "2 signs + verify + commit + HTTP", sendLimit),
    ],
    reckoning: [
      `${costs}; nothing of it can overlap, so an ask takes ${askLimit.toFixed(1)} ms at least`,
      `the rest, ${(ask - askLimit).toFixed(1)} ms of an ask: hops between threads, codecs, HTTP schemas, and writes larger than the bare ones`,
    ],
  }
}

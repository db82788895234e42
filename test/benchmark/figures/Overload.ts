/** More asks than a node can answer, whatever it answers: what it still answers, and how fast it refuses the rest. */
import { fork } from "node:child_process"
import { once } from "node:events"
import fs from "node:fs"
import http from "node:http"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { connect } from "../../../node/index.ts"
import * as Bytes from "../../../runtime/Bytes.ts"
import * as Gate from "../../../runtime/Gate.ts"
import type * as Id from "../../../runtime/Id.ts"
import * as Limit from "../../../runtime/Limit.ts"
import * as Caller from "../../support/Caller.ts"
import * as Bare from "../Bare.ts"
import { against, bare, type Figure, ms, perSecond, type Row } from "../Figure.ts"
import type { Reply, Request } from "../Flood.ts"
import * as Meter from "../Meter.ts"
import * as NodeProcess from "../NodeProcess.ts"

const processes = 100
const callers = Array.from({ length: 16 }, (_, i) => Caller.caller(`benchmark overload ${i}`))
/** Asks at a time: few enough to be answered fast, and as many as one peer may have in hand, or nearly. */
const depths = [256, 1_000]
const loads = [1, 2, 4]

/** How much a node keeps up of what it can, where it is asked for four times as much. */
const goal = 0.9

interface Health {
  readonly slots: number
  readonly computed: number
}

/** A process that floods the node with what the file holds. */
const flood = (url: string, file: string) => {
  const script = fileURLToPath(new URL("../Flood.ts", import.meta.url))
  const child = fork(script, [url, file])
  return {
    run: async (request: Request): Promise<Reply> => {
      child.send(request)
      const ended = once(child, "exit").then(() => {
        throw new Error("what floods the node has ended")
      })
      const [reply] = (await Promise.race([once(child, "message"), ended])) as [Reply] // all that it says
      return reply
    },
    stop: () => child.disconnect(),
  }
}

/** On a connection of its own: one that was kept may be closed by the node just then. */
const health = (url: string): Promise<Health> =>
  new Promise((resolve, reject) => {
    const request = http.get(`${url}/health`, { agent: false }, (response) => {
      text(response).then((body) => resolve(JSON.parse(body) as Health), reject)
    })
    request.on("error", reject)
  })

export const figure: Figure = async ({ folder, quick, profile, progress }) => {
  const count = quick ? 100 : 2_000
  /** Asks that a node can answer in the time that each load lasts: many times those that it has in hand. */
  const counted = quick ? 400 : 2 * Gate.aloneMax(Limit.peerMessagesMax)
  await using node = await NodeProcess.start(`${folder}/data`, profile)
  await using client = await connect(node.url, { as: callers[0]!.identity })
  const module = await client.addModule({ file: Bare.counterFile })
  const pids: Array<Id.ProcessId> = []
  await Meter.drain([...Array(processes).keys()], 16, async () => pids.push(await client.spawn({ module })))
  const sign = async (file: string, signed: number) => {
    const items: Array<Uint8Array> = []
    for (let i = 0; i < signed; i++) {
      const { bytes } = await callers[i % callers.length]!.message(pids[i % processes]!, "Increment")
      items.push(Bytes.u32(bytes.length), bytes)
    }
    fs.writeFileSync(file, Bytes.concat(items))
  }
  /** Every ask that was accepted has its turn and its answer, and no other has a slot. */
  const run = async (of: ReturnType<typeof flood>, request: Request) => {
    const before = await health(node.url)
    const cpu = await node.cpuMs()
    const reply = await of.run(request)
    const cpuMs = (await node.cpuMs()) - cpu
    const after = await health(node.url)
    const slots = after.slots - before.slots
    if (slots !== reply.answered || after.computed !== after.slots)
      throw new Error(`${reply.answered} answers, ${slots} slots, ${after.computed} of ${after.slots} turns`)
    return { ...reply, cpuMsOfNode: cpuMs }
  }

  /** The most that it answers while it is asked for no more than that. */
  const closed = async (of: ReturnType<typeof flood>) => {
    const replies = []
    for (const outstanding of depths) {
      progress(`${count} asks, ${outstanding} outstanding`)
      replies.push(await run(of, { outstanding, count }))
    }
    return replies.toSorted((a, b) => b.goodput - a.goodput)[0]!
  }

  progress(`signing ${(depths.length + 1) * count} messages`)
  await sign(`${folder}/first`, (depths.length + 1) * count)
  const first = flood(node.url, `${folder}/first`)
  progress(`${count} asks to warm up`)
  await run(first, { outstanding: depths[0]!, count })
  const before = await closed(first)
  first.stop()

  // One that is refused is sent again, so as many are needed as can be answered, and as can be on their way.
  const onTheirWay = Gate.aloneMax(Limit.peerMessagesMax) + counted
  const needed = Math.ceil(1.5 * loads.length * counted) + onTheirWay + depths.length * count
  progress(`signing ${needed} messages`)
  await sign(`${folder}/second`, needed)
  const second = flood(node.url, `${folder}/second`)
  const seconds = counted / before.goodput
  const replies = new Map<number, Awaited<ReturnType<typeof run>>>()
  for (const load of loads) {
    const rate = Math.ceil(load * before.goodput)
    progress(`${rate} asks a second, ${load} times what it can`)
    replies.set(load, await run(second, { perSecond: rate, seconds }))
  }
  const after = await closed(second)
  second.stop()

  const peak = Math.max(before.goodput, after.goodput)
  const rows = loads.flatMap((load): ReadonlyArray<Row> => {
    const { goodput, refusalMsP99 } = replies.get(load)!
    const name = `${load} times the load`
    const answered = against(
      `${name}: answered`,
      perSecond(goodput),
      `peak, ${depths.join(" or ")} outstanding`,
      peak,
      load === 4 ? goal : undefined,
    )
    return refusalMsP99 === 0 ? [answered] : [answered, bare(`${name}: refusals, P99`, ms(refusalMsP99))]
  })
  const said = loads.map((load) => {
    const { sent, answered, refused, answerMsMedian, refusalMsMedian, cpuMs, cpuMsOfNode, lateMs } =
      replies.get(load)!
    const by = Object.entries(refused).map(([reason, times]) => `${times} refused \`${reason}\``)
    return `${load} times: of ${sent} sent ${[`${answered} answered`, ...by].join(", ")}; answers take ${answerMsMedian.toFixed(0)} ms, refusals ${refusalMsMedian.toFixed(1)} ms (medians); the node used ${(cpuMsOfNode / answered).toFixed(2)} ms of CPU for each answer, the sender ${cpuMs.toFixed(3)} ms for each message, and was ${lateMs.toFixed(0)} ms late at the end`
  })
  const cpuOf = ({ cpuMsOfNode, answered }: Awaited<ReturnType<typeof run>>) => cpuMsOfNode / answered
  const cpu = against(
    "4 times the load: CPU of the node for each answer",
    ms(cpuOf(replies.get(4)!)),
    "the same at the peak",
    Math.min(cpuOf(before), cpuOf(after)),
    goal,
  )
  return {
    _tag: "Measured",
    rows: [...rows, cpu],
    reckoning: [
      ...said,
      `the peak was ${before.goodput.toFixed(0)} a second before and ${after.goodput.toFixed(0)} after, where the sender takes ${after.cpuMs.toFixed(3)} ms of CPU for each message; the sender runs on the node's cores, and at 4 times the load takes more of them`,
      "CPU for each answer has everything in it that refusals cost, and nothing of what else runs on the machine",
      "every ask that was accepted has its slot, its turn and its answer; every other was refused by name and has no slot",
    ],
  }
}

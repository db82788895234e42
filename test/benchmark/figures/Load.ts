/** Signed messages through HTTP to a hundred processes, many at a time: what a node takes in. */
import http from "node:http"
import os from "node:os"
import { setTimeout } from "node:timers/promises"
import { connect } from "../../../node/index.ts"
import type * as Id from "../../../runtime/Id.ts"
import * as Caller from "../../support/Caller.ts"
import * as Bare from "../Bare.ts"
import { against, type Figure, ms, perSecond, type Row } from "../Figure.ts"
import * as Meter from "../Meter.ts"
import * as NodeProcess from "../NodeProcess.ts"

const processes = 100
const callers = Array.from({ length: 16 }, (_, i) => Caller.caller(`benchmark load ${i}`))

/** Posts items over kept connections, with as little of a client as there can be. */
const poster = (url: string, connections: number) => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  const headers = { "content-type": "application/octet-stream" }
  return {
    post: (item: Uint8Array) =>
      new Promise<void>((resolve, reject) => {
        const request = http.request(`${url}/v1/messages`, { method: "POST", agent, headers }, (response) => {
          if (response.statusCode === 200) response.resume().on("end", resolve).on("error", reject)
          else reject(new Error(`the node answers ${response.statusCode}`))
        })
        request.on("error", reject).end(item)
      }),
    close: () => agent.destroy(),
  }
}

/** Waits until every slot has its outcome. */
const computed = async (url: string): Promise<void> => {
  for (;;) {
    const health = (await (await fetch(`${url}/health`)).json()) as {
      readonly slots: number
      readonly computed: number
    }
    if (health.computed === health.slots) return
    await setTimeout(20)
  }
}

interface Rates {
  readonly accepted: number
  readonly computed: number
  /** ms of CPU that the node used for each message. */
  readonly cpu: number
}

const load = async (
  { url, cpuMs }: NodeProcess.NodeProcess,
  items: ReadonlyArray<Uint8Array>,
  outstanding: number,
): Promise<Rates> => {
  const { post, close } = poster(url, outstanding)
  const before = await cpuMs()
  const from = performance.now()
  await Meter.drain(items, outstanding, post)
  const accepted = performance.now() - from
  await computed(url)
  const all = performance.now() - from
  close()
  const cpu = ((await cpuMs()) - before) / items.length
  return { accepted: (items.length * 1_000) / accepted, computed: (items.length * 1_000) / all, cpu }
}

export const figure: Figure = async ({ folder, quick, profile, progress }) => {
  const count = quick ? 100 : 4_000
  const depths = [32, 256]
  const rates = new Map<number, Rates>()
  {
    await using node = await NodeProcess.start(`${folder}/data`, profile)
    await using client = await connect(node.url, { as: callers[0]!.identity })
    progress(`spawning ${processes} processes`)
    const module = await client.addModule({ file: Bare.counterFile })
    const pids: Array<Id.ProcessId> = []
    await Meter.drain([...Array(processes).keys()], 16, async () => pids.push(await client.spawn({ module })))
    progress(`signing ${(depths.length + 1) * count} messages`)
    const signed = async (from: number): Promise<ReadonlyArray<Uint8Array>> => {
      const items: Array<Uint8Array> = []
      for (let i = from; i < from + count; i++) {
        const item = await callers[i % callers.length]!.message(pids[i % processes]!, "Increment")
        items.push(item.bytes)
      }
      return items
    }
    const sets = [await signed(0), await signed(count), await signed(2 * count)]
    progress(`${count} messages to warm up`)
    await load(node, sets[0]!, 64)
    for (const [i, outstanding] of depths.entries()) {
      progress(`${count} messages, ${outstanding} outstanding`)
      rates.set(outstanding, await load(node, sets[i + 1]!, outstanding))
    }
  }
  progress("limits")
  const part = Meter.limitMsOf(quick)
  const verifies = Bare.verifies(part)
  const commits = await Bare.commits(folder, part, Bare.writers)
  const turns = await Bare.turns(part)
  const roundTrips = await Bare.roundTrips(part)
  const cores = os.availableParallelism()
  const each = 1 / verifies + 1 / turns + 1 / roundTrips
  const rows = depths.flatMap((outstanding): ReadonlyArray<Row> => {
    const { accepted, computed: done, cpu } = rates.get(outstanding)!
    const name = `${processes} processes, ${outstanding} outstanding`
    return [
      against(`${name}: accepted`, perSecond(accepted), "verify, one thread", verifies),
      against(`${name}: accepted`, perSecond(accepted), "LMDB group commit", commits),
      against(`${name}: computed`, perSecond(done), `verify + turn + HTTP on ${cores} cores`, cores / each),
      against(`${name}: CPU of the node`, ms(cpu), "verify + turn", 1_000 / verifies + 1_000 / turns),
    ]
  })
  const cost = (rate: number) => (1_000 / rate).toFixed(2)
  return {
    _tag: "Measured",
    rows,
    reckoning: [
      `a message costs ${cost(verifies)} ms to verify, ${cost(turns)} ms to compute and ${cost(roundTrips)} ms of HTTP on both ends: ${(1_000 * each).toFixed(2)} ms of a core, and there are ${cores}`,
      "signatures and flushes of batches are shared by all that wait; the senders' side of HTTP runs on the same cores",
      "CPU is that of all threads of the node, for each message accepted and computed: other programs do not show in it",
    ],
  }
}

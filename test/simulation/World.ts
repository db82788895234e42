/**
 * World: machines, those who use them, and what goes wrong, all from one seed. First things go wrong, then everything is
 * healed and time goes on until nothing is pending.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Broken, type Checker, type Evidence, type Make } from "./Checker.ts"
import * as Authority from "./checkers/Authority.ts"
import * as Commitment from "./checkers/Commitment.ts"
import * as Delivery from "./checkers/Delivery.ts"
import * as Embargo from "./checkers/Embargo.ts"
import * as Liveness from "./checkers/Liveness.ts"
import * as Order from "./checkers/Order.ts"
import * as Suspicion from "./checkers/Suspicion.ts"
import * as Client from "./Client.ts"
import { Courier } from "./Courier.ts"
import { Loop } from "./Loop.ts"
import * as Luck from "./Luck.ts"
import { lost } from "./Machine.ts"
import * as SeededKeys from "./SeededKeys.ts"
import * as Seen from "./Seen.ts"
import * as SimulatedNode from "./SimulatedNode.ts"
import * as Town from "./Town.ts"
import * as Trace from "./Trace.ts"
import * as Weather from "./Weather.ts"
import * as Workload from "./Workload.ts"

const makers: ReadonlyArray<Make> = [
  Order.make,
  Embargo.make,
  Delivery.make,
  Authority.make,
  Suspicion.make,
  Commitment.make,
]

export interface Options {
  readonly seed: number
  /** Instead of the workload of the seed. */
  readonly operations?: ReadonlyArray<Workload.Operation> | undefined
  /** A bug to live with. */
  readonly planted?: Planted | undefined
}

/** A bug: pieces that stand in for real ones, and the climate in which it shows. */
export interface Planted {
  readonly pieces?: () => Partial<SimulatedNode.Pieces>
  readonly climate?: (climate: Weather.Climate) => Partial<Weather.Climate>
}

export interface Report {
  readonly seed: number
  /** Of everything that happened. */
  readonly hash: string
  readonly steps: number
  readonly starts: number
  readonly slots: number
  readonly operations: ReadonlyArray<Workload.Operation>
  /** The property that does not hold, if there is one. */
  readonly broken: { readonly checker: string; readonly detail: string } | undefined
  readonly last: ReadonlyArray<string>
}

/** ms after which everything that can happen in a healed world has: the longest waits of a workload, many times over. */
const settleMsMax = 6 * 60_000
const lookMs = 1_000

/** Runs the world of a seed from its beginning to its end. Nothing outside of it has a say. */
export const run = ({ seed, operations, planted }: Options): Report => {
  const luck = (stream: string) => Luck.make(seed, stream)
  const usual = Weather.climate(seed, luck("climate"))
  const climate = { ...usual, ...planted?.climate?.(usual) }
  const workload = operations ?? Workload.make(luck("workload"), { ...climate.shape, units: climate.units })
  const trace = Trace.make()
  const loop = new Loop(luck("tasks"), climate.manner, trace)
  const keys = SeededKeys.make(climate.areKeysReal)

  const checkers: Array<Checker> = []
  const see = (seen: Seen.Seen) => {
    loop.note(`${seen.machine} shows ${seen.kind} ${Seen.shown(seen)}`)
    for (const checker of checkers) checker.seen?.(seen)
  }
  const plot = {
    seed,
    loop,
    luck,
    climate,
    keys,
    pieces: { ...SimulatedNode.real, ...planted?.pieces?.() },
    see,
  }
  const { node, machines, places, strain } = Town.make(plot)
  const units = places.map(({ key }) => key.address)
  const door = { loop, keys, machine: node, scheduler: places[0]!.key.address, units, see }
  const client = new Client.Client(door, luck("client"))
  const courier = new Courier({
    loop,
    luck: luck("courier"),
    scheduler: node,
    units: machines,
    see,
    pauseMs: climate.courierMs,
  })
  const evidence: Evidence = { seed, keys, places, jobs: client.jobs, now: () => loop.now }
  for (const make of makers) {
    const checker: Checker = make(evidence, (detail) => loop.fail(new Broken(checker.name, detail)))
    checkers.push(checker)
  }
  for (const [i, machine] of machines.entries())
    machine.onCrash = () => {
      for (const checker of checkers) checker.crashed?.(places[i]!)
    }

  /** Asks the node something and lets the world go on until it answers. */
  const ask = <A>(effect: (node: SimulatedNode.SimulatedNode) => Effect.Effect<A>): A | undefined => {
    let found: Exit.Exit<A> | typeof lost | undefined
    node.call(effect, (exit) => void (found = exit))
    const isAnswered = () => found !== undefined
    while (!isAnswered() && loop.step());
    if (found === undefined || found === lost) return undefined
    if (Exit.isFailure(found)) throw new Error(Cause.pretty(found.cause))
    return found.value
  }

  const goThrough = () => {
    for (const machine of machines) machine.start()
    client.plan(workload)
    courier.start()
    const calm = Weather.begin(loop, luck("weather"), climate, machines)
    loop.runUntil(loop.now + climate.shape.spanMs + lookMs)
    calm()
    strain.share = 0
    loop.note("all is healed")
    courier.isHonest = true
    const liveness = Liveness.make({ seed, places, client, courier, ask })
    const end = loop.now + settleMsMax
    let left: string | undefined
    // What was committed a moment ago is not in the outbox yet: nothing is pending where two looks say so.
    for (let looks = 0; looks < 2 && loop.now < end; looks = left === undefined ? looks + 1 : 0) {
      for (const machine of machines) if (!machine.isRunning) machine.start()
      loop.runUntil(loop.now + lookMs)
      left = liveness.pending()
    }
    // What should never have been says more than what never came.
    for (const checker of checkers) checker.end?.(left === undefined)
    if (left !== undefined) throw new Broken("liveness", left)
  }

  const report = (broken: Report["broken"]): Report => ({
    seed,
    hash: trace.hash(),
    steps: loop.steps,
    starts: machines.reduce((sum, { starts }) => sum + starts, 0),
    slots: places[0]!
      .durable()
      .log.processes()
      .reduce((sum, { nextSlot }) => sum + nextSlot, 0),
    operations: workload,
    broken,
    last: trace.last(),
  })
  try {
    goThrough()
    return report(undefined)
  } catch (error) {
    if (error instanceof Broken) return report({ checker: error.checker, detail: error.detail })
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return report({ checker: "no defect", detail })
  }
}

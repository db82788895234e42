/**
 * World: machines, those who use them, and what goes wrong, all from one seed. First things go wrong, then everything is
 * healed and time goes on until nothing is pending.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Broken, type Checker, type Evidence, type Make, type Place } from "./Checker.ts"
import * as Delivery from "./checkers/Delivery.ts"
import * as Embargo from "./checkers/Embargo.ts"
import * as Order from "./checkers/Order.ts"
import * as Client from "./Client.ts"
import * as Durable from "./Durable.ts"
import { Loop } from "./Loop.ts"
import * as Luck from "./Luck.ts"
import { lost, Machine } from "./Machine.ts"
import * as SeededKeys from "./SeededKeys.ts"
import * as Seen from "./Seen.ts"
import * as SimulatedNode from "./SimulatedNode.ts"
import { StoreSimulated } from "./StoreSimulated.ts"
import * as Trace from "./Trace.ts"
import * as Weather from "./Weather.ts"
import * as Workload from "./Workload.ts"

export interface Options {
  readonly seed: number
  /** Instead of the workload of the seed. */
  readonly operations?: ReadonlyArray<Workload.Operation> | undefined
  /** Pieces with a planted bug. */
  readonly pieces?: Partial<SimulatedNode.Pieces> | undefined
  /** Changes the climate of the seed. */
  readonly climate?: Partial<Weather.Climate> | undefined
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
const settleMsMax = 10 * 60_000
const lookMs = 1_000

/** Runs the world of a seed from its beginning to its end. Nothing outside of it has a say. */
export const run = ({ seed, operations, pieces, climate: bent }: Options): Report => {
  const luck = (stream: string) => Luck.make(seed, stream)
  const climate = { ...Weather.climate(seed, luck("climate"), 1), ...bent }
  const workload = operations ?? Workload.make(luck("workload"), climate.shape)
  const trace = Trace.make()
  const loop = new Loop(luck("tasks"), climate.manner, trace)
  const keys = SeededKeys.make(climate.areKeysReal)

  const key = keys.key("node")
  const disk = new StoreSimulated(loop, luck("disk"), climate.disk, "disk")
  const machine = new Machine(
    "node",
    loop,
    luck("machine"),
    disk,
    SimulatedNode.whole({
      disk,
      signer: key.signer("node"),
      verifier: keys.verifier,
      residentBytesMax: climate.residentBytesMax,
      pieces: { ...SimulatedNode.real, ...pieces },
    }),
  )
  const place: Place = {
    name: machine.name,
    key,
    durable: () => Durable.read(disk.durable),
    schedules: true,
    computes: true,
    lies: false,
  }

  const checkers: Array<Checker> = []
  const see = (seen: Seen.Seen) => {
    loop.note(`${seen.machine} shows ${seen.kind} ${Seen.shown(seen)}`)
    for (const checker of checkers) checker.seen?.(seen)
  }
  const town = { loop, keys, machine, scheduler: key.address, units: [key.address], see }
  const client = new Client.Client(town, luck("client"))
  const evidence: Evidence = { keys, places: [place], jobs: client.jobs, now: () => loop.now }
  for (const make of [Order.make, Embargo.make, Delivery.make] satisfies ReadonlyArray<Make>) {
    const checker: Checker = make(evidence, (detail) => {
      throw new Broken(checker.name, detail)
    })
    checkers.push(checker)
  }
  machine.onCrash = () => {
    for (const checker of checkers) checker.crashed?.(place)
  }

  /** Asks the node something and lets the world go on until it answers. */
  const ask = <A>(effect: (node: SimulatedNode.SimulatedNode) => Effect.Effect<A>): A | undefined => {
    let found: Exit.Exit<A> | typeof lost | undefined
    machine.call(effect, (exit) => void (found = exit))
    const isAnswered = () => found !== undefined
    while (!isAnswered() && loop.step());
    if (found === undefined || found === lost) return undefined
    if (Exit.isFailure(found)) throw new Error(Cause.pretty(found.cause))
    return found.value
  }

  /** What is still pending, in words; nothing where all is done. */
  const pending = (): string | undefined => {
    if (!client.isDone) {
      const open = client.jobs.filter((job) => job.open > 0)
      return `operations ${open.map(({ operation }) => operation.number).join(", ")} are not done`
    }
    const found = ask(({ messenger }) => Effect.orDie(Effect.all([messenger.outbox, messenger.processes])))
    if (found === undefined) return "the node does not answer"
    const [outbox, processes] = found
    const late = processes.find(({ slots, computed }) => computed < slots)
    if (late !== undefined) return `process ${late.process} stays at slot ${late.computed}: ${late.parked}`
    const held = outbox.find(({ target }) => target !== Client.nobody)
    return held && `${held.kind} ${held.slot} ${held.index} of process ${held.source} is held: ${held.reason}`
  }

  const goThrough = () => {
    machine.start()
    client.plan(workload)
    const calm = Weather.begin(loop, luck("weather"), climate, [machine])
    loop.runUntil(loop.now + climate.shape.spanMs + lookMs)
    calm()
    loop.note("all is healed")
    if (!machine.isRunning) machine.start()
    const end = loop.now + settleMsMax
    let left: string | undefined
    do {
      loop.runUntil(loop.now + lookMs)
      left = pending()
    } while (left !== undefined && loop.now < end)
    if (left !== undefined) throw new Broken("liveness", left)
    for (const checker of checkers) checker.end?.()
  }

  const report = (broken: Report["broken"]): Report => ({
    seed,
    hash: trace.hash(),
    steps: loop.steps,
    starts: machine.starts,
    slots: place
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

/**
 * Town: the machines of a world, and what connects them. One has all units; in some worlds one or two more compute what
 * it orders, and of these one may be told a lie or tell one.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Module from "../../runtime/Module.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type { Sandbox } from "../../compute-unit/Sandbox.ts"
import type { Place } from "./Checker.ts"
import * as Durable from "./Durable.ts"
import * as Guest from "./Guest.ts"
import type { Life, Loop } from "./Loop.ts"
import type * as Luck from "./Luck.ts"
import { lost, Machine } from "./Machine.ts"
import * as SchedulerLinked from "./SchedulerLinked.ts"
import * as SchedulerLying from "./SchedulerLying.ts"
import type { Seen } from "./Seen.ts"
import type * as SeededKeys from "./SeededKeys.ts"
import * as SimulatedNode from "./SimulatedNode.ts"
import { StoreSimulated } from "./StoreSimulated.ts"
import { Strain } from "./Strain.ts"
import type { Climate } from "./Weather.ts"

export interface Plot {
  readonly seed: number
  readonly loop: Loop
  readonly luck: (stream: string) => Luck.Luck
  readonly climate: Climate
  readonly keys: SeededKeys.Keys
  readonly pieces: SimulatedNode.Pieces
  readonly see: (seen: Seen) => void
}

export interface Town {
  readonly node: Machine<SimulatedNode.SimulatedNode>
  /** All of them, the node first. */
  readonly machines: ReadonlyArray<Machine<SimulatedNode.SimulatedUnit>>
  readonly places: ReadonlyArray<Place>
  readonly strain: Strain
}

/** A unit that attests other roots than those that it computed. */
const attestsOthers = (sandbox: Sandbox["Service"]): Sandbox["Service"] => ({
  ...sandbox,
  run: (process, entries) =>
    Effect.map(sandbox.run(process, entries), (evaluated) =>
      evaluated.map((one) => {
        if (one.stateRoot === undefined || one.outcome.slot < 2) return one
        const stateRoot = Bytes.copy(one.stateRoot)
        stateRoot[0]! ^= 1
        return { ...one, stateRoot }
      }),
    ),
})

export const make = ({ seed, loop, luck, climate, keys, pieces, see }: Plot): Town => {
  const { residentBytesMax, units, lie, delayMsMax } = climate
  const strain = new Strain(luck("strain"), climate.strain)
  const verifier = strain.verifier(keys.verifier)
  const strained =
    (inner: SimulatedNode.Pieces["sandbox"]): SimulatedNode.Pieces["sandbox"] =>
    (sandbox, starts) =>
      inner(strain.sandbox(sandbox), starts)
  const diskOf = (name: string) => {
    const disk = new StoreSimulated(loop, luck(`disk of ${name}`), climate.disk, `disk of ${name}`)
    disk.install(Guest.programs.map((program) => Module.put(program)))
    return disk
  }
  const placeOf = (machine: Machine<SimulatedNode.SimulatedUnit>, told: Place["lie"]): Place => ({
    name: machine.name,
    key: keys.key(machine.name),
    durable: () => Durable.read(machine.store.durable),
    schedules: machine.name === "node",
    lie: told,
    parked: (process) => {
      let why: string | undefined
      let isAnswered = false
      machine.call(
        ({ compute }) => compute.progress(process),
        (exit) => {
          isAnswered = true
          if (exit !== lost && Exit.isSuccess(exit)) why = exit.value.parked
        },
      )
      const isOpen = () => !isAnswered
      while (isOpen() && loop.step());
      return why
    },
  })

  const disk = diskOf("node")
  const signer = strain.signer(keys.key("node").signer("node"))
  const node = new Machine(
    "node",
    loop,
    luck("node"),
    disk,
    SimulatedNode.whole({
      disk,
      signer,
      verifier,
      residentBytesMax,
      pieces: { ...pieces, sandbox: strained(pieces.sandbox) },
    }),
  )

  const besides = Array.from({ length: units - 1 }, (_, i) => {
    const name = `unit ${i + 2}`
    const told = i === 1 ? lie : undefined
    const own = diskOf(name)
    const key = keys.key(name)
    const line = {
      loop,
      luck: luck(`line of ${name}`),
      address: signer.address,
      scheduler: node,
      delayMsMax,
      onBatch: (batch: Parameters<SchedulerLinked.Line["onBatch"]>[0]) =>
        see({ machine: node.name, kind: "batch", batch }),
    }
    const scheduler = (life: Life) => {
      const honest = SchedulerLinked.make(line, life)
      return told === undefined || told === "attests" ? honest : SchedulerLying.make(honest, told, seed)
    }
    const sandbox = told === "attests" ? attestsOthers : SimulatedNode.real.sandbox
    const seams = {
      disk: own,
      signer: strain.signer(key.signer(name)),
      verifier,
      residentBytesMax,
      pieces: { ...SimulatedNode.real, sandbox: strained(sandbox) },
    }
    const machine = new Machine(name, loop, luck(name), own, SimulatedNode.unit(seams, scheduler))
    return { machine, place: placeOf(machine, told) }
  })
  return {
    node,
    strain,
    machines: [node, ...besides.map(({ machine }) => machine)],
    places: [placeOf(node, undefined), ...besides.map(({ place }) => place)],
  }
}

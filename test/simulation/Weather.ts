/**
 * Weather: how bad a world is, and what goes wrong in it when. Each seed has a climate of its own: some worlds have a
 * slow disk, some crash at every turn, in some nothing happens but a strange order of tasks.
 */
import type { Loop, Manner, Life } from "./Loop.ts"
import type * as Luck from "./Luck.ts"
import type { Place } from "./Checker.ts"
import * as SchedulerLying from "./SchedulerLying.ts"
import type { Disk } from "./StoreSimulated.ts"
import type { StoreSimulated } from "./StoreSimulated.ts"
import type { Shape } from "./Workload.ts"

export interface Climate {
  readonly manner: Manner
  readonly disk: Disk
  readonly shape: Omit<Shape, "units">
  /** Share of flushes after which, and of steps between which, a machine crashes. */
  readonly crashPerFlush: number
  readonly crashPerStep: number
  readonly crashesMax: number
  /** Share of seconds in which a disk fills up, a clock is set, a machine is stopped in good order. */
  readonly fills: number
  readonly skews: number
  readonly stops: number
  /** Share of signatures, verifications and runs that fail for no fault of theirs. */
  readonly strain: number
  /** Bytes that open processes may take: with none, all that rest are evicted. */
  readonly residentBytesMax: number
  readonly areKeysReal: boolean
  /** Machines that compute; what the third is told or tells; how long a request between two takes, one way. */
  readonly units: number
  readonly lie: Place["lie"]
  readonly delayMsMax: number
  /** Longest pause of the courier between two tricks. */
  readonly courierMs: number
}

export const climate = (seed: number, luck: Luck.Luck): Climate => {
  const units = luck.pick([1, 1, 1, 2, 3, 3])
  const lie = luck.pick([undefined, "attests" as const, ...SchedulerLying.lies])
  return {
    manner: { window: luck.pick([1, 3, 1_000]), yields: luck.pick([0, 0.001, 0.01]) },
    disk: { flushMsMax: luck.pick([0, 4, 30]), slow: luck.pick([0, 0.05]), lies: false },
    shape: { operations: 4 + luck.below(14), spanMs: luck.pick([200, 3_000, 10_000]) },
    crashPerFlush: luck.pick([0, 0.03, 0.15]),
    crashPerStep: luck.pick([0, 0.0005, 0.003]),
    crashesMax: luck.pick([2, 8]),
    fills: luck.pick([0, 0, 0.1]),
    skews: luck.pick([0, 0, 0.2]),
    stops: luck.pick([0, 0.05]),
    residentBytesMax: luck.pick([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0]),
    areKeysReal: seed % 16 === 0,
    units,
    lie,
    delayMsMax: luck.pick([0, 20, 200]),
    strain: luck.pick([0, 0, 0.02, 0.1]),
    courierMs: luck.pick([60, 600]),
  }
}

/** A machine as the weather knows it. */
export interface Exposed {
  readonly store: StoreSimulated
  readonly isUp: boolean
  readonly isRunning: boolean
  skewMs: number
  readonly start: () => void
  readonly crash: () => void
  readonly stop: (then: () => void) => void
}

const downMsMax = 3_000
const fullMsMax = 4_000
const skewMsMax = 90_000
const lookMs = 1_000

/** Lets a climate loose on machines; gives how to end it. */
export const begin = (
  loop: Loop,
  luck: Luck.Luck,
  climate: Climate,
  machines: ReadonlyArray<Exposed>,
): (() => void) => {
  const life: Life = { name: "weather", alive: true, skewMs: 0 }
  let crashes = 0
  const startLater = (machine: Exposed) =>
    void loop.after(life, luck.below(downMsMax), () => {
      if (!machine.isRunning) machine.start()
    })
  const crash = (machine: Exposed) => {
    if (!machine.isRunning || crashes >= climate.crashesMax) return
    crashes++
    machine.crash()
    startLater(machine)
  }
  for (const machine of machines)
    machine.store.onFlush = () => {
      if (luck.chance(climate.crashPerFlush)) crash(machine)
    }
  loop.onStep = () => {
    if (luck.chance(climate.crashPerStep)) crash(luck.pick(machines))
  }
  const look = () => {
    const machine = luck.pick(machines)
    if (luck.chance(climate.skews)) machine.skewMs = luck.below(2 * skewMsMax) - skewMsMax
    if (luck.chance(climate.fills)) {
      machine.store.isFull = true
      loop.after(life, luck.below(fullMsMax), () => (machine.store.isFull = false))
    }
    if (luck.chance(climate.stops) && machine.isUp) machine.stop(() => startLater(machine))
    loop.after(life, lookMs, look)
  }
  look()
  return () => {
    loop.onStep = () => {}
    loop.end(life)
    for (const machine of machines) {
      machine.store.onFlush = () => {}
      machine.store.isFull = false
      machine.skewMs = 0
    }
  }
}

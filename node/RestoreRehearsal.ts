/**
 * Restore rehearsal: turns are run again while the log that comes after them is still read, so that at the end of a
 * restore a process need not be made from its slot 0 once more. What was rehearsed counts only where it leads to the
 * state root that is attested; a process whose rehearsal is broken off is made at the end like any other, and what is
 * wrong with it is found and named there.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { EngineStore } from "../compute-unit/EngineStore.ts"
import type * as Follower from "../compute-unit/Follower.ts"
import type * as OutcomeLog from "../compute-unit/OutcomeLog.ts"
import * as Replay from "../compute-unit/Replay.ts"
import { Sandbox } from "../compute-unit/Sandbox.ts"
import type { TurnRunner } from "../compute-unit/TurnRunner.ts"
import type * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type * as Process from "../runtime/Process.ts"
import { Store } from "../runtime/Store.ts"

/** Turns that are to be run: those of one attestation, from slot 0 of a process on without a gap. */
export interface Part {
  readonly process: Process.Process
  readonly examined: ReadonlyArray<Follower.Examined>
  readonly group: Pick<OutcomeLog.Group, "attestation" | "engines">
}

export interface RestoreRehearsal {
  /**
   * Takes turns into the next round, which begins once they are many and the round before has ended. Those that do not go
   * on where the process stands end its rehearsal: nothing more of it is run, and the next round closes it.
   */
  readonly add: (part: Part) => Effect.Effect<void>
  /** Begins a round with what was added: it holds the contents that it came in. */
  readonly round: Effect.Effect<void>
  /** Where each process stands that was rehearsed to its last turn that was added; their sandboxes are closed. */
  readonly end: Effect.Effect<ReadonlyMap<Id.ProcessId, Attestation.Point>>
}

/** Turns with which a round begins: while they are run the next are made ready. */
const turnsPerRound = 2 * Limit.turnsPerRunMax

/** Processes that are open for it. Others are made at the end. */
const processesMax = 64

export interface Options {
  readonly engines: EngineStore
  readonly runTurns: TurnRunner
  /** Bytes of memory that the processes may take together. */
  readonly residentBytesMax: number
  /** Processes that are made from a snapshot: no turn before it is run. */
  readonly isLeftOut: (process: Id.ProcessId) => boolean
}

interface Rehearsed {
  /** The last slot that was added. */
  slot: number
  point: Attestation.Point | undefined
  ownBytes: number
  readonly waiting: Array<Part>
  /** It is closed as soon as nothing runs, and takes up its room until then. */
  isBroken: boolean
}

export const make = Effect.fnUntraced(function* (options: Options) {
  const { engines, runTurns, residentBytesMax, isLeftOut } = options
  const store = yield* Store
  const sandbox = yield* Sandbox
  const scope = yield* Effect.scope
  /** All that are in the sandbox or will be in the next round. */
  const open = new Map<Id.ProcessId, Rehearsed>()
  let running: Fiber.Fiber<void> | undefined

  const breakOff = (process: Id.ProcessId) =>
    Effect.suspend(() => {
      open.delete(process)
      return sandbox.close(process)
    })

  const openAt = ({ process, examined, group: { attestation, engines: since } }: Part) => {
    const engine = since.find(({ slot }) => slot === 0)?.engine ?? attestation.engine
    const spawn = examined[0]!.entry.item
    return Replay.openFirst(store, sandbox, process, { spawn, term: attestation.term, engine })
  }

  /** Runs one attestation's turns; whether they lead where it says. */
  const runPart = Effect.fnUntraced(function* (part: Part, of: Rehearsed) {
    const { examined, group, process } = part
    const { from, to } = group.attestation
    if (from.slot < 0) yield* openAt(part)
    for (let at = 0; at < examined.length; at += Limit.turnsPerRunMax) {
      if (of.isBroken) return false
      const page = examined.slice(at, at + Limit.turnsPerRunMax)
      const ready = yield* Replay.entriesFor(store, page, (slot) => slot === to.slot)
      const evaluated = yield* runTurns(process.id, ready)
      const { stateRoot, ownBytes } = evaluated.at(-1)!
      of.ownBytes = ownBytes
      if (stateRoot === undefined) continue
      if (!Bytes.equal(stateRoot, to.stateRoot)) return false
      of.point = { ...to, stateRoot }
    }
    return true
  })

  const isFull = (): boolean =>
    Array.from(open.values(), ({ ownBytes }) => ownBytes + Limit.residentOverheadBytes).reduce(
      (sum, bytes) => sum + bytes,
      0,
    ) >= residentBytesMax

  const runAll = (process: Id.ProcessId, of: Rehearsed) =>
    Effect.gen(function* () {
      for (const part of of.waiting.splice(0))
        if (of.isBroken || !(yield* engines.provide(runPart(part, of))) || isFull())
          return yield* breakOff(process)
    }).pipe(
      Effect.catch(() => breakOff(process)),
      Effect.catchDefect(() => breakOff(process)),
    )

  const isEnough = (): boolean =>
    Array.from(open.values(), ({ waiting }) =>
      waiting.reduce((sum, { examined }) => sum + examined.length, 0),
    ).reduce((sum, turns) => sum + turns, 0) >= turnsPerRound

  const settled = Effect.suspend(() => (running === undefined ? Effect.void : Fiber.join(running)))

  const take = (part: Part): void => {
    const { process, examined, group } = part
    const { from, to } = group.attestation
    // Under which program and engine turns after an upgrade are run is asked of all that is attested.
    const isPlain = examined.every(({ entry }) => entry.upgrade === undefined)
    if (from.slot < 0) {
      if (!isPlain || open.size >= processesMax || isFull() || isLeftOut(process.id)) return
      open.set(process.id, { slot: -1, point: undefined, ownBytes: 0, waiting: [], isBroken: false })
    }
    const of = open.get(process.id)
    if (of === undefined) return
    if (of.isBroken || of.slot !== from.slot || !isPlain) {
      of.isBroken = true
      of.waiting.length = 0
    } else {
      of.slot = to.slot
      of.waiting.push(part)
    }
  }

  const rehearsal: RestoreRehearsal = {
    add: (part) =>
      Effect.suspend(() => {
        take(part)
        return isEnough() ? rehearsal.round : Effect.void
      }),
    round: Effect.gen(function* () {
      yield* settled
      const broken = [...open].filter(([, { isBroken }]) => isBroken)
      yield* Effect.forEach(broken, ([process]) => breakOff(process), { discard: true })
      const all = [...open].filter(([, { waiting }]) => waiting.length > 0)
      running = yield* Effect.forkIn(
        Effect.forEach(all, ([process, of]) => runAll(process, of), { discard: true }),
        scope,
        { startImmediately: true },
      )
    }),
    end: Effect.gen(function* () {
      yield* rehearsal.round
      yield* settled
      const points = new Map<Id.ProcessId, Attestation.Point>()
      for (const [process, { slot, point }] of open) if (point?.slot === slot) points.set(process, point)
      yield* Effect.forEach([...open.keys()], breakOff, { discard: true })
      return points
    }),
  }
  return rehearsal
})

/**
 * Walk: a process in a sandbox that is led to any slot of its log. Forward it runs turns, and each is held against the
 * one recorded; back it takes up the last state that it kept and runs forward from there; far, it starts from a snapshot
 * of the source where there is one.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Refused } from "../runtime/Admission.ts"
import * as Attestation from "../runtime/Attestation.ts"
import type * as Id from "../runtime/Id.ts"
import type * as Upgrade from "../runtime/Upgrade.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import * as AuditChecks from "./AuditChecks.ts"
import { isUnfit, LogUnfit, unfit } from "./AuditFinding.ts"
import * as Beginning from "./Beginning.ts"
import { type Checkpoint, Checkpoints } from "./Checkpoints.ts"
import type { Turn } from "./ComputeUnit.ts"
import type { LogSource } from "./LogSource.ts"
import * as LogWindow from "./LogWindow.ts"
import * as OutcomeDifference from "./OutcomeDifference.ts"
import * as Rerun from "./Rerun.ts"
import type { Entry, Evaluated, Sandbox } from "./Sandbox.ts"

/** Hears what happens on the way to a slot. */
export interface Watch {
  readonly onProgress?: (slot: number) => void
  /** A turn came out otherwise than recorded, or a snapshot is not what is attested. */
  readonly onDifference?: (slot: number, differences: ReadonlyArray<OutcomeDifference.Difference>) => void
}

/** No turn is recorded there. */
export class SlotUnknown extends Data.TaggedError("SlotUnknown")<{
  readonly process: Id.ProcessId
  readonly slot: number
}> {
  override get message(): string {
    return `process ${this.process} has no turn of slot ${this.slot}`
  }
}

export type Failed = LogUnfit | SlotUnknown | Refused

/** A turn that was run, and what is recorded of it. */
export interface Step {
  readonly entry: LogEntry
  readonly turn: Turn
  readonly evaluated: Evaluated
  readonly upgrade: Upgrade.Upgrade | undefined
}

/** Slots are those whose turn is recorded; -1 is before the first. */
export interface Walk<E> {
  /** Makes the process in the sandbox stand after a slot. */
  readonly bring: (slot: number) => Effect.Effect<void, E | Failed>
  /** Runs the turn of a slot alone; the state before it is kept. */
  readonly step: (slot: number) => Effect.Effect<Step, E | Failed>
  /** The state after a slot. */
  readonly hold: (slot: number) => Effect.Effect<Checkpoint, E | Failed>
  /** A slot as one that is looked at. */
  readonly entry: (slot: number) => Effect.Effect<Entry, E | Failed>
}

/** Turns and fuel between two states that are kept: either takes some 20 ms to run again. */
const checkpointTurns = 128
const checkpointFuel = 100_000_000n

/** Turns over which it is worth the while to ask the source for a snapshot nearer to where it goes. */
const farTurns = 4 * checkpointTurns

/** Where the process in the sandbox stands. */
type Place = Omit<Checkpoint, "bytes" | "stateRoot">

const entryAt = ({ assignment, item }: LogEntry): Entry => ({
  ...assignment,
  item,
  data: undefined,
  inadmissible: undefined,
  pair: undefined,
  cron: undefined,
  authority: undefined,
  move: undefined,
  upgrade: undefined,
  root: false,
})

/** Begins before the spawn. */
export const begin = Effect.fnUntraced(function* <E>(
  source: LogSource<E>,
  sandbox: Sandbox["Service"],
  id: Id.ProcessId,
  { onProgress = () => {}, onDifference = () => {} }: Watch,
) {
  const rerun = Rerun.make(source, sandbox)
  const start = yield* Beginning.atSpawn(source, rerun, id)
  const window = LogWindow.make(source, id)
  const checkpoints = new Checkpoints()
  /** Unset while it moves, and after that failed. */
  let place: Place | undefined

  const restore = Effect.fnUntraced(function* ({ slot, stateRoot, bytes, log, inForce }: Checkpoint) {
    yield* Effect.orDie(sandbox.restore({ ...start.opening, ...inForce }, bytes, stateRoot))
    const here: Place = { slot, log, inForce }
    return here
  })

  const enter = Effect.fnUntraced(function* ({ from, log, inForce, enter }: Beginning.Beginning) {
    yield* enter
    const here: Place = { slot: from.slot, log, inForce }
    return here
  })

  /** The newest snapshot of the source in `(from, to]`, if it is good. */
  const jump = Effect.fnUntraced(function* (from: number, to: number) {
    const near = (yield* source.snapshots(id)).findLast(({ slot, kept }) => kept && slot > from && slot <= to)
    if (near === undefined) return undefined
    const entered = Effect.gen(function* () {
      const signed = yield* Beginning.attestedAt(source, id, near.slot)
      const [last] = yield* source.log(id, near.slot, 1)
      if (last === undefined) return yield* unfit(near.slot, "chain", "its entry is not there")
      const finding = AuditChecks.subject(signed, last)
      if (finding !== undefined) return yield* new LogUnfit(finding)
      return yield* enter(
        yield* Beginning.atSnapshot(source, rerun, id, signed.attestation, last, Beginning.credulous),
      )
    })
    return yield* Effect.catchIf(entered, isUnfit, ({ what, detail }) =>
      Effect.sync(() => {
        onDifference(near.slot, [{ what, recorded: "a snapshot of an attested state", now: detail }])
      }),
    )
  })

  /** The state as it stands, kept. */
  const keep = Effect.fnUntraced(function* (here: Place) {
    const there = checkpoints.at(here.slot)
    if (there !== undefined) return there
    const { stateRoot, bytes } = yield* Effect.orDie(sandbox.take(id))
    const checkpoint: Checkpoint = { ...here, stateRoot, bytes }
    checkpoints.add(checkpoint)
    return checkpoint
  })

  /** Runs slots up to `to` at most, as many as lie between two checkpoints. */
  const advance = Effect.fnUntraced(function* (from: Place, to: number) {
    const next = from.slot + 1
    const { entries, turns } = yield* window.take(next, Math.min(checkpointTurns, to - from.slot))
    if (entries.length === 0) return yield* new SlotUnknown({ process: id, slot: next })
    let fuel = 0n
    const cut = turns.findIndex(({ outcome }) => (fuel += outcome.fuelUsed) >= checkpointFuel)
    const count = cut < 0 ? entries.length : cut + 1
    const examined = yield* Rerun.recalled(id, from.log, { entries: entries.slice(0, count), turns })
    const wanted = examined.map(({ entry }) => ({ ...entry, root: false }))
    const { evaluated, inForce, stopped } = yield* rerun.turns(id, from.inForce, wanted)
    for (const [i, { outcome }] of evaluated.entries()) {
      const differences = OutcomeDifference.ofAll(turns[i]!.outcome, outcome)
      if (differences.length > 0) onDifference(outcome.slot, differences)
    }
    if (stopped !== undefined) return yield* new LogUnfit(stopped)
    place = { slot: from.slot + count, log: examined.at(-1)!.log, inForce }
    onProgress(place.slot)
    const last = {
      entry: entries[count - 1]!,
      turn: turns[count - 1]!,
      evaluated: evaluated.at(-1)!,
      upgrade: wanted.at(-1)!.upgrade,
    }
    return { place, last }
  })

  /** Makes the process stand after `slot`. */
  const bring = Effect.fnUntraced(function* (slot: number) {
    const [here, near] = [place, checkpoints.before(slot)]
    place = undefined
    const stays = here !== undefined && here.slot <= slot && here.slot >= (near?.slot ?? -1)
    const from = stays ? here.slot : (near?.slot ?? -1)
    const isFar = slot - from > farTurns
    if (isFar && (yield* source.turns(id, slot, 1)).length === 0)
      return yield* new SlotUnknown({ process: id, slot })
    const far = isFar ? yield* jump(from, slot) : undefined
    let at = far ?? (stays ? here : near !== undefined ? yield* restore(near) : yield* enter(start))
    while (at.slot < slot) {
      at = (yield* advance(at, slot)).place
      if (at.slot < slot) yield* keep(at)
    }
    place = at
    return at
  })

  const step = Effect.fnUntraced(function* (slot: number) {
    const before = yield* bring(slot - 1)
    // So that looking at what was before the turn costs no more than taking this up.
    if (before.slot >= 0) yield* keep(before)
    place = undefined
    return (yield* advance(before, slot)).last
  })

  /** Before the spawn: a slot that is not admitted changes nothing, so the state after one is the one before it. */
  const origin = Effect.gen(function* () {
    place = undefined
    const here = yield* enter(start)
    const { entries } = yield* window.take(0, 1)
    const nothing = { ...entryAt(entries[0]!), inadmissible: "before the spawn" }
    yield* Effect.orDie(sandbox.run(id, [nothing]))
    const { bytes } = yield* Effect.orDie(sandbox.take(id))
    const checkpoint: Checkpoint = { ...here, bytes, stateRoot: Attestation.origin.stateRoot }
    return checkpoint
  })

  const hold = Effect.fnUntraced(function* (slot: number) {
    return checkpoints.at(slot) ?? (slot < 0 ? yield* origin : yield* keep(yield* bring(slot)))
  })

  const entry = Effect.fnUntraced(function* (slot: number) {
    const [found] = slot < 0 ? [] : (yield* window.take(slot, 1)).entries
    return found === undefined ? yield* new SlotUnknown({ process: id, slot }) : entryAt(found)
  })

  const walk: Walk<E> = { bring: (slot) => Effect.asVoid(bring(slot)), step, hold, entry }
  return walk
})

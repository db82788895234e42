/**
 * Timeline: a process at any slot of its life, forward and back. What it was told, what it did, what it was before and
 * after, and what an expression comes to on a copy of it: the core of a debugger.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import * as Assign from "../runtime/Assign.ts"
import type * as Authority from "../runtime/Authority.ts"
import type * as Id from "../runtime/Id.ts"
import type * as Message from "../runtime/Message.ts"
import * as Module from "../runtime/Module.ts"
import type * as Upgrade from "../runtime/Upgrade.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import type { Checkpoint } from "./Checkpoints.ts"
import type { Turn } from "./ComputeUnit.ts"
import type { LogSource } from "./LogSource.ts"
import * as MemoryDifference from "./MemoryDifference.ts"
import * as OutcomeDifference from "./OutcomeDifference.ts"
import { Recent } from "../runtime/Recent.ts"
import type { Inspected, Sandbox } from "./Sandbox.ts"
import * as Snapshot from "./Snapshot.ts"
import * as Walk from "./Walk.ts"

export { SlotUnknown, type Failed, type Watch } from "./Walk.ts"

/** A turn with everything that is known of it. */
export interface Moment {
  readonly slot: number
  readonly timestamp: number
  readonly head: Uint8Array
  readonly message: Message.Message
  readonly upgrade: Upgrade.Upgrade | undefined
  readonly recorded: Turn
  readonly computed: Turn
  /** Between the two, fuel included. */
  readonly differences: ReadonlyArray<OutcomeDifference.Difference>
  /** In force after the turn. */
  readonly engine: Uint8Array
  /** Bytes of memory that are the process's alone. */
  readonly ownBytes: number
}

/** A process after a slot, without what is in its memory. */
export interface State {
  readonly slot: number
  readonly stateRoot: Uint8Array
  readonly engine: Uint8Array
  readonly module: Id.Id
  /** JSON texts. */
  readonly views: ReadonlyMap<string, string>
  /** Last pair numbers. */
  readonly sent: ReadonlyMap<Id.ProcessId, number>
  readonly received: ReadonlyMap<Id.ProcessId, number>
  readonly cron: ReadonlyMap<string, number>
  /** When each pending timer is due, in ms. */
  readonly timers: ReadonlyMap<Id.Id, number>
  /** Whom it believes from the next slot on. */
  readonly authority: Authority.InForce
  /** Pages of 64 KiB, and pages of 4 KiB that are not those of its boot image. */
  readonly memory: { readonly wasmPages: number; readonly ownPages: number } | undefined
}

/** Slots are those whose turn is recorded; -1 is before the first. */
export interface Timeline<E> {
  readonly seek: (slot: number) => Effect.Effect<Moment, E | Walk.Failed>
  /** After a slot. */
  readonly state: (slot: number) => Effect.Effect<State, E | Walk.Failed>
  /** What an expression comes to on a copy of the process. */
  readonly inspect: (
    slot: number,
    expression: string,
    when: "before" | "after",
  ) => Effect.Effect<Inspected, E | Walk.Failed>
  /** What memory the turn of a slot changed. */
  readonly touched: (slot: number) => Effect.Effect<MemoryDifference.MemoryDifference, E | Walk.Failed>
  /** From after slot `a` to after slot `b`. */
  readonly memoryDifference: (
    a: number,
    b: number,
  ) => Effect.Effect<MemoryDifference.MemoryDifference, E | Walk.Failed>
}

/** Moments kept: what one looks at again and again. */
const momentsMax = 64

interface Held {
  readonly checkpoint: Checkpoint
  readonly snapshot: Snapshot.Snapshot
}

const momentOf = ({ entry, turn: recorded, evaluated, upgrade }: Walk.Step): Moment => {
  const { outcome, trace, engine, ownBytes } = evaluated
  const { slot, timestamp, head } = entry.assignment
  const computed = { outcome, trace }
  const differences = OutcomeDifference.ofAll(recorded.outcome, outcome)
  const message = messageOf(entry)
  return { slot, timestamp, head, message, upgrade, recorded, computed, differences, engine, ownBytes }
}

const messageOf = (entry: LogEntry): Message.Message => Result.getOrThrow(Assign.read(entry.item)) // it was recalled before

export const open = Effect.fnUntraced(function* <E>(
  source: LogSource<E>,
  sandbox: Sandbox["Service"],
  id: Id.ProcessId,
  watch: Walk.Watch = {},
) {
  const walk = yield* Walk.begin(source, sandbox, id, watch)
  const moments = new Recent<number, Moment>(momentsMax)

  const seek = Effect.fnUntraced(function* (slot: number) {
    const known = moments.get(slot)
    if (known !== undefined) return known
    const moment = momentOf(yield* walk.step(slot))
    moments.set(slot, moment)
    return moment
  })

  const hold = Effect.fnUntraced(function* (slot: number) {
    const checkpoint = yield* walk.hold(slot)
    const snapshot = Result.getOrThrowWith(Snapshot.decode(checkpoint.bytes), (why) => new Error(why)) // as taken here
    const held: Held = { checkpoint, snapshot }
    return held
  })

  const state = Effect.fnUntraced(function* (slot: number) {
    const { checkpoint, snapshot } = yield* hold(slot)
    const { views, sent, received, cron, timers, authority, module } = snapshot.metadata
    const { engine, memory } = snapshot
    const made: State = {
      slot,
      stateRoot: checkpoint.stateRoot,
      engine,
      module,
      views,
      sent,
      received,
      cron,
      timers,
      authority,
      memory: memory && { wasmPages: memory.wasmPages, ownPages: memory.pages.length },
    }
    return made
  })

  const side = Effect.fnUntraced(function* (slot: number, held: Held, other: Held) {
    const { snapshot, checkpoint } = held
    const { module } = snapshot.metadata
    const replaced = module !== other.snapshot.metadata.module
    const wanted = replaced ? [] : MemoryDifference.lacking(snapshot.memory, other.snapshot.memory)
    if (wanted.length > 0) yield* walk.bring(slot)
    const pages = wanted.length > 0 ? yield* Effect.orDie(sandbox.pages(id, wanted)) : []
    const made: MemoryDifference.Side = {
      module,
      format: Module.format(checkpoint.inForce.source),
      memory: snapshot.memory,
      lacking: new Map(wanted.map((index, i) => [index, pages[i]!])),
    }
    return made
  })

  const memoryDifference = Effect.fnUntraced(function* (a: number, b: number) {
    const [before, after] = [yield* hold(a), yield* hold(b)]
    return MemoryDifference.between(yield* side(a, before, after), yield* side(b, after, before))
  })

  const inspect = Effect.fnUntraced(function* (slot: number, expression: string, when: "before" | "after") {
    const at = yield* walk.entry(slot)
    yield* walk.bring(when === "before" ? slot - 1 : slot)
    return yield* Effect.orDie(sandbox.inspect(id, expression, at))
  })

  const one = (yield* Semaphore.make(1)).withPermits(1)
  const timeline: Timeline<E> = {
    seek: (slot) => one(seek(slot)),
    state: (slot) => one(state(slot)),
    inspect: (slot, expression, when) => one(inspect(slot, expression, when)),
    touched: (slot) => one(memoryDifference(slot - 1, slot)),
    memoryDifference: (a, b) => one(memoryDifference(a, b)),
  }
  return timeline
})

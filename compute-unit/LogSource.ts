/**
 * LogSource: where an audit reads a process from: a messenger, an archive. Nothing that it gives is believed.
 */
import * as Effect from "effect/Effect"
import type * as Attestation from "../runtime/Attestation.ts"
import type * as Batch from "../runtime/Batch.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import type { SnapshotInfo, Turn } from "./ComputeUnit.ts"

export interface LogSource<E> {
  readonly log: (
    process: Id.ProcessId,
    from: number,
    limit: number,
  ) => Effect.Effect<ReadonlyArray<LogEntry>, E>
  readonly turns: (
    process: Id.ProcessId,
    from: number,
    limit: number,
  ) => Effect.Effect<ReadonlyArray<Turn>, E>
  readonly receipt: (process: Id.ProcessId, slot: number) => Effect.Effect<Batch.Receipt, E>
  readonly attestation: (
    process: Id.ProcessId,
    slot: number,
  ) => Effect.Effect<Attestation.SignedAttestation | undefined, E>
  readonly module: (id: Id.Id) => Effect.Effect<Uint8Array | undefined, E>
  /** Bytes that messages refer to, by their SHA-256. */
  readonly data: (hash: Id.Id) => Effect.Effect<Uint8Array | undefined, E>
  /** Snapshots taken, oldest first. */
  readonly snapshots: (
    process: Id.ProcessId,
  ) => Effect.Effect<ReadonlyArray<Pick<SnapshotInfo, "slot" | "kept">>, E>
  readonly snapshot: (process: Id.ProcessId, slot: number) => Effect.Effect<Uint8Array | undefined, E>
  /** An engine as bytes whose SHA-256 is its id. */
  readonly engineBytes: (engine: Uint8Array) => Effect.Effect<Uint8Array | undefined, E>
}

/** Slots and their turns as the source has them, from one slot on. Where both are short, there are no more. */
export interface Stretch {
  readonly entries: ReadonlyArray<LogEntry>
  readonly turns: ReadonlyArray<Turn>
}

export interface Reader<E> {
  /** At most `count` slots from `from` on. `from` never goes back. */
  readonly take: (from: number, count: number) => Effect.Effect<Stretch, E>
}

type Read<A, E> = (process: Id.ProcessId, from: number, limit: number) => Effect.Effect<ReadonlyArray<A>, E>

/** What is there from `first` on, at least `count` if there are as many: a page of large ones is a short one. */
const fill = Effect.fnUntraced(function* <A, E>(
  read: Read<A, E>,
  process: Id.ProcessId,
  first: number,
  there: ReadonlyArray<A>,
  count: number,
  limit: number,
) {
  let all = there
  while (all.length < count) {
    const page = yield* read(process, first + all.length, limit)
    if (page.length === 0) break
    all = [...all, ...page]
  }
  return all
})

/** `count` of them from `from` on, or as many as there are. */
export const readAll = <A, E>(read: Read<A, E>, process: Id.ProcessId, from: number, count: number) =>
  fill(read, process, from, [], count, count)

/** Reads a process's log and turns forward, a page ahead, so that a source far away is asked seldom. */
export const reader = <E>(source: LogSource<E>, process: Id.ProcessId): Reader<E> => {
  let first = 0
  let entries: ReadonlyArray<LogEntry> = []
  let turns: ReadonlyArray<Turn> = []

  const ahead = <A>(there: ReadonlyArray<A>, count: number, read: Read<A, E>) =>
    fill(read, process, first, there, count, Limit.logPageMax)
  return {
    take: Effect.fnUntraced(function* (from: number, count: number) {
      ;[entries, turns] = [entries.slice(from - first), turns.slice(from - first)]
      first = from
      const filled = [ahead(entries, count, source.log), ahead(turns, count, source.turns)] as const
      ;[entries, turns] = yield* Effect.all(filled, { concurrency: 2 })
      return { entries: entries.slice(0, count), turns: turns.slice(0, count) }
    }),
  }
}

/**
 * AssignmentLog: where a scheduler keeps what it assigned. On one machine it is a part of the store; for many
 * schedulers over one log it will be a database with fencing. Either way a batch is appended whole or not at all.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Admission from "../runtime/Admission.ts"
import type * as Batch from "../runtime/Batch.ts"
import type * as Id from "../runtime/Id.ts"
import type { StoreFailed } from "../runtime/Store.ts"
import type { CommittedBatch, LogEntry, ProcessHead } from "./SchedulerUnit.ts"

/** Where a content was admitted first. */
export interface Seen {
  readonly slot: number
  readonly contentHash: Uint8Array
}

/** A process by the time of its next cron message, in ms since 1970. */
export interface CronDue {
  readonly process: Id.ProcessId
  readonly at: number
}

/** An entry with the keys by which a repeat of it is found. */
export interface Appended extends LogEntry {
  readonly repeatKey: Uint8Array
  readonly contentHash: Uint8Array
}

/** A batch as receipts open it. */
export interface BatchLeaves {
  readonly link: Batch.SignedLink
  readonly leaves: ReadonlyArray<Uint8Array>
}

export class AssignmentLog extends Context.Service<
  AssignmentLog,
  {
    /** The newest batch. */
    readonly last: () => Batch.SignedLink | undefined
    readonly state: (process: Id.ProcessId) => Admission.LogState
    readonly seen: (process: Id.ProcessId, repeatKey: Uint8Array) => Seen | undefined
    readonly entry: (process: Id.ProcessId, slot: number) => LogEntry | undefined
    readonly entries: (process: Id.ProcessId, from: number, limit: number) => ReadonlyArray<LogEntry>
    /** A batch, or of one that is here in part what is here of it. */
    readonly batch: (number: number) => CommittedBatch | undefined
    /** The first batch from a number on: numbers of which nothing is here are passed over. */
    readonly batchFrom: (number: number) => CommittedBatch | undefined
    /** A batch with what stands in its tree, that of entries included which are not here. */
    readonly leaves: (number: number) => BatchLeaves | undefined
    readonly processes: () => ReadonlyArray<ProcessHead>
    /** Whether a key with this address has signed an item here. */
    readonly knows: (address: Id.Address) => boolean
    /** At most `limit` processes that have a cron, those that are due first. */
    readonly cronDue: (limit: number) => ReadonlyArray<CronDue>
    /** Appends a batch; `states` are those after it, of the processes in it. Durable on return. */
    readonly append: (
      link: Batch.SignedLink,
      entries: ReadonlyArray<Appended>,
      states: ReadonlyMap<Id.ProcessId, Admission.LogState>,
    ) => Effect.Effect<void, StoreFailed>
  }
>()("heddle/AssignmentLog") {}

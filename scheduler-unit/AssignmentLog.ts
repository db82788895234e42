/**
 * AssignmentLog: where a scheduler keeps what it assigned. On one machine it is a part of the store; for many
 * schedulers over one log it will be a database with fencing. Either way a batch is appended whole or not at all.
 *
 * It has one **chain**: the batches of one key, numbered 0, 1, 2..., that `append` goes on with. A process that came from
 * another scheduler has slots in batches of that one: **foreign** batches, each known by its scheduler and number, of
 * which only the entries of such processes are here.
 *
 *     chain of B:       batch 0      batch 1           batch 2
 *     process P:                     slots 3, 4        slot 5
 *     foreign, of A:    A's batch 7: slots 0, 1        A's batch 9: slot 2
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

/** An entry that was given a slot before, perhaps elsewhere. */
export interface Given extends LogEntry {
  /** Unset where it was not admitted, since what is not admitted can come again. */
  readonly repeatKey: Uint8Array | undefined
  readonly contentHash: Uint8Array
}

/** An entry with how its receipt is made. */
export interface Placed extends LogEntry {
  /** Whose batch has it, and its way to the root there; unset where the batch is of the chain. */
  readonly foreign: { readonly scheduler: Id.Address; readonly path: Batch.Receipt["path"] } | undefined
}

/** A batch as receipts open it. */
export interface BatchLeaves {
  readonly link: Batch.SignedLink
  readonly leaves: ReadonlyArray<Uint8Array>
}

/** A slot that another scheduler gave, under the link that it signed. */
export interface Foreign extends Given, Pick<Batch.Receipt, "link" | "path"> {}

export class AssignmentLog extends Context.Service<
  AssignmentLog,
  {
    /** The newest batch of the chain. */
    readonly last: () => Batch.SignedLink | undefined
    readonly state: (process: Id.ProcessId) => Admission.LogState
    readonly seen: (process: Id.ProcessId, repeatKey: Uint8Array) => Seen | undefined
    /** Whoever gave the slot, as in `entries`. */
    readonly entry: (process: Id.ProcessId, slot: number) => Placed | undefined
    readonly entries: (process: Id.ProcessId, from: number, limit: number) => ReadonlyArray<LogEntry>
    /** A batch of the chain, or of one that is here in part what is here of it. */
    readonly batch: (number: number) => CommittedBatch | undefined
    /** The first batch of the chain from a number on: numbers of which nothing is here are passed over. */
    readonly batchFrom: (number: number) => CommittedBatch | undefined
    /** A batch with what stands in its tree, that of entries included which are not here. */
    readonly leaves: (number: number) => BatchLeaves | undefined
    /** The link of a foreign batch. */
    readonly foreignLink: (scheduler: Id.Address, number: number) => Batch.SignedLink | undefined
    /** The newest foreign batch that is of a scheduler: one of the chain's own key was signed elsewhere. */
    readonly newestForeign: (scheduler: Id.Address) => Batch.SignedLink | undefined
    readonly processes: () => ReadonlyArray<ProcessHead>
    /** Processes of which another than `own` gives the next slot, and who that is. */
    readonly elsewhere: (
      own: Id.Address,
    ) => ReadonlyArray<{ readonly process: Id.ProcessId; readonly scheduler: Id.Address }>
    /** Whether a key with this address has signed an item here. */
    readonly knows: (address: Id.Address) => boolean
    /** At most `limit` processes that have a cron, those that are due first. */
    readonly cronDue: (limit: number) => ReadonlyArray<CronDue>
    /** Appends a batch to the chain; `states` are those after it, of the processes in it. Durable on return. */
    readonly append: (
      link: Batch.SignedLink,
      entries: ReadonlyArray<Appended>,
      states: ReadonlyMap<Id.ProcessId, Admission.LogState>,
    ) => Effect.Effect<void, StoreFailed>
    /**
     * Takes in slots that other schedulers gave, in one commit: each process's in order, and `states`, those after the last
     * of them. Who calls it has verified all of it. Slots that are here stay as they are, so it can be said again. Cron
     * messages fall due where `own`, whose chain this is, gives the next slot. Durable on return.
     */
    readonly adopt: (
      slots: ReadonlyArray<Foreign>,
      states: ReadonlyMap<Id.ProcessId, Admission.LogState>,
      own: Id.Address,
    ) => Effect.Effect<void, StoreFailed>
  }
>()("heddle/AssignmentLog") {}

/**
 * SchedulerUnit: gives messages their place. The seam between who wants a slot and who gives it, wherever that is.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as Admission from "../runtime/Admission.ts"
import type * as Assignment from "../runtime/Assignment.ts"
import type * as Authority from "../runtime/Authority.ts"
import type * as Batch from "../runtime/Batch.ts"
import type * as Feed from "../runtime/Feed.ts"
import type * as Id from "../runtime/Id.ts"
import type * as Move from "../runtime/Move.ts"

/** A message has its slot, durably. `repeat` says that it had it before. */
export interface Accepted {
  readonly id: Id.Id
  readonly process: Id.ProcessId
  readonly slot: number
  /** ms since 1970. */
  readonly timestamp: number
  readonly head: Uint8Array
  readonly repeat: boolean
}

/** One slot of a process's log, with all that admission reads. */
export interface LogEntry {
  readonly assignment: Assignment.Assignment
  /** Number of the batch that committed it, and its place there. */
  readonly batch: number
  readonly index: number
  readonly item: Uint8Array
  /** Empty unless a process emitted the item. */
  readonly proof: Uint8Array
}

/** A batch as followers get it: the signed link and its entries in the order of the leaves. */
export interface CommittedBatch {
  readonly link: Batch.SignedLink
  readonly entries: ReadonlyArray<LogEntry>
}

/** A slot with the signed statement that it was given. */
export interface Receipted {
  readonly entry: LogEntry
  readonly receipt: Batch.Receipt
}

/** A process by the end of its log. */
export interface ProcessHead {
  readonly process: Id.ProcessId
  readonly nextSlot: number
  readonly timestamp: number
}

export class LogUnknown extends Data.TaggedError("LogUnknown")<{
  readonly process: Id.ProcessId
  readonly slot: number
}> {
  override get message(): string {
    return `process ${this.process} has no slot ${this.slot} here`
  }
}

/** A batch that its scheduler can't have committed, or did not sign. Nothing of it, or after it, was passed on. */
export class BatchInvalid extends Data.TaggedError("BatchInvalid")<{
  readonly scheduler: Id.Address
  readonly number: number
  readonly detail: string
}> {
  override get message(): string {
    return `batch ${this.number} of scheduler ${this.scheduler}: ${this.detail}`
  }
}

export class SchedulerUnit extends Context.Service<
  SchedulerUnit,
  {
    readonly address: Id.Address
    /** Asks for a slot. `proof` is empty unless a process emitted the item. Answers after the durable commit. */
    readonly submit: (item: Uint8Array, proof: Uint8Array) => Effect.Effect<Accepted, Admission.Refused>
    /**
     * Keeps bytes for a message to refer to and gives their hash. They stay once such a message is admitted; until then
     * later uploads can drive them out.
     */
    readonly addData: (bytes: Uint8Array) => Effect.Effect<Id.Id, Admission.Refused>
    /** Bytes that messages refer to. Whoever reads them compares their hash. */
    readonly data: (hash: Id.Id) => Effect.Effect<Uint8Array | undefined>
    /**
     * The signed statement that a slot was given, of whoever gave it. Of one that comes from elsewhere it is checked that it
     * holds and that its owner signed it; whether they were the scheduler in force there, who reads the log says.
     */
    readonly receipt: (process: Id.ProcessId, slot: number) => Effect.Effect<Batch.Receipt, LogUnknown>
    /** At most `limit` slots from `from` on, in order; empty past the end. */
    readonly log: (
      process: Id.ProcessId,
      from: number,
      limit: number,
    ) => Effect.Effect<ReadonlyArray<LogEntry>, LogUnknown>
    /** Whom a process believes in the slot that comes next. */
    readonly authority: (process: Id.ProcessId) => Effect.Effect<Authority.InForce, LogUnknown>
    /** Who gives the next slot of a process. */
    readonly tenure: (process: Id.ProcessId) => Effect.Effect<Move.Tenure, LogUnknown>
    /**
     * Every slot of a process from one on, whoever gave it, then each new one; never ends. Of one that comes from elsewhere
     * it is checked that its receipt holds and its owner signed it, and that it follows the one before.
     */
    readonly slots: (process: Id.ProcessId, from: number) => Stream.Stream<Receipted, LogUnknown>
    /**
     * Processes of which this unit has taken in slots that another scheduler gave, now and each time it has taken in more;
     * never ends. Those stand in no batch of its own. From elsewhere it tells nothing: who wants them follows that scheduler.
     */
    readonly grown: Stream.Stream<ReadonlyArray<ProcessHead>>
    /** Guest code of a module. Whoever reads it compares its id. */
    readonly module: (id: Id.Id) => Effect.Effect<Uint8Array | undefined>
    readonly processes: Effect.Effect<ReadonlyArray<ProcessHead>>
    /** Whether a key with this address has signed what stands in a log here. */
    readonly knows: (address: Id.Address) => Effect.Effect<boolean>
    /** The number that the next batch will have. */
    readonly nextBatch: Effect.Effect<number>
    /**
     * Every batch from a number on, then each new one after its commit; never ends. One that comes from elsewhere is
     * checked first: signature, previous root, and the tree over its leaves.
     */
    readonly batches: (
      from: number,
      options?: Pick<Feed.FollowOptions<CommittedBatch>, "behind">,
    ) => Stream.Stream<CommittedBatch, BatchInvalid>
  }
>()("heddle/SchedulerUnit") {}

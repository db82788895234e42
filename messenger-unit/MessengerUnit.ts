/**
 * MessengerUnit: the caller's door, and the way between processes. Whoever speaks to a network speaks to a messenger,
 * in this process or over HTTP; both implement this seam and pass one suite.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as ArchiveUnit from "../archive-unit/ArchiveUnit.ts"
import type {
  Answer,
  ComputeUnknown,
  Emitted,
  ModuleInvalid,
  Query,
  SnapshotInfo,
  Turn,
  View,
  ViewProven,
} from "../compute-unit/ComputeUnit.ts"
import type { Refused } from "../runtime/Admission.ts"
import type { ArchiveUnavailable } from "../runtime/Archive.ts"
import type * as Attestation from "../runtime/Attestation.ts"
import type * as Authority from "../runtime/Authority.ts"
import type * as Batch from "../runtime/Batch.ts"
import type * as Id from "../runtime/Id.ts"
import type { OutboxEntry, TurnError } from "../runtime/Outcome.ts"
import type { StoreFailed } from "../runtime/Store.ts"
import type { Accepted, LogEntry, LogUnknown } from "../scheduler-unit/SchedulerUnit.ts"

/** No answer from the messenger; whether it acted is not known. Sending the same signed item again is safe. */
export class Unreachable extends Data.TaggedError("Unreachable")<{
  readonly url: string
  readonly detail: string
}> {
  override get message(): string {
    return `no answer from ${this.url}: ${this.detail}`
  }
}

/** What a message was answered. */
export interface Answered {
  readonly fuelUsed: bigint
  /** JSON text of the reply, or why there is none: `parked` where the node has stopped computing the process. */
  readonly result:
    | { readonly value: string }
    | { readonly error: string; readonly reason: TurnError["reason"] | "replied" | "parked" }
}

/** What became of an `ask`. */
export interface Asked extends Answered {
  readonly accepted: Accepted
}

/** The node behind a messenger. */
export interface NodeInfo {
  readonly version: string
  readonly scheduler: Id.Address
  readonly compute: Id.Address
  readonly engine: Uint8Array
}

export interface ProcessInfo {
  readonly process: Id.ProcessId
  readonly owner: Id.Address
  readonly module: Id.Id
  readonly name: string | undefined
  /** Slots assigned, and how many of them are computed. */
  readonly slots: number
  readonly computed: number
  /** ms since 1970 of the newest slot. */
  readonly timestamp: number
  /** Root after the newest turns attested. */
  readonly stateRoot: Uint8Array
  /** Engine that ran the newest turn; unset before the first. */
  readonly engine: Uint8Array | undefined
  readonly parked: string | undefined
}

/** Where an outbox entry stands: in the outbox of a slot of the process that emitted it. */
export interface OutboxPlace {
  readonly source: Id.ProcessId
  readonly slot: number
  readonly index: number
}

/** An outbox entry that is not delivered: why, and since when (ms since 1970). */
export interface Undelivered extends OutboxPlace {
  readonly target: Id.ProcessId
  readonly kind: OutboxEntry["kind"]
  readonly due: number
  readonly reason: string
  readonly since: number
  /** Times that it was tried since the node started; 0 while another of its pair goes first. */
  readonly attempts: number
  /** When it is tried next; unset where something has to happen first, or somebody retries it. */
  readonly next: number | undefined
}

/** What became of entries that were tried again: of each pair the one that goes first. */
export interface Retried {
  readonly tried: number
  readonly delivered: number
  /** Those that were not delivered at once, as they now stand. */
  readonly waiting: ReadonlyArray<Undelivered>
}

/** An entry that does not wait in this outbox. */
export class EntryUnknown extends Data.TaggedError("EntryUnknown")<OutboxPlace> {
  override get message(): string {
    const entry = `${this.source}.${this.slot}.${this.index}`
    return `entry ${entry} does not wait here: it is delivered, or never was; heddle outbox shows those that do`
  }
}

/** What a process said to a person, as it lies in the person's inbox. Who reads it checks the proof (`ProvenLetter`). */
export interface Letter {
  /** Place in the inbox, from 0. */
  readonly number: number
  /** ms since 1970 when it came here. */
  readonly at: number
  readonly source: Id.ProcessId
  readonly slot: number
  readonly index: number
  readonly item: Uint8Array
  readonly proof: Uint8Array
}

/** An address of which no key is known here: what is for it waits in the outbox. */
export class InboxUnknown extends Data.TaggedError("InboxUnknown")<{ readonly address: Id.Address }> {
  override get message(): string {
    return `no key of ${this.address} is known here; tell the node of it with: heddle inbox --as <key>`
  }
}

/** A key that nobody can have an inbox by, or one inbox too many. */
export class InboxRefused extends Data.TaggedError("InboxRefused")<{
  readonly reason: "not a key" | "too many inboxes"
  readonly detail: string
}> {
  override get message(): string {
    return `${this.reason}: ${this.detail}`
  }
}

export class MessengerUnit extends Context.Service<
  MessengerUnit,
  {
    readonly info: Effect.Effect<NodeInfo, Unreachable>
    /** Keeps guest code for spawns to name, once it has been seen to load. */
    readonly addModule: (
      source: Uint8Array,
    ) => Effect.Effect<Id.Id, ModuleInvalid | StoreFailed | Refused | Unreachable>
    readonly module: (id: Id.Id) => Effect.Effect<Uint8Array | undefined, Unreachable>
    /** Keeps bytes for messages to refer to; gives their hash. They stay once such a message has its slot. */
    readonly addData: (bytes: Uint8Array) => Effect.Effect<Id.Id, Refused | Unreachable>
    /** Bytes that messages refer to. Whoever reads them compares their hash. */
    readonly data: (hash: Id.Id) => Effect.Effect<Uint8Array | undefined, Unreachable>
    /** Sends a signed item; answers once it has its slot durably. */
    readonly send: (item: Uint8Array) => Effect.Effect<Accepted, Refused | Unreachable>
    /** Sends a signed item and waits for the answer to it, however many turns that takes. */
    readonly ask: (item: Uint8Array) => Effect.Effect<Asked, Refused | Unreachable>
    /** The answer to the message of an assigned slot; waits for it, however many turns that takes. */
    readonly answer: (
      process: Id.ProcessId,
      slot: number,
    ) => Effect.Effect<Answered, LogUnknown | Unreachable>
    readonly receipt: (
      process: Id.ProcessId,
      slot: number,
    ) => Effect.Effect<Batch.Receipt, LogUnknown | Unreachable>
    readonly log: (
      process: Id.ProcessId,
      from: number,
      limit: number,
    ) => Effect.Effect<ReadonlyArray<LogEntry>, LogUnknown | Unreachable>
    /** The turn of an assigned slot; waits for it. */
    readonly turn: (process: Id.ProcessId, slot: number) => Effect.Effect<Turn, LogUnknown | Unreachable>
    readonly turns: (
      process: Id.ProcessId,
      from: number,
      limit: number,
    ) => Effect.Effect<ReadonlyArray<Turn>, Unreachable>
    readonly attestation: (
      process: Id.ProcessId,
      slot: number,
    ) => Effect.Effect<Attestation.SignedAttestation | undefined, Unreachable>
    /** What shows that the process's scheduler equivocated, where the node's compute unit has seen it. */
    readonly equivocation: (
      process: Id.ProcessId,
    ) => Effect.Effect<Batch.Equivocation | undefined, Unreachable>
    readonly follow: (process: Id.ProcessId, from: number) => Stream.Stream<Turn, LogUnknown | Unreachable>
    readonly query: (
      process: Id.ProcessId,
      query: Query,
    ) => Effect.Effect<Answer, ComputeUnknown | Refused | Unreachable>
    readonly view: (process: Id.ProcessId, name: string) => Effect.Effect<View | undefined, Unreachable>
    /** A view with what proves it, absence included; `ProvenView.check` is who believes it or not. */
    readonly viewProof: (
      process: Id.ProcessId,
      name: string,
    ) => Effect.Effect<ViewProven, ComputeUnknown | Refused | Unreachable>
    /** Snapshots taken of a process, oldest first. */
    readonly snapshots: (process: Id.ProcessId) => Effect.Effect<ReadonlyArray<SnapshotInfo>, Unreachable>
    /** The bytes of a snapshot that is kept. */
    readonly snapshot: (
      process: Id.ProcessId,
      slot: number,
    ) => Effect.Effect<Uint8Array | undefined, Unreachable>
    /** An engine as bytes whose SHA-256 is its id. */
    readonly engineBytes: (engine: Uint8Array) => Effect.Effect<Uint8Array | undefined, Unreachable>
    readonly process: (process: Id.ProcessId) => Effect.Effect<ProcessInfo, LogUnknown | Unreachable>
    readonly processes: Effect.Effect<ReadonlyArray<ProcessInfo>, Unreachable>
    /** Whom a process believes in the slot that comes next. */
    readonly authority: (process: Id.ProcessId) => Effect.Effect<Authority.InForce, LogUnknown | Unreachable>
    /** Entries that are not delivered, at most a thousand of them, oldest first. */
    readonly outbox: Effect.Effect<ReadonlyArray<Undelivered>, Unreachable>
    /** An outbox entry that is not delivered, with its proof. */
    readonly outboxEntry: (
      place: OutboxPlace,
    ) => Effect.Effect<Pick<Emitted, "entry" | "proof"> | undefined, Unreachable>
    /** Tries entries again at once, or one of them. */
    readonly retry: (entry?: OutboxPlace) => Effect.Effect<Retried, EntryUnknown | Unreachable>
    /** Tells of a person's key, so that what is for its address has an inbox; gives the address. */
    readonly openInbox: (
      signatureType: number,
      owner: Uint8Array,
    ) => Effect.Effect<Id.Address, InboxRefused | StoreFailed | Unreachable>
    /**
     * At most `limit` letters to a person, from a number on; none past the end. With `wait` it answers once there is one,
     * or after a while without.
     */
    readonly inbox: (
      address: Id.Address,
      from: number,
      limit: number,
      wait?: boolean,
    ) => Effect.Effect<ReadonlyArray<Letter>, InboxUnknown | Unreachable>
    /** How far the node's archive is behind the node. */
    readonly archive: Effect.Effect<ArchiveUnit.Status, Unreachable>
    /** The newest slot of a process that is confirmed in the archive, with all before it. */
    readonly anchor: (process: Id.ProcessId) => Effect.Effect<ArchiveUnit.Anchor | undefined, Unreachable>
    /** Estimates what archiving a process takes; nothing is spent. */
    readonly archiveCost: (
      process: Id.ProcessId,
    ) => Effect.Effect<ArchiveUnit.Cost, LogUnknown | ArchiveUnavailable | Unreachable>
  }
>()("heddle/MessengerUnit") {}

/**
 * ComputeUnit: what follows from a log. The seam between who wants outcomes and who computes them, wherever that is.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Refused } from "../runtime/Admission.ts"
import type * as Assignment from "../runtime/Assignment.ts"
import type * as Attestation from "../runtime/Attestation.ts"
import type * as Batch from "../runtime/Batch.ts"
import type * as Feed from "../runtime/Feed.ts"
import type * as Id from "../runtime/Id.ts"
import type * as Outcome from "../runtime/Outcome.ts"
import type { StoreFailed } from "../runtime/Store.ts"
import type * as ViewProof from "../runtime/ViewProof.ts"

/** A turn that is durable, with what its author wants to read. */
export interface Turn {
  readonly outcome: Outcome.Outcome
  readonly trace: Outcome.Trace
}

/** An outbox entry on its way, with the proof that goes beside it. */
export interface Emitted {
  readonly source: Id.ProcessId
  readonly slot: number
  readonly index: number
  readonly entry: Outcome.OutboxEntry
  readonly proof: Uint8Array
}

/** What one commit of a compute unit let out. */
export interface Release {
  readonly number: number
  readonly emitted: ReadonlyArray<Emitted>
}

/** What one commit of a compute unit wrote: attestations under one signature, with the outcomes that they are about. */
export interface Committed extends Batch.Signed {
  /** That of its release. */
  readonly number: number
  /** All leaves of the tree that was signed, in order. */
  readonly groups: ReadonlyArray<{
    readonly attestation: Attestation.Attestation
    readonly outcomes: ReadonlyArray<Outcome.Outcome>
  }>
}

/** A message that is run on a throw-away copy of the newest state. */
export interface Query {
  readonly action: string
  readonly tags: ReadonlyArray<readonly [name: string, value: string]>
  readonly data: Uint8Array
  /** Who asks, where a signature shows it; empty otherwise. */
  readonly from: string
}

/** An unproven answer, of the state after `slot`. */
export interface Answer {
  readonly slot: number
  readonly timestamp: number
  readonly fuelUsed: bigint
  readonly result: { readonly value: string | null } | { readonly error: Outcome.TurnError }
  readonly console: Outcome.Trace["console"]
}

export interface View {
  readonly value: string
  /** The slot whose turn published it. */
  readonly slot: number
}

/** A view, or that there is none, with everything that shows it to a reader who believes the unit's signature alone. */
export interface ViewProven {
  readonly name: string
  /** JSON text; `null` where the process publishes nothing under the name. */
  readonly value: string | null
  /** Opens the state root that is attested at the view. */
  readonly opening: ViewProof.Opening
  readonly attestation: Attestation.SignedAttestation
  /** Of the slot that the attestation leads to: its head commits to the time. */
  readonly assignment: Assignment.Assignment
}

/** A snapshot that was taken. Of an old one only this is kept. */
export interface SnapshotInfo {
  readonly slot: number
  readonly stateRoot: Uint8Array
  /** Of its bytes as served. */
  readonly sha256: Uint8Array
  readonly length: number
  /** Whether the bytes are still here. */
  readonly kept: boolean
}

/** How a process stands at this unit. */
export interface Progress {
  /** Slots computed and durable. */
  readonly slots: number
  /** Engine that ran the last of them; unset before the first. */
  readonly engine: Uint8Array | undefined
  /** Set where the unit has stopped following: why, in words for the operator. */
  readonly parked: string | undefined
}

export class ComputeUnknown extends Data.TaggedError("ComputeUnknown")<{ readonly process: Id.ProcessId }> {
  override get message(): string {
    return `process ${this.process} is not computed here`
  }
}

/** Guest code that does not parse or throws while it loads. Lines and columns count from 1. */
export class ModuleInvalid extends Data.TaggedError("ModuleInvalid")<{
  readonly detail: string
  readonly file: string
  readonly line: number
  readonly column: number
}> {
  override get message(): string {
    return `module does not load: ${this.detail} (${this.file}:${this.line}:${this.column})`
  }
}

export class ComputeUnit extends Context.Service<
  ComputeUnit,
  {
    readonly address: Id.Address
    readonly engine: Uint8Array
    /** Keeps guest code for spawns to name, once it has been seen to load. */
    readonly addModule: (source: Uint8Array) => Effect.Effect<Id.Id, ModuleInvalid | StoreFailed | Refused>
    /** The turn of a slot; waits for it. */
    readonly turn: (process: Id.ProcessId, slot: number) => Effect.Effect<Turn>
    /** Turns from `from` on that are there, at most `limit`. */
    readonly turns: (process: Id.ProcessId, from: number, limit: number) => Effect.Effect<ReadonlyArray<Turn>>
    /** The answer to a message, from whatever later slot gives it; waits for it. */
    readonly reply: (process: Id.ProcessId, message: Id.Id) => Effect.Effect<Outcome.Reply>
    /** Every turn from a slot on, then each new one; never ends. */
    readonly follow: (process: Id.ProcessId, from: number) => Stream.Stream<Turn>
    readonly query: (process: Id.ProcessId, query: Query) => Effect.Effect<Answer, ComputeUnknown | Refused>
    readonly view: (process: Id.ProcessId, name: string) => Effect.Effect<View | undefined>
    /** A view of the newest attested state with its proof, absence included. */
    readonly viewProof: (
      process: Id.ProcessId,
      name: string,
    ) => Effect.Effect<ViewProven, ComputeUnknown | Refused>
    /** Snapshots taken, oldest first. */
    readonly snapshots: (process: Id.ProcessId) => Effect.Effect<ReadonlyArray<SnapshotInfo>>
    /** The bytes of a snapshot that is kept. */
    readonly snapshot: (process: Id.ProcessId, slot: number) => Effect.Effect<Uint8Array | undefined>
    /** An engine that this unit serves, as bytes whose SHA-256 is its id. */
    readonly engineBytes: (engine: Uint8Array) => Effect.Effect<Uint8Array | undefined>
    /** The attestation whose turns reach `slot`, once it is signed. */
    readonly attestation: (
      process: Id.ProcessId,
      slot: number,
    ) => Effect.Effect<Attestation.SignedAttestation | undefined>
    /** Waits until the unit stops following a process, if ever, and says why: no turn comes after that. */
    readonly parked: (process: Id.ProcessId) => Effect.Effect<string>
    /** What shows that the process's scheduler gave a slot or a batch number twice, where this unit has seen it. */
    readonly equivocation: (process: Id.ProcessId) => Effect.Effect<Batch.Equivocation | undefined>
    readonly progress: (process: Id.ProcessId) => Effect.Effect<Progress>
    /** What left with each commit from a number on, then with each new one; never ends. */
    readonly releases: (from: number) => Stream.Stream<Release>
    /** The number that the next commit will have. */
    readonly nextCommit: Effect.Effect<number>
    /** Every commit from a number on, then each new one; never ends. */
    readonly commits: (
      from: number,
      options?: Pick<Feed.FollowOptions<Committed>, "behind">,
    ) => Stream.Stream<Committed>
  }
>()("heddle/ComputeUnit") {}

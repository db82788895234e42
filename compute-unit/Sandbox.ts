/**
 * Sandbox: runs the turns of processes, bytes in and bytes out. The seam between a compute unit, which decides what
 * becomes of a turn, and the threads in which guests run.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Authority from "../runtime/Authority.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Drop from "../runtime/Drop.ts"
import type * as Id from "../runtime/Id.ts"
import type * as Move from "../runtime/Move.ts"
import type * as Outcome from "../runtime/Outcome.ts"
import type * as ViewProof from "../runtime/ViewProof.ts"
import type { Answer, ModuleInvalid, Query } from "./ComputeUnit.ts"

/** What a process is before its first turn. */
export interface Opening {
  readonly process: Id.ProcessId
  /** The spawn item; everything fixed for life is in it. */
  readonly spawn: Uint8Array
  readonly term: number
  /** Guest code of the module that it runs: the one that the spawn names, or after an upgrade a later one. */
  readonly source: Uint8Array
  /** Engine under which it was attested first, where it was and its spawn names none. */
  readonly engine: Uint8Array | undefined
}

/** One slot as a sandbox needs it: what admission made of it has been decided. */
export interface Entry {
  readonly slot: number
  readonly timestamp: number
  readonly head: Uint8Array
  readonly item: Uint8Array
  /** What the item's message refers to, where it refers to data: the turn is told this. */
  readonly data: Uint8Array | undefined
  /** Set where the slot should not be in the log: no turn is run. */
  readonly inadmissible: string | undefined
  /** Pair number admitted with it, where a process sent it. */
  readonly pair: number | undefined
  /** Why the message was given up that would stand here, where it was: its number is taken, and no turn is run. */
  readonly void?: string | undefined
  /** What the slot gives up, where it is its owner's word that the process gives up a message (spec 05 §7). */
  readonly drop?: Drop.Dropped | undefined
  /** Count of the cron that it is, where it is one. */
  readonly cron: { readonly name: string; readonly count: number } | undefined
  /** Set where it is its owner's word whom the process believes from the next slot on. */
  readonly authority: Authority.InForce | undefined
  /** Set where from the next slot on another scheduler gives them, or, in a takeover, from this one on. */
  readonly move: Move.Tenure | undefined
  /** Set where it is its owner's word that the process goes on as another program (spec 04 §9). */
  readonly upgrade: Upgrade | undefined
  /** Whether the state root after it is wanted. */
  readonly root: boolean
}

export interface Upgrade {
  readonly module: Id.Id
  /** Engine that is to run it; without one, the engine in force or the one of this version. */
  readonly engine: Uint8Array | undefined
  /** Guest code of `module`. A caller that lacks it can't run the slot. */
  readonly source: Uint8Array
}

export interface Evaluated {
  readonly outcome: Outcome.Outcome
  readonly trace: Outcome.Trace
  readonly stateRoot: Uint8Array | undefined
  /** Engine in force after the turn. */
  readonly engine: Uint8Array
  /** Bytes of memory that are the process's alone. */
  readonly ownBytes: number
}

/** A process after a slot, complete: what it takes to go on from there in another thread, or another machine. */
export interface Taken {
  /** The last slot run. */
  readonly slot: number
  readonly stateRoot: Uint8Array
  /** Its state as bytes (spec 04 §8), compressed. */
  readonly bytes: Uint8Array
}

/** What opens the state root that a view hangs on. */
export interface StateProof {
  readonly slot: number
  readonly opening: ViewProof.Opening
}

/** What an expression came to on a copy of the state, in words for a person. */
export interface Inspected {
  readonly text: string
  readonly console: Outcome.Trace["console"]
  readonly fuelUsed: bigint
}

/** The thread has no such engine: `addEngine` gives it one. */
export class EngineUnknown extends Data.TaggedError("EngineUnknown")<{ readonly engine: Uint8Array }> {
  override get message(): string {
    return `engine ${Bytes.toBase64Url(this.engine)} is not here`
  }
}

/** Bytes that are not those of the engine wanted, or of one that this version of heddle can't run. */
export class EngineInvalid extends Data.TaggedError("EngineInvalid")<{
  readonly engine: Uint8Array
  readonly detail: string
}> {
  override get message(): string {
    return `engine ${Bytes.toBase64Url(this.engine)} can't be run here: ${this.detail}`
  }
}

/** A snapshot that does not lead to the state root it is to lead to; what is wrong, in words. */
export class SnapshotInvalid extends Data.TaggedError("SnapshotInvalid")<{ readonly detail: string }> {
  override get message(): string {
    return `snapshot refused: ${this.detail}`
  }
}

/** The sandbox holds no such process (its thread was replaced): open it again and replay its log. */
export class SandboxLost extends Data.TaggedError("SandboxLost")<{
  readonly process: Id.ProcessId
  readonly detail: string
  /** Whether it was this process that ran when it was lost. Otherwise a neighbour's fault ended their thread. */
  readonly own: boolean
}> {
  override get message(): string {
    return `sandbox of ${this.process} lost: ${this.detail}`
  }
}

export class Sandbox extends Context.Service<
  Sandbox,
  {
    /** The engine for scripts that this version makes: it commits to everything that could change a turn (spec 04 §2). */
    readonly engine: Uint8Array
    /** That engine as bytes, to be kept and archived. */
    readonly artifact: Uint8Array
    /** Gives the threads another engine, kept by an earlier version. */
    readonly addEngine: (artifact: Uint8Array, id: Uint8Array) => Effect.Effect<void, EngineInvalid>
    /** Loads guest code on a throw-away. */
    readonly check: (source: Uint8Array) => Effect.Effect<void, ModuleInvalid>
    /** Makes the process as it is before slot 0, in place of one that is open. */
    readonly open: (opening: Opening) => Effect.Effect<void, SandboxLost | EngineUnknown>
    /** Makes the process as a snapshot has it, in place of one that is open, once that is seen to have `stateRoot`. */
    readonly restore: (
      opening: Opening,
      snapshot: Uint8Array,
      stateRoot: Uint8Array,
    ) => Effect.Effect<void, SandboxLost | EngineUnknown | SnapshotInvalid>
    /** Runs turns in order. The process keeps what they did, so a caller that can't commit them closes it. */
    readonly run: (
      process: Id.ProcessId,
      entries: ReadonlyArray<Entry>,
    ) => Effect.Effect<ReadonlyArray<Evaluated>, SandboxLost | EngineUnknown>
    /** Runs a message on a copy of the state. */
    readonly query: (process: Id.ProcessId, query: Query, at: Entry) => Effect.Effect<Answer, SandboxLost>
    /** Evaluates an expression of the author's language on a copy of the state, for a debugger. */
    readonly inspect: (
      process: Id.ProcessId,
      expression: string,
      at: Entry,
    ) => Effect.Effect<Inspected, SandboxLost>
    /** The state as it stands, to be restored elsewhere. */
    readonly take: (process: Id.ProcessId) => Effect.Effect<Taken, SandboxLost>
    /** Pages of 4 KiB of its memory by index, for a debugger; those that it has not are zero. */
    readonly pages: (
      process: Id.ProcessId,
      indices: ReadonlyArray<number>,
    ) => Effect.Effect<ReadonlyArray<Uint8Array>, SandboxLost>
    /** What opens the state root at a view, whether it is there or not. */
    readonly prove: (process: Id.ProcessId, view: string) => Effect.Effect<StateProof, SandboxLost>
    readonly close: (process: Id.ProcessId) => Effect.Effect<void>
  }
>()("heddle/Sandbox") {}

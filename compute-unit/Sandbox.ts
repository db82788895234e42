/**
 * Sandbox: runs the turns of processes, bytes in and bytes out. The seam between a compute unit, which decides what
 * becomes of a turn, and the threads in which guests run.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Id from "../runtime/Id.ts"
import type * as Outcome from "../runtime/Outcome.ts"
import type { Answer, ModuleInvalid, Query } from "./ComputeUnit.ts"

/** What a process is before its first turn. */
export interface Opening {
  readonly process: Id.ProcessId
  /** The spawn item; everything fixed for life is in it. */
  readonly spawn: Uint8Array
  readonly term: number
  /** Guest code of the module that the spawn names. */
  readonly source: Uint8Array
}

/** One slot as a sandbox needs it: what admission made of it has been decided. */
export interface Entry {
  readonly slot: number
  readonly timestamp: number
  readonly head: Uint8Array
  readonly item: Uint8Array
  /** Set where the slot should not be in the log: no turn is run. */
  readonly inadmissible: string | undefined
  /** Pair number admitted with it, where a process sent it. */
  readonly pair: number | undefined
  /** Count of the cron that it is, where it is one. */
  readonly cron: { readonly name: string; readonly count: number } | undefined
  /** Whether the state root after it is wanted. */
  readonly root: boolean
}

export interface Evaluated {
  readonly outcome: Outcome.Outcome
  readonly trace: Outcome.Trace
  readonly stateRoot: Uint8Array | undefined
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
    /** Commits to everything that could change what a turn computes (spec 04 §2). */
    readonly engine: Uint8Array
    /** Loads guest code on a throw-away. */
    readonly check: (source: Uint8Array) => Effect.Effect<void, ModuleInvalid>
    /** Makes the process as it is before slot 0, in place of one that is open. */
    readonly open: (opening: Opening) => Effect.Effect<void, SandboxLost>
    /** Runs turns in order. The process keeps what they did, so a caller that can't commit them closes it. */
    readonly run: (
      process: Id.ProcessId,
      entries: ReadonlyArray<Entry>,
    ) => Effect.Effect<ReadonlyArray<Evaluated>, SandboxLost>
    /** Runs a message on a copy of the state. */
    readonly query: (process: Id.ProcessId, query: Query, at: Entry) => Effect.Effect<Answer, SandboxLost>
    readonly close: (process: Id.ProcessId) => Effect.Effect<void>
  }
>()("heddle/Sandbox") {}

/**
 * ArchiveUnit: brings what a node has done into its archive, behind everything that the node does. The seam between who
 * asks how far that is and who does it.
 *
 *     batches, commits -> contents -> bundle, durable -> transfer, durable -> sent -> confirmed -> anchored
 *
 * Nobody who sends or asks waits for any of it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { ArchiveUnavailable } from "../runtime/Archive.ts"
import type * as Id from "../runtime/Id.ts"

/** A bundle that is not confirmed yet. */
export interface Waiting {
  /** 0, 1, 2... of this node. */
  readonly number: number
  /** SHA-256 of its bytes. */
  readonly bundle: Id.Id
  readonly bytes: number
  /** `waiting` to be sent, or `sent` and in no block that counts yet. */
  readonly state: "waiting" | "sent"
  /** The transaction, once there is one. */
  readonly transfer: Id.Id | undefined
  /** What it takes from the wallet, in winston; unset before there is a transaction. */
  readonly cost: bigint | undefined
  /** Bytes of it that the archive has taken in this run, of how many. */
  readonly sent: number
  readonly total: number
  /** ms since 1970 when it was closed. */
  readonly since: number
}

/** How far one source of contents is. */
export interface Reach {
  /** How many there are at the unit. */
  readonly made: number
  /** How many of them, from the first on, are in a bundle. */
  readonly bundled: number
  /** How many are in one that is confirmed. */
  readonly confirmed: number
}

export interface Status {
  /** Where it goes, for people. */
  readonly archive: string
  /** Of the scheduler. */
  readonly batches: Reach
  /** Commits of the compute unit. */
  readonly turns: Reach
  readonly waiting: ReadonlyArray<Waiting>
  /** Confirmed, ever. */
  readonly bundles: number
  readonly bytes: number
  /** Winston spent, and how much may be; unset where nothing has to be paid. */
  readonly spent: bigint
  readonly spendingLimit: bigint | undefined
  /** ms since the oldest batch or commit that is not confirmed was read by the archive unit; 0 where all are. */
  readonly behindMs: number
  /** What it waits for, in words for the operator. */
  readonly problem: string | undefined
}

/** The newest slot of a process that is confirmed in the archive, with all before it. */
export interface Anchor {
  readonly slot: number
  readonly head: Uint8Array
  readonly transfer: Id.Id
  readonly height: number
}

/** What archiving a process takes, if nothing of it were archived yet. */
export interface Cost {
  readonly slots: number
  /** Of its items and proofs, as they are signed. */
  readonly signedBytes: number
  /** Of what would be stored. */
  readonly bytes: number
  /** In winston. */
  readonly winston: bigint
}

export class ArchiveUnit extends Context.Service<
  ArchiveUnit,
  {
    readonly status: Effect.Effect<Status>
    readonly anchor: (process: Id.ProcessId) => Effect.Effect<Anchor | undefined>
    /** Estimates; nothing is spent. A process without a log takes nothing. */
    readonly cost: (process: Id.ProcessId) => Effect.Effect<Cost, ArchiveUnavailable>
    /** Closes a bundle over all that is there now, and waits until it is confirmed. */
    readonly flush: Effect.Effect<void>
  }
>()("heddle/ArchiveUnit") {}

/**
 * Assignment: the scheduler's statement that a message has this slot of this process at this time (spec 03 §2).
 *
 * Slots run 0, 1, 2... without a gap, and each head commits to everything before it:
 *
 *     head(n) = H("heddle/head/1", process, term, head(n-1), slot, timestamp, entry hash)
 *
 * Slot 0 is the spawn message itself and follows the empty head (32 zero bytes).
 */
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"

export interface Assignment {
  readonly process: Id.ProcessId
  /** Whose turn it is to schedule the process: 0 for the scheduler of the spawn, +1 per move. */
  readonly term: number
  readonly slot: number
  /** ms since 1970, never decreasing within a process. */
  readonly timestamp: number
  readonly entryHash: Uint8Array
  /** head(slot - 1). */
  readonly previous: Uint8Array
  readonly head: Uint8Array
}

/** What slot 0 follows. */
export const emptyHead: Uint8Array = new Uint8Array(Hash.length)

/**
 * Commits to all bytes that admission reads: the item and, for an item that a process emitted, its proof. Were the
 * proof left out, two readers could hold different proofs for one slot and disagree on whether it is admissible.
 */
export const entryHash = (item: Uint8Array, proof: Uint8Array = Bytes.empty): Uint8Array =>
  Hash.tagged("heddle/entry/1", item, proof)

/** The assignment that follows `previous`. */
export const make = (fields: Omit<Assignment, "head">): Assignment => ({
  ...fields,
  head: Hash.tagged(
    "heddle/head/1",
    Id.toBytes(fields.process),
    Bytes.u64(fields.term),
    fields.previous,
    Bytes.u64(fields.slot),
    Bytes.u64(fields.timestamp),
    fields.entryHash,
  ),
})

/** What stands in a batch's Merkle tree for an assignment. */
export const leafValue = (assignment: Assignment): Uint8Array =>
  Hash.tagged(
    "heddle/assignment/1",
    Id.toBytes(assignment.process),
    Bytes.u64(assignment.term),
    Bytes.u64(assignment.slot),
    Bytes.u64(assignment.timestamp),
    assignment.entryHash,
    assignment.previous,
    assignment.head,
  )

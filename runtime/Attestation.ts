/**
 * Attestation: a compute unit's signed statement that these turns lead from this state to that one (spec 04 §6).
 *
 * A unit answers for its transition alone: two attestations contradict each other only where engine, start and the
 * head reached are equal. One signature covers all attestations that a unit commits at once.
 */
import type * as Batch from "./Batch.ts"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import * as Merkle from "./Merkle.ts"

/** A process after a slot. Before slot 0 the slot is -1, head and root are 32 zero bytes. */
export interface Point {
  readonly slot: number
  readonly head: Uint8Array
  readonly stateRoot: Uint8Array
}

export interface Attestation {
  readonly engine: Uint8Array
  readonly process: Id.ProcessId
  readonly term: number
  readonly from: Point
  readonly to: Point
  /** Merkle root over the outcome hashes of slots from.slot + 1 to to.slot, in order. */
  readonly outcomeRoot: Uint8Array
}

/** An attestation with its place in the tree that a unit signed. */
export interface SignedAttestation extends Batch.Signed {
  readonly attestation: Attestation
  readonly index: number
  readonly path: ReadonlyArray<Uint8Array>
}

const zero = new Uint8Array(Hash.length)

/** Where every process starts. */
export const origin: Point = { slot: -1, head: zero, stateRoot: zero }

const point = (at: Point): Uint8Array => Hash.layout("point", Bytes.u64(at.slot + 1), at.head, at.stateRoot)

/** What stands in the signed tree. */
export const leafValue = (attestation: Attestation): Uint8Array =>
  Hash.tagged(
    "heddle/attestation/1",
    attestation.engine,
    Id.toBytes(attestation.process),
    Bytes.u64(attestation.term),
    point(attestation.from),
    point(attestation.to),
    attestation.outcomeRoot,
  )

export const tree = (attestations: ReadonlyArray<Attestation>): Merkle.Tree =>
  Merkle.tree(attestations.map(leafValue))

/** What the unit signs, under the context `heddle/attestation/1`. */
export const signingBytes = (root: Uint8Array): Uint8Array => Hash.layout("heddle/attestations/1", root)

/** The root that a signed attestation claims was signed. */
export const rootOf = (signed: Omit<SignedAttestation, keyof Batch.Signed>): Uint8Array =>
  Merkle.rootOf(signed.index, leafValue(signed.attestation), signed.path)

/** Whether two attestations can't both be true. */
export const contradict = (a: Attestation, b: Attestation): boolean =>
  a.process === b.process &&
  Bytes.equal(a.engine, b.engine) &&
  a.from.slot === b.from.slot &&
  Bytes.equal(a.from.head, b.from.head) &&
  Bytes.equal(a.from.stateRoot, b.from.stateRoot) &&
  Bytes.equal(a.to.head, b.to.head) &&
  !Bytes.equal(leafValue(a), leafValue(b))

/**
 * Batch: what one scheduler commits at once. One batch = one link of the scheduler's chain = one signature = one
 * store transaction (spec 03 §3).
 *
 * A receipt opens one leaf of it: it shows to anyone, without the rest, that the scheduler gave this slot.
 */
import * as Assignment from "./Assignment.ts"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Merkle from "./Merkle.ts"

/** What the signature covers, under the context `heddle/batch/1`. */
export interface Link {
  /** 0, 1, 2... per scheduler. */
  readonly number: number
  /** Root of the batch before; 32 zero bytes for batch 0. */
  readonly previousRoot: Uint8Array
  readonly root: Uint8Array
}

/** Who signed, with which parameter set, and the signature. */
export interface Signed {
  /** Number of a plain ML-DSA signature type. */
  readonly signatureType: number
  readonly owner: Uint8Array
  readonly signature: Uint8Array
}

/** A link with its signature: the head of a stored batch. */
export interface SignedLink extends Link, Signed {}

export interface Receipt {
  readonly link: SignedLink
  readonly assignment: Assignment.Assignment
  readonly index: number
  readonly path: ReadonlyArray<Uint8Array>
}

export const tree = (assignments: ReadonlyArray<Assignment.Assignment>): Merkle.Tree =>
  Merkle.tree(assignments.map(Assignment.leafValue))

export const signingBytes = (link: Link): Uint8Array =>
  Hash.layout("heddle/batch/1", Bytes.u64(link.number), link.previousRoot, link.root)

/** The receipt of the assignment that stands at `index` of the batch's tree. */
export const receipt = (
  link: SignedLink,
  tree: Merkle.Tree,
  assignment: Assignment.Assignment,
  index: number,
): Receipt => ({ link, assignment, index, path: Merkle.path(tree, index) })

/**
 * Whether the leaf stands under the root and its head follows from its fields. The signature over the link is
 * checked by a verifier of `identity/`.
 */
export const receiptHolds = ({ link, assignment, index, path }: Receipt): boolean =>
  Number.isInteger(index) &&
  index >= 0 &&
  index < Merkle.leavesMax &&
  path.length === Merkle.depth &&
  Bytes.equal(Assignment.make(assignment).head, assignment.head) &&
  Bytes.equal(Merkle.rootOf(index, Assignment.leafValue(assignment), path), link.root)

/** Two receipts that one scheduler must never both have given. */
export interface Equivocation {
  readonly kind: "slot" | "batch"
  readonly first: Receipt
  readonly second: Receipt
}

/**
 * The equivocation in two receipts, if there is one: one slot with two heads, or one batch number with two links
 * (spec 03 §6). Both must hold and come from one owner; the caller verifies the two signatures.
 */
export const equivocation = (first: Receipt, second: Receipt): Equivocation | undefined => {
  if (!Bytes.equal(first.link.owner, second.link.owner)) return undefined
  if (!receiptHolds(first) || !receiptHolds(second)) return undefined
  if (
    first.link.number === second.link.number &&
    !Bytes.equal(signingBytes(first.link), signingBytes(second.link))
  )
    return { kind: "batch", first, second }
  const [a, b] = [first.assignment, second.assignment]
  return a.process === b.process && a.term === b.term && a.slot === b.slot && !Bytes.equal(a.head, b.head)
    ? { kind: "slot", first, second }
    : undefined
}

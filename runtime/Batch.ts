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

/** Whether two links are of one batch number and not the same. */
const forkedLinks = (a: Link, b: Link): boolean =>
  a.number === b.number && !Bytes.equal(signingBytes(a), signingBytes(b))

/** Whether two assignments name the head after one slot in two ways. Each names two: its own, and the one before. */
const forkedHeads = (a: Assignment.Assignment, b: Assignment.Assignment): boolean => {
  if (a.process !== b.process || a.term !== b.term) return false
  if (a.slot === b.slot) return !Bytes.equal(a.head, b.head)
  if (a.slot + 1 === b.slot) return !Bytes.equal(a.head, b.previous)
  return b.slot + 1 === a.slot && !Bytes.equal(b.head, a.previous)
}

/** The slot of which two receipts name two heads, if there is one: each names the head of its slot and of the one before. */
export const slotGivenTwice = ({
  first: { assignment: a },
  second: { assignment: b },
}: Pick<Equivocation, "first" | "second">): number | undefined =>
  forkedHeads(a, b) ? Math.min(a.slot, b.slot) : undefined

/**
 * The equivocation in two receipts, if there is one: two heads after one slot, or one batch number with two links
 * (spec 03 §6). Both must hold and come from one owner; the caller verifies the two signatures.
 */
export const equivocation = (first: Receipt, second: Receipt): Equivocation | undefined => {
  const kind = forkedLinks(first.link, second.link)
    ? "batch"
    : forkedHeads(first.assignment, second.assignment)
      ? "slot"
      : undefined
  if (kind === undefined || !Bytes.equal(first.link.owner, second.link.owner)) return undefined
  return receiptHolds(first) && receiptHolds(second) ? { kind, first, second } : undefined
}

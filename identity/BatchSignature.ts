/**
 * Batch signature (types 2044, 2065, 2087): one ML-DSA signature for up to 65,536 items of one owner (spec 01
 * §6).
 *
 *     signature field = signature | u16 index | 16 siblings          2065: 3,309 + 2 + 512 bytes
 *     tree            = Merkle.ts, value = the item's 48-byte deep hash
 *     signed          = layout("heddle/items/1", u16 type, owner, root), context heddle/items/1
 *
 * Every item stays complete and has an id of its own; the sender pays one signature, the verifier one
 * verification. Index and siblings are fixed by the tree, so an item has one field per signature: another
 * index or sibling is another root, and no signature covers it.
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Item from "../runtime/Item.ts"
import * as Merkle from "../runtime/Merkle.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import type { Claim } from "./Claim.ts"

/** Items that one signature can cover. */
export const itemsMax = Merkle.leavesMax

const context = "heddle/items/1"

/** The batch type whose root keys of this plain type sign; asserts an ML-DSA type. */
export const typeOf = (key: SignatureType.SignatureType): SignatureType.SignatureType => {
  for (const [number, base] of SignatureType.batchBase)
    if (base.number === key.number) return SignatureType.find(number)!
  throw new RangeError(`${key.name} has no batch type`)
}

/** What the owner signs for a tree of items of this batch type. */
export const signingBytes = (
  type: SignatureType.SignatureType,
  owner: Uint8Array,
  root: Uint8Array,
): Uint8Array => Hash.layout(context, Bytes.u16(type.number), owner, root)

/** The signature field of the item at `index`. */
export const field = (signature: Uint8Array, tree: Merkle.Tree, index: number): Uint8Array =>
  Bytes.concat([signature, Bytes.u16(index), Merkle.encodePath(Merkle.path(tree, index))])

/** The signature over the root that a batch-signed item carries; `undefined` for other types. */
export const rootSignature = ({ type, signature }: Item.Item): Uint8Array | undefined => {
  const base = SignatureType.batchBase.get(type.number)
  return base && signature.subarray(0, base.signatureBytes)
}

/** The claim that was made last, and the root that it is about. */
let made: { readonly claim: Claim; readonly root: Uint8Array } | undefined

/**
 * What a batch-signed item claims: that its owner's key signed the root over it. `undefined` for other types. Of items
 * under one signature that come in a run each claims the same, and is given the same object.
 */
export const claim = (item: Item.Item): Claim | undefined => {
  const type = SignatureType.batchBase.get(item.type.number)
  if (type === undefined || item.signature.length !== item.type.signatureBytes) return undefined
  const reader = new Bytes.Reader(item.signature)
  const signature = reader.take(type.signatureBytes)
  const root = Merkle.rootOf(reader.u16(), Item.signingHash(item), Merkle.readPath(reader))
  const isMade =
    made !== undefined &&
    made.claim.type === type &&
    Bytes.equal(made.root, root) &&
    Bytes.equal(made.claim.signature, signature) &&
    Bytes.equal(made.claim.owner, item.owner)
  if (!isMade) {
    // Kept longer than the item, whose bytes may be a window on much more.
    const owner = Bytes.copy(item.owner)
    const bytes = signingBytes(item.type, owner, root)
    made = { claim: { type, owner, context, bytes, signature: Bytes.copy(signature) }, root }
  }
  return made!.claim
}

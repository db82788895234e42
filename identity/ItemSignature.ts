/**
 * Item signature: what an item of each type claims by its signature field, and whether that is so.
 */
import * as Item from "../runtime/Item.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import * as BatchSignature from "./BatchSignature.ts"
import * as Claim from "./Claim.ts"

/** Why an item is not believed to come from its owner. */
export type Refusal = "bad signature" | "unknown signature type" | "outbox item without proof"

/** The claim that stands or falls with the item, or why there is none. */
export const claim = (item: Item.Item): Claim.Claim | Refusal => {
  if (item.type.number === SignatureType.outbox.number) return "outbox item without proof"
  if (SignatureType.find(item.type.number) === undefined) return "unknown signature type"
  const batch = BatchSignature.claim(item)
  if (batch !== undefined) return batch
  const { type, owner, signature } = item
  return { type, owner, context: "heddle/item/1", bytes: Item.signingHash(item), signature }
}

/** Checks an item of any type on the spot. Total. */
export const check = (item: Item.Item): true | Refusal => {
  const claimed = claim(item)
  if (typeof claimed === "string") return claimed
  return Claim.holds(claimed) || "bad signature"
}

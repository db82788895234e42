/**
 * Signing context: what a key is used for, as the FIPS 204 context string of each ML-DSA signature (spec 02
 * §2).
 *
 * A signature made for one use is worthless for every other: a scheduler that signs a batch root can't be
 * shown to have signed a message. The list is closed; a new use is a new name here and in the spec.
 */
import * as Bytes from "../runtime/Bytes.ts"

/** Every use of a key, with what it signs. */
const uses = {
  "heddle/item/1": "one item, by its deep hash",
  "heddle/items/1": "Merkle root over the deep hashes of many items of one owner",
  "heddle/batch/1": "link of a scheduler's chain: number, previous root, root",
  "heddle/attestation/1": "Merkle root over a compute unit's attestations",
  "heddle/link/1": "live proof of identity on a network connection",
  "heddle/descriptor/1": "what a unit offers, where, at what price",
  "heddle/channel/1": "version of a payment channel",
} as const

export type SigningContext = keyof typeof uses

export const all = Object.keys(uses) as ReadonlyArray<SigningContext> // the keys of a closed literal

const encoded: ReadonlyMap<SigningContext, Uint8Array> = new Map(all.map((use) => [use, Bytes.fromText(use)]))

/** The context as FIPS 204 takes it: at most 255 bytes. */
export const toBytes = (context: SigningContext): Uint8Array => encoded.get(context)!

/**
 * Address: who holds a key: SHA-256 of the public key (spec 02 §1). A key is 2 KB and senders come in runs, so the key
 * that came last is known again without a hash.
 */
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"

export interface Address {
  readonly bytes: Uint8Array
  readonly text: Id.Address
}

const make = (owner: Uint8Array): Address => {
  const bytes = Hash.sha256(owner)
  return { bytes, text: Id.fromBytes(bytes) }
}

let last = { owner: Bytes.empty, address: make(Bytes.empty) }

/** The address of who holds the key `owner`. */
export const of = (owner: Uint8Array): Address => {
  if (!Bytes.equal(owner, last.owner)) last = { owner: Bytes.copy(owner), address: make(owner) }
  return last.address
}

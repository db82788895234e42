/**
 * Imported public keys: reading a key into node:crypto costs a sixth of an ML-DSA verification, and the same
 * owners come back. Bounded: the key that came first goes first.
 */
import type { KeyObject } from "node:crypto"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Limit from "../runtime/Limit.ts"

/** `read`, remembered by the hash of its argument; what is not a key is not remembered. */
export const remembered = (
  read: (owner: Uint8Array) => KeyObject | undefined,
): ((owner: Uint8Array) => KeyObject | undefined) => {
  const keys = new Map<string, KeyObject>()
  return (owner) => {
    const name = Bytes.toBase64Url(Hash.sha256(owner))
    const known = keys.get(name)
    if (known !== undefined) return known
    const key = read(owner)
    if (key === undefined) return undefined
    if (keys.size >= Limit.publicKeysMax) keys.delete(keys.keys().next().value!)
    keys.set(name, key)
    return key
  }
}

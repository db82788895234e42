/**
 * Identifiers: 32 bytes inside, 43 characters of base64url outside (spec 01 §2).
 *
 * In memory an id is its canonical text, branded, so that it can be a map key; `parse` is the only door, and it
 * refuses the three other spellings that a lenient base64url reader would take for the same bytes.
 */
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"

declare const brand: unique symbol

/** Any 32-byte name as canonical text: of an item, a process, a module, an address. */
export type Id = string & { readonly [brand]: "Id" }

/** The spawn message's id names the process. */
export type ProcessId = Id

/** SHA-256 of a public key names who holds it. */
export type Address = Id

/** Asserts 32 bytes. */
export const fromBytes = (bytes: Uint8Array): Id => {
  if (bytes.length !== Hash.length) throw new RangeError(`an id has 32 bytes, not ${bytes.length}`)
  return Bytes.toBase64Url(bytes) as Id // 32 bytes, encoded canonically here
}

/** The id that `text` spells, or `undefined` unless it is the canonical spelling of 32 bytes. */
export const parse = (text: string): Id | undefined => {
  if (text.length !== 43) return undefined
  const bytes = Bytes.fromBase64Url(text)
  return bytes?.length === Hash.length ? (text as Id) : undefined // checked: canonical, 32 bytes
}

export const toBytes = (id: Id): Uint8Array => new Uint8Array(Buffer.from(id, "base64url"))

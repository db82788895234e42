/**
 * Hashes. SHA-256 names things and chains them; SHA-384 is inside ANS-104's deep hash only.
 *
 * Every hash of our own carries a domain tag and the length of each part, so that no input of one kind is an
 * input of another (spec 01 §1). Example: `tagged("heddle/head/1", a, b)` hashes
 * `0d "heddle/head/1" | u32 |a| a | u32 |b| b`.
 */
import crypto from "node:crypto"
import * as Bytes from "./Bytes.ts"

/** Bytes of a SHA-256 digest. */
export const length = 32

export const sha256 = (bytes: Uint8Array): Uint8Array => crypto.hash("sha256", bytes, "buffer")

export const sha384 = (bytes: Uint8Array): Uint8Array => crypto.hash("sha384", bytes, "buffer")

const prefixes = new Map<string, Uint8Array>()

const prefixOf = (domain: string): Uint8Array => {
  let prefix = prefixes.get(domain)
  if (prefix === undefined) {
    const name = Bytes.fromText(domain)
    prefix = Bytes.concat([Bytes.u8(name.length), name])
    prefixes.set(domain, prefix)
  }
  return prefix
}

/** The layout that `tagged` hashes; also what a signature over several parts signs. */
export const layout = (domain: string, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const prefix = prefixOf(domain)
  let length = prefix.length
  for (const part of parts) length += 4 + part.length
  const all = new Uint8Array(length)
  all.set(prefix)
  let at = prefix.length
  for (const part of parts) {
    Bytes.setU32(all, at, part.length)
    all.set(part, at + 4)
    at += 4 + part.length
  }
  return all
}

/** SHA-256 over a domain tag and length-prefixed parts. */
export const tagged = (domain: string, ...parts: ReadonlyArray<Uint8Array>): Uint8Array =>
  sha256(layout(domain, ...parts))

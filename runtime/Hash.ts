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

const layoutBytes = (prefix: Uint8Array, parts: ReadonlyArray<Uint8Array>): number =>
  parts.reduce((sum, part) => sum + 4 + part.length, prefix.length)

const write = (into: Uint8Array, prefix: Uint8Array, parts: ReadonlyArray<Uint8Array>): void => {
  into.set(prefix)
  let at = prefix.length
  for (const part of parts) {
    Bytes.setU32(into, at, part.length)
    into.set(part, at + 4)
    at += 4 + part.length
  }
}

/** The layout that `tagged` hashes; also what a signature over several parts signs. */
export const layout = (domain: string, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const prefix = prefixOf(domain)
  const all = new Uint8Array(layoutBytes(prefix, parts))
  write(all, prefix, parts)
  return all
}

/** Written over for each layout that is hashed and fits: a log is hashed entry by entry, and one is 6 KB or so. */
const scratch = new Uint8Array(64 * 1024)

/** SHA-256 over a domain tag and length-prefixed parts. */
export const tagged = (domain: string, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const prefix = prefixOf(domain)
  const length = layoutBytes(prefix, parts)
  const all = length <= scratch.length ? scratch.subarray(0, length) : new Uint8Array(length)
  write(all, prefix, parts)
  return sha256(all)
}

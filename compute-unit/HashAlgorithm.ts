/**
 * Hash algorithms that guests may ask for, by number: SHA-2 (FIPS 180-4) and SHA-3 with SHAKE (FIPS 202).
 *
 * A number is never given to another algorithm. Prices are what OpenSSL took, at ten fuel a nanosecond, rounded up.
 */
import crypto from "node:crypto"

export interface HashAlgorithm {
  readonly name: string
  /** Bytes of a digest; undefined where the caller says how many it wants. */
  readonly bytes: number | undefined
  /** Fuel of a call, and of each byte that goes in or comes out. */
  readonly start: bigint
  readonly perByte: bigint
}

/** Bytes that one call of SHAKE gives: what the buffer holds that scripts have answers in. */
export const shakeBytesMax = 65_536

export const table: Readonly<Record<number, HashAlgorithm>> = {
  1: { name: "sha256", bytes: 32, start: 10_000n, perByte: 8n },
  2: { name: "sha384", bytes: 48, start: 10_000n, perByte: 16n },
  3: { name: "sha512", bytes: 64, start: 10_000n, perByte: 16n },
  4: { name: "sha3-256", bytes: 32, start: 20_000n, perByte: 32n },
  5: { name: "sha3-384", bytes: 48, start: 20_000n, perByte: 40n },
  6: { name: "sha3-512", bytes: 64, start: 20_000n, perByte: 64n },
  7: { name: "shake128", bytes: undefined, start: 20_000n, perByte: 40n },
  8: { name: "shake256", bytes: undefined, start: 20_000n, perByte: 40n },
}

/** Whether the algorithm gives `size` bytes. */
export const gives = ({ bytes }: HashAlgorithm, size: number): boolean =>
  bytes === undefined ? size >= 1 && size <= shakeBytesMax : size === bytes

export const price = ({ start, perByte }: HashAlgorithm, length: number, size: number): bigint =>
  start + perByte * BigInt(length + size)

/** `size` bytes, which the algorithm must give. */
export const digest = ({ name, bytes }: HashAlgorithm, input: Uint8Array, size: number): Uint8Array =>
  bytes === undefined
    ? crypto.createHash(name, { outputLength: size }).update(input).digest()
    : crypto.hash(name, input, "buffer")

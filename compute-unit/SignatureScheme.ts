/**
 * Signature schemes that guests may verify, by the numbers of signature types. The rules are those of `identity/`:
 * what a message's sender is believed by is what a process may believe.
 *
 * Prices are for a key that is seen for the first time: what OpenSSL took, and JavaScript for Ethereum's, at ten fuel a
 * nanosecond, rounded up.
 */
import * as ArweaveRsa from "../identity/ArweaveRsa.ts"
import * as Ed25519 from "../identity/Ed25519.ts"
import * as Ethereum from "../identity/Ethereum.ts"
import * as MlDsa from "../identity/MlDsa.ts"
import * as SignatureType from "../runtime/SignatureType.ts"

export interface SignatureScheme {
  /** Fuel of a verification, and of each byte of the message. */
  readonly start: bigint
  readonly perByte: bigint
  /** Total: what is no key or no signature is not good. */
  readonly verify: (
    key: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
    context: Uint8Array,
  ) => boolean
}

const mlDsa =
  (type: SignatureType.SignatureType): SignatureScheme["verify"] =>
  (key, message, signature, context) =>
    MlDsa.verifyUnder(type, key, context, message, signature)

/** These schemes bind no context: with one, no signature is good. */
const without =
  (
    verify: (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean,
  ): SignatureScheme["verify"] =>
  (key, message, signature, context) =>
    context.length === 0 && verify(key, message, signature)

export const table: Readonly<Record<number, SignatureScheme>> = {
  [SignatureType.arweave.number]: { start: 2_000_000n, perByte: 8n, verify: without(ArweaveRsa.verify) },
  [SignatureType.ed25519.number]: { start: 2_000_000n, perByte: 16n, verify: without(Ed25519.verify) },
  [SignatureType.ethereum.number]: { start: 20_000_000n, perByte: 400n, verify: without(Ethereum.verify) },
  [SignatureType.mlDsa44.number]: { start: 2_000_000n, perByte: 40n, verify: mlDsa(SignatureType.mlDsa44) },
  [SignatureType.mlDsa65.number]: { start: 3_000_000n, perByte: 40n, verify: mlDsa(SignatureType.mlDsa65) },
  [SignatureType.mlDsa87.number]: { start: 4_000_000n, perByte: 40n, verify: mlDsa(SignatureType.mlDsa87) },
}

export const price = ({ start, perByte }: SignatureScheme, length: number): bigint =>
  start + perByte * BigInt(length)

/**
 * Type 2, Ed25519 (verified for existing wallets, never used by heddle to sign).
 *
 * Rule: RFC 8032 §5.1.7 without the cofactor, encode([S]B - [k]A) equals the 32 bytes of R, with
 * - S < L, so that S + L is not a second spelling;
 * - A and R canonical encodings (y < p) of points that are not of small order. Under a small-order A one
 *   signature is good for any message; a small-order R is refused as well because Web Crypto says so and
 *   versions of Node differ (nodejs/node 64026), and a verdict in the log must not depend on the version.
 *
 * Every check of which versions or libraries differ is made here; node:crypto is asked for the equation
 * alone.
 */
import crypto from "node:crypto"
import * as Bytes from "../runtime/Bytes.ts"
import { ed25519 } from "../runtime/SignatureType.ts"
import * as PublicKeys from "./PublicKeys.ts"

const little = (hex: string): Uint8Array => Bytes.fromHex(hex)!

/** y of the eight points of small order, little-endian without the sign of x: orders 1, 2, 4 (0), 8 and 8. */
const smallOrder: ReadonlyArray<Uint8Array> = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map(little)

/** 2^255 - 19: the field. */
const p = little("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")

/** 2^252 + 27742317777372353535851937790883648493: the order of the base point. */
const L = little("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")

const isBelow = (a: Uint8Array, b: Uint8Array): boolean => Bytes.compare(a.toReversed(), b.toReversed()) < 0

const isAllowedPoint = (point: Uint8Array): boolean => {
  const y = Bytes.copy(point)
  y[31]! &= 0x7f
  return isBelow(y, p) && !smallOrder.some((small) => Bytes.equal(small, y))
}

/** The rule but for the equation: lengths, A, R and S. */
export const isAdmissible = (owner: Uint8Array, signature: Uint8Array): boolean =>
  owner.length === ed25519.ownerBytes &&
  signature.length === ed25519.signatureBytes &&
  isAllowedPoint(owner) &&
  isAllowedPoint(signature.subarray(0, 32)) &&
  isBelow(signature.subarray(32), L)

const read = PublicKeys.remembered((owner) =>
  crypto.createPublicKey({ key: Bytes.view(owner), format: "raw-public", asymmetricKeyType: "ed25519" }),
)

/** Whether `signature` by `owner` over `bytes` is good. Total. */
export const verify = (owner: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean => {
  if (!isAdmissible(owner, signature)) return false
  const key = read(owner)
  return key !== undefined && crypto.verify(null, bytes, key, signature)
}

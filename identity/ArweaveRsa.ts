/**
 * Type 1, Arweave's RSA-PSS with 4,096 bits (verified for existing wallets, never used by heddle to sign).
 *
 * Rule: RSASSA-PSS-VERIFY (RFC 8017 §8.1.2) with SHA-256, MGF1-SHA-256, e = 65537 and a salt of any length,
 * because arweave-js signs with the longest salt that fits, other wallets with 32 bytes or none, and Arweave
 * takes them all (arweave-js `node-driver.ts`, arbundles `Rsa4096Pss.ts`).
 *
 * Stricter than arbundles: the owner is an odd modulus of exactly 4,096 bits, and the signature as a number
 * is below it, so that s + n is not a second spelling of s.
 */
import crypto from "node:crypto"
import * as Bytes from "../runtime/Bytes.ts"
import { arweave } from "../runtime/SignatureType.ts"
import * as PublicKeys from "./PublicKeys.ts"

const read = PublicKeys.remembered((owner) =>
  crypto.createPublicKey({ key: { kty: "RSA", n: Bytes.toBase64Url(owner), e: "AQAB" }, format: "jwk" }),
)

/** The rule but for the equation: lengths, the modulus, and s below it. */
export const isAdmissible = (owner: Uint8Array, signature: Uint8Array): boolean =>
  owner.length === arweave.ownerBytes &&
  signature.length === arweave.signatureBytes &&
  (owner[0]! & 0x80) !== 0 &&
  (owner[owner.length - 1]! & 1) === 1 &&
  Bytes.compare(signature, owner) < 0 // both big-endian and of one length

/** Whether `signature` by `owner` over `bytes` is good. Total. */
export const verify = (owner: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean => {
  if (!isAdmissible(owner, signature)) return false
  const key = read(owner)
  if (key === undefined) return false
  const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_AUTO: saltLength } = crypto.constants
  return crypto.verify("sha256", bytes, { key, padding, saltLength }, signature)
}

/**
 * Type 3, Ethereum's secp256k1 (verified for existing wallets, never used by heddle to sign).
 *
 * What is signed is an EIP-191 personal message over the item's 48-byte deep hash, hashed with Keccak-256, as
 * arbundles' `ethereumSigner.ts` has wallets do it. Signature field: r 32 | s 32 | v 1; owner: 0x04 | x 32 |
 * y 32.
 *
 * Rule: 0 < r, s < n; s <= n / 2 (EIP-2); v is 27 or 28, which is what wallets write; the key recovered from
 * (r, s, v) equals the owner byte for byte. Stricter than arbundles, which reads neither v nor the size of s:
 * there one message has many signature fields and so many ids.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { keccak_256 } from "@noble/hashes/sha3.js"
import * as Bytes from "../runtime/Bytes.ts"
import { ethereum } from "../runtime/SignatureType.ts"

/** EIP-191 version 0x45: what a wallet shows and signs. */
export const personalDigest = (bytes: Uint8Array): Uint8Array =>
  keccak_256(Bytes.concat([Bytes.fromText(`\x19Ethereum Signed Message:\n${bytes.length}`), bytes]))

/** Whether `signature` by `owner` over the item's deep hash is good. Total. */
export const verify = (owner: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean =>
  verifyDigest(owner, personalDigest(bytes), signature)

/** As `verify`, over a digest of 32 bytes: what vectors made by others need. */
export const verifyDigest = (owner: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean => {
  if (owner.length !== ethereum.ownerBytes || signature.length !== ethereum.signatureBytes) return false
  const v = signature[64]!
  if (v !== 27 && v !== 28) return false
  try {
    const rs = secp256k1.Signature.fromBytes(signature.subarray(0, 64))
    if (rs.hasHighS()) return false
    return Bytes.equal(
      rs
        .addRecoveryBit(v - 27)
        .recoverPublicKey(digest)
        .toBytes(false),
      owner,
    )
  } catch {
    return false // r or s is 0 or not below n, r is not the x of a point, or the sum is no key
  }
}

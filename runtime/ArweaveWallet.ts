/**
 * Arweave wallet: the operator's RSA key, which pays for transactions and signs what Arweave's gateways can read.
 *
 * Signatures are RSASSA-PSS with SHA-256 and a salt of 32 bytes, in the thread pool: one takes 5 ms. Verified are
 * salts of any length, as Arweave does, with a modulus of exactly 4,096 bits and a signature below it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import crypto from "node:crypto"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import { arweave } from "./SignatureType.ts"

export interface Wallet {
  /** The modulus, 512 bytes: what stands as owner in transactions and items. */
  readonly owner: Uint8Array
  /** SHA-256 of the owner. */
  readonly address: Id.Address
  readonly key: crypto.KeyObject
}

const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_AUTO: anySalt } = crypto.constants
const saltLength = 32

/** The wallet in the text of an Arweave key file (JWK), or why it is none; the text itself is in no answer. */
export const read = (text: string): Result.Result<Wallet, string> => {
  let key: crypto.KeyObject
  try {
    key = crypto.createPrivateKey({ key: JSON.parse(text) as crypto.JsonWebKey, format: "jwk" }) // checked in there
  } catch {
    return Result.fail("it is no private key in JWK format")
  }
  const { n = "", e, kty } = key.export({ format: "jwk" })
  const owner = Bytes.fromBase64Url(n) ?? Bytes.empty
  if (kty !== "RSA" || e !== "AQAB" || owner.length !== arweave.ownerBytes || (owner[0]! & 0x80) === 0)
    return Result.fail("Arweave takes RSA keys of 4,096 bits with exponent 65,537 only")
  return Result.succeed({ owner, address: Id.fromBytes(Hash.sha256(owner)), key })
}

export const sign = ({ key }: Wallet, bytes: Uint8Array): Effect.Effect<Uint8Array> =>
  Effect.callback((resume) => {
    crypto.sign("sha256", bytes, { key, padding, saltLength }, (error, signature) =>
      resume(error === null ? Effect.succeed(new Uint8Array(signature)) : Effect.die(error)),
    )
  })

/** Whether `signature` by `owner` over `bytes` is good. Total. */
export const verify = (owner: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean => {
  const admissible =
    owner.length === arweave.ownerBytes &&
    signature.length === arweave.signatureBytes &&
    (owner[0]! & 0x80) !== 0 &&
    (owner.at(-1)! & 1) === 1 &&
    Bytes.compare(signature, owner) < 0
  if (!admissible) return false
  try {
    const key = crypto.createPublicKey({
      key: { kty: "RSA", n: Bytes.toBase64Url(owner), e: "AQAB" },
      format: "jwk",
    })
    return crypto.verify("sha256", bytes, { key, padding, saltLength: anySalt }, signature)
  } catch {
    return false
  }
}

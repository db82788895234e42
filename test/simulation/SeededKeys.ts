/**
 * Keys that follow from names, and signatures that follow from what is signed, so that ids, heads and guests'
 * randomness are the same in each run of a seed.
 *
 * Making an ML-DSA signature without randomness takes some milliseconds. Most worlds have signatures of the same form
 * that are hashes under the key, and a verifier that knows all keys; the others have real ones.
 */
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js"
import * as Effect from "effect/Effect"
import * as Identity from "../../identity/Identity.ts"
import * as ItemSignature from "../../identity/ItemSignature.ts"
import type { Signer } from "../../identity/Signer.ts"
import * as SigningContext from "../../identity/SigningContext.ts"
import { SignatureRefused, type Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"

type Sign = Signer["Service"]["sign"]

export interface Key extends Omit<Signer["Service"], "sign"> {
  /** A signer whose hedge is `salt`: with another salt the same bytes get another signature. */
  readonly signer: (salt: string) => Signer["Service"]
}

export interface Keys {
  readonly key: (name: string) => Key
  readonly verifier: Verifier["Service"]
}

const type = SignatureType.mlDsa44
const saltBytes = Hash.length

/** Making a key takes longer than a turn. */
const identities = new Map<string, Identity.Identity>()
const identityOf = (name: string): Identity.Identity => {
  const found = identities.get(name) ?? Identity.fromSeed(Hash.sha256(Bytes.fromText(name)), type)
  identities.set(name, found)
  return found
}

const saltOf = (salt: string): Uint8Array => Hash.sha256(Bytes.fromText(salt))

/** `salt | hash, over and over`, as long as a signature is. */
const quick = (owner: Uint8Array, context: string, bytes: Uint8Array, salt: Uint8Array): Uint8Array => {
  const digest = Hash.tagged("heddle/simulation/2", owner, Bytes.fromText(context), bytes, salt)
  const signature = new Uint8Array(type.signatureBytes)
  signature.set(salt)
  for (let at = saltBytes; at < signature.length; at += digest.length)
    signature.set(digest.subarray(0, Math.min(digest.length, signature.length - at)), at)
  return signature
}

const secrets = new Map<string, Uint8Array>()
const real = (
  identity: Identity.Identity,
  context: SigningContext.SigningContext,
  bytes: Uint8Array,
  salt: Uint8Array,
) => {
  const known = Bytes.toHex(identity.owner)
  const secret = secrets.get(known) ?? ml_dsa44.keygen(identity.seed).secretKey
  secrets.set(known, secret)
  return ml_dsa44.sign(bytes, secret, { context: SigningContext.toBytes(context), extraEntropy: salt })
}

const quickVerifier: Verifier["Service"] = {
  verify: (of, owner, context, bytes, signature) =>
    Effect.sync(
      () =>
        of === type &&
        signature.length === type.signatureBytes &&
        Bytes.equal(signature, quick(owner, context, bytes, signature.subarray(0, saltBytes))),
    ),
  verifyItem: (item) =>
    Effect.suspend(() => {
      const claim = ItemSignature.claim(item)
      const refuse = (reason: ItemSignature.Refusal) =>
        Effect.fail(new SignatureRefused({ id: item.id, type: item.type.name, reason }))
      if (typeof claim === "string") return refuse(claim)
      const { owner, context, bytes, signature } = claim
      return Effect.flatMap(quickVerifier.verify(claim.type, owner, context, bytes, signature), (good) =>
        good ? Effect.void : refuse("bad signature"),
      )
    }),
}

/** `isReal` makes real signatures, at a hundred times the price. */
export const make = (isReal: boolean): Keys => ({
  verifier: isReal ? VerifierLocal.make() : quickVerifier,
  key: (name) => {
    const identity = identityOf(name)
    const { owner, address } = identity
    const signer = (salt: string) => {
      const hedge = saltOf(salt)
      const sign: Sign = (context, bytes) =>
        Effect.sync(() =>
          isReal ? real(identity, context, bytes, hedge) : quick(owner, context, bytes, hedge),
        )
      return { type, owner, address, sign }
    }
    return { type, owner, address, signer }
  },
})

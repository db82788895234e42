/** Attestations written by hand, by whoever holds a unit's key. */
import * as Effect from "effect/Effect"
import * as Identity from "../../identity/Identity.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import * as Attestation from "../../runtime/Attestation.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import { hash } from "./Unsigned.ts"

export const unitOf = (name: string): Identity.Identity =>
  Identity.fromSeed(hash(name), SignatureType.mlDsa44)

/** An attestation that is alone in its tree. */
export const signed = (
  by: Identity.Identity,
  one: Attestation.Attestation,
): Attestation.SignedAttestation => {
  const tree = Attestation.tree([one])
  const bytes = Attestation.signingBytes(tree.root)
  const signature = Effect.runSync(Effect.orDie(SignerLocal.make(by).sign("heddle/attestation/1", bytes)))
  return {
    attestation: one,
    index: 0,
    path: Merkle.path(tree, 0),
    signatureType: by.type.number,
    owner: by.owner,
    signature,
  }
}

/** Attestation signature: which compute unit signed a root of attestations (spec 04 §6), if any did. */
import * as Address from "../runtime/Address.ts"
import * as Attestation from "../runtime/Attestation.ts"
import type * as Batch from "../runtime/Batch.ts"
import type * as Id from "../runtime/Id.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import * as Claim from "./Claim.ts"

/** The address of the key that signed the root; `undefined` where the signature is not good. */
export const signer = (
  { signatureType, owner, signature }: Batch.Signed,
  root: Uint8Array,
): Id.Address | undefined => {
  const type = SignatureType.find(signatureType)
  const bytes = Attestation.signingBytes(root)
  const good =
    type !== undefined && Claim.holds({ type, owner, context: "heddle/attestation/1", bytes, signature })
  return good ? Address.of(owner).text : undefined
}

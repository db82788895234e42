/**
 * Claim: a signature that still has to be verified, with everything it is about. Every question "is this
 * signature good?" comes down to one of these, whoever asks and whatever was signed.
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import * as ArweaveRsa from "./ArweaveRsa.ts"
import * as Ed25519 from "./Ed25519.ts"
import * as Ethereum from "./Ethereum.ts"
import * as MlDsa from "./MlDsa.ts"
import * as SigningContext from "./SigningContext.ts"

export interface Claim {
  readonly type: SignatureType.SignatureType
  readonly owner: Uint8Array
  readonly context: SigningContext.SigningContext
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
}

/** Schemes without contexts: they speak for single items and for nothing else. */
const wallets = new Map([
  [SignatureType.arweave.number, ArweaveRsa.verify],
  [SignatureType.ed25519.number, Ed25519.verify],
  [SignatureType.ethereum.number, Ethereum.verify],
])

/** Whether the claim is true. Total: a wrong length or an unknown type is a false claim. */
export const holds = ({ type, owner, context, bytes, signature }: Claim): boolean => {
  if (MlDsa.is(type)) return MlDsa.verify(type, owner, context, bytes, signature)
  const verify = wallets.get(type.number)
  return verify !== undefined && context === "heddle/item/1" && verify(owner, bytes, signature)
}

/** Names the claim by every bit of it, context too: what a memory of true claims is keyed by. */
export const name = ({ type, owner, context, bytes, signature }: Claim): string =>
  Bytes.toBase64Url(
    Hash.tagged(
      "heddle/claim/1",
      Bytes.u16(type.number),
      SigningContext.toBytes(context),
      owner,
      bytes,
      signature,
    ),
  )

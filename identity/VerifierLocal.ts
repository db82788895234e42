/**
 * Verifier on the calling thread: a fifth of a millisecond a signature, in which nothing else runs.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Claim from "./Claim.ts"
import * as ItemSignature from "./ItemSignature.ts"
import * as VerifiedClaims from "./VerifiedClaims.ts"
import { SignatureRefused, Verifier } from "./Verifier.ts"

export const make = (): Verifier["Service"] => {
  const verified = VerifiedClaims.make()
  const holds = (claim: Claim.Claim): boolean => {
    const name = Claim.name(claim)
    if (verified.has(name)) return true
    const good = Claim.holds(claim)
    if (good) verified.add(name)
    return good
  }
  return {
    verify: (type, owner, context, bytes, signature) =>
      Effect.sync(() => holds({ type, owner, context, bytes, signature })),
    verifyItem: (item) =>
      Effect.suspend(() => {
        const claim = ItemSignature.claim(item)
        const refuse = (reason: ItemSignature.Refusal) =>
          Effect.fail(new SignatureRefused({ id: item.id, type: item.type.name, reason }))
        if (typeof claim === "string") return refuse(claim)
        return holds(claim) ? Effect.void : refuse("bad signature")
      }),
  }
}

export const layer: Layer.Layer<Verifier> = Layer.sync(Verifier, make)

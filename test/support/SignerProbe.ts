/**
 * A signer that a test counts. What it signed before it signs the same way again, although signing is hedged: so two
 * lives of a node with one probe come to the same heads wherever they do the same.
 */
import * as Effect from "effect/Effect"
import type * as Identity from "../../identity/Identity.ts"
import type { Signer } from "../../identity/Signer.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import type * as SigningContext from "../../identity/SigningContext.ts"
import * as Bytes from "../../runtime/Bytes.ts"

export interface SignerProbe {
  readonly signer: Signer["Service"]
  /** What each signature was asked for, in order. */
  readonly signed: ReadonlyArray<SigningContext.SigningContext>
}

export const make = (identity: Identity.Identity): SignerProbe => {
  const inner = SignerLocal.make(identity)
  const signed: Array<SigningContext.SigningContext> = []
  const made = new Map<string, Uint8Array>()
  const sign: Signer["Service"]["sign"] = (context, bytes) =>
    Effect.suspend(() => {
      signed.push(context)
      const key = `${context} ${Bytes.toHex(bytes)}`
      const known = made.get(key)
      return known === undefined
        ? Effect.tap(inner.sign(context, bytes), (signature) => Effect.sync(() => made.set(key, signature)))
        : Effect.succeed(known)
    })
  return { signer: { ...inner, sign }, signed }
}

/**
 * Signer: holds one identity's secret key and signs with it; the key itself never comes out (spec 02 §3).
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Id from "../runtime/Id.ts"
import type * as SignatureType from "../runtime/SignatureType.ts"
import type * as SigningContext from "./SigningContext.ts"

/** No signature was made; nothing was signed half. The caller may ask again. */
export class SigningFailed extends Data.TaggedError("SigningFailed")<{
  readonly address: Id.Address
  readonly reason: "queue full" | "worker died" | "stopped"
}> {
  override get message(): string {
    return `no signature by ${this.address}: ${this.reason}`
  }
}

export class Signer extends Context.Service<
  Signer,
  {
    /** The plain ML-DSA type of the key; a batch of items is signed with the same key. */
    readonly type: SignatureType.SignatureType
    /** The raw public key. */
    readonly owner: Uint8Array
    readonly address: Id.Address
    /**
     * Signs `bytes` for one use. Two signatures of the same bytes may differ: signing is hedged with
     * randomness.
     */
    readonly sign: (
      context: SigningContext.SigningContext,
      bytes: Uint8Array,
    ) => Effect.Effect<Uint8Array, SigningFailed>
  }
>()("heddle/Signer") {}

/**
 * Verifier: says whether a signature is good. It holds no secret and believes nobody: which keys count is
 * asked by who reads the answer (spec 02 §4).
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Id from "../runtime/Id.ts"
import type * as Item from "../runtime/Item.ts"
import type * as SignatureType from "../runtime/SignatureType.ts"
import type * as ItemSignature from "./ItemSignature.ts"
import type * as SigningContext from "./SigningContext.ts"

/** The item's signature does not stand. `id` is for look-up; it commits to the signature field only. */
export class SignatureRefused extends Data.TaggedError("SignatureRefused")<{
  readonly id: Id.Id
  readonly type: string
  readonly reason: ItemSignature.Refusal
}> {
  override get message(): string {
    return `item ${this.id} (${this.type}) refused: ${this.reason}`
  }
}

/** Nothing was checked. The signature may be good: whoever sent it keeps it and asks again. */
export class Overloaded extends Data.TaggedError("Overloaded")<{
  readonly reason: "queue full" | "worker died" | "stopped"
  readonly waitingMax: number
}> {
  override get message(): string {
    return this.reason === "queue full"
      ? `${this.waitingMax} signatures already wait to be checked; ask again`
      : `the check was not made (${this.reason}); ask again`
  }
}

export class Verifier extends Context.Service<
  Verifier,
  {
    /**
     * Whether `signature` by `owner` over `bytes` is good for this use. Types 1 to 3 are good for single
     * items only; batch and outbox types are no keys, so they are good for nothing here.
     */
    readonly verify: (
      type: SignatureType.SignatureType,
      owner: Uint8Array,
      context: SigningContext.SigningContext,
      bytes: Uint8Array,
      signature: Uint8Array,
    ) => Effect.Effect<boolean, Overloaded>
    /** Succeeds where the item's own signature is good, of whatever type. */
    readonly verifyItem: (item: Item.Item) => Effect.Effect<void, SignatureRefused | Overloaded>
  }
>()("heddle/Verifier") {}

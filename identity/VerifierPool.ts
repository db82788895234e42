/**
 * Verifier on the pool's threads. The event loop pays for one hash of the item, to know it when it comes
 * again, and for a copy of its bytes; all else is done by a worker.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import type * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import * as SignatureFrame from "./SignatureFrame.ts"
import { SignaturePool } from "./SignaturePool.ts"
import * as VerifiedClaims from "./VerifiedClaims.ts"
import { Overloaded, SignatureRefused, Verifier } from "./Verifier.ts"

/** Names the whole item: an id would not do, since it commits to the signature field only. */
const nameOf = (item: Item.Item): string | undefined =>
  item.bytes.length <= Limit.verifiedItemBytesMax ? Bytes.toBase64Url(Hash.sha256(item.bytes)) : undefined

export const make = (pool: SignaturePool["Service"]): Verifier["Service"] => {
  const verified = VerifiedClaims.make()

  const ask = (request: SignatureFrame.Request) =>
    Effect.mapBoth(pool.ask(request), {
      onSuccess: SignatureFrame.verdict,
      onFailure: ({ reason }) => new Overloaded({ reason, waitingMax: pool.waitingMax }),
    })

  const verify: Verifier["Service"]["verify"] = (type, owner, context, bytes, signature) =>
    Effect.map(
      ask({ kind: "claim", claim: { type, owner, context, bytes, signature } }),
      (verdict) => verdict === true,
    )

  const checkItem = (item: Item.Item, name: string | undefined) =>
    Effect.flatMap(ask({ kind: "item", bytes: item.bytes }), (verdict) => {
      if (verdict !== true)
        return Effect.fail(new SignatureRefused({ id: item.id, type: item.type.name, reason: verdict }))
      if (name !== undefined) verified.add(name)
      return Effect.void
    })

  const verifyItem: Verifier["Service"]["verifyItem"] = (item) =>
    Effect.suspend(() => {
      const name = nameOf(item)
      return name !== undefined && verified.has(name) ? Effect.void : checkItem(item, name)
    })

  return { verify, verifyItem }
}

export const layer: Layer.Layer<Verifier, never, SignaturePool> = Layer.effect(
  Verifier,
  Effect.map(SignaturePool, make),
)

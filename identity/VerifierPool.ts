/**
 * Verifier on the pool's threads. The event loop pays for one hash of the item, to know it when it comes
 * again, and for a copy of its bytes; all else is done by a worker.
 *
 * Of items under one batch signature it makes out itself what they claim, which takes no more than that copy would:
 * what all of them claim is asked once, however many come at once.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import type * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import * as BatchSignature from "./BatchSignature.ts"
import * as Claim from "./Claim.ts"
import * as SignatureFrame from "./SignatureFrame.ts"
import { SignaturePool } from "./SignaturePool.ts"
import * as VerifiedClaims from "./VerifiedClaims.ts"
import { Overloaded, SignatureRefused, Verifier } from "./Verifier.ts"

/** Names the whole item: an id would not do, since it commits to the signature field only. */
const nameOf = (item: Item.Item): string | undefined =>
  item.bytes.length <= Limit.verifiedItemBytesMax ? Bytes.toBase64Url(Hash.sha256(item.bytes)) : undefined

export const make = (pool: SignaturePool["Service"]): Verifier["Service"] => {
  const verified = VerifiedClaims.make()
  /** The claim of a batch signature that was seen to be true last. */
  let held: Claim.Claim | undefined
  /** Claims of batch signatures that a worker was asked about, by name. */
  const asked = new Map<string, Fiber.Fiber<boolean, Overloaded>>()

  const ask = (request: SignatureFrame.Request) =>
    Effect.mapBoth(pool.ask(request), {
      onSuccess: SignatureFrame.verdict,
      onFailure: ({ reason }) => new Overloaded({ reason, waitingMax: pool.waitingMax }),
    })

  const holds = (claim: Claim.Claim) =>
    Effect.map(ask({ kind: "claim", claim }), (verdict) => verdict === true)

  const verify: Verifier["Service"]["verify"] = (type, owner, context, bytes, signature) =>
    holds({ type, owner, context, bytes, signature })

  /** Whether the claim is true; who asks while somebody else does waits for the same answer. */
  const holdsForAll = Effect.fnUntraced(function* (claim: Claim.Claim) {
    const name = Claim.name(claim)
    if (!verified.has(name)) {
      const fiber = asked.get(name) ?? (yield* Effect.forkDetach(holds(claim)))
      asked.set(name, fiber)
      const good = yield* Effect.ensuring(
        Fiber.join(fiber),
        Effect.sync(() => void asked.delete(name)),
      )
      if (!good) return false
      verified.add(name)
    }
    held = claim
    return true
  })

  const refuse = ({ id, type }: Item.Item, reason: SignatureRefused["reason"]) =>
    Effect.fail(new SignatureRefused({ id, type: type.name, reason }))

  const checkClaim = (item: Item.Item, claim: Claim.Claim) =>
    claim === held
      ? Effect.void
      : Effect.flatMap(holdsForAll(claim), (good) => (good ? Effect.void : refuse(item, "bad signature")))

  const checkItem = (item: Item.Item, name: string | undefined) =>
    Effect.flatMap(ask({ kind: "item", bytes: item.bytes }), (verdict) => {
      if (verdict !== true) return refuse(item, verdict)
      if (name !== undefined) verified.add(name)
      return Effect.void
    })

  const verifyItem: Verifier["Service"]["verifyItem"] = (item) =>
    Effect.suspend(() => {
      const isSmall = item.bytes.length <= Limit.verifiedItemBytesMax
      const claim = isSmall ? BatchSignature.claim(item) : undefined
      if (claim !== undefined) return checkClaim(item, claim)
      const name = nameOf(item)
      return name !== undefined && verified.has(name) ? Effect.void : checkItem(item, name)
    })

  return { verify, verifyItem }
}

export const layer: Layer.Layer<Verifier, never, SignaturePool> = Layer.effect(
  Verifier,
  Effect.map(SignaturePool, make),
)

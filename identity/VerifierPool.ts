/**
 * Verifier on the pool's threads. The event loop pays for one hash of the item, to know it when it comes
 * again, and for a copy of its bytes; all else is done by a worker.
 *
 * Of an item under the batch signature of the one before it, it makes out itself what both claim. No request crosses
 * for it, and what all of them claim is asked once, however many come at once. In place of that hash and copy it pays
 * for the deep hash and a way to the root, which neighbours share: half as much again, and three times as much for
 * items that stand far apart under one signature. Items that come in turns, under one signature and another, are sent
 * to a worker like all others.
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

/** A claim that a worker is asked about, and how many wait for the answer: it is withdrawn when nobody does. */
interface Asked {
  readonly fiber: Fiber.Fiber<boolean, Overloaded>
  waiting: number
}

export const make = (pool: SignaturePool["Service"]): Verifier["Service"] => {
  const verified = VerifiedClaims.make()
  /** The claim of a batch signature that was seen to be true last. */
  let held: Claim.Claim | undefined
  /** Claims of batch signatures that a worker was asked about, by name. */
  const asked = new Map<string, Asked>()
  /** Whose batch signature came last. */
  let last = { owner: Bytes.empty, signature: Bytes.empty }

  const ask = (request: SignatureFrame.Request) =>
    Effect.mapBoth(pool.ask(request), {
      onSuccess: SignatureFrame.verdict,
      onFailure: ({ reason }) => new Overloaded({ reason, waitingMax: pool.waitingMax }),
    })

  const holds = (claim: Claim.Claim) =>
    Effect.map(ask({ kind: "claim", claim }), (verdict) => verdict === true)

  const verify: Verifier["Service"]["verify"] = (type, owner, context, bytes, signature) =>
    holds({ type, owner, context, bytes, signature })

  const askForAll = (name: string, claim: Claim.Claim) =>
    Effect.map(Effect.forkDetach(holds(claim), { startImmediately: true }), (fiber): Asked => {
      const one = { fiber, waiting: 0 }
      asked.set(name, one)
      fiber.addObserver(() => forget(name, one))
      return one
    })

  const forget = (name: string, one: Asked): void => {
    if (asked.get(name) === one) asked.delete(name)
  }

  /** Whether the claim is true; who asks while somebody else does waits for the same answer. */
  const answerOf = (name: string, claim: Claim.Claim) =>
    Effect.acquireUseRelease(
      Effect.suspend(() => {
        const one = asked.get(name)
        return Effect.tap(one === undefined ? askForAll(name, claim) : Effect.succeed(one), (found) =>
          Effect.sync(() => void (found.waiting += 1)),
        )
      }),
      ({ fiber }) => Fiber.join(fiber),
      (one) =>
        Effect.suspend(() => {
          one.waiting -= 1
          if (one.waiting > 0) return Effect.void
          forget(name, one)
          return Fiber.interrupt(one.fiber)
        }),
    )

  const holdsForAll = Effect.fnUntraced(function* (claim: Claim.Claim) {
    const name = Claim.name(claim)
    if (!verified.has(name)) {
      if (!(yield* answerOf(name, claim))) return false
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

  /** What the item claims, where the batch-signed item before it was under the same signature. */
  const claimInRun = (item: Item.Item): Claim.Claim | undefined => {
    const signature = BatchSignature.rootSignature(item)
    if (signature === undefined || item.bytes.length > Limit.verifiedItemBytesMax) return undefined
    const { owner } = item
    if (Bytes.equal(last.signature, signature) && Bytes.equal(last.owner, owner))
      return BatchSignature.claim(item)
    last = { owner: Bytes.copy(owner), signature: Bytes.copy(signature) }
    return undefined
  }

  const verifyItem: Verifier["Service"]["verifyItem"] = (item) =>
    Effect.suspend(() => {
      const claim = claimInRun(item)
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

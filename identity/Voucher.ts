/**
 * Voucher: what speaks for an item. A key's signature, or, for what a process emitted, the proof of the turn that
 * emitted it with the units whose signatures on it are good (spec 02 §5).
 *
 * Both the scheduler and the compute units ask here, so they can't come to different answers.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Admission from "../runtime/Admission.ts"
import * as Assign from "../runtime/Assign.ts"
import * as Attestation from "../runtime/Attestation.ts"
import * as Drop from "../runtime/Drop.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import type * as Item from "../runtime/Item.ts"
import * as Message from "../runtime/Message.ts"
import * as OutboxItem from "../runtime/OutboxItem.ts"
import * as OutboxProof from "../runtime/OutboxProof.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import type { Verifier } from "./Verifier.ts"

export type Voucher = Admission.Candidate["voucher"]

const refuse = (reason: Admission.Reason, detail: string) =>
  Effect.fail(new Admission.Refused({ reason, detail }))

const goodSigner = (verifier: Verifier["Service"], claim: OutboxProof.Claim) => {
  const type = SignatureType.find(claim.signatureType)
  if (type === undefined) return Effect.succeed(undefined)
  const bytes = Attestation.signingBytes(claim.root)
  return Effect.map(
    verifier.verify(type, claim.owner, "heddle/attestation/1", bytes, claim.signature),
    (good) => (good ? Id.fromBytes(Hash.sha256(claim.owner)) : undefined),
  )
}

/** The units whose signatures are good, each once. */
const attestorsOf = (verifier: Verifier["Service"], claims: ReadonlyArray<OutboxProof.Claim>) =>
  Effect.forEach(claims, (claim) => goodSigner(verifier, claim), { concurrency: "unbounded" }).pipe(
    Effect.mapError((error) => new Admission.Refused({ reason: "overloaded", detail: error.message })),
    Effect.map((signers) => [...new Set(signers.filter((signer) => signer !== undefined))]),
  )

const verifySignature = (verifier: Verifier["Service"], item: Item.Item, reason: Admission.Reason) =>
  verifier.verifyItem(item).pipe(
    Effect.mapError(
      (error) =>
        new Admission.Refused({
          reason: error._tag === "Overloaded" ? "overloaded" : reason,
          detail: error.message,
        }),
    ),
  )

/** Checks what speaks for a message: of an assigned item, its own signature beside that of who assigned it. */
export const ofMessage = Effect.fnUntraced(function* (
  verifier: Verifier["Service"],
  message: Message.Message,
  proof: Uint8Array,
): Effect.fn.Return<Voucher, Admission.Refused> {
  const voucher = yield* examine(verifier, Message.logged(message), proof)
  if (message.carrier !== undefined) yield* verifySignature(verifier, message.item, "bad assigned item")
  else if (Assign.is(message)) {
    const opened = Assign.open(message)
    const detail = Result.isFailure(opened) ? opened.failure.detail : "it was not opened"
    return yield* refuse("bad assigned item", detail)
  }
  return Drop.is(message) && "signed" in voucher
    ? { ...voucher, drop: yield* dropOf(verifier, message) }
    : voucher
})

/** What a drop gives up, or why nothing: whether it is its process's owner who says so is `Admission`'s question. */
const dropOf = (verifier: Verifier["Service"], message: Message.Message) => {
  const opened = Drop.open(message)
  if (Result.isFailure(opened)) return Effect.succeed(Result.fail(opened.failure))
  const { claims, ...dropped } = opened.success
  return Effect.map(attestorsOf(verifier, claims), (attestors) => Result.succeed({ ...dropped, attestors }))
}

/** Checks what speaks for `item`. Whether the receiver believes it is `Admission`'s question. */
export const examine = Effect.fnUntraced(function* (
  verifier: Verifier["Service"],
  item: Item.Item,
  proof: Uint8Array,
): Effect.fn.Return<Voucher, Admission.Refused> {
  if (item.type !== SignatureType.outbox) {
    if (proof.length > 0) return yield* refuse("bad proof", "a signed item carries no proof")
    yield* verifySignature(verifier, item, "bad signature")
    return { signed: true }
  }
  if (OutboxItem.origin(item) === undefined)
    return yield* refuse("bad proof", "the item's signature field does not fit its content")
  if (proof.length === 0) return { none: true }
  const decoded = OutboxProof.decode(proof)
  if (Result.isFailure(decoded)) return yield* refuse("bad proof", decoded.failure)
  const opened = OutboxProof.open(item, decoded.success)
  if (Result.isFailure(opened)) return yield* refuse("bad proof", opened.failure)
  const { source, kind, pair, due, claims } = opened.success
  const attestors = yield* attestorsOf(verifier, claims)
  return { proven: { source, kind, pair, due, attestors } }
})

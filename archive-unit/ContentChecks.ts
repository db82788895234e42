/**
 * Content checks: whether a content is true, for a reader who believes nobody who handed it over (spec 07 §4).
 *
 * Whom the reader believes, it says itself: the scheduler or compute unit that the process names. One call a content;
 * what comes out needs no more checks of its own bytes. Whether items are signed and messages admissible is asked by
 * the follower of the log, here as anywhere.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as SigningContext from "../identity/SigningContext.ts"
import { type Overloaded, Verifier } from "../identity/Verifier.ts"
import * as Batch from "../runtime/Batch.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Module from "../runtime/Module.ts"
import type { CommittedBatch } from "../scheduler-unit/SchedulerUnit.ts"
import * as BatchesContent from "./BatchesContent.ts"
import * as Content from "./Content.ts"
import * as TurnsContent from "./TurnsContent.ts"

/** A content that can be read and is not true, or not by whom it should be. */
export class ContentRefused extends Data.TaggedError("ContentRefused")<{
  readonly type: Content.Type
  readonly reason: "other signer" | "bad signature" | "other name"
  /** Of the batch or release, where it is about one. */
  readonly number: number | undefined
  readonly detail: string
}> {
  override get message(): string {
    const where = this.number === undefined ? "" : ` at ${this.number}`
    return `${this.type} content refused, ${this.reason}${where}: ${this.detail}`
  }
}

const refuse = (type: Content.Type, reason: ContentRefused["reason"], detail: string, number?: number) =>
  new ContentRefused({ type, reason, number, detail })

/** Signatures asked for at once: what keeps a pool of workers busy and leaves room for others. */
const atOnce = 32

interface Signed {
  readonly number: number
  readonly signed: Batch.Signed
  readonly bytes: Uint8Array
}

/** Whether all of these are signed, for this use, by the holder of `address`. */
const checkSigned = Effect.fnUntraced(function* (
  type: Content.Type,
  address: Id.Address,
  context: SigningContext.SigningContext,
  all: ReadonlyArray<Signed>,
): Effect.fn.Return<void, ContentRefused | Overloaded, Verifier> {
  const verifier = yield* Verifier
  const signer = Id.fromBytes(Hash.sha256(all[0]!.signed.owner)) // decoders give at least one, all of one owner
  if (signer !== address) return yield* refuse(type, "other signer", `it is of ${signer}, not of ${address}`)
  const check = Effect.fnUntraced(function* ({ number, signed, bytes }: Signed) {
    const { signatureType, owner, signature } = signed
    const key = Content.plainType(signatureType)! // decoders give no other
    if (!(yield* verifier.verify(key, owner, context, bytes, signature)))
      return yield* refuse(type, "bad signature", `${address} did not sign what stands there`, number)
  })
  yield* Effect.forEach(all, check, { concurrency: atOnce, discard: true })
})

/** The batches of a content, each with the signature of `scheduler` over its link. */
export const batches = Effect.fnUntraced(function* (
  scheduler: Id.Address,
  bytes: Uint8Array,
): Effect.fn.Return<
  ReadonlyArray<CommittedBatch>,
  Content.ContentInvalid | ContentRefused | Overloaded,
  Verifier
> {
  const decoded = yield* Effect.fromResult(BatchesContent.decode(bytes))
  const signed = decoded.map(({ link }) => ({
    number: link.number,
    signed: link,
    bytes: Batch.signingBytes(link),
  }))
  yield* checkSigned("Batches", scheduler, "heddle/batch/1", signed)
  return decoded
})

/** The releases of a content, each with the signature of `compute` over the tree of its attestations; their numbers are its word only. */
export const turns = Effect.fnUntraced(function* (
  compute: Id.Address,
  bytes: Uint8Array,
): Effect.fn.Return<
  ReadonlyArray<TurnsContent.ArchivedRelease>,
  Content.ContentInvalid | ContentRefused | Overloaded,
  Verifier
> {
  const decoded = yield* Effect.fromResult(TurnsContent.decode(bytes))
  const signed = decoded.map((release) => ({
    number: release.number,
    signed: release,
    bytes: TurnsContent.signingBytes(release.groups),
  }))
  yield* checkSigned("Turns", compute, "heddle/attestation/1", signed)
  return decoded
})

const named = (type: Content.Type, bytes: Uint8Array, found: Id.Id, name: Id.Id) => {
  if (bytes.length > Content.bytesMax[type])
    return Result.fail(refuse(type, "other name", `${bytes.length} bytes are more than there can be`))
  return found === name
    ? Result.succeed(bytes)
    : Result.fail(refuse(type, "other name", `it is ${found}, not ${name}`))
}

/** The bytes, once they are those of the module named. */
export const module = (name: Id.Id, bytes: Uint8Array): Result.Result<Uint8Array, ContentRefused> =>
  named("Module", bytes, Module.id(bytes), name)

/** The bytes, once SHA-256 of them is the name: of an engine or of data. */
export const hashed = (
  type: "Engine" | "Data",
  name: Uint8Array,
  bytes: Uint8Array,
): Result.Result<Uint8Array, ContentRefused> =>
  named(type, bytes, Id.fromBytes(Hash.sha256(bytes)), Id.fromBytes(name))

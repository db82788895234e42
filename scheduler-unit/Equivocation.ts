/**
 * Equivocation: the proof that a scheduler gave one slot twice, or one batch number twice (spec 03 §6), as a JSON file
 * that anyone can check with nothing else at hand.
 *
 * A receipt in it is spelled as everywhere in JSON: ids and bytes as base64url, times in ms. Which kind of
 * equivocation it is follows from the two receipts and is not in the file.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Overloaded, Verifier } from "../identity/Verifier.ts"
import * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import * as Spelling from "../runtime/Spelling.ts"

export const format = "heddle/equivocation/1"

/** Two receipts of one scheduler that can't both be honest, if the proof is good. */
export interface Proof {
  readonly first: Batch.Receipt
  readonly second: Batch.Receipt
}

/** What a good proof shows, and against whom. */
export interface Shown {
  readonly kind: Batch.Equivocation["kind"]
  readonly scheduler: Id.Address
}

/** It shows nothing. `detail` names the first thing that does not hold. */
export class NotEquivocation extends Data.TaggedError("NotEquivocation")<{ readonly detail: string }> {
  override get message(): string {
    return `no equivocation: ${this.detail}`
  }
}

const File = Schema.fromJsonString(
  Schema.Struct({ format: Schema.Literal(format), first: Spelling.Receipt, second: Spelling.Receipt }),
)

/** The proof as the text of a file. */
export const encode = ({ first, second }: Proof): string => Schema.encodeSync(File)({ format, first, second })

/** Reads a proof; the failure says where the text is not one. */
export const decode = (text: string): Result.Result<Proof, NotEquivocation> =>
  Result.mapBoth(Schema.decodeUnknownResult(File)(text, { onExcessProperty: "error" }), {
    onSuccess: ({ first, second }) => ({ first, second }),
    onFailure: (error) => new NotEquivocation({ detail: String(error) }),
  })

/** Checks a proof by itself: both receipts, both signatures, one owner, and that they contradict each other. */
export const check = Effect.fnUntraced(function* (
  { first, second }: Proof,
  verifier: Verifier["Service"],
): Effect.fn.Return<Shown, NotEquivocation | Overloaded> {
  const fail = (detail: string) => new NotEquivocation({ detail })
  if (!Bytes.equal(first.link.owner, second.link.owner)) return yield* fail("the receipts have two owners")
  for (const [which, receipt] of [
    ["first", first],
    ["second", second],
  ] as const) {
    if (!Batch.receiptHolds(receipt)) return yield* fail(`the ${which} receipt does not open its batch`)
    const { signatureType, owner, signature } = receipt.link
    const type = SignatureType.find(signatureType)
    const bytes = Batch.signingBytes(receipt.link)
    const good =
      type !== undefined && (yield* verifier.verify(type, owner, "heddle/batch/1", bytes, signature))
    if (!good) return yield* fail(`the signature of the ${which} receipt is not good`)
  }
  const found = Batch.equivocation(first, second)
  if (found === undefined) return yield* fail("the receipts do not contradict each other")
  return { kind: found.kind, scheduler: Id.fromBytes(Hash.sha256(first.link.owner)) }
})

/**
 * Inadmissible: the proof that a scheduler gave a slot to what should not be in a log (spec 03 §12), as a JSON file that
 * anyone can check with nothing else at hand.
 *
 *     {format, receipt of slot n, entries of slots 0 to n: {term, timestamp, item, proof}}
 *
 * The receipt is the scheduler's signature over the head of slot n, and a head commits to every entry before it; so the
 * entries need no more than what the head is made of. What is wrong with the slot follows and is not in the file.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Overloaded, Verifier } from "../identity/Verifier.ts"
import * as Address from "../runtime/Address.ts"
import * as Admission from "../runtime/Admission.ts"
import * as Assign from "../runtime/Assign.ts"
import * as Assignment from "../runtime/Assignment.ts"
import * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import * as Spelling from "../runtime/Spelling.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import * as AuditFinding from "./AuditFinding.ts"
import * as Follower from "./Follower.ts"
import type { LogSource } from "./LogSource.ts"
import type { Seen } from "./OutcomeLog.ts"

export const format = "heddle/inadmissible/2"

/** What a slot was given to, in which term and when. */
export type Given = Pick<Assignment.Assignment, "term" | "timestamp"> & Pick<LogEntry, "item" | "proof">

export interface Proof {
  readonly receipt: Batch.Receipt
  /** Of each slot up to the receipt's. */
  readonly entries: ReadonlyArray<Given>
}

/** What a good proof shows, and against whom. */
export interface Shown {
  readonly scheduler: Id.Address
  readonly process: Id.ProcessId
  readonly slot: number
  readonly message: Id.Id
  /** What every reader of the log comes to. */
  readonly reason: string
}

/** It shows nothing; the first thing that does not hold, and in words. */
export class NotInadmissible extends Data.TaggedError("NotInadmissible")<{
  readonly reason:
    | "not a proof"
    | "too large"
    | "receipt"
    | "signature"
    | "chain"
    | "no spawn"
    | "other scheduler"
    | "admissible"
  readonly detail: string
}> {
  override get message(): string {
    return `no proof of an inadmissible slot: ${this.detail}`
  }
}

const File = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal(format),
    receipt: Spelling.Receipt,
    entries: Schema.Array(
      Schema.Struct({
        term: Schema.Natural,
        timestamp: Spelling.time,
        item: Spelling.Base64Url,
        proof: Spelling.Base64Url,
      }),
    ),
  }),
)

const tooLarge = new NotInadmissible({
  reason: "too large",
  detail: `the log up to there takes more than the ${Limit.proofFileCharsMax} characters that a file may have`,
})

/** Characters that an entry takes in the file, at least. */
const charsOf = ({ item, proof }: Pick<Given, "item" | "proof">): number =>
  Math.ceil((4 * (item.length + proof.length)) / 3)

/** The proof as the text of a file. */
export const encode = ({ receipt, entries }: Proof): Result.Result<string, NotInadmissible> => {
  if (entries.reduce((sum, entry) => sum + charsOf(entry), 0) > Limit.proofFileCharsMax)
    return Result.fail(tooLarge)
  const text = Schema.encodeSync(File)({ format, receipt, entries })
  return text.length > Limit.proofFileCharsMax ? Result.fail(tooLarge) : Result.succeed(text)
}

/** Reads a proof; the failure says where the text is not one. */
export const decode = (text: string): Result.Result<Proof, NotInadmissible> => {
  if (text.length > Limit.proofFileCharsMax) return Result.fail(tooLarge)
  return Result.mapBoth(Schema.decodeUnknownResult(File)(text, { onExcessProperty: "error" }), {
    onSuccess: ({ receipt, entries }) => ({ receipt, entries }),
    onFailure: (error) => new NotInadmissible({ reason: "not a proof", detail: String(error) }),
  })
}

/** The log that the entries make of the receipt's process. */
const logOf = ({ receipt: { assignment }, entries }: Proof): ReadonlyArray<LogEntry> => {
  const { process } = assignment
  let previous = Assignment.emptyHead
  return entries.map(({ term, timestamp, item, proof }, slot) => {
    const entryHash = Assignment.entryHash(item, proof)
    const made = Assignment.make({ process, term, slot, timestamp, entryHash, previous })
    previous = made.head
    return { assignment: made, batch: 0, index: 0, item, proof }
  })
}

/** Goes through admission again, from slot 0; gives what it makes of the last slot, and whose that was to give. */
const examined = Effect.fnUntraced(function* (
  process: Id.ProcessId,
  log: ReadonlyArray<LogEntry>,
  verifier: Verifier["Service"],
) {
  const seen = new Map<string, Seen>()
  let state = Admission.emptyLog
  let last: Follower.Examined | undefined
  for (let from = 0; from < log.length; from += Limit.logPageMax) {
    const piece = log.slice(from, from + Limit.logPageMax)
    const look = (key: Uint8Array) => seen.get(Bytes.toHex(key))
    // Entry hashes and heads were made here, of the very bytes.
    const done = yield* Follower.examine(() => verifier, process, state, piece, look, Follower.checkOrder)
    for (const { entry, seen: one } of done)
      if (one !== undefined)
        seen.set(Bytes.toHex(one.key), { slot: entry.slot, contentHash: one.contentHash })
    last = done.at(-1)!
    state = last.log
  }
  return last!
})

/** Checks a proof by itself: the scheduler's signature, the chain under it, and that admission refuses its slot. */
export const check = Effect.fnUntraced(function* (
  proof: Proof,
  verifier: Verifier["Service"],
): Effect.fn.Return<Shown, NotInadmissible | Overloaded | Admission.Refused> {
  const fail = (reason: NotInadmissible["reason"], detail: string) => new NotInadmissible({ reason, detail })
  const { receipt, entries } = proof
  const { link, assignment } = receipt
  const { process, slot } = assignment
  if (!Batch.receiptHolds(receipt)) return yield* fail("receipt", "the receipt does not open its batch")
  const type = SignatureType.find(link.signatureType)
  const signed = Batch.signingBytes(link)
  if (
    type === undefined ||
    !(yield* verifier.verify(type, link.owner, "heddle/batch/1", signed, link.signature))
  )
    return yield* fail("signature", "the signature of the receipt is not good")
  if (entries.length !== slot + 1)
    return yield* fail("chain", `the receipt is of slot ${slot}, and there are ${entries.length} entries`)
  const log = logOf(proof)
  if (!Bytes.equal(log.at(-1)!.assignment.head, assignment.head))
    return yield* fail("chain", "the entries do not lead to the head that was signed")
  const made = yield* AuditFinding.ofChain(Effect.sync(() => Follower.spawned(process, log[0]))).pipe(
    Effect.mapError(({ detail }) => fail("no spawn", detail)),
  )
  const last = yield* AuditFinding.ofChain(examined(process, log, verifier)).pipe(
    Effect.catchTag("LogUnfit", ({ detail }) => fail("chain", detail)),
  )
  const scheduler = Address.of(link.owner).text
  const { givenBy = made.scheduler } = last
  if (givenBy !== scheduler)
    return yield* fail("other scheduler", `${scheduler} signed, and slot ${slot} was ${givenBy}'s to give`)
  const reason = last.entry.inadmissible
  if (reason === undefined) return yield* fail("admissible", `slot ${slot} is as it should be`)
  // It was read to be examined.
  const { id } = Result.getOrThrow(Assign.read(log.at(-1)!.item))
  return { scheduler, process, slot, message: id, reason }
})

/** Gathers the proof of a slot from whoever has the log; whether it shows anything, `check` says. */
export const gather = Effect.fnUntraced(function* <E>(
  source: Pick<LogSource<E>, "log" | "receipt">,
  process: Id.ProcessId,
  slot: number,
) {
  const receipt = yield* source.receipt(process, slot)
  const entries: Array<Given> = []
  let chars = 0
  while (entries.length <= slot) {
    const left = Math.min(slot + 1 - entries.length, Limit.logPageMax)
    const page = yield* source.log(process, entries.length, left)
    if (page.length === 0) break
    for (const { assignment, item, proof } of page) {
      chars += charsOf({ item, proof })
      entries.push({ term: assignment.term, timestamp: assignment.timestamp, item, proof })
    }
    if (chars > Limit.proofFileCharsMax) return yield* tooLarge
  }
  const proof: Proof = { receipt, entries }
  return proof
})

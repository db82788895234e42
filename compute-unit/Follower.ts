/**
 * Follower: reads one process's log and says what each slot is, before any turn is run. It re-runs admission as a
 * pure function of the log (spec 03 §4), so that what a scheduler should not have let in is `inadmissible` here and
 * at every other unit.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Verifier } from "../identity/Verifier.ts"
import * as Voucher from "../identity/Voucher.ts"
import * as Admission from "../runtime/Admission.ts"
import * as Assign from "../runtime/Assign.ts"
import * as Assignment from "../runtime/Assignment.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as DataReference from "../runtime/DataReference.ts"
import * as Drop from "../runtime/Drop.ts"
import type * as Id from "../runtime/Id.ts"
import type * as Message from "../runtime/Message.ts"
import * as Move from "../runtime/Move.ts"
import * as OutboxProof from "../runtime/OutboxProof.ts"
import * as Process from "../runtime/Process.ts"
import * as Upgrade from "../runtime/Upgrade.ts"
import * as Void from "../runtime/Void.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import type { Seen } from "./OutcomeLog.ts"
import type { Entry } from "./Sandbox.ts"

/** An entry with what admission made of it. */
export interface Recalled {
  readonly entry: Omit<Entry, "root" | "upgrade" | "data"> & {
    readonly upgrade: Upgrade.Upgrade | undefined
    readonly data: DataReference.DataReference | undefined
  }
  readonly log: Admission.LogState
  /** Whose slot it was to give; unset where no spawn was admitted. */
  readonly givenBy: Id.Address | undefined
}

export interface Examined extends Recalled {
  /** How a repeat of it is found; unset where it was not admitted, since what is not admitted can come again. */
  readonly seen: { readonly key: Uint8Array; readonly contentHash: Uint8Array } | undefined
}

/** The process that slot 0 makes; without one there is nothing to compute. */
export const spawned = (process: Id.ProcessId, first: LogEntry | undefined): Process.Process => {
  if (first === undefined) throw new ChainBroken(0, "slot 0 is missing")
  const made = recall(process, Admission.emptyLog, first, undefined).log.process
  if (made === undefined) throw new ChainBroken(0, "slot 0 is not the spawn of this process")
  return made
}

/** What one slot brings, before it is admitted. */
interface Candidate {
  readonly message: Message.Message
  readonly voucher: Result.Result<Voucher.Voucher, Admission.Refused>
}

/** The log that was handed over is not the one the chain commits to; nothing after it can be believed. */
export class ChainBroken extends Error {
  readonly slot: number
  constructor(slot: number, detail: string) {
    super(`slot ${slot}: ${detail}`)
    this.slot = slot
  }
}

const read = (entry: LogEntry): Message.Message =>
  Result.getOrThrowWith(
    Assign.read(entry.item),
    (error) => new ChainBroken(entry.assignment.slot, error.message),
  )

/** What the next entry of a log follows. */
type Link = Pick<Admission.LogState, "nextSlot" | "head" | "timestamp">

/** Asserts that `entry` stands next in this process's log, its entry hash and head being right; gives its link. */
export const checkOrder = (
  process: Id.ProcessId,
  { nextSlot, head: last, timestamp }: Link,
  { assignment }: LogEntry,
): Link => {
  const { slot, previous, head } = assignment
  if (assignment.process !== process)
    throw new ChainBroken(slot, `it belongs to process ${assignment.process}`)
  if (slot !== nextSlot) throw new ChainBroken(slot, `slot ${nextSlot} is missing`)
  if (!Bytes.equal(previous, last)) throw new ChainBroken(slot, "it does not follow the head before it")
  if (assignment.timestamp < timestamp)
    throw new ChainBroken(slot, "its timestamp is before the one before it")
  return { nextSlot: slot + 1, head, timestamp: assignment.timestamp }
}

/** Asserts that `entry` is the next link of this process's chain: slot, head and entry hash (spec 03 §2); gives it. */
export const checkLink = (process: Id.ProcessId, before: Link, entry: LogEntry): Link => {
  const { assignment, item, proof } = entry
  const link = checkOrder(process, before, entry)
  if (!Bytes.equal(assignment.entryHash, Assignment.entryHash(item, proof)))
    throw new ChainBroken(assignment.slot, "the item or its proof is not the one that was assigned")
  if (!Bytes.equal(Assignment.make(assignment).head, assignment.head))
    throw new ChainBroken(assignment.slot, "its head does not follow from it")
  return link
}

/**
 * Asserts that the term goes on, or that the slot, or the one before it, can begin the next: whether it does is seen once
 * it is known who spoke.
 */
const checkTerm = (
  before: number,
  last: Message.Message | undefined,
  message: Message.Message,
  { process, slot, term }: Assignment.Assignment,
): void => {
  const isBegun = [last, message].some((one) => one !== undefined && Move.is(process, one))
  if (term !== before && !(isBegun && term === before + 1))
    throw new ChainBroken(slot, `term ${term} follows term ${before}`)
}

const verdict = (
  log: Admission.LogState,
  { message, voucher }: Candidate,
  { process, timestamp, term }: Assignment.Assignment,
  seen: Admission.Candidate["seen"],
): Result.Result<Omit<Admission.LogState, "head">, Admission.Refused> =>
  message.process === process
    ? Result.flatMap(voucher, (good) =>
        Admission.admit(log, { message, voucher: good, seen }, timestamp, term),
      )
    : Result.fail(new Admission.Refused({ reason: "other process", detail: `it is for ${message.process}` }))

const admitted = (
  log: Admission.LogState,
  entry: LogEntry,
  candidate: Candidate,
  before: Admission.Candidate["seen"],
): Recalled => {
  const { slot, timestamp, head } = entry.assignment
  const { message, voucher } = candidate
  const made = verdict(log, candidate, entry.assignment, before)
  const { term } = entry.assignment
  if (term !== log.term && Result.isFailure(made))
    throw new ChainBroken(slot, `term ${term} follows term ${log.term}: ${made.failure.message}`)
  const next = Result.isSuccess(made) ? made.success : { ...log, nextSlot: slot + 1, timestamp }
  const isLater = Result.isSuccess(made) && log.process !== undefined
  const good = Result.isSuccess(voucher) ? voucher.success : undefined
  const proven = good !== undefined && "proven" in good ? good.proven : undefined
  const cron =
    good !== undefined && "none" in good && log.process ? Admission.cronOf(log.process, message) : undefined
  return {
    entry: {
      slot,
      timestamp,
      head,
      item: entry.item,
      data: Result.isSuccess(made) ? DataReference.find(message) : undefined,
      inadmissible: Result.isFailure(made) ? made.failure.reason : undefined,
      pair: proven?.kind === "message" || proven?.kind === "void" ? proven.pair : undefined,
      void: proven?.kind === "void" ? Void.read(message)?.reason : undefined,
      drop: Result.isSuccess(made) && log.process ? dropBy(log.process, candidate) : undefined,
      cron: cron && { name: cron.cron.name, count: cron.count },
      authority: isLater && next.authority !== log.authority ? next.authority : undefined,
      move: isLater && next.term !== log.term ? { term: next.term, scheduler: next.scheduler! } : undefined,
      upgrade: Result.isSuccess(made) && log.process ? Upgrade.read(log.process, message) : undefined,
    },
    log: { ...next, head },
    givenBy: term === log.term ? (log.scheduler ?? next.scheduler) : next.scheduler,
  }
}

/** What a slot gives up of what its process emitted, if it does. */
const dropBy = (process: Process.Process, { message, voucher }: Candidate): Drop.Dropped | undefined => {
  const good = Result.getOrUndefined(voucher)
  const drop = good !== undefined && "signed" in good ? good.drop : undefined
  if (drop === undefined || Result.isFailure(drop) || !Drop.isBy(process, message)) return undefined
  const { attestors: _, ...dropped } = drop.success
  return dropped
}

/** A verdict is about the log alone: that this unit is busy is no verdict, but a reason to ask again. */
const voucherOf = (verifier: Verifier["Service"], message: Message.Message, proof: Uint8Array) =>
  Effect.flatMap(Effect.result(Voucher.ofMessage(verifier, message, proof)), (voucher) =>
    Result.isFailure(voucher) && voucher.failure.reason === "overloaded"
      ? Effect.fail(voucher.failure)
      : Effect.succeed({ message, voucher }),
  )

/** What an entry is to one that stood before it under the same key. */
const standing = (
  seen: Seen | undefined,
  slot: number,
  contentHash: Uint8Array,
): Admission.Candidate["seen"] => {
  if (seen === undefined || seen.slot >= slot) return undefined
  return Bytes.equal(seen.contentHash, contentHash) ? "repeat" : "anchor reused"
}

/**
 * Examines new entries: signatures and proofs side by side, admission in order. `seen` looks into what this unit
 * evaluated before. Throws `ChainBroken` where the log is not one chain; fails only where the verifier is overloaded.
 * Where entry hashes and heads were made here of the very bytes, `checkOrder` does for `check`.
 */
export const examine = Effect.fnUntraced(function* (
  verifierOf: (slot: number) => Verifier["Service"],
  process: Id.ProcessId,
  log: Admission.LogState,
  entries: ReadonlyArray<LogEntry>,
  seen: (key: Uint8Array) => Seen | undefined,
  check: typeof checkLink = checkLink,
) {
  let link: Link = log
  const messages: Array<Message.Message> = []
  for (const [i, entry] of entries.entries()) {
    link = check(process, link, entry)
    const message = read(entry)
    checkTerm(entries[i - 1]?.assignment.term ?? log.term, messages[i - 1], message, entry.assignment)
    messages.push(message)
  }
  const candidates = yield* Effect.forEach(
    entries,
    ({ assignment, proof }, i) => voucherOf(verifierOf(assignment.slot), messages[i]!, proof),
    { concurrency: "unbounded" },
  )
  const fresh = new Map<string, Seen>()
  const done: Array<Examined> = []
  let state = log
  for (const [i, entry] of entries.entries()) {
    const { slot } = entry.assignment
    const { repeatKey: key, contentHash } = Void.identity(messages[i]!, entry.proof)
    const name = Bytes.toHex(key)
    const before = standing(fresh.get(name) ?? seen(key), slot, contentHash)
    const one = admitted(state, entry, candidates[i]!, before)
    const good = one.entry.inadmissible === undefined
    if (good) fresh.set(name, { slot, contentHash })
    state = one.log
    done.push({ ...one, seen: good ? { key, contentHash } : undefined })
  }
  return done
})

const believedDrop = (message: Message.Message, attestors: ReadonlyArray<Id.Address>) =>
  Drop.is(message)
    ? { drop: Result.map(Drop.open(message), ({ claims: _, ...dropped }) => ({ ...dropped, attestors })) }
    : {}

/**
 * Goes over entries that this unit examined before and kept the verdicts of: no signature is verified again, and who
 * attested a proof is taken as believed. `inadmissible` is the verdict kept.
 */
export const recall = (
  process: Id.ProcessId,
  log: Admission.LogState,
  entry: LogEntry,
  inadmissible: string | undefined,
): Recalled => {
  checkLink(process, log, entry)
  const message = read(entry)
  const proof = entry.proof.length === 0 ? undefined : Result.getOrUndefined(OutboxProof.decode(entry.proof))
  const made = log.process ?? Result.getOrUndefined(Process.fromSpawn(message))
  const attestors = (log.authority ?? made?.authority)?.units ?? []
  const voucher: Voucher.Voucher =
    proof !== undefined
      ? {
          proven: {
            source: proof.attestation.process,
            kind: proof.kind,
            pair: proof.pair,
            due: proof.due,
            attestors,
          },
        }
      : message.fromProcess
        ? { none: true }
        : { signed: true, ...believedDrop(message, made?.compute ?? []) }
  const refused =
    inadmissible === undefined
      ? undefined
      : new Admission.Refused({ reason: inadmissible as Admission.Reason, detail: "" }) // kept by `examine`
  return admitted(
    log,
    entry,
    { message, voucher: refused ? Result.fail(refused) : Result.succeed(voucher) },
    undefined,
  )
}

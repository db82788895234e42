/**
 * AuditChecks: who said what. Each check gives what is wrong, or nothing: the order of slots that its scheduler signed,
 * and the outcomes and state that a compute unit attested.
 */
import * as Effect from "effect/Effect"
import type { Verifier } from "../identity/Verifier.ts"
import * as Attestation from "../runtime/Attestation.ts"
import * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import type * as Process from "../runtime/Process.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import { type Finding, otherEngine } from "./AuditFinding.ts"
import type { Turn } from "./ComputeUnit.ts"
import * as OutcomeDifference from "./OutcomeDifference.ts"
import * as OutcomeLog from "./OutcomeLog.ts"
import type { Evaluated } from "./Sandbox.ts"

/** What a verification needs beyond a replay. */
export interface Checks {
  readonly verifier: Verifier["Service"]
}

const signedBy = (
  verifier: Verifier["Service"],
  signed: Batch.Signed,
  context: "heddle/batch/1" | "heddle/attestation/1",
  bytes: Uint8Array,
) => {
  const type = SignatureType.find(signed.signatureType)
  return type === undefined
    ? Effect.succeed(false)
    : Effect.orDie(verifier.verify(type, signed.owner, context, bytes, signed.signature))
}

/** Whether `scheduler`, whose slot it was to give, signed it. `links` are batches whose signature was seen to be good. */
export const receipt = Effect.fnUntraced(function* (
  { verifier }: Checks,
  scheduler: Id.Address,
  receipt: Batch.Receipt,
  { assignment }: LogEntry,
  links: Set<string>,
) {
  const { slot } = assignment
  const finding = (what: Finding["what"], detail: string): Finding => ({ slot, what, detail })
  if (
    !Bytes.equal(receipt.assignment.head, assignment.head) ||
    receipt.assignment.slot !== slot ||
    !Batch.receiptHolds(receipt)
  )
    return finding("receipt", "the receipt does not open this slot of its batch")
  if (Id.fromBytes(Hash.sha256(receipt.link.owner)) !== scheduler)
    return finding("receipt", `the batch is not signed by the scheduler ${scheduler}`)
  const { signatureType, signature } = receipt.link
  const signed = [Bytes.u16(signatureType), Batch.signingBytes(receipt.link), signature]
  const link = Bytes.toHex(Hash.sha256(Bytes.concat(signed)))
  if (links.has(link)) return undefined
  if (!(yield* signedBy(verifier, receipt.link, "heddle/batch/1", Batch.signingBytes(receipt.link))))
    return finding("signature", `the signature of batch ${receipt.link.number} is not good`)
  links.add(link)
  return undefined
})

/** Whether an attestation is about this slot of this process. */
export const subject = (
  { attestation: { process, term, to } }: Attestation.SignedAttestation,
  { assignment }: LogEntry,
): Finding | undefined =>
  process === assignment.process &&
  term === assignment.term &&
  to.slot === assignment.slot &&
  Bytes.equal(to.head, assignment.head)
    ? undefined
    : {
        slot: assignment.slot,
        what: "attestation",
        detail: "it is about another process, term or head than this slot's",
      }

/** Whether a unit that the process names signed an attestation. */
export const signer = Effect.fnUntraced(function* (
  { verifier }: Checks,
  process: Process.Process,
  signed: Attestation.SignedAttestation,
) {
  const { slot } = signed.attestation.to
  const finding = (what: Finding["what"], detail: string): Finding => ({ slot, what, detail })
  if (signed.attestation.process !== process.id) return finding("attestation", "it is about another process")
  if (!process.compute.includes(Id.fromBytes(Hash.sha256(signed.owner))))
    return finding("attestation", "it is not signed by a compute unit that the process names")
  const bytes = Attestation.signingBytes(Attestation.rootOf(signed))
  return (yield* signedBy(verifier, signed, "heddle/attestation/1", bytes))
    ? undefined
    : finding("signature", "the signature of the attestation is not good")
})

/** Whether an attestation says what was computed from where the one before it ended. */
export const transition = (
  { attestation: { engine, from, to, outcomeRoot } }: Attestation.SignedAttestation,
  before: Attestation.Point,
  evaluated: ReadonlyArray<Evaluated>,
): Finding | undefined => {
  const finding = (what: Finding["what"], detail: string): Finding => ({ slot: to.slot, what, detail })
  const last = evaluated.at(-1)!
  if (!Bytes.equal(engine, last.engine)) return finding("engine", otherEngine(engine, last.engine))
  if (!Bytes.equal(outcomeRoot, OutcomeLog.outcomeRoot(evaluated)))
    return finding("outcome", `the outcomes of slots ${before.slot + 1} to ${to.slot} are not those attested`)
  if (!Bytes.equal(to.stateRoot, last.stateRoot!))
    return finding(
      "state root",
      `computed ${Bytes.toHex(last.stateRoot!)}, attested ${Bytes.toHex(to.stateRoot)}`,
    )
  return from.slot === before.slot &&
    Bytes.equal(from.stateRoot, before.stateRoot) &&
    Bytes.equal(from.head, before.head)
    ? undefined
    : finding("attestation", "it does not start where the one before it ended")
}

/** The first of the outcomes that is not the one recorded. */
export const outcomes = (
  recorded: ReadonlyArray<Turn>,
  evaluated: ReadonlyArray<Evaluated>,
): Finding | undefined => {
  for (const [i, { outcome }] of evaluated.entries()) {
    const turn = recorded[i]
    const differences = turn && OutcomeDifference.ofAll(turn.outcome, outcome)
    const detail =
      differences === undefined
        ? "it was assigned and its turn is not there"
        : OutcomeDifference.inWords(differences)
    if (detail !== "") return { slot: outcome.slot, what: "outcome", detail }
  }
  return undefined
}

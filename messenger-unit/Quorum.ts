/**
 * Quorum: whether so many compute units of a process agree on an answer (spec 05 §8). Pure: what nodes said comes in as
 * plain values, and no node is believed.
 *
 * Example: a process names the units A, B and C, and two are wanted. A node gives A's attestation of slots 5 to 7 and
 * the outcomes of these slots; another gives B's. Both signatures are good, both attest the root of these outcomes and
 * lead to one state under one head: the answer in slot 6 is what both outcomes say it is.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import type * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Merkle from "../runtime/Merkle.ts"
import * as Outcome from "../runtime/Outcome.ts"
import type { Answered } from "./MessengerUnit.ts"
import * as ProvenView from "./ProvenView.ts"

/** Fewer units than were wanted are seen to agree. `why` has what was wrong with each that does not count. */
export class QuorumMissing extends Data.TaggedError("QuorumMissing")<{
  readonly process: Id.ProcessId
  readonly slot: number
  readonly have: ReadonlyArray<Id.Address>
  readonly want: number
  readonly why: ReadonlyArray<string>
}> {
  override get message(): string {
    const { slot, have, want, why } = this
    const rest = why.length === 0 ? "" : `; ${why.join("; ")}`
    return `${have.length} of ${want} units agree on slot ${slot}${rest}`
  }
}

/** Two units of the process attested different results of the same messages: one of them is wrong, and signed it. */
export class UnitsDiffer extends Data.TaggedError("UnitsDiffer")<{
  readonly process: Id.ProcessId
  readonly slot: number
  readonly units: readonly [Id.Address, Id.Address]
  readonly first: Attestation.SignedAttestation
  readonly second: Attestation.SignedAttestation
}> {
  override get message(): string {
    return `units ${this.units.join(" and ")} attest different results of slot ${this.slot}: heddle prove ${this.process} --against <url> finds the first turn`
  }
}

/** What is asked of the units. */
export interface Question {
  readonly process: Id.ProcessId
  /** The item of slot 0: it names the units, and has the process's id. */
  readonly spawn: Uint8Array
  readonly message: Id.Id
  /** Where the answer to the message stands. */
  readonly slot: number
  /** Units that have to agree. */
  readonly want: number
}

/** What one node says: a unit's attestation that reaches the slot, with the outcomes that it is about. */
export interface Statement {
  readonly signed: Attestation.SignedAttestation
  readonly outcomes: ReadonlyArray<Outcome.Outcome>
}

export interface Seen extends Statement {
  readonly unit: Id.Address
}

export interface Agreed {
  readonly units: ReadonlyArray<Id.Address>
  readonly attestation: Attestation.Attestation
  readonly answered: Answered
}

/** What a statement shows, or why it counts for nothing: its signature is verified here, once. */
export const read = (question: Question, { signed, outcomes }: Statement): Result.Result<Seen, string> =>
  Result.gen(function* () {
    const { attestation } = signed
    const { process, from, to, outcomeRoot } = attestation
    const made = yield* Result.mapError(
      ProvenView.spawned(question.process, question.spawn),
      ({ message }) => message,
    )
    if (process !== question.process) return yield* Result.fail(`an attestation about ${process}`)
    const unit = yield* Result.mapError(ProvenView.checkUnit(made, signed), ({ detail }) => detail)
    if (question.slot <= from.slot || question.slot > to.slot)
      return yield* Result.fail(`unit ${unit} attests slots ${from.slot + 1} to ${to.slot}`)
    const inPlace = outcomes.every(({ slot }, i) => slot === from.slot + 1 + i)
    if (!inPlace || outcomes.length !== to.slot - from.slot)
      return yield* Result.fail(`the outcomes beside the attestation of ${unit} are of other slots`)
    const places = outcomes.length <= Merkle.leavesMax
    if (!places || !Bytes.equal(Merkle.root(outcomes.map(Outcome.hash)), outcomeRoot))
      return yield* Result.fail(`the outcomes beside the attestation of ${unit} are not those attested`)
    return { unit, signed, outcomes }
  })

/** Whether two units say different things of one log. Where they went apart earlier they differ here too. */
const differ = (a: Attestation.Attestation, b: Attestation.Attestation): boolean =>
  a.to.slot === b.to.slot &&
  Bytes.equal(a.to.head, b.to.head) &&
  (!Bytes.equal(a.to.stateRoot, b.to.stateRoot) ||
    (a.from.slot === b.from.slot && !Bytes.equal(a.outcomeRoot, b.outcomeRoot)))

const equal = (a: Attestation.Attestation, b: Attestation.Attestation): boolean =>
  a.to.slot === b.to.slot &&
  a.from.slot === b.from.slot &&
  Bytes.equal(a.to.head, b.to.head) &&
  Bytes.equal(a.to.stateRoot, b.to.stateRoot) &&
  Bytes.equal(a.outcomeRoot, b.outcomeRoot)

/** What an outcome answers to a message, if it does: an error of the message's own turn, or a reply. */
export const answerIn = (outcome: Outcome.Outcome, message: Id.Id): Answered | undefined => {
  const { error, fuelUsed, replies } = outcome
  if (outcome.message === message && error !== undefined)
    return { fuelUsed, result: { error: error.message, reason: error.reason } }
  const reply = replies.find(({ to }) => to === message)
  if (reply === undefined) return undefined
  return {
    fuelUsed,
    result: "value" in reply ? { value: reply.value } : { error: reply.error, reason: "replied" },
  }
}

/** Whether what was said, as `read` sees it, makes a quorum. `silent` says of nodes that gave no statement why not. */
export const decide = (
  question: Question,
  all: ReadonlyArray<Result.Result<Seen, string>>,
  silent: ReadonlyArray<string> = [],
): Result.Result<Agreed, QuorumMissing | UnitsDiffer> => {
  const { process, slot, message, want } = question
  const missing = (have: ReadonlyArray<Id.Address>, why: ReadonlyArray<string>) =>
    Result.fail(new QuorumMissing({ process, slot, have, want, why }))
  const why = [...silent, ...all.flatMap((one) => (Result.isFailure(one) ? [one.failure] : []))]
  const seen = all.flatMap((one) => (Result.isSuccess(one) ? [one.success] : []))
  let best: ReadonlyArray<Seen> = []
  for (const a of seen) {
    const other = seen.find((b) => differ(a.signed.attestation, b.signed.attestation))
    if (other !== undefined)
      return Result.fail(
        new UnitsDiffer({
          process,
          slot,
          units: [a.unit, other.unit],
          first: a.signed,
          second: other.signed,
        }),
      )
    const same = seen.filter((b) => equal(a.signed.attestation, b.signed.attestation))
    if (new Set(same.map(({ unit }) => unit)).size > new Set(best.map(({ unit }) => unit)).size) best = same
  }
  const units = [...new Set(best.map(({ unit }) => unit))]
  const [first] = best
  if (first === undefined || units.length < want) {
    const apart = seen.some(
      ({ signed }) => !Bytes.equal(signed.attestation.to.head, first!.signed.attestation.to.head),
    )
    return missing(units, apart ? [...why, "units follow different logs, or different parts of one"] : why)
  }
  const { attestation } = first.signed
  const answered = answerIn(first.outcomes[slot - attestation.from.slot - 1]!, message)
  return answered === undefined
    ? missing([], [...why, `what units attest of slot ${slot} does not answer ${message}`])
    : Result.succeed({ units, attestation, answered })
}

/**
 * Proven letter: what a person has to see before it believes what an inbox says who wrote.
 *
 * The person knows its own address and, from the letter, the id of the process that is said to have written. That id
 * stands for the spawn, which names the compute units; one of them signed the turn in whose outbox the item stands. So
 * neither the node that keeps the inbox nor who brought the letter need be believed (spec 05 §9).
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as AttestationSignature from "../identity/AttestationSignature.ts"
import type * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import * as Message from "../runtime/Message.ts"
import * as OutboxProof from "../runtime/OutboxProof.ts"
import type * as Process from "../runtime/Process.ts"
import type { Letter } from "./MessengerUnit.ts"

/** What was seen to hold. */
export interface ProvenLetter {
  /** The process that wrote it, and the slot of the turn in which it did. */
  readonly from: Id.ProcessId
  readonly slot: number
  /** Which message it is of those from this process to this person: 1, 2, 3... */
  readonly pair: number
  readonly id: Id.Id
  readonly action: string | undefined
  readonly tags: ReadonlyArray<readonly [name: string, value: string]>
  readonly data: Uint8Array
  /** Compute units that the process names and whose word it is. */
  readonly units: ReadonlyArray<Id.Address>
}

/** A letter of which it is not shown who wrote it: nothing that it says is to be used. */
export class LetterInvalid extends Data.TaggedError("LetterInvalid")<{
  readonly number: number
  /** The part that does not hold. */
  readonly what: "item" | "target" | "proof" | "place" | "spawn" | "unit"
  readonly detail: string
}> {
  override get message(): string {
    return `letter ${this.number} is not proven, ${this.what}: ${this.detail}`
  }
}

/** What a letter shows to the person at `address`; `spawn` is what `ProvenSpawn.check` says of its source's slot 0. */
export const check = (
  address: Id.Address,
  spawn: Result.Result<Process.Process, string>,
  letter: Letter,
): Result.Result<ProvenLetter, LetterInvalid> =>
  Result.gen(function* () {
    const invalid = (what: LetterInvalid["what"]) => (detail: string) =>
      new LetterInvalid({ number: letter.number, what, detail })
    const item = yield* Result.mapError(Item.decode(letter.item), ({ message }) => invalid("item")(message))
    const message = yield* Result.mapError(Message.parse(item), ({ detail }) => invalid("item")(detail))
    if (message.process !== address) yield* Result.fail(invalid("target")(`it is to ${message.process}`))
    const proof = yield* Result.mapError(OutboxProof.decode(letter.proof), invalid("proof"))
    const { source, slot, pair, kind, claims } = yield* Result.mapError(
      OutboxProof.open(item, proof),
      invalid("proof"),
    )
    if (
      kind !== "message" ||
      source !== letter.source ||
      slot !== letter.slot ||
      proof.index !== letter.index
    )
      yield* Result.fail(invalid("place")(`it is ${kind} ${proof.index} of slot ${slot} of ${source}`))
    const { id: made, compute } = yield* Result.mapError(spawn, invalid("spawn"))
    if (made !== source) yield* Result.fail(invalid("spawn")(`it is that of ${made}`))
    const signers = new Set(
      claims
        .map((claim) => AttestationSignature.signer(claim, claim.root))
        .filter((signer) => signer !== undefined),
    )
    const units = compute.filter((unit) => signers.has(unit))
    if (units.length === 0)
      yield* Result.fail(invalid("unit")(`none that the process names has signed it: ${compute.join(", ")}`))
    const { id, action } = message
    const tags = item.tags.map(({ name, value }) => [name, value] as const)
    return { from: source, slot, pair, id, action, tags, data: item.data, units }
  })

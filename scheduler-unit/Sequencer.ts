/**
 * Sequencer: where a slot gets its number (spec 03 §2-4). Pure: states and submissions in, assignments and answers
 * out. Nothing here waits, signs or writes.
 *
 * Within a step, submissions are taken in order; a later one sees what an earlier one changed, so of two equal
 * messages in one batch the first gets the slot and the second is its repeat.
 */
import * as Result from "effect/Result"
import * as Admission from "../runtime/Admission.ts"
import * as Assignment from "../runtime/Assignment.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as DataReference from "../runtime/DataReference.ts"
import type * as Id from "../runtime/Id.ts"
import * as Message from "../runtime/Message.ts"
import type { Seen } from "./AssignmentLog.ts"

/** A message that wants a slot, with the facts that were looked up for it. */
export interface Submission {
  readonly message: Message.Message
  readonly voucher: Admission.Candidate["voucher"]
  readonly proof: Uint8Array
  /** Set where it is to begin the next term. */
  readonly takesOver?: boolean
  readonly repeatKey: Uint8Array
  readonly contentHash: Uint8Array
  /** What the log of the process held under `repeatKey` before this step. */
  readonly seen: Seen | undefined
  /** What it refers to, where that is not held here. */
  readonly missing?: DataReference.DataReference | undefined
}

/** A slot given in this step. */
export interface Assigned {
  readonly submission: Submission
  readonly assignment: Assignment.Assignment
}

/** One answer a submission, in order: a slot of this step, a slot that it had before, or why not. */
export type Answer =
  | { readonly _tag: "Assigned"; readonly assignment: Assignment.Assignment }
  | { readonly _tag: "Repeat"; readonly slot: number }
  | { readonly _tag: "Refused"; readonly refused: Admission.Refused }

export interface Step {
  readonly assigned: ReadonlyArray<Assigned>
  readonly answers: ReadonlyArray<Answer>
  /** States after the step, of the processes that got a slot in it. */
  readonly states: ReadonlyMap<Id.ProcessId, Admission.LogState>
}

const verdict = (seen: Seen | undefined, contentHash: Uint8Array): Admission.Candidate["seen"] =>
  seen === undefined ? undefined : Bytes.equal(seen.contentHash, contentHash) ? "repeat" : "anchor reused"

/** Not admission's verdict: no reader of the log can know what was here. */
const unavailable = ({ hash, length }: DataReference.DataReference): Answer => ({
  _tag: "Refused",
  refused: new Admission.Refused({
    reason: "data unavailable",
    detail: `the ${length} bytes of hash ${hash} are not here; upload them first, then send the same item again`,
  }),
})

/** Not admission's verdict: what a reader sees is who signed the slot. */
const elsewhere = (process: Id.ProcessId, { scheduler, nextSlot, term }: Admission.LogState): Answer => ({
  _tag: "Refused",
  refused: new Admission.Refused({
    reason: "other scheduler",
    detail: `${scheduler} schedules ${process} from slot ${nextSlot} on, in term ${term}; send it there`,
  }),
})

/**
 * Gives slots of the processes that `scheduler` schedules. `now` is the scheduler's clock in ms: a timestamp is never below that of the slot before (the clock
 * may be set back) and never ahead of the clock except to repeat it.
 */
export const step = (
  scheduler: Id.Address,
  stateOf: (process: Id.ProcessId) => Admission.LogState,
  submissions: ReadonlyArray<Submission>,
  now: number,
): Step => {
  const states = new Map<Id.ProcessId, Admission.LogState>()
  const fresh = new Map<string, Seen>()
  const assigned: Array<Assigned> = []

  const answer = (submission: Submission): Answer => {
    const { message, voucher, repeatKey, contentHash, proof, missing, takesOver = false } = submission
    const process = message.process
    const key = `${process} ${Bytes.toHex(repeatKey)}`
    const before = fresh.get(key) ?? submission.seen
    const seen = verdict(before, contentHash)
    if (seen === "repeat" && before !== undefined) return { _tag: "Repeat", slot: before.slot }
    const log = states.get(process) ?? stateOf(process)
    if (!takesOver && log.scheduler !== undefined && log.scheduler !== scheduler)
      return elsewhere(process, log)
    const timestamp = Math.max(now, log.timestamp)
    const term = takesOver ? log.term + 1 : log.term
    const admitted = Admission.admit(log, { message, voucher, seen }, timestamp, term)
    if (Result.isFailure(admitted)) return { _tag: "Refused", refused: admitted.failure }
    if (missing !== undefined) return unavailable(missing)
    const assignment = Assignment.make({
      process,
      term,
      slot: log.nextSlot,
      timestamp,
      entryHash: Assignment.entryHash(Message.logged(message).bytes, proof),
      previous: log.head,
    })
    states.set(process, { ...admitted.success, head: assignment.head })
    fresh.set(key, { slot: assignment.slot, contentHash })
    assigned.push({ submission, assignment })
    return { _tag: "Assigned", assignment }
  }

  const answers = submissions.map(answer)
  return { assigned, answers, states }
}

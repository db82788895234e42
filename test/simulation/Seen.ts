/** Seen: what left a machine, in the moment in which it did. Each kind is something that the embargo holds back. */
import type { Answer, Release, Turn, View, ViewProven } from "../../compute-unit/ComputeUnit.ts"
import type { Answered } from "../../messenger-unit/MessengerUnit.ts"
import type * as Batch from "../../runtime/Batch.ts"
import type * as Id from "../../runtime/Id.ts"
import type { Accepted, CommittedBatch } from "../../scheduler-unit/SchedulerUnit.ts"

export type Seen = { readonly machine: string } & (
  | { readonly kind: "accepted"; readonly item: Uint8Array; readonly accepted: Accepted }
  | {
      readonly kind: "answered"
      readonly process: Id.ProcessId
      readonly slot: number
      readonly answered: Answered
    }
  | { readonly kind: "receipt"; readonly receipt: Batch.Receipt }
  | { readonly kind: "turn"; readonly process: Id.ProcessId; readonly turn: Turn }
  | {
      readonly kind: "view"
      readonly process: Id.ProcessId
      readonly name: string
      readonly view: View | undefined
    }
  | { readonly kind: "view proof"; readonly process: Id.ProcessId; readonly proven: ViewProven }
  | { readonly kind: "query"; readonly process: Id.ProcessId; readonly answer: Answer }
  | { readonly kind: "release"; readonly release: Release }
  | { readonly kind: "batch"; readonly batch: CommittedBatch }
)

/** Which it was, in a few words. */
export const shown = (seen: Seen): string => {
  const place = (process: Id.ProcessId, slot: number) => `${process.slice(0, 6)} ${slot}`
  switch (seen.kind) {
    case "accepted":
      return `${place(seen.accepted.process, seen.accepted.slot)}${seen.accepted.repeat ? " again" : ""}`
    case "answered":
      return `${place(seen.process, seen.slot)} ${JSON.stringify(seen.answered.result)}`
    case "receipt":
      return `${place(seen.receipt.assignment.process, seen.receipt.assignment.slot)} in batch ${seen.receipt.link.number}`
    case "turn":
      return place(seen.process, seen.turn.outcome.slot)
    case "view":
      return `${place(seen.process, seen.view?.slot ?? -1)} ${seen.view?.value ?? "none"}`
    case "view proof":
      return `${place(seen.process, seen.proven.assignment.slot)} ${seen.proven.value}`
    case "query":
      return `${place(seen.process, seen.answer.slot)} ${JSON.stringify(seen.answer.result)}`
    case "release":
      return `${seen.release.number} with ${seen.release.emitted.length}`
    case "batch":
      return `${seen.batch.link.number} with ${seen.batch.entries.length}`
  }
}

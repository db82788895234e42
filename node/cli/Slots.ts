/** Slots: those of a process of which there is a turn to look at. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import type * as Id from "../../runtime/Id.ts"

/** There is no turn of this slot, or none yet. */
export class TurnUnknown extends Data.TaggedError("TurnUnknown")<{
  readonly process: Id.ProcessId
  readonly slot: number
  /** Slots that are computed, from 0 on. */
  readonly computed: number
}> {
  override get message(): string {
    return this.computed === 0
      ? `process ${this.process} has no turn yet: its spawn is not computed`
      : `slot ${this.slot} has no turn; those of process ${this.process} run from 0 to ${this.computed - 1}`
  }
}

/** Slots that are computed. */
export const computed = (messenger: MessengerUnit["Service"], process: Id.ProcessId) =>
  Effect.map(messenger.process(process), (info) => info.computed)

/** Fails at the first of these slots that has no turn. */
export const check = Effect.fnUntraced(function* (
  messenger: MessengerUnit["Service"],
  process: Id.ProcessId,
  slots: ReadonlyArray<number>,
) {
  const there = yield* computed(messenger, process)
  const slot = slots.find((one) => one >= there)
  if (slot !== undefined) return yield* new TurnUnknown({ process, slot, computed: there })
})

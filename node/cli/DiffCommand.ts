/** The command that shows what changed in a process's state between two slots. */
import * as Effect from "effect/Effect"
import type * as Id from "../../runtime/Id.ts"
import * as Recompute from "../Recompute.ts"
import * as Caller from "./Caller.ts"
import * as DebugValue from "./DebugValue.ts"
import * as DiffText from "./DiffText.ts"
import * as Screen from "./Screen.ts"
import * as Slots from "./Slots.ts"

export interface DiffInput extends Caller.Input {
  readonly process: Id.ProcessId
  readonly from: number
  readonly to: number
}

export const diff = (input: DiffInput) =>
  Effect.gen(function* () {
    const { process, from, to } = input
    const difference = yield* Caller.connected(input, (messenger) =>
      Effect.andThen(
        Slots.check(messenger, process, [from, to]),
        Screen.progress("running the log", (say) =>
          Recompute.difference(messenger, process, from, to, {
            onProgress: (slot) => say(`slot ${slot} of ${Math.max(from, to)}`),
          }),
        ),
      ),
    )
    yield* Screen.show(input.json, DebugValue.difference(difference), () => DiffText.state(difference))
  })

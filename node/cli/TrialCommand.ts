/** The command that runs a real log through a changed program and shows the first outcome that differs. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Trial } from "../../compute-unit/Trial.ts"
import * as Code from "../../messenger-unit/Code.ts"
import type * as Id from "../../runtime/Id.ts"
import { bundler } from "../Bundler.ts"
import * as Recompute from "../Recompute.ts"
import * as Caller from "./Caller.ts"
import * as DiffText from "./DiffText.ts"
import type * as Inputs from "./Inputs.ts"
import * as Screen from "./Screen.ts"
import * as Slots from "./Slots.ts"

/** The program tried does something else than the one that ran. */
export class OutcomesDiffer extends Data.TaggedError("OutcomesDiffer")<{
  readonly process: Id.ProcessId
  readonly module: Id.Id
  /** The first of them. */
  readonly slot: number
  readonly different: number
}> {
  override get message(): string {
    return `${this.different} ${this.different === 1 ? "outcome differs" : "outcomes differ"}, the first in slot ${this.slot}`
  }
}

export interface TrialInput extends Caller.Input {
  readonly process: Id.ProcessId
  readonly program: Inputs.Code
  readonly from: number | undefined
  readonly to: number | undefined
}

const percent = (recorded: bigint, now: bigint): string => {
  if (recorded === 0n) return ""
  const tenths = Number(((now - recorded) * 1_000n) / recorded)
  return ` (${tenths > 0 ? "+" : ""}${(tenths / 10).toFixed(1)} %)`
}

const text = ({ from, to, different, equal, first, fuel, upgradesSkipped }: Trial): string => {
  const { recorded, now } = fuel
  const skipped =
    upgradesSkipped.length === 0
      ? []
      : [`upgrades in slots ${upgradesSkipped.join(", ")} were passed over: the program tried stays`]
  const spent = `fuel ${recorded} recorded, ${now} now${percent(recorded, now)}`
  if (first === undefined) {
    const verdict = `${Screen.styled("green", "equal")} slots ${from} to ${to}, ${equal} outcomes`
    return [verdict, spent, ...skipped].join("\n")
  }
  return [
    `${Screen.styled("red", "different")} ${different} of ${different + equal} outcomes, slots ${from} to ${to}; the first is slot ${first.slot}:`,
    DiffText.outcome(first.differences),
    ...DiffText.trace(first.trace),
    spent,
    ...skipped,
  ].join("\n")
}

export const trial = Effect.fnUntraced(function* (input: TrialInput) {
  const { process, program, from = 0, to } = input
  const tried = yield* Caller.connected(input, (messenger) =>
    Effect.gen(function* () {
      yield* Slots.check(messenger, process, to === undefined ? [from] : [from, to])
      const { source, locate } = yield* Code.read(program, bundler)
      const wanted = { from, to, program: source }
      const running = Screen.progress("running the log", (say) =>
        Recompute.trial(messenger, process, wanted, (done) => say(`${done} slots`)),
      )
      return yield* Effect.mapError(running, Code.inAuthorsFile(locate))
    }),
  )
  yield* Screen.show(input.json, tried, () => text(tried))
  const { first, module, different } = tried
  if (first !== undefined) return yield* new OutcomesDiffer({ process, module, slot: first.slot, different })
})

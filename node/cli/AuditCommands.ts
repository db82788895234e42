/** Commands that believe nothing: replay and verify. Both run a whole log again, in a sandbox of this process. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Audit from "../../compute-unit/Audit.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Recompute from "../Recompute.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

/** The first slot that does not fit. */
export class AuditFailed extends Data.TaggedError("AuditFailed")<
  Audit.Finding & { readonly process: Id.ProcessId }
> {
  override get message(): string {
    return `slot ${this.slot}, ${this.what}: ${this.detail}`
  }
}

export interface AuditInput extends Caller.Input {
  readonly process: Id.ProcessId
}

const audit = Effect.fnUntraced(function* (input: AuditInput, how: "replay" | "verify") {
  const recompute = how === "verify" ? Recompute.verify : Recompute.replay
  const report = yield* Caller.connected(input, (messenger) =>
    Effect.flatMap(messenger.process(input.process), ({ slots }) =>
      Screen.progress(how === "verify" ? "verifying" : "replaying", (say) =>
        recompute(messenger, input.process, (done) => say(`${done} of ${slots} slots`)),
      ),
    ),
  )
  if (report.finding !== undefined)
    return yield* new AuditFailed({ ...report.finding, process: input.process })
  yield* Screen.show(input.json, report, () => {
    const { slots, inadmissible, fuelUsed, stateRoot, signatures } = report
    const facts = [
      `${slots} slots`,
      ...(inadmissible > 0 ? [`${inadmissible} of them inadmissible`] : []),
      `${fuelUsed} fuel`,
      ...(how === "verify" ? [`${signatures} signatures good`] : []),
    ]
    const verdict = Screen.styled("green", how === "verify" ? "verified" : "equal")
    return `${verdict} ${facts.join(", ")}\nstate root ${Bytes.toHex(stateRoot)}`
  })
})

export const replay = (input: AuditInput) => audit(input, "replay")

export const verify = (input: AuditInput) => audit(input, "verify")

/** Commands that believe nothing: replay and verify. Both run a log again, in a sandbox of this process. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Audit from "../../compute-unit/Audit.ts"
import type { Finding } from "../../compute-unit/AuditFinding.ts"
import type { SnapshotInfo } from "../../compute-unit/ComputeUnit.ts"
import type { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Recompute from "../Recompute.ts"
import * as Caller from "./Caller.ts"
import type { Code } from "./Inputs.ts"
import * as Screen from "./Screen.ts"

/** The first slot that does not fit. */
export class AuditFailed extends Data.TaggedError("AuditFailed")<
  Finding & { readonly process: Id.ProcessId }
> {
  override get message(): string {
    return `slot ${this.slot}, ${this.what}: ${this.detail}`
  }
}

/** There is no such snapshot to start from, or its bytes are gone. */
export class SnapshotUnknown extends Data.TaggedError("SnapshotUnknown")<{
  readonly process: Id.ProcessId
  readonly slot: number
  readonly detail: string
}> {
  override get message(): string {
    return this.detail
  }
}

export interface AuditInput extends Caller.Input {
  readonly process: Id.ProcessId
  readonly fromSnapshot: Audit.Start | undefined
}

export interface ReplayInput extends AuditInput {
  readonly program: Code | undefined
  readonly from: number | undefined
  readonly to: number | undefined
}

/** What is wrong with starting from the snapshot after `slot`, and from where one could. */
const lacking = (slot: number, taken: ReadonlyArray<SnapshotInfo>): string => {
  const kept = taken.filter((one) => one.kept).map((one) => one.slot)
  const what = taken.some((one) => one.slot === slot)
    ? `the bytes of the snapshot after slot ${slot} are no longer kept`
    : `no snapshot was taken after slot ${slot}`
  return kept.length === 0
    ? `${what}, and no other is kept; leave --from-snapshot out to start from slot 0`
    : `${what}; there is one after ${kept.map((one) => `slot ${one}`).join(", ")}: take one of these, or newest`
}

const checkStart = Effect.fnUntraced(function* (
  messenger: MessengerUnit["Service"],
  process: Id.ProcessId,
  start: Audit.Start | undefined,
) {
  if (start === undefined || start === "newest") return
  const taken = yield* messenger.snapshots(process)
  if (taken.some(({ slot, kept }) => slot === start && kept)) return
  return yield* new SnapshotUnknown({ process, slot: start, detail: lacking(start, taken) })
})

const audit = Effect.fnUntraced(function* (input: AuditInput, how: "replay" | "verify") {
  const { process, fromSnapshot: start } = input
  const recompute = how === "verify" ? Recompute.verify : Recompute.replay
  const report = yield* Caller.connected(input, (messenger) =>
    Effect.gen(function* () {
      const { slots } = yield* messenger.process(process)
      yield* checkStart(messenger, process, start)
      return yield* Screen.progress(how === "verify" ? "verifying" : "replaying", (say) =>
        recompute(messenger, process, (done) => say(`${done} of ${slots} slots`), start),
      )
    }),
  )
  if (report.finding !== undefined) return yield* new AuditFailed({ ...report.finding, process })
  yield* Screen.show(input.json, report, () => {
    const { from, slots, inadmissible, fuelUsed, stateRoot, signatures } = report
    const facts = [
      `${slots} slots`,
      ...(from > 0 ? [`from the snapshot after slot ${from - 1} on`] : []),
      ...(inadmissible > 0 ? [`${inadmissible} of them inadmissible`] : []),
      `${fuelUsed} fuel`,
      ...(how === "verify" ? [`${signatures} signatures good`] : []),
    ]
    const verdict = Screen.styled("green", how === "verify" ? "verified" : "equal")
    return `${verdict} ${facts.join(", ")}\nstate root ${Bytes.toHex(stateRoot)}`
  })
})

const refuse = (detail: string) => new Caller.WrongUsage({ detail, help: "heddle replay --help" })

export const replay = (input: ReplayInput) =>
  Effect.gen(function* () {
    const { program, from, to, fromSnapshot } = input
    if (program === undefined) {
      if (from === undefined && to === undefined) return yield* audit(input, "replay")
      return yield* refuse(
        "--from and --to go with --with; a replay starts at slot 0, or from --from-snapshot",
      )
    }
    if (from !== undefined && to !== undefined && to < from)
      return yield* refuse(`there is nothing from slot ${from} to ${to}`)
    if (fromSnapshot !== undefined)
      return yield* refuse("--from-snapshot does not go with --with: a program is tried from the slot --from")
    const { trial } = yield* Effect.promise(() => import("./TrialCommand.ts"))
    return yield* trial({ ...input, program })
  })

export const verify = (input: AuditInput) => audit(input, "verify")

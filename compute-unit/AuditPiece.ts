/**
 * AuditPiece: a part of a log as an audit goes through it: read and examined while the sandbox runs the one before it,
 * then run and compared. Where its entries stop fitting, what comes before them is still run, so that the first slot
 * that does not fit is the one named.
 */
import * as Effect from "effect/Effect"
import type { Verifier } from "../identity/Verifier.ts"
import * as VerifierLocal from "../identity/VerifierLocal.ts"
import type * as Admission from "../runtime/Admission.ts"
import type * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Process from "../runtime/Process.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import * as AuditChecks from "./AuditChecks.ts"
import { type Finding, first, isUnfit, ofChain } from "./AuditFinding.ts"
import * as Beginning from "./Beginning.ts"
import type { Turn } from "./ComputeUnit.ts"
import * as Follower from "./Follower.ts"
import type { LogSource, Stretch } from "./LogSource.ts"
import type * as OutcomeLog from "./OutcomeLog.ts"
import type { Past } from "./Past.ts"
import type { Evaluated } from "./Sandbox.ts"

/** What examining entries takes and leaves behind. */
export interface Examiner<E> {
  readonly source: LogSource<E>
  readonly process: Process.Process
  readonly checks: AuditChecks.Checks | undefined
  readonly past: Past<E> | undefined
  readonly seen: Map<string, OutcomeLog.Seen>
  readonly links: Set<string>
}

export interface Piece {
  readonly turns: ReadonlyArray<Turn>
  readonly last: LogEntry | undefined
  /** Entries that fit, up to the first that does not. */
  readonly examined: ReadonlyArray<Follower.Examined>
  readonly finding: Finding | undefined
  /** The attestation of all of it, where it goes from attestation to attestation, and where that is to begin. */
  readonly attested:
    | { readonly signed: Attestation.SignedAttestation; readonly from: Attestation.Point }
    | undefined
}

/** A piece of which nothing is to be run. */
export const stopped = (finding: Finding): Piece => ({
  turns: [],
  last: undefined,
  examined: [],
  finding,
  attested: undefined,
})

/** Believes every signature but those of slots that were refused, which may have been for theirs. */
const believing = (recorded: ReadonlyArray<Turn>): ((slot: number) => Verifier["Service"]) => {
  const refused = recorded.filter(({ outcome }) => outcome.error?.reason === "inadmissible")
  const slots = new Set(refused.map(({ outcome }) => outcome.slot))
  const strict = VerifierLocal.make()
  return (slot) => (slots.has(slot) ? strict : Beginning.credulous)
}

/** Receipts asked for at once. */
const receiptsInFlightMax = 16

/** Examines entries after `log`; `missing` is what is wrong behind the last of them, if anything is. */
export const examine = Effect.fnUntraced(function* <E>(
  examiner: Examiner<E>,
  log: Admission.LogState,
  { entries, turns }: Stretch,
  missing: Finding | undefined,
  attested: Piece["attested"],
) {
  const { source, process, checks, past, seen, links } = examiner
  const verifierOf = checks === undefined ? believing(turns) : () => checks.verifier
  const look = (key: Uint8Array) => seen.get(Bytes.toHex(key))
  const some = (log: Admission.LogState, entries: ReadonlyArray<LogEntry>) =>
    ofChain(Follower.examine(verifierOf, process.id, log, entries, look)).pipe(
      Effect.tap((examined) =>
        Effect.sync(() => {
          for (const { seen: key, entry } of examined)
            if (key) seen.set(Bytes.toHex(key.key), { slot: entry.slot, contentHash: key.contentHash })
        }),
      ),
    )
  if (past !== undefined) yield* past.settle(entries, seen)
  const whole = yield* Effect.catchIf(some(log, entries), isUnfit, Effect.succeed)
  const examined: Array<Follower.Examined> = []
  let broken: Finding | undefined
  if (isUnfit(whole)) {
    // What stands before the break, one by one.
    for (let i = 0; broken === undefined && i < entries.length; i++) {
      const one = yield* Effect.catchIf(
        some(examined.at(-1)?.log ?? log, [entries[i]!]),
        isUnfit,
        Effect.succeed,
      )
      if (isUnfit(one)) broken = one.finding
      else examined.push(...one)
    }
  } else examined.push(...whole)

  const receipts =
    checks === undefined
      ? []
      : yield* Effect.forEach(
          entries.slice(0, examined.length),
          (entry, i) =>
            Effect.flatMap(source.receipt(process.id, entry.assignment.slot), (receipt) =>
              AuditChecks.receipt(checks, examined[i]!.givenBy ?? process.scheduler, receipt, entry, links),
            ),
          { concurrency: receiptsInFlightMax },
        )
  const unsigned = receipts.findIndex((finding) => finding !== undefined)
  const fitting = unsigned < 0 ? examined : examined.slice(0, unsigned)
  const piece: Piece = {
    turns,
    last: entries.at(-1),
    examined: fitting,
    finding: first([receipts[unsigned], broken, missing]),
    attested,
  }
  return piece
})

/** What is wrong with a piece, now that its entries were run as far as they could be. */
export const judge = Effect.fnUntraced(function* (
  { process, checks }: Pick<Examiner<never>, "process" | "checks">,
  { turns, last, finding, attested }: Piece,
  evaluated: ReadonlyArray<Evaluated>,
  notRun: Finding | undefined,
) {
  const before = AuditChecks.outcomes(turns, evaluated) ?? notRun ?? finding
  if (before !== undefined || attested === undefined) return before
  const { signed, from } = attested
  const computed = AuditChecks.subject(signed, last!) ?? AuditChecks.transition(signed, from, evaluated)
  return computed ?? (checks && (yield* AuditChecks.signer(checks, process, signed)))
})

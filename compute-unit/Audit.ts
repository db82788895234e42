/**
 * Audit: believes nothing and recomputes everything. Reads a process's log from whoever serves it, runs it in a fresh
 * sandbox from slot 0, or from a snapshot that leads to an attested state, and compares; what does not fit is named by
 * its first slot.
 *
 * A replay checks that the turns lead to the outcomes and roots recorded. A verification checks besides that every
 * signature, link, receipt and attestation stands.
 */
import * as Effect from "effect/Effect"
import type * as Admission from "../runtime/Admission.ts"
import * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as AuditChecks from "./AuditChecks.ts"
import { type Finding, isUnfit, LogUnfit } from "./AuditFinding.ts"
import * as AuditPiece from "./AuditPiece.ts"
import * as Beginning from "./Beginning.ts"
import * as LogSource from "./LogSource.ts"
import type * as OutcomeLog from "./OutcomeLog.ts"
import * as Past from "./Past.ts"
import * as Rerun from "./Rerun.ts"
import type { Sandbox } from "./Sandbox.ts"

export type { Checks } from "./AuditChecks.ts"
export type { Finding } from "./AuditFinding.ts"

/** The slot of a snapshot to start from; `newest` is the last that is kept, or slot 0 where none is. */
export type Start = number | "newest"

export interface Report {
  readonly process: Id.ProcessId
  /** First slot that was gone through: 0, or the one after the snapshot's. */
  readonly from: number
  /** Slots gone through without a finding. */
  readonly slots: number
  /** Slots that were assigned but should not have been: their outcome is `inadmissible`. */
  readonly inadmissible: number
  readonly fuelUsed: bigint
  /** As computed here, after the last slot that is attested. */
  readonly stateRoot: Uint8Array
  readonly signatures: number
  readonly finding: Finding | undefined
}

/** A replay or verification under way. */
interface Run<E> extends AuditPiece.Examiner<E> {
  readonly rerun: Rerun.Rerun<E>
  readonly beginning: Beginning.Beginning
  readonly report: {
    -readonly [K in "from" | "slots" | "inadmissible" | "fuelUsed" | "stateRoot" | "signatures"]: Report[K]
  }
  readonly onProgress: (slots: number) => void
}

/** Pieces in their order; `undefined` behind the last. */
type Pieces<E> = Effect.Effect<AuditPiece.Piece | undefined, E>

const missing = (slot: number): Finding => ({
  slot,
  what: "outcome",
  detail: "it is attested, and its entry or its turn is not there",
})

/** Goes from attestation to attestation and believes none. */
const attestedPieces = <E>(run: Run<E>): Pieces<E | LogUnfit | Admission.Refused> => {
  const { source, process, beginning } = run
  const log = LogSource.reader(source, process.id)
  let state = beginning.log
  let from = beginning.from
  return Effect.gen(function* () {
    const next = from.slot + 1
    const signed = yield* source.attestation(process.id, next)
    if (signed === undefined) {
      const { turns } = yield* log.take(next, 1)
      // It may have come since: both are committed together.
      if (turns.length === 0 || (yield* source.attestation(process.id, next)) !== undefined) return undefined
      const detail = "its turn is there and is not attested"
      return AuditPiece.stopped({ slot: next, what: "attestation", detail })
    }
    const count = signed.attestation.to.slot - from.slot
    if (count < 1 || count > Limit.logPageMax) {
      const detail = `it claims to cover ${count} slots; 1 to ${Limit.logPageMax} are possible`
      return AuditPiece.stopped({ slot: next, what: "attestation", detail })
    }
    const { entries, turns } = yield* log.take(next, count)
    const there = Math.min(entries.length, turns.length)
    const gone = there < count ? missing(next + there) : undefined
    const stretch = { entries: entries.slice(0, there), turns }
    const piece = yield* AuditPiece.examine(run, state, stretch, gone, { signed, from })
    state = piece.examined.at(-1)?.log ?? state
    from = signed.attestation.to
    return piece
  })
}

/** Goes through the turns page by page. */
const recordedPieces = <E>(run: Run<E>): Pieces<E | LogUnfit | Admission.Refused> => {
  const { source, process, beginning } = run
  const log = LogSource.reader(source, process.id)
  let state = beginning.log
  let next = beginning.from.slot + 1
  return Effect.gen(function* () {
    const signed = yield* source.attestation(process.id, next)
    const { entries, turns } = yield* log.take(next, Limit.turnsPerRunMax)
    const there = Math.min(entries.length, turns.length)
    if (there === 0) return signed === undefined ? undefined : AuditPiece.stopped(missing(next))
    const stretch = { entries: entries.slice(0, there), turns }
    const piece = yield* AuditPiece.examine(run, state, stretch, undefined, undefined)
    state = piece.examined.at(-1)?.log ?? state
    next += there
    return piece
  })
}

/** Runs each piece and compares, while the next is read and examined. Gives the first thing that does not fit. */
const goThrough = Effect.fnUntraced(function* <E>(
  run: Run<E>,
  pieces: Pieces<E | LogUnfit | Admission.Refused>,
) {
  const { rerun, process, report, beginning, onProgress } = run
  yield* beginning.enter
  let { inForce } = beginning
  const work = Effect.fnUntraced(function* (piece: AuditPiece.Piece) {
    const lastSlot = piece.examined.at(-1)?.entry.slot
    const wanted = piece.examined.map(({ entry }) => ({ ...entry, root: entry.slot === lastSlot }))
    const { evaluated, stopped, inForce: after } = yield* rerun.turns(process.id, inForce, wanted)
    inForce = after
    const finding = yield* AuditPiece.judge(run, piece, evaluated, stopped)
    if (finding !== undefined) return finding
    for (const { outcome } of evaluated) {
      report.fuelUsed += outcome.fuelUsed
      if (outcome.error?.reason === "inadmissible") report.inadmissible++
    }
    report.stateRoot = evaluated.at(-1)!.stateRoot!
    report.slots += evaluated.length
    if (piece.attested !== undefined) report.signatures += evaluated.length + 1
    onProgress(report.from + report.slots)
    return undefined
  })
  let piece = yield* pieces
  while (piece !== undefined) {
    const [finding, next] = yield* Effect.all([work(piece), Effect.exit(pieces)], { concurrency: 2 })
    if (finding !== undefined) return finding
    piece = yield* next
  }
  return undefined
})

/** Compares the state root after the last turn with the one attested; where it differs, finds the first that does. */
const checkEnd = Effect.fnUntraced(function* <E>(run: Run<E>) {
  const { source, process, report } = run
  const last = report.from + report.slots - 1
  const signed = yield* source.attestation(process.id, last)
  if (signed === undefined || Bytes.equal(signed.attestation.to.stateRoot, report.stateRoot)) return undefined
  const again: Run<E> = { ...run, report: { ...report }, onProgress: () => {} }
  return yield* goThrough(again, attestedPieces(again))
})

/** Where to start: at the spawn, or at a snapshot once its attestation and the log up to it are seen to be good. */
const begin = Effect.fnUntraced(function* <E>(
  source: LogSource.LogSource<E>,
  rerun: Rerun.Rerun<E>,
  id: Id.ProcessId,
  checks: AuditChecks.Checks | undefined,
  links: Set<string>,
  start: Start | undefined,
  onProgress: (slots: number) => void,
) {
  const kept = start === "newest" ? yield* source.snapshots(id) : []
  const slot = start === "newest" ? kept.findLast((one) => one.kept)?.slot : start
  if (slot === undefined)
    return { beginning: yield* Beginning.atSpawn(source, rerun, id), past: undefined, signatures: 0 }

  const { process } = yield* Beginning.spawned(source, id)
  const signed = yield* Beginning.attestedAt(source, id, slot)
  const throwing = (finding: Finding | undefined) =>
    finding === undefined ? Effect.void : Effect.fail(new LogUnfit(finding))
  const believe = (signed: Attestation.SignedAttestation) =>
    checks === undefined ? Effect.void : Effect.flatMap(AuditChecks.signer(checks, process, signed), throwing)
  yield* believe(signed)
  const past = yield* Past.read(source, process, slot, believe, onProgress)
  const { last, givenBy } = past
  yield* throwing(AuditChecks.subject(signed, last))
  const verifier = checks?.verifier ?? Beginning.credulous
  const beginning = yield* Beginning.atSnapshot(source, rerun, id, signed.attestation, last, verifier)
  if (checks === undefined) return { beginning, past, signatures: 0 }
  // Its head stands for all links before it, so one receipt shows that the scheduler gave that order.
  const receipt = yield* source.receipt(id, slot)
  yield* throwing(yield* AuditChecks.receipt(checks, givenBy, receipt, last, links))
  return { beginning, past, signatures: 2 }
})

/**
 * Recomputes a process from its log in `sandbox`. With `checks` this is a verification, without them a replay.
 * `onProgress` hears the slot that was reached. Fails only where the source does; what is wrong with the log is in the
 * report.
 */
export const run = <E>(
  source: LogSource.LogSource<E>,
  sandbox: Sandbox["Service"],
  id: Id.ProcessId,
  checks: AuditChecks.Checks | undefined,
  onProgress: (slots: number) => void = () => {},
  start?: Start,
): Effect.Effect<Report, E | Admission.Refused> => {
  const rerun = Rerun.make(source, sandbox)
  const report = {
    from: 0,
    slots: 0,
    inadmissible: 0,
    fuelUsed: 0n,
    stateRoot: Attestation.origin.stateRoot,
    signatures: 0,
  }
  const links = new Set<string>()
  const all = Effect.gen(function* () {
    const { beginning, past, signatures } = yield* begin(source, rerun, id, checks, links, start, onProgress)
    const { process, from } = beginning
    Object.assign(report, { from: from.slot + 1, stateRoot: from.stateRoot, signatures })
    const seen = new Map<string, OutcomeLog.Seen>()
    const run: Run<E> = { source, process, checks, past, seen, links, rerun, beginning, report, onProgress }
    if (checks !== undefined) return yield* goThrough(run, attestedPieces(run))
    return (yield* goThrough(run, recordedPieces(run))) ?? (yield* checkEnd(run))
  })
  return all.pipe(
    Effect.catchIf(isUnfit, ({ finding }) => Effect.succeed(finding)),
    Effect.map((finding) => ({
      process: id,
      ...report,
      signatures: report.signatures + links.size,
      finding,
    })),
    Effect.ensuring(sandbox.close(id)),
  )
}

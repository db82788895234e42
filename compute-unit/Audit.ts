/**
 * Audit: believes nothing and recomputes everything. Reads a process's log from whoever serves it, runs it from slot
 * 0 in a fresh sandbox and compares; what does not fit is named by its first slot.
 *
 * A replay checks that the turns lead to the outcomes and roots recorded. A verification checks besides that every
 * signature, link, receipt and attestation stands.
 */
import * as Effect from "effect/Effect"
import type { Verifier } from "../identity/Verifier.ts"
import * as VerifierLocal from "../identity/VerifierLocal.ts"
import * as Admission from "../runtime/Admission.ts"
import * as Attestation from "../runtime/Attestation.ts"
import * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"
import * as Outcome from "../runtime/Outcome.ts"
import type * as Process from "../runtime/Process.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import type { Turn } from "./ComputeUnit.ts"
import * as Follower from "./Follower.ts"
import * as LogSource from "./LogSource.ts"
import * as OutcomeLog from "./OutcomeLog.ts"
import type { Evaluated, Sandbox } from "./Sandbox.ts"

/** The first thing that does not fit. */
export interface Finding {
  readonly slot: number
  readonly what:
    | "module"
    | "chain"
    | "receipt"
    | "signature"
    | "engine"
    | "outcome"
    | "state root"
    | "attestation"
  readonly detail: string
}

export interface Report {
  readonly process: Id.ProcessId
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

/** What a verification needs beyond a replay. */
export interface Checks {
  readonly verifier: Verifier["Service"]
}

/** Says good to every signature: a replay compares what was computed, not who said so. */
const credulous: Verifier["Service"] = {
  verify: () => Effect.succeed(true),
  verifyItem: () => Effect.void,
}

/** Believes every signature but those of slots that were refused, which may have been for theirs. */
const believing = (recorded: ReadonlyArray<Turn>) => {
  const refused = recorded.filter(({ outcome }) => outcome.error?.reason === "inadmissible")
  const slots = new Set(refused.map(({ outcome }) => outcome.slot))
  const strict = VerifierLocal.make()
  return (slot: number) => (slots.has(slot) ? strict : credulous)
}

class Found extends Error {
  readonly finding: Finding
  constructor(finding: Finding) {
    super(finding.detail)
    this.finding = finding
  }
}

const found = (slot: number, what: Finding["what"], detail: string) =>
  Effect.die(new Found({ slot, what, detail }))

const signedBy = (
  verifier: Verifier["Service"],
  signed: Batch.Signed,
  context: "heddle/batch/1" | "heddle/attestation/1",
  bytes: Uint8Array,
) => {
  const type = SignatureType.find(signed.signatureType)
  return type === undefined
    ? Effect.succeed(false)
    : Effect.orDie(verifier.verify(type, signed.owner, context, bytes, signed.signature))
}

/** Checks that the scheduler named in the spawn signed this slot. */
const checkReceipt = Effect.fnUntraced(function* (
  checks: Checks,
  process: Process.Process,
  receipt: Batch.Receipt,
  { assignment }: LogEntry,
  links: Set<string>,
) {
  const { slot } = assignment
  if (
    !Bytes.equal(receipt.assignment.head, assignment.head) ||
    receipt.assignment.slot !== slot ||
    !Batch.receiptHolds(receipt)
  )
    return yield* found(slot, "receipt", "the receipt does not open this slot of its batch")
  if (Id.fromBytes(Hash.sha256(receipt.link.owner)) !== process.scheduler)
    return yield* found(slot, "receipt", `the batch is not signed by the scheduler ${process.scheduler}`)
  const { signatureType, signature } = receipt.link
  const signed = [Bytes.u16(signatureType), Batch.signingBytes(receipt.link), signature]
  const link = Bytes.toHex(Hash.sha256(Bytes.concat(signed)))
  if (links.has(link)) return
  if (!(yield* signedBy(checks.verifier, receipt.link, "heddle/batch/1", Batch.signingBytes(receipt.link))))
    return yield* found(slot, "signature", `the signature of batch ${receipt.link.number} is not good`)
  links.add(link)
})

/** Why a log can't be recomputed here: an engine id commits to everything that could make the difference. */
export const otherEngine = (attested: Uint8Array, here: Uint8Array): string =>
  `it was computed by engine ${Bytes.toBase64Url(attested)}; this heddle has ${Bytes.toBase64Url(here)}: use the version with that engine`

/** Compares the turns up to an attestation with it, and with `checks` who signed it. */
const checkAttestation = Effect.fnUntraced(function* (
  checks: Checks | undefined,
  process: Process.Process,
  engine: Uint8Array,
  signed: Attestation.SignedAttestation,
  from: Attestation.Point,
  evaluated: ReadonlyArray<Evaluated>,
  last: LogEntry,
) {
  const { attestation } = signed
  const { to } = attestation
  const { process: of, term, slot, head } = last.assignment
  if (
    attestation.process !== of ||
    attestation.term !== term ||
    to.slot !== slot ||
    !Bytes.equal(to.head, head)
  )
    return yield* found(slot, "attestation", "it is about another process, term or head than this slot's")
  if (!Bytes.equal(attestation.engine, engine))
    return yield* found(to.slot, "engine", otherEngine(attestation.engine, engine))
  if (!Bytes.equal(attestation.outcomeRoot, OutcomeLog.outcomeRoot(evaluated)))
    return yield* found(
      to.slot,
      "outcome",
      `the outcomes of slots ${from.slot + 1} to ${to.slot} are not those attested`,
    )
  if (!Bytes.equal(to.stateRoot, evaluated.at(-1)!.stateRoot!))
    return yield* found(
      to.slot,
      "state root",
      `computed ${Bytes.toHex(evaluated.at(-1)!.stateRoot!)}, attested ${Bytes.toHex(to.stateRoot)}`,
    )
  if (
    attestation.from.slot !== from.slot ||
    !Bytes.equal(attestation.from.stateRoot, from.stateRoot) ||
    !Bytes.equal(attestation.from.head, from.head)
  )
    return yield* found(to.slot, "attestation", "it does not start where the one before it ended")
  if (checks === undefined) return
  if (!process.compute.includes(Id.fromBytes(Hash.sha256(signed.owner))))
    return yield* found(to.slot, "attestation", "it is not signed by a compute unit that the process names")
  const bytes = Attestation.signingBytes(Attestation.rootOf(signed))
  if (!(yield* signedBy(checks.verifier, signed, "heddle/attestation/1", bytes)))
    return yield* found(to.slot, "signature", "the signature of the attestation is not good")
})

const checkOutcomes = (recorded: ReadonlyArray<Turn>, evaluated: ReadonlyArray<Evaluated>) =>
  Effect.forEach(
    evaluated,
    ({ outcome }, i) => {
      const turn = recorded[i]
      if (turn === undefined)
        return found(outcome.slot, "outcome", "it was assigned and its turn is not there")
      const equal = Bytes.equal(Outcome.hash(turn.outcome), Outcome.hash(outcome))
      return equal
        ? Effect.void
        : found(outcome.slot, "outcome", `recorded ${show(turn.outcome)}, computed ${show(outcome)}`)
    },
    { discard: true },
  )

const show = ({ error, fuelUsed, replies }: Outcome.Outcome): string =>
  JSON.stringify({
    error: error?.message,
    fuel: String(fuelUsed),
    replies: replies.map((reply) => ("error" in reply ? reply.error : reply.value)),
  })

/** A replay or verification under way. */
interface Run<E> {
  readonly source: LogSource.LogSource<E>
  readonly sandbox: Sandbox["Service"]
  readonly process: Process.Process
  readonly checks: Checks | undefined
  readonly seen: Map<string, OutcomeLog.Seen>
  readonly links: Set<string>
  /** Opens the process in the sandbox as it is before slot 0. */
  readonly begin: Effect.Effect<void>
  readonly report: {
    -readonly [K in "slots" | "inadmissible" | "fuelUsed" | "stateRoot" | "signatures"]: Report[K]
  }
}

/** Receipts asked for at once. */
const receiptsInFlightMax = 16

/** Runs entries after `log` and compares their outcomes with the recorded ones. */
const runEntries = Effect.fnUntraced(function* <E>(
  run: Run<E>,
  log: Admission.LogState,
  entries: ReadonlyArray<LogEntry>,
  recorded: ReadonlyArray<Turn>,
) {
  const { source, sandbox, process, checks, seen, links, report } = run
  const look = (key: Uint8Array) => seen.get(Bytes.toHex(key))
  const verifierOf = checks === undefined ? believing(recorded) : () => checks.verifier
  const examined = yield* Follower.examine(verifierOf, process.id, log, entries, look)
  if (checks !== undefined)
    yield* Effect.forEach(
      entries,
      (entry) =>
        Effect.flatMap(source.receipt(process.id, entry.assignment.slot), (receipt) =>
          checkReceipt(checks, process, receipt, entry, links),
        ),
      { concurrency: receiptsInFlightMax, discard: true },
    )
  const last = entries.at(-1)!.assignment.slot
  const evaluated = yield* Effect.orDie(
    sandbox.run(
      process.id,
      examined.map(({ entry }) => ({ ...entry, root: entry.slot === last })),
    ),
  )
  yield* checkOutcomes(recorded, evaluated)
  for (const { seen: first, entry } of examined)
    if (first) seen.set(Bytes.toHex(first.key), { slot: entry.slot, contentHash: first.contentHash })
  for (const { outcome } of evaluated) {
    report.fuelUsed += outcome.fuelUsed
    if (outcome.error?.reason === "inadmissible") report.inadmissible++
  }
  report.stateRoot = evaluated.at(-1)!.stateRoot!
  return { evaluated, log: examined.at(-1)!.log }
})

const missing = (slot: number) =>
  found(slot, "outcome", "it is attested, and its entry or its turn is not there")

/** Goes from attestation to attestation and believes none. */
const goThroughAttested = Effect.fnUntraced(function* <E>(run: Run<E>, onProgress: (slots: number) => void) {
  const { source, process, report, sandbox, checks } = run
  const log = LogSource.reader(source, process.id)
  let state = Admission.emptyLog
  let from = Attestation.origin
  for (;;) {
    const first = from.slot + 1
    const signed = yield* source.attestation(process.id, first)
    if (signed === undefined) {
      const { turns } = yield* log.take(first, 1)
      // It may have come since: both are committed together.
      if (turns.length === 0 || (yield* source.attestation(process.id, first)) !== undefined) return
      return yield* found(first, "attestation", "its turn is there and is not attested")
    }
    const count = signed.attestation.to.slot - from.slot
    if (count < 1 || count > Limit.logPageMax) {
      const detail = `it claims to cover ${count} slots; 1 to ${Limit.logPageMax} are possible`
      return yield* found(first, "attestation", detail)
    }
    const { entries, turns } = yield* log.take(first, count)
    const there = Math.min(entries.length, turns.length)
    if (there < count) return yield* missing(first + there)
    const done = yield* runEntries(run, state, entries, turns)
    yield* checkAttestation(checks, process, sandbox.engine, signed, from, done.evaluated, entries.at(-1)!)
    state = done.log
    from = signed.attestation.to
    report.signatures += entries.length + 1
    onProgress((report.slots = from.slot + 1))
  }
})

/** Goes through the turns page by page, to the state root attested last. Where that differs, finds the first that does. */
const replayAll = Effect.fnUntraced(function* <E>(run: Run<E>, onProgress: (slots: number) => void) {
  const { source, process, report } = run
  const log = LogSource.reader(source, process.id)
  let state = Admission.emptyLog
  for (;;) {
    const signed = yield* source.attestation(process.id, report.slots)
    const { entries, turns } = yield* log.take(report.slots, Limit.turnsPerRunMax)
    const there = Math.min(entries.length, turns.length)
    if (there === 0) {
      if (signed !== undefined) return yield* missing(report.slots)
      break
    }
    state = (yield* runEntries(run, state, entries.slice(0, there), turns)).log
    onProgress((report.slots += there))
  }
  const last = report.slots - 1
  const signed = yield* source.attestation(process.id, last)
  if (signed === undefined || Bytes.equal(signed.attestation.to.stateRoot, report.stateRoot)) return
  yield* run.begin
  yield* goThroughAttested({ ...run, seen: new Map(), report: { ...report } }, () => {})
})

/**
 * Recomputes a process from its log in `sandbox`. With `checks` this is a verification, without them a replay.
 * `onProgress` hears slots done. Fails only where the source does; what is wrong with the log is in the report.
 */
export const run = <E>(
  source: LogSource.LogSource<E>,
  sandbox: Sandbox["Service"],
  process: Id.ProcessId,
  checks: Checks | undefined,
  onProgress: (slots: number) => void = () => {},
): Effect.Effect<Report, E | Admission.Refused> => {
  const report = {
    slots: 0,
    inadmissible: 0,
    fuelUsed: 0n,
    stateRoot: Attestation.origin.stateRoot,
    signatures: 0,
  }
  const links = new Set<string>()
  const all = Effect.gen(function* () {
    const [first] = yield* source.log(process, 0, 1)
    const made = Follower.spawned(process, first)
    const code = yield* source.module(made.module)
    if (code === undefined || Module.id(code) !== made.module)
      return yield* found(0, "module", `module ${made.module} is not to be had`)
    const attested = yield* source.attestation(process, 0)
    if (attested !== undefined && !Bytes.equal(attested.attestation.engine, sandbox.engine))
      return yield* found(0, "engine", otherEngine(attested.attestation.engine, sandbox.engine))
    const opening = { process, spawn: first!.item, term: first!.assignment.term, source: code }
    const begin = Effect.orDie(sandbox.open(opening))
    yield* begin
    const started = { source, sandbox, process: made, checks, seen: new Map(), links, begin, report }
    return yield* checks === undefined
      ? replayAll(started, onProgress)
      : goThroughAttested(started, onProgress)
  })
  return all.pipe(
    Effect.as(undefined),
    Effect.catchDefect((defect): Effect.Effect<Finding> => {
      if (defect instanceof Found) return Effect.succeed(defect.finding)
      if (defect instanceof Follower.ChainBroken)
        return Effect.succeed({ slot: defect.slot, what: "chain", detail: defect.message })
      return Effect.die(defect)
    }),
    Effect.map((finding) => ({ process, ...report, signatures: report.signatures + links.size, finding })),
    Effect.ensuring(sandbox.close(process)),
  )
}

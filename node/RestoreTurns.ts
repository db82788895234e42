/**
 * RestoreTurns: the second half of a restore: what followed. Outcomes are taken as the compute unit attested them, as far
 * as each attestation begins where the one before it ended and leads to the head that the log has. Where one is
 * missing, the unit runs what comes after it again. In which order releases come, and which numbers they are given, is
 * nobody's word: numbers are given here, 0, 1, 2...
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Listed } from "../archive-unit/Catalog.ts"
import type { ReleaseRun } from "../archive-unit/ReleaseRun.ts"
import type { ArchivedGroup, ArchivedRelease } from "../archive-unit/TurnsContent.ts"
import type { Turn } from "../compute-unit/ComputeUnit.ts"
import * as Engine from "../compute-unit/Engine.ts"
import type * as Follower from "../compute-unit/Follower.ts"
import type * as OutcomeLog from "../compute-unit/OutcomeLog.ts"
import * as Assign from "../runtime/Assign.ts"
import * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import * as Module from "../runtime/Module.ts"
import * as Outcome from "../runtime/Outcome.ts"
import type * as Process from "../runtime/Process.ts"
import type { Store, StoreFailed } from "../runtime/Store.ts"
import * as Tag from "../runtime/Tag.ts"
import * as Upgrade from "../runtime/Upgrade.ts"
import * as Void from "../runtime/Void.ts"
import type { AssignmentLog } from "../scheduler-unit/AssignmentLog.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import type { RestoreKept } from "./RestoreKept.ts"
import type { RestorePace } from "./RestorePace.ts"
import type * as RestoreRehearsal from "./RestoreRehearsal.ts"
import * as RestoreWriter from "./RestoreWriter.ts"

export interface Options<E> {
  readonly store: Store["Service"]
  readonly log: AssignmentLog["Service"]
  readonly outcomes: OutcomeLog.OutcomeLog
  readonly run: ReleaseRun
  /** Those that are restored; unset for all. */
  readonly processes: ReadonlySet<Id.ProcessId> | undefined
  readonly kept: RestoreKept
  readonly pace: RestorePace
  readonly rehearsal: RestoreRehearsal.RestoreRehearsal
  /** Whether outcomes are taken; otherwise it is only looked what is attested. */
  readonly taken: boolean
  /** Told which modules and engines are needed by what is taken next. */
  readonly needs: (modules: ReadonlySet<Id.Id>, engines: ReadonlySet<Id.Id>) => Effect.Effect<void, E>
  readonly onTurns: (turns: number) => void
}

/** Turns that go in with one commit. */
const turnsMax = 1_024

/** How often in a row a content may be read and give nothing, that came before what it follows. What is left is run again. */
const fruitlessMax = 16

/** Slots from which attestations of a content begin that came too early: the lowest and the highest, by process. */
type Early = Map<Id.ProcessId, { first: number; last: number }>

/** What is to be known of an entry beside its outcome. */
interface Facts {
  /** How a repeat of it is found, where it was admitted. */
  readonly seen: Follower.Examined["seen"]
  readonly upgrade: Upgrade.Upgrade | undefined
}

/** Of an entry that was not kept since it was examined. */
const factsOf = (
  process: Process.Process | undefined,
  { item, proof }: LogEntry,
  outcome: Outcome.Outcome,
): Facts => {
  const message = Result.getOrThrow(Assign.read(item)) // it was examined
  const { repeatKey: key, contentHash } = Void.identity(message, proof)
  return {
    seen: Outcome.inadmissible(outcome) === undefined ? { key, contentHash } : undefined,
    upgrade: process && Upgrade.read(process, message),
  }
}

const formatOf = (store: Store["Service"], module: Id.Id): Module.Format | undefined => {
  const source = Module.get(store, module)
  return source && Module.format(source)
}

/**
 * Since when which engine: attested is only the one after the last turn of a group. Of an upgrade that names none, a
 * plain module has the one there is for it; a script has the one attested.
 */
const enginesOf = (
  store: Store["Service"],
  process: Process.Process | undefined,
  before: Uint8Array | undefined,
  attested: Uint8Array,
  facts: ReadonlyArray<Facts>,
  outcomes: ReadonlyArray<Outcome.Outcome>,
): ReadonlyArray<OutcomeLog.EngineSince> => {
  const since: Array<OutcomeLog.EngineSince> = []
  const note = (slot: number, named: Id.Id | undefined, module: Id.Id | undefined) => {
    const plain = module !== undefined && formatOf(store, module) === "webassembly"
    const engine = named === undefined ? (plain ? Engine.plain.id : attested) : Id.toBytes(named)
    const last = since.at(-1)?.engine ?? before
    if (last === undefined || !Bytes.equal(last, engine)) since.push({ slot, engine })
  }
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.slot === 0) note(0, process?.engine, process?.module)
    else if (outcome.error === undefined) {
      const { upgrade } = facts[i]!
      if (upgrade !== undefined)
        note(outcome.slot, upgrade.engine && Id.fromBytes(upgrade.engine), upgrade.module)
    }
  }
  const end = since.at(-1)?.engine ?? before
  if (end === undefined || !Bytes.equal(end, attested))
    since.push({ slot: outcomes.at(-1)!.slot, engine: attested })
  return since
}

/** Bytes are windows on the content that they came in, which would be held with them. */
const ownPoint = ({ slot, head, stateRoot }: Attestation.Point): Attestation.Point => ({
  slot,
  head: Bytes.copy(head),
  stateRoot: Bytes.copy(stateRoot),
})

const turnOf = (outcome: Outcome.Outcome): Turn => ({ outcome, trace: { console: [], stack: undefined } })

/** Modules of processes that are spawned by these turns: where they are not there yet, they will be. */
const spawnedModules = (outcomes: ReadonlyArray<Outcome.Outcome>): ReadonlyArray<Id.Id> =>
  outcomes.flatMap(({ outbox }) =>
    outbox.flatMap(({ kind, item }) => {
      if (kind !== "spawn") return []
      const tags = Result.getOrUndefined(Item.decode(item))?.tags ?? []
      const module = Id.parse(Tag.value(tags, "Module") ?? "")
      return module === undefined ? [] : [module]
    }),
  )

/** Takes outcomes out of the archive. Gives the last point that is attested there of each process. */
export const restore = Effect.fnUntraced(function* <E>(options: Options<E>) {
  const { store, log, outcomes, run, processes, kept, pace, rehearsal, taken, needs, onTurns } = options
  const points = new Map<Id.ProcessId, Attestation.Point>()
  const engines = new Map<Id.ProcessId, Uint8Array>()
  const attested = new Map<Id.ProcessId, Attestation.Point>()
  const writer = RestoreWriter.make<StoreFailed>()
  if (!taken) kept.end()
  /** How many turns are taken, and how many of them are durable. */
  let [turns, written] = [0, 0]

  const pointOf = (process: Id.ProcessId): Attestation.Point => points.get(process) ?? outcomes.point(process)
  const engineOf = (process: Id.ProcessId): Uint8Array | undefined => {
    const { slot } = outcomes.point(process)
    return engines.get(process) ?? (slot < 0 ? undefined : outcomes.attested(process, slot)?.engine)
  }

  /** Whether the log has what the attestation leads to. */
  const isOfLog = ({ process, to }: Attestation.Attestation): boolean => {
    const entry = log.entry(process, to.slot)
    return entry !== undefined && Bytes.equal(entry.assignment.head, to.head)
  }

  /** The group as the unit would have written it, where it begins at the last point; and how it is rehearsed. */
  const groupOf = ({ attestation, outcomes: done }: ArchivedGroup) => {
    const { process, from, to, engine } = attestation
    const point = pointOf(process)
    const follows =
      from.slot === point.slot &&
      Bytes.equal(from.head, point.head) &&
      Bytes.equal(from.stateRoot, point.stateRoot)
    if (!follows || done === undefined) return undefined
    const made = log.state(process).process
    const found = kept.take(process, from.slot + 1, done.length)
    // What was attested of an entry counts, whatever came out here.
    const examined = found?.every(({ entry }, i) => Outcome.inadmissible(done[i]!) === entry.inadmissible)
      ? found
      : undefined
    const facts: ReadonlyArray<Facts> =
      examined?.map(({ seen, entry: { upgrade } }) => ({ seen, upgrade })) ??
      log.entries(process, from.slot + 1, done.length).map((entry, i) => factsOf(made, entry, done[i]!))
    const since = enginesOf(store, made, engineOf(process), engine, facts, done)
    points.set(process, ownPoint(to))
    engines.set(process, Bytes.copy(engine))
    const seen = facts.map((one) => one.seen)
    const group = { attestation, engines: since, turns: done.map(turnOf), seen }
    const part = made && examined && { process: made, examined, group }
    return { group, part }
  }

  let waiting: Array<OutcomeLog.Restored> = []
  let count = 0
  /** What was found to be needed and is not asked for yet. */
  const needed = { modules: new Set<Id.Id>(), engines: new Set<Id.Id>() }
  const fetch = Effect.gen(function* () {
    yield* needs(needed.modules, needed.engines)
    needed.modules.clear()
    needed.engines.clear()
  })
  const commit = Effect.gen(function* () {
    yield* fetch
    const [releases, taken] = [waiting, count]
    waiting = []
    count = 0
    yield* rehearsal.round
    if (releases.length > 0)
      yield* writer.write(() =>
        Effect.tap(outcomes.restore(releases), () => Effect.sync(() => onTurns((written += taken)))),
      )
  })

  /** Waits until the log has what is attested, or has all that it will have. */
  const arrived = Effect.fnUntraced(function* ({ process, to }: Attestation.Attestation) {
    if (processes?.has(process) === false) return
    while (log.state(process).nextSlot <= to.slot) if (!(yield* pace.untilLogMoves)) return
  })

  const note = (early: Early, { process, from }: Attestation.Attestation): void => {
    if (from.slot <= pointOf(process).slot) return
    const { first, last } = early.get(process) ?? { first: from.slot, last: from.slot }
    early.set(process, { first: Math.min(first, from.slot), last: Math.max(last, from.slot) })
  }

  /** Takes what of a release is of processes here, noting what it attests of them, and what follows nothing yet. */
  const take = Effect.fnUntraced(function* (release: ArchivedRelease, early: Early) {
    const groups: Array<{ readonly index: number; readonly group: OutcomeLog.Group }> = []
    for (const [index, archived] of release.groups.entries()) {
      const { attestation } = archived
      const { process, to } = attestation
      yield* arrived(attestation)
      if (log.state(process).nextSlot <= to.slot || !isOfLog(attestation)) continue
      if (to.slot > (attested.get(process)?.slot ?? -1)) attested.set(process, ownPoint(to))
      for (const module of spawnedModules(archived.outcomes ?? [])) needed.modules.add(module)
      const made = taken ? groupOf(archived) : undefined
      if (made === undefined) {
        if (taken && archived.outcomes !== undefined) note(early, attestation)
        continue
      }
      const { group, part } = made
      needed.engines.add(Id.fromBytes(attestation.engine))
      if (part !== undefined) {
        // A round may begin with it.
        yield* fetch
        yield* rehearsal.add(part)
      }
      groups.push({ index, group })
      count += group.turns.length
      turns += group.turns.length
    }
    if (groups.length === 0) return
    const { signatureType, owner, signature } = release
    waiting.push({
      signatureType,
      owner,
      signature,
      groups,
      leaves:
        groups.length === release.groups.length
          ? undefined
          : release.groups.map(({ attestation }) => Attestation.leafValue(attestation)),
    })
  })

  const unread = [...run.listed]
  const late = new Map<Listed, { readonly early: Early; readonly fruitless: number }>()
  const isNext = (early: Early): boolean =>
    Array.from(early).some(([process, { first, last }]) => {
      const { slot } = pointOf(process)
      return first <= slot && slot <= last
    })
  /** Of those that were early, one that may go on from where something ends by now; else one that was not read. */
  const next = (moved: boolean): Listed | undefined => {
    if (moved) for (const [listed, { early }] of late) if (isNext(early)) return listed
    return unread.shift()
  }
  for (let listed = unread.shift(); listed !== undefined;) {
    const early: Early = new Map()
    const before = turns
    for (const release of yield* run.read(listed, unread[0])) {
      yield* take(release, early)
      if (count >= turnsMax) yield* commit
    }
    // What waits holds its content in memory.
    yield* commit
    const again = late.get(listed)
    const fruitless = turns > before ? 0 : (again?.fruitless ?? 0) + 1
    late.delete(listed)
    if (early.size > 0 && fruitless < fruitlessMax) late.set(listed, { early, fruitless })
    listed = next(turns > before || again !== undefined)
  }
  yield* writer.settled
  kept.end()
  pace.turnsEnded()
  return attested
})

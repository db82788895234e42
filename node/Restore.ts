/**
 * Restore: makes a data folder out of an archive: the log as the scheduler gave it, programs and engines, what followed
 * as the compute unit attested it, the newest good snapshots. A node that starts on the folder goes on from there.
 *
 *     mark -> batches, modules | releases, engines | a rehearsal -> where archiving goes on -> snapshots
 *     -> run and compare -> mark taken away
 *
 * A log with a gap is not restored: its scheduler would give slots a second time.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as ArchiveQueue from "../archive-unit/ArchiveQueue.ts"
import * as BatchRun from "../archive-unit/BatchRun.ts"
import type { Listed } from "../archive-unit/Catalog.ts"
import type { Problem } from "../archive-unit/ContentReader.ts"
import * as Named from "../archive-unit/Named.ts"
import * as ReleaseRun from "../archive-unit/ReleaseRun.ts"
import * as Spawn from "../archive-unit/Spawn.ts"
import * as Catalog from "../archive-unit/Catalog.ts"
import * as Engine from "../compute-unit/Engine.ts"
import * as EngineStore from "../compute-unit/EngineStore.ts"
import * as OutcomeLog from "../compute-unit/OutcomeLog.ts"
import { Sandbox } from "../compute-unit/Sandbox.ts"
import * as SnapshotLog from "../compute-unit/SnapshotLog.ts"
import * as TurnRunner from "../compute-unit/TurnRunner.ts"
import type { Signer } from "../identity/Signer.ts"
import { Archive } from "../runtime/Archive.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type { DataReference } from "../runtime/DataReference.ts"
import * as Id from "../runtime/Id.ts"
import * as Module from "../runtime/Module.ts"
import { Store } from "../runtime/Store.ts"
import { SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import * as SchedulerUnitStill from "../scheduler-unit/SchedulerUnitStill.ts"
import * as AssignmentLogStore from "../scheduler-unit/AssignmentLogStore.ts"
import * as Excerpt from "../scheduler-unit/Excerpt.ts"
import * as HeldData from "../scheduler-unit/HeldData.ts"
import * as RestoreCheck from "./RestoreCheck.ts"
import * as RestoreKept from "./RestoreKept.ts"
import * as RestoreLog from "./RestoreLog.ts"
import * as RestoreMark from "./RestoreMark.ts"
import * as RestorePace from "./RestorePace.ts"
import * as RestoreRehearsal from "./RestoreRehearsal.ts"
import * as RestoreSnapshots from "./RestoreSnapshots.ts"
import * as RestoreTurns from "./RestoreTurns.ts"

/** A restore that is not begun. */
export class RestoreRefused extends Data.TaggedError("RestoreRefused")<{
  readonly reason: "not empty" | "other restore" | "other scheduler" | "nothing there" | "no scheduler"
  readonly detail: string
}> {
  override get message(): string {
    return this.detail
  }
}

export interface Progress {
  readonly phase: "looking" | "log" | "turns" | "snapshots" | "running"
  readonly pieces: number
  readonly bytes: number
  readonly bytesAll: number
  /** Slots whose entries were checked. */
  readonly checked: number
  /** Slots that have their turns, of all. */
  readonly computed: number
  readonly slots: number
}

export interface Options {
  /** Whose processes; needed where no process is chosen. */
  readonly scheduler: Id.Address | undefined
  /** Those that are restored; none for all of the scheduler. */
  readonly processes: ReadonlyArray<Id.ProcessId>
  /** Takes no outcomes and no snapshots: everything is run again. */
  readonly full: boolean
  /** The node's key, where there is one. */
  readonly signer: Signer["Service"] | undefined
  readonly residentBytesMax: number
  readonly onProblem?: (problem: Problem) => void
  readonly onProgress?: (progress: Progress) => void
}

/** Something that the archive does not have, and without which a process can't go on. */
export interface Missing {
  readonly what: "module" | "engine" | "data"
  readonly id: Id.Id
}

export interface Report {
  readonly scheduler: Id.Address
  /** Whether the node can give slots and attest: it has the scheduler's key. */
  readonly readOnly: boolean
  readonly processes: ReadonlyArray<RestoreCheck.Checked>
  readonly snapshots: number
  readonly problems: ReadonlyArray<Problem>
  readonly missing: ReadonlyArray<Missing>
}

const piecesOf = (listed: ReadonlyArray<Listed>): number =>
  listed.reduce((sum, { copies }) => sum + copies.flat().length, 0)
const bytesOf = (listed: ReadonlyArray<Listed>): number => listed.reduce((sum, { bytes }) => sum + bytes, 0)

/** The one scheduler of what is restored. */
const schedulerOf = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  { scheduler, processes }: Options,
  report: (problem: Problem) => void,
) {
  let found = scheduler
  for (const process of processes) {
    const listed = yield* Catalog.list(archive, "Batches", [{ name: "Process", values: [process] }])
    const spawned = yield* Spawn.find(archive, process, listed, { report })
    if (found !== undefined && spawned.scheduler !== found)
      return yield* new RestoreRefused({
        reason: "other scheduler",
        detail: `process ${process} is of scheduler ${spawned.scheduler}, not of ${found}; a data folder has one`,
      })
    found = spawned.scheduler
  }
  return found ?? (yield* noScheduler)
})

const noScheduler = new RestoreRefused({
  reason: "no scheduler",
  detail: "say whose processes: name some, or give the scheduler's key or its address",
})

/** Begins, or goes on with what was begun before. */
const begin = Effect.fnUntraced(function* (mark: RestoreMark.Mark) {
  const store = yield* Store
  const before = RestoreMark.get(store)
  if (before !== undefined && !RestoreMark.same(before, mark))
    return yield* new RestoreRefused({
      reason: "other restore",
      detail: new RestoreMark.RestoreUnfinished(before).message,
    })
  const all = { from: Uint8Array.of(0x22), to: new Uint8Array(8).fill(0xff), limit: 1 }
  if (before === undefined && store.range(all).length > 0)
    return yield* new RestoreRefused({
      reason: "not empty",
      detail: Excerpt.is(store)
        ? "the data folder has some processes of a scheduler, and more can't be added; restore the whole scheduler into an empty one"
        : "the data folder has a log already; a restore takes an empty one",
    })
  // Kept for good: what is left out now would get slot 0 again, whenever its spawn comes.
  const excerpt = mark.processes.length === 0 ? [] : [Excerpt.put]
  yield* store.commit([RestoreMark.put(mark), ...excerpt])
})

/** Restores into the store. What is wrong with pieces is in the report; what can't be made up for is a failure. */
export const run = Effect.fnUntraced(function* (options: Options) {
  const { processes, full, signer, residentBytesMax, onProblem, onProgress } = options
  const archive = yield* Archive
  const store = yield* Store
  const problems: Array<Problem> = []
  let progress: Progress = {
    phase: "looking",
    pieces: 0,
    bytes: 0,
    bytesAll: 0,
    checked: 0,
    computed: 0,
    slots: 0,
  }
  const say = (change: Partial<Progress>) => {
    progress = { ...progress, ...change }
    onProgress?.(progress)
  }
  const report = (problem: Problem) => {
    problems.push(problem)
    onProblem?.(problem)
  }
  const watch = { report, onBytes: (bytes: number) => say({ bytes: progress.bytes + bytes }) }

  const scheduler = yield* schedulerOf(archive, options, () => {})
  const readOnly = signer?.address !== scheduler
  yield* begin({ scheduler, processes, full })
  const assignments = yield* AssignmentLogStore.open
  const { log } = assignments

  const missing: Array<Missing> = []
  const named = yield* Named.make(archive, watch)
  const sandbox = yield* Sandbox
  const here = new Set([sandbox.engine, Engine.plain.id].map(Bytes.toHex))
  /** What was asked for before, of each kind: one id may be the name of a module and of data. */
  const asked = { modules: new Set<Id.Id>(), data: new Set<Id.Id>(), engines: new Set<Id.Id>() }
  /** Log and turns ask side by side: what one of them has asked for is there, or missing, when the other goes on. */
  const alone = Semaphore.makeUnsafe(1)
  const needModules = (ids: Iterable<Id.Id>) =>
    Effect.gen(function* () {
      for (const id of ids) {
        if (asked.modules.has(id) || Module.get(store, id) !== undefined) continue
        asked.modules.add(id)
        const source = yield* named.module(id)
        if (source === undefined) missing.push({ what: "module", id })
        else yield* store.commit([Module.put(source)])
      }
    }).pipe(alone.withPermits(1))
  const held = yield* HeldData.make
  const needData = Effect.fnUntraced(function* (references: ReadonlyArray<DataReference>) {
    for (const reference of references) {
      const { hash } = reference
      if (asked.data.has(hash)) continue
      asked.data.add(hash)
      const bytes = held.get(hash) ?? (yield* named.data(hash))
      if (bytes === undefined) missing.push({ what: "data", id: hash })
      else {
        yield* held.add(bytes)
        yield* held.keep([reference])
      }
    }
  })
  const engines = yield* EngineStore.make
  const needEngines = Effect.fnUntraced(function* (ids: Iterable<Id.Id>) {
    for (const id of ids) {
      const bytes = Id.toBytes(id)
      if (asked.engines.has(id) || engines.get(bytes) !== undefined) continue
      asked.engines.add(id)
      const artifact = yield* named.engine(bytes)
      if (artifact !== undefined) yield* store.commit([EngineStore.put(artifact)])
      else if (!here.has(Bytes.toHex(bytes))) missing.push({ what: "engine", id })
    }
  })

  const chosen = processes.length === 0 ? undefined : processes
  const batches =
    chosen === undefined
      ? yield* BatchRun.ofScheduler(archive, watch, scheduler, (log.last()?.number ?? -1) + 1)
      : yield* BatchRun.ofProcesses(
          archive,
          watch,
          scheduler,
          new Map(chosen.map((process) => [process, log.state(process).nextSlot])),
        )
  const releases = yield* ReleaseRun.make(archive, watch, scheduler, chosen)
  const snapshotsFound = full ? [] : yield* RestoreSnapshots.list(archive, scheduler, chosen)
  const listed = [...batches.listed, ...releases.listed]
  const nothing = new RestoreRefused({
    reason: "nothing there",
    detail: `archive ${archive.name} has nothing of scheduler ${scheduler}`,
  })
  if (batches.listed.length === 0) return yield* nothing
  say({ phase: "log", pieces: piecesOf(listed), bytesAll: bytesOf(listed) })

  const outcomes = yield* OutcomeLog.make
  // Once turns may have been run again and written, nothing is put between them and what was taken before. Without a key
  // none is.
  const commitBefore = readOnly ? undefined : ArchiveQueue.restoredCommit(store)
  const kept = RestoreKept.make()
  const pace = RestorePace.make()
  const still = SchedulerUnitStill.make({ store, log, held }, scheduler)
  const haveSnapshots = new Set(snapshotsFound.map(({ process }) => process))
  const rehearsal = yield* RestoreRehearsal.make({
    engines,
    runTurns: yield* Effect.provideService(TurnRunner.make, SchedulerUnit, still),
    residentBytesMax,
    isLeftOut: (process) => haveSnapshots.has(process),
  })
  const restoreLog = RestoreLog.restore({
    store: assignments,
    run: batches,
    processes: chosen && new Set(chosen),
    readOnly,
    modules: needModules,
    data: needData,
    kept,
    pace,
    onSlots: (checked) => say({ checked }),
  }).pipe(
    Effect.tap(() =>
      Effect.sync(() =>
        say({ phase: "turns", slots: log.processes().reduce((sum, { nextSlot }) => sum + nextSlot, 0) }),
      ),
    ),
  )
  const restoreTurns = RestoreTurns.restore({
    store,
    log,
    outcomes,
    run: releases,
    processes: chosen && new Set(chosen),
    kept,
    pace,
    rehearsal,
    taken: !full && commitBefore === undefined,
    needs: (modules, ids) => Effect.andThen(needModules(modules), needEngines(ids)),
    onTurns: (computed) => say({ computed }),
  })
  const [, attested] = yield* Effect.all([restoreLog, restoreTurns], { concurrency: 2 })
  // What was found is of somebody else, whatever its tags say.
  if (log.processes().length === 0) return yield* nothing
  if (chosen !== undefined) {
    // Batches of other processes are not here, and yet their numbers are given.
    const newest = yield* BatchRun.newest(archive, watch, scheduler)
    if (newest !== undefined && newest.link.number > (log.last()?.number ?? -1))
      yield* assignments.restore([{ link: newest.link, entries: [], leaves: [] }], new Map(), readOnly)
  }
  const rehearsed = yield* rehearsal.end

  // What is written of turns that are run from here on is new to the archive, all before it came from there: known before
  // any is. Of a rehearsal nothing is written. A restore that goes on may have found more batches; they came from there
  // too.
  yield* store.commit([
    ArchiveQueue.restored((log.last()?.number ?? -1) + 1, commitBefore ?? outcomes.nextRelease()),
  ])
  say({ phase: "snapshots" })
  const snapshots = yield* RestoreSnapshots.restore(
    { archive, watch, log, outcomes, snapshots: yield* SnapshotLog.make, engines },
    snapshotsFound,
  )

  say({ phase: "running" })
  const checked = yield* RestoreCheck.check({
    log,
    still,
    engines,
    signer: readOnly ? undefined : signer,
    attested,
    rehearsed,
    residentBytesMax,
    onSlots: (computed, slots) => say({ computed, slots }),
  })
  yield* store.commit([RestoreMark.removal])
  const made: Report = { scheduler, readOnly, processes: checked, snapshots, problems, missing }
  return made
})

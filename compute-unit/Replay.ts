/**
 * Replay: brings a process into the sandbox as it was attested last (spec 04 §8): from the newest snapshot that leads
 * to the state root attested at its slot, and from there by its log. Without one, from slot 0.
 *
 *     attested to slot 10,400; snapshots at 10,000 and 9,000: restore 10,000, run 10,001 to 10,400, compare the root
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import * as Admission from "../runtime/Admission.ts"
import type * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"
import * as Outcome from "../runtime/Outcome.ts"
import type * as Process from "../runtime/Process.ts"
import { Store } from "../runtime/Store.ts"
import { type LogEntry, SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import * as Follower from "./Follower.ts"
import type { OutcomeLog } from "./OutcomeLog.ts"
import { type Opening, Sandbox } from "./Sandbox.ts"
import * as Snapshot from "./Snapshot.ts"
import type { SnapshotLog } from "./SnapshotLog.ts"
import type { Ready, TurnRunner } from "./TurnRunner.ts"

/** What this node has of a process does not suffice to go on with it; what is missing or wrong, by the slot. */
export class Stuck extends Data.TaggedError("Stuck")<{ readonly slot: number; readonly detail: string }> {
  override get message(): string {
    return `slot ${this.slot}: ${this.detail}`
  }
}

/** A process as it came into the sandbox. */
export interface Opened {
  readonly log: Admission.LogState
  /** Turns and fuel of what was run to come there: since the snapshot, or since slot 0. */
  readonly turns: number
  readonly fuel: bigint
  /** Bytes of memory that are its alone. */
  readonly ownBytes: number
}

/** A process by its slot 0. */
interface Spawned {
  readonly process: Process.Process
  readonly first: LogEntry
}

/** Where a replay starts. */
interface Start {
  readonly log: Admission.LogState
  readonly ownBytes: number
}

/** The code of a module, checked to be what its id says. */
export const moduleOf = (
  store: Store["Service"],
  slot: number,
  module: Id.Id,
): Effect.Effect<Uint8Array, Stuck> =>
  Effect.suspend(() => {
    const source = Module.get(store, module)
    if (source !== undefined && Module.id(source) === module) return Effect.succeed(source)
    const what = source === undefined ? "is not stored here" : "is damaged here"
    return Effect.fail(new Stuck({ slot, detail: `module ${module} ${what}; upload it and start again` }))
  })

/** Makes a process as it is before slot 0. */
export const openFirst = (
  store: Store["Service"],
  sandbox: Sandbox["Service"],
  { id: process, module }: Process.Process,
  opening: Pick<Opening, "spawn" | "term" | "engine">,
) => Effect.flatMap(moduleOf(store, 0, module), (source) => sandbox.open({ ...opening, process, source }))

/** Entries ready for a sandbox, which needs the code of each module that a process goes over to. */
export const entriesFor = (
  store: Store["Service"],
  examined: ReadonlyArray<Follower.Recalled>,
  isRootWanted: (slot: number) => boolean,
): Effect.Effect<ReadonlyArray<Ready>, Stuck> =>
  Effect.forEach(examined, ({ entry }): Effect.Effect<Ready, Stuck> => {
    const { slot, upgrade } = entry
    const root = isRootWanted(slot)
    if (upgrade === undefined) return Effect.succeed({ ...entry, upgrade, root })
    return Effect.map(moduleOf(store, slot, upgrade.module), (source) => ({
      ...entry,
      upgrade: { ...upgrade, source },
      root,
    }))
  })

/** Where an upgrade names no engine, the one that came with it: it may have been that of an earlier version. */
const withEngine = (one: Follower.Recalled, engines: ReadonlyMap<number, Uint8Array>): Follower.Recalled => {
  const { upgrade, slot } = one.entry
  const engine = upgrade?.engine ?? engines.get(slot)
  return upgrade === undefined ? one : { ...one, entry: { ...one.entry, upgrade: { ...upgrade, engine } } }
}

/** Gives how to open a process. `outcomes` and `snapshots` are those of this unit. */
export const make = Effect.fnUntraced(function* (
  outcomes: OutcomeLog,
  snapshots: SnapshotLog,
  runTurns: TurnRunner,
) {
  const store = yield* Store
  const scheduler = yield* SchedulerUnit
  const sandbox = yield* Sandbox

  const entryAt = Effect.fnUntraced(function* (process: Id.ProcessId, slot: number) {
    const [entry] = yield* scheduler.log(process, slot, 1)
    return entry ?? (yield* lost(slot))
  })

  const lost = (slot: number) =>
    new Stuck({ slot, detail: "it was computed and is not in the scheduler's log" })

  /** Admission's state after the slot of a snapshot: it holds what the entries up to there added up to. */
  const logAt = Effect.fnUntraced(function* (
    { process, first }: Spawned,
    { slot, head }: Attestation.Point,
    { term, scheduler: by, received, cron, authority }: Snapshot.Snapshot["metadata"],
  ) {
    const { assignment } = slot === 0 ? first : yield* entryAt(process.id, slot)
    if (assignment.slot !== slot || !Bytes.equal(assignment.head, head))
      return yield* new Stuck({ slot, detail: "its head is not the one that was attested" })
    const admitted = Outcome.inadmissible(outcomes.turn(process.id, 0)!.outcome) === undefined
    const log: Admission.LogState = {
      process: admitted ? process : undefined,
      spawnedAt: admitted ? first.assignment.timestamp : 0,
      term,
      scheduler: admitted ? by : undefined,
      nextSlot: slot + 1,
      head,
      timestamp: assignment.timestamp,
      authority: admitted ? authority : undefined,
      pairs: HashMap.fromIterable(received),
      cron: HashMap.fromIterable(cron),
    }
    return log
  })

  /** Restores one snapshot; what is wrong with it in words where it is of no use. */
  const restore = Effect.fnUntraced(function* (spawned: Spawned, slot: number) {
    const { first } = spawned
    const process = spawned.process.id
    const to = outcomes.attested(process, slot)?.to
    if (to?.slot !== slot) return "nothing is attested at its slot"
    const bytes = snapshots.bytes(process, slot)
    if (typeof bytes === "string") return bytes
    const decoded = Snapshot.decode(bytes)
    if (Result.isFailure(decoded)) return decoded.failure
    const { metadata, memory, slot: taken } = decoded.success
    if (taken !== slot) return `it is of slot ${taken}`
    if (!Bytes.equal(metadata.spawn, Hash.sha256(first.item))) return "it is of another spawn"
    const log = yield* logAt(spawned, to, metadata)
    const source = yield* moduleOf(store, slot, metadata.module)
    const opening = { process, spawn: first.item, term: first.assignment.term, source, engine: undefined }
    const refused = yield* sandbox.restore(opening, bytes, to.stateRoot).pipe(
      Effect.as(undefined),
      Effect.catchTag("SnapshotInvalid", (invalid) => Effect.succeed(invalid.detail)),
    )
    const ownBytes = (memory?.pages ?? []).reduce((sum, [, page]) => sum + page.length, 0)
    return refused ?? { log, ownBytes }
  })

  /** The newest snapshot that can be used. Those that can't are given up: the log makes them again. */
  const fromSnapshot = Effect.fnUntraced(function* (spawned: Spawned, last: number) {
    const process = spawned.process.id
    for (const slot of snapshots.kept(process)) {
      const restored = slot > last ? "it is ahead of what is attested" : yield* restore(spawned, slot)
      if (typeof restored !== "string") return restored
      yield* Effect.logWarning(`process ${process}: the snapshot at slot ${slot} is of no use: ${restored}`)
      yield* Effect.ignore(snapshots.drop(process, slot))
    }
    return undefined
  })

  const fromBeginning = Effect.fnUntraced(function* ({ process, first }: Spawned) {
    const { item: spawn, assignment } = first
    const engine = outcomes.engines(process.id).get(0) ?? outcomes.attested(process.id, 0)?.engine
    yield* openFirst(store, sandbox, process, { spawn, term: assignment.term, engine })
    return { log: Admission.emptyLog, ownBytes: 0 }
  })

  /** Goes over a page of the log as it was examined before. */
  const recalled = Effect.fnUntraced(function* (
    process: Id.ProcessId,
    from: Admission.LogState,
    last: number,
  ) {
    const limit = Math.min(Limit.turnsPerRunMax, last + 1 - from.nextSlot)
    const turns = outcomes.turns(process, from.nextSlot, limit)
    const entries = yield* scheduler.log(process, from.nextSlot, limit)
    if (entries.length === 0) return yield* lost(from.nextSlot)
    const engines = outcomes.engines(process)
    let log = from
    const examined = entries.map((entry, i) => {
      const one = Follower.recall(process, log, entry, Outcome.inadmissible(turns[i]!.outcome))
      log = one.log
      return withEngine(one, engines)
    })
    return { log, entries: yield* entriesFor(store, examined, (slot) => slot === last) }
  })

  /** Runs what follows the start up to the slot attested last. While a page runs the next one is examined. */
  const goOn = Effect.fnUntraced(function* (
    process: Id.ProcessId,
    start: Start,
    { slot: last, stateRoot }: Attestation.Point,
  ) {
    let { log, ownBytes } = start
    let fuel = 0n
    let page = log.nextSlot <= last ? yield* recalled(process, log, last) : undefined
    while (page !== undefined) {
      const running = yield* Effect.forkChild(runTurns(process, page.entries))
      log = page.log
      page = log.nextSlot <= last ? yield* recalled(process, log, last) : undefined
      const evaluated = yield* Fiber.join(running)
      for (const { outcome } of evaluated) fuel += outcome.fuelUsed
      const end = evaluated.at(-1)!
      ownBytes = end.ownBytes
      if (end.stateRoot !== undefined && !Bytes.equal(end.stateRoot, stateRoot))
        return yield* new Stuck({
          slot: last,
          detail: "replay gives another state root than the one attested; run heddle verify",
        })
    }
    const opened: Opened = { log, turns: log.nextSlot - start.log.nextSlot, fuel, ownBytes }
    return opened
  })

  /** Opens a process, in place of one that is open. */
  return Effect.fnUntraced(function* (process: Id.ProcessId) {
    const first = yield* entryAt(process, 0)
    const spawned = { process: Follower.spawned(process, first), first }
    const point = outcomes.point(process)
    const start = (yield* fromSnapshot(spawned, point.slot)) ?? (yield* fromBeginning(spawned))
    return yield* goOn(process, start, point)
  })
})

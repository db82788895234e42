/**
 * ComputeUnit in this process. Follows its scheduler's batches, runs each process's turns in order and processes side
 * by side, and lets nothing out before the commit that holds it: evaluate, attest, sign, commit, release.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { Signer, type SigningFailed } from "../identity/Signer.ts"
import { Verifier } from "../identity/Verifier.ts"
import * as Admission from "../runtime/Admission.ts"
import * as Attestation from "../runtime/Attestation.ts"
import * as Batcher from "../runtime/Batcher.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Feed from "../runtime/Feed.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"
import type { Reply } from "../runtime/Outcome.ts"
import { Store, type StoreFailed } from "../runtime/Store.ts"
import * as Waiters from "../runtime/Waiters.ts"
import { type LogEntry, SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import * as Audit from "./Audit.ts"
import { ComputeUnit, ComputeUnknown, type Query, type Turn } from "./ComputeUnit.ts"
import * as Follower from "./Follower.ts"
import * as OutcomeLog from "./OutcomeLog.ts"
import { type Evaluated, Sandbox } from "./Sandbox.ts"

/** A process that this unit follows. */
interface Followed {
  readonly process: Id.ProcessId
  /** Entries to come, in groups of one scheduler batch each. */
  readonly pending: Array<ReadonlyArray<LogEntry>>
  /** First slot that is neither computed nor pending. */
  nextSlot: number
  /** Admission's state after the last slot computed; unset until the process is open in the sandbox. */
  log: Admission.LogState | undefined
  lastEntry: LogEntry | undefined
  running: boolean
  parked: string | undefined
  /** Held while a turn runs until it is durable, so that a query sees no state that is not. */
  readonly turnLock: Semaphore.Semaphore
}

const turnKey = (process: Id.ProcessId, slot: number) => `${process} ${slot}`
const replyKey = (process: Id.ProcessId, message: Id.Id) => `${process} ${message}`

export const make = Effect.gen(function* () {
  const store = yield* Store
  const signer = yield* Signer
  const verifier = yield* Verifier
  const scheduler = yield* SchedulerUnit
  const sandbox = yield* Sandbox
  const scope = yield* Effect.scope
  const outcomes = yield* OutcomeLog.make
  const feed = Feed.make()
  const turnWaiters = Waiters.make<Turn>()
  const replyWaiters = Waiters.make<Reply>()
  const parkWaiters = Waiters.make<string>()
  const followed = new Map<Id.ProcessId, Followed>()
  /** Closed while as many entries wait as may: the scheduler's log is read no further until some are done. */
  const room = Latch.makeUnsafe(true)
  let waiting = 0
  const wait = (entries: number) => {
    waiting += entries
    if (waiting < Limit.submitQueueMax) room.openUnsafe()
    else room.closeUnsafe()
  }

  const release = (groups: ReadonlyArray<OutcomeLog.Group>) => {
    for (const { attestation, turns } of groups)
      for (const turn of turns) {
        turnWaiters.wake(turnKey(attestation.process, turn.outcome.slot), turn)
        for (const reply of turn.outcome.replies)
          replyWaiters.wake(replyKey(attestation.process, reply.to), reply)
      }
    feed.publish()
  }

  // What one process did goes in as one value: were its parts committed apart, one could fail and leave a hole.
  const committer = yield* Batcher.make<ReadonlyArray<OutcomeLog.Group>, void, StoreFailed | SigningFailed>({
    batchMax: Limit.processesPerCommitMax,
    waitingMax: Limit.submitQueueMax,
    run: Effect.fnUntraced(function* (done) {
      const groups = done.flat()
      const { root } = Attestation.tree(groups.map(({ attestation }) => attestation))
      const signature = yield* signer.sign("heddle/attestation/1", Attestation.signingBytes(root))
      yield* outcomes.append({ signatureType: signer.type.number, owner: signer.owner, signature }, groups)
      release(groups)
      return done.map(() => Effect.void)
    }),
  })

  /** Opens the process in the sandbox and replays what is durable, to the state root that was attested. */
  const open = Effect.fnUntraced(function* (of: Followed) {
    const { process } = of
    const [first] = yield* scheduler.log(process, 0, 1)
    const { module } = Follower.spawned(process, first)
    const source = Module.get(store, module)
    if (source === undefined)
      throw new Follower.ChainBroken(0, `module ${module} is not stored here; upload it and start again`)
    yield* sandbox.open({ process, spawn: first!.item, term: first!.assignment.term, source })
    const point = outcomes.point(process)
    const attested = outcomes.attestation(process, point.slot)?.attestation
    if (attested !== undefined && !Bytes.equal(attested.engine, sandbox.engine))
      throw new Follower.ChainBroken(point.slot, Audit.otherEngine(attested.engine, sandbox.engine))
    let log = Admission.emptyLog
    while (log.nextSlot <= point.slot) {
      const limit = Math.min(Limit.turnsPerRunMax, point.slot + 1 - log.nextSlot)
      const turns = outcomes.turns(process, log.nextSlot, limit)
      const entries = yield* scheduler.log(process, log.nextSlot, limit)
      if (entries.length === 0)
        throw new Follower.ChainBroken(log.nextSlot, "it was computed and is not in the scheduler's log")
      const examined = entries.map((entry, i) => {
        const error = turns[i]!.outcome.error
        const one = Follower.recall(
          process,
          log,
          entry,
          error?.reason === "inadmissible" ? error.message : undefined,
        )
        log = one.log
        return one
      })
      const evaluated = yield* sandbox.run(
        process,
        examined.map(({ entry }) => ({ ...entry, root: entry.slot === point.slot })),
      )
      const root = evaluated.at(-1)?.stateRoot
      if (root !== undefined && !Bytes.equal(root, point.stateRoot))
        throw new Follower.ChainBroken(
          point.slot,
          "replay gives another state root than the one attested; run heddle verify",
        )
      of.lastEntry = entries.at(-1)
    }
    of.log = log
    return log
  })

  /** Attestations of a run: one for each batch of the scheduler. */
  const attest = (
    of: Followed,
    groups: ReadonlyArray<ReadonlyArray<LogEntry>>,
    examined: ReadonlyArray<Follower.Examined>,
    evaluated: ReadonlyArray<Evaluated>,
  ): Array<OutcomeLog.Group> => {
    let from = outcomes.point(of.process)
    let at = 0
    return groups.map((group): OutcomeLog.Group => {
      const last = group.at(-1)!.assignment
      const done = evaluated.slice(at, at + group.length)
      const seen = examined.slice(at, at + group.length).map((one) => one.seen)
      at += group.length
      const to = { slot: last.slot, head: last.head, stateRoot: done.at(-1)!.stateRoot! }
      const attestation = {
        engine: sandbox.engine,
        process: of.process,
        term: last.term,
        from,
        to,
        outcomeRoot: OutcomeLog.outcomeRoot(done),
      }
      from = to
      return { attestation, turns: done.map(({ outcome, trace }) => ({ outcome, trace })), seen }
    })
  }

  const computeGroups = Effect.fnUntraced(function* (
    of: Followed,
    groups: ReadonlyArray<ReadonlyArray<LogEntry>>,
  ) {
    const entries = groups.flat()
    const log = of.log ?? (yield* open(of))
    const examined = yield* Follower.examine(
      () => verifier,
      of.process,
      log,
      entries,
      (key) => outcomes.seen(of.process, key),
    )
    const ends = new Set(groups.map((group) => group.at(-1)!.assignment.slot))
    const evaluated = yield* sandbox.run(
      of.process,
      examined.map(({ entry }) => ({ ...entry, root: ends.has(entry.slot) })),
    )
    const done = attest(of, groups, examined, evaluated)
    yield* committer.submit(done)
    of.log = examined.at(-1)!.log
    of.lastEntry = entries.at(-1)
  })

  /** A state that can't be committed or was lost is thrown away; the log has everything to make it again. */
  const forget = (of: Followed) => {
    of.log = undefined
    return sandbox.close(of.process)
  }

  const park = (of: Followed, why: string) =>
    Effect.andThen(
      Effect.sync(() => {
        of.parked = why
        parkWaiters.wake(of.process, why)
        wait(-of.pending.splice(0).flat().length)
      }),
      Effect.logError(`process ${of.process} parked: ${why}`),
    )

  /** How long this unit's clock has to go on before it is as near to the group's as clocks may differ, in ms. */
  const aheadMs = (group: ReadonlyArray<LogEntry>, now: number) =>
    group.at(-1)!.assignment.timestamp - Limit.clockAheadMsMax - now

  const follow = Effect.fnUntraced(function* (of: Followed) {
    let faults = 0
    let failures = 0
    /** One after a run that could not be gone through: all that comes before the fault is computed. */
    let groupsMax = Number.POSITIVE_INFINITY
    while (of.pending.length > 0 && of.parked === undefined) {
      const now = yield* Clock.currentTimeMillis
      const groups: Array<ReadonlyArray<LogEntry>> = []
      for (let turns = 0; groups.length < groupsMax && turns < Limit.turnsPerRunMax;) {
        const group = of.pending[groups.length]
        if (group === undefined || (groups.length > 0 && aheadMs(group, now) > 0)) break
        turns += group.length
        groups.push(group)
      }
      // Held while it is further ahead of this unit's clock than clocks differ: neither attested nor failed.
      const ahead = aheadMs(groups.at(-1)!, now)
      if (ahead > 0) yield* Effect.sleep(ahead)
      const giveUp = (why: string) =>
        groups.length === 1 ? park(of, why) : Effect.sync(() => void (groupsMax = 1))
      yield* computeGroups(of, groups).pipe(
        Effect.tapError(() => forget(of)),
        Effect.tapDefect(() => forget(of)),
        of.turnLock.withPermits(1),
        Effect.tap(() =>
          Effect.sync(() => {
            wait(-of.pending.splice(0, groups.length).flat().length)
            faults = 0
            failures = 0
          }),
        ),
        Effect.catchTag("SandboxLost", (lost) =>
          lost.own && ++faults >= Limit.hostFaultsMax ? giveUp(lost.message) : Effect.void,
        ),
        Effect.catchTag(["StoreFailed", "SigningFailed", "Overloaded", "Refused"], (error) =>
          Effect.andThen(
            Effect.logWarning(`process ${of.process} waits: ${error.message}`),
            Effect.sleep(Math.min(Limit.deliveryRetryMsMin * 2 ** failures++, Limit.deliveryRetryMsMax)),
          ),
        ),
        Effect.catchTag("LogUnknown", (error) => park(of, error.message)),
        Effect.catchDefect((defect) => giveUp(defect instanceof Error ? defect.message : String(defect))),
      )
    }
    of.running = false
  })

  const of = (process: Id.ProcessId): Followed => {
    const found = followed.get(process)
    if (found !== undefined) return found
    const nextSlot = outcomes.point(process).slot + 1
    const made = {
      process,
      pending: [],
      nextSlot,
      log: undefined,
      lastEntry: undefined,
      running: false,
      parked: undefined,
      turnLock: Semaphore.makeUnsafe(1),
    }
    followed.set(process, made)
    return made
  }

  /** Takes entries of one scheduler batch of one process. */
  const enqueue = (process: Id.ProcessId, entries: ReadonlyArray<LogEntry>) => {
    const target = of(process)
    const fresh = entries.filter(({ assignment }) => assignment.slot >= target.nextSlot)
    if (fresh.length === 0) return Effect.void
    target.nextSlot = fresh.at(-1)!.assignment.slot + 1
    if (target.parked !== undefined) return Effect.void
    target.pending.push(fresh)
    wait(fresh.length)
    if (target.running) return Effect.void
    target.running = true
    return Effect.asVoid(Effect.forkIn(follow(target), scope))
  }

  const enqueueAll = (entries: ReadonlyArray<LogEntry>) => {
    const groups = Map.groupBy(entries, ({ assignment, batch }) => `${assignment.process} ${batch}`)
    return Effect.forEach(groups.values(), (group) => enqueue(group[0]!.assignment.process, group), {
      discard: true,
    })
  }

  /** What was assigned and not computed when the node stopped. A page may cut a batch: its part waits for the rest. */
  const catchUp = Effect.fnUntraced(function* () {
    for (const { process, nextSlot } of yield* scheduler.processes) {
      let rest: ReadonlyArray<LogEntry> = []
      for (let from = of(process).nextSlot; from < nextSlot;) {
        const entries = [...rest, ...(yield* scheduler.log(process, from, Limit.logPageMax))]
        from += entries.length - rest.length
        const cut = from < nextSlot ? entries.at(-1)!.batch : undefined
        // What came since `processes` was asked comes again with its whole batch.
        yield* enqueueAll(
          entries.filter(({ assignment, batch }) => batch !== cut && assignment.slot < nextSlot),
        )
        yield* room.await
        rest = entries.filter(({ batch }) => batch === cut)
      }
    }
  })

  const firstBatch = yield* scheduler.nextBatch
  const newBatches = Stream.runForEach(scheduler.batches(firstBatch), ({ entries }) =>
    Effect.andThen(enqueueAll(entries), room.await),
  )
  yield* Effect.forkScoped(Effect.andThen(Effect.orDie(catchUp()), newBatches))

  const query = Effect.fnUntraced(function* (process: Id.ProcessId, asked: Query) {
    if (outcomes.point(process).slot < 0) return yield* new ComputeUnknown({ process })
    const target = of(process)
    const run = Effect.gen(function* () {
      if (target.log === undefined) yield* open(target)
      const { assignment, item } = target.lastEntry!
      const at = {
        ...assignment,
        item,
        inadmissible: undefined,
        pair: undefined,
        cron: undefined,
        root: false,
      }
      return yield* sandbox.query(process, asked, at)
    })
    return yield* run.pipe(
      Effect.tapError(() => forget(target)),
      Effect.retry({ times: Limit.hostFaultsMax - 1 }),
      target.turnLock.withPermits(1),
      Effect.orDie,
      Effect.catchDefect((defect) =>
        defect instanceof Follower.ChainBroken ? new ComputeUnknown({ process }) : Effect.die(defect),
      ),
    )
  })

  return ComputeUnit.of({
    address: signer.address,
    engine: sandbox.engine,
    addModule: Effect.fnUntraced(function* (source: Uint8Array) {
      yield* sandbox.check(source)
      yield* store.commit([Module.put(source)])
      return Module.id(source)
    }),
    turn: (process, slot) =>
      Effect.suspend(() => {
        const found = outcomes.turn(process, slot)
        return found === undefined ? turnWaiters.wait(turnKey(process, slot)) : Effect.succeed(found)
      }),
    turns: (process, from, limit) => Effect.sync(() => outcomes.turns(process, from, limit)),
    reply: (process, message) =>
      Effect.suspend(() => {
        const found = outcomes.reply(process, message)
        return found === undefined ? replyWaiters.wait(replyKey(process, message)) : Effect.succeed(found)
      }),
    follow: (process, from) => feed.follow(from, (slot) => outcomes.turn(process, slot)),
    query,
    view: (process, name) => Effect.sync(() => outcomes.view(process, name)),
    attestation: (process, slot) => Effect.sync(() => outcomes.attestation(process, slot)),
    parked: (process) =>
      Effect.suspend(() => {
        const why = followed.get(process)?.parked
        return why === undefined ? parkWaiters.wait(process) : Effect.succeed(why)
      }),
    progress: (process) =>
      Effect.sync(() => ({ slots: outcomes.point(process).slot + 1, parked: followed.get(process)?.parked })),
    releases: (from) => feed.follow(from, outcomes.release),
  })
})

export const layer = Layer.effect(ComputeUnit, make)

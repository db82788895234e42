/**
 * ComputeUnit in this process. Follows its scheduler's batches, runs each process's turns in order and processes side
 * by side, and lets nothing out before the commit that holds it: evaluate, attest, sign, commit, release.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { Signer, type SigningFailed } from "../identity/Signer.ts"
import { Verifier } from "../identity/Verifier.ts"
import type * as Admission from "../runtime/Admission.ts"
import * as Attestation from "../runtime/Attestation.ts"
import * as Batcher from "../runtime/Batcher.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Feed from "../runtime/Feed.ts"
import * as Gate from "../runtime/Gate.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"
import type { Reply } from "../runtime/Outcome.ts"
import * as Peer from "../runtime/Peer.ts"
import { Store, type StoreFailed } from "../runtime/Store.ts"
import * as ViewProof from "../runtime/ViewProof.ts"
import * as Waiters from "../runtime/Waiters.ts"
import { Intake } from "../scheduler-unit/Intake.ts"
import { SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import { ComputeUnit, ComputeUnknown, type Query, type Turn } from "./ComputeUnit.ts"
import * as EngineStore from "./EngineStore.ts"
import * as Followed from "./Followed.ts"
import * as Follower from "./Follower.ts"
import * as Following from "./Following.ts"
import * as Lanes from "./Lanes.ts"
import * as OutcomeLog from "./OutcomeLog.ts"
import * as Replay from "./Replay.ts"
import * as Residency from "./Residency.ts"
import * as Run from "./Run.ts"
import { type Entry, Sandbox, type SandboxLost } from "./Sandbox.ts"
import * as SchedulerInForce from "./SchedulerInForce.ts"
import * as Sightings from "./Sightings.ts"
import * as SnapshotLog from "./SnapshotLog.ts"
import * as TurnRunner from "./TurnRunner.ts"

export interface Options {
  /** Bytes of memory that processes which are open in sandboxes may take together. */
  readonly residentBytesMax: number
  /** Whether a process that goes no further just now is parked; asked each time that this is seen. Never by default. */
  readonly parks?: (waiting: Waiting) => boolean
}

/** Why a process waits: for this unit's clock, for data that its messages refer to, or for something else that passes. */
export interface Waiting {
  readonly reason: "clock" | "data" | "other"
  /** Runs in a row that came to nothing. */
  readonly failures: number
}

const slotsIn = (groups: ReadonlyArray<Followed.Group>): number =>
  groups.reduce((sum, { entries }) => sum + entries.length, 0)

const turnKey = (process: Id.ProcessId, slot: number) => `${process} ${slot}`
const replyKey = (process: Id.ProcessId, message: Id.Id) => `${process} ${message}`

/** What a query goes by: the newest slot, as it is known beside its message. */
const newestOf = ({ nextSlot, timestamp, head }: Admission.LogState): Entry => ({
  slot: nextSlot - 1,
  timestamp,
  head,
  item: Bytes.empty,
  data: undefined,
  inadmissible: undefined,
  pair: undefined,
  cron: undefined,
  authority: undefined,
  move: undefined,
  upgrade: undefined,
  root: false,
})

export const make = Effect.fnUntraced(function* ({ residentBytesMax, parks = () => false }: Options) {
  const store = yield* Store
  const signer = yield* Signer
  const verifier = yield* Verifier
  const scheduler = yield* SchedulerUnit
  const sandbox = yield* Sandbox
  const scope = yield* Effect.scope
  const computed = (yield* Intake).computing()
  const outcomes = yield* OutcomeLog.make
  const snapshots = yield* SnapshotLog.make
  const engines = yield* EngineStore.make
  const runTurns = yield* TurnRunner.make
  const feed = Feed.make()
  const asking = Peer.within(Gate.make(Limit.questionsMax), "questions")
  const loading = Peer.within(Gate.make(Limit.modulesInHandMax), "modules")
  const turnWaiters = Waiters.make<Turn>()
  const replyWaiters = Waiters.make<Reply>()
  const parkWaiters = Waiters.make<string>()
  /** Processes with something to do, in a sandbox, or parked. The store knows the others. */
  const followed = new Map<Id.ProcessId, Followed.Followed>()
  const nextSlotOf = (process: Id.ProcessId) => outcomes.point(process).slot + 1
  const find = (process: Id.ProcessId): Followed.Followed => {
    const found = followed.get(process) ?? Followed.make(process, nextSlotOf(process))
    followed.set(process, found)
    return found
  }
  const onIdle = (of: Followed.Followed) => {
    if (Followed.isForgettable(of)) followed.delete(of.process)
  }
  const residency = yield* Residency.make({
    bytesMax: residentBytesMax,
    outcomes,
    snapshots,
    engines,
    runTurns,
    onIdle,
  })

  /** Closed while as many entries wait as may: the scheduler's log is read no further until some are done. */
  const room = Latch.makeUnsafe(true)
  let waiting = 0
  const wait = (entries: number) => {
    waiting += entries
    if (waiting < Limit.submitQueueMax) room.openUnsafe()
    else room.closeUnsafe()
  }

  const release = (groups: ReadonlyArray<OutcomeLog.Group>) => {
    for (const { attestation, turns } of groups) {
      computed(attestation.process, attestation.to.slot)
      for (const turn of turns) {
        turnWaiters.wake(turnKey(attestation.process, turn.outcome.slot), turn)
        for (const reply of turn.outcome.replies)
          replyWaiters.wake(replyKey(attestation.process, reply.to), reply)
      }
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
      yield* engines.keep
      const signature = yield* signer.sign("heddle/attestation/1", Attestation.signingBytes(root))
      yield* outcomes.append({ signatureType: signer.type.number, owner: signer.owner, signature }, groups)
      release(groups)
      return done.map(() => Effect.void)
    }),
  })

  const compute = Effect.fnUntraced(function* (of: Followed.Followed, groups: ReadonlyArray<Followed.Group>) {
    const entries = groups.flatMap((group) => group.entries)
    const log = yield* residency.open(of)
    const examined = yield* Follower.examine(
      () => verifier,
      of.process,
      log,
      entries,
      (key) => outcomes.seen(of.process, key),
    )
    SchedulerInForce.check(groups, examined)
    const ends = new Set(groups.map((group) => group.entries.at(-1)!.assignment.slot))
    const ready = yield* Replay.entriesFor(store, examined, (slot) => ends.has(slot))
    const evaluated = yield* runTurns(of.process, ready)
    const from = outcomes.point(of.process)
    const engine = from.slot < 0 ? undefined : outcomes.attested(of.process, from.slot)?.engine
    yield* committer.submit(Run.attest(of.process, from, engine, groups, examined, evaluated))
    yield* residency.ran(of, examined.at(-1)!.log, evaluated)
  })

  /** Follows a process no further. What was computed before stays. */
  const park = (of: Followed.Followed, why: string) =>
    Effect.suspend(() => {
      if (of.parked !== undefined) return Effect.void
      of.parked = why
      parkWaiters.wake(of.process, why)
      computed(of.process, of.nextSlot)
      wait(-slotsIn(of.pending.splice(0)))
      return Effect.logError(`process ${of.process} parked: ${why}`)
    })

  /** One run of a process; gives for how long it is to rest before the next, in ms. */
  const run = Effect.fnUntraced(function* (of: Followed.Followed, groups: ReadonlyArray<Followed.Group>) {
    const giveUp = (why: string) =>
      Effect.as(groups.length === 1 ? park(of, why) : Effect.sync(() => void (of.groupsMax = 1)), 0)
    const stuck = (error: { readonly message: string }) => giveUp(error.message)
    const waitsFor = (reason: Waiting["reason"], { message }: { readonly message: string }) =>
      Effect.suspend(() => {
        const pauseMs = Math.min(Limit.deliveryRetryMsMin * 2 ** of.failures++, Limit.deliveryRetryMsMax)
        if (parks({ reason, failures: of.failures })) return Effect.as(park(of, message), 0)
        computed(of.process, of.nextSlot)
        return Effect.as(Effect.logWarning(`process ${of.process} waits: ${message}`), pauseMs)
      })
    const waits = (error: { readonly message: string }) => waitsFor("other", error)
    return yield* residency
      .use(
        () => of,
        () =>
          engines.provide(
            // What was evaluated and is not committed is nobody's to see, also where the node is stopping.
            compute(of, groups).pipe(Effect.onError(residency.abandon(of))),
          ),
      )
      .pipe(
        Effect.map(() => {
          wait(-slotsIn(of.pending.splice(0, groups.length)))
          of.faults = 0
          of.failures = 0
          return 0
        }),
        Effect.catchTag("SandboxLost", (lost) =>
          lost.own && ++of.faults >= Limit.hostFaultsMax ? giveUp(lost.message) : Effect.succeed(0),
        ),
        Effect.catchTag(["StoreFailed", "SigningFailed", "Overloaded", "Refused"], waits),
        // The scheduler had it, so it is asked again; what comes before it need not wait with it.
        Effect.catchTag("DataMissing", (error) =>
          groups.length === 1
            ? waitsFor("data", error)
            : Effect.sync(() => void (of.groupsMax = 1)).pipe(Effect.as(0)),
        ),
        Effect.catchTag(["LogUnknown", "Stuck", "EngineInvalid"], stuck),
        Effect.catchDefect((defect) => giveUp(defect instanceof Error ? defect.message : String(defect))),
      )
  })

  const lanes: Lanes.Lanes<Followed.Followed> = yield* Lanes.make({
    lanesMax: Limit.processesRunningMax,
    run: (of: Followed.Followed): Effect.Effect<void> => Effect.suspend(() => nextRun(of)),
  })
  const nextRun = Effect.fnUntraced(function* (of: Followed.Followed) {
    const now = yield* Clock.currentTimeMillis
    if (Followed.rests(of)) {
      onIdle(of)
      return yield* residency.trimSoon
    }
    const { groups, heldMs } = Run.next(of, now)
    if (heldMs > 0 && parks({ reason: "clock", failures: of.failures })) {
      const { slot } = groups[0]!.entries[0]!.assignment
      yield* park(of, `slot ${slot} is ${Math.ceil(heldMs / 1000)} s too far ahead of the clock here`)
      return yield* lanes.add(of)
    }
    const pauseMs = heldMs > 0 ? heldMs : yield* run(of, groups)
    if (pauseMs === 0) return yield* lanes.add(of)
    yield* Effect.forkIn(Effect.andThen(Effect.sleep(pauseMs), lanes.add(of)), scope)
  })

  /** Takes entries of one scheduler batch of one process. */
  const enqueue = ({ entries, by }: Followed.Group) =>
    Effect.suspend(() => {
      const { process } = entries[0]!.assignment
      const of = find(process)
      const fresh = entries.filter(({ assignment }) => assignment.slot >= of.nextSlot)
      if (fresh.length > 0) of.nextSlot = fresh.at(-1)!.assignment.slot + 1
      if (of.parked !== undefined) computed(process, of.nextSlot)
      if (fresh.length === 0 || of.parked !== undefined) return Effect.sync(() => onIdle(of))
      of.pending.push({ entries: fresh, by })
      wait(fresh.length)
      if (of.running) return Effect.void
      of.running = true
      return lanes.add(of)
    })

  // What one node says to itself needs no proof against it.
  const sightings =
    scheduler.address === signer.address ? undefined : Sightings.make(store, scheduler.address)
  yield* Following.make({
    store,
    scheduler,
    sightings,
    nextSlotOf,
    expected: (process) => followed.get(process)?.nextSlot ?? nextSlotOf(process),
    enqueue: (groups) => Effect.forEach(groups, enqueue, { discard: true }),
    room,
    park: (process, why) => Effect.suspend(() => park(find(process), why)),
  })

  /** Asks the newest state of a process, which is opened for it. One that can't be opened is parked. */
  const ask = <A>(
    process: Id.ProcessId,
    question: (log: Admission.LogState) => Effect.Effect<A, SandboxLost>,
  ): Effect.Effect<A, ComputeUnknown> => {
    const unknown = Effect.suspend(() => Effect.fail(new ComputeUnknown({ process })))
    const answer = (of: Followed.Followed) => {
      const stuck = (error: { readonly message: string }) => Effect.andThen(park(of, error.message), unknown)
      return Effect.flatMap(residency.open(of), question).pipe(
        Effect.tapError(() => residency.forget(of)),
        Effect.retry({ times: Limit.hostFaultsMax - 1, while: (error) => error._tag === "SandboxLost" }),
        Effect.catchTag(["LogUnknown", "Stuck", "EngineInvalid"], stuck),
        Effect.catchTag("DataMissing", (missing) =>
          Effect.andThen(
            Effect.logWarning(`process ${process} can't be opened: ${missing.message}`),
            unknown,
          ),
        ),
        Effect.catchTag("SandboxLost", Effect.die),
        Effect.catchDefect((defect) =>
          defect instanceof Follower.ChainBroken ? stuck(defect) : Effect.die(defect),
        ),
      )
    }
    return Effect.suspend(() =>
      outcomes.point(process).slot < 0 ? unknown : residency.use(() => find(process), answer),
    )
  }

  const viewProof = (process: Id.ProcessId, name: string) =>
    ask(process, () =>
      Effect.gen(function* () {
        const { slot, opening } = yield* sandbox.prove(process, name)
        const signed = outcomes.attestation(process, slot)!
        const [entry] = yield* Effect.orDie(scheduler.log(process, slot, 1))
        const { to } = signed.attestation
        if (to.slot !== slot || !Bytes.equal(ViewProof.rootOf(opening), to.stateRoot))
          throw new Error(`process ${process}: the state after slot ${slot} is not the one attested`)
        const value = outcomes.view(process, name)?.value ?? null
        return { name, value, opening, attestation: signed, assignment: entry!.assignment }
      }),
    )

  return ComputeUnit.of({
    address: signer.address,
    engine: sandbox.engine,
    addModule: Effect.fnUntraced(function* (source: Uint8Array) {
      yield* sandbox.check(source)
      yield* store.commit([Module.put(source)])
      return Module.id(source)
    }, loading),
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
    query: (process: Id.ProcessId, query: Query) =>
      asking(ask(process, (log) => sandbox.query(process, query, newestOf(log)))),
    view: (process, name) => Effect.sync(() => outcomes.view(process, name)),
    viewProof: (process, name) => asking(viewProof(process, name)),
    snapshots: (process) => Effect.sync(() => snapshots.list(process)),
    snapshot: (process, slot) =>
      Effect.sync(() => {
        const bytes = snapshots.bytes(process, slot)
        return typeof bytes === "string" ? undefined : bytes
      }),
    engineBytes: (engine) => Effect.sync(() => engines.get(engine)),
    attestation: (process, slot) => Effect.sync(() => outcomes.attestation(process, slot)),
    equivocation: (process) => Effect.sync(() => sightings?.equivocation(process)),
    parked: (process) =>
      Effect.suspend(() => {
        const why = followed.get(process)?.parked
        return why === undefined ? parkWaiters.wait(process) : Effect.succeed(why)
      }),
    progress: (process) =>
      Effect.sync(() => {
        const { slot } = outcomes.point(process)
        const engine = slot < 0 ? undefined : outcomes.attested(process, slot)?.engine
        return { slots: slot + 1, engine, parked: followed.get(process)?.parked }
      }),
    releases: (from) => feed.follow(from, outcomes.release),
    nextCommit: Effect.sync(outcomes.nextRelease),
    commits: (from, options) => feed.follow(from, outcomes.committed, options),
  })
})

export const layer = (options: Options) => Layer.effect(ComputeUnit, make(options))

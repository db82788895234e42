/**
 * Residency: which processes are open in sandboxes. It opens those that are needed, takes snapshots of those that have
 * come far, and evicts those that nobody has needed for longest where all together take too much memory.
 *
 * One that is evicted is first written down exactly as it was attested last, so that it wakes without a replay. What
 * happens to one process happens under its turn lock, and nobody waits for the lock of another.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type * as Admission from "../runtime/Admission.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Limit from "../runtime/Limit.ts"
import type { EngineStore } from "./EngineStore.ts"
import * as Followed from "./Followed.ts"
import type { OutcomeLog } from "./OutcomeLog.ts"
import * as Replay from "./Replay.ts"
import { Residents } from "./Residents.ts"
import { type Evaluated, Sandbox, SandboxLost, type Taken } from "./Sandbox.ts"
import type { SnapshotLog } from "./SnapshotLog.ts"
import type { TurnRunner } from "./TurnRunner.ts"

export interface Options {
  /** Bytes that open processes may take together. */
  readonly bytesMax: number
  readonly outcomes: OutcomeLog
  readonly snapshots: SnapshotLog
  readonly engines: EngineStore
  readonly runTurns: TurnRunner
  /** Told of each process that was worked with, when that is over. */
  readonly onIdle: (of: Followed.Followed) => void
}

export const make = Effect.fnUntraced(function* (options: Options) {
  const { bytesMax, outcomes, snapshots, engines, runTurns, onIdle } = options
  const sandbox = yield* Sandbox
  const scope = yield* Effect.scope
  const replay = yield* Replay.make(outcomes, snapshots, runTurns)
  const residents = new Residents()
  const writing = new Set<Followed.Followed>()
  const trimLock = Semaphore.makeUnsafe(1)
  let trimming = false

  /** A state that can't be committed or was lost is thrown away; the log has everything to make it again. */
  const forget = (of: Followed.Followed) =>
    Effect.suspend(() => {
      of.log = undefined
      residents.remove(of)
      return sandbox.close(of.process)
    })

  /** The same where its making was broken off. Nobody waits for the thread of one who has gone. */
  const abandon =
    (of: Followed.Followed) =>
    <E>(cause: Cause.Cause<E>) =>
      Effect.suspend(() => {
        of.log = undefined // not to be left to a fiber that may never begin
        const closing = forget(of)
        return Cause.hasInterruptsOnly(cause)
          ? Effect.asVoid(Effect.forkIn(closing, scope, { startImmediately: true }))
          : closing
      })

  /** The process as it was attested last: between turns the sandbox holds nothing else. */
  const take = Effect.fnUntraced(function* ({ process }: Followed.Followed) {
    const taken = yield* sandbox.take(process)
    const { slot, stateRoot } = outcomes.point(process)
    return taken.slot === slot && Bytes.equal(taken.stateRoot, stateRoot)
      ? taken
      : yield* new SandboxLost({ process, detail: "its state is not the one attested", own: true })
  })

  /** Whether it is written down. Where it can't be, all goes on: the log has everything that is in it. */
  const write = ({ process }: Followed.Followed, taken: Taken) =>
    snapshots.write(process, taken).pipe(
      Effect.as(true),
      Effect.catch((failed) =>
        Effect.as(
          Effect.logWarning(`process ${process}: no snapshot at slot ${taken.slot}: ${failed.message}`),
          false,
        ),
      ),
    )

  const lost = (of: Followed.Followed, { message }: SandboxLost) =>
    Effect.andThen(Effect.logWarning(`no snapshot is taken: ${message}`), forget(of))

  const relax = (of: Followed.Followed) => {
    of.users--
    residents.use(of)
    onIdle(of)
  }

  /** Takes a snapshot, and lets the process go on while it is written. */
  const snapshot = (of: Followed.Followed) =>
    Effect.gen(function* () {
      const taken = yield* take(of)
      of.turns = 0
      of.fuel = 0n
      of.users++
      writing.add(of)
      const done = Effect.sync(() => {
        writing.delete(of)
        relax(of)
      })
      yield* Effect.forkIn(Effect.ensuring(write(of, taken), done), scope, { startImmediately: true })
    }).pipe(Effect.catchTag("SandboxLost", (error) => lost(of, error)))

  /** Writes a process down and closes it; whether that freed memory. */
  const leave = Effect.fnUntraced(function* (of: Followed.Followed) {
    const { slot } = outcomes.point(of.process)
    const there = snapshots.kept(of.process)[0] === slot
    if (!there && !(yield* write(of, yield* take(of)))) return false
    // Who came meanwhile would only have to open it again.
    if (of.pending.length > 0 || of.users > 1) return false
    yield* forget(of)
    return true
  })

  const evict = (of: Followed.Followed) =>
    Effect.suspend(() => {
      if (of.log === undefined || !Followed.isIdle(of)) return Effect.succeed(false)
      of.users++
      return leave(of).pipe(
        Effect.catchTag("SandboxLost", (error) => Effect.as(lost(of, error), true)),
        Effect.ensuring(Effect.sync(() => relax(of))),
      )
    }).pipe(of.turnLock.withPermitsIfAvailable(1), Effect.map(Option.getOrElse(() => false)))

  /** Evicts until there is room for a while, or nobody is left who may go. */
  const trim = Effect.gen(function* () {
    while (residents.total > bytesMax) {
      const wanted = residents.total - (bytesMax - bytesMax / 8)
      const leaving = residents.oldest(wanted, Limit.evictionsAtOnceMax, Followed.isIdle)
      const left = yield* Effect.forEach(leaving, evict, { concurrency: "unbounded" })
      if (!left.includes(true)) return
    }
  }).pipe(trimLock.withPermits(1))

  /** Makes room where there is none, beside what goes on. */
  const trimSoon = Effect.suspend(() => {
    if (trimming || residents.total <= bytesMax) return Effect.void
    trimming = true
    const over = Effect.sync(() => void (trimming = false))
    return Effect.asVoid(Effect.forkIn(Effect.ensuring(trim, over), scope))
  })

  const open = Effect.fnUntraced(function* (of: Followed.Followed) {
    if (of.log !== undefined) return of.log
    if (residents.total > bytesMax) yield* trim
    const { log, turns, fuel, ownBytes } = yield* engines
      .provide(replay(of.process))
      .pipe(Effect.onError(abandon(of)))
    of.log = log
    of.turns = turns
    of.fuel = fuel
    residents.set(of, ownBytes)
    return log
  })

  return {
    /** Admission's state of a process that is open now, whether it was before or not. */
    open,
    forget,
    abandon,
    /** Notes what a process has come to with a commit, and takes a snapshot where it is time. */
    ran: Effect.fnUntraced(function* (
      of: Followed.Followed,
      log: Admission.LogState,
      evaluated: ReadonlyArray<Evaluated>,
    ) {
      // What stays must not hold the frame alive that its last entry came in.
      of.log = { ...log, head: Bytes.copy(log.head) }
      of.turns += evaluated.length
      for (const { outcome } of evaluated) of.fuel += outcome.fuelUsed
      residents.set(of, evaluated.at(-1)!.ownBytes)
      const isDue = of.turns >= Limit.snapshotTurns || of.fuel >= Limit.snapshotFuel
      if (isDue && !writing.has(of)) yield* snapshot(of)
    }),
    /** Works alone with a process that somebody follows. */
    use: <A, E, R>(
      find: () => Followed.Followed,
      work: (of: Followed.Followed) => Effect.Effect<A, E, R>,
    ): Effect.Effect<A, E, R> =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const of = find()
          of.users++
          return of
        }),
        (of) => work(of).pipe(of.turnLock.withPermits(1)),
        (of) =>
          Effect.andThen(
            Effect.sync(() => relax(of)),
            trimSoon,
          ),
      ),
    trimSoon,
  }
})

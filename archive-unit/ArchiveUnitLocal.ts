/**
 * ArchiveUnit in the process of the units whose work it archives. It reads their batches and commits behind them, from
 * where it left off, and waits for the archive so that nobody else does.
 *
 * What it has gathered lies in memory and is read again after a crash; a bundle, once closed, is durable before anything
 * of it leaves, and so is the transfer by which it goes: whatever happens, nothing is paid twice.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { ComputeUnit, type Committed } from "../compute-unit/ComputeUnit.ts"
import * as SignedItem from "../identity/SignedItem.ts"
import { Signer } from "../identity/Signer.ts"
import { Archive, ArchiveRefused, type Progress, readBundle, type Transfer } from "../runtime/Archive.ts"
import * as Feed from "../runtime/Feed.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import { Lease } from "../scheduler-unit/Lease.ts"
import { type CommittedBatch, SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import * as ArchiveCost from "./ArchiveCost.ts"
import * as ArchiveQueue from "./ArchiveQueue.ts"
import { ArchiveUnit, type Status, type Waiting } from "./ArchiveUnit.ts"
import * as Bundling from "./Bundling.ts"
import { assignedAt, Gatherer } from "./Gatherer.ts"

export interface Options {
  /** Winston that may be spent in all; unset where nothing has to be paid. */
  readonly spendingLimit?: bigint | undefined
  /** Blocks that have to stand on a bundle, its own included, before it counts as confirmed. */
  readonly confirmations: number
  /** Bytes after which a bundle is closed, and ms after which a smaller one is. */
  readonly gatherBytes?: number | undefined
  readonly gatherMs?: number | undefined
  /** ms for which everybody else has the thread, after each millisecond of making a bundle. */
  readonly pauseMs?: number | undefined
  /** ms between two looks at bundles that are not confirmed. */
  readonly pollMs?: number | undefined
  /**
   * Whether the archive is a folder. A transfer into an archive of the other kind is then given up, for the operator has
   * chosen another; what it took stays spent. Unset where there is one kind only.
   */
  readonly folder?: boolean | undefined
}

const wordsOf = (defect: unknown): { readonly message: string } =>
  defect instanceof Error ? defect : { message: String(defect) }

export const make = Effect.fnUntraced(function* (options: Options) {
  const { spendingLimit, confirmations } = options
  const { gatherBytes = Limit.archiveGatherBytes, gatherMs = Limit.archiveGatherMs } = options
  const { pauseMs = Limit.archivePauseMs, pollMs = Limit.archivePollMs } = options
  const archive = yield* Archive
  const scheduler = yield* SchedulerUnit
  const compute = yield* ComputeUnit
  const signer = yield* Signer
  const lease = yield* Lease
  const queue = yield* ArchiveQueue.make

  const gatherer = new Gatherer(gatherBytes)
  /** What each kind of work waits for. */
  const problems = new Map<"bundling" | "sending", string>()
  /** How many wait for bundles to be confirmed. */
  let waitedFor = 0
  const progress = new Map<Id.Id, Progress>()
  /** Told when something was gathered, a bundle was closed, and one was confirmed. */
  const news = Feed.make()
  const closed = yield* Queue.sliding<void>(1)

  const gather = <A>(add: (one: A, now: number) => void) =>
    Effect.fnUntraced(function* (one: A) {
      add(one, yield* Clock.currentTimeMillis)
      tellLease()
      news.publish()
      yield* gatherer.room.await
    })

  /** When the oldest batch was decided that is not confirmed. */
  const assigned = (): number | undefined => {
    const inBundle = queue.open().find((row) => row.assigned !== undefined)?.assigned
    return inBundle ?? gatherer.assigned
  }
  const tellLease = () => lease.unconfirmed(assigned())

  /** Waits until `holds`; it is asked again whenever there is news. */
  const until = (holds: () => boolean) =>
    Stream.runDrain(
      Stream.take(
        news.follow(0, () => (holds() ? true : undefined)),
        1,
      ),
    )

  const waitingBytes = () => queue.open().reduce((sum, { bytes }) => sum + bytes, 0)

  /** Those who ask for a slot go first, unless somebody waits for the bundle or more comes than is bundled so. */
  const pause = Effect.gen(function* () {
    const age = (yield* Clock.currentTimeMillis) - (gatherer.since ?? 0)
    yield* gatherer.isWanted || age > 2 * gatherMs ? Effect.yieldNow : Effect.sleep(pauseMs)
  })

  /** Makes a bundle of what is gathered. It stays gathered until the bundle is durable. */
  const close = Effect.gen(function* () {
    const taken = gatherer.all
    const { pieces, marks } = yield* Bundling.cut(taken, queue.marked, pause)
    const signed = yield* Effect.forEach(pieces, (fields) => SignedItem.sign(signer, fields))
    const { batch, commit } = queue.state()
    const now = yield* Clock.currentTimeMillis
    const [first] = taken.batches
    // Not to be left between the commit and what is known of it here: the next bundle would have the same again.
    yield* Effect.uninterruptible(
      Effect.gen(function* () {
        yield* queue.add({
          bundles: Bundling.pack(signed),
          marks,
          reached: Bundling.reached(taken),
          batch: batch + taken.batches.length,
          commit: commit + taken.commits.length,
          since: now,
          oldest: gatherer.since ?? now,
          assigned: first && assignedAt(first.batch),
        })
        gatherer.take(taken, now)
      }),
    )
    news.publish()
    yield* Queue.offer(closed, undefined)
  })

  /** Waits so long that many who failed do not come back together. */
  const backOff = Effect.fnUntraced(function* (failures: number) {
    const longest = Math.min(Limit.archiveRetryMsMin * 2 ** failures, Limit.archiveRetryMsMax)
    yield* Effect.sleep(longest * (0.5 + 0.5 * (yield* Random.next)))
  })

  /** Tries again and again, and says meanwhile what is wrong. */
  const persist = <E extends { readonly message: string }, R>(
    work: "bundling" | "sending",
    effect: Effect.Effect<void, E, R>,
  ) =>
    Effect.gen(function* () {
      for (let failures = 0; ; failures++) {
        // A defect is no reason to archive nothing more and say nothing.
        const done = yield* Effect.result(
          Effect.catchDefect(effect, (defect) => Effect.fail(wordsOf(defect))),
        )
        if (Result.isSuccess(done)) break
        const { message } = done.failure
        if (problems.get(work) !== message) yield* Effect.logWarning(`the archive waits: ${message}`)
        problems.set(work, message)
        yield* backOff(failures)
      }
      problems.delete(work)
    })

  const bundling = Effect.gen(function* () {
    yield* gatherer.some.await
    const age = (yield* Clock.currentTimeMillis) - (gatherer.since ?? 0)
    yield* Effect.raceFirst(gatherer.enough.await, Effect.sleep(Math.max(0, gatherMs - age)))
    yield* until(() => waitingBytes() < Limit.archiveWaitingBytesMax)
    yield* persist("bundling", close)
  })

  const allow = ({ bundle }: ArchiveQueue.Row, cost: bigint) => {
    const spent = queue.state().spent + cost
    return spendingLimit === undefined || spent <= spendingLimit
      ? Effect.void
      : Effect.fail(
          new ArchiveRefused({
            reason: "too dear",
            detail: `bundle ${bundle} takes ${cost} winston, ${spent} in all; the spending limit is ${spendingLimit}`,
          }),
        )
  }

  /** Sends a bundle by the transfer that it has, or by a new one that the limit allows. */
  const send = Effect.fnUntraced(function* (row: ArchiveQueue.Row) {
    const bytes = queue.bytes(row)
    if (row.transfer === undefined) {
      // Asked first, since to prepare a bundle is to sign all of it.
      yield* allow(row, yield* archive.price(row.bytes))
      const transfer = yield* archive.prepare(Result.getOrThrow(readBundle(bytes))) // as it was written
      yield* allow(row, transfer.cost)
      yield* queue.transfer(row, transfer)
      return yield* sendBy({ ...row, transfer }, transfer, bytes)
    }
    return yield* sendBy(row, row.transfer, bytes)
  })

  const sendBy = (row: ArchiveQueue.Row, transfer: Transfer, bytes: Uint8Array) =>
    archive
      .upload(
        transfer,
        bytes,
        (so) => void progress.set(transfer.id, so),
        progress.get(transfer.id)?.sent ?? 0,
      )
      .pipe(
        Effect.andThen(queue.mark(row, "sent")),
        Effect.catchTag("TransferVoid", () => sendAgain(row, transfer, true)),
      )

  /** Has a bundle sent again, from the first byte: by the same transfer, unless that can never arrive. */
  const sendAgain = Effect.fnUntraced(function* (row: ArchiveQueue.Row, transfer: Transfer, isVoid: boolean) {
    progress.delete(transfer.id)
    yield* isVoid ? queue.transfer(row, undefined) : queue.mark(row, "waiting")
    yield* Queue.offer(closed, undefined)
  })

  /** Looks where sent bundles stand. They are confirmed in their order, so that an anchor has all before it. */
  const confirm = Effect.gen(function* () {
    let first = true
    for (const row of queue.open()) {
      const { transfer } = row
      const status =
        row.state === "sent" && transfer !== undefined ? yield* archive.status(transfer) : undefined
      if (transfer === undefined || status === undefined) first = false
      else if (status._tag === "absent" || status._tag === "void") {
        first = false
        yield* sendAgain(row, transfer, status._tag === "void")
      } else if (!first || status._tag === "pending" || status.confirmations < confirmations) first = false
      // A transaction can be in a block without its data: what is let go here must be there.
      else if (yield* archive.holds(transfer)) {
        yield* queue.confirm(row, status.height)
        progress.delete(transfer.id)
        tellLease()
        news.publish()
      } else {
        first = false
        yield* sendAgain(row, transfer, false)
      }
    }
  })

  /** Says at once where the archive can't be reached, and gives up ways into another one. */
  const begin = persist(
    "sending",
    Effect.gen(function* () {
      yield* archive.height
      for (const row of queue.open()) {
        const { transfer } = row
        const other = transfer !== undefined && (transfer.id === transfer.bundle) !== options.folder
        if (other && options.folder !== undefined) yield* queue.leave(row)
      }
    }),
  )

  const sending = Effect.gen(function* () {
    yield* persist(
      "sending",
      Effect.gen(function* () {
        // First, so that one that can't be sent holds up none that was.
        yield* confirm
        for (const row of queue.open()) if (row.state === "waiting") yield* send(row)
        yield* confirm
      }),
    )
    const wait = Queue.take(closed)
    const waitMs = waitedFor > 0 ? Math.min(pollMs, Limit.archiveFlushPollMs) : pollMs
    yield* queue.open().length === 0 ? wait : Effect.raceFirst(wait, Effect.sleep(waitMs))
  })

  /**
   * What was gathered by a node that stops is one bundle more, durable. A folder has it at once, since whoever stopped the
   * node may want to carry the folder away; elsewhere the next start sends it.
   */
  const closeLast = Effect.gen(function* () {
    gatherer.want(1)
    if (!gatherer.isEmpty && waitingBytes() < Limit.archiveWaitingBytesMax) yield* close
    if (!options.folder) return
    for (const row of queue.open()) if (row.state === "waiting") yield* send(row)
    yield* confirm
  }).pipe(Effect.interruptible, Effect.timeoutOption(Limit.stopMsMax), Effect.ignore)
  // First, so that it comes last: by then nothing else makes a bundle.
  yield* Effect.addFinalizer(() => closeLast)

  const { batch, commit } = queue.state()
  // It archives the log of its own node, of which there is no batch that could not be believed.
  const batchesFrom = (from: number, how?: Parameters<typeof scheduler.batches>[1]) =>
    Stream.orDie(scheduler.batches(from, how))
  // Before anything can be asked of this unit: the lease is not given as long as it is not known how old the oldest is.
  if ((yield* scheduler.nextBatch) > batch && assigned() === undefined)
    yield* Stream.runForEach(Stream.take(batchesFrom(batch), 1), (first) =>
      Effect.sync(() => lease.unconfirmed(assignedAt(first))),
    )
  else tellLease()
  const followBatches = Stream.runForEach(
    batchesFrom(batch, { behind: true }),
    gather((one: CommittedBatch, now) => gatherer.batch(one, now)),
  )
  const followCommits = Stream.runForEach(
    compute.commits(commit, { behind: true }),
    gather((one: Committed, now) => gatherer.commit(one, now)),
  )
  for (const work of [
    followBatches,
    followCommits,
    Effect.forever(bundling),
    Effect.andThen(begin, Effect.forever(sending)),
  ])
    yield* Effect.forkScoped(work)

  const waiting = (row: ArchiveQueue.Row): Waiting => {
    const { number, bundle, bytes, state, transfer, since: at } = row
    const { sent = state === "sent" ? (transfer?.bytes ?? 0) : 0, total = transfer?.bytes ?? 0 } =
      (transfer && progress.get(transfer.id)) ?? {}
    return {
      number,
      bundle,
      bytes,
      state,
      transfer: transfer?.id,
      cost: transfer?.cost,
      sent,
      total,
      since: at,
    }
  }

  const status = Effect.gen(function* () {
    const { batch: bundledBatch, commit: bundledCommit, spent, bundles, bytes } = queue.state()
    const open = queue.open()
    const newest = queue.newest()
    const oldest = open[0]?.oldest ?? gatherer.since
    const now: Status = {
      archive: archive.name,
      batches: {
        made: yield* scheduler.nextBatch,
        bundled: bundledBatch,
        confirmed: newest?.batch ?? 0,
      },
      turns: { made: yield* compute.nextCommit, bundled: bundledCommit, confirmed: newest?.commit ?? 0 },
      waiting: open.map(waiting),
      bundles,
      bytes,
      spent,
      spendingLimit,
      behindMs: oldest === undefined ? 0 : Math.max(0, (yield* Clock.currentTimeMillis) - oldest),
      problem: problems.get("sending") ?? problems.get("bundling"),
    }
    return now
  })

  const counting = <A, E, R>(count: (by: 1 | -1) => void, effect: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => count(1)),
      () => effect,
      () => Effect.sync(() => count(-1)),
    )

  const flush = Effect.gen(function* () {
    const [made, done] = [yield* scheduler.nextBatch, yield* compute.nextCommit]
    const isReached = (batch: number, commit: number) => batch >= made && commit >= done
    const isBundled = () => isReached(queue.state().batch, queue.state().commit)
    const isGathered = () => {
      const { batches, commits } = gatherer.all
      return isReached(queue.state().batch + batches.length, queue.state().commit + commits.length)
    }
    // One bundle with all of it, where it fits into one: of each something is paid.
    yield* until(() => isGathered() || isBundled() || gatherer.isFull)
    yield* counting((by) => gatherer.want(by), until(isBundled))
    const last = queue.state().next
    yield* Queue.offer(closed, undefined) // it may sleep for longer than one who waits should
    yield* until(() => queue.open().every(({ number }) => number >= last))
  }).pipe((all) => counting((by) => void (waitedFor += by), all))

  return ArchiveUnit.of({
    status,
    anchor: (process) => Effect.sync(() => queue.anchor(process)),
    cost: (process) =>
      Effect.flatMap(ArchiveCost.measure(scheduler, process), (measured) =>
        Effect.map(archive.price(measured.bytes), (winston) => ({ ...measured, winston })),
      ),
    flush,
  })
})

export const layer = (options: Options) => Layer.effect(ArchiveUnit, make(options))

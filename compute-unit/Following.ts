/**
 * Following: what a compute unit takes from its scheduler: first what was assigned while it was away, then each batch. Where
 * the scheduler is another's, nothing is made of what it says before it is held against all that it said before.
 */
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Address from "../runtime/Address.ts"
import * as Backoff from "../runtime/Backoff.ts"
import type * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type { Store } from "../runtime/Store.ts"
import {
  type CommittedBatch,
  type LogEntry,
  LogUnknown,
  type ProcessHead,
  type SchedulerUnit,
} from "../scheduler-unit/SchedulerUnit.ts"
import type { Group } from "./Followed.ts"
import * as Run from "./Run.ts"
import * as Sightings from "./Sightings.ts"

export interface Options {
  readonly store: Store["Service"]
  readonly scheduler: SchedulerUnit["Service"]
  /** Unset where the scheduler is the unit's own node. */
  readonly sightings: Sightings.Sightings | undefined
  /** First slot that is not computed. */
  readonly nextSlotOf: (process: Id.ProcessId) => number
  /** First slot that was not taken. */
  readonly expected: (process: Id.ProcessId) => number
  readonly enqueue: (groups: ReadonlyArray<Group>) => Effect.Effect<void>
  /** Closed while as much waits as may. */
  readonly room: Latch.Latch
  readonly park: (process: Id.ProcessId, why: string) => Effect.Effect<void>
}

/** Runs for as long as its scope lives. */
export const make = Effect.fnUntraced(function* (options: Options) {
  const { store, scheduler, sightings, nextSlotOf, expected, enqueue, room, park } = options

  /** Writes down what was signed, and parks what it contradicts; the entries wait for it. */
  const sight = Effect.fnUntraced(function* (receipts: ReadonlyArray<Batch.Receipt>) {
    if (sightings === undefined) return
    const { puts, found } = sightings.sight(receipts)
    if (puts.length > 0)
      yield* store.commit(puts).pipe(
        Effect.tapError(({ message }) => Effect.logWarning(`what was signed is not kept yet: ${message}`)),
        Effect.retry(Backoff.forever),
        Effect.orDie,
      )
    for (const { process, equivocation } of found) yield* park(process, Sightings.reason(equivocation))
  })

  /**
   * Whose signature stands over each entry of a page: the receipt of the last slot of a term speaks for all of that term
   * before it. The receipts of the page's ends are held against what was seen.
   */
  const signersOf = Effect.fnUntraced(function* (process: Id.ProcessId, page: ReadonlyArray<LogEntry>) {
    if (sightings === undefined) return () => undefined
    const ends = page.filter(({ assignment: { term } }, i) => page[i + 1]?.assignment.term !== term)
    const receipts = yield* Effect.forEach(ends, ({ assignment }) =>
      scheduler.receipt(process, assignment.slot),
    )
    // Who signed the first is known by then; where it has none, there is less to hold against what was seen.
    const first =
      page[0] === ends[0]
        ? Option.none()
        : yield* Effect.option(scheduler.receipt(process, page[0]!.assignment.slot))
    yield* sight([...Option.toArray(first), ...receipts])
    const other = ends.findIndex((end, i) => !Bytes.equal(end.assignment.head, receipts[i]!.assignment.head))
    if (other >= 0)
      yield* park(process, `slot ${ends[other]!.assignment.slot}: its receipt is of another head`)
    return ({ assignment: { slot } }: LogEntry) =>
      Address.of(receipts[ends.findIndex((end) => slot <= end.assignment.slot)]!.link.owner).text
  })

  /** Reads a log up to a slot that begins a batch. A page may cut a batch: its part waits for the rest. */
  const read = Effect.fnUntraced(function* (process: Id.ProcessId, first: number, nextSlot: number) {
    let rest: Group | undefined
    for (let from = first; from < nextSlot;) {
      const page = yield* scheduler.log(process, from, Limit.logPageMax)
      if (page.length === 0) return yield* new LogUnknown({ process, slot: from })
      const signerOf = yield* signersOf(process, page)
      from += page.length
      // What came since its end was asked comes again with its whole batch.
      const fresh = page.filter(({ assignment: { slot } }) => slot < nextSlot)
      const before: Group = rest ?? { entries: [], by: undefined }
      const groups = Run.groupsOf([...before.entries, ...fresh], (entry) =>
        entry === before.entries.at(-1) ? before.by : signerOf(entry),
      )
      rest = from < nextSlot ? groups.at(-1) : undefined
      yield* enqueue(rest === undefined ? groups : groups.slice(0, -1))
      yield* room.await
    }
  })
  /** One that is not there after all holds up no other. */
  const catchUp = (process: Id.ProcessId, first: number, nextSlot: number) =>
    Effect.catchTag(read(process, first, nextSlot), "LogUnknown", ({ message }) => Effect.logWarning(message))

  /** What was assigned and not computed when the node stopped. */
  const catchUpAll = Effect.flatMap(scheduler.processes, (heads) =>
    Effect.forEach(heads, ({ process, nextSlot }) => catchUp(process, nextSlotOf(process), nextSlot), {
      discard: true,
    }),
  )

  let nextBatch = yield* scheduler.nextBatch
  const take = Effect.fnUntraced(function* ({ link, entries }: CommittedBatch) {
    if (sightings !== undefined)
      yield* sight(
        Sightings.receiptsOf(
          link,
          entries.map(({ assignment }) => assignment),
        ),
      )
    const groups = Run.groupsOf(entries, () => (sightings === undefined ? undefined : scheduler.address))
    for (const group of groups) {
      const { process, slot } = group.entries[0]!.assignment
      const from = expected(process)
      // A process that came from another scheduler: of its slots before, no batch of this one has anything.
      if (from < slot) yield* catchUp(process, from, slot)
    }
    yield* enqueue(groups)
    nextBatch = link.number + 1
    yield* room.await
  })
  /** Batches and what was taken in come one at a time, so that what one of them brings begins where the other ended. */
  const oneAtATime = Semaphore.makeUnsafe(1)
  const takeGrown = (heads: ReadonlyArray<ProcessHead>) =>
    Effect.forEach(heads, ({ process, nextSlot }) => catchUp(process, expected(process), nextSlot), {
      discard: true,
    })
  const grown = Stream.runForEach(scheduler.grown, (heads) => oneAtATime.withPermits(1)(takeGrown(heads)))
  // Nothing follows a batch that can't be believed; whoever sent it may have been another than the scheduler.
  const newBatches = Effect.suspend(() =>
    Stream.runForEach(scheduler.batches(nextBatch), (batch) => oneAtATime.withPermits(1)(take(batch))),
  ).pipe(
    Effect.tapError((invalid) => Effect.logError(`${invalid.message}; it is asked for again`)),
    Effect.retry(Backoff.forever),
  )
  for (const { process, equivocation } of sightings?.equivocations() ?? [])
    yield* park(process, Sightings.reason(equivocation))
  yield* Effect.forkScoped(
    Effect.andThen(catchUpAll, Effect.all([newBatches, grown], { concurrency: 2, discard: true })),
  )
})

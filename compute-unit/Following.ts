/**
 * Following: what a compute unit takes from its scheduler: first what was assigned while it was away, then each batch. Where
 * the scheduler is another's, nothing is made of what it says before it is held against all that it said before.
 */
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Backoff from "../runtime/Backoff.ts"
import type * as Batch from "../runtime/Batch.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type { Store } from "../runtime/Store.ts"
import type { CommittedBatch, LogEntry, SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import * as Sightings from "./Sightings.ts"

export interface Options {
  readonly store: Store["Service"]
  readonly scheduler: SchedulerUnit["Service"]
  /** Unset where the scheduler is the unit's own node. */
  readonly sightings: Sightings.Sightings | undefined
  readonly nextSlotOf: (process: Id.ProcessId) => number
  /** Takes entries, by process and whole batches. */
  readonly enqueue: (entries: ReadonlyArray<LogEntry>) => Effect.Effect<void>
  /** Closed while as much waits as may. */
  readonly room: Latch.Latch
  readonly park: (process: Id.ProcessId, why: string) => Effect.Effect<void>
}

/** Runs for as long as its scope lives. */
export const make = Effect.fnUntraced(function* (options: Options) {
  const { store, scheduler, sightings, nextSlotOf, enqueue, room, park } = options

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

  /** A log that is read is held against what was seen by the receipts of its ends. */
  const sightPage = (process: Id.ProcessId, entries: ReadonlyArray<LogEntry>) => {
    const ends = new Set([entries.at(0), entries.at(-1)].map((entry) => entry?.assignment.slot))
    const slots = [...ends].filter((slot) => slot !== undefined)
    return sightings === undefined
      ? Effect.void
      : Effect.flatMap(
          // Of a slot that it shows and has no receipt of nothing can be proven.
          Effect.forEach(slots, (slot) => Effect.option(scheduler.receipt(process, slot))),
          (found) => sight(found.flatMap(Option.toArray)),
        )
  }

  /** What was assigned and not computed when the node stopped. A page may cut a batch: its part waits for the rest. */
  const catchUp = Effect.fnUntraced(function* (process: Id.ProcessId, nextSlot: number) {
    let rest: ReadonlyArray<LogEntry> = []
    for (let from = nextSlotOf(process); from < nextSlot;) {
      const page = yield* scheduler.log(process, from, Limit.logPageMax)
      yield* sightPage(process, page)
      const entries = [...rest, ...page]
      from += page.length
      const cut = from < nextSlot ? entries.at(-1)!.batch : undefined
      // What came since `processes` was asked comes again with its whole batch.
      yield* enqueue(entries.filter(({ assignment, batch }) => batch !== cut && assignment.slot < nextSlot))
      yield* room.await
      rest = entries.filter(({ batch }) => batch === cut)
    }
  })
  const catchUpAll = Effect.flatMap(scheduler.processes, (heads) =>
    Effect.forEach(
      heads,
      ({ process, nextSlot }) =>
        // One that is not there after all holds up no other.
        Effect.catchTag(catchUp(process, nextSlot), "LogUnknown", ({ message }) =>
          Effect.logWarning(message),
        ),
      { discard: true },
    ),
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
    yield* enqueue(entries)
    nextBatch = link.number + 1
    yield* room.await
  })
  // Nothing follows a batch that can't be believed; whoever sent it may have been another than the scheduler.
  const newBatches = Effect.suspend(() => Stream.runForEach(scheduler.batches(nextBatch), take)).pipe(
    Effect.tapError((invalid) => Effect.logError(`${invalid.message}; it is asked for again`)),
    Effect.retry(Backoff.forever),
  )
  for (const { process, equivocation } of sightings?.equivocations() ?? [])
    yield* park(process, Sightings.reason(equivocation))
  yield* Effect.forkScoped(Effect.andThen(catchUpAll, newBatches))
})

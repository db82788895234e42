/**
 * Adopter: reads on in the logs of processes that another scheduler gives the slots of, and takes them in once all of them
 * is verified: chain, admission, and whose each slot was to give. So the scheduler that a process is handed over to knows
 * its log, and the units of the one that handed it over go on computing and delivering.
 *
 *     P is handed over from A to B:   at B: reads A until the hand-over, then gives the next slot
 *                                     at A: gives the hand-over, then reads B
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as AuditFinding from "../compute-unit/AuditFinding.ts"
import * as Follower from "../compute-unit/Follower.ts"
import { Verifier } from "../identity/Verifier.ts"
import * as Address from "../runtime/Address.ts"
import type { Refused } from "../runtime/Admission.ts"
import * as Backoff from "../runtime/Backoff.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as DataReference from "../runtime/DataReference.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"
import { Store, type StoreFailed } from "../runtime/Store.ts"
import { AssignmentLog, type Foreign } from "../scheduler-unit/AssignmentLog.ts"
import { Schedulers } from "../scheduler-unit/Schedulers.ts"
import type { CommittedBatch, LogUnknown, Receipted, SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import { SchedulerOfNode } from "../scheduler-unit/SchedulerUnitLocal.ts"

/** A log that can't be believed from a slot on; what stood before is taken in. Nothing more of it is read. */
export class LogRefused extends Data.TaggedError("LogRefused")<{
  readonly process: Id.ProcessId
  readonly scheduler: Id.Address
  readonly slot: number
  readonly detail: string
}> {
  override get message(): string {
    return `the log of ${this.process} at scheduler ${this.scheduler}, slot ${this.slot}: ${this.detail}; it is read no further`
  }
}

/** What a slot needs is not to be had from the scheduler that gave it. */
class Lacking extends Data.TaggedError("Lacking")<{ readonly what: string }> {
  override get message(): string {
    return `${this.what} is not to be had`
  }
}

export class Adopter extends Context.Service<
  Adopter,
  {
    /** Reads a process at the scheduler of an address, and from there on wherever it goes, for as long as the node lives. */
    readonly read: (process: Id.ProcessId, at: Id.Address) => Effect.Effect<void>
  }
>()("heddle/Adopter") {}

type Service = SchedulerUnit["Service"]

/** Goes on with all processes that are here and whose next slot is another's to give, and with each that is handed over. */
export const make = Effect.gen(function* () {
  const { unit: own, adopt } = yield* SchedulerOfNode
  const store = yield* Store
  const log = yield* AssignmentLog
  const verifier = yield* Verifier
  const schedulers = yield* Schedulers
  const reading = yield* FiberMap.make<Id.ProcessId>()

  const needModule = Effect.fnUntraced(function* (from: Service, id: Id.Id) {
    if (Module.get(store, id) !== undefined) return
    const source = yield* from.module(id)
    if (source === undefined) return yield* new Lacking({ what: `module ${id}` })
    yield* store.commit([Module.put(source)])
  })
  const needData = Effect.fnUntraced(function* (
    from: Service,
    { hash, length }: DataReference.DataReference,
  ) {
    if ((yield* own.data(hash))?.length === length) return
    const bytes = yield* from.data(hash)
    if (bytes === undefined) return yield* new Lacking({ what: `what has hash ${hash}` })
    yield* own.addData(bytes)
  })

  /** Slots that follow what is here: all of them, or where one does not hold, none. */
  const takeIn = Effect.fnUntraced(function* (
    from: Service,
    process: Id.ProcessId,
    page: ReadonlyArray<Receipted>,
  ) {
    const refuse = (slot: number, detail: string) =>
      new LogRefused({ process, scheduler: from.address, slot, detail })
    const examined = yield* AuditFinding.ofChain(
      Follower.examine(
        () => verifier,
        process,
        log.state(process),
        page.map(({ entry }) => entry),
        (key) => log.seen(process, key),
      ),
    ).pipe(Effect.catchTag("LogUnfit", ({ slot, detail }) => Effect.fail(refuse(slot, detail))))
    const slots: Array<Foreign> = []
    for (const [i, { entry, receipt }] of page.entries()) {
      const { givenBy, seen, log: after } = examined[i]!
      const by = Address.of(receipt.link.owner).text
      if (after.process === undefined)
        return yield* refuse(entry.assignment.slot, "its spawn is not admissible")
      if (by !== givenBy)
        return yield* refuse(entry.assignment.slot, `it is signed by ${by}, and was ${givenBy}'s to give`)
      const { link, path } = receipt
      const contentHash = seen?.contentHash ?? Bytes.empty
      slots.push({ ...entry, link, path, repeatKey: seen?.key, contentHash })
    }
    const first = examined[0]!
    const spawned = first.entry.slot === 0 ? [first.log.process!.module] : []
    const upgraded = examined.flatMap(({ entry }) => entry.upgrade?.module ?? [])
    yield* Effect.forEach(new Set([...spawned, ...upgraded]), (id) => needModule(from, id), { discard: true })
    const references = examined.flatMap(({ entry }) => entry.data ?? [])
    yield* Effect.forEach(references, (one) => needData(from, one), { discard: true })
    yield* adopt({ slots, states: new Map([[process, examined.at(-1)!.log]]) }, references)
  })

  /** As far as they hold. */
  const takeInSome = (from: Service, process: Id.ProcessId, page: ReadonlyArray<Receipted>) =>
    Effect.catchTag(takeIn(from, process, page), "LogRefused", (refused) =>
      page.length === 1
        ? Effect.fail(refused)
        : Effect.forEach(page, (one) => takeIn(from, process, [one]), { discard: true }),
    )

  const isAt = (process: Id.ProcessId, { address }: Service): boolean => {
    const { scheduler } = log.state(process)
    return scheduler === undefined || scheduler === address
  }

  /** Reads on until another schedules the process. */
  const readAt = (from: Service, process: Id.ProcessId) =>
    Effect.gen(function* () {
      const queue = yield* Queue.bounded<Receipted>(Limit.answerPageMax)
      const fill = Stream.runForEach(from.slots(process, log.state(process).nextSlot), (one) =>
        Queue.offer(queue, one),
      )
      const drain = Effect.gen(function* () {
        while (isAt(process, from)) yield* takeInSome(from, process, yield* Queue.takeAll(queue))
      })
      yield* Effect.raceFirst(fill, drain)
    })

  const read = (process: Id.ProcessId, at: Id.Address) =>
    Effect.gen(function* () {
      for (;;) {
        const { scheduler = at } = log.state(process)
        const from = scheduler === own.address ? undefined : schedulers.at(scheduler)
        if (from === undefined) return
        yield* readAt(from, process).pipe(
          Effect.tapError((error: Refused | StoreFailed | LogUnknown | Lacking | LogRefused) =>
            Effect.logWarning(`process ${process} is read again: ${error.message}`),
          ),
          Effect.retry({ schedule: Backoff.forever, while: (error) => error._tag !== "LogRefused" }),
        )
      }
    }).pipe(Effect.catchTag("LogRefused", ({ message }) => Effect.logError(message)))

  const begin = (process: Id.ProcessId, at: Id.Address) =>
    Effect.asVoid(FiberMap.run(reading, process, read(process, at), { onlyIfMissing: true }))

  for (const { process, scheduler } of log.elsewhere(own.address)) yield* begin(process, scheduler)
  const nextBatch = yield* own.nextBatch
  const handedOver = ({ entries }: CommittedBatch) =>
    Effect.forEach(
      new Set(entries.map(({ assignment }) => assignment.process)),
      (process) => {
        const { scheduler } = log.state(process)
        return scheduler === undefined || scheduler === own.address ? Effect.void : begin(process, scheduler)
      },
      { discard: true },
    )
  yield* Effect.forkScoped(
    Effect.ignore(Stream.runForEach(own.batches(nextBatch, { behind: true }), handedOver)),
  )

  return Adopter.of({ read: begin })
})

export const layer = Layer.effect(Adopter, make)

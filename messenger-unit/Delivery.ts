/**
 * Delivery: carries what processes emit to the schedulers of their targets: at least once on the wire, exactly once in
 * effect, in order per pair (spec 05 §3).
 *
 * The compute unit's releases are the outbox: durable before anything is sent. A cursor says which releases are done
 * with; parcels that can't go yet are kept in a table of their own, so one that waits holds up only its own lane.
 * After a crash some releases are gone through again: their parcels then get the slots they already have.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { ComputeUnit, type Emitted } from "../compute-unit/ComputeUnit.ts"
import type { Reason } from "../runtime/Admission.ts"
import * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import { Store } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"
import { type Accepted, SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import type { OutboxPlace, Undelivered } from "./MessengerUnit.ts"

/** An entry on its way, as it is kept. */
interface Kept extends Emitted {
  readonly target: Id.ProcessId
  readonly release: number
  /** ms since 1970 when this messenger took it. */
  readonly since: number
}

interface Parcel {
  readonly entry: Kept
  /** Whether the table holds it, so that the cursor may pass it. */
  kept: boolean
  /** Whether nothing is left to do about it. */
  delivered: boolean
  /** The message for which it stands, where it is a void that came while that waited. */
  instead?: Parcel
}

/** Parcels of one source to one target, one at a time: the order of the pair. A timer has a lane of its own. */
interface Lane {
  readonly name: string
  readonly target: Id.ProcessId
  /** Those that are kept stand before those that are not: kept alone, a later one would come back first. */
  readonly parcels: Array<Parcel>
  /** Set while the lane waits: why, and what wakes it. */
  waiting: { readonly reason: string; readonly woken: Deferred.Deferred<void> } | undefined
  /** Whether the target was spawned, or the first parcel is another one, since one was sent last. */
  news: boolean
}

const table = Table.make<[source: Uint8Array, slot: number, index: number], Kept>("undelivered")
const cursor = Table.make<[], number>("delivery-cursor")

const key = ({ source, slot, index }: Emitted): [Uint8Array, number, number] => [
  Id.toBytes(source),
  slot,
  index,
]

/** Where an entry goes. A spawn goes the way of messages to the child, so that it is there before them. */
const targetOf = ({ entry }: Emitted): Id.ProcessId => {
  const item = Result.getOrThrow(Item.decode(entry.item))
  return entry.kind === "spawn" ? item.id : Id.fromBytes(item.target)
}

const laneName = ({ source, slot, index, target, entry }: Kept): string =>
  entry.kind === "timer" ? `${source} ${slot} ${index}` : `${source} ${target}`

const weight = ({ entry, proof }: Emitted): number => entry.item.length + proof.length

/** Refusals that pass by themselves; after any other, only a change at the target helps. */
const passing: ReadonlySet<Reason> = new Set([
  "over rate",
  "overloaded",
  "not anchored",
  "store failed",
  "stopping",
  "timer early",
  "data unavailable",
])

/** What a void stands for, with what that stood for. */
const insteadOf = ({ instead }: Parcel): ReadonlyArray<Parcel> =>
  instead === undefined ? [] : [instead, ...insteadOf(instead)]

/**
 * Puts a parcel into its lane: at the end, but a void where its number belongs, in the place of the message that it
 * stands for. So it does not matter in which order they come back after a crash.
 */
const place = (parcels: Array<Parcel>, parcel: Parcel): void => {
  const { kind, pair } = parcel.entry.entry
  const at = kind === "void" ? parcels.findIndex(({ entry }) => entry.entry.pair >= pair) : -1
  if (at < 0) return void parcels.push(parcel)
  const there = parcels[at]!
  const isOf = there.entry.entry.pair === pair
  if (isOf) parcel.instead = there
  parcels.splice(at, isOf ? 1 : 0, parcel)
}

export interface Delivery {
  /** Tells that a message was given its slot: where that made a process, what waits for it goes. */
  readonly arrived: (accepted: Accepted) => void
  readonly undelivered: Effect.Effect<ReadonlyArray<Undelivered>>
  /** One that is not delivered, with its proof. */
  readonly entry: (place: OutboxPlace) => Effect.Effect<Emitted | undefined>
}

export const make = Effect.gen(function* () {
  const store = yield* Store
  const scheduler = yield* SchedulerUnit
  const compute = yield* ComputeUnit
  const scope = yield* Effect.scope
  const inFlight = yield* Semaphore.make(Limit.deliveriesInFlightMax)
  const lanes = new Map<string, Lane>()
  /** Parcels of each release that are neither delivered nor kept; releases in ascending order. */
  const open = new Map<number, number>()
  let received = cursor.get(store) ?? 0
  let unwritten = 0

  const cursorPut = () => {
    unwritten = 0
    const oldest: number | undefined = open.keys().next().value
    return cursor.put([], oldest ?? received)
  }
  const settle = ({ release }: Kept) => {
    const left = (open.get(release) ?? 1) - 1
    if (left > 0) open.set(release, left)
    else open.delete(release)
  }

  /**
   * Puts what a lane has into the table, in order, after which the cursor may pass it. A store that is full leaves it
   * to the cursor.
   */
  const keep = (lane: Lane): Effect.Effect<void> =>
    Effect.suspend(() => {
      const after = lane.parcels.findLastIndex(({ kept, delivered }) => kept || delivered) + 1
      const loose = lane.parcels.filter(
        ({ entry, kept, delivered }, i) => i >= after || (entry.entry.kind === "void" && !kept && !delivered),
      )
      let bytes = 0
      const some = loose.filter(({ entry }) => (bytes += weight(entry)) <= Limit.batchBytesMax)
      if (some.length === 0) return Effect.void
      const kept = Effect.suspend(() => {
        for (const parcel of some) {
          if (!parcel.kept && !parcel.delivered) settle(parcel.entry)
          parcel.kept = true
        }
        const late = some.filter(({ delivered }) => delivered)
        const rest = late.length === 0 ? keep(lane) : Effect.void
        return Effect.andThen(remove([...late, ...some.flatMap(insteadOf).filter(finish)]), rest)
      })
      return Effect.ignore(
        Effect.andThen(store.commit(some.map(({ entry }) => table.put(key(entry), entry))), kept),
      )
    })

  const remove = (parcels: ReadonlyArray<Parcel>) =>
    parcels.length === 0
      ? Effect.void
      : Effect.ignore(store.commit(parcels.map(({ entry }) => table.remove(key(entry)))))

  /** Notes that nothing is left to do about a parcel; says whether the table still has it. */
  const finish = (parcel: Parcel): boolean => {
    if (parcel.delivered) return false
    parcel.delivered = true
    if (!parcel.kept) settle(parcel.entry)
    return parcel.kept
  }

  const delivered = (parcel: Parcel) =>
    Effect.suspend(() => {
      const there = [parcel, ...insteadOf(parcel)].filter(finish)
      if (there.length > 0) return remove(there)
      return ++unwritten < Limit.deliveriesPerCursorMax
        ? Effect.void
        : Effect.ignore(store.commit([cursorPut()]))
    })

  const wait = Effect.fnUntraced(function* (lane: Lane, reason: string, ms: number | undefined) {
    const woken = Deferred.makeUnsafe<void>()
    lane.waiting = { reason, woken }
    yield* keep(lane)
    if (!lane.news)
      yield* ms === undefined ? Deferred.await(woken) : Effect.race(Deferred.await(woken), Effect.sleep(ms))
    lane.waiting = undefined
  })

  /** Delivers the first parcel of a lane, however long it takes, unless another takes its place there. */
  const deliver = Effect.fnUntraced(function* (lane: Lane, parcel: Parcel) {
    const { entry, proof } = parcel.entry
    for (let tries = 0; lane.parcels[0] === parcel; tries++) {
      const early = entry.due - (yield* Clock.currentTimeMillis)
      lane.news = false
      if (early > 0) yield* wait(lane, "not due yet", early)
      const sent = yield* Effect.result(inFlight.withPermits(1)(scheduler.submit(entry.item, proof)))
      if (Result.isSuccess(sent)) {
        arrived(sent.success)
        return yield* delivered(parcel)
      }
      const { reason, message, retryMs = 0 } = sent.failure
      const backOff = Math.min(Limit.deliveryRetryMsMin * 2 ** tries, Limit.deliveryRetryMsMax)
      yield* wait(lane, message, passing.has(reason) ? Math.max(backOff, retryMs) : undefined)
    }
  })

  const drain = Effect.fnUntraced(function* (lane: Lane) {
    while (lane.parcels.length > 0) {
      const parcel = lane.parcels[0]!
      yield* deliver(lane, parcel)
      const at = parcel.delivered ? lane.parcels.indexOf(parcel) : -1
      if (at >= 0) lane.parcels.splice(at, 1)
    }
    lanes.delete(lane.name)
  })

  const take = (parcel: Parcel) =>
    Effect.suspend((): Effect.Effect<unknown> => {
      const name = laneName(parcel.entry)
      const lane = lanes.get(name)
      if (lane !== undefined) {
        place(lane.parcels, parcel)
        if (lane.parcels[0] === parcel) wake(lane)
        return lane.waiting === undefined ? Effect.void : keep(lane)
      }
      const { target } = parcel.entry
      const made: Lane = { name, target, parcels: [parcel], waiting: undefined, news: false }
      lanes.set(name, made)
      return Effect.forkIn(drain(made), scope)
    })

  const wake = (lane: Lane) => {
    lane.news = true
    if (lane.waiting !== undefined) Deferred.doneUnsafe(lane.waiting.woken, Effect.void)
  }

  const arrived = ({ process, slot }: Accepted) => {
    if (slot !== 0) return
    for (const lane of lanes.values()) if (lane.target === process) wake(lane)
  }

  const receive = Effect.fnUntraced(function* (emitted: ReadonlyArray<Emitted>, release: number) {
    const since = yield* Clock.currentTimeMillis
    const fresh = emitted.filter((one) => table.get(store, ...key(one)) === undefined)
    if (fresh.length > 0) open.set(release, fresh.length)
    received = release + 1 // only now: a cursor may be written at any time, and must not pass what is open
    for (const one of fresh)
      yield* take({ entry: { ...one, target: targetOf(one), release, since }, kept: false, delivered: false })
  })

  const first = received
  for (const entry of table.list(store, [])) yield* take({ entry, kept: true, delivered: false })
  yield* Effect.forkScoped(
    Stream.runForEach(compute.releases(first), ({ emitted, number }) => receive(emitted, number)),
  )
  yield* Effect.addFinalizer(() => Effect.ignore(store.commit([cursorPut()])))

  const delivery: Delivery = {
    arrived,
    undelivered: Effect.sync(() =>
      [...lanes.values()].flatMap(({ parcels, waiting }) =>
        parcels.map(({ entry: { source, slot, index, target, since, entry } }): Undelivered => {
          const reason = waiting?.reason ?? "on its way"
          return { source, slot, index, target, kind: entry.kind, due: entry.due, reason, since }
        }),
      ),
    ),
    entry: ({ source, slot, index }) =>
      Effect.sync(() => {
        const all = [...lanes.values()].flatMap(({ parcels }) => parcels)
        return all.find(({ entry: one }) => one.source === source && one.slot === slot && one.index === index)
          ?.entry
      }),
  }
  return delivery
})

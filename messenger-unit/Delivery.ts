/**
 * Delivery: carries what processes emit to the schedulers of their targets, and to the inboxes of persons: at least once
 * on the wire, exactly once in effect, in order per pair (spec 05 §3).
 *
 * The compute unit's releases are the outbox: durable before anything is sent. A cursor says which releases are done
 * with; parcels that can't go yet are kept in the store, so one that waits holds up only its own lane. What is in memory
 * is bounded: of a lane that waits only why it does, and of lanes for which there is no place nothing.
 * After a crash some releases are gone through again: their parcels then get the slots they already have.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { ComputeUnit, type Emitted } from "../compute-unit/ComputeUnit.ts"
import * as Admission from "../runtime/Admission.ts"
import * as Backoff from "../runtime/Backoff.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import { Store } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"
import { type Accepted, SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import type { Inbox } from "./Inbox.ts"
import { type Bounds, type Carried, oneCommit } from "./Lane.ts"
import { Lanes, type Open } from "./Lanes.ts"
import { EntryUnknown, type OutboxPlace, type Retried, type Undelivered } from "./MessengerUnit.ts"
import * as OutboxList from "./OutboxList.ts"
import * as Parcels from "./Parcels.ts"

/** Why an entry did not go, and the ms until it is tried again where time alone can help. */
interface Refusal {
  readonly reason: string
  readonly ms: number | undefined
}

const cursor = Table.make<[], number>("delivery-cursor")

export interface Delivery {
  /** Tells that a message was given its slot: where that made a process, what waits for it goes. */
  readonly arrived: (accepted: Accepted) => void
  /** Tells whose key is known now, which is only asked where anything waits: what waits for that person goes. */
  readonly met: (person: () => Id.Address) => void
  readonly undelivered: Effect.Effect<ReadonlyArray<Undelivered>>
  /** One that is not delivered, with its proof. */
  readonly entry: (place: OutboxPlace) => Effect.Effect<Emitted | undefined>
  /** Tries at once what waits, or the lane of one entry. */
  readonly retry: (entry: OutboxPlace | undefined) => Effect.Effect<Retried, EntryUnknown>
}

export const make = Effect.fnUntraced(function* (inbox: Inbox, bounds?: Bounds) {
  const store = yield* Store
  const scheduler = yield* SchedulerUnit
  const compute = yield* ComputeUnit
  const scope = yield* Effect.scope
  const inFlight = yield* Semaphore.make(Limit.deliveriesInFlightMax)
  const lanes = new Lanes(store, bounds)
  /** Targets whose lanes are to be opened; all lanes where one is unset. */
  const wanted = new Set<Id.Id | undefined>()
  const wantedNews = yield* Queue.sliding<void>(1)
  /** Those that no lane has and the store does not have yet. */
  const straying = new Set<Carried>()
  /** Names of those that are delivered, and not out of the store yet. */
  const leaving = new Set<string>()
  const where = { store, lanes, straying }
  /** The last timer that was opened, and what stirs those that are not due. */
  let rung: Parcels.Line | undefined
  let stirred = Deferred.makeUnsafe<void>()
  /** Parcels of each release that are neither delivered nor kept; releases in ascending order. */
  const open = new Map<number, number>()
  let received = cursor.get(store) ?? 0
  let unwritten = 0

  const cursorPut = () => {
    unwritten = 0
    const oldest: number | undefined = open.keys().next().value
    return cursor.put([], oldest ?? received)
  }
  const settle = ({ release }: Carried) => {
    if (release === undefined) return
    const left = (open.get(release) ?? 1) - 1
    if (left > 0) open.set(release, left)
    else open.delete(release)
  }

  /**
   * Puts what a lane has into the store, in order, after which the cursor may pass it. A store that is full leaves it
   * to the cursor.
   */
  const keep = (one: Open): Effect.Effect<void> =>
    Effect.suspend(() => {
      const some = one.lane.loose()
      if (some.length === 0) return Effect.sync(() => lanes.rest(one))
      const kept = Effect.suspend(() => {
        for (const carried of some) {
          if (!carried.kept && !carried.delivered) settle(carried)
          carried.kept = true
        }
        const late = some.filter(({ delivered }) => delivered)
        return late.length === 0 ? keep(one) : Effect.asVoid(Effect.forkIn(remove(late), scope))
      })
      const puts = some.flatMap(({ parcel }) => Parcels.put(parcel))
      return Effect.ignore(Effect.andThen(store.commit(puts), kept))
    })

  /** Takes out what is delivered, as soon as the store can. */
  const remove = Effect.fnUntraced(function* (carried: ReadonlyArray<Carried>) {
    const names = carried.map(({ parcel }) => Parcels.nameOf(parcel))
    for (const name of names) leaving.add(name)
    const puts = carried.flatMap(({ parcel }) => Parcels.remove(parcel))
    for (let failures = 1; Result.isFailure(yield* Effect.result(store.commit(puts))); failures++)
      yield* Backoff.pause(failures)
    for (const name of names) leaving.delete(name)
  })

  /** Brings a lane down to what it may have in memory; where the store does not take it, what comes has to wait. */
  const bound = Effect.fnUntraced(function* (one: Open) {
    for (let failures = 1; ; failures++) {
      yield* keep(one)
      if (!one.lane.isStuck) return
      yield* Backoff.pause(failures)
    }
  })

  const wait = Effect.fnUntraced(function* (one: Open, { reason, ms }: Refusal) {
    const woken = Deferred.makeUnsafe<void>()
    const next = ms === undefined ? undefined : (yield* Clock.currentTimeMillis) + ms
    one.waiting = { reason, next, woken }
    yield* keep(one)
    if (!one.news)
      yield* ms === undefined ? Deferred.await(woken) : Effect.race(Deferred.await(woken), Effect.sleep(ms))
    one.waiting = undefined
  })

  /** Tries to deliver the first entry of a lane. */
  const attempt = Effect.fnUntraced(function* (one: Open, carried: Carried) {
    const { item, proof, kind, due, target } = carried.parcel
    const early = due - (yield* Clock.currentTimeMillis)
    one.news = false
    if (early > 0) return { reason: "not due yet", ms: early }
    one.attempts++
    if (!one.isPerson) {
      const sent = yield* Effect.result(inFlight.withPermits(1)(scheduler.submit(item, proof)))
      if (Result.isSuccess(sent)) {
        arrived(sent.success)
        return yield* delivered(carried, false)
      }
      const { message, reason, retryMs = 0 } = sent.failure
      one.isPerson = reason === "unknown process" && Parcels.isSaid(kind) && (yield* inbox.isPerson(target))
      const ms =
        Admission.passing.has(reason) || sent.failure.retryMs !== undefined
          ? Math.max(yield* Backoff.jittered(one.attempts), retryMs)
          : undefined
      if (!one.isPerson) return { reason: message, ms }
    }
    if (kind === "void") return yield* delivered(carried, false) // a letter that is given up is no letter
    const isRemoved = carried.kept // by the commit that puts it there
    const removal = isRemoved ? Parcels.remove(carried.parcel) : []
    const put = yield* Effect.result(inFlight.withPermits(1)(inbox.add(carried.parcel, removal)))
    if (Result.isSuccess(put)) return yield* delivered(carried, isRemoved)
    const { _tag, message } = put.failure
    return { reason: message, ms: _tag === "InboxFull" ? undefined : yield* Backoff.jittered(one.attempts) }
  })

  const delivered = Effect.fnUntraced(function* (carried: Carried, isRemoved: boolean) {
    carried.delivered = true
    if (carried.kept) {
      if (!isRemoved) yield* remove([carried])
      return undefined
    }
    settle(carried)
    if (++unwritten >= Limit.deliveriesPerCursorMax) yield* Effect.ignore(store.commit([cursorPut()]))
    return undefined
  })

  const drain = Effect.fnUntraced(function* (one: Open) {
    for (;;) {
      const carried = one.lane.first()
      if (carried === undefined) return lanes.close(one)
      const { kind, pair } = carried.parcel
      const isVoided = Parcels.isSaid(kind) && pair === one.voided
      const refusal: Refusal | undefined = yield* isVoided ? delivered(carried, false) : attempt(one, carried)
      const { tried } = one
      if (tried !== undefined) {
        one.tried = undefined
        Deferred.doneUnsafe(tried, Effect.succeed(refusal === undefined ? "delivered" : "refused"))
      }
      if (refusal === undefined) {
        if (kind === "void") one.voided = pair
        one.lane.shift(carried)
        one.attempts = 0
      } else yield* wait(one, refusal)
      if (one.isEvicted) return
    }
  })

  const start = (one: Open) => Effect.forkIn(drain(one), scope)

  /** Opens a lane that the store has, or wakes it where it is open. */
  const reopen = (of: Parcels.Lane) =>
    Effect.suspend((): Effect.Effect<unknown> => {
      const one = lanes.get(of.name)
      return one === undefined ? start(lanes.begin(of, true)) : Effect.sync(() => lanes.wake(one))
    })

  /** Tells all that wait for a target. */
  const tell = (target: Id.Id) => {
    for (const one of lanes.to(target)) lanes.wake(one)
    if (lanes.hasClosed && Parcels.laneBehind(store, target) !== undefined) want(target)
  }
  const arrived = ({ process, slot }: Accepted) => {
    if (slot === 0) tell(process)
  }

  const want = (target: Id.Id | undefined) => {
    const all = target === undefined || wanted.size >= Limit.lanesMax
    if (all) wanted.clear()
    if (!wanted.has(undefined)) wanted.add(all ? undefined : target)
    Queue.offerUnsafe(wantedNews, undefined)
  }

  /** Opens the lanes that the store has and nobody works on, as there is place: those to one target, or all. */
  const sweep = Effect.fnUntraced(function* (target: Id.Id | undefined) {
    const all = target === undefined ? lanes.openAll() : undefined
    for (let at = Parcels.laneBehind(store, target); at !== undefined;) {
      if (lanes.get(at.name) === undefined) {
        yield* lanes.place
        yield* reopen(at)
      }
      at = Parcels.laneBehind(store, target, at)
    }
    all?.done()
  })
  const sweepWanted = Effect.gen(function* () {
    for (const target of wanted) {
      wanted.delete(target)
      yield* sweep(target)
    }
  })

  const stir = () => {
    const waiting = stirred
    stirred = Deferred.makeUnsafe<void>()
    Deferred.doneUnsafe(waiting, Effect.void)
  }
  /** Opens the next timer that the store has, once it is due. */
  const ring = Effect.gen(function* () {
    const news = Deferred.await(stirred)
    const line = Parcels.timerBehind(store, rung)
    if (line === undefined) return yield* news
    const early = line.due - (yield* Clock.currentTimeMillis)
    if (early > 0) return yield* Effect.race(news, Effect.sleep(early))
    rung = line
    yield* lanes.place
    yield* reopen(Parcels.laneOf(line))
  })

  const takeUp = (carried: Carried) =>
    Effect.suspend(() => {
      const one = lanes.begin(Parcels.laneOf(carried.parcel), false)
      one.lane.push(carried)
      straying.delete(carried)
      return start(one)
    })

  /** Keeps what nobody works on yet: timers that are not due, voids, and lanes for which there is no place. */
  const stow = Effect.fnUntraced(function* (strays: ReadonlyArray<Carried>) {
    let left = strays
    for (const carried of strays) straying.add(carried)
    for (let failures = 0; left.length > 0;) {
      const some = oneCommit(left)
      for (const { parcel } of some) if (parcel.kind === "void") yield* keepOf(parcel)
      const puts = some.flatMap(({ parcel }) => Parcels.putInPlace(store, parcel, some))
      if (Result.isSuccess(yield* Effect.result(store.commit(puts)))) {
        some.forEach(stowed)
        left = left.slice(some.length)
        continue
      }
      // A timer can wait in memory while there is a place: what comes after it is not to wait for the store.
      const rest: Array<Carried> = []
      for (const carried of left)
        if (carried.parcel.kind === "timer" && lanes.hasPlace()) yield* takeUp(carried)
        else rest.push(carried)
      left = rest
      if (left.length > 0) yield* Backoff.pause(++failures)
    }
    stir()
  })
  /** Keeps what the lane of a void has, so that the void finds its place in it. */
  const keepOf = (line: Parcels.Line) =>
    Effect.suspend(() => {
      const one = lanes.get(Parcels.laneOf(line).name)
      return one === undefined ? Effect.void : keep(one)
    })
  const stowed = (carried: Carried) => {
    settle(carried)
    straying.delete(carried)
    const { parcel } = carried
    if (parcel.kind === "timer") {
      if (rung !== undefined && !Parcels.isTimerBehind(parcel, rung)) rung = undefined
      return
    }
    lanes.addClosed()
    const one = lanes.get(Parcels.laneOf(parcel).name)
    if (one === undefined) return want(parcel.target)
    if (parcel.kind !== "void") return one.lane.addMore() // opened meanwhile, for what came before this
    one.lane.beginAgain()
    lanes.wake(one)
  }

  const receive = Effect.fnUntraced(function* (emitted: ReadonlyArray<Emitted>, release: number) {
    const since = yield* Clock.currentTimeMillis
    const fresh = emitted
      .map((one) => Parcels.make(one, since))
      .filter((parcel) => !Parcels.has(store, parcel))
    if (fresh.length > 0) open.set(release, fresh.length)
    received = release + 1 // only now: a cursor may be written at any time, and must not pass what is open
    const [begun, full, strays] = [new Set<Open>(), new Set<Open>(), new Array<Carried>()]
    for (const parcel of fresh) {
      const carried: Carried = { parcel, release, kept: false, delivered: false }
      const of = Parcels.laneOf(parcel)
      const found = lanes.get(of.name)
      const isVoid = parcel.kind === "void"
      if (isVoid && found !== undefined && found.waiting === undefined && found.lane.insert(carried)) continue
      const more = found === undefined && lanes.hasClosed && Parcels.lineBehind(store, of) !== undefined
      const isStray = found === undefined && (parcel.due > since || !lanes.hasPlace())
      if (isStray || (isVoid && (found !== undefined || more))) {
        strays.push(carried)
        continue
      }
      const one = found ?? lanes.begin(of, more)
      if (found === undefined) begun.add(one)
      lanes.unrest(one)
      if (one.lane.push(carried) || one.waiting !== undefined) full.add(one)
    }
    for (const one of begun) yield* start(one)
    if (strays.length > 0) yield* stow(strays)
    yield* Effect.forEach(full, bound, { concurrency: "unbounded", discard: true })
  })

  const openOf = Effect.fnUntraced(function* (line: Parcels.Line) {
    const of = Parcels.laneOf(line)
    const found = lanes.get(of.name)
    if (found !== undefined) return found
    const one = lanes.begin(of, true)
    yield* start(one)
    return one
  })
  /** Everything that waits, and is due. */
  const wakeAll = (now: number): ReadonlyArray<Open> => {
    rung = undefined
    stir()
    if (lanes.hasClosed) want(undefined)
    return [...lanes.all()].filter(
      ({ waiting, lane }) => waiting !== undefined && (lane.next()?.due ?? 0) <= now,
    )
  }
  const isDelivered = Effect.fnUntraced(function* (one: Open) {
    const tried = (one.tried ??= Deferred.makeUnsafe())
    lanes.wake(one)
    const told = yield* Effect.timeoutOption(Deferred.await(tried), Limit.retryAnswerMsMax)
    return Option.getOrUndefined(told) === "delivered"
  })
  const retry = Effect.fnUntraced(function* (entry: OutboxPlace | undefined) {
    const now = yield* Clock.currentTimeMillis
    const line = entry && OutboxList.find(where, entry)
    if (entry !== undefined && line === undefined) return yield* new EntryUnknown(entry)
    if (line !== undefined && line.due > now)
      return { tried: 0, delivered: 0, waiting: [OutboxList.show(lanes, line, true)] } satisfies Retried
    const some = line === undefined ? wakeAll(now) : [yield* openOf(line)]
    const done = yield* Effect.forEach(some, isDelivered, { concurrency: "unbounded" })
    const waiting = some.flatMap(({ lane }, i) => (done[i] ? [] : (lane.next() ?? [])))
    const answer: Retried = {
      tried: some.length,
      delivered: done.filter(Boolean).length,
      waiting: waiting.slice(0, Limit.outboxShownMax).map((next) => OutboxList.show(lanes, next, true)),
    }
    return answer
  })

  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Queue.take(wantedNews), sweepWanted)))
  yield* Effect.forkScoped(Effect.forever(ring))
  want(undefined)
  yield* Effect.forkScoped(
    Stream.runForEach(compute.releases(received), ({ emitted, number }) => receive(emitted, number)),
  )
  yield* Effect.addFinalizer(() => Effect.ignore(store.commit([cursorPut()])))

  const delivery: Delivery = {
    arrived,
    met: (person) => void (lanes.hasAny && tell(person())),
    undelivered: Effect.sync(() => OutboxList.list(where, leaving)),
    entry: (place) => Effect.sync(() => OutboxList.whole(where, place)),
    retry,
  }
  return delivery
})

import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { ComputeUnit, type Release } from "../../compute-unit/ComputeUnit.ts"
import * as Delivery from "../../messenger-unit/Delivery.ts"
import * as Inbox from "../../messenger-unit/Inbox.ts"
import { type Bounds, boundsDefault } from "../../messenger-unit/Lane.ts"
import type { Undelivered } from "../../messenger-unit/MessengerUnit.ts"
import { type Reason, Refused } from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Feed from "../../runtime/Feed.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import { Store } from "../../runtime/Store.ts"
import * as Tag from "../../runtime/Tag.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import { type Accepted, SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Emissions from "../support/Emitted.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import { id } from "../support/Unsigned.ts"

const [loom, heddle, reed, ghost] = [id("loom"), id("heddle"), id("reed"), id("ghost")]

/** What a compute unit lets out, by hand. */
const outbox = () => {
  const feed = Feed.make()
  const releases: Array<Release> = []
  const pairs = new Map<string, number>()
  const slots = new Map<string, number>()
  return {
    releases,
    /** One commit in which one turn of `source` emitted these; gives the items' ids. */
    emit: (source: Id.ProcessId, ...emissions: ReadonlyArray<Emissions.Emission>) => {
      const slot = (slots.get(source) ?? -1) + 1
      slots.set(source, slot)
      const numbered = emissions.map((emission) => {
        if (emission.kind !== "message") return emission
        const lane = `${source} ${emission.target}`
        const pair = (pairs.get(lane) ?? 0) + 1
        pairs.set(lane, pair)
        return { ...emission, pair }
      })
      const made = Emissions.emit({ source, slot, emissions: numbered }, [])
      const emitted = made.map(({ item, proof }, index) => {
        const { kind, pair = 0, due = 0 } = numbered[index] as Emissions.Emission
        return {
          source,
          slot,
          index,
          entry: { kind, pair, due, item: item.bytes },
          proof: OutboxProof.encode(proof),
        }
      })
      releases.push({ number: releases.length, emitted })
      feed.publish()
      return made.map(({ item }) => item.id)
    },
    follow: (from: number) => feed.follow(from, (number) => releases[number]),
  }
}

const message = (target: Id.ProcessId, data = ""): Emissions.Emission => ({ kind: "message", target, data })
const timer = (target: Id.ProcessId, due: number): Emissions.Emission => ({ kind: "timer", target, due })

/** The void of a message to `target` with this id and pair number. */
const voidOf = (entry: Id.Id, target: Id.ProcessId, pair: number): Emissions.Emission => ({
  kind: "void",
  target,
  pair,
  tags: [
    ["Entry", entry],
    ["Content-Hash", id("content")],
  ],
})

interface Received {
  readonly source: Id.ProcessId
  readonly target: Id.ProcessId
  readonly kind: string
  readonly pair: number
  readonly data: string
  readonly at: number
}

/**
 * A scheduler that admits as the chapter on order says: each item once, pairs without a gap, timers when they are due,
 * nothing to a process that is not there. `before` and `after` let a test break in on either side of that.
 */
const receiver = (...known: ReadonlyArray<Id.ProcessId>) => {
  const admitted = new Map<Id.Id, Accepted>()
  const log: Array<Received> = []
  const last = new Map<string, number>()
  const slots = new Map<Id.ProcessId, number>(known.map((process) => [process, 1]))
  const refuse = (reason: Reason) => Effect.fail(new Refused({ reason, detail: "as the test wants it" }))
  const admit = (bytes: Uint8Array, proofBytes: Uint8Array, at: number): Effect.Effect<Accepted, Refused> => {
    const item = Result.getOrThrow(Item.decode(bytes))
    const { kind, pair, due, attestation } = Result.getOrThrow(OutboxProof.decode(proofBytes))
    const source = attestation.process
    const target = kind === "spawn" ? item.id : Id.fromBytes(item.target)
    const lane = `${source} ${target}`
    const stood = kind === "void" ? (Tag.value(item.tags, "Entry") as Id.Id) : item.id // as `voidOf` makes it
    const before = admitted.get(stood)
    if (before !== undefined) return Effect.succeed({ ...before, repeat: true })
    if (kind !== "spawn" && !slots.has(target)) return refuse("unknown process")
    if (kind === "timer" && at < due) return refuse("timer early")
    const isNumbered = kind === "message" || kind === "void"
    if (isNumbered && pair <= (last.get(lane) ?? 0)) return refuse("source forked")
    if (isNumbered && pair !== (last.get(lane) ?? 0) + 1) return refuse("pair out of order")
    if (isNumbered) last.set(lane, pair)
    const slot = slots.get(target) ?? 0
    slots.set(target, slot + 1)
    const accepted = { id: item.id, process: target, slot, timestamp: at, head: Bytes.empty, repeat: false }
    admitted.set(stood, accepted)
    log.push({ source, target, kind, pair, data: Bytes.toText(item.data) ?? "", at })
    return Effect.succeed(accepted)
  }
  const behaviour = {
    log,
    submits: 0,
    /** Who has signed something that is in a log here. */
    persons: new Set<Id.Address>(),
    /** Makes a process, as a client's spawn does; gives what the scheduler answers. */
    spawn: (process: Id.ProcessId): Accepted => {
      slots.set(process, 1)
      return { id: process, process, slot: 0, timestamp: 0, head: Bytes.empty, repeat: false }
    },
    before: (_target: Id.ProcessId): Effect.Effect<void, Refused> => Effect.void,
    after: (_target: Id.ProcessId): Effect.Effect<void, Refused> => Effect.void,
    refuse,
    service: {
      address: id("scheduler"),
      receipt: () => Effect.die("unused"),
      log: () => Effect.die("unused"),
      authority: () => Effect.die("unused"),
      tenure: () => Effect.die("unused"),
      slots: () => Stream.die("unused"),
      grown: Stream.never,
      module: () => Effect.die("unused"),
      processes: Effect.succeed([]),
      knows: (address: Id.Address) => Effect.sync(() => behaviour.persons.has(address)),
      nextBatch: Effect.succeed(0),
      addData: () => Effect.die("not asked"),
      data: () => Effect.undefined,
      batches: () => Stream.empty,
      submit: (item: Uint8Array, proof: Uint8Array) =>
        Effect.gen(function* () {
          behaviour.submits++
          const decoded = Result.getOrThrow(Item.decode(item))
          const target = decoded.target.length === 0 ? decoded.id : Id.fromBytes(decoded.target)
          yield* behaviour.before(target)
          const at = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
          const accepted = yield* admit(item, proof, at)
          yield* behaviour.after(target)
          return accepted
        }),
    },
  }
  return behaviour
}

type Outbox = ReturnType<typeof outbox>
type Receiver = ReturnType<typeof receiver>

/** A messenger's delivery, from its start until it is stopped. */
const start = Effect.fnUntraced(function* (
  from: Outbox,
  to: Receiver,
  store: Store["Service"] = StoreMemory.make(),
  bounds?: Bounds,
) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const compute = { releases: from.follow } as ComputeUnit["Service"] // it asks for nothing else
  const delivery = yield* Effect.flatMap(Inbox.make, (inbox) =>
    Effect.map(Delivery.make(inbox, bounds), (made) => ({ ...made, inbox })),
  ).pipe(
    Effect.provideService(Store, store),
    Effect.provideService(SchedulerUnit, to.service),
    Effect.provideService(ComputeUnit, compute),
    Scope.provide(scope),
  )
  return { ...delivery, stop: Scope.close(scope, Exit.void) }
})

const received = (to: Receiver, count: number) =>
  SmallNode.until(
    `${count} are received`,
    Effect.sync(() => to.log.length >= count),
  )

const letRun = Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow, { discard: true })

const datas = (to: Receiver, target?: Id.ProcessId) =>
  to.log.filter((one) => target === undefined || one.target === target).map(({ data }) => data)

describe("delivery", () => {
  it.effect(
    "brings each entry to its target once, pair by pair in order, a child before what it is told",
    () =>
      Effect.gen(function* () {
        const [from, to] = [outbox(), receiver(loom, heddle, reed)]
        yield* start(from, to)
        const [child] = from.emit(loom, { kind: "spawn" })
        from.emit(loom, message(child!, "to the child"), message(heddle, "a"), message(reed, "b"))
        from.emit(heddle, message(loom, "c"))
        from.emit(loom, message(heddle, "d"), message(child!, "again"))
        yield* received(to, 7)
        yield* letRun
        assert.deepStrictEqual([to.log.length, to.submits], [7, 7])
        assert.deepStrictEqual(datas(to, child), ["", "to the child", "again"])
        assert.deepStrictEqual(
          [datas(to, heddle), datas(to, reed), datas(to, loom)],
          [["a", "d"], ["b"], ["c"]],
        )
      }),
  )

  it.effect(
    "brings what a turn sends to the child that it spawns after the spawn, however slow that is",
    () =>
      Effect.gen(function* () {
        const [from, to, slow] = [outbox(), receiver(loom), StoreProbe.barrier()]
        yield* start(from, to)
        // Ids of a turn's items do not depend on each other, so a first run tells the child's.
        const [child] = outbox().emit(loom, { kind: "spawn" })
        to.before = (target) => (target === child ? slow.wait : Effect.void)
        from.emit(
          loom,
          { kind: "spawn" },
          message(child!, "one"),
          message(child!, "two"),
          message(loom, "meanwhile"),
        )
        yield* received(to, 1)
        yield* letRun
        assert.deepStrictEqual([datas(to), to.submits], [["meanwhile"], 2])
        yield* slow.open
        yield* received(to, 4)
        assert.deepStrictEqual(datas(to, child), ["", "one", "two"])
      }),
  )

  it.effect("waits as long as the refusal says, where that is longer", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver(heddle)]
      yield* start(from, to)
      const refused = new Refused({ reason: "over rate", detail: "as the test wants it", retryMs: 7_000 })
      to.before = () => Effect.fail(refused)
      from.emit(loom, message(heddle, "a"))
      yield* SmallNode.until(
        "it is refused",
        Effect.sync(() => to.submits === 1),
      )
      yield* letRun
      to.before = () => Effect.void
      yield* TestClock.adjust(6_999)
      assert.deepStrictEqual(datas(to), [])
      yield* TestClock.adjust(1)
      yield* received(to, 1)
      assert.deepStrictEqual(datas(to), ["a"])
    }),
  )

  for (const reason of ["over rate", "overloaded", "not anchored", "store failed", "stopping"] as const)
    it.effect(
      `tries again what passes by itself, after up to twice the time, and holds up nobody else: ${reason}`,
      () =>
        Effect.gen(function* () {
          const [from, to] = [outbox(), receiver(heddle, reed)]
          const { undelivered } = yield* start(from, to)
          to.before = (target) => (target === heddle ? to.refuse(reason) : Effect.void)
          from.emit(loom, message(heddle, "a"), message(reed, "b"))
          from.emit(loom, message(heddle, "c"))
          yield* received(to, 1)
          yield* letRun
          assert.deepStrictEqual(datas(to), ["b"])
          const shown = yield* undelivered
          assert.deepStrictEqual(
            shown.map((one) => [one.source, one.slot, one.index, one.target, one.kind, one.due, one.since]),
            [
              [loom, 0, 0, heddle, "message", 0, 0],
              [loom, 1, 0, heddle, "message", 0, 0],
            ],
          )
          for (const one of shown) assert.include(one.reason, reason)
          let wait = Limit.deliveryRetryMsMin
          for (let tries = 2; tries < 14; tries++) {
            const before = to.submits
            const now = yield* Clock.currentTimeMillis
            const [{ next, attempts } = {}, behind] = yield* undelivered
            assert.deepStrictEqual([attempts, behind!.attempts], [tries - 1, 0])
            assert.isTrue(next! >= now + wait / 2 && next! <= now + wait, `${next} of ${wait} at ${now}`)
            yield* TestClock.setTime(next! - 1)
            assert.strictEqual(to.submits, before)
            yield* TestClock.adjust(1)
            yield* SmallNode.until(
              "it is tried again",
              Effect.sync(() => to.submits === before + 1),
            )
            wait = Math.min(2 * wait, Limit.deliveryRetryMsMax)
            yield* letRun
          }
          assert.strictEqual(wait, Limit.deliveryRetryMsMax)
          to.before = () => Effect.void
          yield* TestClock.adjust(wait)
          yield* received(to, 3)
          assert.deepStrictEqual(datas(to, heddle), ["a", "c"])
          yield* letRun
          assert.deepStrictEqual(yield* undelivered, [])
        }),
    )

  it.effect(
    "does not bring back together those that failed together, and by its seed as it did before",
    () => {
      const targets = Array.from({ length: 20 }, (_, i) => id(`target ${i}`))
      const times = Effect.gen(function* () {
        const [from, to] = [outbox(), receiver(...targets)]
        const { undelivered, stop } = yield* start(from, to)
        to.before = () => to.refuse("overloaded")
        from.emit(loom, ...targets.map((target) => message(target)))
        yield* letRun
        const shown = yield* undelivered
        yield* stop
        return shown.map(({ next }) => next!)
      })
      return Effect.gen(function* () {
        const found = yield* Random.withSeed(times, "loom")
        assert.strictEqual(found.length, targets.length)
        assert.isAbove(new Set(found).size, targets.length / 2)
        for (const next of found)
          assert.isTrue(next >= Limit.deliveryRetryMsMin / 2 && next <= Limit.deliveryRetryMsMin)
        assert.deepStrictEqual(yield* Random.withSeed(times, "loom"), found)
      })
    },
  )

  it.effect("delivers once though the answer was lost each time", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver(heddle)]
      yield* start(from, to)
      let losses = 4
      to.after = () => (losses-- > 0 ? to.refuse("store failed") : Effect.void)
      from.emit(loom, message(heddle, "a"), message(heddle, "b"))
      for (let i = 0; i < 6; i++) {
        yield* letRun
        yield* TestClock.adjust(Limit.deliveryRetryMsMax)
      }
      yield* received(to, 2)
      yield* letRun
      assert.deepStrictEqual(datas(to), ["a", "b"])
      assert.strictEqual(to.submits, 6)
    }),
  )

  it.effect("holds what is for nobody, shows it, and does not ask again by the clock", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver(reed)]
      yield* TestClock.setTime(7_000)
      const { undelivered } = yield* start(from, to)
      from.emit(loom, message(heddle, "a"), message(reed, "b"))
      yield* received(to, 1)
      yield* letRun
      const [held] = yield* undelivered
      assert.deepInclude(held, {
        source: loom,
        slot: 0,
        index: 0,
        target: heddle,
        kind: "message",
        since: 7_000,
      })
      assert.include(held!.reason, "unknown process")
      yield* TestClock.adjust("30 days")
      yield* letRun
      assert.strictEqual(to.submits, 2)
    }),
  )

  it.effect("brings what was held in order when its target is spawned, by a caller or by a process", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver(loom, reed)]
      const { arrived, undelivered } = yield* start(from, to)
      const [child] = outbox().emit(reed, { kind: "spawn" })
      from.emit(loom, message(heddle, "a"), message(child!, "x"))
      from.emit(loom, message(heddle, "b"), message(child!, "y"))
      yield* letRun
      assert.strictEqual((yield* undelivered).length, 4)
      arrived({ ...to.spawn(id("somebody else")) })
      yield* letRun
      assert.strictEqual(to.submits, 2)
      arrived(to.spawn(heddle))
      yield* received(to, 2)
      assert.deepStrictEqual(datas(to, heddle), ["a", "b"])
      from.emit(reed, { kind: "spawn" })
      yield* received(to, 5)
      assert.deepStrictEqual(datas(to, child), ["", "x", "y"])
      yield* letRun
      assert.deepStrictEqual(yield* undelivered, [])
    }),
  )

  it.effect("misses no spawn that comes while the refusal for want of it is on its way", () =>
    Effect.gen(function* () {
      const [from, to, slow] = [outbox(), receiver(), StoreProbe.barrier()]
      const { service } = to
      const delayed: Receiver = {
        ...to,
        service: {
          ...service,
          submit: (...args) => Effect.tapError(service.submit(...args), () => slow.wait),
        },
      }
      const { arrived } = yield* start(from, delayed)
      from.emit(loom, message(heddle, "a"))
      yield* slow.reached
      arrived(to.spawn(heddle))
      yield* slow.open
      yield* received(to, 1)
      assert.deepStrictEqual(datas(to), ["a"])
    }),
  )

  it.effect("holds the rest of a pair behind an entry that is refused for good, in that pair alone", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver(heddle, reed)]
      const { undelivered } = yield* start(from, to)
      let poison = true
      to.before = (target) => (poison && target === heddle ? to.refuse("not attested") : Effect.void)
      from.emit(loom, message(heddle, "a"), message(reed, "b"), message(heddle, "c"))
      from.emit(reed, message(loom, "nobody"))
      yield* received(to, 1)
      yield* TestClock.adjust("1 day")
      poison = false
      yield* TestClock.adjust("1 day")
      yield* letRun
      assert.deepStrictEqual(datas(to), ["b"])
      assert.deepStrictEqual(
        (yield* undelivered)
          .map(({ index, reason }) => [index, reason.split(":")[0]])
          .toSorted((a, b) => String(a[1]).localeCompare(String(b[1]))),
        [
          [0, "not attested"],
          [2, "not attested"],
          [0, "unknown process"],
        ],
      )
    }),
  )

  it.effect("has at most as many on their way at once as may be, and gets to the rest", () =>
    Effect.gen(function* () {
      const count = Limit.deliveriesInFlightMax + 1
      const targets = Array.from({ length: count }, (_, i) => id(`target ${i}`))
      const [from, to, held] = [outbox(), receiver(...targets), StoreProbe.barrier()]
      yield* start(from, to)
      to.before = () => held.wait
      from.emit(loom, ...targets.slice(0, 1_000).map((target) => message(target)))
      from.emit(loom, ...targets.slice(1_000).map((target) => message(target)))
      yield* SmallNode.until(
        "all that may be are on their way",
        Effect.sync(() => to.submits >= count - 1),
      )
      yield* letRun
      assert.strictEqual(to.submits, count - 1)
      yield* held.open
      yield* received(to, count)
    }),
  )
})

describe("entries that are retried by hand", () => {
  const places = (all: ReadonlyArray<Undelivered>) =>
    all.map(({ source, slot, index }) => [source, slot, index])

  it.effect("are tried at once, all that go first, and it is said what became of each", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver(heddle)]
      const { retry, undelivered } = yield* start(from, to)
      to.before = (target) => (target === heddle ? to.refuse("not attested") : Effect.void)
      from.emit(loom, message(heddle, "a"), message(heddle, "b"), message(reed, "c"), timer(loom, 9_000))
      yield* letRun
      assert.strictEqual(to.submits, 2)
      const refused = yield* retry(undefined)
      assert.deepInclude(refused, { tried: 2, delivered: 0 })
      assert.deepStrictEqual(
        refused.waiting.map(({ index, attempts }) => [index, attempts]).toSorted(([a], [b]) => a! - b!),
        [
          [0, 2],
          [2, 2],
        ],
      )
      to.before = () => Effect.void
      const done = yield* retry(undefined)
      assert.deepInclude(done, { tried: 2, delivered: 1 })
      assert.deepStrictEqual(places(done.waiting), [[loom, 0, 2]])
      yield* received(to, 2)
      yield* letRun
      assert.deepStrictEqual(datas(to), ["a", "b"])
      assert.deepStrictEqual(places(yield* undelivered), [
        [loom, 0, 2],
        [loom, 0, 3],
      ])
    }),
  )

  it.effect("go before their time where they wait by the clock, one alone, and keep to their pair", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver(heddle, reed)]
      const { retry } = yield* start(from, to)
      to.before = () => to.refuse("overloaded")
      from.emit(loom, message(heddle, "a"), message(heddle, "b"), message(reed, "c"))
      yield* letRun
      to.before = () => Effect.void
      assert.deepInclude(yield* retry({ source: loom, slot: 0, index: 1 }), { tried: 1, delivered: 1 })
      yield* received(to, 2)
      yield* letRun
      assert.deepStrictEqual(datas(to), ["a", "b"])
    }),
  )

  it.effect("are told of as they stand where there is no answer for a while", () =>
    Effect.gen(function* () {
      const [from, to, slow] = [outbox(), receiver(heddle), StoreProbe.barrier()]
      const { retry } = yield* start(from, to)
      to.before = () => to.refuse("not attested")
      from.emit(loom, message(heddle, "a"))
      yield* letRun
      to.before = () => slow.wait
      const asked = yield* Effect.forkChild(retry(undefined))
      yield* slow.reached
      yield* TestClock.adjust(Limit.retryAnswerMsMax - 1)
      assert.isUndefined(asked.pollUnsafe())
      yield* TestClock.adjust(1)
      const answer = yield* Fiber.join(asked)
      assert.deepInclude(answer, { tried: 1, delivered: 0 })
      assert.deepInclude(answer.waiting[0], { index: 0, reason: "on its way" })
    }),
  )

  it.effect("are named where there is no such entry, and told of where they are not due", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver(loom, heddle)]
      const { retry } = yield* start(from, to)
      from.emit(loom, message(heddle, "a"), timer(loom, 9_000))
      yield* received(to, 1)
      yield* letRun
      for (const index of [0, 7]) {
        const unknown = yield* Effect.flip(retry({ source: loom, slot: 0, index }))
        assert.deepInclude(unknown, { _tag: "EntryUnknown", source: loom, slot: 0, index })
        assert.include(unknown.message, "heddle outbox")
      }
      const early = yield* retry({ source: loom, slot: 0, index: 1 })
      assert.deepInclude(early, { tried: 0, delivered: 0 })
      assert.deepInclude(early.waiting[0], { index: 1, reason: "not due yet", next: 9_000 })
      assert.strictEqual(to.submits, 1)
    }),
  )
})

describe("a list of what is not delivered", () => {
  it.effect("shows what is only just being kept", () =>
    Effect.gen(function* () {
      const [from, to, probe, slow] = [outbox(), receiver(), StoreProbe.make(), StoreProbe.barrier()]
      const { undelivered } = yield* start(from, to, probe.store)
      probe.before = () => slow.wait
      from.emit(loom, timer(loom, 9_000))
      yield* slow.reached
      const shown = Effect.map(undelivered, (all) => all.map(({ index, next }) => [index, next]))
      assert.deepStrictEqual(yield* shown, [[0, 9_000]])
      yield* slow.open
      yield* letRun
      assert.deepStrictEqual(yield* shown, [[0, 9_000]])
    }),
  )

  it.effect("shows so many and no more", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver()]
      const { undelivered } = yield* start(from, to)
      const most = Limit.outboxShownMax
      from.emit(loom, ...Array.from({ length: most }, () => message(heddle)))
      yield* letRun
      assert.strictEqual((yield* undelivered).length, most)
      from.emit(loom, message(heddle))
      yield* letRun
      assert.strictEqual((yield* undelivered).length, most)
    }),
  )
})

describe("what is for a person", () => {
  const ada = id("ada")
  const read = (inbox: Inbox.Inbox) =>
    Effect.map(inbox.read(ada, 0, 1_000, false), (letters) =>
      letters.map(({ number, source, item }) => [
        number,
        source,
        Bytes.toText(Result.getOrThrow(Item.decode(item)).data),
      ]),
    )

  it.effect("comes into the inbox, pair by pair in order, once it is known that there is one", () =>
    Effect.gen(function* () {
      const [from, to, probe] = [outbox(), receiver(heddle), StoreProbe.make()]
      const { inbox, met, undelivered } = yield* start(from, to, probe.store)
      from.emit(loom, message(ada, "a"), message(heddle, "to a process"), message(ada, "b"))
      from.emit(reed, message(ada, "c"))
      yield* letRun
      assert.strictEqual((yield* undelivered).length, 3)
      assert.deepInclude(yield* Effect.flip(inbox.read(ada, 0, 10, false)), { _tag: "InboxUnknown" })
      to.persons.add(ada)
      met(() => heddle)
      yield* letRun
      assert.deepStrictEqual(yield* read(inbox), [])
      met(() => ada)
      yield* letRun
      from.emit(loom, message(ada, "d"))
      yield* letRun
      const letters = yield* read(inbox)
      const of = (source: Id.ProcessId) => letters.filter((one) => one[1] === source).map((one) => one[2])
      assert.deepStrictEqual([of(loom), of(reed)], [["a", "b", "d"], ["c"]])
      assert.deepStrictEqual(
        letters.map(([number]) => number),
        [0, 1, 2, 3],
      )
      assert.deepStrictEqual(yield* undelivered, [])
      const together = probe.commits.filter((tables) => tables.includes("inbox"))
      assert.isTrue(together.some((tables) => tables.includes("undelivered")))
      // One that is known to be a person's is not submitted to the scheduler over and over.
      assert.strictEqual(to.submits, 6)
    }),
  )

  it.effect("does not come there where it was given up before", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver()]
      const { inbox, met, undelivered } = yield* start(from, to)
      const [a] = from.emit(loom, message(ada, "a"), message(ada, "b"))
      yield* letRun
      from.emit(loom, voidOf(a!, ada, 1))
      yield* letRun
      to.persons.add(ada)
      met(() => ada)
      yield* letRun
      assert.deepStrictEqual(yield* read(inbox), [[0, loom, "b"]])
      assert.deepStrictEqual(yield* undelivered, [])
    }),
  )

  it.effect("comes there once, in order, though the messenger crashes at any step of its work", () =>
    Effect.gen(function* () {
      const live = Effect.fnUntraced(function* (crash: () => boolean) {
        const [from, to, probe] = [outbox(), receiver(reed), StoreProbe.make()]
        let dead = false
        const step = Effect.suspend(() => {
          dead ||= crash()
          return dead ? StoreProbe.full : Effect.void
        })
        probe.before = () => step
        probe.after = () => step
        let messenger = yield* start(from, to, probe.store)
        const settle = Effect.gen(function* () {
          for (let i = 0; i < 3; i++) {
            yield* letRun
            if (dead) {
              yield* messenger.stop
              dead = false
              messenger = yield* start(from, to, probe.store)
            }
            yield* TestClock.adjust(200)
          }
        })
        from.emit(loom, message(ada, "1"), message(reed, "x"), message(ada, "2"))
        yield* settle
        to.persons.add(ada)
        messenger.met(() => ada)
        from.emit(loom, message(ada, "3"))
        from.emit(reed, message(ada, "one"))
        yield* settle
        from.emit(loom, message(ada, "4"), message(ada, "5"))
        from.emit(reed, message(ada, "two"))
        yield* settle
        yield* messenger.stop
        messenger = yield* start(from, to, probe.store)
        yield* settle
        const letters = yield* read(messenger.inbox)
        const of = (source: Id.ProcessId) => letters.filter((one) => one[1] === source).map((one) => one[2])
        assert.deepStrictEqual(
          [of(loom), of(reed)],
          [
            ["1", "2", "3", "4", "5"],
            ["one", "two"],
          ],
        )
        assert.deepStrictEqual(
          letters.map(([number]) => number),
          [0, 1, 2, 3, 4, 5, 6],
        )
        assert.deepStrictEqual([datas(to), yield* messenger.undelivered], [["x"], []])
        yield* messenger.stop
      })
      let steps = 0
      yield* live(() => (steps++, false))
      assert.isAbove(steps, 10)
      for (let fatal = 0; fatal < steps; fatal++) {
        let at = 0
        yield* live(() => at++ === fatal)
      }
    }),
  )
})

describe("a messenger with little memory", () => {
  const bounds = { lanesMax: 3, parcelsPerLaneMax: 2, bytesMax: 1024 * 1024 }
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i))

  it.effect("brings a long lane in order, of which most was in the store alone", () =>
    Effect.gen(function* () {
      const [from, to, store] = [outbox(), receiver(), StoreMemory.make()]
      const { arrived, undelivered } = yield* start(from, to, store, bounds)
      for (const data of numbers(5)) from.emit(loom, message(heddle, data), message(heddle, `${data}b`))
      yield* letRun
      assert.strictEqual((yield* undelivered).length, 10)
      const slow = StoreProbe.barrier()
      to.before = () => (to.log.length === 3 ? slow.wait : Effect.void)
      arrived(to.spawn(heddle))
      yield* slow.reached
      for (const data of numbers(5)) from.emit(loom, message(heddle, `${data}c`))
      yield* letRun
      yield* slow.open
      yield* received(to, 15)
      yield* letRun
      assert.deepStrictEqual(datas(to), [
        ...numbers(5).flatMap((data) => [data, `${data}b`]),
        ...numbers(5).map((data) => `${data}c`),
      ])
      assert.deepStrictEqual(yield* undelivered, [])
    }),
  )

  it.effect("holds more lanes than it has places for, shows why, and brings each when its target comes", () =>
    Effect.gen(function* () {
      const targets = numbers(10).map((name) => id(`target ${name}`))
      const [from, to] = [outbox(), receiver(reed)]
      const { arrived, undelivered } = yield* start(from, to, StoreMemory.make(), bounds)
      from.emit(loom, ...targets.map((target) => message(target, "a")))
      yield* letRun
      from.emit(loom, ...targets.map((target) => message(target, "b")))
      from.emit(loom, message(reed, "to somebody who is there"))
      yield* received(to, 1)
      yield* letRun
      const shown = yield* undelivered
      assert.strictEqual(shown.length, 20)
      for (const { reason } of shown) assert.include(reason, "unknown process")
      for (const target of targets.toReversed()) {
        const had = to.log.length
        arrived(to.spawn(target))
        yield* received(to, had + 2)
        assert.deepStrictEqual(datas(to, target), ["a", "b"])
      }
      yield* letRun
      assert.deepStrictEqual(yield* undelivered, [])
    }),
  )

  it.effect("gets to those that wait for a place when the others go on, and to all that are retried", () =>
    Effect.gen(function* () {
      const targets = numbers(10).map((name) => id(`target ${name}`))
      const [from, to] = [outbox(), receiver(...targets)]
      const { retry, undelivered } = yield* start(from, to, StoreMemory.make(), bounds)
      // These wait by the clock, so that none of them gives up its place.
      to.before = () => to.refuse("overloaded")
      from.emit(loom, ...targets.map((target) => message(target)))
      yield* letRun
      assert.strictEqual((yield* undelivered).length, 10)
      assert.strictEqual(to.submits, 3)
      to.before = () => Effect.void
      yield* TestClock.adjust(Limit.deliveryRetryMsMax)
      yield* received(to, 10)
      yield* letRun
      assert.deepStrictEqual(yield* undelivered, [])

      to.before = () => to.refuse("not attested")
      from.emit(loom, ...targets.map((target) => message(target)))
      yield* letRun
      to.before = () => Effect.void
      yield* TestClock.adjust("1 day")
      assert.strictEqual(to.log.length, 10)
      yield* retry(undefined)
      yield* received(to, 20)
    }),
  )

  it.effect("keeps timers in the store and lets each go off at its time", () =>
    Effect.gen(function* () {
      const [from, to, store] = [outbox(), receiver(loom), StoreMemory.make()]
      const first = yield* start(from, to, store, bounds)
      from.emit(loom, ...numbers(10).map((n) => timer(loom, 1_000 + 10 * ((7 * Number(n)) % 10))))
      yield* letRun
      yield* first.stop
      yield* start(from, to, store, bounds)
      from.emit(loom, timer(loom, 1_005))
      for (let at = 990; at <= 1_100; at += 5) {
        yield* TestClock.setTime(at)
        yield* letRun
      }
      assert.deepStrictEqual(
        to.log.map(({ at }) => at),
        [1_000, 1_005, ...numbers(9).map((n) => 1_010 + 10 * Number(n))],
      )
      assert.strictEqual(to.submits, 11)
    }),
  )

  it.effect("lets nothing more come where the store takes nothing, and loses nothing", () =>
    Effect.gen(function* () {
      const [from, to, probe] = [outbox(), receiver(), StoreProbe.make()]
      const { arrived, undelivered } = yield* start(from, to, probe.store, bounds)
      probe.before = () => StoreProbe.full
      for (const data of numbers(20)) from.emit(loom, message(heddle, data))
      yield* letRun
      assert.strictEqual((yield* undelivered).length, bounds.parcelsPerLaneMax + 1)
      probe.before = () => Effect.void
      yield* TestClock.adjust(Limit.deliveryRetryMsMax)
      yield* letRun
      assert.strictEqual((yield* undelivered).length, 20)
      arrived(to.spawn(heddle))
      yield* received(to, 20)
      assert.deepStrictEqual(datas(to), numbers(20))
    }),
  )
})

describe("a timer", () => {
  it.effect("goes off at its time and not before, and holds up neither messages nor other timers", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver(loom)]
      const { undelivered } = yield* start(from, to)
      const month = 31 * 86_400_000
      from.emit(loom, timer(loom, month), timer(loom, 5_000), timer(loom, 2_000), message(loom, "now"))
      yield* received(to, 1)
      yield* letRun
      assert.deepStrictEqual(
        (yield* undelivered).map(({ due, reason }) => [due, reason]),
        [month, 5_000, 2_000].map((due) => [due, "not due yet"]),
      )
      for (const [time, count] of [
        [1_999, 1],
        [2_000, 2],
        [4_999, 2],
        [5_000, 3],
        [month - 1, 3],
        [month, 4],
      ] as const) {
        yield* TestClock.setTime(time)
        yield* letRun
        assert.strictEqual(to.log.length, count, `at ${time}`)
      }
      assert.strictEqual(to.submits, 4)
      assert.deepStrictEqual(
        to.log.map(({ at }) => at),
        [0, 2_000, 5_000, month],
      )
    }),
  )

  it.effect("goes off at its time where the clock was set back behind others that did", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver(loom)]
      yield* start(from, to)
      from.emit(loom, timer(loom, 1_000))
      yield* letRun
      yield* TestClock.setTime(1_000)
      yield* received(to, 1)
      yield* TestClock.setTime(500)
      from.emit(loom, timer(loom, 700))
      yield* letRun
      assert.strictEqual(to.log.length, 1)
      yield* TestClock.setTime(700)
      yield* received(to, 2)
    }),
  )

  it.effect("survives restarts: late where nobody was there at its time, never early, never twice", () =>
    Effect.gen(function* () {
      const [from, to, store] = [outbox(), receiver(loom), StoreMemory.make()]
      const first = yield* start(from, to, store)
      from.emit(loom, timer(loom, 2_000), timer(loom, 9_000))
      yield* letRun
      yield* TestClock.setTime(1_000)
      yield* first.stop
      yield* TestClock.setTime(3_000)
      const second = yield* start(from, to, store)
      yield* received(to, 1)
      yield* letRun
      assert.deepStrictEqual(
        (yield* second.undelivered).map(({ due, since }) => [due, since]),
        [[9_000, 0]],
      )
      yield* second.stop
      const third = yield* start(from, to, store)
      yield* TestClock.setTime(8_999)
      yield* letRun
      assert.strictEqual(to.log.length, 1)
      yield* TestClock.setTime(9_000)
      yield* received(to, 2)
      yield* letRun
      yield* third.stop
      yield* start(from, to, store)
      yield* TestClock.adjust("1 day")
      yield* letRun
      assert.deepStrictEqual(
        to.log.map(({ at }) => at),
        [3_000, 9_000],
      )
    }),
  )
})

describe("a messenger that is started again", () => {
  it.effect("has what it held, since when, and tries it once more, until it is delivered", () =>
    Effect.gen(function* () {
      const [from, to, probe] = [outbox(), receiver(), StoreProbe.make()]
      const first = yield* start(from, to, probe.store)
      from.emit(loom, message(heddle, "a"))
      yield* letRun
      yield* TestClock.setTime(5_000)
      probe.before = () => StoreProbe.full // so that it stops as a crash would stop it
      yield* first.stop
      probe.before = () => Effect.void
      const second = yield* start(from, to, probe.store)
      yield* letRun
      assert.strictEqual(to.submits, 2)
      assert.deepStrictEqual(
        (yield* second.undelivered).map(({ since }) => since),
        [0],
      )
      yield* second.stop
      to.spawn(heddle)
      const third = yield* start(from, to, probe.store)
      yield* received(to, 1)
      yield* letRun
      yield* third.stop
      yield* start(from, to, probe.store)
      yield* letRun
      assert.deepStrictEqual([to.submits, to.log.length], [3, 1])
    }),
  )

  it.effect("goes through no more again than it may have to", () =>
    Effect.gen(function* () {
      const [from, to, probe] = [outbox(), receiver(heddle), StoreProbe.make()]
      const count = 2 * Limit.deliveriesPerCursorMax
      const first = yield* start(from, to, probe.store)
      for (let i = 0; i < count + 3; i++) from.emit(loom, message(heddle, String(i)))
      yield* received(to, count + 3)
      yield* letRun
      assert.strictEqual(probe.commits.length, 2)
      probe.before = () => StoreProbe.full // so that it stops as a crash would stop it
      yield* first.stop
      probe.before = () => Effect.void
      to.submits = 0
      const second = yield* start(from, to, probe.store)
      yield* SmallNode.until(
        "it went through them",
        Effect.sync(() => to.submits >= 3),
      )
      yield* letRun
      yield* second.stop
      assert.isAtMost(to.submits, 4)
      to.submits = 0
      yield* start(from, to, probe.store)
      yield* letRun
      assert.deepStrictEqual([to.submits, to.log.length], [0, count + 3])
    }),
  )

  it.effect(
    "loses nothing to a store that is full, and brings all of it in order when it is started again",
    () =>
      Effect.gen(function* () {
        const [from, to, probe] = [outbox(), receiver(reed), StoreProbe.make()]
        const first = yield* start(from, to, probe.store)
        probe.before = () => StoreProbe.full
        from.emit(loom, message(heddle, "a"), message(heddle, "b"), timer(reed, 1_000))
        yield* letRun
        from.emit(loom, message(heddle, "c"))
        yield* letRun
        // There is space again: what comes now could be kept, and what came before was not.
        probe.before = () => Effect.void
        from.emit(loom, message(heddle, "d"))
        from.emit(loom, message(reed, "e"))
        yield* received(to, 1)
        yield* letRun
        probe.before = () => StoreProbe.full
        yield* first.stop
        probe.before = () => Effect.void
        to.spawn(heddle)
        const second = yield* start(from, to, probe.store)
        yield* received(to, 5)
        assert.deepStrictEqual(datas(to, heddle), ["a", "b", "c", "d"])
        yield* TestClock.adjust(1_000)
        yield* received(to, 6)
        yield* letRun
        assert.deepStrictEqual(yield* second.undelivered, [])
      }),
  )

  it.effect("keeps a large entry no later than the small ones behind it", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver()]
      const store = StoreMemory.make(20_000)
      const first = yield* start(from, to, store)
      from.emit(loom, message(heddle, "x".repeat(30_000)), message(heddle, "b"))
      yield* letRun
      from.emit(loom, message(heddle, "c"))
      yield* letRun
      yield* first.stop
      to.spawn(heddle)
      yield* start(from, to, store)
      yield* received(to, 3)
      assert.deepStrictEqual(
        datas(to).map((data) => data.at(-1)),
        ["x", "b", "c"],
      )
    }),
  )

  it.effect("loses sight of no entry over one that was delivered while it was being kept", () =>
    Effect.gen(function* () {
      const [from, to, probe] = [outbox(), receiver(reed), StoreProbe.make()]
      const slow = StoreProbe.barrier()
      const first = yield* start(from, to, probe.store)
      from.emit(loom, message(heddle, "a"))
      yield* letRun
      probe.before = (tables) => (tables.includes("undelivered") ? slow.wait : Effect.void)
      from.emit(loom, message(heddle, "b"), message(reed, "of the same turn"))
      yield* slow.reached
      probe.before = () => Effect.void
      first.arrived(to.spawn(heddle))
      yield* received(to, 2)
      // The other entry of the turn can be neither delivered nor kept, so that only the cursor knows of it.
      to.before = (target) => (target === reed ? to.refuse("overloaded") : Effect.void)
      probe.before = (tables) => (tables.includes("undelivered") ? StoreProbe.full : Effect.void)
      yield* slow.open
      yield* letRun
      assert.strictEqual((yield* first.undelivered).length, 1)
      yield* first.stop
      to.before = () => Effect.void
      probe.before = () => Effect.void
      const second = yield* start(from, to, probe.store)
      yield* received(to, 3)
      yield* letRun
      assert.deepStrictEqual(yield* second.undelivered, [])
      assert.deepStrictEqual([datas(to, heddle), datas(to, reed)], [["a", "b"], ["of the same turn"]])
    }),
  )
})

describe("a void", () => {
  const waiting = (undelivered: ReadonlyArray<Undelivered>) =>
    undelivered.map(({ kind, slot, index }) => [kind, slot, index])
  const numbers = (to: Receiver) => to.log.map(({ kind, pair }) => [kind, pair])

  it.effect("goes in the place of the message that is held, and what stands behind that after it", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver(heddle)]
      let isRefusing = true
      to.before = () => (isRefusing ? to.refuse("bad reference") : Effect.void)
      const { undelivered, entry } = yield* start(from, to)
      const [a] = from.emit(loom, message(heddle, "a"), message(heddle, "b"))
      yield* letRun
      assert.deepStrictEqual(waiting(yield* undelivered), [
        ["message", 0, 0],
        ["message", 0, 1],
      ])
      const held = yield* entry({ source: loom, slot: 0, index: 0 })
      assert.strictEqual(Result.getOrThrow(Item.decode(held!.entry.item)).id, a)
      assert.strictEqual(held!.proof.length, from.releases[0]!.emitted[0]!.proof.length)
      assert.isUndefined(yield* entry({ source: loom, slot: 0, index: 2 }))
      isRefusing = false
      from.emit(loom, voidOf(a!, heddle, 1))
      yield* received(to, 2)
      yield* letRun
      assert.deepStrictEqual(numbers(to), [
        ["void", 1],
        ["message", 2],
      ])
      assert.deepStrictEqual(yield* undelivered, [])
    }),
  )

  it.effect("goes before what has a higher number, and is held as a message is; also after a restart", () =>
    Effect.gen(function* () {
      const [from, to, store] = [outbox(), receiver(), StoreMemory.make()]
      const first = yield* start(from, to, store)
      const [, b] = from.emit(loom, message(heddle, "a"), message(heddle, "b"), message(heddle, "c"))
      yield* letRun
      from.emit(loom, voidOf(b!, heddle, 2))
      yield* letRun
      const left = [
        ["message", 0, 0],
        ["void", 1, 0],
        ["message", 0, 2],
      ]
      assert.deepStrictEqual(waiting(yield* first.undelivered), left)
      yield* first.stop
      // Of what is kept alone.
      const second = yield* start(outbox(), to, store)
      yield* letRun
      assert.deepStrictEqual(waiting(yield* second.undelivered), left)
      second.arrived(to.spawn(heddle))
      yield* received(to, 3)
      yield* letRun
      assert.deepStrictEqual(numbers(to), [
        ["message", 1],
        ["void", 2],
        ["message", 3],
      ])
      assert.deepStrictEqual(yield* second.undelivered, [])
    }),
  )

  it.effect("comes too late where the message is on its way, and is its repeat", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver(heddle)]
      const slow = StoreProbe.barrier()
      let isFirst = true
      to.before = () => {
        const waits = isFirst
        isFirst = false
        return waits ? slow.wait : Effect.void
      }
      const { undelivered } = yield* start(from, to)
      const [a] = from.emit(loom, message(heddle, "a"), message(heddle, "b"))
      yield* slow.reached
      from.emit(loom, voidOf(a!, heddle, 1))
      yield* letRun
      yield* slow.open
      yield* received(to, 2)
      yield* letRun
      assert.deepStrictEqual(datas(to), ["a", "b"])
      assert.deepStrictEqual(yield* undelivered, [])
    }),
  )

  it.effect("loses sight of nothing that was emitted together with what it stands for", () =>
    Effect.gen(function* () {
      const [from, to, probe] = [outbox(), receiver(heddle, reed), StoreProbe.make()]
      const slow = StoreProbe.barrier()
      let isFirst = true
      to.before = (target) => {
        if (target === reed) return to.refuse("overloaded")
        const waits = isFirst
        isFirst = false
        return waits ? slow.wait : Effect.void
      }
      // Nothing can be kept, so that only the cursor knows of it.
      probe.before = (tables) => (tables.includes("undelivered") ? StoreProbe.full : Effect.void)
      const first = yield* start(from, to, probe.store)
      const [a] = from.emit(loom, message(heddle, "a"), message(reed, "b"))
      yield* slow.reached
      from.emit(loom, voidOf(a!, heddle, 1))
      yield* letRun
      yield* slow.open
      yield* received(to, 1)
      yield* letRun
      yield* first.stop
      to.before = () => Effect.void
      yield* start(from, to, probe.store)
      yield* received(to, 2)
      assert.deepStrictEqual(datas(to), ["a", "b"])
    }),
  )

  it.effect("stands once for what was given up twice", () =>
    Effect.gen(function* () {
      const [from, to] = [outbox(), receiver()]
      const { undelivered, arrived } = yield* start(from, to)
      const [a] = from.emit(loom, message(heddle, "a"), message(heddle, "b"))
      yield* letRun
      from.emit(loom, voidOf(a!, heddle, 1), voidOf(a!, heddle, 1))
      yield* letRun
      assert.deepStrictEqual(waiting(yield* undelivered), [
        ["void", 1, 1],
        ["message", 0, 1],
      ])
      arrived(to.spawn(heddle))
      yield* received(to, 2)
      yield* letRun
      assert.deepStrictEqual(yield* undelivered, [])
    }),
  )
})

it.effect("a source that has had two pasts is held and shown, and the clock does not ask again", () =>
  Effect.gen(function* () {
    const [from, to] = [outbox(), receiver(heddle)]
    to.before = () => to.refuse("source forked")
    const { undelivered } = yield* start(from, to)
    from.emit(loom, message(heddle, "a"))
    yield* letRun
    yield* TestClock.adjust("1 day")
    yield* letRun
    assert.strictEqual(to.submits, 1)
    assert.include((yield* undelivered)[0]?.reason, "source forked")
  }),
)

describe("a messenger that crashes", () => {
  /**
   * A life of a few pairs with a spawn, timers, targets that come late and refusals that pass. `crash` is asked before
   * and after every commit and every submission; where it says so, that was the last that the messenger did.
   */
  const live = Effect.fnUntraced(function* (crash: () => boolean, bounds = boundsDefault) {
    const [from, to, probe] = [outbox(), receiver(loom, reed), StoreProbe.make()]
    const [child] = outbox().emit(loom, { kind: "spawn" })
    let dead = false
    const step = Effect.suspend(() => {
      dead ||= crash()
      return dead ? StoreProbe.full : Effect.void
    })
    const asRefusal = Effect.mapError(
      step,
      () => new Refused({ reason: "store failed", detail: "it crashed" }),
    )
    probe.before = () => step
    probe.after = () => step
    let refusals = 2
    to.before = () =>
      Effect.andThen(
        asRefusal,
        Effect.suspend(() => (refusals-- > 0 ? to.refuse("overloaded") : Effect.void)),
      )
    to.after = () => asRefusal

    let messenger = yield* start(from, to, probe.store, bounds)
    let crashes = 0
    const settle = Effect.gen(function* () {
      for (let i = 0; i < 8; i++) {
        yield* letRun
        if (dead) {
          yield* messenger.stop
          dead = false
          crashes++
          messenger = yield* start(from, to, probe.store, bounds)
        }
        yield* TestClock.adjust(200)
      }
    })
    from.emit(loom, { kind: "spawn" }, message(child!, "c1"), message(reed, "r1"), timer(loom, 400))
    yield* settle
    from.emit(reed, message(heddle, "h1"), message(loom, "l1"))
    const [given] = from.emit(loom, message(ghost, "x1"), message(ghost, "x2"))
    from.emit(loom, message(heddle, "g1"), message(child!, "c2"))
    yield* settle
    from.emit(reed, message(heddle, "h2"), timer(reed, 3_000))
    from.emit(loom, voidOf(given!, ghost, 1), message(ghost, "x3"))
    yield* settle
    messenger.arrived(to.spawn(ghost))
    messenger.arrived(to.spawn(heddle))
    from.emit(loom, message(reed, "r2"))
    yield* settle
    yield* TestClock.setTime(10_000)
    yield* settle
    // A messenger that crashed when its target came hears of it when it is started again.
    yield* messenger.stop
    messenger = yield* start(from, to, probe.store, bounds)
    yield* settle
    yield* SmallNode.until(
      "all is delivered",
      Effect.map(messenger.undelivered, (left) => left.length === 0),
    )
    yield* messenger.stop
    return { to, child, crashes }
  })

  const expected = (to: Receiver, child: Id.ProcessId) => {
    assert.deepStrictEqual(datas(to, child), ["", "c1", "c2"])
    const of = (source: Id.ProcessId, target: Id.ProcessId, kind = "message") =>
      to.log
        .filter((one) => one.source === source && one.target === target && one.kind === kind)
        .map(({ data, at }) => (kind === "timer" ? at : data))
    assert.deepStrictEqual(
      [of(loom, reed), of(reed, heddle), of(loom, heddle)],
      [["r1", "r2"], ["h1", "h2"], ["g1"]],
    )
    assert.deepStrictEqual(of(reed, loom), ["l1"])
    const [first, second] = [of(loom, loom, "timer"), of(reed, reed, "timer")]
    assert.deepStrictEqual([first.length, second.length], [1, 1])
    assert.isTrue(Number(first[0]) >= 400 && Number(second[0]) >= 3_000)
    // Given up or delivered, as it came, and the number taken once.
    const ghosts = to.log.filter(({ target }) => target === ghost)
    assert.deepStrictEqual(
      [ghosts.map(({ pair }) => pair), datas(to, ghost).slice(1)],
      [
        [1, 2, 3],
        ["x2", "x3"],
      ],
    )
    assert.strictEqual(to.log.length, 14)
  }

  it.effect("at any step of its work delivers all of it, each once and in the order of its pair", () =>
    Effect.gen(function* () {
      let steps = 0
      const whole = yield* live(() => (steps++, false))
      expected(whole.to, whole.child!)
      assert.isAbove(steps, 30)
      for (let fatal = 0; fatal < steps; fatal++) {
        let at = 0
        const { to, child, crashes } = yield* live(() => at++ === fatal)
        assert.isAtMost(crashes, 1)
        expected(to, child!)
      }
    }),
  )

  it.effect("and has little memory, does so too", () =>
    Effect.gen(function* () {
      const bounds = { lanesMax: 2, parcelsPerLaneMax: 1, bytesMax: 1024 * 1024 }
      let steps = 0
      const whole = yield* live(() => (steps++, false), bounds)
      expected(whole.to, whole.child!)
      assert.isAbove(steps, 30)
      for (let fatal = 0; fatal < steps; fatal++) {
        let at = 0
        const { to, child } = yield* live(() => at++ === fatal, bounds)
        expected(to, child!)
      }
    }),
  )

  it.effect("at two steps one after the other delivers all of it too", () =>
    Effect.gen(function* () {
      for (let fatal = 0; fatal < 40; fatal += 3) {
        let at = 0
        const { to, child } = yield* live(() => (at++, at === fatal || at === fatal + 7))
        expected(to, child!)
      }
    }),
  )
})

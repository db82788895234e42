import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { ComputeUnit, type Release } from "../../compute-unit/ComputeUnit.ts"
import * as Delivery from "../../messenger-unit/Delivery.ts"
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
      processes: Effect.succeed([]),
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
) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const compute = { releases: from.follow } as ComputeUnit["Service"] // it asks for nothing else
  const delivery = yield* Delivery.make.pipe(
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
      `tries again what passes by itself, after twice the time, and holds up nobody else: ${reason}`,
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
            yield* TestClock.adjust(wait - 1)
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
        (yield* undelivered).map(({ index, reason }) => [index, reason.split(":")[0]]),
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
  const live = Effect.fnUntraced(function* (crash: () => boolean) {
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

    let messenger = yield* start(from, to, probe.store)
    let crashes = 0
    const settle = Effect.gen(function* () {
      for (let i = 0; i < 8; i++) {
        yield* letRun
        if (dead) {
          yield* messenger.stop
          dead = false
          crashes++
          messenger = yield* start(from, to, probe.store)
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
    messenger = yield* start(from, to, probe.store)
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

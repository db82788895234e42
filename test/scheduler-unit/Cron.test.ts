import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import * as Admission from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as Process from "../../runtime/Process.ts"
import type { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Tag from "../../runtime/Tag.ts"
import * as Cron from "../../scheduler-unit/Cron.ts"
import type { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as StoreFaulty from "../simulation/StoreFaulty.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import * as Unsigned from "../support/Unsigned.ts"

const { identity, module, settle } = LocalScheduler

const spawn = (name: string, intervals: ReadonlyArray<string>) =>
  Unsigned.spawn({
    anchor: name,
    tags: [
      ["Module", module],
      ["Scheduler", identity.address],
      ...intervals.map((interval) => ["Cron-Interval", interval] as const),
    ],
  })

/** A log of a process spawned at 0, with what was admitted of its crons. */
const log = (
  intervals: ReadonlyArray<string>,
  last: Record<string, number> = {},
  spawnedAt = 0,
): Admission.LogState => ({
  ...Admission.emptyLog,
  process: Result.getOrThrow(Process.fromSpawn(spawn("log", intervals))),
  nextSlot: 1,
  spawnedAt,
  cron: HashMap.fromIterable(Object.entries(last)),
})

describe("the next cron message", () => {
  it("is the one after the last admitted, while it is not due", () => {
    const ten = (last: number, now: number) => Cron.next(log(["10-seconds"], { "10-seconds": last }), now)
    assert.deepStrictEqual(Cron.next(log(["10-seconds"]), 0), { name: "10-seconds", count: 1, at: 10_000 })
    assert.deepStrictEqual(ten(1, 12_000), { name: "10-seconds", count: 2, at: 20_000 })
    assert.deepStrictEqual(ten(2, 19_999), { name: "10-seconds", count: 3, at: 30_000 })
  })

  it("is the newest that is due where several are: those before it are missed", () => {
    const state = log(["10-seconds"], { "10-seconds": 1 })
    assert.deepInclude(Cron.next(state, 20_000), { count: 2 })
    assert.deepInclude(Cron.next(state, 29_999), { count: 2 })
    assert.deepInclude(Cron.next(state, 30_000), { count: 3, at: 30_000 })
    assert.deepInclude(Cron.next(state, 34_000), { count: 3, at: 30_000 })
  })

  it("is counted from the spawn", () => {
    assert.deepStrictEqual(Cron.next(log(["1-hour"], {}, 1_700_000_000_000), 1_700_000_000_000), {
      name: "1-hour",
      count: 1,
      at: 1_700_003_600_000,
    })
    assert.deepInclude(Cron.next(log(["1-hour"], {}, 1_700_000_000_000), 0), { count: 1 }, "a clock set back")
  })

  it("is that of the cron that is due first, and of equal times of the one named first", () => {
    const state = (last = {}) => log(["1-minute", "10-seconds", "60-seconds"], last)
    assert.deepInclude(Cron.next(state(), 0), { name: "10-seconds", count: 1 })
    assert.deepInclude(Cron.next(state({ "10-seconds": 6 }), 60_000), { name: "1-minute", count: 1 })
    assert.deepInclude(Cron.next(state({ "10-seconds": 6, "1-minute": 1 }), 60_000), { name: "60-seconds" })
    assert.deepInclude(Cron.next(state({ "10-seconds": 6, "1-minute": 1, "60-seconds": 1 }), 60_000), {
      name: "10-seconds",
      count: 7,
    })
  })

  it("is none without a cron, without a process, and after the last count that an item can carry", () => {
    assert.strictEqual(Cron.next(log([]), 0), undefined)
    assert.strictEqual(Cron.next(Admission.emptyLog, 0), undefined)
    const at = (last: number) => Cron.next(log(["1-second"], { "1-second": last }), 0)
    assert.deepInclude(at(0xffff_fffe), { count: 0xffff_ffff })
    assert.strictEqual(at(0xffff_ffff), undefined)
    assert.deepInclude(
      Cron.next(log(["1-second"]), Number.MAX_SAFE_INTEGER),
      { count: 0xffff_ffff },
      "a clock far ahead",
    )
  })

  it("is admitted when its time has come, and not before, whatever was admitted and whenever one looks", () => {
    const intervals = ["3-seconds", "5-seconds"]
    fc.assert(
      fc.property(fc.nat(20), fc.nat(20), fc.nat(200_000), fc.nat(1_000), (a, b, now, spawnedAt) => {
        const state = log(intervals, { "3-seconds": a, "5-seconds": b }, spawnedAt)
        const { name, count, at } = Cron.next(state, now)!
        const message = Result.getOrThrow(Message.parse(OutboxItem.cron(state.process!.id, name, count)))
        const candidate = { message, voucher: { none: true }, seen: undefined } as const
        const admit = (timestamp: number) => Result.isSuccess(Admission.admit(state, candidate, timestamp))
        assert.deepStrictEqual([admit(at - 1), admit(at)], [false, true])
        if (at <= now) {
          const later = Cron.next({ ...state, cron: HashMap.set(state.cron, name, count) }, now)!
          assert.isFalse(later.name === name && later.at <= now, "of those that were due it was the last")
        }
      }),
    )
  })
})

type Scheduler = SchedulerUnit["Service"]

const start = (store: Store["Service"]) => LocalScheduler.start({ store, verifier: LocalScheduler.credulous })

/** Makes a process with these crons now. */
const make = (scheduler: Scheduler, name: string, intervals: ReadonlyArray<string>) =>
  Effect.map(scheduler.submit(spawn(name, intervals).item.bytes, Bytes.empty), ({ process }) => process)

const pass = (ms: number) => Effect.andThen(TestClock.adjust(ms), settle)

/** The cron messages in a log: which, and when they got their slot. */
const crons = (scheduler: Scheduler, process: Id.ProcessId) =>
  Effect.map(scheduler.log(process, 0, 1_000), (entries) =>
    entries.slice(1).map(({ item, proof, assignment }) => {
      const { tags } = Result.getOrThrow(Item.decode(item))
      assert.strictEqual(proof.length, 0)
      return `${Tag.value(tags, "Cron-Name")} ${Tag.value(tags, "Cron-Count")} at ${assignment.timestamp}`
    }),
  )

describe("a scheduler", () => {
  it.effect("sends the cron messages of its processes when they are due", () =>
    Effect.gen(function* () {
      const scheduler = yield* start(StoreMemory.make())
      const process = yield* make(scheduler, "a", ["10-seconds", "25-seconds"])
      yield* pass(9_999)
      assert.deepStrictEqual(yield* crons(scheduler, process), [])
      yield* pass(1)
      assert.deepStrictEqual(yield* crons(scheduler, process), ["10-seconds 1 at 10000"])
      for (let second = 11; second <= 50; second++) yield* pass(1_000)
      assert.deepStrictEqual(yield* crons(scheduler, process), [
        "10-seconds 1 at 10000",
        "10-seconds 2 at 20000",
        "25-seconds 1 at 25000",
        "10-seconds 3 at 30000",
        "10-seconds 4 at 40000",
        "10-seconds 5 at 50000",
        "25-seconds 2 at 50000",
      ])
    }),
  )

  it.effect("serves processes that are spawned later, also one that is due before all others", () =>
    Effect.gen(function* () {
      const scheduler = yield* start(StoreMemory.make())
      yield* pass(500)
      const slow = yield* make(scheduler, "a", ["1-minute"])
      yield* pass(1_000)
      const quick = yield* make(scheduler, "b", ["2-seconds"])
      const none = yield* make(scheduler, "c", [])
      yield* pass(2_000)
      assert.deepStrictEqual(yield* crons(scheduler, quick), ["2-seconds 1 at 3500"])
      yield* pass(60_500 - 3_500)
      assert.deepStrictEqual(yield* crons(scheduler, slow), ["1-minute 1 at 60500"])
      assert.deepStrictEqual(yield* crons(scheduler, none), [])
    }),
  )

  it.effect("that was away sends the newest count that is due, once, and goes on from there", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const scope = yield* Scope.make()
      const first = yield* start(store).pipe(Scope.provide(scope))
      const process = yield* make(first, "a", ["10-seconds"])
      yield* pass(10_000)
      yield* Scope.close(scope, Exit.void)
      yield* pass(44_000)
      const second = yield* start(store)
      yield* settle
      assert.deepStrictEqual(yield* crons(second, process), [
        "10-seconds 1 at 10000",
        "10-seconds 5 at 54000",
      ])
      yield* pass(5_999)
      assert.strictEqual((yield* crons(second, process)).length, 2)
      yield* pass(1)
      assert.strictEqual((yield* crons(second, process)).at(-1), "10-seconds 6 at 60000")
    }),
  )

  it.effect("that ended sends nothing any more", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const scope = yield* Scope.make()
      const scheduler = yield* start(store).pipe(Scope.provide(scope))
      yield* make(scheduler, "a", ["1-second"])
      yield* pass(1_000)
      const commits = store.commits()
      yield* Scope.close(scope, Exit.void)
      yield* pass(100_000)
      assert.strictEqual(store.commits(), commits)
    }),
  )

  it.effect("sends what many processes are due in few batches", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const scheduler = yield* start(store)
      const count = Limit.cronsPerRoundMax + 50
      const all = yield* Effect.forEach(
        Array.from({ length: count }).keys(),
        (n) => make(scheduler, `${n}`, ["1-minute"]),
        { concurrency: "unbounded" },
      )
      const commits = store.commits()
      yield* pass(60_000)
      yield* settle
      assert.isAtMost(store.commits() - commits, 4)
      for (const process of [all[0]!, all[500]!, all.at(-1)!])
        assert.deepStrictEqual(yield* crons(scheduler, process), ["1-minute 1 at 60000"])
      assert.isTrue((yield* scheduler.processes).every(({ nextSlot }) => nextSlot === 2))
    }),
  )

  it.effect("sends none twice, though somebody else sent it already", () =>
    Effect.gen(function* () {
      const scheduler = yield* start(StoreMemory.make())
      const process = yield* make(scheduler, "a", ["10-seconds"])
      yield* pass(10_000)
      const again = yield* scheduler.submit(OutboxItem.cron(process, "10-seconds", 1).bytes, Bytes.empty)
      assert.deepInclude(again, { slot: 1, repeat: true })
      yield* pass(10_000)
      assert.deepStrictEqual(yield* crons(scheduler, process), [
        "10-seconds 1 at 10000",
        "10-seconds 2 at 20000",
      ])
    }),
  )

  it.effect("whose store fails tries again, later and later, and skips what was due meanwhile", () =>
    Effect.gen(function* () {
      const { store, fail } = StoreFaulty.bend(StoreMemory.make())
      const scheduler = yield* start(store)
      const process = yield* make(scheduler, "a", ["1-second"])
      fail(5)
      // Tried at 1,000, after 100, 200, 400, 800 ms, and 1,600 ms later with success.
      for (let ms = 0; ms < 4_050; ms += 50) yield* pass(50)
      assert.deepStrictEqual(yield* crons(scheduler, process), [])
      yield* pass(50)
      assert.deepStrictEqual(yield* crons(scheduler, process), ["1-second 4 at 4100"])
      for (let ms = 0; ms < 900; ms += 50) yield* pass(50)
      assert.deepStrictEqual(yield* crons(scheduler, process), ["1-second 4 at 4100", "1-second 5 at 5000"])
    }),
  )

  it.effect("whose clock is set forward while it sleeps finds out within a minute", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let ahead = 0
      const now = () => clock.currentTimeMillisUnsafe() + ahead
      const bent = Object.assign(Object.create(clock) as typeof clock, {
        currentTimeMillisUnsafe: now,
        currentTimeMillis: Effect.sync(now),
      })
      const scheduler = yield* Effect.provideService(start(StoreMemory.make()), Clock.Clock, bent)
      const process = yield* make(scheduler, "a", ["1-day"])
      yield* settle
      ahead = 86_400_000
      yield* pass(59_999)
      assert.strictEqual((yield* crons(scheduler, process)).length, 0)
      yield* pass(1)
      assert.deepStrictEqual(yield* crons(scheduler, process), ["1-day 1 at 86460000"])
    }),
  )
})

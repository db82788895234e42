/** A scheduler that hands a process over: its last slot is the word that moves it, and it gives none after. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import * as SignedItem from "../../identity/SignedItem.ts"
import type { Refused } from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import type * as Item from "../../runtime/Item.ts"
import * as Message from "../../runtime/Message.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import type { Accepted, SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "../support/Caller.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import * as Unsigned from "../support/Unsigned.ts"

const { identity, module, settle, signer, start } = LocalScheduler
const ada = Caller.caller("ada")
const next = Unsigned.id("next scheduler")

const send = (scheduler: SchedulerUnit["Service"], item: Item.Item) =>
  scheduler.submit(item.bytes, Bytes.empty)
const verdict = (effect: Effect.Effect<Accepted, Refused>) =>
  Effect.map(Effect.result(effect), (found) =>
    Result.isFailure(found) ? found.failure.reason : `slot ${found.success.slot}`,
  )

const begun = Effect.gen(function* () {
  const store = StoreMemory.make()
  const scheduler = yield* start({ store })
  const spawn = yield* Effect.promise(() =>
    ada.spawn(module, identity.address, { "Cron-Interval": "10-seconds" }),
  )
  const { process } = yield* send(scheduler, spawn)
  return { store, scheduler, process }
})
const say = (process: Id.ProcessId, data: string, by = ada) =>
  Effect.promise(() => by.message(process, "Say", {}, data))
const moveTags = { Scheduler: next, Term: "1" }
const move = (process: Id.ProcessId, by = ada) =>
  Effect.promise(() => by.message(process, "Scheduler", moveTags))

/** The scheduler's own word. */
const ownMove = (process: Id.ProcessId) =>
  Effect.orDie(
    SignedItem.sign(signer, {
      target: Id.toBytes(process),
      anchor: Unsigned.hash("anchor"),
      tags: [
        ...Message.protocolTags("Message"),
        { name: "Action", value: "Scheduler" },
        ...Object.entries(moveTags).map(([name, value]) => ({ name, value })),
      ],
      data: Bytes.empty,
    }),
  )

describe("a process that is handed over", () => {
  it.effect("gets no slot more, over a restart too; what has one is answered with it", () =>
    Effect.gen(function* () {
      const { store, scheduler, process } = yield* begun
      const first = yield* say(process, "first")
      assert.strictEqual(yield* verdict(send(scheduler, first)), "slot 1")
      const moved = yield* move(process)
      assert.strictEqual(yield* verdict(send(scheduler, moved)), "slot 2")
      const later = yield* say(process, "later")
      for (const unit of [scheduler, yield* start({ store })]) {
        const refused = yield* Effect.flip(send(unit, later))
        assert.strictEqual(refused.reason, "other scheduler")
        assert.include(refused.detail, next)
        assert.strictEqual(yield* verdict(send(unit, first)), "slot 1")
        assert.strictEqual(yield* verdict(send(unit, moved)), "slot 2")
        assert.strictEqual((yield* unit.log(process, 0, 10)).length, 3)
      }
    }),
  )

  it.effect("gets none in the batch of the hand-over either", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* begun
      const all = [
        yield* say(process, "a"),
        yield* move(process),
        yield* say(process, "b"),
        yield* move(process),
      ]
      const verdicts = yield* Effect.forEach(all, (item) => verdict(send(scheduler, item)), {
        concurrency: "unbounded",
      })
      assert.deepStrictEqual(verdicts, ["slot 1", "slot 2", "other scheduler", "other scheduler"])
      assert.deepStrictEqual(
        (yield* scheduler.log(process, 0, 10)).map(({ assignment: { term } }) => term),
        [0, 0, 0],
      )
    }),
  )

  it.effect("gets no cron message more, and those of others go on", () =>
    Effect.gen(function* () {
      const { store, scheduler, process } = yield* begun
      const other = yield* send(
        scheduler,
        yield* Effect.promise(() => ada.spawn(module, identity.address, { "Cron-Interval": "10-seconds" })),
      )
      yield* send(scheduler, yield* move(process))
      const lengths = (unit: SchedulerUnit["Service"]) =>
        Effect.forEach([process, other.process], (one) =>
          Effect.map(unit.log(one, 0, 99), (all) => all.length),
        )
      yield* TestClock.adjust(10_000)
      yield* settle
      assert.deepStrictEqual(yield* lengths(scheduler), [2, 2])
      const again = yield* start({ store })
      yield* TestClock.adjust(10_000)
      yield* settle
      assert.deepStrictEqual(yield* lengths(again), [2, 3])
    }),
  )

  it.effect("is so by its owner's word or the scheduler's own, and by nobody else's", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* begun
      assert.strictEqual(
        yield* verdict(send(scheduler, yield* move(process, Caller.caller("bob")))),
        "bad move",
      )
      assert.strictEqual(yield* verdict(send(scheduler, yield* say(process, "a"))), "slot 1")
      assert.strictEqual(yield* verdict(send(scheduler, yield* ownMove(process))), "slot 2")
      assert.strictEqual(yield* verdict(send(scheduler, yield* say(process, "b"))), "other scheduler")
    }),
  )
})

/** Where a message goes that is not for the own scheduler. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { Refused } from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import type * as Move from "../../runtime/Move.ts"
import * as Route from "../../scheduler-unit/Route.ts"
import * as Schedulers from "../../scheduler-unit/Schedulers.ts"
import { type Accepted, LogUnknown, type SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Unsigned from "../support/Unsigned.ts"

type Scheduler = SchedulerUnit["Service"]

const process = Unsigned.id("process")
const { bytes } = Unsigned.message(process).item
const [own, a, b, c] = ["own", "a", "b", "c"].map(Unsigned.id) as [Id.Id, Id.Id, Id.Id, Id.Id]

/** One that gives the slots of its own term, and says who gives the next; it counts what it is sent. */
const scheduler = (address: Id.Address, tenure?: Move.Tenure) => {
  const state = { tenure, submits: 0 }
  const unit = {
    address,
    tenure: (of: Id.ProcessId) =>
      Effect.suspend(() =>
        state.tenure === undefined
          ? Effect.fail(new LogUnknown({ process: of, slot: 0 }))
          : Effect.succeed(state.tenure),
      ),
    submit: () =>
      Effect.suspend((): Effect.Effect<Accepted, Refused> => {
        state.submits++
        if (state.tenure?.scheduler === address)
          return Effect.succeed({
            id: process,
            process,
            slot: state.submits,
            timestamp: 0,
            head: Unsigned.hash(address),
            repeat: false,
          })
        const reason = state.tenure === undefined ? "unknown process" : "other scheduler"
        return Effect.fail(new Refused({ reason, detail: "not here" }))
      }),
  } as Partial<Scheduler> as Scheduler // it is asked for nothing else
  return { state, unit }
}
const submit = (unit: Scheduler, item = bytes) => unit.submit(item, Bytes.empty)
const takenBy = (answer: Effect.Effect<Accepted, Refused>) =>
  Effect.map(answer, ({ head }) => Bytes.toHex(head))
const by = (address: Id.Address) => Bytes.toHex(Unsigned.hash(address))

describe("a message", () => {
  it.effect("stays where it is taken, and is refused as it was where nobody else is known", () =>
    Effect.gen(function* () {
      const here = scheduler(own, { term: 0, scheduler: own })
      const there = scheduler(a, { term: 1, scheduler: a })
      const route = Route.make(here.unit, Schedulers.of([there.unit]))
      assert.strictEqual(yield* takenBy(submit(route)), by(own))
      assert.strictEqual(there.state.submits, 0)
      const nobody = Route.make(scheduler(own).unit, Schedulers.of([]))
      assert.deepInclude(yield* Effect.flip(submit(nobody)), {
        reason: "unknown process",
        detail: "not here",
      })
      const stranger = Route.make(scheduler(own).unit, Schedulers.of([scheduler(a).unit]))
      assert.deepInclude(yield* Effect.flip(submit(stranger)), { reason: "unknown process" })
    }),
  )

  it.effect("goes to whom the own log names, else to whom the newest word names", () =>
    Effect.gen(function* () {
      const there = scheduler(b, { term: 2, scheduler: b })
      const moved = scheduler(own, { term: 2, scheduler: b })
      assert.strictEqual(yield* takenBy(submit(Route.make(moved.unit, Schedulers.of([there.unit])))), by(b))
      // The old one does not know yet that it went on from `a` to `b`.
      const old = scheduler(a, { term: 1, scheduler: a })
      const route = Route.make(scheduler(own).unit, Schedulers.of([old.unit, there.unit, scheduler(c).unit]))
      assert.strictEqual(yield* takenBy(submit(route)), by(b))
      assert.strictEqual(old.state.submits, 0)
    }),
  )

  it.effect("that spawns goes to whom it names", () =>
    Effect.gen(function* () {
      const here = {
        ...scheduler(own).unit,
        submit: () => Effect.fail(new Refused({ reason: "other scheduler", detail: "not here" })),
      }
      const there = scheduler(a, { term: 0, scheduler: a })
      const route = Route.make(here, Schedulers.of([scheduler(b).unit, there.unit]))
      const spawn = Unsigned.spawn({ tags: [["Scheduler", a]] }).item.bytes
      assert.strictEqual(yield* takenBy(submit(route, spawn)), by(a))
    }),
  )

  it.effect("waits a while for one that has not taken the process over, and then is to be sent again", () =>
    Effect.gen(function* () {
      const moved = scheduler(own, { term: 1, scheduler: a })
      const there = scheduler(a)
      const route = Route.make(moved.unit, Schedulers.of([there.unit]))
      const first = yield* Effect.forkChild(takenBy(submit(route)))
      yield* TestClock.adjust(Limit.elsewhereMsMax / 2)
      there.state.tenure = { term: 1, scheduler: a }
      yield* TestClock.adjust(Limit.askRetryMsMin)
      assert.strictEqual(yield* Fiber.join(first), by(a))
      there.state.tenure = undefined
      const second = yield* Effect.forkChild(Effect.flip(submit(route)))
      yield* TestClock.adjust(Limit.elsewhereMsMax)
      assert.deepInclude(yield* Fiber.join(second), {
        reason: "other scheduler",
        retryMs: Limit.elsewhereMsMax,
      })
    }),
  )

  it.effect("is not kept waiting by one that never answers", () =>
    Effect.gen(function* () {
      const there = scheduler(b, { term: 0, scheduler: b })
      const dead = { ...scheduler(a).unit, tenure: () => Effect.never }
      const route = Route.make(scheduler(own).unit, Schedulers.of([dead, there.unit]))
      const sent = yield* Effect.forkChild(Effect.result(takenBy(submit(route))))
      yield* TestClock.adjust(Limit.elsewhereMsMax * 2)
      assert.deepInclude(yield* Fiber.join(sent), { _tag: "Success", success: by(b) })
    }),
  )
})

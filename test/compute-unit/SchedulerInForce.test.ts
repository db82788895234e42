/** Logs whose slots are signed by somebody: by the scheduler in force there, or by another. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import type * as Id from "../../runtime/Id.ts"
import { LogUnknown, type SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "../support/Caller.ts"
import * as LogBook from "../support/LogBook.ts"
import * as UnitOver from "../support/UnitOver.ts"

type Scheduler = SchedulerUnit["Service"]

const [first, second] = [Caller.caller("first scheduler").signer, Caller.caller("second scheduler").signer]
const quiet = Effect.provideService(References.MinimumLogLevel, "None")

/** A process of the first scheduler, in its log and in one that the second made of the same items. */
const twoBooks = Effect.gen(function* () {
  const [one, two] = [LogBook.make(first), LogBook.make(second)]
  const process = yield* UnitOver.spawn(one)
  for (const line of yield* UnitOver.say(process, "Add", "Add")) one.write(line)
  for (const { item } of one.entries(process)) two.write({ process, item })
  return { one, two, process }
})

/** The second scheduler, which has the log of a process as `book` has it. */
const having = (book: LogBook.LogBook, more: Partial<Scheduler> = {}): Scheduler => ({
  ...book.service,
  address: second.address,
  nextBatch: Effect.succeed(0),
  batches: () => Stream.never,
  ...more,
})

/** Why a unit that follows it computes nothing of the process. */
const refused = Effect.fnUntraced(function* (scheduler: Scheduler, process: Id.ProcessId) {
  const { unit } = yield* UnitOver.make(scheduler)
  const why = yield* unit.parked(process)
  assert.strictEqual((yield* unit.progress(process)).slots, 0)
  return why
})

describe("a log that was begun by another scheduler than the one followed", () => {
  it.effect("is computed where its receipts are of the scheduler in force", () =>
    Effect.gen(function* () {
      const { one, process } = yield* twoBooks
      const { unit } = yield* UnitOver.make(having(one))
      assert.deepInclude((yield* unit.turn(process, 2)).outcome.replies[0], { value: "2" })
      assert.isUndefined(yield* unit.equivocation(process))
    }),
  )

  it.effect("is refused where the one followed made up its past, in a log or in batches", () =>
    Effect.gen(function* () {
      const { two, process } = yield* twoBooks
      const why = new RegExp(`signed by ${second.address}, and was ${first.address}'s to give`)
      assert.match(yield* refused(having(two), process), why)
      const streamed = having(two, { processes: Effect.succeed([]), batches: two.service.batches })
      assert.match(yield* refused(streamed, process), why)
    }).pipe(quiet),
  )

  it.effect("is refused where a receipt is of another past of it", () =>
    Effect.gen(function* () {
      const { one, process } = yield* twoBooks
      const other = LogBook.make(first)
      other.write({ process, item: one.entries(process)[0]!.item })
      for (const line of yield* UnitOver.say(process, "Add", "Get")) other.write(line)
      const why = yield* refused(having(other, { receipt: one.service.receipt }), process)
      assert.match(why, /slot 2: its receipt is of another head/)
    }).pipe(quiet),
  )

  it.effect("is not taken while there is no receipt of it, and no other is held up", () =>
    Effect.gen(function* () {
      const { one, process } = yield* twoBooks
      const other = yield* UnitOver.spawn(one)
      let there = false
      const { unit } = yield* UnitOver.make(
        having(one, {
          receipt: (of, slot) =>
            of === process && !there
              ? Effect.fail(new LogUnknown({ process: of, slot }))
              : one.service.receipt(of, slot),
        }),
      )
      assert.strictEqual((yield* unit.turn(other, 0)).outcome.error, undefined)
      yield* UnitOver.letRun
      const { slots, parked } = yield* unit.progress(process)
      assert.deepStrictEqual([slots, parked], [0, undefined])
    }).pipe(quiet),
  )

  it.effect("needs no receipt where it is read from the unit's own node", () =>
    Effect.gen(function* () {
      const { two, process } = yield* twoBooks
      const { unit } = yield* UnitOver.make(having(two), { signer: second })
      assert.strictEqual((yield* unit.turn(process, 2)).outcome.error, undefined)
    }),
  )
})

/** A log that goes over to the second scheduler after slot 2, and who signed which slot, as one or the other has it. */
const moved = Effect.gen(function* () {
  const { one, two, process } = yield* twoBooks
  const word = yield* Effect.promise(() =>
    UnitOver.ada.message(process, "Scheduler", { Scheduler: second.address, Term: "1" }),
  )
  const lines: ReadonlyArray<LogBook.Line> = [
    { process, item: word.bytes },
    ...(yield* UnitOver.say(process, "Add", "Add")).map((line) => ({ ...line, term: 1 })),
  ]
  for (const line of lines) for (const book of [one, two]) book.write(line)
  const given = (by: (slot: number) => LogBook.LogBook): Scheduler =>
    having(two, {
      receipt: (of, slot) => by(slot).service.receipt(of, slot),
      // The second one's batches have numbers that the first one's have too.
      log: (of, from, limit) =>
        Effect.map(two.service.log(of, from, limit), (entries) =>
          entries.map((entry) => ({ ...entry, batch: entry.batch % 4 })),
        ),
    })
  return { one, two, process, given }
})

describe("a log that goes over to another scheduler", () => {
  it.effect("is computed where each signed in its term, and attested by the batches of each", () =>
    Effect.gen(function* () {
      const { one, two, process, given } = yield* moved
      const scheduler = given((slot) => (slot <= 3 ? one : two))
      const paged = yield* UnitOver.make({
        ...scheduler,
        // A page ends within a term, and within a batch number that both have.
        log: (of, from, limit) => scheduler.log(of, from, Math.min(limit, 5)),
      })
      const whole = yield* UnitOver.make(two.service, { signer: second })
      for (const { unit } of [paged, whole])
        assert.deepInclude((yield* unit.turn(process, 5)).outcome.replies[0], { value: "4" })
      assert.deepStrictEqual(
        yield* UnitOver.shown(paged.unit, process),
        yield* UnitOver.shown(whole.unit, process),
      )
    }),
  )

  it.effect("is refused from where one signed in the other's term", () =>
    Effect.gen(function* () {
      const { one, two, process, given } = yield* moved
      for (const [scheduler, slots] of [
        [given(() => two), 0],
        [given(() => one), 4],
      ] as const) {
        const { unit } = yield* UnitOver.make(scheduler)
        assert.match(yield* unit.parked(process), /it is signed by .* to give/)
        assert.strictEqual((yield* unit.progress(process)).slots, slots)
      }
    }).pipe(quiet),
  )
})

/** What a compute unit takes of a scheduler whose batches are not all of a process's log. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import type { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as LogBook from "../support/LogBook.ts"
import * as UnitOver from "../support/UnitOver.ts"

const quiet = Effect.provideService(References.MinimumLogLevel, "None")

/** A log whose first batches are not the scheduler's own: it has their slots, and hands on what comes after them. */
const takenOver = (book: LogBook.LogBook, batches: number): SchedulerUnit["Service"] => ({
  ...book.service,
  nextBatch: Effect.succeed(batches),
  processes: Effect.succeed([]),
  batches: (from) => Stream.filter(book.service.batches(from), ({ link }) => link.number >= batches),
})

const write = (book: LogBook.LogBook, ...lines: ReadonlyArray<LogBook.Line>) =>
  lines.map((line) => book.write(line))

describe("a process that came from another scheduler", () => {
  it.effect("is computed from its spawn when the first slot comes that this one gave", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* UnitOver.spawn(book)
      write(book, ...(yield* UnitOver.say(process, "Add", "Add")))
      const { unit } = yield* UnitOver.make(takenOver(book, 3))
      yield* UnitOver.letRun
      assert.strictEqual((yield* unit.progress(process)).slots, 0)
      // Two slots of it in one batch, with a process of the scheduler's own.
      const other = yield* UnitOver.spawn(book)
      book.write(...(yield* UnitOver.say(process, "Add", "Get")), ...(yield* UnitOver.say(other, "Add")))
      const { outcome } = yield* unit.turn(process, 4)
      assert.deepInclude(outcome.replies[0], { value: "3" })
      assert.strictEqual((yield* unit.turn(other, 1)).outcome.error, undefined)
      // The batches of before are attested as whoever was there then attested them.
      const whole = yield* UnitOver.make(book.service)
      yield* whole.unit.turn(process, 4)
      assert.deepStrictEqual(yield* UnitOver.shown(unit, process), yield* UnitOver.shown(whole.unit, process))
    }),
  )

  it.effect("is computed from where it was left when it comes back", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* UnitOver.spawn(book)
      const first = yield* UnitOver.make(book.service)
      yield* first.unit.turn(process, 0)
      yield* first.stop
      write(book, ...(yield* UnitOver.say(process, "Add", "Add")))
      let asked: number | undefined
      const service = takenOver(book, 3)
      const { unit } = yield* UnitOver.make(
        {
          ...service,
          log: (of, from, limit) => {
            if (limit > 1) asked ??= from
            return service.log(of, from, limit)
          },
        },
        { store: first.store },
      )
      write(book, ...(yield* UnitOver.say(process, "Get")))
      assert.deepInclude((yield* unit.turn(process, 3)).outcome.replies[0], { value: "2" })
      assert.strictEqual(asked, 1)
    }),
  )
})

describe("a scheduler that names more slots than it has", () => {
  it.effect("holds up no process by it", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const [short, other] = [yield* UnitOver.spawn(book), yield* UnitOver.spawn(book)]
      const { unit } = yield* UnitOver.make({
        ...book.service,
        processes: Effect.map(book.service.processes, (heads) =>
          heads.map((head) => (head.process === short ? { ...head, nextSlot: 9 } : head)),
        ),
      })
      assert.strictEqual((yield* unit.turn(other, 0)).outcome.error, undefined)
      write(book, ...(yield* UnitOver.say(short, "Add")))
      assert.deepInclude((yield* unit.turn(short, 1)).outcome.replies[0], { value: "1" })
    }).pipe(quiet),
  )
})

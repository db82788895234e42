/** Who schedules a process follows from its log, and every unit knows it from the log or a snapshot alone. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Snapshot from "../../compute-unit/Snapshot.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Caller from "../support/Caller.ts"
import * as LogBook from "../support/LogBook.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as UnitOver from "../support/UnitOver.ts"

const [one, two, three] = ["small node", "second scheduler", "third scheduler"].map((name) =>
  Caller.caller(name),
) as [Caller.Caller, Caller.Caller, Caller.Caller]
const { ada } = UnitOver
const bob = Caller.caller("bob")

const move = (by: Caller.Caller, process: Id.ProcessId, scheduler: Caller.Caller, next: number, term = 0) =>
  Effect.map(
    Effect.promise(() =>
      by.message(process, "Scheduler", { Scheduler: scheduler.identity.address, Term: String(next) }),
    ),
    (item): LogBook.Line => ({ process, item: item.bytes, term }),
  )
const add = (process: Id.ProcessId, term: number, by = ada) =>
  Effect.map(
    Effect.promise(() => by.message(process, "Add")),
    (item): LogBook.Line => ({ process, item: item.bytes, term }),
  )

/** A log that goes from one scheduler to the next by hand-overs and a takeover; what each slot comes to. */
const written = Effect.fnUntraced(function* () {
  const book = LogBook.make()
  const process = yield* UnitOver.spawn(book)
  const lines: ReadonlyArray<readonly [LogBook.Line, string | undefined]> = [
    [yield* add(process, 0), undefined],
    [yield* move(bob, process, two, 1), "bad move"],
    [yield* move(ada, process, two, 2), "bad move"],
    [yield* move(ada, process, two, 1), undefined],
    [yield* add(process, 1), undefined],
    [yield* move(one, process, three, 2, 1), "bad move"],
    [yield* move(two, process, three, 2, 1), undefined],
    [yield* add(process, 2), undefined],
    [yield* move(ada, process, one, 3, 3), undefined],
    [yield* add(process, 3), undefined],
  ]
  return { book, process, lines, verdicts: [undefined, ...lines.map(([, verdict]) => verdict)] }
})

const verdictsOf = (unit: UnitOver.Unit, process: Id.ProcessId) =>
  Effect.map(unit.turns(process, 0, 100), (turns) =>
    turns.map(({ outcome: { error } }) => (error?.reason === "inadmissible" ? error.message : error?.reason)),
  )

describe("who schedules a process", () => {
  it.effect("changes by its log, equally at every unit", () =>
    Effect.gen(function* () {
      const { book, process, lines, verdicts } = yield* written()
      const slow = (yield* UnitOver.make(book.service)).unit
      for (const [i, [line]] of lines.entries()) {
        book.write(line)
        yield* slow.turn(process, i + 1)
      }
      const whole = (yield* UnitOver.make(book.service)).unit
      yield* whole.turn(process, lines.length)
      for (const unit of [slow, whole]) {
        assert.deepStrictEqual(yield* verdictsOf(unit, process), verdicts)
        assert.deepStrictEqual(yield* UnitOver.shown(unit, process), yield* UnitOver.shown(slow, process))
      }
    }),
  )

  it.effect("is known to a unit that starts from a snapshot at any slot", () =>
    Effect.gen(function* () {
      const { book, process, lines, verdicts } = yield* written()
      const { store } = SmallNode.seams()
      const known: Array<readonly [number, Id.Address]> = []
      for (const slot of verdicts.keys()) {
        if (slot > 0) book.write(lines[slot - 1]![0])
        const { unit, stop } = yield* UnitOver.make(book.service, { store, residentBytesMax: 0 })
        yield* unit.turn(process, slot)
        yield* SmallNode.until(
          `a snapshot at slot ${slot}`,
          Effect.map(unit.snapshots(process), (all) => all.at(-1)?.slot === slot),
        )
        const { metadata } = Result.getOrThrow(Snapshot.decode((yield* unit.snapshot(process, slot))!))
        known.push([metadata.term, metadata.scheduler])
        yield* stop
      }
      const [a, b, c] = [one, two, three].map(({ identity }) => identity.address) as [Id.Id, Id.Id, Id.Id]
      assert.deepStrictEqual(known, [
        [0, a],
        [0, a],
        [0, a],
        [0, a],
        [1, b],
        [1, b],
        [1, b],
        [2, c],
        [2, c],
        [3, a],
        [3, a],
      ])
      const { unit } = yield* UnitOver.make(book.service, { store })
      assert.deepStrictEqual(yield* verdictsOf(unit, process), verdicts)
    }),
  )

  it.effect("is not changed by a term that nobody may begin: there the chain is broken", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<(process: Id.ProcessId) => Effect.Effect<ReadonlyArray<LogBook.Line>>> = [
        // A term that nothing begins; one after a move that was not admitted; the old one after a hand-over.
        (process) => Effect.map(add(process, 1), (line) => [line]),
        (process) => Effect.all([move(bob, process, two, 1), add(process, 1)]),
        (process) => Effect.all([move(ada, process, two, 1), add(process, 0)]),
        // A takeover that is not the owner's, though the scheduler of the term could hand over; one of no good signature.
        (process) => Effect.map(move(one, process, two, 1, 1), (line) => [line]),
        (process) => Effect.map(move(bob, process, two, 1, 1), (line) => [line]),
        (process) =>
          Effect.map(move(ada, process, two, 1, 1), ({ item, ...line }) => {
            const bad = item.slice()
            bad[9]! ^= 1
            return [{ ...line, item: bad }]
          }),
      ]
      for (const [i, lines] of cases.entries()) {
        const book = LogBook.make()
        const process = yield* UnitOver.spawn(book)
        const { unit } = yield* UnitOver.make(book.service)
        const made = yield* lines(process)
        for (const line of made) book.write(line)
        assert.match(yield* unit.parked(process), /term \d follows term \d/, `case ${i}`)
        assert.strictEqual((yield* unit.turns(process, 0, 9)).length, made.length, `case ${i}`)
      }
    }),
  )
})

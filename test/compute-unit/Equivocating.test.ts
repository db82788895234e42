/** A compute unit whose scheduler, which is not its own, signs two logs. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import type * as Id from "../../runtime/Id.ts"
import type { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Equivocation from "../../scheduler-unit/Equivocation.ts"
import * as Caller from "../support/Caller.ts"
import * as LogBook from "../support/LogBook.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import * as UnitOver from "../support/UnitOver.ts"
import { id } from "../support/Unsigned.ts"

type Scheduler = SchedulerUnit["Service"]

const scheduler = Caller.caller("lying scheduler").signer
const quiet = Effect.provideService(References.MinimumLogLevel, "None")

/** Two logs of one scheduler that are the same up to slot 2 of a process, with another process in both. */
const twoLogs = Effect.gen(function* () {
  const books = [LogBook.make(scheduler), LogBook.make(scheduler)] as const
  const process = yield* UnitOver.spawn(books[0])
  const other = yield* UnitOver.spawn(books[0], UnitOver.guest, { Name: "other" })
  for (const one of [process, other]) books[1].write({ process: one, item: books[0].entries(one)[0]!.item })
  const same = yield* UnitOver.say(process, "Add", "Add")
  for (const line of same) for (const book of books) book.write(line)
  return { books, process, other }
})

/** Serves the first log's batches up to a number, then the second's. */
const turncoat = (one: Scheduler, two: Scheduler, at: number): Scheduler => ({
  ...one,
  batches: (from) =>
    from >= at
      ? two.batches(from)
      : Stream.concat(Stream.take(one.batches(from), at - from), two.batches(at)),
})

const say = (book: LogBook.LogBook, process: Id.ProcessId, ...actions: ReadonlyArray<string>) =>
  Effect.map(UnitOver.say(process, ...actions), (lines) => lines.map((line) => book.write(line)))

/** That the unit attests no more of a process than up to `slot`, and can show why. */
const stopped = Effect.fnUntraced(function* (unit: UnitOver.Unit, process: Id.ProcessId, slot: number) {
  assert.match(yield* unit.parked(process), /^scheduler equivocated: /)
  yield* UnitOver.letRun
  const { slots, parked } = yield* unit.progress(process)
  assert.strictEqual(slots, slot + 1)
  assert.match(parked ?? "", /^scheduler equivocated: /)
  assert.isUndefined(yield* unit.attestation(process, slot + 1))
  const found = (yield* unit.equivocation(process))!
  const shown = yield* Equivocation.check(found, VerifierLocal.make())
  assert.strictEqual(shown.scheduler, scheduler.address)
  // As a file, as anyone gets it.
  assert.include(Equivocation.encode(found), "heddle/equivocation/1")
  return found
})

describe("a scheduler that signs two heads", () => {
  it.effect(
    "is found by who follows it, who keeps the proof and attests nothing more of the process, and of others does",
    () =>
      Effect.gen(function* () {
        const { books, process, other } = yield* twoLogs
        const [one, two] = books
        yield* say(one, process, "Add")
        const { unit } = yield* UnitOver.make(turncoat(one.service, two.service, 5))
        yield* unit.turn(process, 3)
        // The unit has slots 0 to 3 of the one log, and then gets slot 4 of the other.
        yield* say(two, process, "Get", "Get")
        const found = yield* stopped(unit, process, 3)
        assert.strictEqual(found.kind, "slot")
        yield* say(two, other, "Add")
        assert.strictEqual((yield* unit.turn(other, 1)).outcome.error, undefined)
        assert.isUndefined(yield* unit.equivocation(other))
      }).pipe(quiet),
  )

  it.effect("is not followed after a restart either, though it shows one log only by then", () =>
    Effect.gen(function* () {
      const { books, process } = yield* twoLogs
      const [one, two] = books
      yield* say(one, process, "Add")
      const { unit, store, stop } = yield* UnitOver.make(turncoat(one.service, two.service, 5))
      yield* unit.turn(process, 3)
      yield* say(two, process, "Get", "Get")
      yield* stopped(unit, process, 3)
      yield* stop
      yield* say(one, process, "Add", "Add")
      const again = yield* UnitOver.make(one.service, { store })
      yield* stopped(again.unit, process, 3)
    }).pipe(quiet),
  )

  it.effect("is found after a restart, in a log that is read in pages", () =>
    Effect.gen(function* () {
      const { books, process } = yield* twoLogs
      const [one, two] = books
      const first = yield* UnitOver.make(one.service)
      yield* first.unit.turn(process, 0)
      yield* say(one, process, "Add")
      yield* first.unit.turn(process, 3)
      yield* first.stop
      yield* say(two, process, "Get", "Get", "Get")
      const { unit } = yield* UnitOver.make(two.service, { store: first.store })
      yield* stopped(unit, process, 3)
    }).pipe(quiet),
  )

  it.effect("is found where it signs a batch number twice", () =>
    Effect.gen(function* () {
      const { books, process, other } = yield* twoLogs
      const [one, two] = books
      const { unit } = yield* UnitOver.make({
        ...one.service,
        batches: (from) => Stream.concat(Stream.take(one.service.batches(from), 1), two.service.batches(4)),
      })
      yield* unit.turn(process, 2)
      yield* say(one, process, "Add")
      yield* unit.turn(process, 3)
      yield* say(two, other, "Add")
      const found = yield* stopped(unit, other, 0)
      assert.strictEqual(found.kind, "batch")
    }).pipe(quiet),
  )

  it.effect("is written down before anything is made of what it signed", () =>
    Effect.gen(function* () {
      const { books, process } = yield* twoLogs
      const probe = StoreProbe.make()
      const held = StoreProbe.barrier()
      const { unit } = yield* UnitOver.make(books[0].service, { store: probe.store })
      yield* unit.turn(process, 2)
      probe.before = (tables) => (tables.includes("sighted-slot") ? held.wait : Effect.void)
      yield* say(books[0], process, "Add")
      yield* held.reached
      yield* UnitOver.letRun
      assert.strictEqual((yield* unit.progress(process)).slots, 3)
      yield* held.open
      yield* unit.turn(process, 3)
    }).pipe(quiet),
  )

  it.effect("holds up no process by one that it names and does not have", () =>
    Effect.gen(function* () {
      const { books, process } = yield* twoLogs
      const { service } = books[0]
      const ghost = { process: id("ghost"), nextSlot: 3, timestamp: 1 }
      const { unit } = yield* UnitOver.make({
        ...service,
        processes: Effect.map(service.processes, (heads) => [ghost, ...heads]),
      })
      assert.strictEqual((yield* unit.turn(process, 2)).outcome.error, undefined)
      yield* say(books[0], process, "Add")
      assert.strictEqual((yield* unit.turn(process, 3)).outcome.error, undefined)
    }).pipe(quiet),
  )

  it.effect("is not looked for by the unit of its own node, which writes no receipt down", () =>
    Effect.gen(function* () {
      const probe = StoreProbe.make()
      const tables = new Set<string>()
      probe.before = (written) =>
        Effect.sync(() => {
          for (const table of written) tables.add(table)
        })
      const book = LogBook.make()
      const { unit } = yield* UnitOver.make(book.service, { store: probe.store })
      const process = yield* UnitOver.spawn(book)
      yield* unit.turn(process, 0)
      assert.isTrue(tables.has("release"))
      assert.isFalse(tables.has("sighted-slot"))
    }),
  )
})

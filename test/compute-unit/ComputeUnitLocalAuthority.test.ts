/** Whom a process believes changes with its log, and every unit knows from the log or a snapshot alone who that is. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Snapshot from "../../compute-unit/Snapshot.ts"
import type * as Id from "../../runtime/Id.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as Caller from "../support/Caller.ts"
import * as Emitted from "../support/Emitted.ts"
import * as LogBook from "../support/LogBook.ts"
import * as SandboxProbe from "../support/SandboxProbe.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as UnitOver from "../support/UnitOver.ts"
import { id } from "../support/Unsigned.ts"

const one = Caller.caller("small node")
const other = Caller.caller("another unit")
const stranger = Caller.caller("stranger")

/** Adds of one source in the order of its pair, each proven by these units. */
const emitted = (
  process: Id.ProcessId,
  pair: number,
  ...units: ReadonlyArray<Caller.Caller>
): LogBook.Line => {
  const tags = [["Action", "Add"]] as const
  const emission = { kind: "message", target: process, pair, tags } as const
  const turn = { source: id("source"), slot: pair, emissions: [emission] }
  const [{ item, proof }] = Emitted.emit(
    turn,
    units.map(({ identity }) => identity),
  ) as [Emitted.Emitted]
  return { process, item: item.bytes, proof: OutboxProof.encode(proof) }
}

const believe = (by: Caller.Caller, process: Id.ProcessId, ...units: ReadonlyArray<Caller.Caller>) =>
  Effect.map(
    Effect.promise(() =>
      by.message(
        process,
        "Authority",
        units.map(({ identity }) => ["Authority", identity.address] as const),
      ),
    ),
    (item): LogBook.Line => ({ process, item: item.bytes }),
  )

/** A log whose policy changes; what each slot comes to. */
const written = Effect.fnUntraced(function* () {
  const book = LogBook.make()
  const process = yield* UnitOver.spawn(book, UnitOver.guest, { Authority: one.identity.address })
  const lines: ReadonlyArray<readonly [LogBook.Line, string | undefined]> = [
    [emitted(process, 1, one), undefined],
    [emitted(process, 2, other), "not attested"],
    [yield* believe(stranger, process, stranger), "bad authority"],
    [yield* believe(UnitOver.ada, process, one, other), undefined],
    [emitted(process, 2, one), "not attested"],
    [emitted(process, 2, one, other), undefined],
    [yield* believe(UnitOver.ada, process, other, other), "bad authority"],
    [yield* believe(UnitOver.ada, process, other), undefined],
    [emitted(process, 3, one), "not attested"],
    [emitted(process, 3, other), undefined],
  ]
  return { book, process, lines, verdicts: [undefined, ...lines.map(([, verdict]) => verdict)] }
})

const verdictsOf = (unit: UnitOver.Unit, process: Id.ProcessId) =>
  Effect.map(unit.turns(process, 0, 100), (turns) =>
    turns.map(({ outcome: { error } }) => (error?.reason === "inadmissible" ? error.message : error?.reason)),
  )

describe("whom a process believes", () => {
  it.effect("changes with the slot after its owner's word, equally at every unit", () =>
    Effect.gen(function* () {
      const { book, process, lines, verdicts } = yield* written()
      const units = [
        (yield* UnitOver.make(book.service)).unit,
        (yield* UnitOver.make(book.service, { signer: other.signer })).unit,
      ]
      // One of them reads it slot by slot, the other all in one.
      for (const [i, [line]] of lines.entries()) {
        book.write(line)
        yield* units[0]!.turn(process, i + 1)
      }
      yield* units[1]!.turn(process, lines.length)
      const whole = (yield* UnitOver.make(book.service)).unit
      yield* whole.turn(process, lines.length)
      for (const unit of [...units, whole]) {
        assert.deepStrictEqual(yield* verdictsOf(unit, process), verdicts)
        assert.deepStrictEqual(yield* UnitOver.shown(unit, process), yield* UnitOver.shown(whole, process))
      }
    }),
  )

  it.effect("is known to a unit that goes through its log again", () =>
    Effect.gen(function* () {
      const { book, process, lines, verdicts } = yield* written()
      book.write(...lines.map(([line]) => line))
      const first = yield* UnitOver.make(book.service)
      yield* first.unit.turn(process, lines.length)
      yield* first.stop
      book.write(emitted(process, 4, other))
      const probe = SandboxProbe.make()
      const { unit } = yield* UnitOver.make(book.service, { store: first.store, sandbox: probe.sandbox })
      yield* unit.turn(process, lines.length + 1)
      assert.deepStrictEqual([probe.count("restore"), probe.count("open")], [0, 1])
      assert.deepStrictEqual(yield* verdictsOf(unit, process), [...verdicts, undefined])
      const whole = (yield* UnitOver.make(book.service)).unit
      yield* whole.turn(process, lines.length + 1)
      assert.deepStrictEqual(yield* UnitOver.shown(unit, process), yield* UnitOver.shown(whole, process))
    }),
  )

  it.effect("is known to a unit that starts from a snapshot at any slot", () =>
    Effect.gen(function* () {
      const { book, process, lines, verdicts } = yield* written()
      const { store } = SmallNode.seams()
      const known: Array<number> = []
      for (const slot of verdicts.keys()) {
        if (slot > 0) book.write(lines[slot - 1]![0])
        const probe = SandboxProbe.make()
        const options = { store, sandbox: probe.sandbox, residentBytesMax: 0 }
        const { unit, stop } = yield* UnitOver.make(book.service, options)
        yield* unit.turn(process, slot)
        yield* SmallNode.until(
          `a snapshot at slot ${slot}`,
          Effect.map(unit.snapshots(process), (all) => all.at(-1)?.slot === slot),
        )
        assert.deepStrictEqual([probe.count("restore"), probe.count("open")], slot === 0 ? [0, 1] : [1, 0])
        const { metadata } = Result.getOrThrow(Snapshot.decode((yield* unit.snapshot(process, slot))!))
        known.push(metadata.authority.since)
        yield* stop
      }
      assert.deepStrictEqual(known, [0, 0, 0, 0, 5, 5, 5, 5, 9, 9, 9])
      const { unit } = yield* UnitOver.make(book.service, { store })
      assert.deepStrictEqual(yield* verdictsOf(unit, process), verdicts)
      const whole = (yield* UnitOver.make(book.service)).unit
      yield* whole.turn(process, lines.length)
      assert.deepStrictEqual(yield* UnitOver.shown(unit, process), yield* UnitOver.shown(whole, process))
    }),
  )
})

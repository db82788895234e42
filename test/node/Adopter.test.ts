/** What a node takes in of a log that another scheduler shows it, and what it refuses. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as DataReference from "../../runtime/DataReference.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import type { Receipted, SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "../support/Caller.ts"
import * as Line from "../support/Line.ts"
import * as LogBook from "../support/LogBook.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as UnitOver from "../support/UnitOver.ts"

const { ada } = UnitOver
const quiet = Effect.provideService(References.MinimumLogLevel, "None")
const [old, other] = [Caller.caller("old scheduler"), Caller.caller("other scheduler")]

const source = Bytes.fromText(UnitOver.guest)

/** A log at the old scheduler, as it shows it: it has the code of its module. */
const written = Effect.gen(function* () {
  const book = LogBook.make(old.signer)
  const process = yield* UnitOver.spawn(book)
  for (const line of yield* UnitOver.say(process, "Add", "Add", "Add")) book.write(line)
  const shown = { ...book.service, module: () => Effect.succeed(source) }
  return { book, process, shown }
})

/** A node that reads a log at a scheduler. */
const reader = Effect.fnUntraced(function* (from: SchedulerUnit["Service"], process: Id.ProcessId) {
  const node = yield* SmallNode.make({ signer: Caller.caller("reader").signer, schedulers: [from] })
  yield* node.adopter.read(process, from.address)
  return node
})
const slotsOf = ({ scheduler }: SmallNode.SmallNode) =>
  Effect.map(scheduler.processes, ([head]) => head?.nextSlot ?? 0)

/** The same with each slot from `slot` on changed. */
const bent = (
  of: SchedulerUnit["Service"],
  slot: number,
  change: (one: Receipted) => Receipted,
): SchedulerUnit["Service"] => ({
  ...of,
  slots: (process, from) =>
    Stream.map(of.slots(process, from), (one) => (one.entry.assignment.slot < slot ? one : change(one))),
})

const signedBy = (by: Caller.Caller, receipt: Batch.Receipt): Batch.Receipt => {
  const { signer } = by
  const signature = Effect.runSync(
    Effect.orDie(signer.sign("heddle/batch/1", Batch.signingBytes(receipt.link))),
  )
  return {
    ...receipt,
    link: { ...receipt.link, signatureType: signer.type.number, owner: signer.owner, signature },
  }
}

describe("a log at another scheduler", () => {
  it.effect("is taken in as it is there, with its module and what comes later, and is computed", () =>
    Effect.gen(function* () {
      const { book, process, shown } = yield* written
      const node = yield* reader(shown, process)
      assert.deepInclude((yield* node.compute.turn(process, 3)).outcome.replies[0], { value: "3" })
      for (const line of yield* UnitOver.say(process, "Get")) book.write(line)
      assert.deepInclude((yield* node.compute.turn(process, 4)).outcome.replies[0], { value: "3" })
      assert.deepStrictEqual(yield* node.scheduler.log(process, 0, 9), yield* book.service.log(process, 0, 9))
      for (const slot of [0, 4])
        assert.deepStrictEqual(
          yield* node.scheduler.receipt(process, slot),
          yield* book.service.receipt(process, slot),
        )
      const [late] = yield* UnitOver.say(process, "Add")
      const refused = yield* Effect.flip(node.scheduler.submit(late!.item, Bytes.empty))
      assert.deepInclude(refused, { reason: "other scheduler" })
    }),
  )

  it.effect("is taken in as far as it holds: what another signed, or what breaks the chain, is not", () =>
    Effect.gen(function* () {
      const { book, process, shown } = yield* written
      const lies: ReadonlyArray<readonly [SchedulerUnit["Service"], number]> = [
        [bent(shown, 0, ({ entry, receipt }) => ({ entry, receipt: signedBy(other, receipt) })), 0],
        [bent(shown, 2, ({ entry, receipt }) => ({ entry, receipt: signedBy(other, receipt) })), 2],
        [bent(shown, 3, ({ entry, receipt }) => ({ entry: { ...entry, item: source }, receipt })), 3],
      ]
      for (const [from, slots] of lies) {
        const node = yield* reader(from, process)
        yield* SmallNode.until(
          "it is read",
          Effect.map(slotsOf(node), (found) => found === slots),
        )
        // Not by waiting either: nothing more of it is read, though the rest would hold.
        for (const line of yield* UnitOver.say(process, "Get")) book.write(line)
        yield* UnitOver.letRun
        assert.strictEqual(yield* slotsOf(node), slots)
      }
    }).pipe(quiet),
  )

  it.effect("is not begun where its spawn is not admissible", () =>
    Effect.gen(function* () {
      const book = LogBook.make(old.signer)
      const spawn = yield* Effect.promise(() => ada.spawn(UnitOver.module, old.identity.address))
      const forged = Bytes.copy(spawn.bytes)
      forged[9]! ^= 1
      const { id } = Result.getOrThrow(Item.decode(forged))
      book.write({ process: id, item: forged })
      const node = yield* reader(book.service, id)
      yield* UnitOver.letRun
      assert.strictEqual(yield* slotsOf(node), 0)
    }).pipe(quiet),
  )

  it.effect("waits for what its slots refer to, and has it from then on", () =>
    Effect.gen(function* () {
      const { book, process, shown } = yield* written
      const bytes = Bytes.fromText("what is referred to")
      const { hash, length } = DataReference.of(bytes)
      const tags = { "Data-Hash": hash, "Data-Length": String(length) }
      const item = yield* Effect.promise(() => ada.message(process, "Get", tags))
      book.write({ process, item: item.bytes })
      let isThere = false
      const node = yield* reader(
        { ...shown, data: () => Effect.sync(() => (isThere ? bytes : undefined)) },
        process,
      )
      yield* UnitOver.letRun
      assert.isAtMost(yield* slotsOf(node), 4)
      isThere = true
      yield* Line.timeGoesOn
      yield* SmallNode.until(
        "all is there",
        Effect.map(slotsOf(node), (found) => found === 5),
      )
      assert.strictEqual(Bytes.toText((yield* node.scheduler.data(hash))!), "what is referred to")
    }).pipe(quiet),
  )
})

/** A process goes from one node to another: nothing is lost, and everyone who had to do with it goes on. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Address from "../../runtime/Address.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Caller from "../support/Caller.ts"
import * as Line from "../support/Line.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as TwoNodes from "../support/TwoNodes.ts"
import * as UnitOver from "../support/UnitOver.ts"

const { ada } = UnitOver
const bob = Caller.caller("bob")
const quiet = Effect.provideService(References.MinimumLogLevel, "None")

const move = (node: SmallNode.SmallNode, process: Id.ProcessId, to: Id.Address, term: number) =>
  SmallNode.send(node, ada, process, "Scheduler", { Scheduler: to, Term: String(term) })

/** Waits until a node has as many slots of a process. */
const has = ({ scheduler }: SmallNode.SmallNode, process: Id.ProcessId, slots: number) =>
  SmallNode.until(
    `${slots} slots`,
    Effect.map(scheduler.processes, (all) => all.find((one) => one.process === process)?.nextSlot === slots),
  )

/** What is signed of each slot: its head, and who gave it. */
const signed = ({ scheduler }: SmallNode.SmallNode, process: Id.ProcessId, slots: number) =>
  Effect.forEach(
    Array.from({ length: slots }, (_, slot) => slot),
    (slot) =>
      Effect.map(scheduler.receipt(process, slot), ({ link, assignment }) => [
        Bytes.toHex(assignment.head),
        Address.of(link.owner).text,
      ]),
  )

const stateRoot = ({ compute }: SmallNode.SmallNode, process: Id.ProcessId, slot: number) =>
  Effect.gen(function* () {
    yield* compute.turn(process, slot)
    const { attestation } = (yield* compute.attestation(process, slot))!
    return [attestation.to.slot, Bytes.toHex(attestation.to.stateRoot)]
  })

for (const line of [Line.good, Line.bad(1), Line.bad(2)])
  describe(`a process that is handed over, ${line.name}`, () => {
    it.effect("goes on at the new scheduler, for whoever asks either node, there and back", () =>
      Effect.gen(function* () {
        yield* Line.timeGoesOn
        const { a, b } = yield* TwoNodes.make(line)
        const [{ node: first }, { node: second }] = [yield* a.start, yield* b.start]
        const process = yield* SmallNode.spawn(first, ada, UnitOver.guest)
        assert.strictEqual(yield* SmallNode.ask(first, ada, process, "Add"), 1)
        yield* second.adopter.read(process, a.address)
        yield* move(first, process, b.address, 1)
        assert.strictEqual(yield* SmallNode.ask(first, ada, process, "Add"), 2)
        assert.strictEqual(yield* SmallNode.ask(second, ada, process, "Add"), 3)
        yield* has(first, process, 5)
        const held = [a, a, a, b, b].map(({ address }) => address)
        for (const node of [first, second]) {
          const receipts = yield* signed(node, process, 5)
          assert.deepStrictEqual(
            receipts.map(([, by]) => by),
            held,
          )
          assert.deepStrictEqual(receipts, yield* signed(second, process, 5))
          assert.deepStrictEqual(yield* stateRoot(node, process, 4), yield* stateRoot(second, process, 4))
        }
        yield* move(second, process, a.address, 2)
        assert.strictEqual(yield* SmallNode.ask(second, ada, process, "Add"), 4)
        assert.strictEqual(yield* SmallNode.ask(first, ada, process, "Get"), 4)
        yield* has(second, process, 8)
        assert.deepStrictEqual(yield* signed(first, process, 8), yield* signed(second, process, 8))
      }).pipe(quiet),
    )

    it.effect("gets what others send it meanwhile, once and in order", () =>
      Effect.gen(function* () {
        yield* Line.timeGoesOn
        const { a, b } = yield* TwoNodes.make(line)
        const [{ node: first }, { node: second }] = [yield* a.start, yield* b.start]
        const source = yield* SmallNode.spawn(first, bob, UnitOver.guest)
        const process = yield* SmallNode.spawn(first, ada, UnitOver.guest)
        const tell = SmallNode.ask(first, bob, source, "Tell", { To: process })
        yield* tell
        yield* second.adopter.read(process, a.address)
        yield* Effect.all([move(first, process, b.address, 1), tell, tell, tell], {
          concurrency: "unbounded",
        })
        yield* tell
        yield* SmallNode.until(
          "all are told",
          Effect.map(first.messenger.outbox, (all) => all.length === 0),
        )
        assert.strictEqual(yield* SmallNode.ask(second, ada, process, "Get"), 5)
        assert.strictEqual(yield* SmallNode.ask(first, ada, process, "Get"), 5)
      }).pipe(quiet),
    )
  })

describe("a node that takes over a process", () => {
  it.effect("reads on after it was stopped, before the hand-over and after it", () =>
    Effect.gen(function* () {
      yield* Line.timeGoesOn
      const { a, b } = yield* TwoNodes.make()
      const { node: first } = yield* a.start
      const begun = yield* b.start
      const process = yield* SmallNode.spawn(first, ada, UnitOver.guest)
      yield* begun.node.adopter.read(process, a.address)
      yield* has(begun.node, process, 1)
      yield* begun.stop
      yield* SmallNode.ask(first, ada, process, "Add")
      yield* move(first, process, b.address, 1)
      const again = yield* b.start
      yield* has(again.node, process, 3)
      assert.strictEqual(yield* SmallNode.ask(again.node, ada, process, "Add"), 2)
      yield* again.stop
      const { node: second } = yield* b.start
      assert.strictEqual(yield* SmallNode.ask(second, ada, process, "Add"), 3)
      yield* has(first, process, 5)
      assert.deepStrictEqual(yield* signed(first, process, 5), yield* signed(second, process, 5))
    }).pipe(quiet),
  )
})

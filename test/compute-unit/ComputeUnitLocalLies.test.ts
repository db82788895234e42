/** Logs of a scheduler that lies: what it should not have let in is without effect, and equal at every unit. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import type { ComputeUnit, Emitted } from "../../compute-unit/ComputeUnit.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import * as Assign from "../../runtime/Assign.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Message from "../../runtime/Message.ts"
import * as Module from "../../runtime/Module.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as Caller from "../support/Caller.ts"
import * as LogBook from "../support/LogBook.ts"
import * as SmallNode from "../support/SmallNode.ts"
import { hash } from "../support/Unsigned.ts"

const ada = Caller.caller("ada")
const honest = Caller.caller("small node").signer
const other = Caller.caller("another unit").signer

const source = Bytes.fromText(`
  const seen = []
  heddle.on("See", (m) => { seen.push(m.data); heddle.publish("seen", seen); return seen.length })
  heddle.on("Emit", (m) => {
    for (const data of ["one", "two", "three"]) heddle.send(m.tags.To, { action: "See", data })
    heddle.sleep("1m").then(() => { seen.push("slept"); heddle.publish("seen", seen) })
  })`)
const module = Module.id(source)

const unitOver = Effect.fnUntraced(function* (book: LogBook.LogBook, signer = honest) {
  const seams = SmallNode.seams({ signer })
  yield* Effect.orDie(seams.store.commit([Module.put(source)]))
  return yield* SmallNode.compute(book.service, seams)
})

const spawnIn = Effect.fnUntraced(function* (book: LogBook.LogBook, tags: Record<string, string> = {}) {
  const item = yield* Effect.promise(() => ada.spawn(module, book.service.address, tags))
  book.write({ process: item.id, item: item.bytes })
  return item.id
})

const signed = (process: Id.ProcessId, data: string, anchor = hash(`anchor of ${data}`)) =>
  Effect.runSync(
    Effect.orDie(
      SignedItem.sign(ada.signer, {
        target: Id.toBytes(process),
        anchor,
        tags: [...Message.protocolTags("Message"), { name: "Action", value: "See" }],
        data: Bytes.fromText(data),
      }),
    ),
  )

/** A byte near the end of a proof is one of its signature; one near its beginning is one of its path. */
const flip = (bytes: Uint8Array, at: number): Uint8Array => {
  const flipped = Bytes.copy(bytes)
  flipped[at < 0 ? bytes.length + at : at]! ^= 1
  return flipped
}

const rootAt = (unit: ComputeUnit["Service"], process: Id.ProcessId, slot: number) =>
  Effect.map(unit.attestation(process, slot), (signed) => Bytes.toHex(signed!.attestation.to.stateRoot))

/** What `emitter` and `target` have come to, with what the emitter sent to the target and set for itself. */
const begun = Effect.fnUntraced(function* () {
  const book = LogBook.make()
  const [emitter, target] = [yield* spawnIn(book), yield* spawnIn(book)]
  const unit = yield* unitOver(book)
  const emit = yield* Effect.promise(() => ada.message(emitter, "Emit", { To: target }))
  book.write({ process: emitter, item: emit.bytes })
  const released = yield* Stream.runHead(
    Stream.filter(unit.releases(0), (release) => release.emitted.length > 0),
  )
  const [one, two, three, timer] = released._tag === "Some" ? released.value.emitted : []
  return { book, unit, emitter, target, one: one!, two: two!, three: three!, timer: timer! }
})

type Begun = Effect.Success<ReturnType<typeof begun>>

const lineOf = (process: Id.ProcessId, { entry, proof }: Emitted): LogBook.Line => ({
  process,
  item: entry.item,
  proof,
})

/** What assigns these bytes under the id that they have, by a signature that is good. */
const assigning = (process: Id.ProcessId, bytes: Uint8Array): LogBook.Line => {
  const tags = [...Message.protocolTags("Message"), ...Assign.tags(Result.getOrThrow(Item.decode(bytes)).id)]
  const item = SignedItem.sign(ada.signer, { target: Id.toBytes(process), tags, data: bytes })
  return { process, item: Effect.runSync(Effect.orDie(item)).bytes }
}

/** Lies that a scheduler can tell about the target or the emitter, each with the reason that it comes to. */
const lies: Readonly<Record<string, (of: Begun) => readonly [line: LogBook.Line, reason: string]>> = {
  "a forged signature": ({ target }) => [
    { process: target, item: flip(signed(target, "forged").bytes, -1) },
    "bad signature",
  ],
  "a proof beside a signed message": ({ target }) => [
    { process: target, item: signed(target, "proven").bytes, proof: Uint8Array.of(1) },
    "bad proof",
  ],
  "a message for another process": ({ target, emitter }) => [
    { process: target, item: signed(emitter, "for the emitter").bytes },
    "other process",
  ],
  "an assigned item whose own signature is forged": ({ target }) => [
    assigning(target, flip(signed(target, "assigned").bytes, -1)),
    "bad assigned item",
  ],
  "an assigned item that was said to another process": ({ target, emitter }) => [
    assigning(target, signed(emitter, "for the emitter").bytes),
    "not assignable",
  ],
  "an assigned item that a process emitted": ({ target, two }) => [
    assigning(target, two.entry.item),
    "bad assigned item",
  ],
  "the message again, assigned": ({ target }) => [assigning(target, signed(target, "first").bytes), "repeat"],
  "the message again": ({ target }) => [{ process: target, item: signed(target, "first").bytes }, "repeat"],
  "the anchor again": ({ target }) => [
    { process: target, item: signed(target, "other", hash("anchor of first")).bytes },
    "anchor reused",
  ],
  "a pair number too high": ({ target, three }) => [lineOf(target, three), "pair out of order"],
  "a pair number that was admitted": ({ target, one }) => [lineOf(target, one), "repeat"],
  "an outbox item without its proof": ({ target, two }) => [
    { process: target, item: two.entry.item },
    "no proof",
  ],
  "an outbox item with the proof of another": ({ target, two, three }) => [
    { process: target, item: two.entry.item, proof: three.proof },
    "bad proof",
  ],
  "a proof with another path": ({ target, two }) => [
    { process: target, item: two.entry.item, proof: flip(two.proof, 60) },
    "bad proof",
  ],
  "a proof with a bad signature": ({ target, two }) => [
    { process: target, item: two.entry.item, proof: flip(two.proof, -1) },
    "not attested",
  ],
  "a proof without a witness": ({ target, two }) => {
    const proof = Result.getOrThrow(OutboxProof.decode(two.proof))
    return [
      { process: target, item: two.entry.item, proof: OutboxProof.encode({ ...proof, witnesses: [] }) },
      "not attested",
    ]
  },
  "another pair number in the proof": ({ target, three }) => {
    const proof = Result.getOrThrow(OutboxProof.decode(three.proof))
    return [
      { process: target, item: three.entry.item, proof: OutboxProof.encode({ ...proof, pair: 2 }) },
      "bad proof",
    ]
  },
  "a timer before its time": ({ emitter, timer }) => [
    { ...lineOf(emitter, timer), timestamp: timer.entry.due - 1 },
    "timer early",
  ],
  "a timer of another process": ({ target, timer }) => [lineOf(target, timer), "other process"],
  "a timer that was never asked for": ({ emitter }) => {
    const tags = [
      ...Message.protocolTags("Message"),
      { name: "Action", value: "Timer" },
      { name: "X-Reference", value: "1" },
    ]
    const origin = { source: emitter, head: hash("no turn"), index: 0 }
    const item = OutboxItem.make(origin, { target: Id.toBytes(emitter), tags, data: Bytes.empty })
    return [{ process: emitter, item: Result.getOrThrow(item).bytes }, "no proof"]
  },
  "the spawn again": ({ target, book }) => [
    { process: target, item: book.entries(target)[0]!.item },
    "repeat",
  ],
}

describe("a lie in a log", () => {
  for (const [name, tell] of Object.entries(lies))
    it.effect(`is inadmissible by its reason, changes nothing, and is so at every unit: ${name}`, () =>
      Effect.gen(function* () {
        const log = yield* begun()
        const { book, unit, target, one, timer } = log
        yield* TestClock.setTime(timer.entry.due)
        book.write({ process: target, item: signed(target, "first").bytes })
        book.write(lineOf(target, one))
        const [line, reason] = tell(log)
        const { process } = line
        const slot = book.entries(process).length
        book.write(line)
        book.write({ process, item: signed(process, "after").bytes })

        const late = yield* unitOver(book, other)
        for (const one of [unit, late]) {
          const { outcome, trace } = yield* one.turn(process, slot)
          assert.deepStrictEqual(outcome.error, { reason: "inadmissible", message: reason })
          assert.deepStrictEqual(
            [outcome.fuelUsed, outcome.replies, outcome.views, outcome.outbox, trace.console],
            [0n, [], [], [], []],
          )
          assert.isUndefined((yield* one.turn(process, slot + 1)).outcome.error)
          assert.strictEqual(yield* rootAt(one, process, slot), yield* rootAt(one, process, slot - 1))
        }
        for (let at = 0; at <= slot + 1; at++) {
          const [a, b] = [yield* unit.turn(process, at), yield* late.turn(process, at)]
          assert.strictEqual(Bytes.toHex(Outcome.hash(a.outcome)), Bytes.toHex(Outcome.hash(b.outcome)))
          assert.strictEqual(yield* rootAt(unit, process, at), yield* rootAt(late, process, at))
        }
        assert.isUndefined((yield* unit.progress(process)).parked)
      }),
    )

  it.effect("does not stand in the way of the truth: what was let in too early is admitted in its turn", () =>
    Effect.gen(function* () {
      const { book, unit, emitter, target, one, two, three, timer } = yield* begun()
      for (const emitted of [three, two, one, three, two, three]) book.write(lineOf(target, emitted))
      book.write({ ...lineOf(emitter, timer), timestamp: timer.entry.due - 1 })
      book.write({ ...lineOf(emitter, timer), timestamp: timer.entry.due })
      yield* unit.turn(target, 6)
      assert.strictEqual((yield* unit.view(target, "seen"))?.value, `["one","two","three"]`)
      yield* TestClock.setTime(timer.entry.due)
      yield* unit.turn(emitter, 3)
      assert.strictEqual((yield* unit.view(emitter, "seen"))?.value, `["slept"]`)
    }),
  )

  it.effect("is what a message attested by too few is, where its receiver wants more", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const units = { Authority: honest.address }
      const believes = yield* spawnIn(book, units)
      const doubts = yield* spawnIn(book, { Authority: other.address })
      const unit = yield* unitOver(book)
      const sent = Effect.fnUntraced(function* (target: Id.ProcessId) {
        const emitter = yield* spawnIn(book)
        const emit = yield* Effect.promise(() => ada.message(emitter, "Emit", { To: target }))
        book.write({ process: emitter, item: emit.bytes })
        const mine = Stream.filter(unit.releases(0), ({ emitted }) => emitted[0]?.source === emitter)
        const released = yield* Stream.runHead(mine)
        const [first] = released._tag === "Some" ? released.value.emitted : []
        book.write(lineOf(target, first!))
        return (yield* unit.turn(target, 1)).outcome.error
      })
      assert.isUndefined(yield* sent(believes))
      assert.deepStrictEqual(yield* sent(doubts), { reason: "inadmissible", message: "not attested" })
    }),
  )
})

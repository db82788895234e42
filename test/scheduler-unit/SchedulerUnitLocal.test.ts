import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Claim from "../../identity/Claim.ts"
import * as Identity from "../../identity/Identity.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import { type Signer, SigningFailed } from "../../identity/Signer.ts"
import type { Refused } from "../../runtime/Admission.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import type { Accepted, SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as StoreFaulty from "../simulation/StoreFaulty.ts"
import * as Caller from "../support/Caller.ts"
import * as Emitted from "../support/Emitted.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import * as Unsigned from "../support/Unsigned.ts"
import * as Reference from "../vectors/reference.ts"

type Scheduler = SchedulerUnit["Service"]

const { identity, module, settle, signer, start } = LocalScheduler
const ada = Caller.caller("ada")
const unit = Identity.fromSeed(Unsigned.hash("unit"), SignatureType.mlDsa44)

const spawn = (tags: Record<string, string> = {}) =>
  Effect.promise(() => ada.spawn(module, identity.address, tags))
const message = (process: Id.ProcessId, data = "", tags: Record<string, string> = {}) =>
  Effect.promise(() => ada.message(process, "Say", tags, data))

const send = (scheduler: Scheduler, item: Pick<Item.Item, "bytes">, proof = Bytes.empty) =>
  scheduler.submit(item.bytes, proof)

const refusal = (effect: Effect.Effect<Accepted, Refused>) =>
  Effect.map(Effect.result(effect), (found) =>
    Result.isFailure(found) ? found.failure.reason : `slot ${found.success.slot}`,
  )

/** A scheduler in memory with one process that believes `unit`. */
const ready = Effect.fnUntraced(function* (parts: Partial<LocalScheduler.Parts> = {}) {
  const faulty = StoreFaulty.bend(StoreMemory.make())
  const scheduler = yield* start({ store: faulty.store, ...parts })
  const item = yield* spawn({ Authority: unit.address, "Cron-Interval": "10-seconds" })
  const process = (yield* send(scheduler, item)).process
  return { ...faulty, scheduler, process, spawned: item }
})

const log = (scheduler: Scheduler, process: Id.ProcessId, from = 0) => scheduler.log(process, from, 1_000)

const linkHolds = ({ link }: Batch.Receipt): boolean => {
  const { signatureType, owner, signature } = link
  const type = SignatureType.find(signatureType)!
  return Claim.holds({ type, owner, context: "heddle/batch/1", bytes: Batch.signingBytes(link), signature })
}

/** One chain of slots without a gap, whose receipts stand. */
const checkLog = Effect.fnUntraced(function* (scheduler: Scheduler, process: Id.ProcessId) {
  const entries = yield* log(scheduler, process)
  let previous = Assignment.emptyHead
  for (const [slot, { assignment, item, proof, batch, index }] of entries.entries()) {
    assert.strictEqual(assignment.slot, slot)
    assert.isTrue(Bytes.equal(assignment.previous, previous))
    assert.isTrue(Bytes.equal(Assignment.make(assignment).head, assignment.head))
    assert.isTrue(Bytes.equal(assignment.entryHash, Assignment.entryHash(item, proof)))
    const receipt = yield* scheduler.receipt(process, slot)
    assert.isTrue(Batch.receiptHolds(receipt) && linkHolds(receipt))
    assert.deepStrictEqual([receipt.link.number, receipt.index], [batch, index])
    assert.isTrue(Bytes.equal(receipt.assignment.head, assignment.head))
    previous = assignment.head
  }
  return entries
})

/** A signer that keeps what it signed. */
const recording = () => {
  const signatures: Array<Uint8Array> = []
  const service: Signer["Service"] = {
    ...signer,
    sign: (context, bytes) =>
      Effect.tap(signer.sign(context, bytes), (signature) =>
        Effect.sync(() => void signatures.push(signature)),
      ),
  }
  return { signatures, service }
}

describe("a message that is accepted", () => {
  it.effect("has its slot, and stands in the log as it was sent", () =>
    Effect.gen(function* () {
      const { scheduler, process, spawned } = yield* ready()
      yield* TestClock.adjust(1_234)
      const sent = [yield* message(process, "one"), yield* message(process, "two")]
      const accepted = yield* Effect.forEach(sent, (item) => send(scheduler, item))
      assert.deepStrictEqual(
        accepted.map(({ id, process, slot, timestamp, repeat }) => [id, process, slot, timestamp, repeat]),
        [
          [sent[0]!.id, process, 1, 1_234, false],
          [sent[1]!.id, process, 2, 1_234, false],
        ],
      )
      const entries = yield* checkLog(scheduler, process)
      assert.deepStrictEqual(
        entries.map(({ item }) => Bytes.toHex(item)),
        [spawned, ...sent].map(({ bytes }) => Bytes.toHex(bytes)),
      )
      for (const [i, { head }] of accepted.entries())
        assert.isTrue(Bytes.equal(head, entries[i + 1]!.assignment.head))
      assert.deepStrictEqual(yield* scheduler.processes, [{ process, nextSlot: 3, timestamp: 1_234 }])
    }),
  )

  it.effect("is answered, and shown to anyone, after its commit and never before", () =>
    Effect.gen(function* () {
      const { scheduler, process, hold, release, waiting } = yield* ready()
      const seen: Array<number> = []
      yield* Effect.forkChild(
        Stream.runForEach(scheduler.batches(0), ({ link }) => Effect.sync(() => void seen.push(link.number))),
      )
      yield* settle
      hold()
      const item = yield* message(process)
      const sent = yield* Effect.forkChild(send(scheduler, item))
      yield* settle
      assert.strictEqual(waiting(), 1)
      assert.strictEqual(sent.pollUnsafe(), undefined)
      assert.strictEqual((yield* log(scheduler, process)).length, 1)
      assert.strictEqual((yield* scheduler.processes)[0]!.nextSlot, 1)
      assert.strictEqual(yield* scheduler.nextBatch, 1)
      assert.strictEqual((yield* Effect.flip(scheduler.receipt(process, 1)))._tag, "LogUnknown")
      assert.deepStrictEqual(seen, [0])
      release()
      assert.strictEqual((yield* Fiber.join(sent)).slot, 1)
      yield* settle
      assert.deepStrictEqual(seen, [0, 1])
      assert.strictEqual((yield* scheduler.receipt(process, 1)).link.number, 1)
    }),
  )

  it.effect("keeps its slot when whoever sent it does not wait for the answer", () =>
    Effect.gen(function* () {
      const { scheduler, process, hold, release } = yield* ready()
      hold()
      const item = yield* message(process)
      const sent = yield* Effect.forkChild(send(scheduler, item))
      yield* settle
      yield* Fiber.interrupt(sent)
      release()
      yield* settle
      assert.deepInclude(yield* send(scheduler, item), { slot: 1, repeat: true })
    }),
  )
})

describe("batches", () => {
  it.effect("take all who came while the one before was committed, under one signature and one commit", () =>
    Effect.gen(function* () {
      const { signatures, service } = recording()
      const { scheduler, process, store, hold, release } = yield* ready({ signer: service })
      const others = yield* Effect.forEach([1, 2, 3], () => spawn())
      const [commits, signed] = [store.commits(), signatures.length]
      hold()
      const first = yield* Effect.forkChild(send(scheduler, yield* message(process, "first")))
      yield* settle
      const items = yield* Effect.forEach(Array.from({ length: 20 }).keys(), (n) => message(process, `${n}`))
      const sent = yield* Effect.forEach([...others, ...items], (item) =>
        Effect.forkChild(send(scheduler, item)),
      )
      yield* settle
      release()
      const accepted = yield* Effect.forEach([first, ...sent], Fiber.join)
      assert.strictEqual(store.commits() - commits, 2)
      assert.strictEqual(signatures.length - signed, 2)
      assert.strictEqual(yield* scheduler.nextBatch, 3)
      assert.strictEqual(accepted.filter((one) => one.process === process).length, 21)
      const entries = yield* checkLog(scheduler, process)
      assert.strictEqual(new Set(entries.slice(2).map(({ batch }) => batch)).size, 1)
      for (const { id } of others) yield* checkLog(scheduler, id)
    }),
  )

  it.effect("are links of one chain, whose signatures stand, also over a restart", () =>
    Effect.gen(function* () {
      const { scheduler, process, store } = yield* ready()
      for (let n = 0; n < 3; n++) yield* send(scheduler, yield* message(process, `${n}`))
      const again = yield* start({ store })
      yield* send(again, yield* message(process, "after"))
      const batches = [...(yield* Stream.runCollect(Stream.take(again.batches(0), 5)))]
      let previous: Uint8Array = new Uint8Array(Hash.length)
      for (const [number, { link, entries }] of batches.entries()) {
        assert.strictEqual(link.number, number)
        assert.isTrue(Bytes.equal(link.previousRoot, previous))
        const assignments = entries.map(({ assignment }) => assignment)
        assert.isTrue(Bytes.equal(Batch.tree(assignments).root, link.root))
        assert.isTrue(Bytes.equal(link.owner, identity.owner))
        previous = link.root
      }
      assert.strictEqual((yield* checkLog(again, process)).length, 5)
    }),
  )

  it.effect(`have at most ${Limit.assignmentsPerCommitMax} assignments`, () =>
    Effect.gen(function* () {
      const { scheduler, process, hold, release } = yield* ready({ verifier: LocalScheduler.credulous })
      const one = () => Effect.forkChild(send(scheduler, Unsigned.message(process).item))
      hold()
      const sent = [yield* one()]
      yield* settle
      for (let n = 0; n < 2 * Limit.assignmentsPerCommitMax; n++) sent.push(yield* one())
      yield* settle
      release()
      yield* Effect.forEach(sent, Fiber.join)
      const batches = [...(yield* Stream.runCollect(Stream.take(scheduler.batches(1), 3)))]
      assert.deepStrictEqual(
        batches.map(({ entries }) => entries.length),
        [1, Limit.assignmentsPerCommitMax, Limit.assignmentsPerCommitMax],
      )
      for (const limit of [Limit.logPageMax, Limit.logPageMax + 1])
        assert.strictEqual((yield* scheduler.log(process, 0, limit)).length, Limit.logPageMax)
    }),
  )

  it.effect("hold as many bytes as one may, and what is larger with its company goes into the next", () =>
    Effect.gen(function* () {
      const { scheduler, process, hold, release } = yield* ready({ verifier: LocalScheduler.credulous })
      hold()
      const large = "x".repeat(6 * 1024 * 1024)
      const sent = yield* Effect.forEach(["", large, large, large, large, large], (data) =>
        Effect.tap(Effect.forkChild(send(scheduler, Unsigned.message(process, { data }).item)), () => settle),
      )
      yield* settle
      release()
      yield* Effect.forEach(sent, Fiber.join)
      const batches = [...(yield* Stream.runCollect(Stream.take(scheduler.batches(1), 4)))]
      assert.deepStrictEqual(
        batches.map(({ entries }) => entries.length),
        [1, 2, 2, 1],
      )
    }),
  )

  it.effect("are followed from any number, those that come too, each once", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      for (let n = 0; n < 3; n++) yield* send(scheduler, yield* message(process, `${n}`))
      const follow = (from: number, count: number) =>
        Effect.forkChild(
          Stream.runCollect(
            Stream.take(
              Stream.map(scheduler.batches(from), ({ link }) => link.number),
              count,
            ),
          ),
        )
      const followers = [yield* follow(0, 6), yield* follow(2, 4), yield* follow(4, 2), yield* follow(5, 1)]
      yield* settle
      for (let n = 0; n < 3; n++) yield* send(scheduler, yield* message(process, `more ${n}`))
      const seen = yield* Effect.forEach(followers, (fiber) =>
        Effect.map(Fiber.join(fiber), (all) => [...all]),
      )
      assert.deepStrictEqual(seen, [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5], [4, 5], [5]])
    }),
  )
})

describe("a receipt", () => {
  it.effect("opens each slot of each batch, of a present and of a former run", () =>
    Effect.gen(function* () {
      const { scheduler, process, store } = yield* ready()
      const count = Limit.batchTreesMax + 4
      for (let n = 1; n < count; n++) yield* send(scheduler, yield* message(process, `${n}`))
      assert.strictEqual((yield* checkLog(scheduler, process)).length, count)
      assert.strictEqual((yield* checkLog(yield* start({ store }), process)).length, count)
    }),
  )

  it.effect("costs a look at its batch once, however many are asked for", () =>
    Effect.gen(function* () {
      const { scheduler, process, store, hold, release } = yield* ready({
        verifier: LocalScheduler.credulous,
      })
      hold()
      const sent = yield* Effect.forEach(Array.from({ length: 100 }).keys(), () =>
        Effect.forkChild(send(scheduler, Unsigned.message(process).item)),
      )
      yield* settle
      release()
      yield* Effect.forEach(sent, Fiber.join)
      let looks = 0
      const counted = (log: Parameters<NonNullable<LocalScheduler.Parts["log"]>>[0]) => ({
        ...log,
        leaves: (number: number) => {
          looks += 1
          return log.leaves(number)
        },
      })
      const again = yield* start({ store, log: counted, verifier: LocalScheduler.credulous })
      const last = yield* again.nextBatch
      for (let slot = 0; slot <= 100; slot++) yield* again.receipt(process, slot)
      assert.strictEqual(looks, last)
      yield* send(again, Unsigned.message(process).item)
      yield* again.receipt(process, 101)
      assert.strictEqual(looks, last, "its own batch it knows already")
    }),
  )

  it.effect("is refused for a slot, or a process, that is not there", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      for (const [of, slot] of [
        [process, 1],
        [Unsigned.id("nobody"), 0],
      ] as const)
        assert.deepInclude(yield* Effect.flip(scheduler.receipt(of, slot)), { process: of, slot })
      assert.strictEqual((yield* Effect.flip(log(scheduler, Unsigned.id("nobody"))))._tag, "LogUnknown")
      assert.deepStrictEqual(yield* log(scheduler, process, 1), [])
    }),
  )
})

describe("a repeat", () => {
  const fields = (process: Id.ProcessId, anchor: string): SignedItem.Fields => ({
    target: Id.toBytes(process),
    anchor: Unsigned.hash(anchor),
    tags: Message.protocolTags("Message"),
    data: Bytes.fromText("once"),
  })

  it.effect("is answered with the first slot: the same bytes, and the same content signed again", () =>
    Effect.gen(function* () {
      const { scheduler, process, store } = yield* ready()
      const [first, signedAgain] = yield* Effect.forEach([1, 2], () =>
        SignedItem.sign(ada.signer, fields(process, "a")),
      )
      const [batched] = yield* SignedItem.signMany(ada.signer, [fields(process, "a")])
      assert.strictEqual(new Set([first!.id, signedAgain!.id, batched!.id]).size, 3)
      yield* TestClock.adjust(100)
      const accepted = yield* send(scheduler, first!)
      yield* TestClock.adjust(100)
      const expected = { ...accepted, repeat: true }
      for (const item of [first!, signedAgain!, batched!])
        assert.deepEqual(yield* send(scheduler, item), expected)
      assert.deepEqual(yield* send(yield* start({ store }), signedAgain!), expected)
      assert.strictEqual((yield* log(scheduler, process)).length, 2)
    }),
  )

  it.effect("of what is being committed gets the slot that is being given", () =>
    Effect.gen(function* () {
      const { scheduler, process, hold, release } = yield* ready()
      const item = yield* message(process)
      hold()
      const sent = yield* Effect.forEach([1, 2, 3], () =>
        Effect.tap(Effect.forkChild(send(scheduler, item)), () => settle),
      )
      release()
      const accepted = yield* Effect.forEach(sent, Fiber.join)
      assert.deepStrictEqual(
        accepted.map(({ slot, repeat }) => [slot, repeat]),
        [
          [1, false],
          [1, true],
          [1, true],
        ],
      )
    }),
  )

  it.effect("costs neither a signature nor a commit", () =>
    Effect.gen(function* () {
      const { signatures, service } = recording()
      const { scheduler, store, spawned } = yield* ready({ signer: service })
      const before = [store.commits(), signatures.length]
      for (let i = 0; i < 3; i++) assert.isTrue((yield* send(scheduler, spawned)).repeat)
      assert.deepStrictEqual([store.commits(), signatures.length], before)
    }),
  )
})

describe("a data folder with the log of another scheduler", () => {
  it.effect("gets no batch more: their numbers would be given twice", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const first = yield* LocalScheduler.start({ store })
      const [ada, other] = [Caller.caller("ada"), Caller.caller("another scheduler")]
      const mine = yield* Effect.promise(() => ada.spawn(LocalScheduler.module, first.address))
      yield* first.submit(mine.bytes, Bytes.empty)
      const second = yield* LocalScheduler.start({ store, signer: other.signer })
      const spawn = yield* Effect.promise(() => ada.spawn(LocalScheduler.module, second.address))
      const refused = yield* Effect.flip(second.submit(spawn.bytes, Bytes.empty))
      assert.strictEqual(refused.reason, "other scheduler")
      assert.include(refused.detail, "the data folder holds the log of another scheduler")
      assert.strictEqual(yield* second.nextBatch, 1)
    }).pipe(Effect.scoped),
  )
})

describe("a refusal", () => {
  it.effect("names what is wrong with the bytes", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      const { bytes } = yield* message(process, "data")
      const why = (some: Uint8Array) => refusal(scheduler.submit(some, Bytes.empty))
      assert.strictEqual(yield* why(Bytes.empty), "malformed item")
      let cut = 0
      const header = bytes.length - "data".length
      for (let length = 0; length < header; length += 97) {
        assert.strictEqual(yield* why(bytes.subarray(0, length)), "malformed item", `${length} bytes`)
        cut += 1
      }
      assert.isAbove(cut, 50)
      assert.strictEqual(yield* why(bytes.subarray(0, bytes.length - 1)), "bad signature", "data cut short")
      assert.strictEqual(
        yield* why(Bytes.concat([bytes, Bytes.u8(0)])),
        "bad signature",
        "a byte more of data",
      )
      assert.strictEqual(
        yield* why(Bytes.concat([Bytes.u16(4), bytes.subarray(2)])),
        "unknown signature type",
      )
      const [target] = [2 + 3_309 + 1_952]
      assert.strictEqual(yield* why(bytes.with(target, 2)), "malformed item", "presence byte")
      assert.strictEqual(yield* why(bytes), "slot 1")
    }),
  )

  it.effect("keeps an item to its size: the limit is taken and one byte more is not", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      const bare = (yield* message(process)).bytes.length
      const largest = yield* message(process, "x".repeat(Limit.itemBytesMax - bare))
      assert.strictEqual(largest.bytes.length, Limit.itemBytesMax)
      const over = Bytes.concat([largest.bytes, Bytes.u8(0)])
      assert.strictEqual(yield* refusal(scheduler.submit(over, Bytes.empty)), "too large")
      assert.strictEqual(yield* refusal(send(scheduler, largest)), "slot 1")
    }),
  )

  it.effect("keeps tags to their number and size: the limit is taken and one over is not", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready({ verifier: LocalScheduler.credulous })
      const item = (tags: ReadonlyArray<readonly [string, string]>) =>
        Reference.item(
          {
            type: 2,
            owner: Unsigned.hash("owner"),
            target: Id.toBytes(process),
            tags: [["Data-Protocol", "ao"], ["Type", "Message"], ...tags],
            data: Bytes.empty,
          },
          Reference.filler(`signature ${tags.length} ${tags[0]?.[1].length}`, 64),
        )
      const many = (count: number) => Array.from({ length: count - 2 }, () => ["n", "v"] as const)
      const used =
        Reference.tagBytes({
          type: 2,
          owner: Bytes.empty,
          tags: [
            ["Data-Protocol", "ao"],
            ["Type", "Message"],
            ["n", "v".repeat(1_000)],
          ],
          data: Bytes.empty,
        }).length - 1_000
      const wide = (bytes: number) => [["n", "v".repeat(bytes - used)]] as const
      const why = (tags: ReadonlyArray<readonly [string, string]>) =>
        refusal(scheduler.submit(item(tags), Bytes.empty))
      assert.strictEqual(yield* why(many(Limit.tagsMax + 1)), "malformed item")
      assert.strictEqual(yield* why(many(Limit.tagsMax)), "slot 1")
      assert.strictEqual(yield* why(wide(Limit.tagsBytesMax + 1)), "malformed item")
      assert.strictEqual(yield* why(wide(Limit.tagsBytesMax)), "slot 2")
    }),
  )

  it.effect("names what is wrong with the message", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      const sign = (tags: Unsigned.Tags, target?: Uint8Array) =>
        SignedItem.sign(ada.signer, {
          target,
          tags: tags.map(([name, value]) => ({ name, value })),
          data: Bytes.empty,
        })
      const why = (item: Item.Item) => refusal(send(scheduler, item))
      assert.strictEqual(yield* why(yield* sign([["Type", "Message"]], Id.toBytes(process))), "not a message")
      assert.strictEqual(
        yield* why(
          yield* sign([
            ["Data-Protocol", "ao"],
            ["Type", "Message"],
          ]),
        ),
        "not a message",
      )
      const flipped = (at: number) =>
        Effect.map(message(process, "data"), ({ bytes }) => bytes.with(at, bytes.at(at)! ^ 1))
      for (const at of [2, 1_000, -1, -5])
        assert.strictEqual(
          yield* refusal(scheduler.submit(yield* flipped(at < 0 ? -1 : at), Bytes.empty)),
          "bad signature",
        )
      assert.strictEqual(yield* why(yield* message(Unsigned.id("nobody"))), "unknown process")
      assert.strictEqual(
        yield* refusal(send(scheduler, yield* message(process), Bytes.u8(1))),
        "bad proof",
        "a proof beside a signature",
      )
    }),
  )

  it.effect("names what is wrong with a spawn", () =>
    Effect.gen(function* () {
      const { scheduler } = yield* ready()
      const why = (item: Effect.Effect<Item.Item>) =>
        Effect.flatMap(item, (one) => refusal(send(scheduler, one)))
      const spawnOf = (module: Id.Id, scheduler: Id.Address, tags = {}) =>
        Effect.promise(() => ada.spawn(module, scheduler, tags))
      assert.strictEqual(yield* why(spawn({ Authority: "nobody" })), "bad spawn")
      assert.strictEqual(yield* why(spawnOf(module, Unsigned.id("other scheduler"))), "other scheduler")
      assert.strictEqual(yield* why(spawnOf(Unsigned.id("other module"), identity.address)), "unknown module")
    }),
  )

  it.effect(
    "keeps an owner from telling a process to go on as a module that is not here, and nobody else",
    () =>
      Effect.gen(function* () {
        const { scheduler, process } = yield* ready()
        const upgrade = (by: Caller.Caller, tags: Record<string, string>) =>
          Effect.flatMap(
            Effect.promise(() => by.message(process, "Upgrade", tags)),
            (item) => send(scheduler, item),
          )
        const missing = { Module: Unsigned.id("other module") }
        const slots = (yield* log(scheduler, process)).length
        const refused = yield* Effect.flip(upgrade(ada, missing))
        assert.strictEqual(refused.reason, "unknown module")
        assert.include(refused.detail, `${missing.Module} is not stored here; upload the module first`)
        assert.strictEqual((yield* log(scheduler, process)).length, slots)
        const taken = [
          yield* upgrade(ada, { Module: module }),
          yield* upgrade(Caller.caller("bob"), missing),
          yield* upgrade(ada, {}),
          yield* upgrade(ada, { Module: "no id" }),
          yield* upgrade(ada, { ...missing, Engine: "no id" }),
        ]
        assert.deepStrictEqual(
          taken.map(({ slot }) => slot),
          [0, 1, 2, 3, 4].map((i) => slots + i),
        )
      }),
  )

  it.effect("of an anchor used for other content says to take a new one", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      const one = (data: string) =>
        SignedItem.sign(ada.signer, {
          target: Id.toBytes(process),
          anchor: Unsigned.hash("anchor"),
          tags: Message.protocolTags("Message"),
          data: Bytes.fromText(data),
        })
      yield* send(scheduler, yield* one("first"))
      const refused = yield* Effect.flip(send(scheduler, yield* one("second")))
      assert.strictEqual(refused.reason, "anchor reused")
      assert.include(refused.message, "take a new anchor")
    }),
  )

  it.effect("names what is wrong with what a process emitted", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      const source = Unsigned.id("source")
      const emit = (emission: Emitted.Emission, units = [unit], of = source) =>
        Emitted.emit({ source: of, slot: 3, emissions: [emission] }, units)[0]!
      const why = ({ item, proof }: Emitted.Emitted) =>
        refusal(send(scheduler, item, OutboxProof.encode(proof)))
      const first = emit({ kind: "message", target: process, pair: 1 })
      assert.strictEqual(yield* refusal(send(scheduler, first.item)), "no proof")
      assert.strictEqual(yield* refusal(send(scheduler, first.item, Bytes.u8(1))), "bad proof")
      assert.strictEqual(yield* why({ ...first, proof: { ...first.proof, pair: 2 } }), "bad proof")
      const stranger = Identity.fromSeed(Unsigned.hash("stranger"), SignatureType.mlDsa44)
      assert.strictEqual(
        yield* why(emit({ kind: "message", target: process, pair: 1 }, [stranger])),
        "not attested",
      )
      assert.strictEqual(yield* why(emit({ kind: "message", target: process, pair: 1 }, [])), "not attested")
      const early = yield* Effect.forkChild(why(emit({ kind: "message", target: process, pair: 2 })))
      yield* settle
      yield* TestClock.adjust(Limit.earlyMessageMsMax)
      assert.strictEqual(yield* Fiber.join(early), "pair out of order")
      assert.strictEqual(
        yield* why(emit({ kind: "message", target: Unsigned.id("nobody"), pair: 1 })),
        "unknown process",
      )
      const timer = emit({ kind: "timer", target: process, due: 5_000 }, [unit], process)
      assert.strictEqual(yield* why(timer), "timer early")
      assert.strictEqual(yield* why(emit({ kind: "timer", target: process, due: 0 })), "bad proof")
      assert.strictEqual(yield* why(first), "slot 1")
      assert.deepInclude(yield* send(scheduler, first.item, OutboxProof.encode(first.proof)), {
        slot: 1,
        repeat: true,
      })
      yield* TestClock.adjust(5_000)
      assert.strictEqual(yield* why(timer), "slot 2")
      assert.strictEqual(
        yield* why(emit({ kind: "message", target: process, pair: 2, data: "next" })),
        "slot 3",
      )
      const entries = yield* checkLog(scheduler, process)
      assert.isTrue(Bytes.equal(entries[1]!.proof, OutboxProof.encode(first.proof)))
    }),
  )

  it.effect("of a message out of its order comes late: those before it may be on their way", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      const emissions = [1, 2, 3, 4, 5].map((pair) => ({ kind: "message", target: process, pair }) as const)
      const all = Emitted.emit({ source: Unsigned.id("source"), slot: 3, emissions }, [unit])
      const submit = (pair: number) =>
        refusal(send(scheduler, all[pair - 1]!.item, OutboxProof.encode(all[pair - 1]!.proof)))
      const come = (pair: number) => Effect.forkChild(submit(pair))
      // Within one batch, and over several.
      const first = yield* Effect.forEach([3, 2], come)
      yield* settle
      yield* TestClock.adjust(Limit.earlyMessageMsMax - 1)
      const [fifth, again] = [yield* come(5), yield* come(3)]
      yield* settle
      assert.strictEqual((yield* log(scheduler, process)).length, 1)
      assert.strictEqual(yield* submit(1), "slot 1")
      assert.deepStrictEqual(yield* Effect.forEach([...first, again], (fiber) => Fiber.join(fiber)), [
        "slot 3",
        "slot 2",
        "slot 3",
      ])
      yield* TestClock.adjust(Limit.earlyMessageMsMax - 1)
      yield* settle
      assert.isUndefined(fifth.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(fifth), "pair out of order")
      const both = yield* Effect.all([submit(5), submit(4)], { concurrency: 2 })
      assert.deepStrictEqual(both, ["slot 5", "slot 4"])
      yield* checkLog(scheduler, process)
    }),
  )

  it.effect("of a message far out of its order comes at once", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      const early = (pair: number) => {
        const [one] = Emitted.emit(
          { source: Unsigned.id("source"), slot: 3, emissions: [{ kind: "message", target: process, pair }] },
          [unit],
        )
        return refusal(send(scheduler, one!.item, OutboxProof.encode(one!.proof)))
      }
      assert.strictEqual(yield* early(Limit.pairsAheadMax + 1), "pair out of order")
      const waits = () => Effect.tap(Effect.forkChild(early(Limit.pairsAheadMax)), () => settle)
      assert.isUndefined((yield* waits()).pollUnsafe())
      // Whoever waited in vain, or gave up, leaves room.
      yield* TestClock.adjust(Limit.earlyMessageMsMax)
      for (let i = 0; i < Limit.pairsAheadMax; i++) yield* Fiber.interrupt(yield* waits())
      assert.isUndefined((yield* waits()).pollUnsafe())
    }),
  )

  it.effect("names what is wrong with a cron message", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      const why = (count: number) => refusal(send(scheduler, OutboxItem.cron(process, "10-seconds", count)))
      assert.strictEqual(yield* why(1), "timer early")
      yield* TestClock.adjust(20_000)
      yield* settle
      assert.strictEqual(yield* why(2), "slot 2", "the scheduler's own")
      assert.strictEqual(yield* why(1), "slot 1")
      assert.strictEqual(yield* why(3), "timer early")
    }),
  )

  it.effect("leaves nothing behind, whatever was refused", () =>
    Effect.gen(function* () {
      const { scheduler, process, store, committed } = yield* ready()
      const [commits, batch] = [store.commits(), yield* scheduler.nextBatch]
      const first = Emitted.emit(
        { source: process, slot: 0, emissions: [{ kind: "message", target: process, pair: 1_000 }] },
        [unit],
      )[0]!
      const bad = [
        scheduler.submit(Bytes.fromText("rubbish"), Bytes.empty),
        send(scheduler, yield* message(Unsigned.id("nobody"))),
        send(scheduler, yield* spawn({ Authority: "nobody" })),
        send(scheduler, first.item, OutboxProof.encode(first.proof)),
        send(scheduler, OutboxItem.cron(process, "10-seconds", 1)),
      ]
      for (const one of bad) yield* Effect.flip(one)
      assert.deepStrictEqual(
        [store.commits(), yield* scheduler.nextBatch, committed.length],
        [commits, batch, commits],
      )
      assert.strictEqual(yield* refusal(send(scheduler, yield* message(process))), "slot 1")
    }),
  )

  it.effect(
    `comes at once when ${Limit.submitQueueMax} are in hand, unread, and nobody of those is lost`,
    () =>
      Effect.gen(function* () {
        const { scheduler, process, hold, release } = yield* ready({ verifier: LocalScheduler.credulous })
        const one = () => send(scheduler, Unsigned.message(process).item)
        hold()
        const running = yield* Effect.forkChild(one())
        yield* settle
        const waiting = yield* Effect.forEach(Array.from({ length: Limit.submitQueueMax - 1 }).keys(), () =>
          Effect.forkChild(one(), { startImmediately: true }),
        )
        const last = Unsigned.message(process).item
        const refused = yield* Effect.flip(send(scheduler, { bytes: new Uint8Array(1) }))
        assert.strictEqual(refused.reason, "overloaded")
        assert.include(refused.message, "try again later")
        release()
        const slots = yield* Effect.forEach([running, ...waiting], (fiber) =>
          Effect.map(Fiber.join(fiber), ({ slot }) => slot),
        )
        assert.deepStrictEqual(
          slots.toSorted((a, b) => a - b),
          Array.from(slots, (_, i) => i + 1),
        )
        assert.strictEqual(yield* refusal(send(scheduler, last)), `slot ${slots.length + 1}`)
      }),
  )
})

describe("a commit that fails", () => {
  it.effect("refuses its messages, which get the same slots when they are sent again, without a gap", () =>
    Effect.gen(function* () {
      const { signatures, service } = recording()
      const { scheduler, process, fail } = yield* ready({ signer: service })
      const items = [yield* message(process, "a"), yield* message(process, "b")]
      fail(2)
      for (let i = 0; i < 2; i++) {
        const refused = yield* Effect.flip(send(scheduler, items[0]!))
        assert.strictEqual(refused.reason, "store failed")
        assert.include(refused.message, "nothing was lost, send it again")
        assert.strictEqual(yield* scheduler.nextBatch, 1)
      }
      const accepted = yield* Effect.forEach(items, (item) => send(scheduler, item))
      assert.deepStrictEqual(
        accepted.map(({ slot, repeat }) => [slot, repeat]),
        [
          [1, false],
          [2, false],
        ],
      )
      const entries = yield* checkLog(scheduler, process)
      const shown = yield* Effect.forEach(entries.keys(), (slot) => scheduler.receipt(process, slot))
      const out = shown.map(({ link }) => Bytes.toHex(link.signature))
      assert.deepStrictEqual(
        signatures.map((signature) => out.includes(Bytes.toHex(signature))),
        [true, false, false, true, true],
        "what was signed and not committed is destroyed",
      )
    }),
  )

  it.effect("fails the repeats of what it held as well, and no message of an earlier batch", () =>
    Effect.gen(function* () {
      const { scheduler, process, hold, release, fail, spawned } = yield* ready()
      const item = yield* message(process)
      hold()
      const sent = [yield* Effect.forkChild(Effect.result(send(scheduler, item)))]
      yield* settle
      fail(1)
      sent.push(yield* Effect.forkChild(Effect.result(send(scheduler, item))))
      sent.push(yield* Effect.forkChild(Effect.result(send(scheduler, spawned))))
      release()
      const found = yield* Effect.forEach(sent, Fiber.join)
      assert.strictEqual(Result.isFailure(found[0]!) && found[0].failure.reason, "store failed")
      assert.deepInclude(Result.getOrThrow(found[1]!), { slot: 1, repeat: false })
      assert.deepInclude(Result.getOrThrow(found[2]!), { slot: 0, repeat: true })
    }),
  )

  it.effect("because nothing could be signed leaves nothing behind either", () =>
    Effect.gen(function* () {
      let broken = false
      const service: Signer["Service"] = {
        ...signer,
        sign: (context, bytes) =>
          broken
            ? Effect.fail(new SigningFailed({ address: signer.address, reason: "worker died" }))
            : signer.sign(context, bytes),
      }
      const { scheduler, process, store } = yield* ready({ signer: service })
      const [item, commits] = [yield* message(process), store.commits()]
      broken = true
      assert.include(["overloaded", "store failed"], yield* refusal(send(scheduler, item)))
      assert.strictEqual(store.commits(), commits)
      broken = false
      assert.strictEqual(yield* refusal(send(scheduler, item)), "slot 1")
    }),
  )
})

describe("a scheduler that ends between signing and committing", () => {
  it.effect("leaves no trace: the next one gives the same slot and the same batch number again", () =>
    Effect.gen(function* () {
      const { signatures, service } = recording()
      const store = StoreMemory.make()
      const first = StoreFaulty.bend(store)
      const scope = yield* Scope.make()
      const { scheduler, process } = yield* ready({ store: first.store, signer: service }).pipe(
        Scope.provide(scope),
      )
      yield* send(scheduler, yield* message(process, "kept"))
      first.hold()
      const lost = yield* message(process, "lost")
      const sent = yield* Effect.forkChild(send(scheduler, lost))
      yield* settle
      assert.strictEqual(signatures.length, 3)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(sent)))

      const next = yield* start({ store, signer: service })
      assert.strictEqual(yield* next.nextBatch, 2)
      assert.strictEqual((yield* log(next, process)).length, 2)
      assert.deepInclude(yield* send(next, yield* message(process, "other")), { slot: 2, repeat: false })
      assert.deepInclude(yield* send(next, lost), { slot: 3, repeat: false })
      yield* checkLog(next, process)
      const { link } = yield* next.receipt(process, 2)
      assert.strictEqual(link.number, 2)
      assert.isFalse(Bytes.equal(link.signature, signatures[2]!))
    }),
  )
})

describe("many callers at once", () => {
  it.effect("get slots without a gap in each of their processes, each message once", () =>
    Effect.gen(function* () {
      const { scheduler } = yield* ready({ verifier: LocalScheduler.credulous })
      const named = (n: number) =>
        Unsigned.spawn({
          anchor: `${n}`,
          tags: [
            ["Module", module],
            ["Scheduler", identity.address],
          ],
        })
      const spawns = Array.from({ length: 10 }, (_, n) => named(n))
      yield* Effect.forEach(spawns, ({ item }) => send(scheduler, item), { concurrency: "unbounded" })
      const messages = Array.from({ length: 500 }, (_, n) =>
        Unsigned.message(spawns[n % 10]!.process, { data: `${n}` }),
      )
      const accepted = yield* Effect.forEach(
        [...messages, ...messages],
        ({ item }) => Effect.tap(send(scheduler, item), () => Effect.yieldNow),
        { concurrency: "unbounded" },
      )
      assert.strictEqual(accepted.filter(({ repeat }) => !repeat).length, 500)
      for (const { process } of spawns) {
        const entries = yield* checkLog(scheduler, process)
        assert.strictEqual(entries.length, 51)
        assert.strictEqual(new Set(entries.map(({ item }) => Bytes.toHex(Hash.sha256(item)))).size, 51)
      }
      for (const { process, slot, id } of accepted) {
        const [entry] = yield* scheduler.log(process, slot, 1)
        assert.strictEqual(Result.getOrThrow(Item.decode(entry!.item)).id, id)
      }
    }),
  )
})

describe("an assigned item", () => {
  const bob = Caller.caller("bob")
  const assign = (process: Id.ProcessId, of: Item.Item, by = bob) =>
    Effect.promise(() => by.message(process, "Bring", { Assign: of.id }, of.bytes))
  const signed = (fields: Partial<SignedItem.Fields> = {}) =>
    Effect.orDie(SignedItem.sign(ada.signer, { tags: [], data: Bytes.fromText("said"), ...fields }))

  it.effect("gets a slot under its own id, once, whoever assigns it, also over a restart", () =>
    Effect.gen(function* () {
      const { scheduler, process, store } = yield* ready()
      const item = yield* signed()
      const first = yield* assign(process, item)
      assert.deepInclude(yield* send(scheduler, first), { id: item.id, process, slot: 1, repeat: false })
      const [, entry] = yield* log(scheduler, process)
      assert.isTrue(Bytes.equal(entry!.item, first.bytes))
      assert.isTrue(Bytes.equal(entry!.assignment.entryHash, Assignment.entryHash(first.bytes, Bytes.empty)))
      const again = yield* start({ store })
      for (const unit of [scheduler, again])
        for (const by of [bob, ada])
          assert.deepInclude(yield* send(unit, yield* assign(process, item, by)), {
            id: item.id,
            slot: 1,
            repeat: true,
          })
      assert.strictEqual((yield* scheduler.processes)[0]!.nextSlot, 2)
    }),
  )

  it.effect("that was sent by its owner before is a repeat of that, and the other way round", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      const [sent, carried] = [yield* message(process, "sent"), yield* message(process, "carried")]
      yield* send(scheduler, sent)
      assert.deepInclude(yield* send(scheduler, yield* assign(process, sent)), { slot: 1, repeat: true })
      yield* send(scheduler, yield* assign(process, carried))
      assert.deepInclude(yield* send(scheduler, carried), { id: carried.id, slot: 2, repeat: true })
    }),
  )

  it.effect("is refused by name before it has a slot, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const { scheduler, process, store } = yield* ready()
      const commits = store.commits()
      const item = yield* signed()
      const bytes = Bytes.copy(item.bytes)
      bytes[bytes.length - 1]! ^= 1
      const forged = Result.getOrThrow(Item.decode(bytes))
      const elsewhere = yield* signed({ target: Unsigned.hash("elsewhere") })
      const emission = { kind: "message", target: process, pair: 1 } as const
      const [emitted] = Emitted.emit({ source: Unsigned.id("source"), slot: 1, emissions: [emission] }, [
        unit,
      ])
      for (const [of, reason] of [
        [forged, "bad assigned item"],
        [yield* assign(process, item), "bad assigned item"],
        [emitted!.item, "bad assigned item"],
        [elsewhere, "not assignable"],
      ] as const)
        assert.strictEqual(yield* refusal(send(scheduler, yield* assign(process, of))), reason)
      const nowhere = yield* assign(Unsigned.id("nowhere"), item)
      assert.strictEqual(yield* refusal(send(scheduler, nowhere)), "unknown process")
      const misnamed = yield* message(process, "no item", { Assign: item.id })
      assert.strictEqual(yield* refusal(send(scheduler, misnamed)), "bad assigned item")
      assert.strictEqual(store.commits(), commits)
      assert.strictEqual(yield* refusal(send(scheduler, yield* assign(process, item))), "slot 1")
    }),
  )
})

/** What every `MessengerUnit` must do, in the process of its units or away from them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SignedItem from "../../identity/SignedItem.ts"
import type { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as ProvenLetter from "../../messenger-unit/ProvenLetter.ts"
import * as ProvenSpawn from "../../messenger-unit/ProvenSpawn.ts"
import * as ProvenView from "../../messenger-unit/ProvenView.ts"
import type { Reason } from "../../runtime/Admission.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Item from "../../runtime/Item.ts"
import * as DataReference from "../../runtime/DataReference.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import * as Module from "../../runtime/Module.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import { alike } from "../support/Alike.ts"
import * as ArchiveProbe from "../support/ArchiveProbe.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as StoreProbe from "../support/StoreProbe.ts"

type Messenger = MessengerUnit["Service"]

const counter = `
let count = 0
heddle.on("Add", (message) => {
  count += Number(message.tags.By ?? 1)
  heddle.publish("count", count)
  console.log("count is", count)
  return count
})
heddle.on("Get", () => count)
heddle.on("Fail", () => { count = 100; throw new RangeError("not this") })
heddle.on("Later", async () => { await heddle.sleep("1ms"); return "later" })
heddle.on("Tell", (message) => { heddle.send(message.tags.Whom, { action: "Add" }) })
`

const ada = Caller.caller("ada")
const nobody = Id.fromBytes(new Uint8Array(32).fill(9))

/** `make` puts the messenger under test before or beside a node; `node.messenger` is the one in its process. */
export const messengerSuite = (
  name: string,
  make: (node: SmallNode.SmallNode) => Effect.Effect<Messenger, unknown, Scope.Scope>,
): void => {
  const withNode = <A, E>(
    body: (
      messenger: Messenger,
      node: SmallNode.SmallNode,
      probe: StoreProbe.StoreProbe,
    ) => Effect.Effect<A, E, Scope.Scope>,
    residentBytesMax?: number,
    archived?: SmallNode.Archived,
  ) =>
    Effect.gen(function* () {
      const probe = StoreProbe.make()
      const node = yield* SmallNode.make({ store: probe.store }, residentBytesMax, archived)
      return yield* body(yield* make(node), node, probe)
      // A store that fails is told of in the log, and here it fails on purpose.
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

  const spawned = (messenger: Messenger, tags: Record<string, string> = {}) =>
    SmallNode.spawn({ messenger }, ada, counter, tags)
  const add = (messenger: Messenger, process: Id.ProcessId, by = 1) =>
    SmallNode.send({ messenger }, ada, process, "Add", { By: String(by) })

  const refused = Effect.fnUntraced(function* (messenger: Messenger, item: Uint8Array, reason: Reason) {
    const error = yield* Effect.flip(messenger.send(item))
    assert.deepInclude(error, { _tag: "Refused", reason })
    assert.isAbove(error.message.length, reason.length + 2, "it says what to do")
  })

  describe(`MessengerUnit: ${name}`, () => {
    it.live("names the node behind it", () =>
      withNode((messenger, node) =>
        Effect.gen(function* () {
          const info = yield* messenger.info
          assert.strictEqual(info.scheduler, node.scheduler.address)
          assert.strictEqual(info.compute, node.compute.address)
          assert.deepStrictEqual(alike(info), alike(yield* node.messenger.info))
        }),
      ),
    )

    it.live("keeps a module under the id of its bytes, however often it is added", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const source = Bytes.fromText(counter)
          const id = yield* messenger.addModule(source)
          assert.strictEqual(id, Module.id(source))
          assert.strictEqual(yield* messenger.addModule(source), id)
          assert.deepStrictEqual(alike(yield* messenger.module(id)), alike(source))
          assert.isUndefined(yield* messenger.module(nobody))
        }),
      ),
    )

    it.live("keeps data under its hash, however often it is added", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const bytes = new Uint8Array(Limit.itemBytesMax + 1).fill(0xfe)
          const hash = yield* messenger.addData(bytes)
          assert.strictEqual(hash, DataReference.hashOf(bytes))
          assert.strictEqual(yield* messenger.addData(bytes), hash)
          assert.isTrue(Bytes.equal((yield* messenger.data(hash))!, bytes))
          assert.isUndefined(yield* messenger.data(nobody))
        }),
      ),
    )

    it.live("keeps data to its size: the limit is taken, one byte more and none are not", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const bytes = new Uint8Array(Limit.referencedBytesMax + 1)
          yield* messenger.addData(bytes.subarray(1))
          const over = yield* Effect.flip(messenger.addData(bytes))
          assert.deepInclude(over, { _tag: "Refused", reason: "too large" })
          assert.include(over.message, String(Limit.referencedBytesMax))
          const none = yield* Effect.flip(messenger.addData(Bytes.empty))
          assert.deepInclude(none, { _tag: "Refused", reason: "bad reference" })
        }),
      ),
    )

    it.live("says that data can't be kept, and then keeps it", () =>
      withNode((messenger, _, probe) =>
        Effect.gen(function* () {
          probe.before = (tables) => (tables.includes("data-part") ? StoreProbe.full : Effect.void)
          const bytes = Bytes.fromText("data")
          const refused = yield* Effect.flip(messenger.addData(bytes))
          assert.deepInclude(refused, { _tag: "Refused", reason: "store failed" })
          probe.before = () => Effect.void
          const hash = yield* messenger.addData(bytes)
          assert.deepStrictEqual(alike(yield* messenger.data(hash)), alike(bytes))
        }),
      ),
    )

    it.live("gives a message its slot once the data is there that it refers to, and tells the process", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const process = yield* SmallNode.spawn({ messenger }, ada, `heddle.on("Say", (m) => m.data)`)
          const bytes = Bytes.fromText("said elsewhere")
          const tags = DataReference.tags(DataReference.of(bytes))
          const item = yield* Effect.promise(() =>
            ada.message(process, "Say", Object.fromEntries(tags.map(({ name, value }) => [name, value]))),
          )
          yield* refused(messenger, item.bytes, "data unavailable")
          yield* messenger.addData(bytes)
          const { accepted, result } = yield* messenger.ask(item.bytes)
          assert.deepStrictEqual([accepted.slot, result], [1, { value: '"said elsewhere"' }])
          const bad = yield* Effect.promise(() => ada.message(process, "Say", { "Data-Hash": "?" }))
          yield* refused(messenger, bad.bytes, "bad reference")
        }),
      ),
    )

    it.live("says where guest code does not load", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(messenger.addModule(Bytes.fromText("const a = 1\nconst b = (\n")))
          assert.deepInclude(error, { _tag: "ModuleInvalid" })
          if (error._tag === "ModuleInvalid") assert.isAtLeast(error.line, 2)
        }),
      ),
    )

    it.live("takes a module of the largest size, and not one byte more", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const source = new Uint8Array(Limit.moduleBytesMax + 1).fill(0x20)
          yield* messenger.addModule(source.subarray(0, Limit.moduleBytesMax))
          const error = yield* Effect.flip(messenger.addModule(source))
          assert.strictEqual(error._tag, "ModuleInvalid")
          assert.include(error.message, String(Limit.moduleBytesMax))
        }),
      ),
    )

    it.live("says so where a module can't be stored", () =>
      withNode((messenger, _, probe) =>
        Effect.gen(function* () {
          probe.before = () => StoreProbe.full
          const error = yield* Effect.flip(messenger.addModule(Bytes.fromText(counter)))
          assert.deepInclude(error, { _tag: "StoreFailed", reason: "full" })
        }),
      ),
    )

    it.live("gives slots in order, and the same slot to the same item", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          const item = yield* Effect.promise(() => ada.message(process, "Add"))
          const first = yield* messenger.send(item.bytes)
          assert.deepInclude(first, { id: item.id, process, slot: 1, repeat: false })
          assert.deepInclude(yield* add(messenger, process), { process, slot: 2 })
          const again = yield* messenger.send(item.bytes)
          assert.deepStrictEqual(alike(again), alike({ ...first, repeat: true }))
        }),
      ),
    )

    it.live("refuses by name what is no message", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          const { bytes } = yield* Effect.promise(() => ada.message(process, "Add", {}, "data"))
          yield* refused(messenger, bytes.subarray(0, 100), "malformed item")
          yield* refused(messenger, Bytes.empty, "malformed item")
          yield* refused(
            messenger,
            Bytes.concat([Bytes.u16(999), bytes.subarray(2)]),
            "unknown signature type",
          )
          const changed = Bytes.copy(bytes)
          changed[bytes.length - 1]! ^= 1
          yield* refused(messenger, changed, "bad signature")
          const untagged = yield* SignedItem.sign(ada.signer, { tags: [], data: Bytes.empty })
          yield* refused(messenger, untagged.bytes, "not a message")
          yield* refused(messenger, new Uint8Array(Limit.itemBytesMax + 1), "too large")
          yield* refused(messenger, OutboxItem.cron(process, "1-hour", 1).bytes, "no proof")
        }),
      ),
    )

    it.live("refuses an anchor that stands for other content", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const target = Id.toBytes(yield* spawned(messenger))
          const anchor = new Uint8Array(32).fill(5)
          const saying = (data: string) => ({
            target,
            anchor,
            tags: Message.protocolTags("Message"),
            data: Bytes.fromText(data),
          })
          const first = yield* SignedItem.sign(ada.signer, saying("one"))
          assert.deepInclude(yield* messenger.send(first.bytes), { slot: 1, repeat: false })
          // Signing is hedged: the same content under another signature is a repeat, not another message.
          const again = yield* SignedItem.sign(ada.signer, saying("one"))
          assert.notStrictEqual(again.id, first.id)
          assert.deepInclude(yield* messenger.send(again.bytes), { id: first.id, slot: 1, repeat: true })
          const other = yield* SignedItem.sign(ada.signer, saying("two"))
          yield* refused(messenger, other.bytes, "anchor reused")
        }),
      ),
    )

    it.live("takes an item of the largest size", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          const { bytes } = yield* Effect.promise(() => ada.message(process, "Get"))
          const data = new Uint8Array(Limit.itemBytesMax - bytes.length)
          const largest = yield* Effect.promise(() => ada.message(process, "Get", {}, data))
          assert.strictEqual(largest.bytes.length, Limit.itemBytesMax)
          assert.strictEqual((yield* messenger.send(largest.bytes)).slot, 1)
          const [entry] = yield* messenger.log(process, 1, 1)
          assert.isTrue(Bytes.equal(entry!.item, largest.bytes))
        }),
      ),
    )

    it.live("refuses by name what has no place in any log of the node", () =>
      withNode((messenger, node, probe) =>
        Effect.gen(function* () {
          const module = yield* messenger.addModule(Bytes.fromText(counter))
          const { scheduler } = node
          const item = (made: Promise<{ readonly bytes: Uint8Array }>) =>
            Effect.map(
              Effect.promise(() => made),
              ({ bytes }) => bytes,
            )
          yield* refused(messenger, yield* item(ada.message(nobody, "Add")), "unknown process")
          yield* refused(messenger, yield* item(ada.spawn(nobody, scheduler.address)), "unknown module")
          yield* refused(messenger, yield* item(ada.spawn(module, nobody)), "other scheduler")
          const bad = ada.spawn(module, scheduler.address, { "Memory-Limit": "none" })
          yield* refused(messenger, yield* item(bad), "bad spawn")
          const process = yield* spawned(messenger)
          probe.before = () => StoreProbe.full
          yield* refused(messenger, yield* item(ada.message(process, "Add")), "store failed")
        }),
      ),
    )

    it.live("asks: gives the answer, or why there is none", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          const ask = (action: string) =>
            Effect.flatMap(
              Effect.promise(() => ada.message(process, action)),
              ({ bytes }) => messenger.ask(bytes),
            )
          const { accepted, fuelUsed, result } = yield* ask("Add")
          assert.deepInclude(accepted, { process, slot: 1 })
          assert.isTrue(fuelUsed > 0n)
          assert.deepStrictEqual(result, { value: "1" })
          const failed = yield* ask("Fail")
          assert.deepInclude(failed.result, { reason: "threw" })
          assert.include("error" in failed.result ? failed.result.error : "", "not this")
          assert.deepStrictEqual((yield* ask("Later")).result, { value: '"later"' })
          assert.deepStrictEqual((yield* ask("Get")).result, { value: "1" })
          const unknown = yield* Effect.promise(() => ada.message(nobody, "Get"))
          assert.deepInclude(yield* Effect.flip(messenger.ask(unknown.bytes)), { reason: "unknown process" })
        }),
      ),
    )

    it.live("answers an item that was asked before with the first answer", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          const { bytes } = yield* Effect.promise(() => ada.message(process, "Add"))
          const first = yield* messenger.ask(bytes)
          const again = yield* messenger.ask(bytes)
          assert.deepStrictEqual(again.result, first.result)
          assert.deepInclude(again.accepted, { slot: first.accepted.slot, repeat: true })
        }),
      ),
    )

    it.live("gives the answer to a message that was sent before, and waits for it", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          const { slot } = yield* SmallNode.send({ messenger }, ada, process, "Later")
          const { fuelUsed, result } = yield* messenger.answer(process, slot)
          assert.isTrue(fuelUsed > 0n)
          assert.deepStrictEqual(result, { value: '"later"' })
          const failing = yield* SmallNode.send({ messenger }, ada, process, "Fail")
          assert.deepInclude((yield* messenger.answer(process, failing.slot)).result, { reason: "threw" })
          const unknown = yield* Effect.flip(messenger.answer(process, 99))
          assert.deepInclude(unknown, { _tag: "LogUnknown", process, slot: 99 })
        }),
      ),
    )

    it.live("gives receipts that hold", () =>
      withNode((messenger, node) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          const { slot, head } = yield* add(messenger, process)
          const receipt = yield* messenger.receipt(process, slot)
          assert.isTrue(Batch.receiptHolds(receipt))
          assert.strictEqual(alike(receipt.assignment.head), alike(head))
          assert.deepStrictEqual(alike(receipt), alike(yield* node.messenger.receipt(process, slot)))
          const unknown = { _tag: "LogUnknown", process, slot: 2 } as const
          assert.deepInclude(yield* Effect.flip(messenger.receipt(process, 2)), unknown)
          assert.deepInclude(yield* Effect.flip(messenger.receipt(nobody, 0)), {
            _tag: "LogUnknown",
            process: nobody,
          })
        }),
      ),
    )

    it.live("reads a log: from a slot, at most so many, nothing past its end", () =>
      withNode((messenger, node) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          for (let i = 0; i < 20; i++) yield* add(messenger, process)
          const all = yield* messenger.log(process, 0, 100)
          assert.deepStrictEqual(
            all.map(({ assignment }) => assignment.slot),
            Array.from({ length: 21 }, (_, i) => i),
          )
          assert.deepStrictEqual(alike(all), alike(yield* node.messenger.log(process, 0, 100)))
          const some = yield* messenger.log(process, 3, 17)
          assert.deepStrictEqual(
            some.map(({ assignment }) => assignment.slot),
            Array.from({ length: 17 }, (_, i) => i + 3),
          )
          assert.deepStrictEqual(yield* messenger.log(process, 21, 10), [])
          assert.deepInclude(yield* Effect.flip(messenger.log(nobody, 0, 1)), {
            _tag: "LogUnknown",
            process: nobody,
          })
        }),
      ),
    )

    it.live("reads turns, and waits for the turn of a slot that is assigned", () =>
      withNode((messenger, node) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          const { slot, id } = yield* add(messenger, process, 7)
          const turn = yield* messenger.turn(process, slot)
          assert.deepInclude(turn.outcome, { slot, message: id, error: undefined })
          assert.deepStrictEqual(turn.outcome.replies, [{ to: id, value: "7" }])
          assert.deepStrictEqual(turn.trace.console, [["log", "count is 7"]])
          assert.deepStrictEqual(alike(turn), alike(yield* node.messenger.turn(process, slot)))
          const turns = yield* messenger.turns(process, 0, 10)
          assert.deepStrictEqual(
            turns.map(({ outcome }) => outcome.slot),
            [0, 1],
          )
          assert.deepStrictEqual(alike(turns[1]), alike(turn))
          assert.deepStrictEqual(yield* messenger.turns(process, 2, 10), [])
          assert.deepInclude(yield* Effect.flip(messenger.turn(process, 2)), { _tag: "LogUnknown", slot: 2 })
        }),
      ),
    )

    it.live("gives the attestation that reaches a slot", () =>
      withNode((messenger, node) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          const { slot } = yield* add(messenger, process)
          yield* messenger.turn(process, slot)
          const attested = yield* messenger.attestation(process, slot)
          assert.strictEqual(attested?.attestation.to.slot, slot)
          assert.deepStrictEqual(alike(attested), alike(yield* node.messenger.attestation(process, slot)))
          assert.isUndefined(yield* messenger.attestation(process, 99))
          assert.isUndefined(yield* messenger.attestation(nobody, 0))
        }),
      ),
    )

    it.live("follows: what is there, then what comes, from where it is told", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          yield* add(messenger, process)
          const follow = (from: number, count: number) =>
            Effect.forkChild(Stream.runCollect(Stream.take(messenger.follow(process, from), count)), {
              startImmediately: true,
            })
          const [all, later] = [yield* follow(0, 4), yield* follow(2, 2)]
          yield* add(messenger, process, 10)
          yield* add(messenger, process, 100)
          assert.deepStrictEqual(
            (yield* Fiber.join(all)).map(({ outcome }) => outcome.slot),
            [0, 1, 2, 3],
          )
          const values = (yield* Fiber.join(later)).flatMap(({ outcome }) => outcome.replies)
          assert.deepStrictEqual(
            values.map((reply) => "value" in reply && reply.value),
            ["11", "111"],
          )
          const unknown = yield* Effect.flip(Stream.runDrain(messenger.follow(nobody, 0)))
          assert.deepInclude(unknown, { _tag: "LogUnknown", process: nobody })
        }),
      ),
    )

    it.live("queries a copy: an answer or an error, and nothing is changed", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          const { slot } = yield* add(messenger, process, 5)
          yield* messenger.turn(process, slot)
          const query = (action: string, tags: ReadonlyArray<readonly [string, string]> = []) =>
            messenger.query(process, { action, tags, data: Bytes.empty, from: "" })
          const added = yield* query("Add", [["By", "3"]])
          assert.deepInclude(added, { slot, result: { value: "8" } })
          assert.deepStrictEqual(added.console, [["log", "count is 8"]])
          assert.deepStrictEqual((yield* query("Get")).result, { value: "5" })
          const failed = (yield* query("Fail")).result
          assert.deepInclude("error" in failed ? failed.error : {}, { reason: "threw" })
          const unknown = messenger.query(nobody, { action: "Get", tags: [], data: Bytes.empty, from: "" })
          assert.deepInclude(yield* Effect.flip(unknown), { _tag: "ComputeUnknown", process: nobody })
        }),
      ),
    )

    it.live("shows views, and nothing where nothing is published", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          const { slot } = yield* add(messenger, process, 5)
          yield* messenger.turn(process, slot)
          assert.deepStrictEqual(yield* messenger.view(process, "count"), { value: "5", slot })
          for (const name of ["no/such view?", "", ".", "..", "%2e", "\u0000", "\ud800", "\ufffd"])
            assert.isUndefined(yield* messenger.view(process, name))
          const odd = ["a/b?c&d=e#f", "..", "%2F", " ", "\ufffd"]
          const publishing = odd.map(
            (name) => `heddle.publish(${JSON.stringify(name)}, ${JSON.stringify(name)})`,
          )
          const other = yield* SmallNode.spawn(
            { messenger },
            ada,
            `heddle.on("Spawn", () => { ${publishing.join(";")} })`,
          )
          yield* messenger.turn(other, 0)
          for (const name of odd) {
            const shown = { value: JSON.stringify(name), slot: 0 }
            assert.deepStrictEqual(yield* messenger.view(other, name), shown)
            assert.strictEqual((yield* messenger.viewProof(other, name)).value, shown.value)
          }
          assert.isUndefined(yield* messenger.view(other, "\ud800"), "it is not taken for another name")
          assert.isUndefined(yield* messenger.view(nobody, "count"))
        }),
      ),
    )

    it.live("proves a view, or that there is none, to whoever checks", () =>
      withNode((messenger, node) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          const { slot } = yield* add(messenger, process, 5)
          yield* messenger.turn(process, slot)
          const [spawn] = yield* messenger.log(process, 0, 1)
          for (const [view, value] of [
            ["count", "5"],
            ["no/such view?", undefined],
            ["", undefined],
          ] as const) {
            const proof = yield* messenger.viewProof(process, view)
            assert.deepStrictEqual(alike(proof), alike(yield* node.messenger.viewProof(process, view)))
            const shown = Result.getOrThrow(ProvenView.check(process, view, spawn!.item, proof))
            assert.deepInclude(shown, { value, slot, unit: node.compute.address })
          }
          const unknown = yield* Effect.flip(messenger.viewProof(nobody, "count"))
          assert.deepInclude(unknown, { _tag: "ComputeUnknown", process: nobody })
        }),
      ),
    )

    it.live("lists snapshots, and gives the bytes of those that are kept", () =>
      withNode(
        (messenger, node) =>
          Effect.gen(function* () {
            const process = yield* spawned(messenger)
            const taken = (slot: number) =>
              SmallNode.until(
                `a snapshot after slot ${slot}`,
                Effect.map(node.compute.snapshots(process), (all) => all.at(-1)?.slot === slot),
              )
            for (let slot = 0; slot < 4; slot++) {
              if (slot > 0) yield* add(messenger, process)
              yield* taken(slot)
            }
            const all = yield* messenger.snapshots(process)
            assert.deepStrictEqual(alike(all), alike(yield* node.messenger.snapshots(process)))
            assert.deepStrictEqual(
              all.map(({ slot, kept }) => [slot, kept]),
              [0, 1, 2, 3].map((slot) => [slot, slot > 3 - Limit.snapshotsKeptMax]),
            )
            for (const { slot, kept, sha256, length, stateRoot } of all) {
              const bytes = yield* messenger.snapshot(process, slot)
              if (!kept) assert.isUndefined(bytes)
              else
                assert.deepStrictEqual([bytes!.length, alike(Hash.sha256(bytes!))], [length, alike(sha256)])
              const attested = yield* messenger.attestation(process, slot)
              assert.deepStrictEqual(alike(stateRoot), alike(attested?.attestation.to.stateRoot))
            }
            assert.isUndefined(yield* messenger.snapshot(process, 99))
            assert.isUndefined(yield* messenger.snapshot(nobody, 0))
            assert.deepStrictEqual(yield* messenger.snapshots(nobody), [])
          }),
        0,
      ),
    )

    it.live("serves its engine under the hash of its bytes, and no other", () =>
      withNode((messenger, node) =>
        Effect.gen(function* () {
          const { engine } = yield* messenger.info
          yield* messenger.turn(yield* spawned(messenger), 0)
          const bytes = yield* messenger.engineBytes(engine)
          assert.strictEqual(alike(Hash.sha256(bytes!)), alike(engine))
          assert.isTrue(Bytes.equal(bytes!, node.sandbox.artifact))
          assert.isUndefined(yield* messenger.engineBytes(Id.toBytes(nobody)))
        }),
      ),
    )

    it.live("lists processes and describes one", () =>
      withNode((messenger, node) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* messenger.processes, [])
          const process = yield* spawned(messenger, { Name: "Counter of Ada" })
          const { slot } = yield* add(messenger, process)
          yield* messenger.turn(process, slot)
          const info = yield* messenger.process(process)
          const owner = ada.identity.address
          assert.deepInclude(info, {
            process,
            owner,
            name: "Counter of Ada",
            slots: 2,
            computed: 2,
            parked: undefined,
          })
          assert.strictEqual(alike(info.engine), alike((yield* messenger.info).engine))
          const other = yield* spawned(messenger)
          yield* messenger.turn(other, 0)
          const all = yield* messenger.processes
          assert.deepStrictEqual(alike(all.find((one) => one.process === process)), alike(info))
          assert.deepStrictEqual(alike(all), alike(yield* node.messenger.processes))
          assert.isUndefined(all.find((one) => one.process === other)?.name)
          assert.deepInclude(yield* Effect.flip(messenger.process(nobody)), {
            _tag: "LogUnknown",
            process: nobody,
          })
        }),
      ),
    )

    it.live("says whom a process believes, and takes its owner's word for others", () =>
      withNode((messenger, node) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger, { Authority: nobody })
          const first = { units: [nobody], quorum: 1, since: 0 }
          assert.deepStrictEqual(alike(yield* messenger.authority(process)), alike(first))
          const units = [node.compute.address, nobody]
          const tags = units.map((unit) => ["Authority", unit] as const)
          const bad = yield* Effect.promise(() =>
            ada.message(process, "Authority", [...tags, ["Authority-Quorum", "1"]]),
          )
          yield* refused(messenger, bad.bytes, "bad authority")
          const told = yield* SmallNode.ask({ messenger }, ada, process, "Authority", tags)
          assert.isNull(told)
          const next = { units, quorum: 2, since: 2 }
          assert.deepStrictEqual(alike(yield* messenger.authority(process)), alike(next))
          const unknown = yield* Effect.flip(messenger.authority(nobody))
          assert.deepInclude(unknown, { _tag: "LogUnknown", process: nobody })
        }),
      ),
    )

    it.live("shows what can't be delivered, and why", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          assert.deepStrictEqual(yield* messenger.outbox, [])
          const { slot } = yield* SmallNode.send({ messenger }, ada, process, "Tell", { Whom: nobody })
          yield* messenger.turn(process, slot)
          const waits = Effect.map(
            messenger.outbox,
            ([first]) => first?.reason.includes("unknown process") ?? false,
          )
          yield* SmallNode.until("the entry waits", Effect.orDie(waits))
          const [entry] = yield* messenger.outbox
          assert.deepInclude(entry, { source: process, slot, index: 0, target: nobody, kind: "message" })
          const { item } = (yield* messenger.turn(process, slot)).outcome.outbox[0]!
          const found = yield* messenger.outboxEntry({ source: process, slot, index: 0 })
          assert.deepInclude(found?.entry, { kind: "message", pair: 1, due: 0 })
          assert.isTrue(Bytes.equal(found!.entry.item, item))
          const proof = Result.getOrThrow(OutboxProof.decode(found!.proof))
          assert.isTrue(Result.isSuccess(OutboxProof.open(Result.getOrThrow(Item.decode(item)), proof)))
          assert.isUndefined(yield* messenger.outboxEntry({ source: process, slot, index: 1 }))
          assert.deepInclude(entry, { attempts: 1, next: undefined })
        }),
      ),
    )

    it.live("tries again what can't be delivered, all of it or one, and says what became of it", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const process = yield* spawned(messenger)
          assert.deepStrictEqual(yield* messenger.retry(), { tried: 0, delivered: 0, waiting: [] })
          const { slot } = yield* SmallNode.send({ messenger }, ada, process, "Tell", { Whom: nobody })
          yield* messenger.turn(process, slot)
          const waits = Effect.map(messenger.outbox, ([first]) => first?.attempts === 1)
          yield* SmallNode.until("the entry waits", Effect.orDie(waits))
          for (const [i, entry] of [undefined, { source: process, slot, index: 0 }].entries()) {
            const retried = yield* messenger.retry(entry)
            assert.deepInclude(retried, { tried: 1, delivered: 0 })
            assert.deepInclude(retried.waiting[0], { source: process, slot, index: 0, attempts: i + 2 })
            assert.include(retried.waiting[0]!.reason, "unknown process")
          }
          const unknown = yield* Effect.flip(messenger.retry({ source: process, slot, index: 9 }))
          assert.deepInclude(unknown, { _tag: "EntryUnknown", source: process, slot, index: 9 })
        }),
      ),
    )

    const read = (messenger: Messenger, address: Id.Address, count: number) =>
      Effect.gen(function* () {
        const arrived = Effect.map(messenger.inbox(address, 0, 100), ({ length }) => length >= count)
        yield* SmallNode.until(`${count} letters`, Effect.orDie(arrived))
        return yield* messenger.inbox(address, 0, 100)
      })
    const tell = Effect.fnUntraced(function* (messenger: Messenger, process: Id.ProcessId, whom: Id.Address) {
      const { slot } = yield* SmallNode.send({ messenger }, ada, process, "Tell", { Whom: whom })
      yield* messenger.turn(process, slot)
      return slot
    })

    it.live("puts what processes say to a person into the person's inbox, in order, with its proof", () =>
      withNode((messenger, node) =>
        Effect.gen(function* () {
          const { address } = ada.identity
          const [first, second] = [yield* spawned(messenger), yield* spawned(messenger, { Name: "second" })]
          assert.deepStrictEqual(yield* messenger.inbox(address, 0, 10), [])
          const slots = [
            [first, yield* tell(messenger, first, address)],
            [second, yield* tell(messenger, second, address)],
            [first, yield* tell(messenger, first, address)],
          ] as const
          const letters = yield* read(messenger, address, 3)
          assert.deepStrictEqual(alike(letters), alike(yield* node.messenger.inbox(address, 0, 100)))
          assert.deepStrictEqual(
            letters.map(({ number }) => number),
            [0, 1, 2],
          )
          assert.deepStrictEqual(
            letters.filter(({ source }) => source === first).map(({ slot }) => slot),
            slots.filter(([source]) => source === first).map(([, slot]) => slot),
          )
          for (const letter of letters) {
            const [spawn] = yield* messenger.log(letter.source, 0, 1)
            const shown = Result.getOrThrow(
              ProvenLetter.check(address, ProvenSpawn.check(letter.source, spawn!.item), letter),
            )
            assert.deepInclude(shown, { from: letter.source, slot: letter.slot, action: "Add" })
            assert.deepStrictEqual(shown.units, [node.compute.address])
          }
          const page = yield* messenger.inbox(address, 1, 1)
          assert.deepStrictEqual(alike(page), alike(letters.slice(1, 2)))
          assert.deepStrictEqual(yield* messenger.inbox(address, 3, 10), [])
          assert.deepStrictEqual(yield* messenger.outbox, [])
        }),
      ),
    )

    it.live("holds what is for a person whose key it does not know, until it is told of it", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const { address, owner, type } = Caller.caller("grace").identity
          const process = yield* spawned(messenger)
          const slot = yield* tell(messenger, process, address)
          const waits = Effect.map(messenger.outbox, ([first]) => first?.attempts === 1)
          yield* SmallNode.until("the entry waits", Effect.orDie(waits))
          const unknown = yield* Effect.flip(messenger.inbox(address, 0, 10))
          assert.deepInclude(unknown, { _tag: "InboxUnknown", address })
          assert.strictEqual(yield* messenger.openInbox(type.number, owner), address)
          assert.strictEqual(yield* messenger.openInbox(type.number, owner), address, "as often as one likes")
          const [letter] = yield* read(messenger, address, 1)
          assert.deepInclude(letter, { number: 0, source: process, slot, index: 0 })
          assert.deepStrictEqual(yield* messenger.outbox, [])
        }),
      ),
    )

    it.live("brings a person what was held once the person speaks", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const grace = Caller.caller("grace")
          const process = yield* spawned(messenger)
          yield* tell(messenger, process, grace.identity.address)
          const waits = Effect.map(messenger.outbox, ([first]) => first?.attempts === 1)
          yield* SmallNode.until("the entry waits", Effect.orDie(waits))
          yield* SmallNode.send({ messenger }, grace, process, "Add")
          assert.strictEqual((yield* read(messenger, grace.identity.address, 1)).length, 1)
        }),
      ),
    )

    it.live("takes no inbox for what is no key", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const { owner, type } = Caller.caller("grace").identity
          for (const [number, bytes] of [
            [type.number, owner.subarray(1)],
            [SignatureType.outbox.number, new Uint8Array(32)],
            [SignatureType.batch65.number, owner],
            [4, owner],
          ] as const) {
            const refused = yield* Effect.flip(messenger.openInbox(number, bytes))
            assert.deepInclude(refused, { _tag: "InboxRefused", reason: "not a key" })
          }
        }),
      ),
    )

    it.live("waits for a letter where it is asked to", () =>
      withNode((messenger) =>
        Effect.gen(function* () {
          const { address } = ada.identity
          const process = yield* spawned(messenger)
          const waiting = yield* Effect.forkChild(messenger.inbox(address, 0, 10, true))
          yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow, { discard: true })
          assert.isUndefined(waiting.pollUnsafe())
          yield* tell(messenger, process, address)
          const [letter] = yield* Fiber.join(waiting)
          assert.deepInclude(letter, { number: 0, source: process })
        }),
      ),
    )

    it.live("says how far the archive is, what a process is anchored by, and what it waits for", () => {
      const archive = ArchiveProbe.make((bytes) => BigInt(bytes))
      return withNode(
        (messenger, node) =>
          Effect.gen(function* () {
            const process = yield* spawned(messenger)
            yield* messenger.turn(process, 0)
            assert.isUndefined(yield* messenger.anchor(process))
            const told = (holds: (status: Effect.Success<Messenger["archive"]>) => boolean) =>
              SmallNode.until("the archive says so", Effect.map(node.messenger.archive, holds))
            yield* Effect.forkChild(node.archive.flush)
            yield* told(({ waiting }) => waiting[0]?.state === "sent")
            const before = yield* messenger.archive
            const [transfer] = archive.made
            const { cost, id } = transfer!
            assert.deepInclude(before, {
              archive: "probe",
              bundles: 0,
              spent: cost,
              spendingLimit: 10n ** 12n,
            })
            assert.deepInclude(before.waiting[0], { number: 0, state: "sent", transfer: id, cost })
            assert.isUndefined(before.problem)

            archive.mine()
            yield* told(({ bundles }) => bundles === 1)
            const after = yield* messenger.archive
            assert.deepInclude(after, { bundles: 1, bytes: transfer!.bytes, waiting: [] })
            assert.strictEqual(after.batches.confirmed, before.batches.bundled)
            const [entry] = yield* messenger.log(process, 0, 1)
            assert.deepStrictEqual(
              alike(yield* messenger.anchor(process)),
              alike({ slot: 0, head: entry!.assignment.head, transfer: id, height: 1 }),
            )
            assert.isUndefined(yield* messenger.anchor(nobody))

            archive.down = "no network"
            yield* add(messenger, process)
            yield* Effect.forkChild(node.archive.flush)
            yield* told(({ problem }) => problem !== undefined)
            assert.include((yield* messenger.archive).problem, "no network")
          }),
        undefined,
        { archive: archive.archive, pollMs: 20, spendingLimit: 10n ** 12n },
      )
    })

    it.live("estimates what archiving a process takes, and says where the archive does not", () => {
      const archive = ArchiveProbe.make((bytes) => 3n * BigInt(bytes))
      return withNode(
        (messenger) =>
          Effect.gen(function* () {
            const process = yield* spawned(messenger)
            yield* add(messenger, process)
            const cost = yield* messenger.archiveCost(process)
            const entries = yield* messenger.log(process, 0, 10)
            const signedBytes = entries.reduce((sum, { item, proof }) => sum + item.length + proof.length, 0)
            assert.deepInclude(cost, { slots: 2, signedBytes, winston: 3n * BigInt(cost.bytes) })
            assert.strictEqual(archive.paid.size, 0)
            const unknown = yield* Effect.flip(messenger.archiveCost(nobody))
            assert.deepInclude(unknown, { _tag: "LogUnknown", process: nobody })
            archive.down = "no network"
            assert.deepInclude(yield* Effect.flip(messenger.archiveCost(process)), {
              _tag: "ArchiveUnavailable",
              gateway: "probe",
              transaction: undefined,
              reason: "no answer",
              detail: "no network",
            })
          }),
        undefined,
        { archive: archive.archive },
      )
    })
  })
}

/** What turns are told of data that their messages refer to, wherever and whenever they are run. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Audit from "../../compute-unit/Audit.ts"
import * as ReferencedData from "../../compute-unit/ReferencedData.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as Timeline from "../../compute-unit/Timeline.ts"
import * as Trial from "../../compute-unit/Trial.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as DataReference from "../../runtime/DataReference.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Module from "../../runtime/Module.ts"
import * as Caller from "../support/Caller.ts"
import * as LogBook from "../support/LogBook.ts"
import * as SmallNode from "../support/SmallNode.ts"
import { id } from "../support/Unsigned.ts"
import * as PlainStage from "./PlainStage.ts"
import * as Recording from "./Recording.ts"

const ada = Caller.caller("ada")

const guest = `
  let kept = ""
  heddle.on("Text", (m) => { kept += m.data; return [m.data, m.bytes().length] })
  heddle.on("Bytes", (m) => {
    const bytes = m.bytes()
    kept += bytes.length
    return [m.data ?? null, bytes.length, bytes[0], bytes[bytes.length - 1]]
  })
  heddle.on("Length", (m) => m.data.length)
  heddle.on("Pass", (m) => { heddle.send(m.tags.To, { action: "Text", tags: { "Data-Hash": m.tags["Data-Hash"], "Data-Length": m.tags["Data-Length"] } }) })
  heddle.on("Kept", () => kept)`

const binary = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length).fill(0xff)
  bytes[0] = 1
  bytes[length - 1] = 2
  return bytes
}

const tagsOf = (bytes: Uint8Array): Record<string, string> =>
  Object.fromEntries(DataReference.tags(DataReference.of(bytes)).map(({ name, value }) => [name, value]))

/** Uploads, then asks a message that refers to it. */
const askWith = Effect.fnUntraced(function* (
  node: Pick<SmallNode.SmallNode, "messenger">,
  process: Id.ProcessId,
  action: string,
  bytes: Uint8Array,
  tags: Record<string, string> = {},
) {
  yield* node.messenger.addData(bytes)
  return yield* SmallNode.ask(node, ada, process, action, { ...tagsOf(bytes), ...tags })
})

describe("a turn whose message refers to data", () => {
  it.effect("is told it as if it stood in the item: text, bytes, more than an item holds", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, guest)
      const text = Bytes.fromText("grüße")
      assert.deepStrictEqual(yield* askWith(node, process, "Text", text), ["grüße", 7])
      assert.deepStrictEqual(yield* askWith(node, process, "Bytes", binary(9)), [null, 9, 1, 2])
      const large = binary(Limit.itemBytesMax + 1)
      assert.deepStrictEqual(yield* askWith(node, process, "Bytes", large), [null, large.length, 1, 2])
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Kept"), `grüße9${large.length}`)
    }),
  )

  it.effect("holds the most that there may be, in memory of the usual size", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, guest)
      const most = binary(Limit.referencedBytesMax)
      assert.deepStrictEqual(yield* askWith(node, process, "Bytes", most), [null, most.length, 1, 2])
    }),
  )

  it.effect("is told text of more than an item holds, within its limits", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const limits = { "Compute-Limit": "10000000000", "Memory-Limit": "2048" }
      const process = yield* SmallNode.spawn(node, ada, guest, limits)
      const text = new Uint8Array(Limit.itemBytesMax + 1).fill(97)
      assert.strictEqual(yield* askWith(node, process, "Length", text), text.length)
      // A turn of less has an outcome like any that breaks a limit, and the process goes on.
      const small = yield* SmallNode.spawn(node, ada, guest)
      assert.match(String(yield* askWith(node, small, "Length", text)), /^out of fuel/)
      assert.strictEqual(yield* SmallNode.ask(node, ada, small, "Kept"), "")
    }),
  )

  it.effect("uses the fuel that it uses where the data stands in the item, but for the tags", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, `heddle.on("Bytes", (m) => { m.bytes(); return 1 })`)
      const fuel = Effect.fnUntraced(function* (tags: Record<string, string>, data: Uint8Array | string) {
        const { slot } = yield* SmallNode.send(node, ada, process, "Bytes", tags, data)
        return (yield* node.compute.turn(process, slot)).outcome.fuelUsed
      })
      const [small, large] = [binary(1_000), binary(1_000_000)]
      yield* Effect.forEach([small, large], node.messenger.addData)
      yield* fuel({}, large) // memory grows once
      const inline = (yield* fuel({}, large)) - (yield* fuel({}, small))
      const referred = (yield* fuel(tagsOf(large), "")) - (yield* fuel(tagsOf(small), ""))
      assert.isBelow(Number(inline - referred), 20_000)
      assert.isBelow(Number(referred - inline), 20_000)
      assert.isAbove(Number(referred), 999_000)
    }),
  )

  it.effect("of a plain module reads it too", () =>
    Effect.gen(function* () {
      const module = PlainStage.module({
        imports: `(import "heddle" "read" (func $read (param i32 i32 i32))) (import "heddle" "log" (func $log (param i32 i32 i32)))`,
        handle: `(if (i32.gt_u (local.get $length) (i32.const 0)) (then
            (if (i32.eqz (i32.load (i32.const 512))) (then (i32.store (i32.const 512) (i32.const 1)))
              (else (call $read (i32.const 3) (i32.const 600) (i32.const 5)) (call $log (i32.const 1) (i32.const 600) (i32.const 5))))))
          (i64.const 0)`,
      })
      const node = yield* SmallNode.make()
      const id = yield* node.messenger.addModule(module)
      const { scheduler } = yield* node.messenger.info
      const spawn = yield* Effect.promise(() => ada.spawn(id, scheduler))
      const { process } = yield* node.messenger.send(spawn.bytes)
      yield* node.messenger.addData(Bytes.fromText("---hello---"))
      const { slot } = yield* SmallNode.send(node, ada, process, "Any", tagsOf(Bytes.fromText("---hello---")))
      const { trace, outcome } = yield* node.compute.turn(process, slot)
      assert.isUndefined(outcome.error)
      assert.deepStrictEqual(trace.console, [["log", "hello"]])
    }),
  )

  it.effect("sends the reference on as tags", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const [one, other] = [
        yield* SmallNode.spawn(node, ada, guest),
        yield* SmallNode.spawn(node, ada, guest),
      ]
      yield* askWith(node, one, "Pass", Bytes.fromText("passed on"), { To: other })
      yield* node.compute.turn(other, 1)
      assert.strictEqual(yield* SmallNode.ask(node, ada, other, "Kept"), "passed on")
    }),
  )

  it.effect("waits in the outbox where the receiver has not the data, and goes once it has", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const source = `heddle.on("Refer", (m) => { heddle.send(m.tags.To, { action: "Text", tags: { "Data-Hash": m.tags.Hash, "Data-Length": m.tags.Length } }); return 1 })`
      const [one, other] = [
        yield* SmallNode.spawn(node, ada, source),
        yield* SmallNode.spawn(node, ada, guest),
      ]
      const { "Data-Hash": Hash = "", "Data-Length": Length = "" } = tagsOf(Bytes.fromText("late"))
      yield* SmallNode.ask(node, ada, one, "Refer", { To: other, Hash, Length })
      yield* SmallNode.until(
        "it is held",
        Effect.map(node.messenger.outbox, ([held]) => held?.reason.includes("data unavailable") === true),
      )
      yield* node.messenger.addData(Bytes.fromText("late"))
      yield* TestClock.adjust(Limit.deliveryRetryMsMax)
      yield* node.compute.turn(other, 1)
      assert.deepStrictEqual(yield* node.messenger.outbox, [])
      // And what only looks like one is a message like any other.
      yield* SmallNode.ask(node, ada, one, "Refer", { To: other, Hash: "none", Length })
      yield* node.compute.turn(other, 2)
      assert.strictEqual(yield* SmallNode.ask(node, ada, other, "Kept"), "late")
    }),
  )

  it.effect("comes out the same after a restart, with and without a snapshot", () =>
    Effect.gen(function* () {
      const first = yield* SmallNode.open({})
      const { store } = first.node
      const process = yield* SmallNode.spawn(first.node, ada, guest)
      for (const text of ["a", "b", "c"]) yield* askWith(first.node, process, "Text", Bytes.fromText(text))
      const before = yield* first.node.compute.attestation(process, 3)
      yield* first.stop
      const second = yield* SmallNode.open({ store })
      assert.strictEqual(yield* SmallNode.ask(second.node, ada, process, "Kept"), "abc")
      assert.deepStrictEqual(yield* second.node.compute.attestation(process, 3), before)
      assert.isUndefined((yield* second.node.compute.progress(process)).parked)
      yield* second.stop
      // What was assigned and not computed when it stopped.
      const third = yield* SmallNode.open({ store }, 1)
      yield* askWith(third.node, process, "Text", Bytes.fromText("d"))
      assert.strictEqual(yield* SmallNode.ask(third.node, ada, process, "Kept"), "abcd")
      yield* third.stop
    }),
  )
})

/** Slots 0 to 4 of a process: slots 1 and 3 refer to data, 4 to what nothing can be. */
const recorded = Effect.gen(function* () {
  const book = LogBook.make()
  const source = Bytes.fromText(guest)
  const seams = SmallNode.seams()
  yield* Effect.orDie(seams.store.commit([Module.put(source)]))
  const unit = yield* SmallNode.compute(book.service, seams)
  const item = yield* Effect.promise(() => ada.spawn(Module.id(source), book.service.address))
  const process = item.id
  const line = (action: string, tags: Record<string, string>, data = "") =>
    Effect.map(
      Effect.promise(() => ada.message(process, action, tags, data)),
      ({ bytes }): LogBook.Line => ({ process, item: bytes }),
    )
  const [one, two] = [Bytes.fromText("one"), binary(20)]
  for (const bytes of [one, two]) book.data.set(DataReference.hashOf(bytes), bytes)
  book.write({ process, item: item.bytes })
  book.write(yield* line("Text", tagsOf(one)), yield* line("Kept", {}), yield* line("Bytes", tagsOf(two)))
  book.write(yield* line("Text", { ...tagsOf(one), "Data-Length": "0" }))
  return { one, two, life: yield* Recording.record(book, unit, process, Recording.modulesOf(source)) }
})

const { life, one, two } = await Effect.runPromise(Effect.scoped(recorded))

const checks = { verifier: VerifierLocal.make() }
const audit = (of: Recording.Recording, how: "verify" | "replay", start?: Audit.Start) =>
  Audit.run(
    Recording.sourceOf(of),
    SandboxInline.make(),
    of.process,
    how === "verify" ? checks : undefined,
    () => {},
    start,
  )
const damaged = (bytes: Uint8Array, by: Uint8Array | undefined): Recording.Recording => {
  const data = new Map(life.data)
  if (by === undefined) data.delete(DataReference.hashOf(bytes))
  else data.set(DataReference.hashOf(bytes), by)
  return { ...life, data }
}

describe("an audit of a log that refers to data", () => {
  it.effect("comes to the same", () =>
    Effect.gen(function* () {
      for (const how of ["verify", "replay"] as const) {
        const report = yield* audit(life, how)
        assert.isUndefined(report.finding)
        assert.deepInclude(report, { slots: 5, inadmissible: 1 })
      }
      const { error } = life.turns[4]!.outcome
      assert.deepStrictEqual([error?.reason, error?.message], ["inadmissible", "bad reference"])
    }),
  )

  it.effect("names the slot whose data is missing or damaged, and goes through those before it", () =>
    Effect.gen(function* () {
      for (const how of ["verify", "replay"] as const)
        for (const [bytes, slot] of [
          [one, 1],
          [two, 3],
        ] as const)
          for (const by of [undefined, Recording.flip(bytes), bytes.subarray(1)]) {
            const { finding, slots } = yield* audit(damaged(bytes, by), how)
            assert.deepInclude(finding, { slot, what: "data" })
            assert.include(
              finding?.detail,
              by === undefined ? "are not to be had" : "others than their hash says",
            )
            assert.strictEqual(slots, how === "verify" ? 1 : 0)
          }
    }),
  )

  it.effect("needs no data of what is before the snapshot that it starts from", () =>
    Effect.gen(function* () {
      const taken = yield* Recording.withSnapshots(life, [3])
      const report = yield* audit({ ...taken, data: new Map() }, "verify", 3)
      assert.deepInclude(report, { from: 4, slots: 1, finding: undefined })
    }),
  )

  it.effect("is what a debugger and a trial of another program see too", () =>
    Effect.gen(function* () {
      const timeline = yield* Timeline.open(Recording.sourceOf(life), SandboxInline.make(), life.process)
      for (const slot of [3, 1, 4]) assert.deepStrictEqual((yield* timeline.seek(slot)).differences, [])
      const missing = yield* Timeline.open(
        Recording.sourceOf(damaged(two, undefined)),
        SandboxInline.make(),
        life.process,
      )
      assert.deepInclude(yield* Effect.flip(missing.seek(3)), { slot: 3, what: "data" })
      const wanted = { from: 0, to: undefined, program: Bytes.fromText(guest) }
      const trial = (of: Recording.Recording) =>
        Trial.run(Recording.sourceOf(of), SandboxInline.make(), of.process, wanted)
      assert.deepInclude(yield* trial(life), { equal: 5, different: 0 })
      assert.deepInclude(yield* Effect.flip(trial(damaged(one, undefined))), { slot: 1, what: "data" })
    }),
  )
})

describe("a unit that lacks data which a slot refers to", () => {
  it.effect("does not park: it does what comes before, asks again, and goes on once it has it", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const source = Bytes.fromText(guest)
      const seams = SmallNode.seams()
      yield* Effect.orDie(seams.store.commit([Module.put(source)]))
      const item = yield* Effect.promise(() => ada.spawn(Module.id(source), book.service.address))
      const process = item.id
      const bytes = Bytes.fromText("late")
      const said = (action: string, tags: Record<string, string>) =>
        Effect.promise(() => ada.message(process, action, tags))
      book.write({ process, item: item.bytes })
      book.write({ process, item: (yield* said("Kept", {})).bytes })
      book.write({ process, item: (yield* said("Text", tagsOf(bytes))).bytes })
      book.write({ process, item: (yield* said("Kept", {})).bytes })
      book.data.set(DataReference.hashOf(bytes), Recording.flip(bytes))
      const unit = yield* SmallNode.compute(book.service, seams)
      yield* unit.turn(process, 1)
      yield* TestClock.adjust("10 minutes")
      assert.deepInclude(yield* unit.progress(process), { slots: 2, parked: undefined })
      book.data.set(DataReference.hashOf(bytes), bytes)
      yield* TestClock.adjust(Limit.deliveryRetryMsMax)
      yield* unit.turn(process, 3)
      assert.deepInclude(yield* unit.progress(process), { slots: 4, parked: undefined })
    }),
  )

  it.effect("does not park while it opens a process again either", () =>
    Effect.gen(function* () {
      const first = yield* SmallNode.open({})
      const { store } = first.node
      const process = yield* SmallNode.spawn(first.node, ada, guest)
      const bytes = Bytes.fromText("a")
      yield* askWith(first.node, process, "Text", bytes)
      yield* first.stop
      const [[key] = []] = store.range({ from: Bytes.fromText("data-part"), to: Bytes.fromText("data-parz") })
      yield* store.commit([{ key: key!, value: undefined }])
      const second = yield* SmallNode.open({ store })
      const query = { action: "Kept", tags: [], data: Bytes.empty, from: "" }
      assert.strictEqual(
        (yield* Effect.flip(second.node.compute.query(process, query)))._tag,
        "ComputeUnknown",
      )
      const { slot } = yield* SmallNode.send(second.node, ada, process, "Kept")
      yield* TestClock.adjust("1 minute")
      assert.isUndefined((yield* second.node.compute.progress(process)).parked)
      yield* second.node.messenger.addData(bytes)
      yield* TestClock.adjust(Limit.deliveryRetryMsMax)
      yield* second.node.compute.turn(process, slot)
      assert.deepInclude(yield* second.node.compute.query(process, query), { result: { value: '"a"' } })
      yield* second.stop
    }),
  )
})

describe("what is kept by its hash", () => {
  it.effect("is asked for once, and goes where it is more than may be kept", () =>
    Effect.gen(function* () {
      const all = new Map(
        [10, 20, 30].map((length) => [DataReference.hashOf(binary(length)), binary(length)]),
      )
      const asked: Array<number> = []
      const fetch = ReferencedData.make(
        (hash) =>
          Effect.sync(() => {
            const bytes = all.get(hash)
            asked.push(bytes?.length ?? 0)
            return bytes
          }),
        40,
      )
      for (const length of [10, 10, 20, 10, 30, 10, 20])
        assert.deepStrictEqual(yield* fetch(DataReference.of(binary(length)), 1), binary(length))
      assert.deepStrictEqual(asked, [10, 20, 30, 20], "the 20 went for the 30")
      const other = { ...DataReference.of(binary(10)), length: 11 }
      assert.instanceOf(yield* Effect.flip(fetch(other, 7)), ReferencedData.DataMissing)
      const unknown = yield* Effect.flip(fetch({ hash: id("unknown"), length: 1 }, 7))
      assert.include(unknown.message, "slot 7: the 1 bytes of hash")
    }),
  )

  it("makes pieces that begin where something is brought", () => {
    const pieces = (entries: string) => ReferencedData.pieces(entries.split(""), (entry) => entry === "x")
    assert.deepStrictEqual(
      pieces("oxooxx").map((piece) => piece.join("")),
      ["o", "xoo", "x", "x"],
    )
    assert.deepStrictEqual(pieces("").length, 0)
    assert.deepStrictEqual(pieces("ooo").length, 1)
  })
})

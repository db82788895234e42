/** A unit runs each process under the engine that it began with, and goes over to another program when its owner says so. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Engine from "../../compute-unit/Engine.ts"
import * as SandboxWorkers from "../../compute-unit/SandboxWorkers.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Module from "../../runtime/Module.ts"
import { Store } from "../../runtime/Store.ts"
import * as Caller from "../support/Caller.ts"
import * as LogBook from "../support/LogBook.ts"
import * as OtherEngine from "../support/OtherEngine.ts"
import * as SandboxProbe from "../support/SandboxProbe.ts"
import * as StoreCopy from "../support/StoreCopy.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import * as UnitOver from "../support/UnitOver.ts"
import { hash } from "../support/Unsigned.ts"
import * as PlainStage from "./PlainStage.ts"

const { ada, asked, letRun, say, shown, spawn } = UnitOver

const older = OtherEngine.make()
const ours = Engine.load()

const engineOf = (unit: UnitOver.Unit, process: Id.ProcessId) =>
  Effect.map(unit.progress(process), ({ engine }) => engine && Bytes.toHex(engine))

const attestedEngine = (unit: UnitOver.Unit, process: Id.ProcessId, slot: number) =>
  Effect.map(unit.attestation(process, slot), (signed) => Bytes.toHex(signed!.attestation.engine))

/** A process that an earlier version of heddle ran, in its store. */
const early = Effect.fnUntraced(function* (residentBytesMax?: number) {
  const book = LogBook.make()
  const process = yield* spawn(book)
  const given = residentBytesMax === undefined ? {} : { residentBytesMax }
  const { unit, store, stop } = yield* UnitOver.make(book.service, {
    sandbox: OtherEngine.sandbox(older),
    ...given,
  })
  book.write(...(yield* say(process, "Add", "Later")))
  yield* unit.turn(process, 2)
  yield* letRun
  assert.strictEqual(yield* attestedEngine(unit, process, 0), Bytes.toHex(older.id))
  yield* stop
  return { book, process, store }
})

/** This version of heddle, in threads of its own that know its engine alone. */
const now = Effect.fnUntraced(function* (
  book: LogBook.LogBook,
  store: Store["Service"],
  given: UnitOver.Options = {},
) {
  const probe = SandboxProbe.make(yield* SandboxWorkers.make(1))
  const made = yield* UnitOver.make(book.service, { store, sandbox: probe.sandbox, ...given })
  return { ...made, probe }
})

const noSnapshots = ["snapshot", "snapshot-kept", "snapshot-part"]

describe("a unit of a newer version", () => {
  it.effect(
    "goes on with a process under the engine that it was attested under first, from slot 0 and from a snapshot",
    () =>
      Effect.gen(function* () {
        const past = yield* early(0)
        const { book, process } = past
        book.write(...(yield* say(process, "Add")))
        const whole = yield* UnitOver.make(book.service, { sandbox: OtherEngine.sandbox(older) })
        yield* whole.unit.turn(process, 3)
        for (const [without, ran] of [
          [[], [3]],
          [noSnapshots, [0, 1, 2, 3]],
        ] as const) {
          const store = yield* StoreCopy.copy(past.store, without)
          const { unit, probe } = yield* now(book, store)
          yield* unit.turn(process, 3)
          // Where it could not be run at once, it was run again from the beginning.
          assert.deepStrictEqual(probe.ran(process), ran)
          assert.strictEqual(probe.count("engine"), 1)
          assert.deepStrictEqual(yield* shown(unit, process), yield* shown(whole.unit, process))
          assert.strictEqual(yield* engineOf(unit, process), Bytes.toHex(older.id))

          const another = yield* spawn(book)
          yield* unit.turn(another, 0)
          assert.strictEqual(yield* engineOf(unit, another), Bytes.toHex(ours.id))
          for (const { id, artifact } of [older, ours])
            assert.deepStrictEqual(yield* unit.engineBytes(id), artifact)
          assert.isUndefined(yield* unit.engineBytes(hash("no engine")))
        }
      }),
  )

  it.effect(
    "parks by name what ran under an engine that is not kept, or not as it was, and goes on with all else",
    () =>
      Effect.gen(function* () {
        const past = yield* early(0)
        const { book, process } = past
        const other = yield* spawn(book)
        const name = Bytes.toBase64Url(older.id)
        const row = StoreCopy.rows(past.store, "engine")[0]!
        const nowhere = yield* StoreCopy.copy(past.store, ["engine"])
        const flipped = yield* StoreCopy.copy(past.store)
        yield* StoreCopy.flip(flipped, row, 4 * row.value.length)
        for (const [store, what] of [
          [nowhere, "its bytes are not kept here"],
          [flipped, "the bytes are those of engine "],
        ] as const) {
          book.write(...(yield* say(process, "Add")))
          const { unit } = yield* now(book, store)
          assert.include(yield* unit.parked(process), `engine ${name} can't be run here: ${what}`)
          assert.strictEqual((yield* unit.progress(process)).slots, 3)
          const unknown = yield* Effect.flip(unit.query(process, asked("Get")))
          assert.deepInclude(unknown, { _tag: "ComputeUnknown", process })
          yield* unit.turn(other, 0)
          assert.isUndefined(yield* unit.engineBytes(older.id))
        }
      }),
  )

  it.effect("gives an older engine to its threads once, however many processes need it", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const all = yield* Effect.forEach([1, 2, 3, 4, 5], () => spawn(book))
      const first = yield* UnitOver.make(book.service, { sandbox: OtherEngine.sandbox(older) })
      yield* Effect.forEach(all, (process) => first.unit.turn(process, 0))
      yield* first.stop
      const { unit, probe } = yield* now(book, first.store)
      const answers = yield* Effect.forEach(all, (process) => unit.query(process, asked("Get")), {
        concurrency: "unbounded",
      })
      assert.deepStrictEqual(
        answers.map(({ slot }) => slot),
        [0, 0, 0, 0, 0],
      )
      assert.strictEqual(probe.count("engine"), 1)
    }),
  )
})

describe("an engine", () => {
  it.effect("is kept before anything is attested under it, and written anew where it was damaged", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book)
      const probe = StoreProbe.make()
      let failures = 2
      probe.before = (tables) => (tables.includes("engine") && failures-- > 0 ? StoreProbe.full : Effect.void)
      const { unit, stop } = yield* UnitOver.make(book.service, { store: probe.store })
      for (let i = 0; i < 5; i++) {
        yield* letRun
        yield* TestClock.adjust(Limit.deliveryRetryMsMax)
      }
      yield* unit.turn(process, 0)
      assert.isBelow(failures, 0)
      const [engine, release] = ["engine", "release"].map((table) =>
        probe.commits.findIndex((tables) => tables.includes(table)),
      )
      assert.isAtLeast(engine!, 0)
      assert.isBelow(engine!, release!)
      assert.deepStrictEqual(yield* unit.engineBytes(ours.id), ours.artifact)
      yield* stop
      const [row] = StoreCopy.rows(probe.store, "engine")
      yield* StoreCopy.flip(probe.store, row!, 77_777)
      book.write(...(yield* say(process, "Add")))
      const again = yield* UnitOver.make(book.service, { store: probe.store })
      assert.isUndefined(yield* again.unit.engineBytes(ours.id))
      yield* again.unit.turn(process, 1)
      assert.deepStrictEqual(yield* again.unit.engineBytes(ours.id), ours.artifact)
    }),
  )

  it.effect("that a spawn names is the one that runs the process, if it is here", () =>
    Effect.gen(function* () {
      const { book, store } = yield* early()
      const pinned = yield* spawn(book, UnitOver.guest, { Engine: Id.fromBytes(older.id) })
      const lost = yield* spawn(book, UnitOver.guest, { Engine: Id.fromBytes(hash("no engine")) })
      const { unit } = yield* now(book, store)
      yield* unit.turn(pinned, 0)
      assert.strictEqual(yield* attestedEngine(unit, pinned, 0), Bytes.toHex(older.id))
      assert.match(yield* unit.parked(lost), /^engine .* can't be run here: its bytes are not kept here$/)
      assert.deepStrictEqual(yield* unit.progress(lost), {
        slots: 0,
        engine: undefined,
        parked: yield* unit.parked(lost),
      })
    }),
  )
})

const first = `
  let n = 0
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })
  heddle.on("Get", () => n)
  heddle.onExport(() => ({ n }))`
const second = `
  let n = 0
  heddle.onImport((state) => { n = 100 * state.n; heddle.publish("n", n) })
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })
  heddle.on("Get", () => n)
  heddle.onExport(() => ({ n }))`
const third = `${second}
  heddle.on("Third", () => 3)`
const broken = `
  heddle.onImport(() => { throw new Error("not with me") })
  heddle.on("Get", () => "broken")`

const moduleOf = (source: string) => Module.id(Bytes.fromText(source))

/** `module` is its source, or its id. */
const upgrade = (process: Id.ProcessId, module: string, tags: Record<string, string> = {}) =>
  Effect.map(
    Effect.promise(() =>
      ada.message(process, "Upgrade", { Module: Id.parse(module) ?? moduleOf(module), ...tags }),
    ),
    ({ bytes }): LogBook.Line => ({ process, item: bytes }),
  )

const valueOf = (unit: UnitOver.Unit, process: Id.ProcessId) =>
  Effect.map(unit.query(process, asked("Get")), ({ result }) =>
    "value" in result ? result.value : result.error.message,
  )

describe("an upgrade", () => {
  it.effect(
    "is gone through when it is told and whenever it is replayed, from slot 0 and from every snapshot",
    () =>
      Effect.gen(function* () {
        const book = LogBook.make()
        const process = yield* spawn(book, first)
        const given = { sources: [first, second, broken] }
        const { unit, store, stop } = yield* UnitOver.make(book.service, { ...given, residentBytesMax: 0 })
        const stores = [store]
        const tell = Effect.fnUntraced(function* (...lines: ReadonlyArray<LogBook.Line>) {
          book.write(...lines)
          const slot = book.entries(process).length - 1
          yield* unit.turn(process, slot)
          yield* letRun
          stores.push(yield* StoreCopy.copy(store), yield* StoreCopy.copy(store, noSnapshots))
          return yield* valueOf(unit, process)
        })
        assert.strictEqual(yield* tell(...(yield* say(process, "Add", "Add"))), "2")
        assert.strictEqual(yield* tell(yield* upgrade(process, second)), "200")
        assert.strictEqual(yield* tell(...(yield* say(process, "Add"))), "201")
        assert.strictEqual(
          yield* tell(yield* upgrade(process, broken), ...(yield* say(process, "Add"))),
          "202",
        )
        const { outcome } = yield* unit.turn(process, 5)
        assert.include(outcome.error?.message, "not with me")
        yield* stop
        book.write(...(yield* say(process, "Add")), yield* upgrade(process, second))
        const last = book.entries(process).length - 1
        const whole = yield* UnitOver.make(book.service, given)
        yield* whole.unit.turn(process, last)
        assert.strictEqual(yield* valueOf(whole.unit, process), "20300")
        for (const one of stores) {
          const again = yield* UnitOver.make(book.service, { ...given, store: one })
          yield* again.unit.turn(process, last)
          assert.deepStrictEqual(yield* shown(again.unit, process), yield* shown(whole.unit, process))
          assert.strictEqual(yield* valueOf(again.unit, process), "20300")
          yield* again.stop
        }
        assert.strictEqual(stores.length, 9)
      }),
  )

  it.effect("to a module that is not here parks the process before it, until that is uploaded", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book, first)
      const { unit, store, stop } = yield* UnitOver.make(book.service, { sources: [first] })
      book.write(...(yield* say(process, "Add")))
      book.write(yield* upgrade(process, second), ...(yield* say(process, "Add")))
      const why = `slot 2: module ${moduleOf(second)} is not stored here; upload it and start again`
      assert.strictEqual(yield* unit.parked(process), why)
      assert.strictEqual((yield* unit.progress(process)).slots, 2)
      assert.strictEqual(yield* valueOf(unit, process), "1")
      const waiting = yield* Effect.forkChild(unit.turn(process, 2))
      yield* letRun
      assert.isUndefined(waiting.pollUnsafe())
      yield* stop
      const again = yield* UnitOver.make(book.service, { store, sources: [second] })
      yield* again.unit.turn(process, 3)
      assert.strictEqual(yield* valueOf(again.unit, process), "101")
    }),
  )

  it.effect(
    "whose module was lost since parks the process where it is replayed, and not where it is restored",
    () =>
      Effect.gen(function* () {
        const book = LogBook.make()
        const process = yield* spawn(book, first)
        const { unit, store, stop } = yield* UnitOver.make(book.service, {
          sources: [first, second, third],
          residentBytesMax: 0,
        })
        book.write(yield* upgrade(process, second))
        yield* unit.turn(process, 1)
        book.write(yield* upgrade(process, third))
        yield* unit.turn(process, 2)
        yield* letRun
        yield* stop
        const lost = StoreCopy.rows(store, "module").find(({ key }) =>
          Bytes.equal(key.subarray(-32), Id.toBytes(moduleOf(second))),
        )!
        yield* Effect.orDie(store.commit([{ key: lost.key, value: undefined }]))
        const restored = yield* UnitOver.make(book.service, { store: yield* StoreCopy.copy(store) })
        assert.strictEqual(yield* valueOf(restored.unit, process), "0")
        const replayed = yield* UnitOver.make(book.service, {
          store: yield* StoreCopy.copy(store, noSnapshots),
        })
        yield* Effect.flip(replayed.unit.query(process, asked("Get")))
        assert.strictEqual(
          yield* replayed.unit.parked(process),
          `slot 1: module ${moduleOf(second)} is not stored here; upload it and start again`,
        )
      }),
  )

  it.effect("is told by the owner alone", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book, first)
      const { unit } = yield* UnitOver.make(book.service, { sources: [first, second] })
      const bob = Caller.caller("bob")
      const item = yield* Effect.promise(() => bob.message(process, "Upgrade", { Module: moduleOf(second) }))
      book.write({ process, item: item.bytes })
      const { outcome } = yield* unit.turn(process, 1)
      assert.include(outcome.error?.message, 'no handler for action "Upgrade"')
    }),
  )

  it.effect(
    "that named no engine is replayed under the one that it came to, whatever the version by then",
    () =>
      Effect.gen(function* () {
        const book = LogBook.make()
        const plain = PlainStage.counter()
        const script = `let n = 5; heddle.on("Increment", () => ++n); heddle.on("Get", () => n)`
        const process = yield* spawn(book, script)
        const sources = [script, plain]
        const to = (source: string | Uint8Array) =>
          upgrade(process, typeof source === "string" ? source : Module.id(source))
        const first = yield* UnitOver.make(book.service, { sandbox: OtherEngine.sandbox(older), sources })
        for (const line of [...(yield* say(process, "Increment")), yield* to(plain), yield* to(script)]) {
          book.write(line)
          yield* first.unit.turn(process, book.entries(process).length - 1)
        }
        const engines = yield* Effect.forEach([1, 2, 3], (slot) => attestedEngine(first.unit, process, slot))
        assert.deepStrictEqual(
          engines,
          [older, Engine.plain, older].map(({ id }) => Bytes.toHex(id)),
        )
        yield* first.stop
        book.write(...(yield* say(process, "Increment")))
        const { unit } = yield* now(book, first.store)
        yield* unit.turn(process, 4)
        assert.strictEqual(yield* attestedEngine(unit, process, 4), Bytes.toHex(older.id))
        assert.strictEqual(yield* valueOf(unit, process), "6")
      }),
  )

  it.effect("to another engine is attested under that, in the batch of the spawn too, and replayed so", () =>
    Effect.gen(function* () {
      const { book, store } = yield* early()
      const item = yield* Effect.promise(() => ada.spawn(moduleOf(first), book.service.address))
      const process = item.id
      const to = (engine: Engine.ScriptEngine) =>
        upgrade(process, second, { Engine: Id.fromBytes(engine.id) })
      book.write({ process, item: item.bytes }, ...(yield* say(process, "Add")), yield* to(older))
      const given = { sources: [first, second] }
      const live = yield* now(book, store, given)
      yield* live.unit.turn(process, 2)
      assert.strictEqual(yield* attestedEngine(live.unit, process, 0), Bytes.toHex(older.id))
      book.write(...(yield* say(process, "Add")))
      yield* live.unit.turn(process, 3)
      assert.strictEqual(yield* engineOf(live.unit, process), Bytes.toHex(older.id))
      book.write(yield* to(ours))
      yield* live.unit.turn(process, 4)
      assert.strictEqual(yield* engineOf(live.unit, process), Bytes.toHex(ours.id))
      const expected = yield* shown(live.unit, process)
      yield* live.stop
      const again = yield* now(book, store, given)
      assert.strictEqual(yield* valueOf(again.unit, process), "10100")
      assert.deepStrictEqual(again.probe.ran(process).at(-1), 4)
      book.write(...(yield* say(process, "Add")))
      yield* again.unit.turn(process, 5)
      assert.deepStrictEqual((yield* shown(again.unit, process)).slice(0, 5), expected)
      assert.strictEqual(yield* valueOf(again.unit, process), "10101")
    }),
  )
})

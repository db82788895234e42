/** A unit takes snapshots, starts from them, and starts from none that is not what was attested. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import * as Snapshot from "../../compute-unit/Snapshot.ts"
import * as SnapshotLog from "../../compute-unit/SnapshotLog.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import { Store } from "../../runtime/Store.ts"
import * as LogBook from "../support/LogBook.ts"
import * as LogLines from "../support/LogLines.ts"
import * as SandboxProbe from "../support/SandboxProbe.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as StoreCopy from "../support/StoreCopy.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import * as UnitOver from "../support/UnitOver.ts"
import { id } from "../support/Unsigned.ts"

const { asked, letRun, say, sayMany, shown, spawn } = UnitOver

type Service = Store["Service"]

const snapshotLog = (store: Service) => SnapshotLog.make.pipe(Effect.provideService(Store, store))

const slotsOf = (unit: UnitOver.Unit, process: Id.ProcessId) =>
  Effect.map(unit.snapshots(process), (all) => all.map(({ slot }) => slot))

/** Waits until the newest snapshot is that of `slot`: it is written beside what goes on. */
const taken = (unit: UnitOver.Unit, process: Id.ProcessId, slot: number) =>
  SmallNode.until(
    `a snapshot at slot ${slot}`,
    Effect.map(slotsOf(unit, process), (slots) => slots.at(-1) === slot),
  )

/** State of every kind: numbers, what waits, what failed, views, randomness, memory that grows. */
const loom = `
  let n = 0
  const log = []
  heddle.on("Add", () => { log.push(++n, Math.random()); heddle.publish("n", n); return n })
  heddle.on("Fail", () => { n = -1; throw new Error("no") })
  heddle.on("Rest", async () => { const then = n; await heddle.sleep("1s"); log.push(["rested", then, n]); return n })
  heddle.on("Grow", () => { log.push("x".repeat(100_000)); heddle.publish("size", log.length) })
  heddle.on("Drop", () => { heddle.publish("n", null); return log.length })
  heddle.on("Log", () => [n, log.length, Math.random()])`

describe("a snapshot", () => {
  it.effect(
    "is taken when a thousand turns have gone by since the last one, at a slot that is attested",
    () =>
      Effect.gen(function* () {
        const book = LogBook.make()
        const process = yield* spawn(book)
        const { unit } = yield* UnitOver.make(book.service)
        const lines = yield* sayMany(process, "Add", 2_100)
        const tell = Effect.fnUntraced(function* (from: number, to: number) {
          book.write(...lines.slice(from, to))
          yield* unit.turn(process, to)
          yield* letRun
        })
        yield* tell(0, 998)
        assert.deepStrictEqual(yield* unit.snapshots(process), [])
        yield* tell(998, 999)
        assert.deepStrictEqual(yield* slotsOf(unit, process), [Limit.snapshotTurns - 1])
        yield* tell(999, 1_998)
        assert.deepStrictEqual(yield* slotsOf(unit, process), [999])
        yield* tell(1_998, 2_100)
        assert.deepStrictEqual(yield* slotsOf(unit, process), [999, 2_100])
        for (const { slot, stateRoot, sha256, length, kept } of yield* unit.snapshots(process)) {
          const { to } = (yield* unit.attestation(process, slot))!.attestation
          assert.deepStrictEqual([slot, stateRoot, kept], [to.slot, to.stateRoot, true])
          const bytes = (yield* unit.snapshot(process, slot))!
          assert.deepStrictEqual([Hash.sha256(bytes), bytes.length], [sha256, length])
          assert.strictEqual(Result.getOrThrow(Snapshot.decode(bytes)).slot, slot)
        }
        assert.isUndefined(yield* unit.snapshot(process, 5))
        assert.deepStrictEqual(yield* unit.snapshots(id("nobody")), [])
      }),
  )

  it.effect("is taken after so much fuel as a second of CPU makes, however few the turns", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const source = `heddle.on("Burn", () => { for (let i = 0; i < 2_000_000; i++); })`
      const process = yield* spawn(book, source)
      const { unit } = yield* UnitOver.make(book.service, { sources: [source] })
      let fuel = (yield* unit.turn(process, 0)).outcome.fuelUsed
      let slot = 0
      while (fuel < Limit.snapshotFuel) {
        assert.deepStrictEqual(yield* unit.snapshots(process), [])
        book.write(...(yield* say(process, "Burn")))
        fuel += (yield* unit.turn(process, ++slot)).outcome.fuelUsed
        yield* letRun
      }
      assert.isBelow(slot, Limit.snapshotTurns / 10)
      assert.deepStrictEqual(yield* slotsOf(unit, process), [slot])
    }),
  )

  it.effect("holds nobody up while it is written, neither its process nor another", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const [process, other] = [yield* spawn(book), yield* spawn(book)]
      const probe = StoreProbe.make()
      const { unit } = yield* UnitOver.make(book.service, { store: probe.store })
      const held = StoreProbe.barrier()
      probe.before = (tables) => (tables.includes("snapshot") ? held.wait : Effect.void)
      book.write(...(yield* sayMany(process, "Add", 1_000)))
      yield* held.reached
      book.write(...(yield* say(process, "Add")), ...(yield* say(other, "Add")))
      assert.deepStrictEqual((yield* unit.turn(process, 1_001)).outcome.views, [{ name: "n", value: "1001" }])
      assert.deepInclude(yield* unit.query(process, asked("Get")), { slot: 1_001, result: { value: "1001" } })
      yield* unit.turn(other, 1)
      assert.deepStrictEqual(yield* unit.snapshots(process), [])
      yield* held.open
      yield* taken(unit, process, 1_000)
    }),
  )

  it.effect("that can't be written is a warning, and all goes on without it", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book)
      const probe = StoreProbe.make()
      const logs = LogLines.make()
      const { unit } = yield* UnitOver.make(book.service, { store: probe.store }).pipe(logs.during)
      probe.before = (tables) => (tables.includes("snapshot") ? StoreProbe.full : Effect.void)
      const lines = yield* sayMany(process, "Add", 2_000)
      for (const [from, to] of [
        [0, 1_000],
        [1_000, 1_500],
      ] as const) {
        book.write(...lines.slice(from, to))
        yield* unit.turn(process, to)
        yield* letRun
      }
      assert.deepStrictEqual(logs.lines, [
        `Warn process ${process}: no snapshot at slot 1000: the store did not commit (full): no space is left`,
      ])
      probe.before = () => Effect.void
      book.write(...lines.slice(1_500))
      yield* unit.turn(process, 2_000)
      yield* taken(unit, process, 2_000)
      assert.isUndefined((yield* unit.progress(process)).parked)
    }),
  )

  it.effect("that its sandbox can't give is a warning, and the process goes on from its log", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book)
      const probe = SandboxProbe.make()
      const logs = LogLines.make()
      const { unit } = yield* UnitOver.make(book.service, { sandbox: probe.sandbox }).pipe(logs.during)
      probe.before = ({ what, process }) => (what === "take" ? probe.sandbox.close(process!) : Effect.void)
      book.write(...(yield* sayMany(process, "Add", 1_000)))
      yield* unit.turn(process, 1_000)
      book.write(...(yield* say(process, "Add")))
      assert.deepStrictEqual((yield* unit.turn(process, 1_001)).outcome.views, [{ name: "n", value: "1001" }])
      assert.match(logs.lines[0]!, /^Warn no snapshot is taken: sandbox of .* lost: it is not open/)
      assert.deepStrictEqual(yield* unit.snapshots(process), [])
    }),
  )
})

describe("a state that is not the one attested", () => {
  it.effect("is not written down as it: the process is thrown away and comes again from its log", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book)
      const probe = SandboxProbe.make()
      const logs = LogLines.make()
      let drifts = 1
      const sandbox: typeof probe.sandbox = {
        ...probe.sandbox,
        take: (of) =>
          Effect.map(probe.sandbox.take(of), (taken) =>
            drifts-- > 0 ? { ...taken, stateRoot: Hash.sha256(taken.stateRoot) } : taken,
          ),
      }
      const { unit } = yield* UnitOver.make(book.service, { sandbox, residentBytesMax: 0 }).pipe(logs.during)
      yield* unit.turn(process, 0)
      yield* SmallNode.until(
        "it was to be evicted",
        Effect.sync(() => drifts === 0),
      )
      yield* letRun
      assert.deepStrictEqual(yield* unit.snapshots(process), [])
      assert.include(logs.lines[0], "its state is not the one attested")
      book.write(...(yield* say(process, "Add")))
      assert.deepStrictEqual((yield* unit.turn(process, 1)).outcome.views, [{ name: "n", value: "1" }])
      assert.deepStrictEqual(probe.ran(process), [0, 0, 1])
      yield* taken(unit, process, 1)
    }),
  )
})

/** A process that lived: with a snapshot at every slot that was attested, and its store. */
const lived = Effect.fnUntraced(function* (...batches: ReadonlyArray<ReadonlyArray<string>>) {
  const book = LogBook.make()
  const process = yield* spawn(book, loom)
  // With no memory to be had, a process is written down each time that it has nothing to do.
  const unit = yield* UnitOver.make(book.service, { sources: [loom], residentBytesMax: 0 })
  const snapshots = new Map<number, Uint8Array>()
  const rest = Effect.gen(function* () {
    const slot = book.entries(process).length - 1
    yield* unit.unit.turn(process, slot)
    yield* taken(unit.unit, process, slot)
    snapshots.set(slot, (yield* unit.unit.snapshot(process, slot))!)
  })
  yield* rest
  for (const actions of batches) {
    book.write(...(yield* say(process, ...actions)))
    yield* rest
  }
  yield* unit.stop
  return { book, process, store: unit.store, snapshots }
})

const life = [
  ["Add", "Add"],
  ["Rest"],
  ["Grow", "Fail", "Add"],
  ["Drop"],
  ["Grow"],
  ["Add", "Rest", "Fail"],
] as const

describe("a unit that is started again", () => {
  it.effect("runs only what follows the newest snapshot, and comes to the same roots", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book)
      const first = yield* UnitOver.make(book.service)
      const lines = yield* sayMany(process, "Add", 1_300)
      book.write(...lines.slice(0, 600))
      book.write(...lines.slice(600, 1_100))
      yield* first.unit.turn(process, 1_100)
      yield* taken(first.unit, process, 1_100)
      book.write(...lines.slice(1_100, 1_250))
      yield* first.unit.turn(process, 1_250)
      yield* first.stop

      const probe = SandboxProbe.make()
      const { unit } = yield* UnitOver.make(book.service, { store: first.store, sandbox: probe.sandbox })
      yield* letRun
      assert.deepStrictEqual(probe.asked, [], "nothing is opened before it is needed")
      assert.deepInclude(yield* unit.query(process, asked("Get")), { slot: 1_250, result: { value: "1250" } })
      assert.deepStrictEqual(
        probe.ran(process),
        [...Array(150).keys()].map((i) => 1_101 + i),
      )
      assert.deepStrictEqual([probe.count("restore"), probe.count("open")], [1, 0])
      book.write(...lines.slice(1_250))
      yield* unit.turn(process, 1_300)
      const whole = yield* UnitOver.make(book.service)
      yield* whole.unit.turn(process, 1_300)
      assert.deepStrictEqual(yield* shown(unit, process), yield* shown(whole.unit, process))
    }),
  )

  it.effect("comes to the same roots and outcomes from every snapshot that there ever was", () =>
    Effect.gen(function* () {
      const { book, process, store, snapshots } = yield* lived(...life)
      const last = book.entries(process).length - 1
      assert.strictEqual(snapshots.size, life.length + 1)
      book.write(...(yield* say(process, "Add", "Log")))
      const whole = yield* UnitOver.make(book.service, { sources: [loom] })
      yield* whole.unit.turn(process, last + 2)
      const expected = yield* shown(whole.unit, process)
      for (const [slot, bytes] of snapshots) {
        const own = yield* StoreCopy.copy(store, ["snapshot", "snapshot-kept", "snapshot-part"])
        const { to } = (yield* whole.unit.attestation(process, slot))!.attestation
        yield* Effect.orDie(
          (yield* snapshotLog(own)).write(process, { slot, stateRoot: to.stateRoot, bytes }),
        )
        const probe = SandboxProbe.make()
        const { unit, stop } = yield* UnitOver.make(book.service, { store: own, sandbox: probe.sandbox })
        yield* unit.turn(process, last + 2)
        const ran = probe.ran(process)
        assert.deepStrictEqual(
          ran,
          [...Array(last + 2 - slot).keys()].map((i) => slot + 1 + i),
        )
        assert.deepStrictEqual(yield* shown(unit, process), expected)
        assert.strictEqual(probe.count("restore"), 1)
        yield* stop
      }
    }),
  )
})

/** Starts again on a store with something wrong in it, and lets the process go on. */
const startedAgain = Effect.fnUntraced(function* (
  { book, process }: { readonly book: LogBook.LogBook; readonly process: Id.ProcessId },
  store: Service,
) {
  const probe = SandboxProbe.make()
  const logs = LogLines.make()
  const { unit } = yield* UnitOver.make(book.service, { store, sandbox: probe.sandbox }).pipe(logs.during)
  const answer = yield* Effect.result(unit.query(process, asked("Log"))).pipe(logs.during)
  return { unit, probe, answer, lines: logs.lines }
})

const kept = (store: Service, process: Id.ProcessId) =>
  Effect.map(snapshotLog(store), (log) => log.kept(process))

describe("a damaged snapshot", () => {
  const word = (process: Id.ProcessId, slot: number, what: string) =>
    `Warn process ${process}: the snapshot at slot ${slot} is of no use: ${what}`

  it.effect("with any bit turned around is named, and the one before it is taken", () =>
    Effect.gen(function* () {
      const past = yield* lived(...life)
      const { process, store, snapshots } = past
      const [older, newest] = [...snapshots.keys()].slice(-2) as [number, number]
      const well = yield* startedAgain(past, yield* StoreCopy.copy(store))
      assert.deepStrictEqual([well.lines, well.probe.ran(process)], [[], []])
      const row = StoreCopy.rows(store, "snapshot-part").at(-1)!
      const step = 8 * Math.floor(row.value.length / 13) + 1
      let flips = 0
      for (let bit = 3; bit < 8 * row.value.length; bit += step, flips++) {
        const ill = yield* StoreCopy.copy(store)
        yield* StoreCopy.flip(ill, row, bit)
        const { answer, lines, probe } = yield* startedAgain(past, ill)
        assert.strictEqual(lines.length, 1)
        assert.include(lines[0], word(process, newest, "its bytes"))
        assert.deepStrictEqual(
          probe.ran(process),
          [...Array(newest - older).keys()].map((i) => older + 1 + i),
        )
        assert.deepStrictEqual(answer, well.answer)
        assert.deepStrictEqual(yield* kept(ill, process), [older])
      }
      assert.isAbove(flips, 10)
    }),
  )

  it.effect("is passed over with the one before it, and the process begins from slot 0", () =>
    Effect.gen(function* () {
      const past = yield* lived(...life)
      const { process, store, snapshots } = past
      const well = yield* startedAgain(past, yield* StoreCopy.copy(store))
      for (const row of StoreCopy.rows(store, "snapshot-part")) yield* StoreCopy.flip(store, row, 999)
      const { answer, lines, probe } = yield* startedAgain(past, store)
      const [older, newest] = [...snapshots.keys()].slice(-2) as [number, number]
      const what = "its bytes are not those that were written"
      assert.deepStrictEqual(lines, [word(process, newest, what), word(process, older, what)])
      assert.deepStrictEqual(probe.ran(process), [...Array(newest + 1).keys()])
      assert.deepStrictEqual(answer, well.answer)
    }),
  )

  it.effect("whose bytes are well and whose state is another is refused by its root", () =>
    Effect.gen(function* () {
      const past = yield* lived(...life)
      const { process, store, snapshots } = past
      const well = yield* startedAgain(past, yield* StoreCopy.copy(store))
      const [older, newest] = [...snapshots.keys()].slice(-2) as [number, number]
      const good = Result.getOrThrow(Snapshot.decode(snapshots.get(newest)!))
      const { metadata, memory } = good
      const flipped = (bytes: Uint8Array, at: number) => {
        const copy = Bytes.copy(bytes)
        copy[at]! ^= 1
        return copy
      }
      const pages = memory!.pages
      const lies: Readonly<Record<string, Snapshot.Snapshot>> = {
        "a bit of a page": {
          ...good,
          memory: {
            ...memory!,
            pages: pages.map(([index, page], i) => [index, i === 3 ? flipped(page, 77) : page]),
          },
        },
        "a page less": { ...good, memory: { ...memory!, pages: pages.slice(1) } },
        "a bit of a global": { ...good, memory: { ...memory!, globals: flipped(memory!.globals, 0) } },
        "memory of another size": { ...good, memory: { ...memory!, wasmPages: memory!.wasmPages + 1 } },
        "another timer": { ...good, metadata: { ...metadata, timers: new Map([[id("timer"), 5]]) } },
        "another view": { ...good, metadata: { ...metadata, views: new Map([["n", "7"]]) } },
        "another pair number": { ...good, metadata: { ...metadata, received: new Map([[id("source"), 1]]) } },
        "no memory": { ...good, memory: undefined },
      }
      for (const [name, lie] of Object.entries(lies)) {
        const ill = yield* StoreCopy.copy(store)
        const { stateRoot } = (yield* well.unit.attestation(process, newest))!.attestation.to
        const log = yield* snapshotLog(ill)
        yield* Effect.orDie(log.write(process, { slot: newest, stateRoot, bytes: Snapshot.encode(lie) }))
        const { answer, lines, probe } = yield* startedAgain(past, ill)
        assert.strictEqual(lines.length, 1, name)
        assert.match(lines[0]!, new RegExp(`^${word(process, newest, "it leads to state root")}`), name)
        assert.strictEqual(probe.ran(process)[0], older + 1, name)
        assert.deepStrictEqual(answer, well.answer, name)
      }
    }),
  )

  it.effect("that is another slot's, another process's, or of no slot that is attested, is refused", () =>
    Effect.gen(function* () {
      const past = yield* lived(...life)
      const { process, store, snapshots } = past
      const [older, newest] = [...snapshots.keys()].slice(-2) as [number, number]
      const well = yield* startedAgain(past, yield* StoreCopy.copy(store))
      const good = Result.getOrThrow(Snapshot.decode(snapshots.get(newest)!))
      const stateRoot = (yield* well.unit.attestation(process, newest))!.attestation.to.stateRoot
      const lies = [
        [newest, snapshots.get(older)!, `it is of slot ${older}`],
        [newest, Snapshot.encode({ ...good, process: id("other") }), `it is of process ${id("other")}`],
        [
          newest,
          Snapshot.encode({ ...good, metadata: { ...good.metadata, spawn: Hash.sha256(Bytes.empty) } }),
          "it is of another spawn",
        ],
        [newest - 1, snapshots.get(newest)!, "nothing is attested at its slot"],
        [newest + 5, snapshots.get(newest)!, "it is ahead of what is attested"],
      ] as const
      for (const [slot, bytes, what] of lies) {
        const ill = yield* StoreCopy.copy(store, ["snapshot", "snapshot-kept", "snapshot-part"])
        yield* Effect.orDie((yield* snapshotLog(ill)).write(process, { slot, stateRoot, bytes }))
        const { answer, lines, probe } = yield* startedAgain(past, ill)
        assert.deepStrictEqual(lines, [word(process, slot, what)])
        assert.strictEqual(probe.count("open"), 1)
        assert.deepStrictEqual(answer, well.answer)
      }
    }),
  )
})

describe("a damaged log", () => {
  it.effect("is found in any entry that is read, and the process is parked by its slot", () =>
    Effect.gen(function* () {
      const past = yield* lived(...life)
      const { book, process, store, snapshots } = past
      const [older, newest] = [...snapshots.keys()].slice(-2) as [number, number]
      // The newest snapshot is gone, so that something is to be replayed.
      yield* Effect.orDie((yield* snapshotLog(store)).drop(process, newest))
      const damages = [
        [0, "item"],
        [older, "head"],
        [older + 1, "item"],
        [newest, "previous"],
        [newest, "item"],
      ] as const
      for (const [slot, what] of damages) {
        const service = {
          ...book.service,
          log: (of: Id.ProcessId, from: number, limit: number) =>
            Effect.map(book.service.log(of, from, limit), (entries) =>
              entries.map((entry) => {
                if (entry.assignment.slot !== slot) return entry
                const flip = (bytes: Uint8Array) =>
                  Bytes.copy(bytes).with(bytes.length - 1, bytes.at(-1)! ^ 4)
                return what === "item"
                  ? { ...entry, item: flip(entry.item) }
                  : { ...entry, assignment: { ...entry.assignment, [what]: flip(entry.assignment[what]) } }
              }),
            ),
        }
        const { answer, unit, lines } = yield* startedAgain(
          { ...past, book: { ...book, service } },
          yield* StoreCopy.copy(store),
        )
        assert.isTrue(Result.isFailure(answer), `${what} of ${slot}`)
        assert.match(yield* unit.parked(process), new RegExp(`^slot ${slot}: `))
        assert.match(lines.at(-1)!, new RegExp(`^Error process ${process} parked: slot ${slot}: `))
      }
    }),
  )
})

describe("what admission goes by after a snapshot", () => {
  it.effect("is what it was: a timer goes off once, and a pair number is not taken twice", () =>
    Effect.gen(function* () {
      const run = Effect.fnUntraced(function* (stops: boolean) {
        const store = StoreProbe.make().store
        let { node, stop } = yield* SmallNode.open({ store }, stops ? 0 : undefined)
        const other = yield* SmallNode.spawn(node, UnitOver.ada, UnitOver.guest)
        const process = yield* SmallNode.spawn(node, UnitOver.ada, UnitOver.guest)
        const again = Effect.gen(function* () {
          yield* letRun
          if (!stops) return
          yield* stop
          ;({ node, stop } = yield* SmallNode.open({ store }, 0))
        })
        const answers: Array<unknown> = []
        const later = yield* SmallNode.send(node, UnitOver.ada, process, "Later")
        for (let i = 0; i < 3; i++) {
          answers.push(yield* SmallNode.ask(node, UnitOver.ada, process, "Tell", { To: other }))
          yield* again
        }
        yield* TestClock.adjust("6 seconds")
        yield* letRun
        const replied = yield* node.compute.reply(process, later.id)
        answers.push("value" in replied ? replied.value : replied.error)
        answers.push(yield* SmallNode.ask(node, UnitOver.ada, other, "Get"))
        for (const one of [process, other])
          for (const { outcome } of yield* node.compute.turns(one, 0, 100)) assert.isUndefined(outcome.error)
        yield* stop
        return answers
      })
      const expected = yield* run(false)
      assert.deepStrictEqual(expected, [1, 2, 3, "4", 3])
      assert.deepStrictEqual(yield* run(true), expected)
    }),
  )

  it.effect("is what it was: cron messages are counted on from the last one, by the clock of the spawn", () =>
    Effect.gen(function* () {
      const source = `let n = 0
        heddle.on("Cron", () => { heddle.publish("n", ++n) })
        heddle.on("Get", () => n)`
      const probe = SandboxProbe.make()
      const { compute, ...node } = yield* SmallNode.make({ sandbox: probe.sandbox }, 0)
      yield* TestClock.adjust("3 seconds")
      const process = yield* SmallNode.spawn(node, UnitOver.ada, source, { "Cron-Interval": "10-seconds" })
      for (let count = 1; count <= 4; count++) {
        yield* letRun
        yield* TestClock.adjust("10 seconds")
        const { outcome } = yield* compute.turn(process, count)
        assert.deepStrictEqual(outcome.views, [{ name: "n", value: String(count) }])
      }
      assert.strictEqual(probe.count("restore", process), 4)
      assert.strictEqual(probe.count("open", process), 1)
    }),
  )

  it.effect("is that there is no process, where the spawn was not admitted", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const item = yield* Effect.promise(() => UnitOver.ada.spawn(UnitOver.module, book.service.address))
      // A bit of its last tag; the id follows from the signature, so it is the same.
      const bytes = Bytes.copy(item.bytes)
      const at = Bytes.view(bytes).indexOf("Scheduler")
      bytes[at + 12]! ^= 1
      const process = item.id
      book.write({ process, item: bytes })
      const probe = SandboxProbe.make()
      const { unit } = yield* UnitOver.make(book.service, { sandbox: probe.sandbox, residentBytesMax: 0 })
      const reasons: Array<string | undefined> = []
      for (let slot = 0; slot < 3; slot++) {
        reasons.push((yield* unit.turn(process, slot)).outcome.error?.message)
        yield* taken(unit, process, slot)
        yield* letRun
        book.write(...(yield* say(process, "Add")))
      }
      assert.deepStrictEqual(reasons, ["bad signature", "unknown process", "unknown process"])
      assert.isAtLeast(probe.count("restore"), 2)
    }),
  )

  it.effect("is all that there is, where the module does not load", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const broken = "throw new Error('not today')"
      const process = yield* spawn(book, broken)
      const probe = SandboxProbe.make()
      const given = { sandbox: probe.sandbox, sources: [broken], residentBytesMax: 0 }
      const { unit } = yield* UnitOver.make(book.service, given)
      for (let slot = 0; slot < 3; slot++) {
        const { outcome } = yield* unit.turn(process, slot)
        assert.strictEqual(outcome.error?.reason, "module invalid")
        yield* taken(unit, process, slot)
        yield* letRun
        book.write(...(yield* say(process, "Add")))
      }
      yield* unit.turn(process, 3)
      assert.strictEqual(probe.count("open"), 1)
      assert.strictEqual(probe.count("restore"), 3)
    }),
  )
})

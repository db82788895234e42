/** A unit whose processes do not all fit: some sleep on disk, and nobody can tell from what they answer. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Attestation from "../../runtime/Attestation.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as ViewProof from "../../runtime/ViewProof.ts"
import * as LogBook from "../support/LogBook.ts"
import * as LogLines from "../support/LogLines.ts"
import * as SandboxProbe from "../support/SandboxProbe.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import * as UnitOver from "../support/UnitOver.ts"
import { id } from "../support/Unsigned.ts"

const { asked, letRun, say, shown, spawn } = UnitOver

/** Room for so many small processes, which have some fifteen pages each. */
const roomFor = (processes: number) => processes * (Limit.residentOverheadBytes + 80 * 1024)

const unitWith = Effect.fnUntraced(function* (
  book: LogBook.LogBook,
  residentBytesMax: number,
  given: UnitOver.Options = {},
) {
  const probe = SandboxProbe.make()
  const made = yield* UnitOver.make(book.service, { sandbox: probe.sandbox, residentBytesMax, ...given })
  return { ...made, probe }
})

const isOpen = (probe: SandboxProbe.SandboxProbe, process: Id.ProcessId): boolean => {
  const last = probe.asked.findLast(
    (one) => one.process === process && ["open", "restore", "close"].includes(one.what),
  )
  return last !== undefined && last.what !== "close"
}

describe("a process that nobody needs", () => {
  it.effect(
    "is evicted when there is no room, the one least recently used first, as it was attested last",
    () =>
      Effect.gen(function* () {
        const book = LogBook.make()
        const probe = SandboxProbe.make()
        const { unit } = yield* UnitOver.make(book.service, {
          sandbox: probe.sandbox,
          residentBytesMax: roomFor(4),
        })
        const all: Array<Id.ProcessId> = []
        for (let i = 0; i < 6; i++) {
          all.push(yield* spawn(book))
          yield* unit.turn(all.at(-1)!, 0)
          yield* letRun
          // The first one is used again and again.
          yield* unit.query(all[0]!, asked("Get"))
          yield* letRun
        }
        const open = all.map((process) => isOpen(probe, process))
        assert.isTrue(open[0] && open.at(-1), "those used last are there")
        const closed = open.filter((one) => !one).length
        assert.isAtLeast(closed, 2)
        assert.deepStrictEqual(open, [true, ...Array(closed).fill(false), ...Array(5 - closed).fill(true)])
        for (const process of all.slice(1, 1 + closed)) {
          const [snapshot] = yield* unit.snapshots(process)
          const { to } = (yield* unit.attestation(process, 0))!.attestation
          assert.deepInclude(snapshot, { slot: to.slot, stateRoot: to.stateRoot, kept: true })
        }
        assert.deepStrictEqual(yield* unit.snapshots(all[0]!), [])
      }),
  )

  it.effect("wakes on a message or a query, with no turn run again", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book)
      const { unit, probe } = yield* unitWith(book, 0)
      const evicted = SmallNode.until(
        "it is evicted",
        Effect.sync(() => !isOpen(probe, process)),
      )
      for (let slot = 1; slot <= 3; slot++) {
        yield* unit.turn(process, slot - 1)
        yield* evicted
        assert.deepInclude(yield* unit.query(process, asked("Get")), { result: { value: String(slot - 1) } })
        yield* evicted
        book.write(...(yield* say(process, "Add")))
      }
      yield* unit.turn(process, 3)
      assert.deepStrictEqual(probe.ran(process), [0, 1, 2, 3])
      assert.strictEqual(probe.count("open"), 1)
      assert.strictEqual(probe.count("restore"), 6)
    }),
  )

  it.effect("is written down durably before it is closed, and once where nothing was run meanwhile", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book)
      const store = StoreProbe.make()
      const { unit, probe } = yield* unitWith(book, 0, { store: store.store })
      const held = StoreProbe.barrier()
      store.before = (tables) => (tables.includes("snapshot") ? held.wait : Effect.void)
      yield* unit.turn(process, 0)
      yield* held.reached
      yield* letRun
      assert.isTrue(isOpen(probe, process))
      yield* held.open
      yield* SmallNode.until(
        "it is evicted",
        Effect.sync(() => !isOpen(probe, process)),
      )
      for (let i = 0; i < 3; i++) {
        yield* unit.query(process, asked("Get"))
        yield* SmallNode.until(
          "it is evicted",
          Effect.sync(() => !isOpen(probe, process)),
        )
      }
      assert.strictEqual(probe.count("take"), 1)
      assert.strictEqual(store.commits.filter((tables) => tables.includes("snapshot")).length, 1)
    }),
  )

  it.effect("stays where it can't be written down, and goes when it can", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book)
      const store = StoreProbe.make()
      const logs = LogLines.make()
      store.before = (tables) => (tables.includes("snapshot") ? StoreProbe.full : Effect.void)
      const { unit, probe } = yield* unitWith(book, 0, { store: store.store }).pipe(logs.during)
      yield* unit.turn(process, 0)
      yield* letRun
      assert.isTrue(isOpen(probe, process))
      assert.match(logs.lines[0]!, /^Warn process .*: no snapshot at slot 0: .*no space is left$/)
      assert.deepInclude(yield* unit.query(process, asked("Get")), { slot: 0, result: { value: "0" } })
      store.before = () => Effect.void
      book.write(...(yield* say(process, "Add")))
      yield* unit.turn(process, 1)
      yield* SmallNode.until(
        "it is evicted",
        Effect.sync(() => !isOpen(probe, process)),
      )
      assert.strictEqual(probe.count("open"), 1)
    }),
  )

  it.effect("is not opened when a unit starts, but when it is needed", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const all = yield* Effect.forEach([1, 2, 3], () => spawn(book))
      const { unit, store, stop } = yield* unitWith(book, roomFor(10))
      yield* Effect.forEach(all, (process) => unit.turn(process, 0))
      yield* stop
      book.write(...(yield* say(all[1]!, "Add")))
      const again = yield* unitWith(book, roomFor(10), { store })
      yield* again.unit.turn(all[1]!, 1)
      yield* letRun
      assert.deepStrictEqual(
        all.map((process) => isOpen(again.probe, process)),
        [false, true, false],
      )
      assert.deepInclude(yield* again.unit.query(all[2]!, asked("Get")), { slot: 0 })
      assert.deepStrictEqual(
        all.map((process) => isOpen(again.probe, process)),
        [false, true, true],
      )
    }),
  )
})

describe("a process that somebody needs", () => {
  it.effect("is not evicted while its turn is not durable, or while it is asked", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book)
      const store = StoreProbe.make()
      const { unit, probe } = yield* unitWith(book, 0, { store: store.store })
      const [commit, query] = [StoreProbe.barrier(), StoreProbe.barrier()]
      store.before = (tables) => (tables.includes("release") ? commit.wait : Effect.void)
      probe.before = ({ what }) => (what === "query" ? query.wait : Effect.void)
      yield* commit.reached
      yield* letRun
      assert.deepStrictEqual([probe.count("take"), probe.count("close")], [0, 0])
      yield* commit.open
      yield* unit.turn(process, 0)
      const asking = yield* Effect.forkChild(unit.query(process, asked("Get")))
      yield* query.reached
      const closed = probe.count("close")
      yield* letRun
      assert.strictEqual(probe.count("close"), closed)
      yield* query.open
      assert.deepInclude(yield* Fiber.join(asking), { slot: 0, result: { value: "0" } })
    }),
  )

  for (const what of ["a message", "a query"] as const)
    it.effect(`is there for ${what} that comes while it is being evicted`, () =>
      Effect.gen(function* () {
        const book = LogBook.make()
        const process = yield* spawn(book)
        const store = StoreProbe.make()
        const { unit, probe } = yield* unitWith(book, 0, { store: store.store })
        const held = StoreProbe.barrier()
        store.before = (tables) => (tables.includes("snapshot") ? held.wait : Effect.void)
        yield* held.reached
        assert.isTrue(isOpen(probe, process))
        if (what === "a message") book.write(...(yield* say(process, "Add")))
        const asking = yield* Effect.forkChild(
          what === "a message" ? unit.turn(process, 1) : unit.query(process, asked("Get")),
        )
        yield* letRun
        assert.isUndefined(asking.pollUnsafe())
        yield* held.open
        const answer = yield* Fiber.join(asking)
        if ("outcome" in answer) assert.deepStrictEqual(answer.outcome.views, [{ name: "n", value: "1" }])
        else assert.deepInclude(answer, { slot: 0, result: { value: "0" } })
        yield* SmallNode.until(
          "it is evicted",
          Effect.sync(() => !isOpen(probe, process)),
        )
        // Who came in time kept it open: it was not brought back to be asked.
        assert.strictEqual(probe.count("restore"), 0)
        assert.deepStrictEqual(probe.ran(process), what === "a message" ? [0, 1] : [0])
      }),
    )

  it.effect("is opened though all that is open is needed and there is no room", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const { unit, probe } = yield* unitWith(book, roomFor(2))
      const held = StoreProbe.barrier()
      probe.before = ({ what }) => (what === "query" ? held.wait : Effect.void)
      const all = yield* Effect.forEach([1, 2, 3, 4, 5], () => spawn(book))
      yield* Effect.forEach(all, (process) => unit.turn(process, 0))
      const asking = yield* Effect.forEach(all, (process) =>
        Effect.forkChild(unit.query(process, asked("Get"))),
      )
      yield* SmallNode.until(
        "all are asked",
        Effect.sync(() => probe.count("query") === all.length),
      )
      yield* held.open
      for (const fiber of asking) assert.deepInclude(yield* Fiber.join(fiber), { slot: 0 })
    }),
  )

  it.effect("is brought back where its sandbox lost it while it was to be evicted", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book)
      const logs = LogLines.make()
      const { unit, probe } = yield* unitWith(book, 0).pipe(logs.during)
      let losses = 1
      probe.before = ({ what }) =>
        what === "take" && losses-- > 0 ? probe.sandbox.close(process) : Effect.void
      yield* unit.turn(process, 0)
      yield* SmallNode.until(
        "it was to be evicted",
        Effect.sync(() => losses === 0),
      )
      assert.deepInclude(yield* unit.query(process, asked("Get")), { slot: 0, result: { value: "0" } })
      book.write(...(yield* say(process, "Add")))
      yield* unit.turn(process, 1)
      assert.match(logs.lines[0]!, /no snapshot is taken: sandbox of .* lost/)
    }),
  )
})

describe("a view's proof", () => {
  it.effect("opens the newest attested state at a view or at its absence, of a process on disk too", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book)
      const { unit, probe, signer } = yield* unitWith(book, 0)
      book.write(...(yield* say(process, "Add", "Add")))
      yield* unit.turn(process, 2)
      yield* SmallNode.until(
        "it is evicted",
        Effect.sync(() => !isOpen(probe, process)),
      )
      for (const [name, value] of [
        ["n", "2"],
        ["m", null],
        ["", null],
      ] as const) {
        const proven = yield* unit.viewProof(process, name)
        const { attestation, assignment, opening } = proven
        const { to } = attestation.attestation
        assert.deepStrictEqual([proven.name, proven.value, to.slot], [name, value, 2])
        assert.deepStrictEqual(ViewProof.rootOf(opening), to.stateRoot)
        const shows = ViewProof.shows(opening, name)
        assert.deepStrictEqual(shows, value === null ? null : Hash.sha256(Bytes.fromText(value)))
        assert.deepStrictEqual([assignment.slot, assignment.head], [2, to.head])
        const signed = VerifierLocal.make().verify(
          signer.type,
          attestation.owner,
          "heddle/attestation/1",
          Attestation.signingBytes(Attestation.rootOf(attestation)),
          attestation.signature,
        )
        assert.isTrue(yield* signed)
      }
      const unknown = yield* Effect.flip(unit.viewProof(id("nobody"), "n"))
      assert.strictEqual(unknown._tag, "ComputeUnknown")
    }),
  )

  it.effect("is never of a state that is not committed", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawn(book)
      const store = StoreProbe.make()
      const { unit } = yield* unitWith(book, roomFor(2), { store: store.store })
      yield* unit.turn(process, 0)
      const held = StoreProbe.barrier()
      store.before = (tables) => (tables.includes("release") ? held.wait : Effect.void)
      book.write(...(yield* say(process, "Add")))
      yield* held.reached
      const proving = yield* Effect.forkChild(unit.viewProof(process, "n"))
      yield* letRun
      assert.isUndefined(proving.pollUnsafe())
      yield* held.open
      const { value, attestation } = yield* Fiber.join(proving)
      assert.deepStrictEqual([value, attestation.attestation.to.slot], ["1", 1])
    }),
  )
})

/** What may come, in any order: to one of a few processes, or to all. */
type Step =
  | { readonly what: "tell" | "tell twice" | "later" | "ask" | "prove" | "fail"; readonly to: number }
  | { readonly what: "rest" | "restart" | "time" | "lose a commit" | "lose a thread"; readonly to: number }

const steps = fc.array(
  fc.record({
    what: fc.constantFrom<Step["what"]>(
      "tell",
      "tell twice",
      "later",
      "ask",
      "prove",
      "fail",
      "rest",
      "rest",
      "restart",
      "time",
      "lose a commit",
      "lose a thread",
    ),
    to: fc.nat({ max: 3 }),
  }),
  { minLength: 4, maxLength: 24 },
) as fc.Arbitrary<ReadonlyArray<Step>>

const loom = `
  let n = 0
  const seen = []
  heddle.on("Add", () => { seen.push(Math.random()); heddle.publish("n", ++n); return n })
  heddle.on("Later", async () => { const then = n; await heddle.sleep("1s"); heddle.publish("n", ++n); return then })
  heddle.on("Fail", () => { n = -1; throw new Error("no") })
  heddle.on("Get", () => n)`

/** What \`n\` was after a slot, as the turns up to it tell. */
const numberAt = Effect.fnUntraced(function* (unit: UnitOver.Unit, process: Id.ProcessId, slot: number) {
  yield* unit.turn(process, slot)
  const turns = yield* unit.turns(process, 0, slot + 1)
  return turns.flatMap(({ outcome }) => outcome.views).at(-1)?.value ?? "0"
})

describe("evictions, restarts and faults", () => {
  /** Goes through the steps; the log is another each time, and the same for all who follow it. */
  const live = Effect.fnUntraced(function* (plan: ReadonlyArray<Step>, residents: number) {
    const book = LogBook.make()
    const all = yield* Effect.forEach([0, 1, 2, 3], () => spawn(book, loom))
    const store = StoreProbe.make()
    const given = { store: store.store, sources: [loom] }
    let node = yield* unitWith(book, roomFor(residents), given)
    const probes = [node.probe]
    const plain = yield* UnitOver.make(book.service, { sources: [loom] })
    let answers = 0
    yield* Effect.forEach(all, (process) => node.unit.turn(process, 0))
    for (const { what, to } of plan) {
      const process = all[to]!
      if (what === "tell") book.write(...(yield* say(process, "Add")))
      else if (what === "tell twice") book.write(...(yield* say(process, "Add", "Add")))
      else if (what === "later") book.write(...(yield* say(process, "Later")))
      else if (what === "fail") book.write(...(yield* say(process, "Fail")))
      else if (what === "rest") yield* letRun
      else if (what === "time") yield* TestClock.adjust(Limit.deliveryRetryMsMax)
      else if (what === "lose a commit") {
        let left = 1
        store.before = (tables) => (!tables.includes("module") && left-- > 0 ? StoreProbe.full : Effect.void)
      } else if (what === "lose a thread") {
        for (const one of all) yield* node.probe.sandbox.close(one)
      } else if (what === "restart") {
        yield* node.stop
        node = yield* unitWith(book, roomFor(residents), given)
        probes.push(node.probe)
      } else {
        const { slot, said } =
          what === "ask"
            ? yield* Effect.map(node.unit.query(process, asked("Get")), ({ slot, result }) => ({
                slot,
                said: "value" in result ? result.value : result.error.message,
              }))
            : yield* Effect.map(node.unit.viewProof(process, "n"), ({ value, attestation }) => ({
                slot: attestation.attestation.to.slot,
                said: value ?? "0",
              }))
        assert.strictEqual(said, yield* numberAt(plain.unit, process, slot))
        answers++
      }
    }
    store.before = () => Effect.void
    for (let i = 0; i < 3; i++) {
      yield* letRun
      yield* TestClock.adjust(Limit.deliveryRetryMsMax)
    }
    for (const process of all) {
      const last = book.entries(process).length - 1
      yield* node.unit.turn(process, last)
      yield* plain.unit.turn(process, last)
      assert.deepStrictEqual(yield* shown(node.unit, process), yield* shown(plain.unit, process))
      const [evicted, whole] = [
        yield* node.unit.query(process, asked("Get")),
        yield* plain.unit.query(process, asked("Get")),
      ]
      assert.deepStrictEqual(evicted, whole)
      assert.isUndefined((yield* node.unit.progress(process)).parked)
    }
    yield* node.stop
    yield* plain.stop
    return { restores: probes.reduce((sum, probe) => sum + probe.count("restore"), 0), answers }
  })

  it.live(
    "in any order leave every process with the outcomes, roots and answers that it has without any",
    () =>
      Effect.gen(function* () {
        let [restores, answers, runs] = [0, 0, 0]
        yield* Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(steps, fc.constantFrom(0, 1, 2), async (plan, residents) => {
              const done = await Effect.runPromise(
                live(plan, residents).pipe(
                  Effect.scoped,
                  Effect.provide(TestClock.layer()),
                  LogLines.make().during,
                ),
              )
              restores += done.restores
              answers += done.answers
              runs++
            }),
            { numRuns: 40 },
          ),
        )
        assert.strictEqual(runs, 40)
        assert.isAbove(restores, 100)
        assert.isAbove(answers, 25)
      }),
    120_000,
  )
})

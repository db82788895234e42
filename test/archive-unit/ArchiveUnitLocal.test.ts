import crypto from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type { ArchiveUnit } from "../../archive-unit/ArchiveUnit.ts"
import * as ArchiveUnitLocal from "../../archive-unit/ArchiveUnitLocal.ts"
import * as BatchesContent from "../../archive-unit/BatchesContent.ts"
import * as Piece from "../../archive-unit/Piece.ts"
import * as TurnsContent from "../../archive-unit/TurnsContent.ts"
import { ComputeUnit } from "../../compute-unit/ComputeUnit.ts"
import { Signer } from "../../identity/Signer.ts"
import { Archive, ArchiveUnavailable } from "../../runtime/Archive.ts"
import type * as Id from "../../runtime/Id.ts"
import { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as ArchiveProbe from "../support/ArchiveProbe.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import { ada, asked, guest } from "../support/UnitOver.ts"

const unitOver = (
  node: SmallNode.SmallNode,
  { archive }: ArchiveProbe.ArchiveProbe,
  options: Partial<ArchiveUnitLocal.Options> = {},
) =>
  ArchiveUnitLocal.make({ confirmations: 1, ...options }).pipe(
    Effect.provideContext(
      Context.make(Store, node.store).pipe(
        Context.add(Archive, archive),
        Context.add(Signer, node.signer),
        Context.add(SchedulerUnit, node.scheduler),
        Context.add(ComputeUnit, node.compute),
      ),
    ),
  )

/** A node that has something to archive, and no unit that does. */
const counted = Effect.fnUntraced(function* () {
  const node = yield* SmallNode.make()
  const process = yield* SmallNode.spawn(node, ada, guest)
  yield* SmallNode.ask(node, ada, process, "Add")
  return node
})

const counting = Effect.fnUntraced(function* (
  options: Partial<ArchiveUnitLocal.Options> = {},
  seams: Partial<SmallNode.Seams> = {},
) {
  const node = yield* SmallNode.make(seams)
  const probe = ArchiveProbe.make((bytes) => BigInt(bytes))
  const unit = yield* unitOver(node, probe, options)
  const process = yield* SmallNode.spawn(node, ada, guest)
  yield* SmallNode.ask(node, ada, process, "Add")
  return { node, probe, unit, process }
})

const settle = Effect.forEach(Array.from({ length: 200 }), () => Effect.yieldNow, { discard: true })

/** Lets the threads that compress go on, and no time pass, until `holds`. */
const arrives = Effect.fnUntraced(function* (what: string, holds: () => boolean) {
  for (let rounds = 0; rounds < 500_000; rounds++) {
    if (holds()) return
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  }
  throw new Error(`it never came to this: ${what}`)
})

/** Lets time go on, second by second, until `holds`. */
const comes = Effect.fnUntraced(function* (what: string, holds: () => boolean) {
  for (let seconds = 0; seconds < 3_600; seconds++) {
    for (let n = 0; n < 20; n++) {
      if (holds()) return
      yield* Effect.yieldNow
    }
    yield* TestClock.adjust(1_000)
  }
  throw new Error(`it never came to this: ${what}`)
})

const confirmed = (unit: ArchiveUnit["Service"], bundles: number) =>
  Effect.gen(function* () {
    let now = 0
    const look = Effect.map(unit.status, (status) => void (now = status.bundles))
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.yieldNow)))
    yield* comes(`${bundles} bundles confirmed`, () => now === bundles)
  })

/** All contents of a type that arrived, decompressed. */
const contents = Effect.fnUntraced(function* (probe: ArchiveProbe.ArchiveProbe, type: string) {
  const parts = new Map<string, Array<Piece.Part>>()
  for (const { pieces } of probe.bundles.values())
    for (const item of pieces) {
      const piece = Result.getOrThrow(Piece.read(item))
      if (piece.kind !== "part" || piece.head.type !== type) continue
      parts.set(piece.content, [...(parts.get(piece.content) ?? []), piece])
    }
  return yield* Effect.forEach([...parts.values()], Piece.content)
})

const slotsIn = (all: ReadonlyArray<Uint8Array>, process: Id.ProcessId) =>
  all
    .flatMap((bytes) => Result.getOrThrow(BatchesContent.decode(bytes)))
    .flatMap(({ entries }) => entries)
    .filter(({ assignment }) => assignment.process === process)
    .map(({ assignment }) => assignment.slot)

const turnsIn = (all: ReadonlyArray<Uint8Array>) =>
  all
    .flatMap((bytes) => Result.getOrThrow(TurnsContent.decode(bytes)))
    .flatMap(({ groups }) => groups.flatMap(({ outcomes }) => outcomes!.map(({ slot }) => slot)))

describe("what a node has done", () => {
  it.effect("is bundled by age, sent once, and anchored when a block has it", () =>
    Effect.gen(function* () {
      const { probe, unit, process, node } = yield* counting({ pollMs: 1_000 })
      yield* TestClock.adjust(59_000)
      yield* settle
      assert.strictEqual(probe.made.length, 0)
      yield* comes("it is sent", () => probe.statuses.size === 1)
      assert.strictEqual(yield* unit.anchor(process), undefined)
      probe.mine()
      yield* confirmed(unit, 1)
      const { status, anchor } = yield* Effect.all({ status: unit.status, anchor: unit.anchor(process) })
      assert.deepStrictEqual(status.waiting, [])
      assert.deepStrictEqual([status.bundles, status.spent], [1, probe.made[0]!.cost])
      const made = yield* node.scheduler.nextBatch
      assert.deepStrictEqual(status.batches, { made, bundled: made, confirmed: made })
      const [entry] = yield* node.scheduler.log(process, 1, 1)
      assert.deepStrictEqual(anchor, {
        slot: 1,
        head: entry!.assignment.head,
        transfer: probe.made[0]!.id,
        height: 1,
      })
      assert.deepStrictEqual(slotsIn(yield* contents(probe, "Batches"), process), [0, 1])
      assert.deepStrictEqual(turnsIn(yield* contents(probe, "Turns")), [0, 1])
      assert.strictEqual((yield* contents(probe, "Module")).length, 1)
      assert.strictEqual((yield* contents(probe, "Engine")).length, 1)
    }).pipe(Effect.scoped),
  )

  it.effect("is bundled by size before its time", () =>
    Effect.gen(function* () {
      const { probe, node, process } = yield* counting({ gatherBytes: 40_000 })
      for (let n = 0; n < 8; n++) yield* SmallNode.ask(node, ada, process, "Add")
      yield* arrives("a bundle", () => probe.bundles.size > 0)
      assert.isAtMost(probe.bundles.size, 2)
    }).pipe(Effect.scoped),
  )

  it.effect(
    "has each module and engine in it once, and every slot once, however many bundles there are",
    () =>
      Effect.gen(function* () {
        const { probe, node, process } = yield* counting({ pollMs: 1_000 })
        for (let n = 0; n < 3; n++) {
          yield* comes("it is sent", () => probe.bundles.size === n + 1)
          probe.mine()
          yield* SmallNode.ask(node, ada, process, "Add")
        }
        const other = yield* SmallNode.spawn(node, ada, guest)
        yield* SmallNode.ask(node, ada, other, "Get")
        yield* comes("all is sent", () => probe.bundles.size === 4)
        assert.deepStrictEqual(slotsIn(yield* contents(probe, "Batches"), process), [0, 1, 2, 3, 4])
        assert.deepStrictEqual(slotsIn(yield* contents(probe, "Batches"), other), [0, 1])
        assert.strictEqual((yield* contents(probe, "Module")).length, 1)
        assert.strictEqual((yield* contents(probe, "Engine")).length, 1)
      }).pipe(Effect.scoped),
  )

  it.effect("is flushed when it is asked for, and whoever asks waits for its block", () =>
    Effect.gen(function* () {
      const { probe, unit } = yield* counting({ pollMs: 1_000 })
      let flushed = false
      yield* Effect.forkScoped(
        Effect.andThen(
          unit.flush,
          Effect.sync(() => void (flushed = true)),
        ),
      )
      yield* arrives("it is sent", () => probe.bundles.size === 1)
      yield* TestClock.adjust(5_000)
      yield* settle
      assert.isFalse(flushed)
      probe.mine()
      yield* comes("it is flushed", () => flushed)
    }).pipe(Effect.scoped),
  )

  it.effect("waits while more lies there than may, and comes after it", () =>
    Effect.gen(function* () {
      const { probe, node, process, unit } = yield* counting({ pollMs: 1_000, gatherBytes: 20_000 })
      probe.down = "no network"
      for (let n = 0; n < 30; n++) yield* SmallNode.ask(node, ada, process, "Add")
      yield* SmallNode.until(
        "it is known why",
        Effect.map(unit.status, ({ problem, waiting }) => problem !== undefined && waiting.length > 1),
      )
      yield* TestClock.adjust(120_000)
      const { problem, behindMs } = yield* unit.status
      assert.include(problem, "no network")
      assert.isAbove(behindMs, 100_000)
      probe.down = undefined
      let flushed = false
      yield* Effect.forkScoped(
        Effect.andThen(
          unit.flush,
          Effect.sync(() => void (flushed = true)),
        ),
      )
      yield* comes("all is confirmed", () => {
        probe.mine()
        return flushed
      })
      assert.deepStrictEqual((yield* unit.status).problem, undefined)
      assert.deepStrictEqual((yield* unit.status).waiting, [])
      assert.deepStrictEqual(
        slotsIn(yield* contents(probe, "Batches"), process),
        Array.from({ length: 32 }, (_, slot) => slot),
      )
    }).pipe(Effect.scoped),
  )
})

describe("a store whose commits take their time", () => {
  it.effect("loses no bundle, and gives no slot two, while some are closed and others sent", () =>
    Effect.gen(function* () {
      const probe = StoreProbe.make()
      // As long as bundling and sending take to cross each other.
      probe.before = (tables) =>
        tables.some((table) => table.startsWith("archive")) ? Effect.sleep(7) : Effect.void
      const {
        node,
        process,
        unit,
        probe: archive,
      } = yield* counting({ gatherBytes: 15_000, gatherMs: 10, pollMs: 5 }, { store: probe.store })
      yield* Effect.forkScoped(
        Effect.forever(
          Effect.andThen(
            Effect.sync(() => archive.mine()),
            TestClock.adjust(1),
          ),
        ),
      )
      for (let n = 0; n < 60; n++) yield* SmallNode.ask(node, ada, process, "Add")
      yield* unit.flush
      assert.isAbove(archive.bundles.size, 5)
      assert.deepStrictEqual(
        slotsIn(yield* contents(archive, "Batches"), process),
        Array.from({ length: 62 }, (_, slot) => slot),
      )
      const { spent, bundles } = yield* unit.status
      assert.strictEqual(bundles, archive.made.length)
      assert.strictEqual(
        spent,
        archive.made.reduce((sum, { cost }) => sum + cost, 0n),
      )
    }).pipe(Effect.scoped),
  )
})

describe("what a bundle counts as in the archive", () => {
  it.effect("only once every byte can be read back: without its data it is sent again", () =>
    Effect.gen(function* () {
      const { probe, unit } = yield* counting({ pollMs: 1_000 })
      yield* comes("it is sent", () => probe.statuses.size === 1)
      const { id } = probe.made[0]!
      probe.bundles.delete(id)
      probe.mine()
      yield* comes("it is sent again", () => probe.bundles.has(id))
      yield* confirmed(unit, 1)
      assert.strictEqual(probe.made.length, 1)
    }).pipe(Effect.scoped),
  )

  it.effect("all of it, where one transfer came half the way and could never arrive", () =>
    Effect.gen(function* () {
      const { probe, unit } = yield* counting({ pollMs: 1_000 })
      const began: Array<number> = []
      probe.onUpload = (transfer, sent) => {
        began.push(sent)
        if (probe.made.length > 1) return Effect.void
        probe.progress?.({ sent: 1_000, total: transfer.bytes })
        probe.statuses.set(transfer.id, { _tag: "void" })
        return Effect.fail(
          new ArchiveUnavailable({
            gateway: "probe",
            transaction: transfer.id,
            reason: "busy",
            detail: "try later",
          }),
        )
      }
      yield* comes("another is sent", () => probe.bundles.size === 1)
      assert.deepStrictEqual(began, [0, 0])
      probe.mine()
      yield* confirmed(unit, 1)
    }).pipe(Effect.scoped),
  )
})

describe("a module that an assigned message names", () => {
  it.effect("is archived with it", () =>
    Effect.gen(function* () {
      const { probe, node, process } = yield* counting({ gatherMs: 1_000 })
      const module = yield* SmallNode.upload(node, `${guest} // another`)
      const item = yield* Effect.promise(() => ada.message(process, "Upgrade", { Module: module }))
      const bob = Caller.caller("bob")
      yield* SmallNode.send(node, bob, process, "Assign", { Assign: item.id }, item.bytes)
      yield* comes("it is sent", () => probe.bundles.size > 0)
      assert.strictEqual((yield* contents(probe, "Module")).length, 2)
    }).pipe(Effect.scoped),
  )
})

describe("nothing is paid twice", () => {
  it.effect("when the node stops at any moment of an upload", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const probe = ArchiveProbe.make((bytes) => BigInt(bytes))
      const first = yield* SmallNode.open({ store })
      const process = yield* SmallNode.spawn(first.node, ada, guest)
      yield* SmallNode.ask(first.node, ada, process, "Add")
      let stopped = 0
      for (const when of ["before", "after"]) {
        const scope = yield* Scope.make()
        probe.onUpload = () => (when === "before" ? Effect.never : Effect.void)
        yield* Scope.provide(unitOver(first.node, probe, { gatherMs: 0 }), scope)
        yield* arrives("it is paid", () => probe.paid.size === 1)
        if (when === "after") yield* comes("it is sent", () => probe.statuses.size === 1)
        yield* Scope.close(scope, Exit.void)
        stopped++
      }
      const unit = yield* unitOver(first.node, probe, { gatherMs: 0, pollMs: 1_000 })
      probe.mine()
      yield* confirmed(unit, 1)
      assert.deepStrictEqual((yield* unit.status).waiting, [])
      assert.strictEqual(stopped, 2)
      assert.strictEqual(probe.made.length, 1)
      assert.strictEqual(probe.paid.size, 1)
      assert.strictEqual((yield* unit.status).spent, probe.made[0]!.cost)
      yield* first.stop
    }).pipe(Effect.scoped),
  )

  it.effect("when a gateway fails in the middle", () =>
    Effect.gen(function* () {
      const { probe, unit } = yield* counting({ pollMs: 1_000 })
      let failures = 3
      probe.onUpload = () =>
        failures-- > 0
          ? Effect.fail(
              new ArchiveUnavailable({
                gateway: "probe",
                transaction: undefined,
                reason: "busy",
                detail: "try later",
              }),
            )
          : Effect.void
      yield* comes("it is sent", () => probe.statuses.size === 1)
      yield* settle
      assert.isBelow(failures, 0)
      assert.strictEqual(probe.made.length, 1)
      assert.strictEqual((yield* unit.status).waiting[0]!.state, "sent")
    }).pipe(Effect.scoped),
  )

  it.effect("when a fork takes a block back: the same transfer is sent again", () =>
    Effect.gen(function* () {
      const { probe, unit } = yield* counting({ pollMs: 1_000, confirmations: 5 })
      yield* comes("it is sent", () => probe.statuses.size === 1)
      const { id } = probe.made[0]!
      probe.mine(3)
      yield* TestClock.adjust(2_000)
      yield* settle
      assert.strictEqual((yield* unit.status).bundles, 0)
      probe.statuses.delete(id)
      probe.bundles.delete(id)
      yield* comes("it is sent again", () => probe.statuses.size === 1)
      assert.isTrue(probe.bundles.has(id))
      probe.mine(5)
      yield* confirmed(unit, 1)
      assert.strictEqual(probe.made.length, 1)
    }).pipe(Effect.scoped),
  )

  it.effect(
    "but a transfer that can never arrive is given up, and what it would have taken is not spent",
    () =>
      Effect.gen(function* () {
        const { probe, unit } = yield* counting({ pollMs: 1_000 })
        yield* comes("it is sent", () => probe.statuses.size === 1)
        probe.statuses.set(probe.made[0]!.id, { _tag: "void" })
        yield* comes("another is sent", () => probe.statuses.size === 2)
        assert.strictEqual(probe.made.length, 2)
        assert.strictEqual((yield* unit.status).spent, probe.made[1]!.cost)
        probe.mine()
        yield* confirmed(unit, 1)
      }).pipe(Effect.scoped),
  )
})

describe("an operator who chooses another archive", () => {
  /** A bundle on its way by a transaction, when the node stops and starts again with these options. */
  const goingOn = Effect.fnUntraced(function* (options: Partial<ArchiveUnitLocal.Options>) {
    const node = yield* counted()
    const probe = ArchiveProbe.make((bytes) => BigInt(bytes))
    const scope = yield* Scope.make()
    yield* Scope.provide(unitOver(node, probe), scope)
    yield* comes("it is sent", () => probe.statuses.size > 0)
    yield* Scope.close(scope, Exit.void)
    const unit = yield* unitOver(node, probe, { ...options, pollMs: 1_000 })
    yield* comes("it is sent again, or not", () => probe.made.length > 1 || probe.statuses.size > 0)
    yield* settle
    return { unit, probe }
  })

  it.effect("has what is on its way sent there, and what was paid stays spent", () =>
    Effect.gen(function* () {
      const { unit, probe } = yield* goingOn({ folder: true })
      yield* comes("it goes another way", () => probe.statuses.size > 1)
      assert.strictEqual((yield* unit.status).spent, probe.made[0]!.cost + probe.made[1]!.cost)
    }).pipe(Effect.scoped),
  )

  it.effect("and comes to the same kind finds it where it was", () =>
    Effect.gen(function* () {
      const { probe } = yield* goingOn({ folder: false })
      assert.strictEqual(probe.made.length, 1)
    }).pipe(Effect.scoped),
  )
})

describe("a unit that stops", () => {
  it.effect("closes what it gathered, durably, whether or not anything can be sent", () =>
    Effect.gen(function* () {
      const node = yield* counted()
      const probe = ArchiveProbe.make()
      probe.down = "no network"
      const scope = yield* Scope.make()
      const stopping = yield* Scope.provide(unitOver(node, probe), scope)
      yield* settle
      assert.strictEqual((yield* stopping.status).batches.bundled, 0)
      yield* Scope.close(scope, Exit.void)
      probe.down = undefined
      const unit = yield* unitOver(node, probe)
      const { batches, waiting } = yield* unit.status
      assert.strictEqual(batches.bundled, batches.made)
      assert.strictEqual(waiting.length, 1)
      yield* comes("it is sent", () => probe.bundles.size === 1)
    }).pipe(Effect.scoped),
  )

  it.effect("leaves nothing behind that belongs into a folder", () =>
    Effect.gen(function* () {
      const node = yield* counted()
      const probe = ArchiveProbe.make()
      const scope = yield* Scope.make()
      yield* Scope.provide(unitOver(node, probe, { folder: true }), scope)
      yield* settle
      assert.strictEqual(probe.bundles.size, 0)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(probe.bundles.size, 1)
    }).pipe(Effect.scoped),
  )

  it.effect("says at once where its archive can't be reached", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const probe = ArchiveProbe.make()
      probe.down = "no network"
      const unit = yield* unitOver(node, probe)
      yield* settle
      assert.include((yield* unit.status).problem, "no network")
      probe.down = undefined
      yield* TestClock.adjust(60_000)
      yield* settle
      assert.isUndefined((yield* unit.status).problem)
    }).pipe(Effect.scoped),
  )
})

describe("the spending limit", () => {
  it.effect("is reached and not passed; what was sent is confirmed all the same", () =>
    Effect.gen(function* () {
      const { probe, unit, node, process } = yield* counting({ pollMs: 1_000, spendingLimit: 1_500_000n })
      yield* comes("it is sent", () => probe.statuses.size === 1)
      const [first] = probe.made
      yield* SmallNode.ask(node, ada, process, "Add", {}, new Uint8Array(crypto.randomBytes(1_400_000)))
      let problem: string | undefined
      const look = Effect.map(unit.status, (now) => void (problem = now.problem))
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.yieldNow)))
      yield* comes("it is refused", () => problem !== undefined)
      const { spent, waiting } = yield* unit.status
      assert.include(problem, "the spending limit is 1500000")
      assert.strictEqual(spent, first!.cost)
      assert.strictEqual(waiting.length, 2)
      assert.strictEqual(probe.paid.size, 1)
      probe.mine()
      yield* confirmed(unit, 1)
    }).pipe(Effect.scoped),
  )
})

describe("who sends and asks", () => {
  it.effect("waits for no archive, whatever it does", () =>
    Effect.gen(function* () {
      const { probe, node, process } = yield* counting({ gatherMs: 0, gatherBytes: 1 })
      probe.onUpload = () => Effect.never
      for (let n = 2; n < 12; n++) assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Add"), n)
      assert.deepStrictEqual((yield* node.messenger.query(process, asked("Get"))).result, { value: "11" })
    }).pipe(Effect.scoped),
  )
})

describe("the cost of a process", () => {
  it.effect("is that of its log, and nothing is spent for the answer", () =>
    Effect.gen(function* () {
      const { probe, unit, process, node } = yield* counting()
      const cost = yield* unit.cost(process)
      const entries = yield* node.scheduler.log(process, 0, 10)
      assert.strictEqual(cost.slots, 2)
      assert.strictEqual(
        cost.signedBytes,
        entries.reduce((sum, { item, proof }) => sum + item.length + proof.length, 0),
      )
      assert.isBelow(cost.bytes, cost.signedBytes)
      assert.strictEqual(cost.winston, BigInt(cost.bytes))
      assert.strictEqual(probe.made.length, 0)
    }).pipe(Effect.scoped),
  )
})

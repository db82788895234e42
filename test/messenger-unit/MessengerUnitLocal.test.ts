import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import type { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Module from "../../runtime/Module.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import { id } from "../support/Unsigned.ts"

const [ada, grace] = [Caller.caller("ada"), Caller.caller("grace")]

const guest = `
  let n = 0
  heddle.on("Spawn", () => heddle.publish("n", n))
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })
  heddle.on("Fail", () => { n = 1_000; throw new RangeError("no") })
  heddle.on("Later", async (m) => { await heddle.sleep("1m"); if (m.data) throw new TypeError(m.data); return "later" })
  heddle.on("Never", () => new Promise(() => {}))
  heddle.on("Tell", (m) => heddle.send(m.tags.To, { action: "Add" }))
  heddle.on("Ask", async (m) => {
    try { return await heddle.ask(m.tags.To, { action: m.tags.What, data: "late" }, { timeout: m.tags.Timeout }) }
    catch (error) { return "caught " + error.message }
  })`

const parkedAs = (process: Id.ProcessId, words: string): Sandbox["Service"] => {
  const inner = SandboxInline.make()
  return {
    ...inner,
    run: (of, entries) => (of === process ? Effect.die(new Error(words)) : inner.run(of, entries)),
  }
}

/** Moves the clock on by a minute once everything has come to rest. */
const minute = Effect.gen(function* () {
  yield* Effect.forEach(Array.from({ length: 100 }), () => Effect.yieldNow, { discard: true })
  yield* TestClock.adjust("1 minute")
})

describe("an ask", () => {
  it.effect("is answered with what the process said, whenever it says it", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, guest)
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Add"), 1)
      const later = yield* Effect.forkChild(SmallNode.ask(node, ada, process, "Later"))
      yield* minute
      assert.strictEqual(yield* Fiber.join(later), "later")
    }),
  )

  it.effect("is answered with the error of its turn by name, and with that of a later turn as a reply", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, guest)
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Fail"), "threw: RangeError: no")
      assert.include(
        yield* SmallNode.ask(node, ada, process, "Nothing"),
        'threw: no handler for action "Nothing"',
      )
      const later = yield* Effect.forkChild(SmallNode.ask(node, ada, process, "Later", {}, "late"))
      yield* minute
      assert.strictEqual(yield* Fiber.join(later), "replied: TurnFailed: TypeError: late")
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Add"), 1)
    }),
  )

  it.effect("between processes ends the await with the answer, with the error, or when time is up", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const asker = yield* SmallNode.spawn(node, ada, guest)
      const asked = yield* SmallNode.spawn(node, grace, guest)
      const ask = (What: string, more = {}) =>
        SmallNode.ask(node, ada, asker, "Ask", { To: asked, What, ...more })
      assert.strictEqual(yield* ask("Add"), 1)
      assert.strictEqual(yield* ask("Fail"), "caught TurnFailed: RangeError: no")
      const waiting = [
        yield* Effect.forkChild(ask("Later")),
        yield* Effect.forkChild(ask("Never", { Timeout: "1m" })),
        yield* Effect.forkChild(ask("Add", { Timeout: "1m", To: id("nobody") })),
      ]
      yield* minute
      assert.deepStrictEqual(yield* Effect.forEach(waiting, Fiber.join), [
        "caught TurnFailed: TypeError: late",
        "caught ask timed out",
        "caught ask timed out",
      ])
    }),
  )

  it.effect("that is sent again is answered as it was, and done once", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, guest)
      const item = yield* Effect.promise(() => ada.message(process, "Add"))
      const first = yield* node.messenger.ask(item.bytes)
      const again = yield* node.messenger.ask(item.bytes)
      assert.deepStrictEqual([again.result, first.result], [{ value: "1" }, { value: "1" }])
      assert.deepStrictEqual([first.accepted.repeat, again.accepted.repeat], [false, true])
      assert.strictEqual(again.accepted.slot, first.accepted.slot)
      assert.deepStrictEqual(yield* node.messenger.answer(process, 1), {
        fuelUsed: first.fuelUsed,
        result: { value: "1" },
      })
    }),
  )

  it.effect("of a process that is parked is told why, and what it answered before still stands", () =>
    Effect.gen(function* () {
      const probe = StoreProbe.make()
      const { node, stop } = yield* SmallNode.open({ store: probe.store })
      const process = yield* SmallNode.spawn(node, ada, guest)
      const other = yield* SmallNode.spawn(node, ada, guest)
      const item = yield* Effect.promise(() => ada.message(process, "Add"))
      yield* node.messenger.ask(item.bytes)
      yield* stop
      const again = yield* SmallNode.make({
        store: probe.store,
        sandbox: parkedAs(process, "the thread is gone"),
      })
      assert.strictEqual(yield* SmallNode.ask(again, ada, process, "Add"), "parked: the thread is gone")
      assert.strictEqual((yield* again.messenger.process(process)).parked, "the thread is gone")
      assert.deepStrictEqual((yield* again.messenger.ask(item.bytes)).result, { value: "1" })
      assert.strictEqual(yield* SmallNode.ask(again, ada, other, "Add"), 1)
    }),
  )
})

describe("what a messenger shows", () => {
  it.effect("is the processes, by what their spawns say and how far they are", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, guest, { Name: "Loom" })
      const other = yield* SmallNode.spawn(node, grace, guest)
      yield* TestClock.setTime(5_000)
      yield* SmallNode.ask(node, ada, process, "Add")
      const info = yield* node.messenger.process(process)
      const signed = (yield* node.messenger.attestation(process, 1))!
      assert.deepStrictEqual(info, {
        process,
        owner: ada.identity.address,
        module: Module.id(Bytes.fromText(guest)),
        name: "Loom",
        slots: 2,
        computed: 2,
        timestamp: 5_000,
        stateRoot: signed.attestation.to.stateRoot,
        engine: signed.attestation.engine,
        parked: undefined,
      })
      const all = yield* node.messenger.processes
      assert.deepStrictEqual(
        new Map(all.map((one) => [one.process, [one.owner, one.name]])),
        new Map([
          [process, [ada.identity.address, "Loom"]],
          [other, [grace.identity.address, undefined]],
        ]),
      )
      assert.deepStrictEqual(info.engine, (yield* node.messenger.info).engine)
    }),
  )

  it.effect("is a named error where it does not know the process or the slot", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, guest)
      const nobody = id("nobody")
      const { messenger } = node
      const query = { action: "Add", tags: [], data: Bytes.empty, from: "" }
      const errors = [
        yield* Effect.flip(messenger.turn(nobody, 0)),
        yield* Effect.flip(messenger.turn(process, 1)),
        yield* Effect.flip(messenger.answer(process, 1)),
        yield* Effect.flip(messenger.log(nobody, 0, 1)),
        yield* Effect.flip(messenger.receipt(process, 1)),
        yield* Effect.flip(messenger.process(nobody)),
        yield* Effect.flip(Stream.runDrain(messenger.follow(nobody, 0))),
        yield* Effect.flip(messenger.query(nobody, query)),
      ]
      assert.deepStrictEqual(
        errors.map(({ _tag }) => _tag),
        [...Array.from({ length: 7 }, () => "LogUnknown"), "ComputeUnknown"],
      )
      assert.isUndefined(yield* messenger.view(nobody, "n"))
      assert.isUndefined(yield* messenger.module(nobody))
      assert.deepStrictEqual(yield* messenger.turns(nobody, 0, 10), [])
      const refused = yield* Effect.flip(SmallNode.send(node, ada, nobody, "Add"))
      assert.strictEqual("reason" in refused && refused.reason, "unknown process")
    }),
  )

  it.effect("keeps guest code of the largest size there may be, and refuses one byte more", () =>
    Effect.gen(function* () {
      const { messenger } = yield* SmallNode.make()
      const largest = new Uint8Array(Limit.moduleBytesMax).fill(32)
      assert.strictEqual(
        (yield* messenger.module(yield* messenger.addModule(largest)))?.length,
        largest.length,
      )
      const refused = yield* Effect.flip(
        messenger.addModule(new Uint8Array(Limit.moduleBytesMax + 1).fill(32)),
      )
      assert.strictEqual(refused._tag, "ModuleInvalid")
      assert.include(refused.message, "at most 4194304 are allowed")
    }),
  )
})

const isHeld = ({ messenger }: SmallNode.SmallNode) =>
  SmallNode.until(
    "it is held",
    Effect.map(messenger.outbox, ([one]) => one !== undefined && one.reason !== "on its way"),
  )

describe("a message to a process that is not there yet", () => {
  it.effect("is held where everyone can see it, and goes when its target is spawned", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const { messenger } = node
      const process = yield* SmallNode.spawn(node, ada, guest)
      const module = yield* SmallNode.upload(node, guest)
      const spawn = yield* Effect.promise(() => grace.spawn(module, node.scheduler.address))
      yield* TestClock.setTime(9_000)
      yield* SmallNode.ask(node, ada, process, "Tell", { To: spawn.id })
      yield* isHeld(node)
      const [held] = yield* messenger.outbox
      assert.deepInclude(held, {
        source: process,
        slot: 1,
        index: 0,
        target: spawn.id,
        kind: "message",
        since: 9_000,
      })
      assert.include(held!.reason, "unknown process")
      yield* messenger.send(spawn.bytes)
      yield* node.compute.turn(spawn.id, 1)
      assert.deepInclude(yield* messenger.view(spawn.id, "n"), { value: "1" })
      yield* SmallNode.until(
        "the outbox is empty",
        Effect.map(messenger.outbox, (left) => left.length === 0),
      )
    }),
  )

  it.effect("goes though whoever spawned its target went away before hearing that it was", () =>
    Effect.gen(function* () {
      const probe = StoreProbe.make()
      const node = yield* SmallNode.make({ store: probe.store })
      const process = yield* SmallNode.spawn(node, ada, guest)
      const module = yield* SmallNode.upload(node, guest)
      const spawn = yield* Effect.promise(() => grace.spawn(module, node.scheduler.address))
      yield* SmallNode.ask(node, ada, process, "Tell", { To: spawn.id })
      yield* isHeld(node)
      const held = StoreProbe.barrier()
      probe.before = (tables) => (tables.includes("batch") ? held.wait : Effect.void)
      const sending = yield* Effect.forkChild(node.messenger.send(spawn.bytes))
      yield* held.reached
      probe.before = () => Effect.void
      const leaving = yield* Effect.forkChild(Fiber.interrupt(sending))
      yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })
      yield* held.open
      yield* Fiber.join(leaving)
      yield* node.compute.turn(spawn.id, 1)
    }),
  )
})

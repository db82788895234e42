/** An owner gives up a message that its process emitted: on a whole node, and on one that crashes on the way. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Audit from "../../compute-unit/Audit.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as Client from "../../messenger-unit/Client.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as StoreProbe from "../support/StoreProbe.ts"

const [ada, eve] = [Caller.caller("ada"), Caller.caller("eve")]

const loom = `
  const log = []
  heddle.on("Ask", async (m) => {
    const asked = heddle.ask(m.tags.To, { action: "Work", data: "first" })
    heddle.send(m.tags.To, { action: "Work", data: "second" })
    try { log.push(await asked) } catch (error) { log.push(error.message) }
    return log
  })
  heddle.on("Drop", () => { log.push("a drop reached the program") })`

const shuttle = `
  const work = []
  heddle.on("Work", (m) => { work.push(m.data); heddle.publish("work", work) })`

const [loomCode, shuttleCode] = [loom, shuttle].map(Bytes.fromText) as [Uint8Array, Uint8Array]
const scheduler = SmallNode.identity.address
const loomSpawn = await ada.spawn(Module.id(loomCode), scheduler)
const shuttleSpawn = await ada.spawn(Module.id(shuttleCode), scheduler)
const asks = await ada.message(loomSpawn.id, "Ask", { To: shuttleSpawn.id })

const giveUp = (
  messenger: MessengerUnit["Service"],
  place: Parameters<typeof Client.drop>[0],
  as = ada,
  reason?: string,
) =>
  Client.drop(place, { as: as.identity, reason, retries: 0 }).pipe(
    Effect.provideService(MessengerUnit, messenger),
  )

const letRun = Effect.forEach(Array.from({ length: 60 }), () => Effect.yieldNow, { discard: true })

/** What stands in the log of the target, and what it did there. */
const atTarget = Effect.fnUntraced(function* (messenger: MessengerUnit["Service"], process: Id.ProcessId) {
  const { slots } = yield* messenger.process(process)
  const outcomes = []
  for (let slot = 1; slot < slots; slot++) outcomes.push((yield* messenger.turn(process, slot)).outcome.error)
  const work = yield* messenger.view(process, "work")
  return { outcomes, work: work?.value }
})

const findings = (node: SmallNode.SmallNode) =>
  Effect.forEach([loomSpawn.id, shuttleSpawn.id], (process) =>
    Effect.map(
      Audit.run(node.messenger, SandboxInline.make(), process, { verifier: node.verifier }),
      ({ finding }) => finding,
    ),
  )

const withCode = Effect.fnUntraced(function* (store: ReturnType<typeof StoreMemory.make>) {
  yield* Effect.orDie(store.commit([loomCode, shuttleCode].map((code) => Module.put(code))))
  return store
})

describe("a message that is given up", () => {
  it.effect(
    "ends the wait for its answer, leaves its number to a void, and what came behind it arrives",
    () =>
      Effect.gen(function* () {
        const node = yield* SmallNode.make({ store: yield* withCode(StoreMemory.make()) })
        const { messenger } = node
        yield* messenger.send(loomSpawn.bytes)
        const asked = yield* messenger.send(asks.bytes)
        yield* letRun
        const [held] = yield* messenger.outbox
        const original = (yield* messenger.outboxEntry(held!))!
        const { accepted, pair, target, entry } = yield* giveUp(messenger, held!, ada, "nobody is there")
        assert.deepStrictEqual([accepted.slot, pair, target], [2, 1, shuttleSpawn.id])
        const { result } = yield* messenger.answer(loomSpawn.id, asked.slot)
        assert.deepStrictEqual(result, { value: '["undelivered: nobody is there"]' })
        yield* letRun
        assert.deepStrictEqual(
          (yield* messenger.outbox).map(({ kind, slot }) => [kind, slot]),
          [
            ["void", 2],
            ["message", 1],
          ],
        )
        yield* messenger.send(shuttleSpawn.bytes)
        yield* letRun
        assert.deepStrictEqual(yield* atTarget(messenger, shuttleSpawn.id), {
          outcomes: [{ reason: "void", message: "nobody is there" }, undefined],
          work: '["second"]',
        })
        assert.deepStrictEqual(yield* messenger.outbox, [])
        const late = yield* node.scheduler.submit(original.entry.item, original.proof)
        assert.deepStrictEqual([late.repeat, late.slot, late.id === entry], [true, 1, false])
        assert.deepStrictEqual(yield* findings(node), [undefined, undefined])
      }),
  )

  it.effect("was delivered before: the void is its repeat, and who waits hears what was said first", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make({ store: yield* withCode(StoreMemory.make()) })
      const { messenger } = node
      yield* messenger.send(loomSpawn.bytes)
      const asked = yield* messenger.send(asks.bytes)
      yield* letRun
      const [held] = yield* messenger.outbox
      const original = (yield* messenger.outboxEntry(held!))!
      const keeping = { ...messenger, outboxEntry: () => Effect.succeed(original) }
      yield* messenger.send(shuttleSpawn.bytes)
      yield* letRun
      yield* giveUp(keeping, held!)
      yield* letRun
      const { result } = yield* messenger.answer(loomSpawn.id, asked.slot)
      assert.deepStrictEqual(result, { value: "[null]" })
      assert.deepStrictEqual(yield* atTarget(messenger, shuttleSpawn.id), {
        outcomes: [undefined, undefined],
        work: '["first","second"]',
      })
      assert.deepStrictEqual(yield* messenger.outbox, [])
    }),
  )

  it.effect("is given up by the owner of its source alone, where it waits", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make({ store: yield* withCode(StoreMemory.make()) })
      const { messenger } = node
      yield* messenger.send(loomSpawn.bytes)
      yield* messenger.send(asks.bytes)
      yield* letRun
      const [held] = yield* messenger.outbox
      const tag = (error: { readonly _tag: string }) => error._tag
      assert.strictEqual(tag(yield* Effect.flip(giveUp(messenger, held!, eve))), "NotOwner")
      const nothing = yield* Effect.flip(giveUp(messenger, { ...held!, index: 7 }))
      assert.strictEqual(tag(nothing), "EntryUnknown")
      assert.strictEqual((yield* messenger.process(loomSpawn.id)).slots, 2)
    }),
  )
})

describe("a node that crashes while a message is given up", () => {
  /** `crashes` is asked after each commit, counted from 1; where it says so the node is gone and is started again. */
  const live = Effect.fnUntraced(function* (crashes: (commit: number) => boolean) {
    const probe = StoreProbe.make(yield* withCode(StoreMemory.make()))
    let [made, dead] = [0, false]
    probe.before = () => (dead ? StoreProbe.full : Effect.void)
    probe.after = () => {
      dead ||= crashes(++made)
      return dead ? StoreProbe.full : Effect.void
    }
    const begin = Effect.suspend(() => {
      dead = false
      return SmallNode.open({ store: probe.store })
    })
    let { node, stop } = yield* begin
    const rest = Effect.gen(function* () {
      // oxlint-disable-next-line no-unmodified-loop-condition -- a commit sets it while this yields
      for (let before = -1; before !== made || dead;) {
        before = made
        if (dead) {
          yield* stop
          ;({ node, stop } = yield* begin)
        }
        yield* letRun
      }
    })
    const send = (item: Uint8Array): Effect.Effect<void> =>
      Effect.suspend(() => node.messenger.send(item)).pipe(
        Effect.asVoid,
        Effect.catch(() => Effect.flatMap(rest, () => send(item))),
        Effect.andThen(rest),
      )
    yield* send(loomSpawn.bytes)
    yield* send(asks.bytes)
    // The same signed drop each time, as a caller sends it who got no answer.
    const [held] = yield* node.messenger.outbox
    let drop: Uint8Array | undefined
    const caught = {
      ...node.messenger,
      ask: (item: Uint8Array) => ((drop = item), node.messenger.ask(item)),
    }
    yield* Effect.ignore(Effect.forkChild(giveUp(caught, held!)))
    yield* letRun
    yield* rest
    yield* send(drop!)
    yield* send(shuttleSpawn.bytes)
    yield* TestClock.adjust("1 minute")
    yield* rest
    const { messenger } = node
    const { result } = yield* messenger.answer(loomSpawn.id, 1)
    const target = yield* atTarget(messenger, shuttleSpawn.id)
    const left = yield* messenger.outbox
    const found = yield* findings(node)
    yield* stop
    return { result, target, left, found, commits: made }
  })

  it.effect("at any of its commits comes to the same: one void, one answer, and all that follows", () =>
    Effect.gen(function* () {
      const whole = yield* live(() => false)
      const { commits, ...came } = whole
      assert.deepStrictEqual(came, {
        result: { value: '["undelivered: dropped by the owner"]' },
        target: {
          outcomes: [{ reason: "void", message: "dropped by the owner" }, undefined],
          work: '["second"]',
        },
        left: [],
        found: [undefined, undefined],
      })
      assert.isAbove(commits, 8)
      for (let fatal = 1; fatal < commits; fatal++) {
        const { commits: _, ...again } = yield* live((commit) => commit === fatal)
        assert.deepStrictEqual(again, came, `crash after commit ${fatal}`)
      }
      const { commits: _, ...always } = yield* live((commit) => commit % 2 === 0)
      assert.deepStrictEqual(always, came)
    }),
  )
})

/** What a scheduler takes in hand (spec 03 §11): places for peers, rates for peers, identities and processes. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import * as Identity from "../../identity/Identity.ts"
import type { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import { Refused } from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Gate from "../../runtime/Gate.ts"
import * as Id from "../../runtime/Id.ts"
import type * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as Peer from "../../runtime/Peer.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Intake from "../../scheduler-unit/Intake.ts"
import type { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as StoreFaulty from "../simulation/StoreFaulty.ts"
import * as Caller from "../support/Caller.ts"
import * as Emitted from "../support/Emitted.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as Unsigned from "../support/Unsigned.ts"

const { identity, module, settle, start } = LocalScheduler
const ada = Caller.caller("ada")
const grace = Caller.caller("grace")
const unit = Identity.fromSeed(Unsigned.hash("unit"), SignatureType.mlDsa44)

type Scheduler = SchedulerUnit["Service"]

/** A verifier that counts what it is asked. */
const counting = (inner: Verifier["Service"]) => {
  const asked = { times: 0 }
  const verifier: Verifier["Service"] = {
    verify: (...args) => Effect.suspend(() => (asked.times++, inner.verify(...args))),
    verifyItem: (item) => Effect.suspend(() => (asked.times++, inner.verifyItem(item))),
  }
  return { asked, verifier }
}

/** A scheduler with one process, that believes `unit`. */
const ready = Effect.fnUntraced(function* (
  rates: Partial<Intake.Rates> = {},
  inner: Verifier["Service"] = VerifierLocal.make(),
  places?: number,
) {
  const faulty = StoreFaulty.bend(StoreMemory.make())
  const { asked, verifier } = counting(inner)
  const intake = Intake.make({ ...Intake.noRates, ...rates }, places)
  const scheduler = yield* start({ store: faulty.store, verifier }).pipe(
    Effect.provideService(Intake.Intake, intake),
  )
  const spawn = yield* Effect.promise(() =>
    grace.spawn(module, identity.address, { Authority: unit.address }),
  )
  const { process } = yield* scheduler.submit(spawn.bytes, Bytes.empty)
  asked.times = 0
  return { ...faulty, asked, intake, scheduler, process }
})

const say = (caller: Caller.Caller, process: Id.ProcessId) =>
  Effect.promise(() => caller.message(process, "Say"))

const told = (scheduler: Scheduler, item: Pick<Item.Item, "bytes">, proof: Uint8Array = Bytes.empty) =>
  Effect.map(Effect.result(scheduler.submit(item.bytes, proof)), (found) =>
    Result.isSuccess(found) ? (found.success.repeat ? "repeat" : "slot") : found.failure.reason,
  )

const from = (name: string) => Effect.provideService(Peer.Peer, { name })

const times = <A, E, R>(count: number, effect: Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.from({ length: count }), () => effect)

/** Counts of each answer. */
const tally = (answers: ReadonlyArray<string>) =>
  Object.fromEntries([...Map.groupBy(answers, (one) => one)].map(([one, all]) => [one, all.length]))

describe("places for peers", () => {
  it.effect("are half for one peer, and over it everything is refused before anybody looks at it", () =>
    Effect.gen(function* () {
      const { scheduler, process, asked, hold, release } = yield* ready({}, LocalScheduler.credulous)
      hold()
      const one = () =>
        scheduler.submit(Unsigned.message(process).item.bytes, Bytes.empty).pipe(from("flood"))
      const alone = Gate.aloneMax(Limit.peerMessagesMax)
      const waiting = yield* times(
        alone,
        Effect.suspend(() => Effect.forkChild(one(), { startImmediately: true })),
      )
      yield* settle
      assert.strictEqual(asked.times, alone)
      const refused = yield* Effect.flip(scheduler.submit(new Uint8Array(1), Bytes.empty).pipe(from("flood")))
      assert.deepInclude(refused, {
        reason: "overloaded",
        detail: `${alone} messages of peers are in hand; try again later`,
      })
      assert.strictEqual(asked.times, alone)
      const malformed = yield* Effect.flip(scheduler.submit(new Uint8Array(1), Bytes.empty).pipe(from("ada")))
      assert.strictEqual(malformed.reason, "malformed item", "another peer is read")
      release()
      const slots = yield* Effect.forEach(waiting, (fiber) =>
        Effect.map(Fiber.join(fiber), ({ slot }) => slot),
      )
      assert.deepStrictEqual(
        slots.toSorted((a, b) => a - b),
        Array.from(slots, (_, i) => i + 1),
      )
      assert.strictEqual((yield* one()).slot, alone + 1)
    }),
  )

  it.effect("are there for a quiet peer, and for who has none, while others flood", () =>
    Effect.gen(function* () {
      const { scheduler, process, hold, release } = yield* ready({}, LocalScheduler.credulous, 16)
      const send = (peer: string) =>
        Effect.suspend(() => told(scheduler, Unsigned.message(process).item)).pipe(from(peer))
      hold()
      const floods = yield* Effect.forEach(["a", "b"], (peer) =>
        times(50, Effect.forkChild(send(peer), { startImmediately: true })),
      )
      const quiet = yield* Effect.forkChild(send("quiet"), { startImmediately: true })
      const here = yield* Effect.forkChild(told(scheduler, Unsigned.message(process).item), {
        startImmediately: true,
      })
      yield* settle
      release()
      assert.deepStrictEqual([yield* Fiber.join(quiet), yield* Fiber.join(here)], ["slot", "slot"])
      const [a, b] = yield* Effect.forEach(floods, (flood) =>
        Effect.map(Effect.forEach(flood, Fiber.join), tally),
      )
      assert.deepStrictEqual(a, { slot: 8, overloaded: 42 })
      assert.deepStrictEqual(b, { slot: 4, overloaded: 46 })
    }),
  )

  it.effect("come back with a refusal, a repeat and an interruption", () =>
    Effect.gen(function* () {
      const { scheduler, process, hold, release } = yield* ready({}, undefined, 2)
      const item = yield* say(ada, process)
      const send = (sent: Pick<Item.Item, "bytes">) => told(scheduler, sent).pipe(from("peer"))
      assert.strictEqual(yield* send({ bytes: new Uint8Array(1) }), "malformed item")
      assert.strictEqual(yield* send(item), "slot")
      assert.strictEqual(yield* send(item), "repeat")
      hold()
      const fiber = yield* Effect.forkChild(send(yield* say(ada, process)), { startImmediately: true })
      yield* settle
      assert.strictEqual(yield* send(item), "overloaded")
      yield* Fiber.interrupt(fiber)
      release()
      assert.strictEqual(yield* send(item), "repeat")
    }),
  )

  it.effect("that a transport took are not taken twice", () =>
    Effect.gen(function* () {
      const { scheduler, process, intake } = yield* ready({}, undefined, 2)
      const place = intake.enter({ name: "peer" }, 0)
      if ("reason" in place) throw place
      const item = yield* say(ada, process)
      const sent = told(scheduler, item).pipe(
        Effect.provideService(Peer.Peer, { name: "peer", place: () => place }),
      )
      assert.strictEqual(yield* sent, "slot")
      assert.notInstanceOf(intake.enter({ name: "peer" }, 0), Refused, "it was given back")
    }),
  )

  it("are kept until the turn is over, where a unit of the node computes", () => {
    const intake = Intake.make(Intake.noRates, 4)
    const computed = intake.computing()
    const [one, two] = [Unsigned.id("one"), Unsigned.id("two")]
    const enter = () => intake.enter({ name: "peer" }, 0)
    const has = () => {
      const place = enter()
      if ("reason" in place) return false
      place.leave()
      return true
    }
    for (const slot of [3, 4]) {
      const place = enter()
      if ("reason" in place) throw place
      intake.placed(place, { process: one, slot })
    }
    computed(two, 9)
    computed(one, 2)
    assert.isFalse(has())
    computed(one, 3)
    assert.isTrue(has())
    const place = enter()
    if ("reason" in place) throw place
    intake.placed(place, { process: two, slot: 0 })
    assert.isFalse(has())
    computed(one, 4)
    computed(two, 0)
    assert.isTrue(has() && has())
  })
})

describe("a rate", () => {
  it.effect("of a peer is asked before anything is read, and says when to send again", () =>
    Effect.gen(function* () {
      const { scheduler, asked } = yield* ready({ peer: 2 })
      const junk = { bytes: new Uint8Array(1) }
      const burst = (2 * Limit.rateBurstMs) / 1_000
      const answers = yield* times(burst + 1, told(scheduler, junk).pipe(from("192.0.2.7")))
      assert.deepStrictEqual(tally(answers), { "malformed item": burst, "over rate": 1 })
      const refused = yield* Effect.flip(scheduler.submit(junk.bytes, Bytes.empty).pipe(from("192.0.2.7")))
      assert.deepInclude(refused, { reason: "over rate", retryMs: 500 })
      assert.include(
        refused.message,
        "peer 192.0.2.7 may send 2 messages a second here; send it again in 500 ms",
      )
      assert.strictEqual(yield* told(scheduler, junk).pipe(from("192.0.2.8")), "malformed item")
      assert.strictEqual(yield* told(scheduler, junk), "malformed item", "this program is no peer")
      yield* TestClock.adjust(499)
      assert.strictEqual(yield* told(scheduler, junk).pipe(from("192.0.2.7")), "over rate")
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* told(scheduler, junk).pipe(from("192.0.2.7")), "malformed item")
      assert.strictEqual(asked.times, 0)
    }),
  )

  it.effect("of an identity is asked before its signature is verified; others have their own", () =>
    Effect.gen(function* () {
      const { scheduler, process, asked } = yield* ready({ identity: 1 }, LocalScheduler.credulous)
      const items = yield* Effect.forEach(Array.from({ length: 11 }), () => say(ada, process))
      const answers = yield* Effect.forEach(items, (item) => told(scheduler, item))
      assert.deepStrictEqual(tally(answers), { slot: 10, "over rate": 1 })
      assert.strictEqual(asked.times, 10)
      const refused = yield* Effect.flip(scheduler.submit(items[10]!.bytes, Bytes.empty))
      assert.include(refused.message, `identity ${ada.identity.address} may send 1 messages a second`)
      assert.strictEqual(yield* told(scheduler, yield* say(grace, process)), "slot")
      yield* TestClock.adjust(refused.retryMs!)
      assert.strictEqual(yield* told(scheduler, items[10]!), "slot", "the same bytes later")
    }),
  )

  it.effect("of an identity holds too where many are verified at once", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready({ identity: 1 }, LocalScheduler.credulous)
      const items = yield* Effect.forEach(Array.from({ length: 30 }), () => say(ada, process))
      const answers = yield* Effect.forEach(items, (item) => told(scheduler, item), {
        concurrency: "unbounded",
      })
      assert.deepStrictEqual(tally(answers), { slot: 10, "over rate": 20 })
    }),
  )

  it.effect("of an identity is not used up by a forger, by who repeats it, or by what gets no slot", () =>
    Effect.gen(function* () {
      const item = yield* say(ada, Unsigned.id("elsewhere"))
      const { scheduler, process } = yield* ready({ identity: 1 })
      const first = yield* say(ada, process)
      assert.strictEqual(yield* told(scheduler, first), "slot")
      assert.deepStrictEqual(tally(yield* times(30, told(scheduler, first))), { repeat: 30 })
      const forgery = { bytes: (yield* say(ada, process)).bytes.slice() }
      forgery.bytes[100]! ^= 1
      assert.deepStrictEqual(tally(yield* times(30, told(scheduler, forgery))), { "bad signature": 30 })
      assert.deepStrictEqual(tally(yield* times(30, told(scheduler, item))), { "unknown process": 30 })
      const missing = yield* Effect.promise(() =>
        ada.message(process, "Say", { "Data-Hash": Unsigned.id("data"), "Data-Length": "7" }),
      )
      assert.deepStrictEqual(tally(yield* times(30, told(scheduler, missing))), { "data unavailable": 30 })
      const rest = yield* Effect.forEach(Array.from({ length: 10 }), () => say(ada, process))
      const answers = yield* Effect.forEach(rest, (one) => told(scheduler, one))
      assert.deepStrictEqual(tally(answers), { slot: 9, "over rate": 1 })
      assert.strictEqual(yield* told(scheduler, first), "repeat", "it has its slot, whatever else was sent")
    }),
  )

  it.effect("of an identity is charged to who assigns, not to whose item it is", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready({ identity: 1 }, LocalScheduler.credulous)
      const assigns = yield* Effect.forEach(Array.from({ length: 11 }), () =>
        Effect.promise(async () => {
          const item = await ada.message(process, "Say")
          return grace.message(process, "Assign", { Assign: item.id }, item.bytes)
        }),
      )
      const answers = yield* Effect.forEach(assigns, (one) => told(scheduler, one))
      assert.deepStrictEqual(tally(answers), { slot: 9, "over rate": 2 }, "grace has spawned before")
      assert.strictEqual(yield* told(scheduler, yield* say(ada, process)), "slot")
    }),
  )

  it.effect("of a process holds for all that keys say to it, and for what it says apart from that", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready({ process: 1 }, LocalScheduler.credulous)
      const callers = Array.from({ length: 6 }, (_, i) => Caller.caller(`caller ${i}`))
      const items = yield* Effect.forEach(callers, (caller) => times(2, say(caller, process)))
      const answers = yield* Effect.forEach(items.flat(), (item) => told(scheduler, item))
      assert.deepStrictEqual(tally(answers), { slot: 10, "over rate": 2 })
      const refused = yield* Effect.flip(scheduler.submit((yield* say(ada, process)).bytes, Bytes.empty))
      assert.include(refused.message, `process ${process} may send 1 messages a second`)
      const emissions = Emitted.emit(
        { source: process, slot: 3, emissions: [{ kind: "timer", target: process }] },
        [unit],
      )
      assert.strictEqual(
        yield* told(scheduler, emissions[0]!.item, OutboxProof.encode(emissions[0]!.proof)),
        "slot",
      )
    }),
  )

  it.effect("of a process holds for what it emits, which gets its slot later, in order and once", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready({ process: 1 })
      const source = Unsigned.id("source")
      const emissions = Array.from({ length: 12 }, (_, i) => ({
        kind: "message" as const,
        target: process,
        pair: i + 1,
        data: `${i}`,
      }))
      const all = Emitted.emit({ source, slot: 3, emissions }, [unit])
      const send = ({ item, proof }: Emitted.Emitted) => told(scheduler, item, OutboxProof.encode(proof))
      const answers = yield* Effect.forEach(all, send)
      assert.deepStrictEqual(
        answers.slice(0, 10),
        Array.from({ length: 10 }, () => "slot"),
      )
      assert.deepStrictEqual(answers.slice(10), ["over rate", "over rate"])
      // A copy of what has its slot costs its source nothing, nor does one that came before its order and waited in vain.
      assert.deepStrictEqual(tally(yield* times(20, send(all[0]!))), { repeat: 20 })
      yield* TestClock.adjust(1_000)
      const early = yield* Effect.forkChild(send(all[11]!))
      yield* settle
      yield* TestClock.adjust(Limit.earlyMessageMsMax)
      assert.strictEqual(yield* Fiber.join(early), "pair out of order")
      assert.strictEqual(yield* send(all[10]!), "slot")
      assert.strictEqual(yield* send(all[11]!), "slot")
      const entries = yield* scheduler.log(process, 1, 100)
      assert.strictEqual(entries.length, 12)
    }),
  )

  it.effect("of a process is not used up by who lets others attest that it said something", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready({ process: 1 })
      const source = Unsigned.id("source")
      const stranger = Identity.fromSeed(Unsigned.hash("stranger"), SignatureType.mlDsa44)
      // A spawn names whom it believes, so what strangers attest gets its slot.
      const tags = [
        ["Module", module],
        ["Scheduler", identity.address],
        ["Authority", stranger.address],
      ] as const
      const forged = Emitted.emit(
        {
          source,
          slot: 3,
          emissions: Array.from({ length: 11 }, (_, i) => ({ kind: "spawn", tags, data: `${i}` })),
        },
        [stranger],
      )
      const send = ({ item, proof }: Emitted.Emitted) => told(scheduler, item, OutboxProof.encode(proof))
      assert.deepStrictEqual(tally(yield* Effect.forEach(forged, send)), { slot: 10, "over rate": 1 })
      const [real] = Emitted.emit(
        { source, slot: 3, emissions: [{ kind: "message", target: process, pair: 1 }] },
        [unit],
      )
      assert.strictEqual(yield* send(real!), "slot")
    }),
  )

  it.effect("of a process makes what it emits wait, and nothing of it is lost", () =>
    Effect.gen(function* () {
      const intake = Intake.make({ ...Intake.noRates, process: 1 })
      const node = yield* SmallNode.make().pipe(Effect.provideService(Intake.Intake, intake))
      const sink = yield* SmallNode.spawn(
        node,
        ada,
        "const heard = []; heddle.on('Say', (m) => void heard.push(m.data)); heddle.on('Get', () => heard)",
      )
      const source = yield* SmallNode.spawn(
        node,
        ada,
        `heddle.on('Go', () => { for (let i = 0; i < 14; i++) heddle.send('${sink}', { action: 'Say', data: String(i) }) })`,
      )
      yield* SmallNode.send(node, ada, source, "Go")
      const waiting = Effect.map(node.messenger.outbox, (outbox) => outbox.map(({ reason }) => reason))
      yield* SmallNode.until(
        "the burst has gone",
        Effect.map(
          waiting,
          (reasons) => reasons.length === 4 && reasons.every((why) => why.includes("over rate")),
        ),
      )
      for (let seconds = 0; (yield* waiting).length > 0 && seconds < 60; seconds++) {
        yield* TestClock.adjust(1_000)
        yield* settle
      }
      assert.deepStrictEqual(yield* waiting, [])
      const heard = Array.from({ length: 14 }, (_, i) => `${i}`)
      assert.deepStrictEqual(yield* SmallNode.ask(node, ada, sink, "Get"), heard)
    }),
  )

  it.effect("that is none refuses nobody", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready({}, LocalScheduler.credulous)
      const answers = yield* times(
        500,
        Effect.suspend(() => told(scheduler, Unsigned.message(process).item).pipe(from("peer"))),
      )
      assert.deepStrictEqual(tally(answers), { slot: 500 })
    }),
  )
})

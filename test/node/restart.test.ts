/**
 * A node that is stopped at any point of its life and started again comes to where it would have come anyway: from
 * every state between two commits, by a crash, and from every rest between two messages, in good order.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Audit from "../../compute-unit/Audit.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import type * as Item from "../../runtime/Item.ts"
import * as Module from "../../runtime/Module.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Caller from "../support/Caller.ts"
import * as SignerProbe from "../support/SignerProbe.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as StoreProbe from "../support/StoreProbe.ts"

const ada = Caller.caller("ada")
// One for all lives: where they do the same they sign the same, so that heads and roots can be compared.
const { signer } = SignerProbe.make(SmallNode.identity)

const loom = `
  let child
  const log = []
  const note = (what) => { log.push(what); heddle.publish("log", log); return what }
  heddle.on("Have-Child", (m) => { child = heddle.spawn(m.tags.Module); heddle.publish("child", child); return child })
  heddle.on("Weave", async (m) => note([await heddle.ask(m.tags.To, { action: "Work", data: log.length }, { timeout: "1h" }), Math.random()]))
  heddle.on("Rest", async (m) => { await heddle.sleep(m.tags.For); return note("rested " + heddle.now()) })
  heddle.on("Ask-Child", async (m) => note(await heddle.ask(child, { action: "Sum", data: [1, 2, log.length] })))
  heddle.on("Both", async (m) => {
    const kid = heddle.spawn(m.tags.Module)
    const all = [heddle.ask(kid, { action: "Sum", data: [4, 5] }), heddle.ask(child, { action: "Sum", data: [6] })]
    return note(await Promise.all([...all, heddle.sleep("3s")]))
  })
  heddle.on("Fail", () => { log.length = 0; throw new Error("no") })
  heddle.on("Log", () => log)`

const shuttle = `
  let work = 0
  heddle.on("Work", async (m) => { const n = ++work; await heddle.sleep("10s"); return [n, m.json(), work] })
  heddle.on("Sum", (m) => m.json().reduce((sum, n) => sum + n, 0))`

const code = [loom, shuttle].map(Bytes.fromText)
const [loomModule, shuttleModule] = code.map((source) => Module.id(source)) as [Id.Id, Id.Id]

/** A message that a caller sends, or the time in ms that goes by. */
type Step = Item.Item | number

const spawns = await Promise.all([
  ada.spawn(loomModule, signer.address, { Name: "Loom" }),
  ada.spawn(shuttleModule, signer.address),
])
const [loomId, shuttleId] = spawns.map(({ id }) => id) as [Id.Id, Id.Id]
const say = (action: string, tags: Record<string, string> = {}) => ada.message(loomId, action, tags)
const haveChild = await say("Have-Child", { Module: shuttleModule })

/** One thing after the other, and a look at the clock when something is due, so that it can happen in one order only. */
const one: ReadonlyArray<Step> = [
  ...spawns,
  1_000,
  haveChild,
  await say("Weave", { To: shuttleId }),
  1_000,
  await say("Rest", { For: "25s" }),
  9_000,
  await say("Ask-Child"),
  await say("Fail"),
  16_000,
  await say("Weave", { To: shuttleId }),
  10_000,
  3_564_000,
  26_000,
  await say("Log"),
]

/** Much at once: a child told something in the turn that spawns it, answers and timers that cross. */
const many: ReadonlyArray<Step> = [
  ...spawns,
  haveChild,
  await say("Weave", { To: shuttleId }),
  await say("Both", { Module: shuttleModule }),
  await say("Rest", { For: "10s" }),
  await say("Both", { Module: shuttleModule }),
  10_000,
  await say("Log"),
]

interface Lived {
  readonly answers: ReadonlyArray<string>
  /** Process, slot, outcome hash and attested root, a line a slot. */
  readonly lines: ReadonlyArray<string>
  readonly findings: ReadonlyArray<string>
  readonly commits: number
  readonly starts: number
  /** Snapshots that were written. */
  readonly snapshots: number
}

/**
 * Goes through the steps. `crashes` is asked after each commit, counted from 1; where it says so the node is gone, and
 * is started again on what is durable. With `stops` it is stopped in good order after each step. Where it has no `room`
 * it evicts each process that has nothing to do.
 */
const live = (
  steps: ReadonlyArray<Step>,
  crashes: (commit: number) => boolean,
  { stops = false, audited = true, room = true } = {},
) =>
  Effect.gen(function* () {
    const probe = StoreProbe.make(StoreMemory.make())
    yield* Effect.orDie(probe.store.commit(code.map((source) => Module.put(source))))
    let [made, dead, starts] = [0, false, 0]
    probe.before = () => (dead ? StoreProbe.full : Effect.void)
    probe.after = () => {
      dead ||= crashes(++made)
      return dead ? StoreProbe.full : Effect.void
    }
    const begin = Effect.suspend(() => {
      starts++
      dead = false
      return SmallNode.open({ store: probe.store, signer }, room ? undefined : 0)
    })
    let { node, stop } = yield* begin
    const again = Effect.gen(function* () {
      yield* stop
      ;({ node, stop } = yield* begin)
    })
    /** Lets everything happen that can without time going by. */
    const rest = Effect.gen(function* () {
      // oxlint-disable-next-line no-unmodified-loop-condition -- a commit sets it while this yields
      for (let before = -1; before !== made || dead;) {
        before = made
        if (dead) yield* again
        for (let i = 0; i < 40; i++) yield* Effect.yieldNow
      }
    })
    const send = (item: Item.Item): Effect.Effect<void> =>
      Effect.suspend(() => node.messenger.send(item.bytes)).pipe(
        Effect.asVoid,
        Effect.catch(() => Effect.flatMap(rest, () => send(item))),
      )
    for (const step of steps) {
      yield* typeof step === "number" ? TestClock.adjust(step) : send(step)
      yield* rest
      if (stops) yield* again
    }
    yield* rest

    const { messenger } = node
    const processes = yield* messenger.processes
    const lines: Array<string> = []
    const findings: Array<string> = []
    const answers: Array<string> = []
    for (const { process, slots, computed } of processes) {
      assert.strictEqual(computed, slots)
      for (let slot = 0; slot < slots; slot++) {
        const { outcome } = yield* messenger.turn(process, slot)
        const { attestation } = (yield* messenger.attestation(process, slot))!
        const root = Bytes.toHex(attestation.to.stateRoot)
        lines.push(`${process} ${slot} ${Bytes.toHex(Outcome.hash(outcome))} ${attestation.to.slot} ${root}`)
      }
      if (!audited) continue
      const { finding } = yield* Audit.run(messenger, SandboxInline.make(), process, {
        verifier: node.verifier,
      })
      if (finding !== undefined) findings.push(JSON.stringify(finding))
    }
    const asked = steps.filter((step) => typeof step !== "number" && step.target.length > 0).length
    const entries = yield* messenger.log(loomId, 1, 100)
    for (const [i, entry] of entries.entries())
      if (steps.some((step) => typeof step !== "number" && Bytes.equal(step.bytes, entry.item))) {
        const { result } = yield* messenger.answer(loomId, i + 1)
        answers.push("value" in result ? result.value : `${result.reason}: ${result.error}`)
      }
    assert.strictEqual(answers.length, asked)
    const held = yield* messenger.outbox
    for (const { reason } of held) assert.strictEqual(reason, "not due yet")
    yield* stop
    const snapshots = probe.commits.filter((tables) => tables.includes("snapshot")).length
    const lived: Lived = { answers, lines, findings, commits: made, starts, snapshots }
    return lived
  }).pipe(Effect.provide(TestClock.layer()), Effect.orDie)

const never = () => false

describe("a node that is stopped and started again", () => {
  it.live("after every commit of its life, by a crash, comes to the same answers, outcomes and roots", () =>
    Effect.gen(function* () {
      const whole = yield* live(one, never)
      assert.deepStrictEqual(whole.findings, [])
      assert.isAbove(whole.commits, 40)
      assert.match(whole.answers.at(-1)!, /^\[\[\[1,0,1\],0\.\d+\],4,"rested 27000",\[\[2,3,2\],0\.\d+\]\]$/)
      // The last commit is that of a node that stops.
      for (let fatal = 1; fatal < whole.commits; fatal++) {
        const lived = yield* live(one, (commit) => commit === fatal, { audited: false })
        assert.strictEqual(lived.starts, 2)
        assert.deepStrictEqual(lived.answers, whole.answers, `crash after commit ${fatal}`)
        assert.deepStrictEqual(lived.lines, whole.lines, `crash after commit ${fatal}`)
      }
    }),
  )

  it.live(
    "after every message and between, in good order, comes to the same answers, outcomes and roots",
    () =>
      Effect.gen(function* () {
        const [whole, lived] = [yield* live(one, never), yield* live(one, never, { stops: true })]
        assert.strictEqual(lived.starts, one.length + 1)
        assert.deepStrictEqual([lived.answers, lived.lines, lived.findings], [whole.answers, whole.lines, []])
      }),
  )

  it.live("after every single commit, again and again, comes to the same answers, outcomes and roots", () =>
    Effect.gen(function* () {
      const [whole, lived] = [yield* live(one, never), yield* live(one, () => true)]
      assert.isAtLeast(lived.starts, whole.commits - 1)
      assert.deepStrictEqual([lived.answers, lived.lines, lived.findings], [whole.answers, whole.lines, []])
    }),
  )

  it.live("with room for no process, in good order and by crashes amid evictions, comes to the same", () =>
    Effect.gen(function* () {
      const whole = yield* live(one, never)
      assert.strictEqual(whole.snapshots, 0)
      const evicting = yield* live(one, never, { room: false })
      assert.isAbove(evicting.snapshots, 20)
      const stopped = yield* live(one, never, { room: false, stops: true })
      // At every third commit, counted from each of three.
      const crashed = yield* Effect.forEach([0, 1, 2], (first) =>
        live(one, (commit) => commit % 3 === first, { room: false }),
      )
      for (const { answers, lines, findings, snapshots } of [evicting, stopped, ...crashed]) {
        assert.deepStrictEqual([answers, lines, findings], [whole.answers, whole.lines, []])
        assert.isAbove(snapshots, 5)
      }
    }),
  )

  it.live(
    "while much happens at once, comes to the same answers, and to a log in which nothing is to be found",
    () =>
      Effect.gen(function* () {
        // Order and heads are another each time, and with them randomness and what was noted first.
        const answered = ({ answers, findings, lines }: Lived) => ({
          answers: answers.slice(0, -1).map((answer) => answer.replace(/0\.\d+/, "random")),
          findings,
          slots: lines.length,
        })
        const whole = yield* live(many, never)
        assert.deepStrictEqual(whole.findings, [])
        for (let fatal = 1; fatal < whole.commits; fatal += 3) {
          const lived = yield* live(many, (commit) => commit === fatal || commit === fatal + 4)
          assert.deepStrictEqual(
            answered(lived),
            answered(whole),
            `crashes after commits ${fatal} and ${fatal + 4}`,
          )
        }
      }),
  )
})

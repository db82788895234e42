/** The debugger against a node that says something else than what follows from the log. */
import fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { MemoryDifference } from "../../compute-unit/MemoryDifference.ts"
import type { Difference } from "../../compute-unit/OutcomeDifference.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as Timeline from "../../compute-unit/Timeline.ts"
import * as DebugSession from "../../node/cli/DebugSession.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"

const ada = Caller.caller("ada")

describe("a debugging session", () => {
  it.live("shows where what is computed here differs from what is recorded", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, 'let n = 0; heddle.on("Add", () => ++n)')
      for (let i = 0; i < 3; i++) yield* SmallNode.ask(node, ada, process, "Add")
      const lying = {
        ...node.messenger,
        turns: (of: typeof process, from: number, limit: number) =>
          Effect.map(node.messenger.turns(of, from, limit), (turns) =>
            turns.map((turn) =>
              turn.outcome.slot === 2
                ? { ...turn, outcome: { ...turn.outcome, fuelUsed: turn.outcome.fuelUsed + 1n } }
                : turn,
            ),
          ),
      }
      const timeline = yield* Timeline.open(lying, SandboxInline.make(), process)
      const session = yield* DebugSession.open(lying, process, timeline, 1)
      const { fuelUsed } = (yield* node.messenger.turn(process, 2)).outcome
      const difference: Difference = { what: "fuel", recorded: String(fuelUsed + 1n), now: String(fuelUsed) }
      const next = yield* session.run({ name: "next", count: 1 })
      assert.deepInclude(next.value, { slot: 2, differences: [difference] })
      assert.include(next.text(), "computed here, it differs from what is recorded:")
      const outcome = yield* session.run({ name: "outcome" })
      assert.deepInclude(outcome.value, { differences: [difference] })
      assert.match(outcome.text(), new RegExp(`^fuel +${fuelUsed + 1n} +${fuelUsed}$`, "m"))
      const after = yield* session.run({ name: "next", count: 1 })
      assert.deepInclude(after.value, { slot: 3, differences: [] })
      assert.notInclude(after.text(), "differs")
    }),
  )

  it.live("goes through an upgrade: another program, another memory, the same process", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const counting = (step: number) =>
        `let n = 0; heddle.on("Add", () => (n += ${step})); heddle.onExport(() => n); heddle.onImport((old) => { n = old })`
      const process = yield* SmallNode.spawn(node, ada, counting(1))
      yield* SmallNode.ask(node, ada, process, "Add")
      const module = yield* SmallNode.upload(node, counting(10))
      const { slot } = yield* SmallNode.send(node, ada, process, "Upgrade", { Module: module })
      yield* node.compute.turn(process, slot)
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Add"), 11)

      const timeline = yield* Timeline.open(node.messenger, SandboxInline.make(), process)
      const session = yield* DebugSession.open(node.messenger, process, timeline, 1)
      const before = yield* session.run({ name: "where" })
      yield* session.run({ name: "find", action: "Upgrade" })
      assert.include((yield* session.run({ name: "message" })).text(), `to module ${module}`)
      const pages = yield* session.run({ name: "pages" })
      assert.deepInclude(pages.value, { replaced: true, pages: [] })
      assert.match(pages.text(), /^another module's memory, \d+ pages of 64 KiB$/)
      const diff = (yield* session.run({ name: "diff", from: 1, to: undefined })).text()
      assert.match(diff, new RegExp(`^module +\\S{43} +${module}$`, "m"))
      assert.include((yield* session.run({ name: "where" })).text(), module)
      assert.notInclude(before.text(), module)
      yield* session.run({ name: "next", count: 1 })
      assert.deepInclude((yield* session.run({ name: "outcome" })).value, { differences: [] })
    }),
  )

  it.live("shows a plain module's memory, and that it has no expressions", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const file = new URL("../../examples/wat-counter/counter.wasm", import.meta.url)
      const module = yield* node.messenger.addModule(new Uint8Array(fs.readFileSync(file)))
      const item = yield* Effect.promise(() => ada.spawn(module, node.scheduler.address))
      const { process } = yield* node.messenger.send(item.bytes)
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Increment", { By: "3" }), 3)
      const timeline = yield* Timeline.open(node.messenger, SandboxInline.make(), process)
      const session = yield* DebugSession.open(node.messenger, process, timeline, 1)
      const { value } = yield* session.run({ name: "eval", expression: "count" })
      assert.deepInclude(value, { text: "a plain module has no expressions" })
      const { pages } = (yield* session.run({ name: "pages" })).value as MemoryDifference
      assert.deepStrictEqual(
        pages.map(({ index, kind }) => [index, kind]),
        [[0, "memory"]],
      )
      assert.strictEqual((yield* session.run({ name: "views", view: "count" })).value, 3)
    }),
  )

  it.live("has nowhere to begin where nothing is computed yet", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, "0")
      yield* node.compute.turn(process, 0)
      const info = yield* node.messenger.process(process)
      const waiting = { ...node.messenger, process: () => Effect.succeed({ ...info, computed: 0 }) }
      const timeline = yield* Timeline.open(waiting, SandboxInline.make(), process)
      const refused = yield* Effect.flip(DebugSession.open(waiting, process, timeline, undefined))
      assert.deepInclude(refused, { _tag: "TurnUnknown", computed: 0 })
      assert.include(refused.message, "its spawn is not computed")
    }),
  )

  it.live("goes on to what was computed since it began", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, 'let n = 0; heddle.on("Add", () => ++n)')
      yield* node.compute.turn(process, 0)
      const timeline = yield* Timeline.open(node.messenger, SandboxInline.make(), process)
      const session = yield* DebugSession.open(node.messenger, process, timeline, undefined)
      assert.strictEqual(session.moment().slot, 0)
      const refused = yield* Effect.flip(session.run({ name: "next", count: 1 }))
      assert.include(refused.message, "slot 0 is the newest")
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Add"), 1)
      assert.deepInclude((yield* session.run({ name: "next", count: 9 })).value, { slot: 1, action: "Add" })
      assert.deepInclude((yield* session.run({ name: "back", count: 9 })).value, { slot: 0, action: "Spawn" })
      assert.deepInclude((yield* session.run({ name: "find", action: "Add" })).value, { slot: 1 })
    }),
  )
})

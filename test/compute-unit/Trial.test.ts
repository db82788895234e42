import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as Trial from "../../compute-unit/Trial.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import * as Lives from "./Lives.ts"
import * as Recording from "./Recording.ts"
import { at, flip, sourceOf } from "./Recording.ts"

const life = await Effect.runPromise(Effect.scoped(Lives.pinned))

/** Slots: 0 spawn, 1 Add, 2 Name, 3 Add, 4 Fail, 5 Add, 6 Wait. */
const counter = await Effect.runPromise(
  Effect.scoped(
    Lives.live(Lives.program, {}, [
      [{ action: "Add" }, { action: "Name", tags: { View: "who" }, data: "ada" }],
      [{ action: "Add" }, { action: "Fail" }, { action: "Add" }],
      [{ action: "Wait" }],
    ]),
  ),
)

const text = Bytes.toText(Lives.program)!

/** The program with one piece of it replaced. */
const changed = (from: string, to: string): Uint8Array => {
  assert.include(text, from)
  return Bytes.fromText(text.replace(from, to))
}

const run = (
  of: Recording.Recording,
  program: Uint8Array,
  { from = 0, to }: { readonly from?: number; readonly to?: number } = {},
  onProgress?: (slots: number) => void,
) => Trial.run(sourceOf(of), SandboxInline.make(), of.process, { from, to, program }, onProgress)

const fuelOf = (of: Recording.Recording, from: number, to: number) =>
  of.turns.slice(from, to + 1).reduce((sum, { outcome }) => sum + outcome.fuelUsed, 0n)

const replyTo = (slot: number) => `reply to ${counter.turns[slot]!.outcome.message}`

describe("a trial", () => {
  it.effect("of the same program finds every slot equal, with the same fuel", () =>
    Effect.gen(function* () {
      const fuel = fuelOf(counter, 0, 6)
      assert.deepStrictEqual(yield* run(counter, Lives.program), {
        process: counter.process,
        module: Module.id(Lives.program),
        from: 0,
        to: 6,
        equal: 7,
        different: 0,
        first: undefined,
        fuel: { recorded: fuel, now: fuel },
        upgradesSkipped: [],
      })
    }),
  )

  it.effect("of a program that does the same at another cost finds the cost", () =>
    Effect.gen(function* () {
      const slower = changed(
        'heddle.publish("n", n)',
        'for (let i = 0; i < 1000; i++); heddle.publish("n", n)',
      )
      const { equal, different, fuel } = yield* run(counter, slower)
      assert.deepStrictEqual([equal, different], [7, 0])
      assert.strictEqual(fuel.recorded, fuelOf(counter, 0, 6))
      assert.isAbove(Number(fuel.now - fuel.recorded), 10_000)
    }),
  )

  const ways: Readonly<
    Record<
      string,
      readonly [
        from: string,
        to: string,
        slot: number,
        what: ReadonlyArray<readonly [string, string, string]>,
      ]
    >
  > = {
    "a reply": [
      "return { n, at",
      "return { n: n * 2, at",
      1,
      [[replyTo(1), '{"n":1,"at":1001}', '{"n":2,"at":1001}']],
    ],
    "a view": [
      'heddle.publish("n", n)',
      'heddle.publish("n", n); if (n > 1) heddle.publish("m", n)',
      3,
      [['view "m"', "nothing", "2"]],
    ],
    "a view that is left out": ['heddle.publish("n", n);', "", 1, [['view "n"', "1", "nothing"]]],
    "an error's text": [
      'RangeError("no")',
      'RangeError("never")',
      4,
      [
        ["error", "threw: RangeError: no", "threw: RangeError: never"],
        [replyTo(4), "error: TurnFailed: RangeError: no", "error: TurnFailed: RangeError: never"],
      ],
    ],
    "an error that is none": [
      'throw new RangeError("no")',
      "return 1",
      4,
      [
        ["error", "threw: RangeError: no", "nothing"],
        [replyTo(4), "error: TurnFailed: RangeError: no", "1"],
      ],
    ],
    "a message's data": [
      'action: "Named", data: m.data',
      'action: "Named", data: m.data + "!"',
      2,
      [["outbox 0: data", "ada", "ada!"]],
    ],
    "a message's target": [
      "heddle.send(m.from,",
      'heddle.send("' + counter.process + '",',
      2,
      [["outbox 0: target", Lives.ada.identity.address, counter.process]],
    ],
    "a message that is not sent": ["heddle.send(m.from,", "void (m.from,", 2, [["outbox 0", "", "nothing"]]],
    "when a timer is due": [
      'heddle.sleep("1h")',
      'heddle.sleep("2h")',
      6,
      [["outbox 0: due", String(1_006 + 3_600_000), String(1_006 + 7_200_000)]],
    ],
  }

  for (const [name, [from, to, slot, what]] of Object.entries(ways))
    it.effect(`names the first slot that differs and how: ${name}`, () =>
      Effect.gen(function* () {
        const { first, equal, different } = yield* run(counter, changed(from, to))
        assert.strictEqual(first?.slot, slot)
        const named = first!.differences.filter(({ what }) => !what.endsWith(": tags"))
        assert.deepStrictEqual(
          named.map(({ what, recorded, now }) => [what, what === "outbox 0" ? "" : recorded, now]),
          what.map((one) => [...one]),
        )
        assert.strictEqual(equal + different, 7)
        assert.isAtLeast(different, 1)
      }),
    )

  it.effect("shows what the program tried printed and where it threw", () =>
    Effect.gen(function* () {
      const { first } = yield* run(
        counter,
        changed('console.log("n is " + n)', 'console.log("now", n); throw new Error("oh")'),
      )
      assert.deepStrictEqual(first!.trace.console, [["log", "now 1"]])
      assert.match(first!.trace.stack!, /module/)
    }),
  )

  it.effect("compares only the slots it is asked about, and runs those before them", () =>
    Effect.gen(function* () {
      const program = changed("return { n, at", "return { n: n * 2, at")
      const late = yield* run(counter, program, { from: 2, to: 4 })
      assert.deepInclude(late, { from: 2, to: 4, equal: 2, different: 1 })
      assert.strictEqual(late.first?.slot, 3)
      assert.strictEqual(late.fuel.recorded, fuelOf(counter, 2, 4))
      const value = late.first!.differences[0]!
      assert.deepStrictEqual([value.recorded, value.now], ['{"n":2,"at":1003}', '{"n":4,"at":1003}'])
      assert.deepInclude(yield* run(counter, program, { from: 4, to: 99 }), {
        from: 4,
        to: 6,
        equal: 2,
        different: 1,
      })
      assert.deepInclude(yield* run(counter, program, { from: 50 }), {
        from: 50,
        to: 49,
        equal: 0,
        different: 0,
      })
    }),
  )

  it.effect("leaves out the slots where the process went over to another program, and says which", () =>
    Effect.gen(function* () {
      const trial = yield* run(life, Lives.program)
      assert.deepInclude(trial, { to: 12, equal: 6, different: 5, upgradesSkipped: [6, 9] })
      // The program that was tried stayed: it goes on counting from 2, where the one recorded went on from 200.
      assert.strictEqual(trial.first?.slot, 7)
      assert.include(
        trial.first!.differences.map(({ what, recorded, now }) => `${what} ${recorded} ${now}`),
        'view "n" 201 3',
      )
      assert.deepStrictEqual((yield* run(life, Lives.program, { from: 7 })).upgradesSkipped, [9])
    }),
  )

  it.effect("runs in the engine that the log was computed by, so that equal programs cost the same", () =>
    Effect.gen(function* () {
      const { fuel } = yield* run(life, Lives.program, { to: 5 })
      assert.strictEqual(fuel.now, fuel.recorded)
      const unfit = yield* Effect.flip(run({ ...life, engines: new Map() }, Lives.program))
      assert.deepInclude(unfit, { _tag: "LogUnfit", slot: 0, what: "engine" })
    }),
  )

  it.effect("takes the verdicts on messages from the record: what was refused is refused again", () =>
    Effect.gen(function* () {
      const error = { reason: "inadmissible", message: "bad signature" } as const
      const refused = at(counter.turns, 3, ({ outcome, trace }) => ({
        trace,
        outcome: { ...outcome, error, fuelUsed: 0n, replies: [], views: [] },
      }))
      const { first } = yield* run({ ...counter, turns: refused }, Lives.program)
      assert.strictEqual(first?.slot, 5)
      assert.include(
        first!.differences.map(({ what, recorded, now }) => `${what} ${recorded} ${now}`),
        'view "n" 3 2',
      )
    }),
  )

  it.effect("fails with the place where the program does not load", () =>
    Effect.gen(function* () {
      const wrong = yield* Effect.flip(run(counter, Bytes.fromText("let a = 1\nlet b = nowhere")))
      assert.deepInclude(wrong, { _tag: "ModuleInvalid", line: 2 })
      assert.match(wrong instanceof Error ? wrong.message : "", /nowhere/)
    }),
  )

  it.effect("fails with the place where the program does not load within what the process may take", () =>
    Effect.gen(function* () {
      const small = yield* Effect.scoped(
        Lives.live(Lives.program, { "Memory-Limit": "100" }, [[{ action: "Add" }]]),
      )
      const large = changed("let n = 0", "let n = 0; const much = new Uint8Array(8e6)")
      const wrong = yield* Effect.flip(run(small, large))
      assert.deepInclude(wrong, { _tag: "ModuleInvalid" })
      assert.match(wrong instanceof Error ? wrong.message : "", /its limit is 100/)
    }),
  )

  it.effect("fails where the log is broken, and tells how far it is", () =>
    Effect.gen(function* () {
      const entries = at(counter.entries, 3, (entry) => ({ ...entry, item: flip(entry.item) }))
      const unfit = yield* Effect.flip(run({ ...counter, entries }, Lives.program))
      assert.deepInclude(unfit, { _tag: "LogUnfit", slot: 3, what: "chain" })
      const heard: Array<number> = []
      yield* run(counter, Lives.program, { to: 4 }, (slots) => heard.push(slots))
      assert.deepStrictEqual(heard, [5])
    }),
  )

  it.effect("gives the program the spawn, the ids and the module that the process has", () =>
    Effect.gen(function* () {
      const asking = changed(
        "return { n, at",
        "return { n, module: heddle.process.module, id: heddle.process.id, at",
      )
      const { first } = yield* run(counter, asking)
      const [difference] = first!.differences
      assert.include(difference!.now, `"module":"${Module.id(Lives.program)}"`)
      assert.include(difference!.now, `"id":"${counter.process satisfies Id.ProcessId}"`)
    }),
  )
})

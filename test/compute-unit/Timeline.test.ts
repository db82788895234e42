import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Difference } from "../../compute-unit/OutcomeDifference.ts"
import type { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as StateDifference from "../../compute-unit/StateDifference.ts"
import * as Timeline from "../../compute-unit/Timeline.ts"
import type * as Attestation from "../../runtime/Attestation.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import { hash } from "../support/Unsigned.ts"
import * as Lives from "./Lives.ts"
import * as Recording from "./Recording.ts"
import { at, flip, sourceOf } from "./Recording.ts"

const life = await Effect.runPromise(Effect.scoped(Lives.pinned))
const slots = [...life.entries.keys()]

/** 700 slots of a counter that keeps a list, a hundred in a batch, with snapshots at 100 and 500. */
const long = await Effect.runPromise(
  Effect.scoped(
    Effect.flatMap(
      Lives.live(
        Lives.program,
        {},
        Array.from({ length: 7 }, () => Array.from({ length: 100 }, () => ({ action: "Add" }))),
      ),
      (of) => Recording.withSnapshots(of, [100, 500]),
    ),
  ),
)

/** A sandbox that counts the turns and restores that it is asked for. */
const counting = () => {
  const inner = SandboxInline.make()
  const count = { turns: 0, restored: 0 }
  const sandbox: Sandbox["Service"] = {
    ...inner,
    run: (process, entries) => {
      count.turns += entries.length
      return inner.run(process, entries)
    },
    restore: (...args) => {
      count.restored++
      return inner.restore(...args)
    },
  }
  return { sandbox, count }
}

const open = (of: Recording.Recording, watch?: Timeline.Watch, sandbox = SandboxInline.make()) =>
  Timeline.open(sourceOf(of), sandbox, of.process, watch)

const heard = () => {
  const differences: Array<readonly [number, ReadonlyArray<Difference>]> = []
  return {
    differences,
    onDifference: (slot: number, found: ReadonlyArray<Difference>) => void differences.push([slot, found]),
  }
}

/** Everything that can be asked of a slot. */
const everything = Effect.fnUntraced(function* (timeline: Timeline.Timeline<string>, slot: number) {
  return {
    moment: yield* timeline.seek(slot),
    state: yield* timeline.state(slot),
    before: yield* timeline.inspect(slot, "typeof heddle", "before"),
    after: yield* timeline.inspect(slot, "typeof heddle", "after"),
    touched: yield* timeline.touched(slot),
  }
})

describe("a timeline", () => {
  it.effect(
    "says of a slot what was said, what was recorded and what came out, and that they are equal",
    () =>
      Effect.gen(function* () {
        const timeline = yield* open(life)
        for (const slot of slots) {
          const moment = yield* timeline.seek(slot)
          const { assignment, item } = life.entries[slot]!
          assert.deepInclude(moment, {
            slot,
            timestamp: assignment.timestamp,
            head: assignment.head,
            recorded: life.turns[slot]!,
            differences: [],
          })
          assert.deepStrictEqual(moment.message.item.bytes, item)
          assert.deepStrictEqual(moment.computed.outcome, life.turns[slot]!.outcome)
          assert.deepStrictEqual(moment.computed.trace, life.turns[slot]!.trace)
          assert.deepStrictEqual(
            moment.upgrade?.module,
            slot === 6
              ? Module.id(Lives.nextProgram)
              : slot === 9
                ? Module.id(Lives.brokenProgram)
                : undefined,
          )
          assert.deepStrictEqual(new Uint8Array(moment.engine), Lives.otherEngine.id)
          assert.isAbove(moment.ownBytes, 0)
        }
        const { message, computed } = yield* timeline.seek(3)
        assert.deepInclude(message, { action: "Add", from: Lives.ada.identity.address, fromProcess: false })
        assert.deepStrictEqual(computed.trace.console, [["log", "n is 2"]])
        assert.match((yield* timeline.seek(4)).computed.trace.stack!, /module/)
      }),
  )

  it.effect("is the same wherever one comes from: forward, back, across the change of program, twice", () =>
    Effect.gen(function* () {
      const straight = yield* open(life)
      const known = yield* Effect.forEach(slots, (slot) => everything(straight, slot))
      const strolling = yield* open(life)
      for (const slot of [12, 0, 7, 6, 5, 6, 9, 10, 3, 12, 1, 11, 2, 8, 4, 0])
        assert.deepStrictEqual(yield* everything(strolling, slot), known[slot])
    }),
  )

  it.effect("has the state that was attested after each slot where one was", () =>
    Effect.gen(function* () {
      const timeline = yield* open(life)
      for (const [slot, { attestation }] of [...life.attestations].toReversed()) {
        const state = yield* timeline.state(slot)
        assert.strictEqual(Bytes.toHex(state.stateRoot), Bytes.toHex(attestation.to.stateRoot))
      }
    }),
  )

  it.effect("knows views, timers, module, engine and memory after a slot", () =>
    Effect.gen(function* () {
      const timeline = yield* open(life)
      const five = yield* timeline.state(5)
      assert.deepInclude(five, { slot: 5, module: Module.id(Lives.program) })
      assert.deepStrictEqual(
        [...five.views],
        [
          ["n", "2"],
          ["who", '"ada"'],
        ],
      )
      assert.strictEqual(five.timers.size, 1)
      assert.deepStrictEqual([...five.timers.values()], [life.entries[2]!.assignment.timestamp + 3_600_000])
      assert.isAbove(five.memory!.ownPages, 0)
      const twelve = yield* timeline.state(12)
      assert.deepInclude(twelve, { module: Module.id(Lives.nextProgram) })
      assert.strictEqual(twelve.views.get("n"), "205")
      const none = yield* timeline.state(-1)
      assert.deepInclude(none, { slot: -1, module: Module.id(Lives.program) })
      assert.strictEqual(none.views.size, 0)
      assert.strictEqual(none.memory!.ownPages, 0)
    }),
  )

  it.effect("evaluates an expression on a copy of the process before and after a turn", () =>
    Effect.gen(function* () {
      const timeline = yield* open(life)
      const value = (slot: number, when: "before" | "after", expression = "n") =>
        Effect.map(timeline.inspect(slot, expression, when), ({ text }) => text)
      assert.strictEqual(yield* value(3, "before"), "1")
      assert.strictEqual(yield* value(3, "after"), "2")
      assert.strictEqual(yield* value(3, "before", "n = 50"), "50")
      assert.strictEqual(yield* value(3, "after"), "2")
      assert.strictEqual(yield* value(4, "after"), "2", "what a failed turn did is undone")
      assert.strictEqual(yield* value(6, "before"), "2")
      assert.strictEqual(yield* value(6, "after"), "200")
      assert.strictEqual(yield* value(0, "before"), "0")
    }),
  )

  it.effect("fails where no turn is recorded, and goes on", () =>
    Effect.gen(function* () {
      const timeline = yield* open(life)
      for (const wrong of [13, -1, 1_000_000])
        for (const asked of [
          Effect.asVoid(timeline.seek(wrong)),
          Effect.asVoid(timeline.inspect(wrong, "n", "after")),
        ])
          assert.deepInclude(yield* Effect.flip(asked), { _tag: "SlotUnknown", process: life.process })
      assert.strictEqual((yield* timeline.seek(12)).slot, 12)
    }),
  )
})

describe("a turn that comes out otherwise than recorded", () => {
  const changed: Recording.Recording = {
    ...life,
    turns: at(life.turns, 3, ({ outcome, trace }) => ({
      trace,
      outcome: { ...outcome, fuelUsed: outcome.fuelUsed - 1n, views: [{ name: "n", value: "7" }] },
    })),
  }
  const fuel = life.turns[3]!.outcome.fuelUsed
  const differences: ReadonlyArray<Difference> = [
    { what: "fuel", recorded: String(fuel - 1n), now: String(fuel) },
    { what: 'view "n"', recorded: "7", now: "2" },
  ]

  it.effect("is told on the way to a later slot", () =>
    Effect.gen(function* () {
      const watch = heard()
      const timeline = yield* open(changed, watch)
      yield* timeline.seek(8)
      assert.deepStrictEqual(watch.differences, [[3, differences]])
    }),
  )

  it.effect("is in its moment", () =>
    Effect.gen(function* () {
      const timeline = yield* open(changed)
      assert.deepStrictEqual((yield* timeline.seek(3)).differences, differences)
      assert.deepStrictEqual((yield* timeline.seek(2)).differences, [])
    }),
  )

  it.effect("is a broken chain where the log is not the one that was assigned", () =>
    Effect.gen(function* () {
      const of = { ...life, entries: at(life.entries, 3, (entry) => ({ ...entry, item: flip(entry.item) })) }
      const timeline = yield* open(of)
      yield* timeline.seek(2)
      const unfit = yield* Effect.flip(timeline.seek(5))
      assert.deepInclude(unfit, { _tag: "LogUnfit", slot: 3, what: "chain" })
      assert.strictEqual((yield* timeline.seek(1)).slot, 1)
    }),
  )

  it.effect("stops before a program that is not to be had", () =>
    Effect.gen(function* () {
      const timeline = yield* open({ ...life, modules: Recording.modulesOf(Lives.program) })
      yield* timeline.seek(2)
      const unfit = yield* Effect.flip(timeline.seek(7))
      assert.deepInclude(unfit, { _tag: "LogUnfit", slot: 6, what: "module" })
      assert.strictEqual((yield* timeline.inspect(2, "n", "after")).text, "1")
      assert.strictEqual((yield* timeline.seek(5)).slot, 5)
    }),
  )
})

describe("the way back", () => {
  it.effect("is short wherever one has been: at most one stretch between two kept states is run again", () =>
    Effect.gen(function* () {
      const { sandbox, count } = counting()
      const timeline = yield* open({ ...long, snapshots: new Map() }, {}, sandbox)
      yield* timeline.seek(700)
      assert.strictEqual(count.turns, 701)
      for (const slot of [699, 650, 400, 399, 130, 3]) {
        count.turns = 0
        yield* timeline.seek(slot)
        assert.isAtMost(count.turns, 129)
      }
      count.turns = 0
      yield* timeline.inspect(3, "n", "before")
      assert.strictEqual(count.turns, 0)
    }),
  )

  it.effect("is as short where turns are long", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const program = Bytes.fromText(`
          let n = 0
          heddle.on("Add", () => { for (let i = 0; i < 2e5; i++); return ++n })`)
        const of = yield* Lives.live(program, {}, [Array.from({ length: 9 }, () => ({ action: "Add" }))])
        assert.isAbove(Number(of.turns[5]!.outcome.fuelUsed), 60_000_000)
        const { sandbox, count } = counting()
        const timeline = yield* open({ ...of, snapshots: new Map() }, {}, sandbox)
        yield* timeline.seek(9)
        for (const slot of [7, 5, 4, 2]) {
          count.turns = 0
          yield* timeline.seek(slot)
          assert.isAtMost(count.turns, 3)
        }
      }),
    ),
  )

  it.effect("asks its source for nothing while one steps about in one place", () =>
    Effect.gen(function* () {
      let asked = 0
      const source = sourceOf(long)
      const timeline = yield* Timeline.open(
        { ...source, log: (...args) => Effect.tap(source.log(...args), () => Effect.sync(() => asked++)) },
        SandboxInline.make(),
        long.process,
      )
      yield* timeline.seek(350)
      asked = 0
      for (const slot of [349, 348, 349, 350, 351, 340]) yield* timeline.seek(slot)
      assert.isAtMost(asked, 1)
    }),
  )
})

describe("a slot far away", () => {
  it.effect("is reached from the nearest snapshot that the source keeps", () =>
    Effect.gen(function* () {
      const { sandbox, count } = counting()
      const watch = heard()
      const timeline = yield* open(long, watch, sandbox)
      const moment = yield* timeline.seek(600)
      assert.deepStrictEqual([count.turns, count.restored], [100, 1])
      assert.deepStrictEqual(moment.computed.outcome, long.turns[600]!.outcome)
      assert.strictEqual((yield* timeline.inspect(600, "n", "after")).text, "600")
      assert.strictEqual((yield* timeline.inspect(90, "n", "after")).text, "90")
      assert.deepStrictEqual(watch.differences, [])
    }),
  )

  it.effect("is not reached from a snapshot behind it", () =>
    Effect.gen(function* () {
      const { sandbox, count } = counting()
      const timeline = yield* open(yield* Recording.withSnapshots(long, [100, 700]), {}, sandbox)
      assert.strictEqual((yield* timeline.inspect(620, "n", "after")).text, "620")
      assert.strictEqual(count.turns, 520)
    }),
  )

  const [taken, signed] = [long.snapshots.get(500)!, long.attestations.get(500)!]
  const attesting = (to: Partial<Attestation.Point>): Recording.Recording => {
    const attestation = { ...signed.attestation, to: { ...signed.attestation.to, ...to } }
    return { ...long, attestations: new Map([...long.attestations, [500, { ...signed, attestation }]]) }
  }
  const faults: Readonly<Record<string, readonly [Recording.Recording, string]>> = {
    "a byte of the snapshot": [
      { ...long, snapshots: new Map([[500, { ...taken, bytes: flip(taken.bytes, 30_000) }]]) },
      "snapshot",
    ],
    "the state root attested": [attesting({ stateRoot: hash("other") }), "snapshot"],
    "the head attested": [attesting({ head: hash("other") }), "attestation"],
  }
  for (const [name, [of, what]] of Object.entries(faults))
    it.effect(
      `is reached by running the log where the snapshot does not lead to it, which is told: ${name}`,
      () =>
        Effect.gen(function* () {
          const { sandbox, count } = counting()
          const watch = heard()
          const timeline = yield* open(of, watch, sandbox)
          assert.strictEqual((yield* timeline.inspect(600, "n", "after")).text, "600")
          assert.strictEqual(count.turns, 601)
          assert.deepStrictEqual(
            watch.differences.map(([slot, [found]]) => [slot, found!.what]),
            [[500, what]],
          )
        }),
    )
})

describe("the memory that a turn changed", () => {
  it.effect("is told by page, with how many bytes differ and what lies there", () =>
    Effect.gen(function* () {
      const timeline = yield* open(life)
      for (const slot of [0, 1, 3, 7]) {
        const { wasmPages, replaced, pages, bytes } = yield* timeline.touched(slot)
        assert.isFalse(replaced)
        assert.isAbove(wasmPages.after, 0)
        assert.isAtLeast(wasmPages.after, wasmPages.before)
        assert.isAbove(pages.length, 0)
        assert.isBelow(pages.length, 60)
        assert.strictEqual(
          bytes,
          pages.reduce((sum, page) => sum + page.bytes, 0),
        )
        for (const page of pages) {
          assert.isAbove(page.bytes, 0)
          assert.isAtMost(page.bytes, 4_096)
          // Between the two lies the stack, of 5 MiB.
          assert.strictEqual(page.kind, page.index * 4_096 > 5 * 1024 * 1024 ? "heap" : "static data")
        }
        assert.isTrue(pages.some(({ kind }) => kind === "heap"))
      }
    }),
  )

  it.effect("is that of the pages themselves, whether the process had them of its own before or not", () =>
    Effect.gen(function* () {
      const sandbox = SandboxInline.make()
      const timeline = yield* open(life, {}, sandbox)
      const pagesOf = Effect.fnUntraced(function* (slot: number, indices: ReadonlyArray<number>) {
        yield* timeline.inspect(slot, "0", "after")
        return yield* Effect.orDie(sandbox.pages(life.process, indices))
      })
      const all = Array.from({ length: 90 * 16 }, (_, index) => index)
      for (const slot of [1, 3]) {
        const [before, after] = [yield* pagesOf(slot - 1, all), yield* pagesOf(slot, all)]
        const changed = all.flatMap((index) => {
          const bytes = before[index]!.filter((byte, i) => byte !== after[index]![i]).length
          return bytes === 0 ? [] : [[index, bytes]]
        })
        const { pages } = yield* timeline.touched(slot)
        assert.deepStrictEqual(
          pages.filter(({ index }) => index < all.length).map(({ index, bytes }) => [index, bytes]),
          changed,
        )
      }
    }),
  )

  it.effect("is nothing where a slot was not run, and another's where the program changed", () =>
    Effect.gen(function* () {
      const timeline = yield* open(life)
      const { replaced, pages } = yield* timeline.touched(6)
      assert.isTrue(replaced)
      assert.deepStrictEqual(pages, [])
      assert.deepInclude(yield* timeline.memoryDifference(3, 3), { pages: [], bytes: 0 })
    }),
  )
})

describe("the difference of two states", () => {
  it.effect("names what was published, changed and taken away", () =>
    Effect.gen(function* () {
      const of = yield* Effect.scoped(
        Lives.live(Lives.program, {}, [
          [
            { action: "Name", tags: { View: "a" }, data: "1" },
            { action: "Name", tags: { View: "b" }, data: "2" },
          ],
          [
            { action: "Add" },
            { action: "Drop", tags: { View: "a" } },
            { action: "Name", tags: { View: "b" }, data: "3" },
          ],
          [{ action: "Wait" }],
        ]),
      )
      const timeline = yield* open(of)
      const difference = yield* StateDifference.between(timeline, 2, 6)
      assert.deepStrictEqual(difference.views, [
        { key: "a", before: '"1"', after: undefined },
        { key: "b", before: '"2"', after: '"3"' },
        { key: "n", before: undefined, after: "1" },
      ])
      assert.deepStrictEqual(difference.sent, [{ key: Lives.ada.identity.address, before: 2, after: 3 }])
      assert.deepStrictEqual([difference.received, difference.cron], [[], []])
      const due = of.entries[6]!.assignment.timestamp + 3_600_000
      assert.deepStrictEqual(
        difference.timers.map(({ before, after }) => [before, after]),
        [[undefined, due]],
      )
      assert.isAbove(difference.memory.bytes, 0)
      assert.notDeepEqual(difference.before.stateRoot, difference.after.stateRoot)

      const back = yield* StateDifference.between(timeline, 6, 2)
      assert.deepStrictEqual(
        back.views,
        difference.views.map(({ key, before, after }) => ({ key, before: after, after: before })),
      )
      assert.deepStrictEqual(back.memory.pages, difference.memory.pages)
    }),
  )

  it.effect("has the program and its engine, and that memory is another's", () =>
    Effect.gen(function* () {
      const { before, after, memory } = yield* StateDifference.between(yield* open(life), 5, 6)
      assert.deepStrictEqual([before.module, after.module], [Lives.program, Lives.nextProgram].map(Module.id))
      assert.strictEqual(Id.fromBytes(after.engine), Id.fromBytes(Lives.otherEngine.id))
      assert.isTrue(memory.replaced)
    }),
  )

  it.effect("is none between a state and itself", () =>
    Effect.gen(function* () {
      const { before, after, views, memory } = yield* StateDifference.between(yield* open(life), 3, 3)
      assert.deepStrictEqual(before, after)
      assert.deepStrictEqual([views, memory.pages], [[], []])
    }),
  )
})

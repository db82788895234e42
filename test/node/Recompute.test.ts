import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Recompute from "../../node/Recompute.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"

const ada = Caller.caller("ada")
const program = `
  let n = 0
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })`

/** Eight slots of a process in a node that keeps none in memory: each is evicted with a snapshot once it has run. */
const lived = Effect.gen(function* () {
  const node = yield* SmallNode.make({}, 1)
  const { messenger } = node
  const process = yield* SmallNode.spawn(node, ada, program)
  for (let i = 0; i < 7; i++) yield* SmallNode.ask(node, ada, process, "Add")
  const kept = Effect.map(messenger.snapshots(process), (all) => all.filter((one) => one.kept))
  yield* SmallNode.until(
    "there are two snapshots, and the newest is of the last slot",
    Effect.map(kept, (all) => all.length === 2 && all[1]!.slot === 7),
  )
  return { messenger, process, slots: 8, snapshot: (yield* kept)[0]!.slot }
})

describe("recomputation of what a messenger serves, in threads of its own", () => {
  it.live("replays and verifies from slot 0 and from the newest snapshot", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { messenger, process, slots, snapshot } = yield* lived
        const { stateRoot } = yield* messenger.process(process)
        for (const [how, start, from] of [
          [Recompute.replay, undefined, 0],
          [Recompute.replay, "newest", slots],
          [Recompute.verify, snapshot, snapshot + 1],
        ] as const) {
          const report = yield* how(messenger, process, undefined, start)
          assert.deepInclude(report, { from, slots: slots - from, finding: undefined })
          assert.strictEqual(Bytes.toHex(report.stateRoot), Bytes.toHex(stateRoot))
        }
      }),
    ),
  )

  it.live("tries another program, goes through its life and tells states apart", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { messenger, process } = yield* lived
        const other = Bytes.fromText(program.replace("++n", "n += 2"))
        const { equal, different, first } = yield* Recompute.trial(messenger, process, {
          from: 0,
          to: undefined,
          program: other,
        })
        assert.deepStrictEqual([equal, different, first?.slot], [1, 7, 1])

        const timeline = yield* Recompute.timeline(messenger, process)
        assert.strictEqual((yield* timeline.inspect(4, "n", "before")).text, "3")
        assert.deepStrictEqual((yield* timeline.seek(2)).differences, [])

        const { views, memory } = yield* Recompute.difference(messenger, process, 2, 7)
        assert.deepStrictEqual(views, [{ key: "n", before: "2", after: "7" }])
        assert.isAbove(memory.bytes, 0)
      }),
    ),
  )
})

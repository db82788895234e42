import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Lanes from "../../compute-unit/Lanes.ts"
import * as UnitOver from "../support/UnitOver.ts"

/** Lanes in which each run waits until it is let go. */
const held = Effect.fnUntraced(function* (lanesMax: number) {
  const started: Array<string> = []
  const doors = new Map<string, Deferred.Deferred<void>>()
  const lanes = yield* Lanes.make({
    lanesMax,
    run: (value: string) =>
      Effect.suspend(() => {
        started.push(value)
        const door = Deferred.makeUnsafe<void>()
        doors.set(value, door)
        return Deferred.await(door)
      }),
  })
  const letGo = (value: string) =>
    Effect.andThen(Deferred.succeed(doors.get(value)!, undefined), UnitOver.letRun)
  return { lanes, started, letGo }
})

describe("Lanes", () => {
  it.effect(
    "run as many as there may be, in the order in which they came, and none twice for one coming",
    () =>
      Effect.gen(function* () {
        const { lanes, started, letGo } = yield* held(2)
        for (const value of ["a", "b", "c", "d", "c", "e"]) yield* lanes.add(value)
        yield* UnitOver.letRun
        assert.deepStrictEqual(started, ["a", "b"])
        yield* letGo("b")
        assert.deepStrictEqual(started, ["a", "b", "c"])
        yield* letGo("c")
        yield* letGo("a")
        assert.deepStrictEqual(started, ["a", "b", "c", "d", "e"])
      }),
  )

  it.effect("let who comes again wait behind those who came before", () =>
    Effect.gen(function* () {
      const { lanes, started, letGo } = yield* held(1)
      for (const value of ["a", "b", "c"]) yield* lanes.add(value)
      yield* UnitOver.letRun
      yield* lanes.add("a")
      for (const value of ["a", "b", "c"]) yield* letGo(value)
      assert.deepStrictEqual(started, ["a", "b", "c", "a"])
    }),
  )

  it.effect("are there again for who comes when all have ended", () =>
    Effect.gen(function* () {
      const started: Array<number> = []
      const lanes = yield* Lanes.make({
        lanesMax: 2,
        run: (value: number) => Effect.sync(() => void started.push(value)),
      })
      for (let value = 0; value < 20; value++) {
        yield* lanes.add(value)
        yield* value % 3 === 0 ? Effect.yieldNow : Effect.void
      }
      yield* UnitOver.letRun
      assert.deepStrictEqual(started, [...Array(20).keys()])
    }),
  )
})

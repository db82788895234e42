import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Batcher from "../../runtime/Batcher.ts"

/** A batcher whose batches are held until they are let go, one by one. */
const held = Effect.fnUntraced(function* (
  options: { readonly batchMax?: number; readonly waitingMax?: number; readonly weightMax?: number } = {},
) {
  const batches: Array<ReadonlyArray<number>> = []
  const gates: Array<Deferred.Deferred<void, string>> = []
  let running = 0
  const batcher = yield* Batcher.make<number, string, string>({
    batchMax: 100,
    waitingMax: 100,
    weigh: (value) => value,
    ...options,
    run: (values) =>
      Effect.gen(function* () {
        running += 1
        assert.strictEqual(running, 1, "one batch at a time")
        batches.push(values)
        const gate = yield* Deferred.make<void, string>()
        gates.push(gate)
        yield* Deferred.await(gate).pipe(Effect.ensuring(Effect.sync(() => void (running -= 1))))
        return values.map((value) =>
          value < 0 ? Effect.fail(`no ${value}`) : Effect.succeed(`answer ${value}`),
        )
      }),
  })
  const submit = (value: number) => Effect.forkChild(Effect.result(batcher.submit(value)))
  return { batcher, batches, gates, submit }
})

/** Lets everything that can go on go on. */
const settle = Effect.gen(function* () {
  for (let i = 0; i < 20; i++) yield* Effect.yieldNow
})

const open = (gate: Deferred.Deferred<void, string> | undefined) => Deferred.succeed(gate!, undefined)

describe("Batcher", () => {
  it.effect("starts at once with who is there, and takes all who came meanwhile into the next batch", () =>
    Effect.gen(function* () {
      const { batches, gates, submit } = yield* held()
      yield* submit(1)
      yield* settle
      assert.deepStrictEqual(batches, [[1]])
      for (const value of [2, 3, 4]) yield* submit(value)
      yield* settle
      assert.deepStrictEqual(batches, [[1]])
      yield* open(gates[0])
      yield* settle
      assert.deepStrictEqual(batches, [[1], [2, 3, 4]])
    }),
  )

  it.effect("answers each value in its place, failures too, and not before the batch has ended", () =>
    Effect.gen(function* () {
      const { gates, submit } = yield* held()
      const fibers = [yield* submit(1), yield* submit(-2), yield* submit(3)]
      yield* settle
      for (const fiber of fibers) assert.strictEqual(fiber.pollUnsafe(), undefined)
      yield* open(gates[0])
      yield* settle
      yield* Effect.forEach(gates.slice(1), open)
      const answers = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(
        answers.map((answer) => (answer._tag === "Success" ? answer.success : answer.failure)),
        ["answer 1", "no -2", "answer 3"],
      )
    }),
  )

  it.effect("closes a batch at its size limit: three of three, and the fourth goes next", () =>
    Effect.gen(function* () {
      const { batches, gates, submit } = yield* held({ batchMax: 3 })
      yield* submit(0)
      yield* settle
      for (const value of [1, 2, 3, 4]) yield* submit(value)
      yield* settle
      yield* open(gates[0])
      yield* settle
      assert.deepStrictEqual(batches, [[0], [1, 2, 3]])
      yield* open(gates[1])
      yield* settle
      assert.deepStrictEqual(batches, [[0], [1, 2, 3], [4]])
    }),
  )

  it.effect("closes a batch at its weight, which it may reach; what is heavier goes alone", () =>
    Effect.gen(function* () {
      const { batches, gates, submit } = yield* held({ weightMax: 10 })
      yield* submit(0)
      yield* settle
      for (const value of [4, 6, 1, 30, 5, 5, 1]) yield* submit(value)
      yield* settle
      for (let i = 0; i < 5; i++) {
        yield* open(gates[i])
        yield* settle
      }
      assert.deepStrictEqual(batches, [[0], [4, 6], [1], [30], [5, 5], [1]])
    }),
  )

  it.effect("lets as many wait as its limit, and refuses one more at once", () =>
    Effect.gen(function* () {
      const { batcher, batches, gates, submit } = yield* held({ waitingMax: 2 })
      yield* submit(0)
      yield* settle
      const waiting = [yield* submit(1), yield* submit(2)]
      yield* settle
      const refused = yield* Effect.flip(batcher.submit(3))
      assert.instanceOf(refused, Batcher.Overloaded)
      assert.include(String(refused), "2 are waiting already")
      yield* open(gates[0])
      yield* settle
      yield* open(gates[1])
      assert.strictEqual((yield* Effect.forEach(waiting, Fiber.join)).length, 2)
      assert.deepStrictEqual(batches, [[0], [1, 2]])
    }),
  )

  it.effect("fails all of a batch that fails, and goes on with the next", () =>
    Effect.gen(function* () {
      const { gates, submit } = yield* held()
      yield* submit(0)
      yield* settle
      const [one, two] = [yield* submit(1), yield* submit(2)]
      yield* open(gates[0])
      yield* settle
      yield* Deferred.fail(gates[1]!, "disk full")
      for (const fiber of [one, two]) assert.deepInclude(yield* Fiber.join(fiber), { failure: "disk full" })
      const three = yield* submit(3)
      yield* settle
      yield* open(gates[2])
      assert.deepInclude(yield* Fiber.join(three), { success: "answer 3" })
    }),
  )

  it.effect("tells a defect of a batch to all who are in it, and goes on with the next", () =>
    Effect.gen(function* () {
      const { gates, submit } = yield* held()
      const one = yield* submit(1)
      yield* settle
      yield* Deferred.die(gates[0]!, new Error("broken"))
      assert.include(String(yield* Fiber.await(one)), "broken")
      const two = yield* submit(2)
      yield* settle
      yield* open(gates[1])
      assert.deepInclude(yield* Fiber.join(two), { success: "answer 2" })
    }),
  )

  it.effect("still runs a value whose caller went away", () =>
    Effect.gen(function* () {
      const { batches, gates, submit } = yield* held()
      yield* submit(0)
      yield* settle
      const gone = yield* submit(1)
      yield* settle
      yield* Fiber.interrupt(gone)
      yield* open(gates[0])
      yield* settle
      assert.deepStrictEqual(batches, [[0], [1]])
    }),
  )

  it.effect("interrupts whoever waits when its scope closes: in the batch, taken after it, and queued", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { batches, submit } = yield* held({ weightMax: 10, batchMax: 3 }).pipe(Scope.provide(scope))
      const fibers = yield* Effect.forEach([9, 8, 7, 6, 5], submit)
      yield* settle
      assert.deepStrictEqual(batches, [[9]])
      yield* Scope.close(scope, Exit.void)
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      assert.strictEqual(exits.filter((exit) => Exit.hasInterrupts(exit)).length, 5)
    }),
  )
})

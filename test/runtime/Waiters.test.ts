import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as Waiters from "../../runtime/Waiters.ts"

const settle = Effect.gen(function* () {
  for (let i = 0; i < 20; i++) yield* Effect.yieldNow
})

describe("Waiters", () => {
  it.effect("wakes all who wait under a key with its value, and nobody else", () =>
    Effect.gen(function* () {
      const waiters = Waiters.make<number>()
      const [a, b, other] = yield* Effect.forEach(["key", "key", "other"], (key) =>
        Effect.forkChild(waiters.wait(key)),
      )
      yield* settle
      assert.strictEqual(waiters.size(), 2)
      waiters.wake("key", 7)
      assert.strictEqual(waiters.size(), 1)
      assert.deepStrictEqual([yield* Fiber.join(a!), yield* Fiber.join(b!)], [7, 7])
      yield* settle
      assert.strictEqual(other!.pollUnsafe(), undefined)
      waiters.wake("other", 8)
      assert.strictEqual(yield* Fiber.join(other!), 8)
      assert.strictEqual(waiters.size(), 0)
    }),
  )

  it.effect("forgets a wake that nobody waited for", () =>
    Effect.gen(function* () {
      const waiters = Waiters.make<number>()
      waiters.wake("key", 1)
      const waiter = yield* Effect.forkChild(waiters.wait("key"))
      yield* settle
      assert.strictEqual(waiter.pollUnsafe(), undefined)
      waiters.wake("key", 2)
      assert.strictEqual(yield* Fiber.join(waiter), 2)
    }),
  )

  it.effect("keeps nothing of who stopped waiting, and goes on for who did not", () =>
    Effect.gen(function* () {
      const waiters = Waiters.make<number>()
      const [a, b] = [
        yield* Effect.forkChild(waiters.wait("key")),
        yield* Effect.forkChild(waiters.wait("key")),
      ]
      yield* settle
      yield* Fiber.interrupt(a)
      assert.strictEqual(waiters.size(), 1)
      waiters.wake("key", 3)
      assert.strictEqual(yield* Fiber.join(b), 3)
      const c = yield* Effect.forkChild(waiters.wait("key"))
      yield* settle
      yield* Fiber.interrupt(c)
      assert.strictEqual(waiters.size(), 0)
    }),
  )

  it.effect("does not take the next waiter away with one that is slow to stop", () =>
    Effect.gen(function* () {
      const waiters = Waiters.make<number>()
      // So few that it lets others go between its interruption and what it does about that.
      const slow = Effect.provideService(waiters.wait("key"), Scheduler.MaxOpsBeforeYield, 4)
      const first = yield* Effect.forkChild(slow)
      yield* settle
      first.interruptUnsafe()
      waiters.wake("key", 1)
      const second = yield* Effect.forkChild(waiters.wait("key"), { startImmediately: true })
      yield* settle
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(first)))
      assert.strictEqual(waiters.size(), 1)
      waiters.wake("key", 2)
      assert.strictEqual(yield* Fiber.join(second), 2)
    }),
  )
})

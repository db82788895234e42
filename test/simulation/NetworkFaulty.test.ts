import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Bytes from "../../runtime/Bytes.ts"
import * as NetworkMemory from "../../runtime/NetworkMemory.ts"
import { networkSuite } from "../compliance/network.ts"
import { id } from "../support/Unsigned.ts"
import * as NetworkFaulty from "./NetworkFaulty.ts"

const join = (faults: NetworkFaulty.Faults) =>
  Effect.sync(() => {
    const board = NetworkMemory.switchboard()
    const next = NetworkFaulty.random(faults.seed)
    return (address: ReturnType<typeof id>) =>
      NetworkFaulty.bend(NetworkMemory.make(address, board), faults, next)
  })

const settle = TestClock.adjust(50)
const still = { lose: 0, double: 0, delayMsMax: 0, timeoutMs: 100 }

for (const seed of [1, 2, 3]) {
  networkSuite(`slow, seed ${seed}`, join({ ...still, seed, delayMsMax: 200 }), {
    lossless: true,
    once: true,
    settle,
  })
  networkSuite(
    `lossy, slow and doubling, seed ${seed}`,
    join({ seed, lose: 0.3, double: 0.3, delayMsMax: 100, timeoutMs: 100 }),
    {
      lossless: false,
      once: false,
      settle,
    },
  )
}

describe("NetworkFaulty", () => {
  /** What became of 200 requests: a letter each, in order, and how often each was handled. */
  const fates = (faults: NetworkFaulty.Faults) =>
    Effect.scoped(
      Effect.gen(function* () {
        const [ada, bob] = [id("ada"), id("bob")]
        const place = yield* join(faults)
        const handled: Array<number> = []
        yield* place(bob).serve("/one", ({ body }) =>
          Effect.sync(() => {
            handled.push(new Bytes.Reader(body).u32())
            return body
          }),
        )
        const asked = yield* Effect.forEach(Array.from({ length: 200 }).keys(), (n) =>
          Effect.forkChild(Effect.result(place(ada).request(bob, "/one", Bytes.u32(n)))),
        )
        yield* TestClock.adjust(1_000)
        const answers = yield* Effect.forEach(asked, Fiber.join)
        return { fates: answers.map((answer) => answer._tag[0]).join(""), handled }
      }),
    )

  const wild = { seed: 7, lose: 0.3, double: 0.3, delayMsMax: 100, timeoutMs: 100 }

  it.effect("does the same for the same seed, and something else for another", () =>
    Effect.gen(function* () {
      const [one, again, other] = [yield* fates(wild), yield* fates(wild), yield* fates({ ...wild, seed: 8 })]
      assert.deepStrictEqual(one, again)
      assert.notStrictEqual(one.fates, other.fates)
    }),
  )

  it.effect("loses requests and answers, doubles and reorders, about as often as it was told", () =>
    Effect.gen(function* () {
      const { fates: seen, handled } = yield* fates(wild)
      const lost = seen.split("F").length - 1
      assert.isTrue(lost > 70 && lost < 130, `${lost} of 200 unanswered, of about 102`)
      const times = new Map(handled.map((n) => [n, handled.filter((other) => other === n).length]))
      assert.isAbove([...times.values()].filter((count) => count === 2).length, 20)
      assert.isAbove(
        [...times.keys()].filter((n) => seen[n] === "F").length,
        20,
        "an answer that was lost is of a request that was handled",
      )
      assert.notDeepEqual(
        [...times.keys()],
        [...times.keys()].toSorted((x, y) => x - y),
      )
    }),
  )

  it.effect("changes nothing where it is told to do nothing", () =>
    Effect.gen(function* () {
      const { fates: seen, handled } = yield* fates({ ...still, seed: 1 })
      assert.strictEqual(seen, "S".repeat(200))
      assert.deepStrictEqual(handled, [...Array.from({ length: 200 }).keys()])
    }),
  )
})

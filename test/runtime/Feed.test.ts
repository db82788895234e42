import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Feed from "../../runtime/Feed.ts"

const settle = Effect.gen(function* () {
  for (let i = 0; i < 20; i++) yield* Effect.yieldNow
})

/** Numbered texts that are stored before they are published. */
const stored = () => {
  const feed = Feed.make()
  const things: Array<string> = []
  const add = (...more: ReadonlyArray<string>) => {
    things.push(...more)
    feed.publish()
  }
  return { feed, things, add, follow: (from: number) => feed.follow(from, (number) => things[number]) }
}

describe("Feed", () => {
  it.effect("gives what is there from a number on, then what comes, each once and in order", () =>
    Effect.gen(function* () {
      const { add, follow } = stored()
      add("a", "b", "c")
      const reader = yield* Effect.forkChild(Stream.runCollect(Stream.take(follow(1), 5)))
      yield* settle
      assert.strictEqual(reader.pollUnsafe(), undefined)
      add("d")
      yield* settle
      add("e", "f", "g")
      assert.deepStrictEqual([...(yield* Fiber.join(reader))], ["b", "c", "d", "e", "f"])
    }),
  )

  it.effect("passes over numbers that nothing has", () =>
    Effect.gen(function* () {
      const feed = Feed.make()
      const things = [2, 5, 6]
      const follow = feed.follow(0, (number) => things.find((one) => one >= number), {
        numberOf: (one) => one,
      })
      const reader = yield* Effect.forkChild(Stream.runCollect(Stream.take(follow, 4)))
      yield* settle
      things.push(9)
      feed.publish()
      assert.deepStrictEqual([...(yield* Fiber.join(reader))], [2, 5, 6, 9])
    }),
  )

  it.effect("has one who follows behind read after everybody else, and miss nothing", () =>
    Effect.gen(function* () {
      const { feed, things, add } = stored()
      const reads: Array<string> = []
      const follow = (who: string, behind: boolean) =>
        feed.follow(
          0,
          (number) => {
            if (things[number] !== undefined) reads.push(`${who} ${things[number]}`)
            return things[number]
          },
          { behind },
        )
      const behind = yield* Effect.forkChild(Stream.runCollect(Stream.take(follow("behind", true), 2)))
      const close = yield* Effect.forkChild(Stream.runCollect(Stream.take(follow("close", false), 2)))
      for (const one of ["a", "b"]) {
        yield* settle
        add(one)
      }
      assert.deepStrictEqual([...(yield* Fiber.join(behind))], ["a", "b"])
      assert.deepStrictEqual([...(yield* Fiber.join(close))], ["a", "b"])
      assert.deepStrictEqual(reads, ["close a", "behind a", "close b", "behind b"])
    }),
  )

  it.effect("waits for a number that is not there yet", () =>
    Effect.gen(function* () {
      const { add, follow } = stored()
      const reader = yield* Effect.forkChild(Stream.runCollect(Stream.take(follow(3), 1)))
      for (const one of ["a", "b", "c"]) {
        add(one)
        yield* settle
        assert.strictEqual(reader.pollUnsafe(), undefined)
      }
      add("d")
      assert.deepStrictEqual([...(yield* Fiber.join(reader))], ["d"])
    }),
  )

  it.effect("loses nothing that is published while a follower is busy, and shows nothing before that", () =>
    Effect.gen(function* () {
      const { add, things, follow } = stored()
      const seen: Array<string> = []
      const reader = yield* Effect.forkChild(
        Stream.runForEach(follow(0), (one) =>
          Effect.sync(() => {
            seen.push(one)
            if (one === "a") add("b", "c") // before the follower waits again
          }),
        ),
      )
      yield* settle
      things.push("a") // stored, not yet published
      yield* settle
      assert.deepStrictEqual(seen, [])
      add()
      yield* settle
      assert.deepStrictEqual(seen, ["a", "b", "c"])
      yield* Fiber.interrupt(reader)
    }),
  )

  it.effect("serves many followers, each from where it is and as slow as it likes", () =>
    Effect.gen(function* () {
      const { add, follow } = stored()
      const readers = yield* Effect.forEach([0, 1, 2, 5], (from) =>
        Effect.forkChild(
          Stream.runCollect(
            Stream.take(
              Stream.tap(follow(from), () => settle.pipe(Effect.repeat({ times: from }))),
              3,
            ),
          ),
        ),
      )
      for (let i = 0; i < 8; i++) {
        add(`${i}`)
        yield* settle
      }
      const read = yield* Effect.forEach(readers, (reader) =>
        Effect.map(Fiber.join(reader), (all) => [...all].join("")),
      )
      assert.deepStrictEqual(read, ["012", "123", "234", "567"])
    }),
  )
})

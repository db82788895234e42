import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Limit from "../../runtime/Limit.ts"
import * as Paging from "../../runtime/Paging.ts"

/** Numbers up to the newest, and then nothing for ever. */
const numbers = (from: number, newest: number) => Stream.concat(Stream.range(from, newest), Stream.never)

const page = (from: number, newest: number, bytes = 1) =>
  Paging.page(
    numbers(from, newest),
    Effect.succeed(newest),
    (one) => one,
    () => bytes,
  )

describe("a page of a stream", () => {
  it.effect("has what is there and waits for nothing else", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* page(3, 5), [3, 4, 5])
      assert.deepStrictEqual(yield* page(5, 5), [5])
    }),
  )

  it.effect("has so many and so many bytes, and one at least", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* page(0, Limit.answerPageMax - 1)).length, Limit.answerPageMax)
      assert.strictEqual((yield* page(0, Limit.answerPageMax)).length, Limit.answerPageMax)
      const half = Limit.answerPageBytes / 2
      assert.strictEqual((yield* page(0, 9, half)).length, 2)
      assert.strictEqual((yield* page(0, 9, half + 1)).length, 2)
      assert.strictEqual((yield* page(0, 9, half - 1)).length, 3)
      assert.strictEqual((yield* page(0, 9, 4 * half)).length, 1)
    }),
  )
})

describe("a list that is cut", () => {
  it("has so many bytes, and one at least", () => {
    const cut = (...bytes: ReadonlyArray<number>) => Paging.cut(bytes, (one) => one).length
    const half = Limit.answerPageBytes / 2
    assert.strictEqual(cut(), 0)
    assert.strictEqual(cut(3 * half, 1), 1)
    assert.strictEqual(cut(half, half, 1), 2)
    assert.strictEqual(cut(half, half - 1, 1, 1), 3)
    assert.strictEqual(cut(1, 2, 3), 3)
  })
})

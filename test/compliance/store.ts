/** What every `Store` must do, whatever it stands on. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as fc from "fast-check"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"
import type { Put, Range, Store } from "../../runtime/Store.ts"

/** Keys of the suite stand under one byte: a store may keep a few of its own elsewhere. */
const key = (...parts: ReadonlyArray<number>): Uint8Array => Uint8Array.of(0x6b, ...parts)
const put = (at: Uint8Array, value: Uint8Array | string): Put => ({
  key: at,
  value: typeof value === "string" ? Bytes.fromText(value) : value,
})
const remove = (at: Uint8Array): Put => ({ key: at, value: undefined })
const everything: Range = { from: key(), to: Uint8Array.of(0x6c) }

const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Bytes.toText(bytes)
const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Bytes.toHex(bytes)
const shown = (found: Iterable<readonly [Uint8Array, Uint8Array]>) =>
  Array.from(found, ([at, value]) => `${Bytes.toHex(at)}=${Bytes.toHex(value)}`)

/** A store as the seam describes it, in ten lines. */
const model = () => {
  const held = new Map<string, Uint8Array>()
  return {
    commit: (puts: ReadonlyArray<Put>) => {
      for (const { key, value } of puts)
        if (value === undefined) held.delete(Bytes.toHex(key))
        else held.set(Bytes.toHex(key), value)
    },
    get: (key: Uint8Array) => held.get(Bytes.toHex(key)),
    range: ({ from, to, reverse = false, limit = Number.POSITIVE_INFINITY }: Range) => {
      const inside = [...held]
        .map(([at, value]) => [Bytes.fromHex(at)!, value] as const)
        .filter(([at]) => Bytes.compare(at, from) >= 0 && Bytes.compare(at, to) < 0)
        .toSorted(([a], [b]) => (reverse ? Bytes.compare(b, a) : Bytes.compare(a, b)))
      return inside.slice(0, limit)
    },
  }
}

/** Few and short keys, so that they meet; with 0x00 and 0xff, where orders go wrong. */
const anyKey = fc
  .array(fc.constantFrom(0x00, 0x01, 0x7f, 0x80, 0xff), { maxLength: 3 })
  .map((parts) => key(...parts))
const anyPut = fc.record({
  key: anyKey,
  value: fc.option(fc.uint8Array({ maxLength: 6 }), { nil: undefined }),
})
const anyRange = fc.record(
  { from: anyKey, to: anyKey, reverse: fc.boolean(), limit: fc.nat(6) },
  { requiredKeys: ["from", "to"] },
)
const anySteps = fc.array(
  fc.record({
    puts: fc.array(anyPut, { maxLength: 8 }),
    ranges: fc.array(anyRange, { minLength: 1, maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 6 },
)

/** `make` gives a fresh, empty store each time. */
export const storeSuite = <E>(
  name: string,
  make: Effect.Effect<Store["Service"], E, Scope.Scope>,
  runs = 100,
): void => {
  const run = <A>(body: (store: Store["Service"]) => Effect.Effect<A, unknown>) =>
    Effect.scoped(Effect.flatMap(make, body))

  describe(`Store: ${name}`, () => {
    it.effect("gives back what was committed, and nothing for a key that was not", () =>
      run((store) =>
        Effect.gen(function* () {
          assert.strictEqual(store.get(key(1)), undefined)
          yield* store.commit([put(key(1), "one"), put(key(2), "two")])
          assert.strictEqual(text(store.get(key(1))), "one")
          assert.strictEqual(text(store.get(key(2))), "two")
          assert.strictEqual(store.get(key(1, 0)), undefined)
          assert.strictEqual(store.get(key()), undefined)
        }),
      ),
    )

    it.effect("applies the puts of a commit in order: the last word on a key counts", () =>
      run((store) =>
        Effect.gen(function* () {
          yield* store.commit([put(key(1), "old"), put(key(2), "old")])
          yield* store.commit([
            put(key(1), "first"),
            put(key(1), "last"),
            put(key(2), "gone"),
            remove(key(2)),
            remove(key(3)),
            put(key(3), "there"),
          ])
          assert.strictEqual(text(store.get(key(1))), "last")
          assert.strictEqual(store.get(key(2)), undefined)
          assert.strictEqual(text(store.get(key(3))), "there")
        }),
      ),
    )

    it.effect("removes what is not there, and commits nothing at all, without failing", () =>
      run((store) =>
        Effect.gen(function* () {
          yield* store.commit([remove(key(1))])
          yield* store.commit([])
          yield* store.commit([put(key(2), "two"), remove(key(1))])
          assert.deepStrictEqual(shown(store.range(everything)), ["6b02=74776f"])
        }),
      ),
    )

    it.effect("tells an empty value from none", () =>
      run((store) =>
        Effect.gen(function* () {
          yield* store.commit([put(key(1), Bytes.empty)])
          assert.strictEqual(store.get(key(1))?.length, 0)
          assert.deepStrictEqual(shown(store.range(everything)), ["6b01="])
        }),
      ),
    )

    it.effect("reads from the first key, which is included, to the last, which is not, both ways", () =>
      run((store) =>
        Effect.gen(function* () {
          yield* store.commit([5, 1, 3, 2, 4].map((n) => put(key(n), `${n}`)))
          const read = (range: Partial<Range>) =>
            Array.from(store.range({ ...everything, ...range }), ([, value]) => text(value)).join("")
          assert.strictEqual(read({}), "12345")
          assert.strictEqual(read({ reverse: true }), "54321")
          assert.strictEqual(read({ from: key(2), to: key(4) }), "23")
          assert.strictEqual(read({ from: key(2), to: key(4), reverse: true }), "32")
          assert.strictEqual(read({ from: key(2, 0), to: key(4, 0) }), "34")
          assert.strictEqual(read({ from: key(2, 0), to: key(4, 0), reverse: true }), "43")
          assert.strictEqual(read({ limit: 2 }), "12")
          assert.strictEqual(read({ limit: 2, reverse: true }), "54")
          assert.strictEqual(read({ limit: 0 }), "")
          assert.strictEqual(read({ limit: 9 }), "12345")
          assert.strictEqual(read({ from: key(3), to: key(3) }), "")
          assert.strictEqual(read({ from: key(3), to: key(3), reverse: true }), "")
          assert.strictEqual(read({ from: key(4), to: key(2) }), "")
          assert.strictEqual(read({ from: key(4), to: key(2), reverse: true }), "")
        }),
      ),
    )

    it.effect("is a sorted map of bytes, whatever is committed and asked", () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(anySteps, (steps) =>
            Effect.runPromise(
              run((store) =>
                Effect.gen(function* () {
                  const held = model()
                  for (const { puts, ranges } of steps) {
                    yield* store.commit(puts)
                    held.commit(puts)
                    for (const { key } of puts) assert.strictEqual(hex(store.get(key)), hex(held.get(key)))
                    for (const range of [everything, ...ranges])
                      assert.deepStrictEqual(shown(store.range(range)), shown(held.range(range)))
                  }
                }),
              ),
            ),
          ),
          { numRuns: runs },
        ),
      ),
    )

    it.effect("keeps values of every size to the last byte", () =>
      run((store) =>
        Effect.gen(function* () {
          const sizes = [0, 1, 2_000, 4_095, 4_096, 4_097, 32_767, 32_768, 65_536, 1024 * 1024 + 3]
          const value = (size: number) => Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) & 0xff)
          yield* store.commit(sizes.map((size, i) => put(key(i), value(size))))
          for (const [i, size] of sizes.entries())
            assert.isTrue(Bytes.equal(store.get(key(i))!, value(size)), `${size} bytes`)
          const found = [...store.range(everything)]
          assert.deepStrictEqual(
            found.map(([, bytes]) => bytes.length),
            sizes,
          )
          for (const [i, size] of sizes.entries()) assert.isTrue(Bytes.equal(found[i]![1], value(size)))
        }),
      ),
    )

    it.effect("gives bytes that are the caller's own: what is done to them changes nothing", () =>
      run((store) =>
        Effect.gen(function* () {
          const [small, large] = [Bytes.fromText("small"), new Uint8Array(100_000).fill(7)]
          const [first, second] = [key(1), key(2)]
          yield* store.commit([put(first, small), put(second, large)])
          small.fill(0)
          large.fill(0)
          first.fill(0)
          second.fill(0)
          const check = () => {
            assert.deepStrictEqual(
              Array.from(store.range(everything), ([at, { length }]) => [...at, length]),
              [
                [0x6b, 1, 5],
                [0x6b, 2, 100_000],
              ],
            )
            assert.strictEqual(text(store.get(key(1))), "small")
            assert.isTrue(store.get(key(2))!.every((byte) => byte === 7))
          }
          check()
          for (const [at, value] of store.range(everything)) {
            at.fill(0)
            value.fill(0)
          }
          check()
          for (const bytes of [store.get(key(1))!, store.get(key(2))!]) bytes.fill(0)
          check()
          const before = store.get(key(1))!
          const [found] = [...store.range(everything)]
          yield* store.commit([put(key(1), "other"), put(key(2), "other")])
          assert.strictEqual(text(before), "small")
          assert.strictEqual(text(found![1]), "small")
        }),
      ),
    )

    it.effect("makes many commits that are asked for at once, each of them whole", () =>
      run((store) =>
        Effect.gen(function* () {
          const count = 500
          const before = store.commits()
          yield* Effect.forEach(
            Array.from({ length: count }, (_, i) => i),
            (i) =>
              Effect.andThen(
                store.commit([put(key(1, i >> 8, i & 255), `${i}`), put(key(2, i >> 8, i & 255), `${i}`)]),
                Effect.sync(() =>
                  assert.strictEqual(
                    text(store.get(key(2, i >> 8, i & 255))),
                    `${i}`,
                    "readable once committed",
                  ),
                ),
              ),
            { concurrency: "unbounded" },
          )
          for (const half of [1, 2]) {
            const found = [...store.range({ from: key(half), to: key(half + 1) })]
            assert.deepStrictEqual(
              found.map(([, value]) => text(value)),
              Array.from({ length: count }, (_, i) => `${i}`),
            )
          }
          const flushes = store.commits() - before
          assert.isTrue(flushes >= 1 && flushes <= count, `${flushes} flushes`)
        }),
      ),
    )

    it.effect("shows either all of a commit or none of it to who reads meanwhile", () =>
      run((store) =>
        Effect.gen(function* () {
          let looks = 0
          const look = Effect.sync(() => {
            looks += 1
            const [a, b] = [text(store.get(key(1))), text(store.get(key(2)))]
            const found = Array.from(store.range(everything), ([, value]) => text(value))
            assert.strictEqual(a, b)
            assert.isTrue(new Set(found).size <= 1, found.join(" and "))
          })
          const reader = yield* Effect.forkChild(Effect.forever(Effect.andThen(look, Effect.yieldNow)))
          for (let n = 0; n < 50; n++) {
            yield* Effect.all(
              [
                store.commit([put(key(1), `${n}`), put(key(2), `${n}`)]),
                store.commit([put(key(2), `${n} again`), put(key(1), `${n} again`)]),
              ],
              { concurrency: "unbounded" },
            )
            yield* Effect.yieldNow
          }
          yield* Fiber.interrupt(reader)
          yield* look
          assert.isAtLeast(looks, 20)
        }),
      ),
    )

    it.effect(`holds keys of 1 to ${Limit.keyBytesMax} bytes, and asserts before it writes anything`, () =>
      run((store) =>
        Effect.gen(function* () {
          const longest = new Uint8Array(Limit.keyBytesMax).fill(0x6b)
          yield* store.commit([put(longest, "longest"), put(Uint8Array.of(0x6b), "shortest")])
          assert.strictEqual(text(store.get(longest)), "longest")
          assert.strictEqual(text(store.get(Uint8Array.of(0x6b))), "shortest")
          let refused = 0
          for (const bad of [Bytes.empty, new Uint8Array(Limit.keyBytesMax + 1).fill(0x6b)]) {
            const exit = yield* Effect.exit(store.commit([put(key(1), "half"), put(bad, "bad")]))
            assert.strictEqual(exit._tag, "Failure")
            assert.include(String(exit), `1 to ${Limit.keyBytesMax} bytes`)
            assert.strictEqual(store.get(key(1)), undefined)
            refused += 1
          }
          assert.strictEqual(refused, 2)
          yield* store.commit([put(key(1), "goes on")])
          assert.strictEqual(text(store.get(key(1))), "goes on")
        }),
      ),
    )
  })
}

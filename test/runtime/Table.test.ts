import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as Bytes from "../../runtime/Bytes.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Table from "../../runtime/Table.ts"

const id = (n: number) => new Uint8Array(32).fill(n)

describe("Table", () => {
  it.effect("gives back what was put: texts, numbers, bigints, bytes, lists, nothing", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const table = Table.make<[string: Uint8Array], unknown>("t")
      const values = [
        "text",
        0,
        -1,
        2 ** 53 - 1,
        2n ** 63n,
        true,
        null,
        [1, "two", [3]],
        { a: 1, b: { c: undefined } },
        [["name", "value"]],
      ]
      yield* store.commit(values.map((value, i) => table.put([id(i)], value)))
      for (const [i, value] of values.entries()) assert.deepEqual(table.get(store, id(i)), value, `${i}`)
      const bytes = Table.make<[Uint8Array], Uint8Array>("bytes")
      const written = Bytes.fromText("bytes")
      yield* store.commit([bytes.put([id(1)], written)])
      written.fill(0)
      assert.strictEqual(Bytes.toText(bytes.get(store, id(1))!), "bytes")
      assert.strictEqual(table.get(store, id(99)), undefined)
    }),
  )

  it.effect("removes", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const table = Table.make<[number], string>("t")
      yield* store.commit([table.put([1], "one"), table.put([2], "two")])
      yield* store.commit([table.remove([1])])
      assert.strictEqual(table.get(store, 1), undefined)
      assert.deepStrictEqual([...table.list(store, [])], ["two"])
    }),
  )

  it("sorts numbers in keys as numbers, up to 2^53 - 1", () => {
    const table = Table.make<[number], string>("t")
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        assert.strictEqual(Math.sign(Bytes.compare(table.key(a), table.key(b))), Math.sign(a - b))
      }),
    )
  })

  it.effect("lists what is under a prefix, from a number on, both ways, with a limit", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const table = Table.make<[owner: Uint8Array, number: number], string>("t")
      for (const owner of [0, 1, 254, 255])
        yield* store.commit(
          [0, 1, 2, 255, 256, 70_000].map((n) => table.put([id(owner), n], `${owner}/${n}`)),
        )
      const list = (...args: Parameters<typeof table.list> extends [infer _, ...infer A] ? A : never) =>
        [...table.list(store, ...args)].join(" ")
      assert.strictEqual(list([id(1)]), "1/0 1/1 1/2 1/255 1/256 1/70000")
      assert.strictEqual(list([id(1)], { from: 2 }), "1/2 1/255 1/256 1/70000")
      assert.strictEqual(list([id(1)], { from: 3, limit: 2 }), "1/255 1/256")
      assert.strictEqual(list([id(1)], { reverse: true, limit: 2 }), "1/70000 1/256")
      assert.strictEqual(list([id(1)], { from: 70_001 }), "")
      assert.strictEqual(list([id(2)]), "")
      assert.strictEqual(list([id(255)], { limit: 1 }), "255/0")
      assert.strictEqual(
        list([], { from: [id(254), 256] }),
        "254/256 254/70000 255/0 255/1 255/2 255/255 255/256 255/70000",
      )
      assert.strictEqual(list([], { from: id(255), limit: 1 }), "255/0")
      assert.strictEqual(list([], { limit: 1 }), "0/0")
      assert.strictEqual(list([], { reverse: true, limit: 1 }), "255/70000")
      assert.strictEqual([...table.list(store, [])].length, 24)
    }),
  )

  it.effect("keeps apart tables of which one's name begins with the other's", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const [log, logs] = [Table.make<[Uint8Array], string>("log"), Table.make<[Uint8Array], string>("logs")]
      yield* store.commit([log.put([id(1)], "log"), logs.put([id(1)], "logs")])
      assert.deepStrictEqual([...log.list(store, [])], ["log"])
      assert.deepStrictEqual([...logs.list(store, [])], ["logs"])
      assert.strictEqual(log.get(store, id(1)), "log")
    }),
  )
})

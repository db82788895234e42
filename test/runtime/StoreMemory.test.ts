import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Bytes from "../../runtime/Bytes.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import { storeSuite } from "../compliance/store.ts"

storeSuite(
  "in memory",
  Effect.sync(() => StoreMemory.make()),
)

const key = (n: number) => Uint8Array.of(n)

describe("StoreMemory", () => {
  it.effect("takes as many bytes as it holds, and refuses one more with nothing half written", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make(10)
      yield* store.commit([{ key: key(1), value: new Uint8Array(4) }])
      const over = [
        { key: key(2), value: new Uint8Array(0) },
        { key: key(3), value: new Uint8Array(4) },
      ]
      const failed = yield* Effect.flip(store.commit(over))
      assert.strictEqual(failed._tag, "StoreFailed")
      assert.strictEqual(failed.reason, "full")
      assert.include(failed.message, "10 bytes")
      assert.deepStrictEqual([store.get(key(2)), store.get(key(3))], [undefined, undefined])
      assert.strictEqual(store.commits(), 1)
      yield* store.commit([
        { key: key(2), value: Bytes.empty },
        { key: key(3), value: new Uint8Array(3) },
      ])
      assert.strictEqual(store.get(key(3))?.length, 3)
    }),
  )

  it.effect("has room again after a removal", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make(10)
      const put = { key: key(1), value: new Uint8Array(9) }
      yield* store.commit([put])
      assert.strictEqual(
        (yield* Effect.flip(store.commit([{ key: key(2), value: Bytes.empty }]))).reason,
        "full",
      )
      yield* store.commit([{ key: key(1), value: undefined }])
      yield* store.commit([{ key: key(2), value: new Uint8Array(9) }])
      assert.strictEqual(store.get(key(2))?.length, 9)
    }),
  )
})

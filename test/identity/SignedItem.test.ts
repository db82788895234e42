import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as BatchSignature from "../../identity/BatchSignature.ts"
import { Entropy } from "../../identity/Entropy.ts"
import * as Identity from "../../identity/Identity.ts"
import * as ItemSignature from "../../identity/ItemSignature.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import { SigningFailed } from "../../identity/Signer.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"

const identity = Identity.fromSeed(new Uint8Array(32).fill(2), SignatureType.mlDsa44)
const signer = SignerLocal.make(identity)
const fields = { tags: [{ name: "Action", value: "Ping" }], data: Bytes.fromText("data") }

/** A signer that counts and can fail. */
const counting = (fails = false) => {
  const count = { signed: 0 }
  const sign: typeof signer.sign = (context, bytes) => {
    count.signed += 1
    return fails
      ? Effect.fail(new SigningFailed({ address: identity.address, reason: "worker died" }))
      : signer.sign(context, bytes)
  }
  return { count, signer: { ...signer, sign } }
}

describe("SignedItem", () => {
  it.effect("gives each item a random anchor of 32 bytes unless one is given", () =>
    Effect.gen(function* () {
      const [a, b] = [yield* SignedItem.sign(signer, fields), yield* SignedItem.sign(signer, fields)]
      assert.strictEqual(a.anchor.length, 32)
      assert.isFalse(Bytes.equal(a.anchor, b.anchor))
      const anchor = new Uint8Array(32).fill(8)
      assert.isTrue(Bytes.equal((yield* SignedItem.sign(signer, { ...fields, anchor })).anchor, anchor))
      const many = yield* SignedItem.signMany(signer, [fields, { ...fields, anchor }, fields])
      assert.strictEqual(new Set(many.map((item) => Bytes.toHex(item.anchor))).size, 3)
      assert.isTrue(Bytes.equal(many[1]!.anchor, anchor))
      const seeded = { bytes: (length: number) => new Uint8Array(length).fill(4) }
      const c = yield* SignedItem.sign(signer, fields).pipe(Effect.provideService(Entropy, seeded))
      assert.isTrue(Bytes.equal(c.anchor, new Uint8Array(32).fill(4)))
    }),
  )

  it.effect("reads back as it was written", () =>
    Effect.gen(function* () {
      const target = new Uint8Array(32).fill(7)
      for (const item of [
        yield* SignedItem.sign(signer, { ...fields, target }),
        ...(yield* SignedItem.signMany(signer, [{ ...fields, target }])),
      ]) {
        const read = Result.getOrThrow(Item.decode(item.bytes))
        assert.strictEqual(read.id, item.id)
        assert.deepStrictEqual(read.tags, fields.tags)
        assert.isTrue(Bytes.equal(read.target, target))
        assert.isTrue(Bytes.equal(read.owner, identity.owner))
        assert.strictEqual(ItemSignature.check(read), true)
      }
    }),
  )

  it.effect("makes one signature for many items", () =>
    Effect.gen(function* () {
      const { count, signer } = counting()
      const items = yield* SignedItem.signMany(
        signer,
        Array.from({ length: 300 }, () => fields),
      )
      assert.strictEqual(count.signed, 1)
      assert.strictEqual(items.length, 300)
      assert.strictEqual(new Set(items.map(({ id }) => id)).size, 300)
      for (const index of [0, 1, 127, 299]) assert.strictEqual(ItemSignature.check(items[index]!), true)
      assert.deepStrictEqual(yield* SignedItem.signMany(signer, []), [])
      assert.strictEqual(count.signed, 1)
    }),
  )

  it.effect("refuses one item more than a signature covers, and signs nothing then", () =>
    Effect.gen(function* () {
      const { count, signer } = counting()
      const over = Array.from({ length: BatchSignature.itemsMax + 1 }, () => fields)
      const error = yield* Effect.flip(SignedItem.signMany(signer, over))
      assert.strictEqual(error._tag === "ItemInvalid" && error.reason, "too large")
      assert.strictEqual(count.signed, 0)
    }),
  )

  it.effect("refuses content that is no item, and signs nothing then", () =>
    Effect.gen(function* () {
      const { count, signer } = counting()
      const bad = { ...fields, target: new Uint8Array(31) }
      const one = yield* Effect.flip(SignedItem.sign(signer, bad))
      const many = yield* Effect.flip(SignedItem.signMany(signer, [fields, bad]))
      for (const error of [one, many]) assert.strictEqual(error._tag, "ItemInvalid")
      assert.strictEqual(count.signed, 0)
      const large = yield* Effect.flip(
        SignedItem.sign(signer, { ...fields, data: new Uint8Array(Limit.itemBytesMax) }),
      )
      assert.strictEqual(large._tag === "ItemInvalid" && large.reason, "too large")
    }),
  )

  it.effect("says so where the signer fails", () =>
    Effect.gen(function* () {
      const { signer } = counting(true)
      for (const error of [
        yield* Effect.flip(SignedItem.sign(signer, fields)),
        yield* Effect.flip(SignedItem.signMany(signer, [fields])),
      ])
        assert.strictEqual(error._tag === "SigningFailed" && error.reason, "worker died")
    }),
  )
})

describe("ItemSignature", () => {
  const flipped = (item: Item.Item, at: number, bit: number) => {
    const bytes = Bytes.copy(item.bytes)
    bytes[at]! ^= 1 << bit
    return Result.match(Item.decode(bytes), {
      onFailure: () => "not an item",
      onSuccess: ItemSignature.check,
    })
  }

  it.effect("refuses every bit but one of content, and bits all over signature and owner", () =>
    Effect.gen(function* () {
      const item = yield* SignedItem.sign(signer, { tags: [], data: Bytes.fromText("d") })
      assert.strictEqual(ItemSignature.check(item), true)
      const contentStart = 2 + 2_420 + 1_312
      const places = [
        ...Array.from({ length: 60 }, (_, i) => 2 + i * 40),
        ...Array.from({ length: 40 }, (_, i) => 2 + 2_420 + i * 32),
        ...Array.from({ length: item.bytes.length - contentStart }, (_, i) => contentStart + i),
      ]
      for (const at of places) assert.notStrictEqual(flipped(item, at, at % 8), true, `byte ${at}`)
      for (let bit = 0; bit < 8; bit++) assert.notStrictEqual(flipped(item, item.bytes.length - 1, bit), true)
      assert.isAbove(places.length, 130)
    }),
  )

  it.effect("refuses every bit of a batch-signed item's index and path", () =>
    Effect.gen(function* () {
      const [, item] = yield* SignedItem.signMany(signer, [fields, fields])
      assert.strictEqual(ItemSignature.check(item!), true)
      const start = 2 + 2_420
      for (let at = start; at < start + 2 + 512; at++)
        assert.strictEqual(flipped(item!, at, at % 8), "bad signature", `byte ${at}`)
    }),
  )

  it.effect("refuses a type that is none, which no reader lets through", () =>
    Effect.gen(function* () {
      const item = yield* SignedItem.sign(signer, fields)
      const type = { number: 7, name: "unknown", signatureBytes: 2_420, ownerBytes: 1_312 }
      assert.strictEqual(ItemSignature.check({ ...item, type }), "unknown signature type")
    }),
  )

  it("has a batch type for each ML-DSA type and for no other", () => {
    const { mlDsa44, mlDsa65, mlDsa87, batch44, batch65, batch87 } = SignatureType
    assert.deepStrictEqual([mlDsa44, mlDsa65, mlDsa87].map(BatchSignature.typeOf), [
      batch44,
      batch65,
      batch87,
    ])
    for (const type of [SignatureType.ed25519, SignatureType.outbox, batch44])
      assert.throws(() => BatchSignature.typeOf(type), RangeError)
  })
})

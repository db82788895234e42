/** What every `Verifier` must do, whatever it stands on. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Identity from "../../identity/Identity.ts"
import * as MlDsa from "../../identity/MlDsa.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import type { signature } from "../vectors/makeSignatures.ts"
import { own } from "../vectors/shared.ts"

const vectors = own<ReturnType<typeof signature>>("signature.json")
const read = (text: string): Item.Item => Result.getOrThrow(Item.decode(Bytes.fromBase64Url(text)!))

export const verifierSuite = (name: string, layer: Layer.Layer<Verifier>): void => {
  describe(`Verifier: ${name}`, () => {
    const signer = SignerLocal.make(Identity.fromSeed(new Uint8Array(32).fill(2), SignatureType.mlDsa44))
    const { type, owner } = signer

    /** The refusal, or true. */
    const verdict = (item: Item.Item) =>
      Effect.gen(function* () {
        const verifier = yield* Verifier
        const result = yield* Effect.result(verifier.verifyItem(item))
        if (Result.isSuccess(result)) return true
        assert.strictEqual(result.failure._tag, "SignatureRefused")
        return result.failure._tag === "SignatureRefused" ? result.failure.reason : "overloaded"
      })

    it.effect("gives the verdict of each vector, twice, in any order", () =>
      Effect.gen(function* () {
        const cases = [...vectors.items, ...vectors.items.toReversed()]
        const verdicts = yield* Effect.forEach(cases, ({ item }) => verdict(read(item)), {
          concurrency: "unbounded",
        })
        for (const [i, each] of cases.entries())
          assert.strictEqual(verdicts[i], each.valid ? true : each.refusal, each.name)
        assert.isAtLeast(cases.length, 90)
      }).pipe(Effect.provide(layer)),
    )

    it.effect("refuses an outbox item, which no key signed", () =>
      Effect.gen(function* () {
        for (const { item } of vectors.outbox)
          assert.strictEqual(yield* verdict(read(item)), "outbox item without proof")
      }).pipe(Effect.provide(layer)),
    )

    it.effect("says of a claim whether it holds", () =>
      Effect.gen(function* () {
        const { verify } = yield* Verifier
        const bytes = Bytes.fromText("what is signed")
        const signature = yield* signer.sign("heddle/batch/1", bytes)
        for (let again = 0; again < 2; again++) {
          assert.isTrue(yield* verify(type, owner, "heddle/batch/1", bytes, signature))
          assert.isFalse(yield* verify(type, owner, "heddle/attestation/1", bytes, signature))
          assert.isFalse(yield* verify(type, owner, "heddle/batch/1", Bytes.fromText("another"), signature))
          assert.isFalse(yield* verify(type, signature.subarray(0, 1312), "heddle/batch/1", bytes, signature))
          assert.isFalse(yield* verify(type, owner, "heddle/batch/1", bytes, signature.subarray(1)))
          assert.isFalse(yield* verify(SignatureType.batch44, owner, "heddle/batch/1", bytes, signature))
          assert.isFalse(yield* verify(SignatureType.outbox, owner, "heddle/batch/1", bytes, signature))
        }
      }).pipe(Effect.provide(layer)),
    )

    it.effect("takes a wallet's signature for a single item and for nothing else", () =>
      Effect.gen(function* () {
        const { verify } = yield* Verifier
        let wallets = 0
        for (const { item, valid } of vectors.items) {
          const { type, owner, signature, ...content } = read(item)
          if (!valid || type.number > 3) continue
          const bytes = Item.signingHash({ type, owner, ...content })
          assert.isTrue(yield* verify(type, owner, "heddle/item/1", bytes, signature))
          assert.isFalse(yield* verify(type, owner, "heddle/batch/1", bytes, signature))
          wallets += 1
        }
        assert.isAtLeast(wallets, 6)
      }).pipe(Effect.provide(layer)),
    )

    it.effect("never takes a bad signature for good because of what it saw before", () =>
      Effect.gen(function* () {
        const fields = { tags: [], data: Bytes.fromText("data") }
        const good = yield* SignedItem.sign(signer, fields)
        assert.strictEqual(yield* verdict(good), true)
        let refused = 0
        for (const at of [2, 100, 2 + 2419, 2 + 2420, 2 + 2420 + 1311, good.bytes.length - 1]) {
          const bytes = Bytes.copy(good.bytes)
          bytes[at]! ^= 1
          const bad = Result.getOrThrow(Item.decode(bytes))
          for (let again = 0; again < 2; again++, refused++)
            assert.strictEqual(yield* verdict(bad), "bad signature")
        }
        // The same signature field, and so the same id, over other content.
        const { success: other } = Item.encode(
          { ...good, data: Bytes.fromText("other") },
          good.signature,
        ) as {
          success: Item.Item // the fields of an item that was written
        }
        assert.strictEqual(other.id, good.id)
        assert.strictEqual(yield* verdict(other), "bad signature")
        assert.strictEqual(refused, 12)
      }).pipe(Effect.provide(layer)),
    )

    it.effect("believes each item of a batch for itself", () =>
      Effect.gen(function* () {
        const many = Array.from({ length: 50 }, (_, i) => ({ tags: [], data: Bytes.u32(i) }))
        const items = yield* SignedItem.signMany(signer, many)
        const verdicts = yield* Effect.forEach(items, verdict, { concurrency: "unbounded" })
        assert.deepStrictEqual([...new Set(verdicts)], [true])
        const swapped = yield* Effect.fromResult(
          Item.encode({ ...items[0]!, data: items[1]!.data }, items[0]!.signature),
        )
        assert.strictEqual(yield* verdict(swapped), "bad signature")
      }).pipe(Effect.provide(layer)),
    )

    it.effect("verifies items of every size up to the limit", () =>
      Effect.gen(function* () {
        const overhead = (yield* SignedItem.sign(signer, { tags: [], data: Bytes.empty })).bytes.length
        for (const size of [Limit.verifiedItemBytesMax, Limit.verifiedItemBytesMax + 1, Limit.itemBytesMax]) {
          const item = yield* SignedItem.sign(signer, { tags: [], data: new Uint8Array(size - overhead) })
          assert.strictEqual(item.bytes.length, size)
          assert.strictEqual(yield* verdict(item), true)
          const bytes = Bytes.copy(item.bytes)
          bytes[size - 1]! ^= 1
          assert.strictEqual(yield* verdict(Result.getOrThrow(Item.decode(bytes))), "bad signature")
        }
      }).pipe(Effect.provide(layer)),
    )

    it.effect("leaves the bytes of an item where they are", () =>
      Effect.gen(function* () {
        const item = yield* SignedItem.sign(signer, { tags: [], data: Bytes.fromText("data") })
        const frame = Bytes.concat([new Uint8Array(1000), item.bytes, new Uint8Array(1000)])
        const inside = Result.getOrThrow(Item.decode(frame.subarray(1000, 1000 + item.bytes.length)))
        assert.strictEqual(yield* verdict(inside), true)
        assert.strictEqual(frame.length, 2000 + item.bytes.length)
        assert.isTrue(
          MlDsa.verify(type, inside.owner, "heddle/item/1", Item.signingHash(inside), inside.signature),
        )
      }).pipe(Effect.provide(layer)),
    )
  })
}

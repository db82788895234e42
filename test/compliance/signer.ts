/** What every `Signer` must do, whatever it stands on. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Claim from "../../identity/Claim.ts"
import * as Identity from "../../identity/Identity.ts"
import * as ItemSignature from "../../identity/ItemSignature.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import { Signer } from "../../identity/Signer.ts"
import * as SigningContext from "../../identity/SigningContext.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"

const types = [SignatureType.mlDsa44, SignatureType.mlDsa65, SignatureType.mlDsa87]

export const signerSuite = (
  name: string,
  layer: (identity: Identity.Identity) => Layer.Layer<Signer>,
): void => {
  describe(`Signer: ${name}`, () => {
    for (const type of types) {
      const identity = Identity.fromSeed(new Uint8Array(32).fill(type.number & 0xff), type)

      it.effect(`${type.name}: shows the identity's type, owner and address`, () =>
        Effect.gen(function* () {
          const signer = yield* Signer
          assert.strictEqual(signer.type.number, type.number)
          assert.isTrue(Bytes.equal(signer.owner, identity.owner))
          assert.strictEqual(signer.address, identity.address)
        }).pipe(Effect.provide(layer(identity))),
      )

      it.effect(`${type.name}: signs for each use, and each signature is good for that use alone`, () =>
        Effect.gen(function* () {
          const { sign, owner } = yield* Signer
          const bytes = Bytes.fromText("what is signed")
          let checked = 0
          for (const used of SigningContext.all) {
            const signature = yield* sign(used, bytes)
            assert.strictEqual(signature.length, type.signatureBytes)
            for (const context of SigningContext.all) {
              assert.strictEqual(Claim.holds({ type, owner, context, bytes, signature }), context === used)
              checked += 1
            }
          }
          assert.strictEqual(checked, SigningContext.all.length ** 2)
        }).pipe(Effect.provide(layer(identity))),
      )
    }

    const identity = Identity.fromSeed(new Uint8Array(32).fill(1))

    it.effect("signs many at once, each its own bytes, in whatever order they end", () =>
      Effect.gen(function* () {
        const { sign, owner, type } = yield* Signer
        const all = Array.from({ length: 40 }, (_, i) => Bytes.u32(i))
        const signatures = yield* Effect.forEach(all, (bytes) => sign("heddle/batch/1", bytes), {
          concurrency: "unbounded",
        })
        for (const [i, signature] of signatures.entries())
          assert.isTrue(Claim.holds({ type, owner, context: "heddle/batch/1", bytes: all[i]!, signature }))
        assert.strictEqual(signatures.length, 40)
      }).pipe(Effect.provide(layer(identity))),
    )

    it.effect("signs nothing and a megabyte", () =>
      Effect.gen(function* () {
        const { sign, owner, type } = yield* Signer
        for (const bytes of [Bytes.empty, new Uint8Array(1024 * 1024).fill(3)]) {
          const signature = yield* sign("heddle/link/1", bytes)
          assert.isTrue(Claim.holds({ type, owner, context: "heddle/link/1", bytes, signature }))
        }
      }).pipe(Effect.provide(layer(identity))),
    )

    it.effect("signs bytes as they were when asked, though their buffer is used again afterwards", () =>
      Effect.gen(function* () {
        const { sign, owner, type } = yield* Signer
        const buffer = new Uint8Array(100).fill(1)
        const bytes = buffer.subarray(10, 20)
        const signature = yield* sign("heddle/batch/1", bytes)
        assert.strictEqual(buffer.length, 100) // still ours: not moved to another thread
        assert.isTrue(Claim.holds({ type, owner, context: "heddle/batch/1", bytes, signature }))
      }).pipe(Effect.provide(layer(identity))),
    )

    it.effect("makes items that are good, one by one and many under one signature", () =>
      Effect.gen(function* () {
        const signer = yield* Signer
        const fields = { tags: [{ name: "Action", value: "Ping" }], data: Bytes.fromText("data") }
        const one = yield* SignedItem.sign(signer, fields)
        const many = yield* SignedItem.signMany(signer, [fields, fields, fields])
        for (const item of [one, ...many]) assert.strictEqual(ItemSignature.check(item), true)
        assert.strictEqual(new Set([one, ...many].map(({ id }) => id)).size, 4)
      }).pipe(Effect.provide(layer(identity))),
    )
  })
}

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Identity from "../../identity/Identity.ts"
import { Signer } from "../../identity/Signer.ts"
import * as SignaturePool from "../../identity/SignaturePool.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import * as SignerPool from "../../identity/SignerPool.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import { signerSuite } from "../compliance/signer.ts"
import * as SignerNoble from "./SignerNoble.ts"

const pool = (size: number) => (identity: Identity.Identity) =>
  SignerPool.layer(identity).pipe(Layer.provide(SignaturePool.layer({ size })))

signerSuite("on the calling thread", SignerLocal.layer)
signerSuite("pool of one", pool(1))
signerSuite("pool of two", pool(2))
signerSuite("noble, deterministic", SignerNoble.layer)

describe("SignerNoble", () => {
  it.effect("gives the same signature each time", () =>
    Effect.gen(function* () {
      const { sign } = yield* Signer
      const [a, b] = [yield* sign("heddle/item/1", Bytes.u8(1)), yield* sign("heddle/item/1", Bytes.u8(1))]
      assert.isTrue(Bytes.equal(a, b))
    }).pipe(Effect.provide(SignerNoble.layer(Identity.fromSeed(new Uint8Array(32))))),
  )
})

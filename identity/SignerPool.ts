/**
 * Signer on the pool's threads: the event loop goes on while a signature is made, and signatures go before
 * checks, because a whole batch waits for one.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Identity from "./Identity.ts"
import { SignaturePool } from "./SignaturePool.ts"
import { Signer, SigningFailed } from "./Signer.ts"

/** A signer for one identity; the workers keep its key until the pool ends. */
export const make = (
  pool: SignaturePool["Service"],
  { type, owner, address, seed }: Identity.Identity,
): Signer["Service"] => {
  const key = pool.addKey(type, seed)
  return {
    type,
    owner,
    address,
    sign: (context, bytes) =>
      Effect.mapError(
        pool.ask({ kind: "sign", key, context, bytes }, "urgent"),
        ({ reason }) => new SigningFailed({ address, reason }),
      ),
  }
}

export const layer = (identity: Identity.Identity): Layer.Layer<Signer, never, SignaturePool> =>
  Layer.effect(
    Signer,
    Effect.map(SignaturePool, (pool) => make(pool, identity)),
  )

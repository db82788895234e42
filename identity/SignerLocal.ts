/**
 * Signer on the calling thread: about a millisecond a signature, in which nothing else runs. For the command
 * line, short programs and tests; a node uses the pool.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Identity from "./Identity.ts"
import * as MlDsa from "./MlDsa.ts"
import { Signer } from "./Signer.ts"

export const make = ({ type, owner, address, seed }: Identity.Identity): Signer["Service"] => {
  const key = MlDsa.fromSeed(type, seed)
  return { type, owner, address, sign: (context, bytes) => Effect.sync(() => key.sign(context, bytes)) }
}

export const layer = (identity: Identity.Identity): Layer.Layer<Signer> =>
  Layer.sync(Signer, () => make(identity))

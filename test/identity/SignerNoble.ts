/** A third signer, on noble: deterministic, so that a simulation with seeded keys is the same each time. */
import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Identity from "../../identity/Identity.ts"
import { Signer } from "../../identity/Signer.ts"
import * as SigningContext from "../../identity/SigningContext.ts"

const sets = new Map([
  [1044, ml_dsa44],
  [1065, ml_dsa65],
  [1087, ml_dsa87],
])

export const layer = ({ type, owner, address, seed }: Identity.Identity): Layer.Layer<Signer> =>
  Layer.sync(Signer, () => {
    const set = sets.get(type.number)!
    const { secretKey } = set.keygen(seed)
    return {
      type,
      owner,
      address,
      sign: (context, bytes) =>
        Effect.sync(() =>
          set.sign(bytes, secretKey, { context: SigningContext.toBytes(context), extraEntropy: false }),
        ),
    }
  })

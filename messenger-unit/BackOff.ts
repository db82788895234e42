/** Back off: which refusals pass by themselves, and how long a messenger waits before it asks again (spec 05 §3). */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Reason } from "../runtime/Admission.ts"
import * as Limit from "../runtime/Limit.ts"

/** Refusals that pass by themselves; after any other, only a change at the target helps. */
export const passing: ReadonlySet<Reason> = new Set([
  "over rate",
  "overloaded",
  "not anchored",
  "store failed",
  "stopping",
  "timer early",
  "data unavailable",
])

/** How long to wait after failures: not the same for all, so that many who failed do not come back together. */
export const backOff = (failures: number): Effect.Effect<number> =>
  Effect.map(Random.next, (chance) => {
    const longest = Math.min(Limit.deliveryRetryMsMin * 2 ** (failures - 1), Limit.deliveryRetryMsMax)
    return Math.ceil(longest * (0.5 + 0.5 * chance))
  })

/** Waits as long. */
export const pause = (failures: number) => Effect.flatMap(backOff(failures), (ms) => Effect.sleep(ms))

/** Backoff: how long who has failed waits before it tries again. It never gives up. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Limit from "./Limit.ts"

/** 100 ms, doubled each time, up to a minute. */
export const forever = Schedule.min([
  Schedule.exponential(Limit.deliveryRetryMsMin),
  Schedule.spaced(Limit.deliveryRetryMsMax),
])

/** ms after so many failures: not the same for all, so that many who failed do not come back together. */
export const jittered = (failures: number): Effect.Effect<number> =>
  Effect.map(Random.next, (chance) => {
    const longest = Math.min(Limit.deliveryRetryMsMin * 2 ** (failures - 1), Limit.deliveryRetryMsMax)
    return Math.ceil(longest * (0.5 + 0.5 * chance))
  })

/** Waits as long. */
export const pause = (failures: number) => Effect.flatMap(jittered(failures), (ms) => Effect.sleep(ms))

/** Backoff: how long who has failed waits before it tries again. It never gives up. */
import * as Schedule from "effect/Schedule"
import * as Limit from "./Limit.ts"

/** 100 ms, doubled each time, up to a minute. */
export const forever = Schedule.min([
  Schedule.exponential(Limit.deliveryRetryMsMin),
  Schedule.spaced(Limit.deliveryRetryMsMax),
])

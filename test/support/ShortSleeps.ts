/**
 * A clock for tests that talk to real sockets: whoever sleeps for a while is woken at once and the time has passed;
 * whoever sets a limit of at least `limitMs` waits until the test says that it is over.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export const make = (limitMs: number) => {
  let now = 0
  const slept: Array<number> = []
  let over: ReadonlyArray<() => void> = []
  const nanos = () => BigInt(now) * 1_000_000n
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => now,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.suspend(() => {
        const ms = Duration.toMillis(duration)
        if (ms >= limitMs)
          return Effect.callback<void>((resume) => {
            over = [...over, () => resume(Effect.void)]
          })
        slept.push(ms)
        now += ms
        return Effect.yieldNow
      }),
  }
  return {
    /** Sleeps that were asked for, in ms. */
    slept: slept as ReadonlyArray<number>,
    /** Ends all limits that are running. */
    expire: () => {
      const ended = over
      over = []
      for (const end of ended) end()
    },
    provide: Effect.provideService(Clock.Clock, clock),
  }
}

/** FirstDifference: where two chains go apart. Each link commits to those before it, so they never come together again. */
import * as Effect from "effect/Effect"

/**
 * The first of the places `from` to `to` at which two chains differ, where they do at `to`. Asks about as often as `to` has
 * binary digits.
 */
export const find = <E, R>(
  from: number,
  to: number,
  differ: (place: number) => Effect.Effect<boolean, E, R>,
): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    let [low, high] = [from, to]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (yield* differ(middle)) high = middle
      else low = middle + 1
    }
    return high
  })

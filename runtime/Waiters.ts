/**
 * Waiters: effects that wait for something to happen under a key. Waking one key costs nothing to those who wait for
 * another, however many they are.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

export interface Waiters<A> {
  /** Waits until `wake` is called with `key`. */
  readonly wait: (key: string) => Effect.Effect<A>
  readonly wake: (key: string, value: A) => void
  /** Keys that somebody waits for. */
  readonly size: () => number
}

export const make = <A>(): Waiters<A> => {
  const waiting = new Map<string, { readonly happened: Deferred.Deferred<A>; count: number }>()
  return {
    wait: (key) =>
      Effect.suspend(() => {
        const entry = waiting.get(key) ?? { happened: Deferred.makeUnsafe<A>(), count: 0 }
        waiting.set(key, entry)
        entry.count++
        return Deferred.await(entry.happened).pipe(
          Effect.onInterrupt(() =>
            Effect.sync(() => {
              // Once woken, the key may be another's.
              if (--entry.count === 0 && waiting.get(key) === entry) waiting.delete(key)
            }),
          ),
        )
      }),
    wake: (key, value) => {
      const entry = waiting.get(key)
      if (entry === undefined) return
      waiting.delete(key)
      Deferred.doneUnsafe(entry.happened, Effect.succeed(value))
    },
    size: () => waiting.size,
  }
}

/** Restore writer: one commit is written while the next is made ready, and no more than one. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

export interface RestoreWriter<E> {
  /** Begins a write, once the one before is durable. */
  readonly write: (commit: () => Effect.Effect<void, E>) => Effect.Effect<void, E>
  /** Waits until all that was begun is durable. */
  readonly settled: Effect.Effect<void, E>
}

export const make = <E>(): RestoreWriter<E> => {
  let writing: Fiber.Fiber<void, E> | undefined
  const settled = Effect.suspend(() => (writing === undefined ? Effect.void : Fiber.join(writing)))
  return {
    settled,
    write: Effect.fnUntraced(function* (commit) {
      yield* settled
      writing = yield* Effect.forkChild(Effect.suspend(commit), { startImmediately: true })
    }),
  }
}

/** Paging: what goes into one answer, where there can be more than one answer takes. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Limit from "./Limit.ts"

/**
 * The first of a stream that there is, and what there is behind it up to number `newest`, as far as one answer goes. It
 * waits for the first and for no other.
 */
export const page = <A, E>(
  stream: Stream.Stream<A, E>,
  newest: Effect.Effect<number>,
  numberOf: (one: A) => number,
  bytesOf: (one: A) => number,
): Effect.Effect<ReadonlyArray<A>, E> =>
  Effect.gen(function* () {
    const found: Array<A> = []
    let bytes = 0
    let last = -1
    yield* stream.pipe(
      Stream.takeUntilEffect((one) =>
        Effect.gen(function* () {
          if (found.length === 0) last = yield* newest
          found.push(one)
          bytes += bytesOf(one)
          return (
            numberOf(one) >= last || bytes >= Limit.answerPageBytes || found.length >= Limit.answerPageMax
          )
        }),
      ),
      Stream.runDrain,
    )
    return found
  })

/** As many of a list as one answer takes, and one at least where there is one. */
export const cut = <A>(all: ReadonlyArray<A>, bytesOf: (one: A) => number): ReadonlyArray<A> => {
  let bytes = 0
  const end = all.findIndex((one) => (bytes += bytesOf(one)) >= Limit.answerPageBytes)
  return end < 0 ? all : all.slice(0, end + 1)
}

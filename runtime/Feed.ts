/**
 * Feed: numbered things that followers read in order from where they left off, each exactly once, at their own pace.
 *
 * The truth is where the things are stored; `publish` only says that there may be a new one. So a follower can be as
 * slow as it likes, costs the publisher nothing, and starts again after a crash from the last number it kept.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export interface Feed {
  /** Wakes whoever waits for a next number. Call it after the commit. */
  readonly publish: () => void
  /** Everything from `number` on, as `read` finds it; `undefined` means not yet. Never ends. */
  readonly follow: <A>(
    number: number,
    read: (number: number) => A | undefined,
    options?: FollowOptions<A>,
  ) => Stream.Stream<A>
}

export interface FollowOptions<A> {
  /** Where numbers are passed over: which one was found. */
  readonly numberOf?: (found: A) => number
  /** Reads what is new a turn of the event loop later than others do: nobody waits for this follower. */
  readonly behind?: boolean | undefined
}

export const make = (): Feed => {
  let news = Deferred.makeUnsafe<void>()
  const next = <A>(
    number: number,
    read: (number: number) => A | undefined,
    options: FollowOptions<A>,
  ): Effect.Effect<readonly [A, number]> =>
    Effect.suspend(() => {
      const waiting = news
      const found = read(number)
      return found === undefined
        ? Deferred.await(waiting).pipe(
            Effect.andThen(options.behind === true ? Effect.yieldNow : Effect.void),
            Effect.andThen(next(number, read, options)),
          )
        : Effect.succeed([found, (options.numberOf?.(found) ?? number) + 1] as const)
    })
  return {
    publish: () => {
      const waiting = news
      news = Deferred.makeUnsafe<void>()
      Deferred.doneUnsafe(waiting, Effect.void)
    },
    follow: (number, read, options = {}) => Stream.unfold(number, (at) => next(at, read, options)),
  }
}

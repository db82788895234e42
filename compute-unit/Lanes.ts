/**
 * Lanes: many that want to run, a bounded number that do, in the order in which they came. Who wants more after its run
 * comes again and waits behind the others.
 */
import * as Effect from "effect/Effect"

export interface Lanes<A> {
  /** Has `value` run once, when its turn comes. What waits already is not added again. */
  readonly add: (value: A) => Effect.Effect<void>
}

/** `run` never fails. What runs when the scope closes is interrupted. */
export const make = Effect.fnUntraced(function* <A>(options: {
  readonly lanesMax: number
  readonly run: (value: A) => Effect.Effect<void>
}) {
  const { lanesMax, run } = options
  const scope = yield* Effect.scope
  const waiting = new Set<A>()
  let lanes = 0

  /** The next in line. A lane that gets none is over. */
  const next = (): A | undefined => {
    const [first] = waiting
    if (first === undefined) lanes--
    else waiting.delete(first)
    return first
  }
  const lane = Effect.gen(function* () {
    for (let value = next(); value !== undefined; value = next()) yield* run(value)
  })

  const made: Lanes<A> = {
    add: (value) =>
      Effect.suspend(() => {
        waiting.add(value)
        if (lanes === lanesMax) return Effect.void
        lanes++
        return Effect.asVoid(Effect.forkIn(lane, scope))
      }),
  }
  return made
})

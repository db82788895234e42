/**
 * StateDifference: a process after one slot against the same process after another: what it publishes, what its
 * metadata counts, and how its memory differs.
 */
import * as Effect from "effect/Effect"
import type { MemoryDifference } from "./MemoryDifference.ts"
import type { State, Timeline } from "./Timeline.ts"

/** What stands under a key; `undefined` where nothing does. */
export interface Change<V> {
  readonly key: string
  readonly before: V | undefined
  readonly after: V | undefined
}

export interface StateDifference {
  readonly before: State
  readonly after: State
  /** JSON texts. */
  readonly views: ReadonlyArray<Change<string>>
  readonly sent: ReadonlyArray<Change<number>>
  readonly received: ReadonlyArray<Change<number>>
  readonly cron: ReadonlyArray<Change<number>>
  readonly timers: ReadonlyArray<Change<number>>
  readonly memory: MemoryDifference
}

/** In the order of their keys. */
const changes = <V>(
  before: ReadonlyMap<string, V>,
  after: ReadonlyMap<string, V>,
): ReadonlyArray<Change<V>> =>
  [...new Set([...before.keys(), ...after.keys()])]
    .toSorted()
    .map((key) => ({ key, before: before.get(key), after: after.get(key) }))
    .filter((change) => change.before !== change.after)

/** From after slot `a` to after slot `b`. */
export const between = Effect.fnUntraced(function* <E>(timeline: Timeline<E>, a: number, b: number) {
  const before = yield* timeline.state(a)
  const after = yield* timeline.state(b)
  const difference: StateDifference = {
    before,
    after,
    views: changes(before.views, after.views),
    sent: changes(before.sent, after.sent),
    received: changes(before.received, after.received),
    cron: changes(before.cron, after.cron),
    timers: changes(before.timers, after.timers),
    memory: yield* timeline.memoryDifference(a, b),
  }
  return difference
})

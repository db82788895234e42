/**
 * LogWindow: the part of a log that a debugger is in. Steps back and forth in it ask the source nothing.
 */
import * as Effect from "effect/Effect"
import type * as Id from "../runtime/Id.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import type { Turn } from "./ComputeUnit.ts"
import type { LogSource, Stretch } from "./LogSource.ts"

export interface LogWindow<E> {
  /** Slots from `from` on whose turns are there: at most `count`, and none only where `from` has none. */
  readonly take: (from: number, count: number) => Effect.Effect<Stretch, E>
}

/** Slots asked for at once, and how many of them lie before the one wanted, where that is before the window. */
const slotsMax = 256
const slotsBefore = 192

export const make = <E>(source: LogSource<E>, process: Id.ProcessId): LogWindow<E> => {
  let first = 0
  let entries: ReadonlyArray<LogEntry> = []
  let turns: ReadonlyArray<Turn> = []

  const end = () => first + Math.min(entries.length, turns.length)
  const load = Effect.fnUntraced(function* (from: number) {
    const both = [source.log(process, from, slotsMax), source.turns(process, from, slotsMax)] as const
    ;[entries, turns] = yield* Effect.all(both, { concurrency: 2 })
    first = from
  })
  const isIn = (slot: number) => slot >= first && slot < end()
  return {
    take: Effect.fnUntraced(function* (from: number, count: number) {
      if (from < first) yield* load(Math.max(0, from - slotsBefore))
      // A page of large entries is a short one, and may end before.
      if (!isIn(from)) yield* load(from)
      const to = Math.min(end(), from + count)
      return {
        entries: entries.slice(from - first, to - first),
        turns: turns.slice(from - first, to - first),
      }
    }),
  }
}

/**
 * Restore pace: log and turns are restored side by side. Turns wait for the log that they follow; the log does not run
 * away from turns that could go on, so that what was examined is still at hand when its turns come.
 *
 *     log     examine 0-999 | examine 1,000-1,999, while 0-999 is written | ...
 *     turns   wait          | wait                    | take 0-999        | ...
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Follower from "../compute-unit/Follower.ts"
import type * as Id from "../runtime/Id.ts"

/** Entries that are kept for turns: some commits of the log. What is older is read from the store. */
const entriesMax = 4_096

/** Bytes of them. */
const bytesMax = 32 * 1024 * 1024

export interface RestorePace {
  /** Keeps entries of a process that were examined and follow what was kept of it before. */
  readonly keep: (process: Id.ProcessId, examined: ReadonlyArray<Follower.Examined>) => void
  /** Entries that were kept, from a slot on, which are let go; undefined where not all of so many are here. */
  readonly take: (
    process: Id.ProcessId,
    from: number,
    count: number,
  ) => ReadonlyArray<Follower.Examined> | undefined
  /** More of the log is durable. */
  readonly logMoved: () => void
  /** All of the log is there that there will be. */
  readonly logEnded: () => void
  /** Waits until the log has moved since this was asked last; false where it does no more. */
  readonly untilLogMoves: Effect.Effect<boolean>
  /** Waits until turns can't go on without more of the log. */
  readonly untilTurnsWait: Effect.Effect<void>
  /** No more turns are taken. */
  readonly turnsEnded: () => void
}

export const make = (): RestorePace => {
  /** By process and slot, oldest first. */
  const kept = new Map<string, Follower.Examined>()
  let bytes = 0
  const [moved, idle] = [Latch.makeUnsafe(false), Latch.makeUnsafe(false)]
  /** Whether there is no more log, no more turns. */
  const ended = { log: false, turns: false }
  /** Turns that waited can go on, whether or not they have got round to it. */
  const wake = () => {
    if (!ended.turns) idle.closeUnsafe()
    moved.openUnsafe()
  }

  const keyOf = (process: Id.ProcessId, slot: number): string => `${process} ${slot}`
  const sizeOf = ({ entry }: Follower.Examined): number => entry.item.length
  const drop = (key: string): Follower.Examined | undefined => {
    const found = kept.get(key)
    if (found !== undefined) bytes -= sizeOf(found)
    kept.delete(key)
    return found
  }

  const isFull = (): boolean => kept.size > entriesMax || bytes > bytesMax

  return {
    keep: (process, examined) => {
      for (const one of examined) {
        kept.set(keyOf(process, one.entry.slot), one)
        bytes += sizeOf(one)
        while (isFull()) drop(kept.keys().next().value!)
      }
    },
    take: (process, from, count) => {
      const taken: Array<Follower.Examined> = []
      for (let slot = from; slot < from + count; slot++) {
        const one = drop(keyOf(process, slot))
        if (one === undefined) return undefined
        taken.push(one)
      }
      return taken
    },
    logMoved: wake,
    logEnded: () => {
      ended.log = true
      wake()
    },
    untilLogMoves: Effect.suspend(() => {
      if (ended.log) return Effect.succeed(false)
      if (!moved.isOpen()) idle.openUnsafe()
      return Effect.map(moved.await, () => {
        if (!ended.log) moved.closeUnsafe()
        return true
      })
    }),
    untilTurnsWait: idle.await,
    turnsEnded: () => {
      ended.turns = true
      idle.openUnsafe()
    },
  }
}

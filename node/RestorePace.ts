/**
 * Restore pace: log and turns are restored side by side. Turns wait for the log that they follow; the log does not run
 * away from turns that could go on, so that what was examined is still at hand when its turns come.
 *
 *     log     examine 0-999 | examine 1,000-1,999, while 0-999 is written | ...
 *     turns   wait          | wait                    | take 0-999        | ...
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

export interface RestorePace {
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
  const [moved, idle] = [Latch.makeUnsafe(false), Latch.makeUnsafe(false)]
  /** Whether there is no more log, no more turns. */
  const ended = { log: false, turns: false }
  /** Turns that waited can go on, whether or not they have got round to it. */
  const wake = () => {
    if (!ended.turns) idle.closeUnsafe()
    moved.openUnsafe()
  }

  return {
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

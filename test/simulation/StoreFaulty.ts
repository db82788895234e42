/** A store whose commits can be held back and made to fail, before anything of them is written. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { type Put, type Store, StoreFailed } from "../../runtime/Store.ts"

export interface StoreFaulty {
  readonly store: Store["Service"]
  /** From now on commits wait. */
  readonly hold: () => void
  /** Lets those that wait go on, and those that come. */
  readonly release: () => void
  /** Commits that wait now. */
  readonly waiting: () => number
  /** The next so many commits fail with `full`. */
  readonly fail: (commits: number) => void
  /** Puts of every commit that succeeded, in order. */
  readonly committed: ReadonlyArray<ReadonlyArray<Put>>
}

export const bend = (store: Store["Service"]): StoreFaulty => {
  const committed: Array<ReadonlyArray<Put>> = []
  let gate: Deferred.Deferred<void> | undefined
  let waiting = 0
  let failing = 0
  const pass = Effect.suspend(() => {
    if (gate === undefined) return Effect.void
    waiting += 1
    return Effect.ensuring(
      Deferred.await(gate),
      Effect.sync(() => void (waiting -= 1)),
    )
  })
  const commit = (puts: ReadonlyArray<Put>) =>
    Effect.suspend(() => {
      if (failing > 0) {
        failing -= 1
        return Effect.fail(new StoreFailed({ reason: "full", detail: "no space in this test" }))
      }
      return Effect.tap(store.commit(puts), () => Effect.sync(() => void committed.push(puts)))
    })
  return {
    store: { ...store, commit: (puts) => Effect.andThen(pass, commit(puts)) },
    hold: () => void (gate ??= Deferred.makeUnsafe<void>()),
    release: () => {
      if (gate !== undefined) Deferred.doneUnsafe(gate, Effect.void)
      gate = undefined
    },
    waiting: () => waiting,
    fail: (commits) => void (failing = commits),
    committed,
  }
}

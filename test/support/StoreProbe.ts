/**
 * A store that a test watches: it notes the tables of each commit and asks the test what becomes of it, so that a
 * commit can be held back, fail, or be the last thing that a node does.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Bytes from "../../runtime/Bytes.ts"
import { type Put, type Store, StoreFailed } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"

export type Tables = ReadonlyArray<string>

export interface StoreProbe {
  readonly store: Store["Service"]
  /** Tables of each commit that was made, in order. */
  readonly commits: ReadonlyArray<Tables>
  /** Asked before each commit; what it fails with, the commit fails with. */
  before: (tables: Tables) => Effect.Effect<void, StoreFailed>
  /** Asked after each commit, when it is durable and nobody knows it yet. */
  after: (tables: Tables) => Effect.Effect<void, StoreFailed>
}

/** A key begins with its table's name and a zero byte. */
const tablesOf = (puts: ReadonlyArray<Put>): Tables => [
  ...new Set(puts.map(({ key }) => Bytes.toText(key.subarray(0, key.indexOf(0))) ?? "")),
]

export const make = (inner: Store["Service"] = StoreMemory.make()): StoreProbe => {
  const commits: Array<Tables> = []
  const probe: StoreProbe = {
    store: {
      ...inner,
      commit: (puts) =>
        Effect.suspend(() => {
          const tables = tablesOf(puts)
          return probe
            .before(tables)
            .pipe(
              Effect.andThen(inner.commit(puts)),
              Effect.andThen(Effect.suspend(() => (commits.push(tables), probe.after(tables)))),
            )
        }),
    },
    commits,
    before: () => Effect.void,
    after: () => Effect.void,
  }
  return probe
}

/** What a full disk answers. */
export const full = Effect.fail(new StoreFailed({ reason: "full", detail: "no space is left" }))

export interface Barrier {
  /** Waits at the barrier until it is opened. */
  readonly wait: Effect.Effect<void>
  /** Waits until somebody waits there. */
  readonly reached: Effect.Effect<void>
  readonly open: Effect.Effect<void>
}

/** Where something is held until the test lets it go. */
export const barrier = (): Barrier => {
  const [came, opened] = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()]
  return {
    wait: Effect.andThen(Deferred.succeed(came, undefined), Deferred.await(opened)),
    reached: Deferred.await(came),
    open: Effect.asVoid(Deferred.succeed(opened, undefined)),
  }
}

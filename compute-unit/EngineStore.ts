/**
 * EngineStore: the engines that a unit has run, as bytes whose SHA-256 is their id (spec 04 §2). Nothing is attested
 * under an engine before its bytes are kept, so that a later version of heddle can go on with what this one began.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Limit from "../runtime/Limit.ts"
import { type Put, Store, type StoreFailed } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"
import { EngineInvalid, EngineUnknown, Sandbox } from "./Sandbox.ts"

const engines = Table.make<[id: Uint8Array], Uint8Array>("engine")

/** Keeps an engine; writing it again changes nothing. */
export const put = (artifact: Uint8Array): Put => engines.put([Hash.sha256(artifact)], artifact)

export interface EngineStore {
  /** The bytes of an engine as they were written; of a damaged one none. */
  readonly get: (id: Uint8Array) => Uint8Array | undefined
  /** Keeps the engine of this version. */
  readonly keep: Effect.Effect<void, StoreFailed>
  /** Runs `effect`, and again with the engines that it turns out to need, if they are kept here. */
  readonly provide: <A, E, R>(
    effect: Effect.Effect<A, E | EngineUnknown, R>,
  ) => Effect.Effect<A, Exclude<E, EngineUnknown> | EngineInvalid, R>
}

export const make = Effect.gen(function* () {
  const store = yield* Store
  const sandbox = yield* Sandbox
  const given = new Set<string>()
  const giving = Semaphore.makeUnsafe(1)
  let kept = false

  const stored = (id: Uint8Array): Uint8Array | undefined => {
    try {
      return engines.get(store, id)
    } catch {
      return Bytes.empty
    }
  }

  /** Many processes of one old engine wake together; it is given to the threads once. */
  const give = (engine: Uint8Array) =>
    Effect.gen(function* () {
      const key = Bytes.toHex(engine)
      if (given.has(key)) return
      const bytes = stored(engine)
      if (bytes === undefined)
        return yield* new EngineInvalid({ engine, detail: "its bytes are not kept here" })
      yield* sandbox.addEngine(bytes, engine)
      given.add(key)
    }).pipe(giving.withPermits(1))

  const provide = <A, E, R>(
    effect: Effect.Effect<A, E | EngineUnknown, R>,
    left: number = Limit.enginesPerOpenMax,
  ): Effect.Effect<A, Exclude<E, EngineUnknown> | EngineInvalid, R> =>
    effect.pipe(
      Effect.catch((error): Effect.Effect<A, Exclude<E, EngineUnknown> | EngineInvalid, R> => {
        if (!(error instanceof EngineUnknown)) return Effect.fail(error as Exclude<E, EngineUnknown>) // told apart above
        const { engine } = error
        if (left === 0) return Effect.fail(new EngineInvalid({ engine, detail: "its threads lose it" }))
        return Effect.andThen(give(engine), provide(effect, left - 1))
      }),
    )

  const log: EngineStore = {
    get: (id) => {
      const bytes = stored(id)
      return bytes !== undefined && Bytes.equal(Hash.sha256(bytes), id) ? bytes : undefined
    },
    keep: Effect.suspend(() => {
      if (kept) return Effect.void
      const { engine, artifact } = sandbox
      const there = log.get(engine) !== undefined
      const written = there ? Effect.void : store.commit([put(artifact)])
      return Effect.tap(written, () => Effect.sync(() => void (kept = true)))
    }),
    provide: (effect) => provide(effect),
  }
  return log
})

/**
 * Store: the commit domain of a node. What is written in one `commit` is there as a whole or not at all, and when
 * `commit` returns it survives `kill -9` and a power cut. Nothing leaves a node before its commit returned (embargo).
 *
 * Reads are synchronous and see the last commit. Keys are bytes in lexicographic order; `Table.ts` gives them shape.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import * as Limit from "./Limit.ts"

export interface Put {
  readonly key: Uint8Array
  /** `undefined` removes the key. */
  readonly value: Uint8Array | undefined
}

/** Bytes that a commit writes. */
export const putBytes = (puts: ReadonlyArray<Put>): number =>
  puts.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0)

/** Asserts keys that every store can hold, before anything of a commit is written. */
export const assertKeys = (puts: ReadonlyArray<Put>): void => {
  for (const { key } of puts)
    if (key.length === 0 || key.length > Limit.keyBytesMax)
      throw new RangeError(`a key has 1 to ${Limit.keyBytesMax} bytes, not ${key.length}`)
}

/** A commit that did not happen: nothing of it is in the store. */
export class StoreFailed extends Data.TaggedError("StoreFailed")<{
  readonly reason: "full" | "closed" | "io"
  readonly detail: string
}> {
  override get message(): string {
    return `the store did not commit (${this.reason}): ${this.detail}`
  }
}

/** A data folder that can't be opened; `detail` says what to do. */
export class StoreUnavailable extends Data.TaggedError("StoreUnavailable")<{
  readonly folder: string
  readonly reason: "in use" | "newer version" | "io"
  readonly detail: string
}> {
  override get message(): string {
    return `data folder ${this.folder}: ${this.detail}`
  }
}

/** Keys from `from` (included) to `to` (excluded), in order or in reverse. */
export interface Range {
  readonly from: Uint8Array
  readonly to: Uint8Array
  readonly reverse?: boolean
  readonly limit?: number
}

export class Store extends Context.Service<
  Store,
  {
    /** The value under `key`; the bytes are the caller's own. */
    readonly get: (key: Uint8Array) => Uint8Array | undefined
    readonly range: (range: Range) => ReadonlyArray<readonly [key: Uint8Array, value: Uint8Array]>
    /** All of `puts` or none, durable on return. Commits that are asked for together share one flush. */
    readonly commit: (puts: ReadonlyArray<Put>) => Effect.Effect<void, StoreFailed>
    /** Flushes to disk since start: what the cost of an operation is counted in. */
    readonly commits: () => number
  }
>()("heddle/Store") {}

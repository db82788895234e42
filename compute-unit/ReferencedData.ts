/**
 * ReferencedData: what turns are told of data that their messages refer to (spec 01 §7). The bytes are asked of whoever
 * serves the log, compared with their hash, and kept for a while by it: what many processes are told is read once.
 *
 * Of the entries that are run together only the first refers to data, so that a process with many of them holds no more
 * than one turn is told.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as DataReference from "../runtime/DataReference.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"

/** The bytes that a slot refers to can't be had just now. They exist: the scheduler had them when it gave the slot. */
export class DataMissing extends Data.TaggedError("DataMissing")<{
  readonly slot: number
  readonly detail: string
}> {
  override get message(): string {
    return `slot ${this.slot}: ${this.detail}`
  }
}

export const isMissing = (error: unknown): error is DataMissing => error instanceof DataMissing

/** Gives the bytes that a slot refers to. */
export type Fetch<E> = (
  reference: DataReference.DataReference,
  slot: number,
) => Effect.Effect<Uint8Array, E | DataMissing>

/** Bytes by hash, at most `bytesMax` of them together. What was used longest ago goes first. */
class Cache {
  readonly #all = new Map<Id.Id, Uint8Array>()
  readonly #bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get(hash: Id.Id): Uint8Array | undefined {
    const found = this.#all.get(hash)
    if (found !== undefined && this.#all.delete(hash)) this.#all.set(hash, found)
    return found
  }

  set(hash: Id.Id, bytes: Uint8Array): void {
    this.#delete(hash)
    this.#all.set(hash, bytes)
    this.#bytes += bytes.length
    for (const oldest of this.#all.keys()) {
      if (this.#bytes <= this.#bytesMax) return
      this.#delete(oldest)
    }
  }

  #delete(hash: Id.Id): void {
    this.#bytes -= this.#all.get(hash)?.length ?? 0
    this.#all.delete(hash)
  }
}

/** `cacheBytesMax` bounds what is kept; only tests make it smaller. */
export const make = <E>(
  read: (hash: Id.Id) => Effect.Effect<Uint8Array | undefined, E>,
  cacheBytesMax: number = Limit.dataCacheBytesMax,
): Fetch<E> => {
  const cache = new Cache(cacheBytesMax)
  return Effect.fnUntraced(function* (reference, slot) {
    const { hash, length } = reference
    const kept = cache.get(hash)
    if (kept?.length === length) return kept
    const bytes = yield* read(hash)
    const missing = (what: string) =>
      new DataMissing({ slot, detail: `the ${length} bytes of hash ${hash} that it refers to ${what}` })
    if (bytes === undefined) return yield* missing("are not to be had")
    if (!DataReference.fits(reference, bytes)) return yield* missing("are others than their hash says")
    cache.set(hash, bytes)
    return bytes
  })
}

/** Entries in pieces, each beginning where something has to be brought for its first entry. */
export const pieces = <A>(
  entries: ReadonlyArray<A>,
  begins: (entry: A) => boolean,
): ReadonlyArray<ReadonlyArray<A>> => {
  const starts = [...entries.keys()].filter((i) => i === 0 || begins(entries[i]!))
  return starts.map((start, i) => entries.slice(start, starts[i + 1]))
}

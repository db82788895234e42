/**
 * Counts: a map of numbers as the metadata hashes it (spec 04 §4), kept between roots.
 *
 *     SHA-256(L("map", key, u64 value, key, u64 value, ...))      keys in the order of their UTF-8
 *
 * A process may know ten thousand others, and a turn counts on for one or two of them: sorting and writing all of them
 * at every root would cost more than the turn. What is kept is compared with the map each time, so nobody has to tell
 * it of a change.
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"

type CountMap = ReadonlyMap<string, number>

const start = Hash.layout("map")
const empty = Hash.sha256(start)

/** Bytes of an entry beside its key: two lengths and the value. */
const entryBytes = 4 + 4 + 8

/** Texts in the order of their UTF-8. That of their units is the same where all are ASCII, and found in a tenth of the time. */
export const inOrder = (texts: Iterable<string>): ReadonlyArray<string> => {
  const all = [...texts]
  // oxlint-disable-next-line no-control-regex -- ASCII is what is meant
  if (all.every((text) => /^[\x00-\x7f]*$/.test(text)))
    return all.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const pairs = all.map((text) => [text, Bytes.fromText(text)] as const)
  return pairs.toSorted(([, a], [, b]) => Bytes.compare(a, b)).map(([text]) => text)
}

class Written {
  readonly #keys: ReadonlyArray<string>
  readonly #values: Array<number>
  /** Where each value stands in the bytes. */
  readonly #places: Array<number> = []
  readonly #bytes: Buffer
  #hash: Uint8Array | undefined

  constructor(map: CountMap) {
    this.#keys = inOrder(map.keys())
    this.#values = this.#keys.map(() => -1)
    const lengths = this.#keys.map((key) => Buffer.byteLength(key))
    this.#bytes = Buffer.alloc(lengths.reduce((sum, length) => sum + length + entryBytes, start.length))
    this.#bytes.set(start)
    let at = start.length
    for (const [i, key] of this.#keys.entries()) {
      const length = lengths[i]!
      Bytes.setU32(this.#bytes, at, length)
      this.#bytes.write(key, at + 4)
      Bytes.setU32(this.#bytes, at + 4 + length, 8)
      this.#places.push(at + 8 + length)
      at += length + entryBytes
    }
  }

  /** The hash of the map as it is now; `undefined` where its keys are others. */
  hashOf(map: CountMap): Uint8Array | undefined {
    if (map.size !== this.#keys.length) return undefined
    for (let i = 0; i < this.#keys.length; i++) {
      const value = map.get(this.#keys[i]!)
      if (value === undefined) return undefined
      if (value === this.#values[i]) continue
      this.#bytes.set(Bytes.u64(value), this.#places[i])
      this.#values[i] = value
      this.#hash = undefined
    }
    return (this.#hash ??= Hash.sha256(this.#bytes))
  }
}

const kept = new WeakMap<CountMap, Written>()

/** The hash of a map. */
export const hash = (map: CountMap): Uint8Array => {
  if (map.size === 0) return empty
  const known = kept.get(map)?.hashOf(map)
  if (known !== undefined) return known
  const written = new Written(map)
  kept.set(map, written)
  return written.hashOf(map)! // its keys are those of the map
}

/**
 * Table: a named part of the store with typed keys and values. Keys sort by their parts; values are msgpack, which
 * only our own processes read: nothing that is signed or hashed goes through it.
 */
import { Packr } from "msgpackr"
import * as Bytes from "./Bytes.ts"
import type { Put, Range, Store } from "./Store.ts"

/** Part of a key: an id's or hash's bytes, or a number in big-endian so that it sorts. */
export type KeyPart = Uint8Array | number

const isPart = (from: KeyPart | ReadonlyArray<KeyPart>): from is KeyPart =>
  typeof from === "number" || from instanceof Uint8Array

const packr = new Packr({ structuredClone: false, useRecords: false, int64AsType: "bigint" })

const part = (value: KeyPart): Uint8Array => {
  if (typeof value !== "number") return value
  const out = new Uint8Array(8)
  new DataView(out.buffer).setBigUint64(0, BigInt(value))
  return out
}

export interface Table<K extends ReadonlyArray<KeyPart>, V> {
  readonly key: (...parts: K) => Uint8Array
  readonly get: (store: Store["Service"], ...parts: K) => V | undefined
  readonly put: (parts: K, value: V) => Put
  readonly remove: (parts: K) => Put
  /** Values whose key begins with `prefix`, in order of the rest; from `from` (parts of the rest) where given. */
  readonly list: (
    store: Store["Service"],
    prefix: ReadonlyArray<KeyPart>,
    options?: { readonly from?: KeyPart | ReadonlyArray<KeyPart> } & Pick<Range, "reverse" | "limit">,
  ) => ReadonlyArray<V>
}

/** Defines a table. `name` is unique in the store and never changes once written. */
export const make = <K extends ReadonlyArray<KeyPart>, V>(name: string): Table<K, V> => {
  const head = Bytes.concat([Bytes.fromText(name), Bytes.u8(0)])
  const key = (...parts: ReadonlyArray<KeyPart>): Uint8Array => Bytes.concat([head, ...parts.map(part)])
  const decode = (bytes: Uint8Array): V => packr.unpack(bytes) as V // what `put` packed under this name
  return {
    key,
    get: (store, ...parts) => {
      const bytes = store.get(key(...parts))
      return bytes === undefined ? undefined : decode(bytes)
    },
    put: (parts, value) => ({ key: key(...parts), value: new Uint8Array(packr.pack(value)) }),
    remove: (parts) => ({ key: key(...parts), value: undefined }),
    list: (store, prefix, { from = [], ...options } = {}) => {
      const start = key(...prefix, ...(isPart(from) ? [from] : from))
      const end = Bytes.concat([key(...prefix), new Uint8Array(64).fill(0xff)])
      return store.range({ from: start, to: end, ...options }).map(([, value]) => decode(value))
    },
  }
}

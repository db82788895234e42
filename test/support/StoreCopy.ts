/** Looks into a store under the tables: copies it, and changes what stands in it as a fault of the disk would. */
import * as Effect from "effect/Effect"
import * as Bytes from "../../runtime/Bytes.ts"
import type { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"

type Service = Store["Service"]

export interface Row {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Rows of a table, in order of their keys. */
export const rows = (store: Service, table: string): ReadonlyArray<Row> => {
  const head = Bytes.concat([Bytes.fromText(table), Bytes.u8(0)])
  const to = Bytes.concat([Bytes.fromText(table), Bytes.u8(1)])
  return store.range({ from: head, to }).map(([key, value]) => ({ key, value }))
}

/** A store of its own with all that is in `store`, but for some tables. */
export const copy = Effect.fnUntraced(function* (store: Service, without: ReadonlyArray<string> = []) {
  const made = StoreMemory.make()
  const omitted = new Set(without.flatMap((table) => rows(store, table)).map(({ key }) => Bytes.toHex(key)))
  const all = store.range({ from: Uint8Array.of(0), to: new Uint8Array(64).fill(0xff) })
  const puts = all.map(([key, value]) => ({ key, value })).filter(({ key }) => !omitted.has(Bytes.toHex(key)))
  yield* Effect.orDie(made.commit(puts))
  return made
})

/** Turns one bit of a row's value around. */
export const flip = (store: Service, { key, value }: Row, bit: number) => {
  const flipped = Bytes.copy(value)
  flipped[bit >> 3]! ^= 1 << (bit & 7)
  return Effect.orDie(store.commit([{ key, value: flipped }]))
}

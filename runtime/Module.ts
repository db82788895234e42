/**
 * Module: guest code, named by its content (spec 01 §9). Processes of one module share its boot image.
 */
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import type { Store } from "./Store.ts"
import * as Table from "./Table.ts"

/** What the bytes are: one JavaScript script in UTF-8, or one WebAssembly module. */
export type Format = "javascript" | "webassembly"

const magic = Uint8Array.of(0, 0x61, 0x73, 0x6d)

/** Told from the first bytes: no script begins with a zero. */
export const format = (source: Uint8Array): Format =>
  Bytes.equal(source.subarray(0, magic.length), magic) ? "webassembly" : "javascript"

export const id = (source: Uint8Array): Id.Id =>
  Id.fromBytes(Hash.tagged("heddle/module/1", Bytes.fromText(format(source)), source))

const table = Table.make<[Uint8Array], Uint8Array>("module")

export const get = (store: Store["Service"], module: Id.Id): Uint8Array | undefined =>
  table.get(store, Id.toBytes(module))

/** Keeps a module; writing it again changes nothing. */
export const put = (source: Uint8Array) => table.put([Id.toBytes(id(source))], source)

/**
 * ANS-104 bundle: many items as the data of one item or transaction (spec 01 §10).
 *
 *     32-byte count | count x (32-byte size | 32-byte id) | items          numbers little-endian
 *
 * One bundle has one spelling: sizes add up to the last byte, and each id is that of the item in its place.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import * as Item from "./Item.ts"

/** A bundle that can't be read. `place` is that of the item concerned, where it is one. */
export class BundleInvalid extends Data.TaggedError("BundleInvalid")<{
  readonly reason: "truncated" | "not canonical" | "trailing bytes" | "item" | "id"
  readonly place: number | undefined
  readonly detail: string
}> {
  override get message(): string {
    const where = this.place === undefined ? "" : ` at item ${this.place}`
    return `bundle refused, ${this.reason}${where}: ${this.detail}`
  }
}

/** An item's place in a bundle before anyone has read it as an item. */
export interface Entry {
  readonly id: Uint8Array
  readonly bytes: Uint8Array
}

const fail = (reason: BundleInvalid["reason"], detail: string, place?: number) =>
  Result.fail(new BundleInvalid({ reason, place, detail }))

/** A 32-byte number of which everything above 2^53 is zero. */
const wide = (value: number): Uint8Array => Bytes.concat([Bytes.u64(value), new Uint8Array(24)])

const readWide = (reader: Bytes.Reader): number => {
  const value = reader.count()
  if (reader.take(24).some((byte) => byte !== 0)) throw new RangeError("a count or size is over 2^53 - 1")
  return value
}

export const encode = (items: ReadonlyArray<Item.Item>): Uint8Array =>
  Bytes.concat([
    wide(items.length),
    ...items.flatMap((item) => [wide(item.bytes.length), Id.toBytes(item.id)]),
    ...items.map((item) => item.bytes),
  ])

/** Where an item stands in a bundle: from byte `from` to byte `to`, which is not its own any more. */
export interface Place {
  readonly id: Uint8Array
  readonly from: number
  readonly to: number
}

/** Runs a reading of a bundle's table; every way in which bytes can be wrong has its name. */
const reading = <A>(
  bytes: Uint8Array,
  read: (reader: Bytes.Reader) => Result.Result<A, BundleInvalid>,
): Result.Result<A, BundleInvalid> => {
  try {
    return read(new Bytes.Reader(bytes))
  } catch (error) {
    if (error instanceof Bytes.EndOfBytes) return fail("truncated", `the bundle ends at byte ${error.offset}`)
    if (error instanceof RangeError) return fail("not canonical", error.message)
    throw error
  }
}

/** Bytes of count and table of the bundle that begins with `start`: 32 bytes of it are enough. */
export const tableBytes = (start: Uint8Array): Result.Result<number, BundleInvalid> =>
  reading(start, (reader) => Result.succeed(32 + 64 * readWide(reader)))

/** Places of a bundle of `length` bytes, of which `start` holds the table at least. */
export const places = (
  start: Uint8Array,
  length: number,
): Result.Result<ReadonlyArray<Place>, BundleInvalid> =>
  reading(start, (reader) => {
    const count = readWide(reader)
    if (count * 64 > reader.remaining)
      return fail("truncated", `${count} items announced, and the table of them ends early`)
    const table = Array.from({ length: count }, () => ({
      size: readWide(reader),
      id: reader.take(Hash.length),
    }))
    const found: Array<Place> = []
    let at = reader.offset
    for (const [place, { size, id }] of table.entries()) {
      if (size > length - at) return fail("truncated", `${size} bytes announced, ${length - at} left`, place)
      found.push({ id, from: at, to: at + size })
      at += size
    }
    if (length > at) return fail("trailing bytes", `${length - at} bytes follow the last item`)
    return Result.succeed(found)
  })

/** The entries of a bundle as windows on it, of whatever signature types. */
export const entries = (bytes: Uint8Array): Result.Result<ReadonlyArray<Entry>, BundleInvalid> =>
  Result.map(places(bytes, bytes.length), (found) =>
    found.map(({ id, from, to }) => ({ id, bytes: bytes.subarray(from, to) })),
  )

/** The items of a bundle. Total: every byte string is a list of items or a named refusal. */
export const decode = (bytes: Uint8Array): Result.Result<ReadonlyArray<Item.Item>, BundleInvalid> => {
  const table = entries(bytes)
  if (Result.isFailure(table)) return Result.fail(table.failure)
  const items: Array<Item.Item> = []
  for (const [place, entry] of table.success.entries()) {
    const item = Item.decode(entry.bytes)
    if (Result.isFailure(item)) return fail("item", item.failure.message, place)
    if (!Bytes.equal(Id.toBytes(item.success.id), entry.id))
      return fail(
        "id",
        `the table says ${Bytes.toBase64Url(entry.id)}, the item is ${item.success.id}`,
        place,
      )
    items.push(item.success)
  }
  return Result.succeed(items)
}

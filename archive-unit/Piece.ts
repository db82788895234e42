/**
 * Piece: an item that carries a content, or a part of one, into the archive (spec 07 §6). Its signature says who
 * archived it and nothing about what it holds.
 *
 *     content -> one zstd frame -> parts of 8 MiB -> items, and items of type Index where processes are left over
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import type * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import type * as Tag from "../runtime/Tag.ts"
import * as Compression from "./Compression.ts"
import * as Content from "./Content.ts"
import * as PieceTags from "./PieceTags.ts"
import type { SlotRange } from "./SlotRanges.ts"

export { PieceInvalid } from "./PieceTags.ts"

/** Fields of an item that still has to be signed (`SignedItem.sign`). */
export interface Unsigned {
  readonly tags: ReadonlyArray<Tag.Tag>
  readonly data: Uint8Array
}

/** A part of a content with the data that it carries. */
export interface Part extends PieceTags.PartTags {
  readonly data: Uint8Array
}

export type Piece = Part | PieceTags.IndexTags

/** Cuts a compressed content into parts, and names what their tags have no room for in index pieces. */
export const cut = (
  head: PieceTags.Head,
  slots: ReadonlyArray<SlotRange>,
  compressed: Uint8Array,
): ReadonlyArray<Unsigned> => {
  const parts = Math.max(1, Math.ceil(compressed.length / Limit.archivePartBytesMax))
  const content = Id.fromBytes(Hash.sha256(compressed))
  // The last part's number is the longest, so what fits beside it fits beside each.
  const last: PieceTags.PartTags = { kind: "part", head, content, part: parts - 1, parts, slots: [] }
  const fit = PieceTags.room(last, slots, 0)
  const pieces: Array<Unsigned> = Array.from({ length: parts }, (_, part) => ({
    tags: PieceTags.encode({ ...last, part, slots: slots.slice(0, fit) }),
    data: compressed.subarray(part * Limit.archivePartBytesMax, (part + 1) * Limit.archivePartBytesMax),
  }))
  const index: PieceTags.IndexTags = { kind: "index", head, content, slots: [] }
  for (let from = fit; from < slots.length;) {
    const more = PieceTags.room(index, slots, from)
    pieces.push({
      tags: PieceTags.encode({ ...index, slots: slots.slice(from, from + more) }),
      data: Bytes.empty,
    })
    from += more
  }
  return pieces
}

/** The pieces of a content, still to be signed. */
export const make = Effect.fnUntraced(function* (
  head: PieceTags.Head,
  slots: ReadonlyArray<SlotRange>,
  content: Uint8Array,
): Effect.fn.Return<ReadonlyArray<Unsigned>, Content.ContentInvalid> {
  const { type } = head
  if (content.length > Content.bytesMax[type])
    return yield* new Content.ContentInvalid({
      type,
      reason: "too large",
      offset: undefined,
      detail: `${content.length} bytes; at most ${Content.bytesMax[type]} are allowed`,
    })
  return cut(head, slots, yield* Compression.compress(content))
})

const refuse = (reason: PieceTags.PieceInvalid["reason"], detail: string, part?: number) =>
  Result.fail(new PieceTags.PieceInvalid({ reason, part, detail }))

/** Reads an item as a piece. Total: every item is a piece or a named refusal. */
export const read = (
  item: Pick<Item.Content, "target" | "tags" | "data">,
): Result.Result<Piece, PieceTags.PieceInvalid> => {
  const tags = PieceTags.decode(item.tags)
  if (Result.isFailure(tags)) return Result.fail(tags.failure)
  const [piece, data] = [tags.success, item.data]
  if (item.target.length !== 0) return refuse("other protocol", "a piece is addressed to nobody")
  if (piece.kind === "index")
    return data.length === 0
      ? Result.succeed(piece)
      : refuse("data", `an index has no data, and there are ${data.length} bytes`)
  const full = Limit.archivePartBytesMax
  const [min, max] = piece.part === piece.parts - 1 ? [1, full] : [full, full]
  return data.length >= min && data.length <= max
    ? Result.succeed({ ...piece, data })
    : refuse("data", `it has ${data.length} bytes; ${min} to ${max} are allowed`, piece.part)
}

/** Whether two parts are of one content: their tags are equal but for the number of the part. */
const together = (a: Part, b: Part): boolean => {
  const [one, other] = [a, b].map((part) => JSON.stringify(PieceTags.encode({ ...part, part: 0 })))
  return one === other
}

/** The compressed content that parts make, in whatever order they come. */
export const join = (parts: ReadonlyArray<Part>): Result.Result<Uint8Array, PieceTags.PieceInvalid> => {
  const first = parts[0]
  if (first === undefined) return refuse("part missing", "there is no part", 0)
  const found: Array<Part | undefined> = Array.from({ length: first.parts })
  for (const part of parts) {
    if (!together(first, part))
      return refuse("other content", `it is of ${part.content}, the first of ${first.content}`, part.part)
    if (found[part.part] !== undefined) return refuse("part repeated", "it is there twice", part.part)
    found[part.part] = part
  }
  const data: Array<Uint8Array> = []
  for (const [number, part] of found.entries()) {
    if (part === undefined) return refuse("part missing", `of ${first.parts} parts it is not there`, number)
    data.push(part.data)
  }
  const compressed = data.length === 1 ? data[0]! : Bytes.concat(data)
  const hash = Id.fromBytes(Hash.sha256(compressed))
  return hash === first.content
    ? Result.succeed(compressed)
    : refuse("hash", `the parts make ${hash}, their tags say ${first.content}`)
}

/** The content that parts make: what its type's decoder reads. */
export const content = Effect.fnUntraced(function* (
  parts: ReadonlyArray<Part>,
): Effect.fn.Return<Uint8Array, PieceTags.PieceInvalid> {
  const compressed = yield* Effect.fromResult(join(parts))
  const { type } = parts[0]!.head // `join` has refused where there is none
  return yield* Compression.decompress(compressed, Content.bytesMax[type]).pipe(
    Effect.mapError(
      (error) =>
        new PieceTags.PieceInvalid({ reason: "compression", part: undefined, detail: error.message }),
    ),
  )
})

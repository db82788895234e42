/**
 * Catalog: what an archive says it has. Pieces are found by their tags and put together as contents, each with all the
 * places where a copy of each part lies. Everything here is a hint: what a content holds is seen when it is read.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { Archive, ArchiveUnavailable, Query } from "../runtime/Archive.ts"
import type * as Id from "../runtime/Id.ts"
import type * as Content from "./Content.ts"
import * as PieceTags from "./PieceTags.ts"
import * as SlotRanges from "./SlotRanges.ts"

/** A content by the tags of its pieces. */
export interface Listed {
  /** Tells it from any other, copies of it included that have other tags. */
  readonly key: string
  readonly head: PieceTags.Head
  readonly content: Id.Id
  /** The tags that each part must have, but for its number. */
  readonly tags: PieceTags.PartTags
  /** Where each part lies, oldest first. */
  readonly copies: ReadonlyArray<ReadonlyArray<string>>
  /** Bytes of its parts, each counted once. */
  readonly bytes: number
  /** One range a process, those of index pieces included. */
  readonly slots: ReadonlyArray<SlotRanges.SlotRange>
}

/** The content in words, by its tags. */
export const describe = ({ head }: Pick<Listed, "head">): string => {
  switch (head.type) {
    case "Batches":
      return `batches ${head.firstBatch} to ${head.lastBatch}`
    case "Turns":
      return `releases ${head.firstRelease} to ${head.lastRelease}`
    case "Snapshot":
      return `snapshot of ${head.process} after slot ${head.slot}`
    case "Module":
      return `module ${head.module}`
    case "Engine":
    case "Data":
      return head.type.toLowerCase()
  }
}

type Tags = Query["tags"]

interface Listing {
  readonly tags: PieceTags.PartTags
  readonly copies: Array<Array<string>>
  readonly sizes: Array<number>
  readonly slots: Array<SlotRanges.SlotRange>
}

const protocol = { name: "Data-Protocol", values: ["heddle"] }

const read = (archive: Archive["Service"], tags: Tags) =>
  archive.find({ tags: [protocol, ...tags] }).pipe(
    Stream.map((found) => ({ found, tags: Result.getOrUndefined(PieceTags.decode(found.tags)) })),
    Stream.filter(({ tags: piece }) => piece !== undefined),
  )

/** Of an index piece: where the parts of its content are to be found. */
const partsOf = ({ head, content }: PieceTags.IndexTags): Tags => [
  { name: "Type", values: [head.type] },
  head.type === "Batches"
    ? { name: "Scheduler", values: [head.scheduler] }
    : { name: "Compute", values: [head.type === "Turns" ? head.compute : ""] },
  { name: "Content", values: [content] },
]

/** Contents of a type that these tags find, those included that only an index piece leads to. */
export const list = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  type: Content.Type,
  tags: Tags,
): Effect.fn.Return<ReadonlyArray<Listed>, ArchiveUnavailable> {
  const listings = new Map<string, Listing>()
  const indexes: Array<PieceTags.IndexTags> = []

  const take = ({
    found,
    tags: piece,
  }: {
    readonly found: { location: string; size: number }
    readonly tags: PieceTags.PieceTags | undefined
  }) => {
    if (piece === undefined || piece.head.type !== type) return
    if (piece.kind === "index") {
      indexes.push(piece)
      return
    }
    const key = JSON.stringify(PieceTags.encode({ ...piece, part: 0 }))
    const listing = listings.get(key) ?? {
      tags: piece,
      copies: Array.from({ length: piece.parts }, () => []),
      sizes: Array.from({ length: piece.parts }, () => 0),
      slots: [...piece.slots],
    }
    listings.set(key, listing)
    const copies = listing.copies[piece.part]!
    if (!copies.includes(found.location)) copies.push(found.location)
    listing.sizes[piece.part] = Math.max(listing.sizes[piece.part]!, found.size)
  }

  const types = type === "Batches" || type === "Turns" ? [type, "Index"] : [type]
  yield* Stream.runForEach(read(archive, [{ name: "Type", values: types }, ...tags]), (one) =>
    Effect.sync(() => take(one)),
  )
  const known = new Set([...listings.values()].map(({ tags: { content } }) => content))
  const named = new Map(indexes.filter(({ content }) => !known.has(content)).map((one) => [one.content, one]))
  for (const index of named.values())
    yield* Stream.runForEach(read(archive, partsOf(index)), (one) => Effect.sync(() => take(one)))
  for (const index of indexes)
    for (const listing of listings.values())
      if (listing.tags.content === index.content) listing.slots.push(...index.slots)

  return Array.from(listings, ([key, { tags: of, copies, sizes, slots }]): Listed => ({
    key,
    head: of.head,
    content: of.content,
    tags: of,
    copies,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    slots: SlotRanges.of(slots),
  }))
})

/**
 * Tags of a piece (spec 07 §6): what makes it findable. A tag is believed in nothing; it says where to look.
 *
 *     Data-Protocol: heddle | Variant: heddle.1 | Type | Content-Type | Content | Part | Parts | head | Process, Slots...
 *     Data-Protocol: heddle | Variant: heddle.1 | Type: Index | Of | head | Process, Slots...
 *
 * The order is fixed and nothing else may stand there, so tags have one spelling. All parts of a content have the same
 * tags but for `Part`.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Bytes from "../runtime/Bytes.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Tag from "../runtime/Tag.ts"
import type * as Content from "./Content.ts"
import type { SlotRange } from "./SlotRanges.ts"

/** What a content is about. */
export type Head =
  | {
      readonly type: "Batches"
      readonly scheduler: Id.Address
      readonly firstBatch: number
      readonly lastBatch: number
      /** Of the first batch. */
      readonly previousRoot: Uint8Array
      /** Of the last batch. */
      readonly root: Uint8Array
    }
  | {
      readonly type: "Turns"
      readonly compute: Id.Address
      readonly firstRelease: number
      readonly lastRelease: number
    }
  | {
      readonly type: "Snapshot"
      readonly compute: Id.Address
      readonly process: Id.ProcessId
      readonly slot: number
      readonly stateRoot: Uint8Array
      readonly engine: Uint8Array
    }
  | { readonly type: "Module"; readonly module: Id.Id }
  | { readonly type: "Engine"; readonly engine: Uint8Array }
  | { readonly type: "Data"; readonly hash: Uint8Array }

export interface PartTags {
  readonly kind: "part"
  readonly head: Head
  /** SHA-256 of the whole compressed content. */
  readonly content: Id.Id
  readonly part: number
  readonly parts: number
  readonly slots: ReadonlyArray<SlotRange>
}

/** More processes of a content than fit the tags of its parts. */
export interface IndexTags {
  readonly kind: "index"
  readonly head: Head
  readonly content: Id.Id
  readonly slots: ReadonlyArray<SlotRange>
}

export type PieceTags = PartTags | IndexTags

/** An item that is no piece, or pieces that do not make a content. */
export class PieceInvalid extends Data.TaggedError("PieceInvalid")<{
  readonly reason:
    | "other protocol"
    | "unknown type"
    | "tags"
    | "data"
    | "part missing"
    | "part repeated"
    | "other content"
    | "hash"
    | "compression"
  /** The part concerned, where it is one. */
  readonly part: number | undefined
  readonly detail: string
}> {
  override get message(): string {
    const where = this.part === undefined ? "" : ` at part ${this.part}`
    return `piece refused, ${this.reason}${where}: ${this.detail}`
  }
}

type Pair = readonly [name: string, value: string]

const protocol: ReadonlyArray<Pair> = [
  ["Data-Protocol", "heddle"],
  ["Variant", "heddle.1"],
]
const contentType = "application/zstd"

const text = (bytes: Uint8Array): string => Bytes.toBase64Url(bytes)

const headPairs = (head: Head): ReadonlyArray<Pair> => {
  switch (head.type) {
    case "Batches":
      return [
        ["Scheduler", head.scheduler],
        ["First-Batch", String(head.firstBatch)],
        ["Last-Batch", String(head.lastBatch)],
        ["Previous-Root", text(head.previousRoot)],
        ["Root", text(head.root)],
      ]
    case "Turns":
      return [
        ["Compute", head.compute],
        ["First-Release", String(head.firstRelease)],
        ["Last-Release", String(head.lastRelease)],
      ]
    case "Snapshot":
      return [
        ["Compute", head.compute],
        ["Process", head.process],
        ["Slot", String(head.slot)],
        ["State-Root", text(head.stateRoot)],
        ["Engine", text(head.engine)],
      ]
    case "Module":
      return [["Module", head.module]]
    case "Engine":
      return [["Engine", text(head.engine)]]
    case "Data":
      return [["Data-Hash", text(head.hash)]]
  }
}

const slotPairs = ({ process, first, last }: SlotRange): ReadonlyArray<Pair> => [
  ["Process", process],
  ["Slots", `${first}-${last}`],
]

const pairs = (tags: PieceTags): ReadonlyArray<Pair> => [
  ...protocol,
  ...(tags.kind === "part"
    ? ([
        ["Type", tags.head.type],
        ["Content-Type", contentType],
        ["Content", tags.content],
        ["Part", String(tags.part)],
        ["Parts", String(tags.parts)],
      ] as const)
    : ([
        ["Type", "Index"],
        ["Of", tags.content],
      ] as const)),
  ...headPairs(tags.head),
  ...tags.slots.flatMap(slotPairs),
]

export const encode = (tags: PieceTags): ReadonlyArray<Tag.Tag> =>
  pairs(tags).map(([name, value]) => ({ name, value }))

const fits = (tags: PieceTags): boolean => Result.isSuccess(Tag.encode(encode(tags)))

/** How many of `slots` from `from` on fit beside the rest of the tags. */
export const room = (tags: PieceTags, slots: ReadonlyArray<SlotRange>, from: number): number => {
  let [fit, over] = [0, Math.min(slots.length - from, Limit.tagsMax) + 1]
  while (over - fit > 1) {
    const middle = (fit + over) >> 1
    if (fits({ ...tags, slots: slots.slice(from, from + middle) })) fit = middle
    else over = middle
  }
  return fit
}

/** Takes tags one after another, by the name that must come. */
class TagReader {
  readonly tags: ReadonlyArray<Tag.Tag>
  at = 0

  constructor(tags: ReadonlyArray<Tag.Tag>) {
    this.tags = tags
  }

  get done(): boolean {
    return this.at === this.tags.length
  }

  text(name: string): string {
    const tag = this.tags[this.at]
    if (tag?.name !== name) throw new RangeError(`tag ${this.at} is ${tag?.name ?? "not there"}, not ${name}`)
    this.at += 1
    return tag.value
  }

  number(name: string): number {
    const spelled = this.text(name)
    const value = numberOf(spelled)
    if (value === undefined) throw new RangeError(`${name} is "${spelled}", not a number`)
    return value
  }

  id(name: string): Id.Id {
    const spelled = this.text(name)
    const id = Id.parse(spelled)
    if (id === undefined) throw new RangeError(`${name} is "${spelled}", not 32 bytes in base64url`)
    return id
  }

  hash(name: string): Uint8Array {
    return Id.toBytes(this.id(name))
  }
}

/** The number that `spelled` is the one decimal spelling of. */
const numberOf = (spelled: string): number | undefined => {
  const value = Number(spelled)
  return Number.isSafeInteger(value) && value >= 0 && String(value) === spelled ? value : undefined
}

const readHead = (reader: TagReader, type: Content.Type): Head => {
  switch (type) {
    case "Batches": {
      const head = {
        type,
        scheduler: reader.id("Scheduler"),
        firstBatch: reader.number("First-Batch"),
        lastBatch: reader.number("Last-Batch"),
        previousRoot: reader.hash("Previous-Root"),
        root: reader.hash("Root"),
      }
      if (head.lastBatch < head.firstBatch) throw new RangeError("the last batch is before the first")
      return head
    }
    case "Turns": {
      const head = {
        type,
        compute: reader.id("Compute"),
        firstRelease: reader.number("First-Release"),
        lastRelease: reader.number("Last-Release"),
      }
      if (head.lastRelease < head.firstRelease) throw new RangeError("the last release is before the first")
      return head
    }
    case "Snapshot":
      return {
        type,
        compute: reader.id("Compute"),
        process: reader.id("Process"),
        slot: reader.number("Slot"),
        stateRoot: reader.hash("State-Root"),
        engine: reader.hash("Engine"),
      }
    case "Module":
      return { type, module: reader.id("Module") }
    case "Engine":
      return { type, engine: reader.hash("Engine") }
    case "Data":
      return { type, hash: reader.hash("Data-Hash") }
  }
}

const readSlots = (reader: TagReader, type: Content.Type): ReadonlyArray<SlotRange> => {
  const slots: Array<SlotRange> = []
  if (type !== "Batches" && type !== "Turns") return slots
  while (!reader.done) {
    const process = reader.id("Process")
    const spelled = reader.text("Slots")
    const [first, last, more] = spelled.split("-").map(numberOf)
    if (
      first === undefined ||
      last === undefined ||
      more !== undefined ||
      last < first ||
      spelled !== `${first}-${last}`
    )
      throw new RangeError(`Slots is "${spelled}", not a range`)
    slots.push({ process, first, last })
  }
  return slots
}

const isContentType = (type: string): type is Content.Type =>
  ["Batches", "Turns", "Snapshot", "Module", "Engine", "Data"].includes(type)

const readPart = (reader: TagReader, type: Content.Type): PartTags => {
  const found = reader.text("Content-Type")
  if (found !== contentType) throw new RangeError(`Content-Type is ${found}, not ${contentType}`)
  const content = reader.id("Content")
  const [part, parts] = [reader.number("Part"), reader.number("Parts")]
  if (parts < 1 || parts > Limit.archivePartsMax || part >= parts)
    throw new RangeError(`part ${part} of ${parts}; at most ${Limit.archivePartsMax} are allowed`)
  return { kind: "part", content, part, parts, head: readHead(reader, type), slots: readSlots(reader, type) }
}

const readIndex = (reader: TagReader): IndexTags => {
  const content = reader.id("Of")
  const type = reader.tags[reader.at]?.name === "Scheduler" ? "Batches" : "Turns"
  const head = readHead(reader, type)
  const slots = readSlots(reader, type)
  if (slots.length === 0) throw new RangeError("an index names no process")
  return { kind: "index", content, head, slots }
}

/** Reads tags. Total: any tags are those of a piece or a named refusal. */
export const decode = (tags: ReadonlyArray<Tag.Tag>): Result.Result<PieceTags, PieceInvalid> => {
  const fail = (reason: PieceInvalid["reason"], detail: string) =>
    Result.fail(new PieceInvalid({ reason, part: undefined, detail }))
  const reader = new TagReader(tags)
  try {
    for (const [name, value] of protocol) {
      const tag = tags[reader.at]
      if (tag?.name !== name || tag.value !== value)
        return fail("other protocol", `${name}: ${value} does not stand in its place`)
      reader.at += 1
    }
    const type = reader.text("Type")
    if (type !== "Index" && !isContentType(type))
      return fail("unknown type", `"${type}" is no type of a content`)
    const read = type === "Index" ? readIndex(reader) : readPart(reader, type)
    return reader.done
      ? Result.succeed(read)
      : fail("tags", `${tags.length - reader.at} tags follow the last that is known`)
  } catch (error) {
    if (error instanceof RangeError) return fail("tags", error.message)
    throw error
  }
}

/**
 * ANS-104 data item: the envelope of every message (spec 01 §4), and arbundles' reading of it where it differs from
 * the ANS-104 text.
 *
 *     u16 signature type | signature | owner | 0 or 1, target 32 | 0 or 1, anchor 32
 *     | u64 tag count | u64 tag bytes | tags (avro) | data
 *
 * The reader is zero-copy: fields are windows on the one buffer it was given. It accepts one encoding per content.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import * as Limit from "./Limit.ts"
import * as SignatureType from "./SignatureType.ts"
import * as Tag from "./Tag.ts"

/** What is signed: an item without its signature. */
export interface Content {
  readonly type: SignatureType.SignatureType
  readonly owner: Uint8Array
  /** 32 bytes or empty. */
  readonly target: Uint8Array
  /** 32 bytes or empty. */
  readonly anchor: Uint8Array
  readonly tags: ReadonlyArray<Tag.Tag>
  /** Tags as they stand in the item: these bytes are signed, not the parsed pairs. */
  readonly tagBytes: Uint8Array
  readonly data: Uint8Array
}

export interface Item extends Content {
  readonly signature: Uint8Array
  readonly id: Id.Id
  /** The whole item. */
  readonly bytes: Uint8Array
}

/** An item that can't be read or written. `detail` says what stands there and what is allowed. */
export class ItemInvalid extends Data.TaggedError("ItemInvalid")<{
  readonly reason: "truncated" | "too large" | "unknown signature type" | "not canonical" | "tags"
  readonly detail: string
}> {
  override get message(): string {
    return `item refused, ${this.reason}: ${this.detail}`
  }
}

const fail = (reason: ItemInvalid["reason"], detail: string) =>
  Result.fail(new ItemInvalid({ reason, detail }))

const optional = (reader: Bytes.Reader, what: string): Uint8Array => {
  const presence = reader.u8()
  if (presence > 1) throw new RangeError(`presence byte of ${what} is ${presence}, not 0 or 1`)
  return presence === 1 ? reader.take(32) : Bytes.empty
}

/** Reads one whole item. Total: every byte string is an item or a named refusal. */
export const decode = (bytes: Uint8Array): Result.Result<Item, ItemInvalid> => {
  if (bytes.length > Limit.itemBytesMax)
    return fail("too large", `${bytes.length} bytes; at most ${Limit.itemBytesMax} are allowed`)
  const reader = new Bytes.Reader(bytes)
  try {
    const number = reader.u16()
    const type = SignatureType.find(number)
    if (type === undefined)
      return fail("unknown signature type", `type ${number} is not one that heddle verifies`)
    const signature = reader.take(type.signatureBytes)
    const owner = reader.take(type.ownerBytes)
    const target = optional(reader, "target")
    const anchor = optional(reader, "anchor")
    const count = reader.count()
    const tagLength = reader.count()
    if (tagLength > Limit.tagsBytesMax)
      return fail("tags", `tags take ${tagLength} bytes; at most ${Limit.tagsBytesMax} are allowed`)
    const tagBytes = reader.take(tagLength)
    const tags = Tag.decode(tagBytes, count)
    if (Result.isFailure(tags)) return fail("tags", tags.failure)
    const data = reader.take(reader.remaining)
    const id = Id.fromBytes(Hash.sha256(signature))
    return Result.succeed({
      type,
      signature,
      owner,
      target,
      anchor,
      tags: tags.success,
      tagBytes,
      data,
      id,
      bytes,
    })
  } catch (error) {
    if (error instanceof Bytes.EndOfBytes) return fail("truncated", `the item ends at byte ${error.offset}`)
    if (error instanceof RangeError) return fail("not canonical", error.message)
    throw error
  }
}

/** Makes signable content; fails where a field has the wrong length or tags break a limit. */
export const content = (fields: {
  readonly type: SignatureType.SignatureType
  readonly owner: Uint8Array
  readonly target?: Uint8Array | undefined
  readonly anchor?: Uint8Array | undefined
  readonly tags: ReadonlyArray<Tag.Tag>
  readonly data: Uint8Array
}): Result.Result<Content, ItemInvalid> => {
  const { type, owner, tags, data, target = Bytes.empty, anchor = Bytes.empty } = fields
  if (owner.length !== type.ownerBytes)
    return fail("not canonical", `owner has ${owner.length} bytes; ${type.name} has ${type.ownerBytes}`)
  for (const [name, field] of [
    ["target", target],
    ["anchor", anchor],
  ] as const)
    if (field.length !== 0 && field.length !== 32)
      return fail("not canonical", `${name} has ${field.length} bytes; it has 32 or none`)
  const tagBytes = Tag.encode(tags)
  if (Result.isFailure(tagBytes)) return fail("tags", tagBytes.failure)
  return Result.succeed({ type, owner, target, anchor, tags, tagBytes: tagBytes.success, data })
}

const window32 = (field: Uint8Array): Uint8Array =>
  field.length === 0 ? Bytes.u8(0) : Bytes.concat([Bytes.u8(1), field])

/** Content and its signature as one item. */
export const encode = (content: Content, signature: Uint8Array): Result.Result<Item, ItemInvalid> => {
  const { type, owner, target, anchor, tags, tagBytes, data } = content
  if (signature.length !== type.signatureBytes)
    return fail(
      "not canonical",
      `signature has ${signature.length} bytes; ${type.name} has ${type.signatureBytes}`,
    )
  const bytes = Bytes.concat([
    Bytes.u16(type.number),
    signature,
    owner,
    window32(target),
    window32(anchor),
    Bytes.u64(tags.length),
    Bytes.u64(tagBytes.length),
    tagBytes,
    data,
  ])
  if (bytes.length > Limit.itemBytesMax)
    return fail("too large", `${bytes.length} bytes; at most ${Limit.itemBytesMax} are allowed`)
  return Result.succeed({ ...content, signature, id: Id.fromBytes(Hash.sha256(signature)), bytes })
}

/** Hashes of lengths: those of keys, targets and anchors are the same in every item. */
const lengthTags = new Map<string, Uint8Array>()
const lengthTagsMax = 4_096

const lengthTag = (kind: "blob" | "list", length: number): Uint8Array => {
  const text = `${kind}${length}`
  const known = lengthTags.get(text)
  if (known !== undefined) return known
  const tag = Hash.sha384(Bytes.fromText(text))
  if (lengthTags.size >= lengthTagsMax) lengthTags.clear()
  lengthTags.set(text, tag)
  return tag
}

const deepHashBlob = (blob: Uint8Array): Uint8Array =>
  Hash.sha384(Bytes.concat([lengthTag("blob", blob.length), Hash.sha384(blob)]))

/** A byte string, or a list of what can be hashed. Items are flat lists; the tags of a transaction are lists in it. */
export type Deep = Uint8Array | ReadonlyArray<Deep>

/** The deep hash of a list, begun with `sum`, whose next part has this hash. */
const deepHashNext = (sum: Uint8Array, part: Uint8Array): Uint8Array => Hash.sha384(Bytes.concat([sum, part]))

/** The deep hash of a list, begun with `hash`, after these parts more. */
const deepHashOn = (hash: Uint8Array, parts: ReadonlyArray<Deep>): Uint8Array =>
  parts.reduce<Uint8Array>(
    (sum, part) => deepHashNext(sum, part instanceof Uint8Array ? deepHashBlob(part) : deepHash(part)),
    hash,
  )

/** Arweave's deep hash (SHA-384) of a list. Source: ANS-104 §3.1, arweave-js `deepHash.ts`. */
export const deepHash = (list: ReadonlyArray<Deep>): Uint8Array =>
  deepHashOn(lengthTag("list", list.length), list)

const DATAITEM = Bytes.fromText("dataitem")
const ONE = Bytes.fromText("1")

/** Parts of the list that is hashed: `dataitem`, `1`, type, owner, and the four that follow the owner. */
const signedParts = 8

/** What the hash of an item begins with up to its owner: items of one owner come in runs, and it is half of the work. */
let begun = { type: 0, owner: Bytes.empty, hash: Bytes.empty }

const begin = (type: number, owner: Uint8Array): Uint8Array => {
  if (begun.type !== type || !Bytes.equal(begun.owner, owner)) {
    const parts = [DATAITEM, ONE, Bytes.fromText(String(type)), owner]
    begun = { type, owner: Bytes.copy(owner), hash: deepHashOn(lengthTag("list", signedParts), parts) }
  }
  return begun.hash
}

/** Of the last item, what items of a run have in common beside their owner: whom they are for, and how they are tagged. */
const blobs = {
  target: { bytes: Bytes.empty, hash: deepHashBlob(Bytes.empty) },
  tagBytes: { bytes: Bytes.empty, hash: deepHashBlob(Bytes.empty) },
}

const blobHash = (field: keyof typeof blobs, bytes: Uint8Array): Uint8Array => {
  if (!Bytes.equal(blobs[field].bytes, bytes))
    blobs[field] = { bytes: Bytes.copy(bytes), hash: deepHashBlob(bytes) }
  return blobs[field].hash
}

/** The 48 bytes that an item's signature signs. */
export const signingHash = ({ type, owner, target, anchor, tagBytes, data }: Content): Uint8Array => {
  const parts = [
    blobHash("target", target),
    deepHashBlob(anchor),
    blobHash("tagBytes", tagBytes),
    deepHashBlob(data),
  ]
  return parts.reduce(deepHashNext, begin(type.number, owner))
}

/** Commits to the content alone, whoever signs and however (spec 01 §5): the repeat of a content is found by it. */
export const contentHash = (content: Pick<Content, "target" | "anchor" | "tagBytes" | "data">): Uint8Array =>
  Hash.tagged("heddle/content/1", content.target, content.anchor, content.tagBytes, content.data)

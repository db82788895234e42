/**
 * DataReference: data that a message names instead of carrying (spec 01 §7). The message is small, the bytes travel and
 * are kept beside it, and the turn is told them as if they had stood in the item.
 *
 *     Data-Hash     SHA-256 of the bytes, as an id is written
 *     Data-Length   how many there are, in decimal
 *     Data-Archive  where they lie in the archive; a hint that nobody relies on
 *     data          none
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import * as Limit from "./Limit.ts"
import type * as Message from "./Message.ts"
import * as Tag from "./Tag.ts"

export interface DataReference {
  /** SHA-256 of the bytes, written as every id is. */
  readonly hash: Id.Id
  readonly length: number
}

export class DataReferenceInvalid extends Data.TaggedError("DataReferenceInvalid")<{
  readonly detail: string
}> {
  override get message(): string {
    return `it refers to no data: ${this.detail}`
  }
}

const names = { hash: "Data-Hash", length: "Data-Length", archive: "Data-Archive" } as const

export const hashOf = (bytes: Uint8Array): Id.Id => Id.fromBytes(Hash.sha256(bytes))

export const of = (bytes: Uint8Array): DataReference => ({ hash: hashOf(bytes), length: bytes.length })

/** Tags of a message that refers to data. */
export const tags = ({ hash, length }: DataReference): ReadonlyArray<Tag.Tag> => [
  { name: names.hash, value: hash },
  { name: names.length, value: String(length) },
]

/** Whether these are the bytes that are referred to. */
export const fits = ({ hash, length }: DataReference, bytes: Uint8Array): boolean =>
  bytes.length === length && Bytes.equal(Hash.sha256(bytes), Id.toBytes(hash))

const decimal = /^[1-9][0-9]{0,14}$/

const read = (
  { item }: Message.Message,
  hash: string,
): Result.Result<DataReference, DataReferenceInvalid> => {
  const fail = (detail: string) => Result.fail(new DataReferenceInvalid({ detail }))
  const id = Id.parse(hash)
  if (id === undefined) return fail(`the tag "${names.hash}" takes 32 bytes as 43 characters of base64url`)
  const length = Tag.value(item.tags, names.length) ?? ""
  if (!decimal.test(length) || Number(length) > Limit.referencedBytesMax)
    return fail(`the tag "${names.length}" takes a number from 1 to ${Limit.referencedBytesMax}`)
  const archive = Tag.value(item.tags, names.archive)
  if (archive !== undefined && Id.parse(archive) === undefined)
    return fail(`the tag "${names.archive}" takes the 43 characters of an id`)
  if (item.data.length > 0) return fail("it carries data too; a message does one or the other")
  return Result.succeed({ hash: id, length: Number(length) })
}

/**
 * What a message refers to, if it refers to anything. Of an item that a process emitted, tags that make no reference are
 * tags like any other: a refusal for good would hold up all that follows it between the two.
 */
export const parse = (
  message: Message.Message,
): Result.Result<DataReference | undefined, DataReferenceInvalid> => {
  const hash = Tag.value(message.item.tags, names.hash)
  if (hash === undefined) return Result.succeed(undefined)
  const found = read(message, hash)
  return Result.isFailure(found) && message.fromProcess ? Result.succeed(undefined) : found
}

/** What an admitted message refers to. */
export const find = (message: Message.Message): DataReference | undefined =>
  Result.getOrUndefined(parse(message))

/**
 * Tags of an item: ANS-104's avro array of (name, value) pairs.
 *
 * Avro has many spellings of one array (several blocks, negative counts with a size, padded varints). heddle
 * writes and accepts one: a single block with a positive count, shortest varints, and the closing zero; no
 * tags are no bytes. A tag's name and value are not empty (ANS-104 §2.1; arbundles lets them be) and are
 * UTF-8.
 */
import * as Result from "effect/Result"
import * as Bytes from "./Bytes.ts"
import * as Limit from "./Limit.ts"

export interface Tag {
  readonly name: string
  readonly value: string
}

/** Why tags can't be read or written, in words that name the limit or the byte. */
export type TagsInvalid = string

/** Zigzag varint of a count or length ≥ 0, as avro's `long`. Limits keep it below 2^28. */
const writeLong = (value: number): Uint8Array => {
  const out: Array<number> = []
  let rest = value * 2
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  out.push(rest)
  return Uint8Array.from(out)
}

const readLong = (reader: Bytes.Reader): number => {
  let value = 0
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = reader.u8()
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      if (byte === 0 && shift > 0) throw new RangeError("a varint is padded")
      if (value & 1) throw new RangeError("a count or length is negative")
      return value >>> 1
    }
  }
  throw new RangeError("a varint is too long")
}

/** Bytes of `tags` as they stand in an item, or why they can't be written. */
export const encode = (tags: ReadonlyArray<Tag>): Result.Result<Uint8Array, TagsInvalid> => {
  if (tags.length === 0) return Result.succeed(Bytes.empty)
  if (tags.length > Limit.tagsMax)
    return Result.fail(`${tags.length} tags; at most ${Limit.tagsMax} are allowed`)
  const parts: Array<Uint8Array> = [writeLong(tags.length)]
  for (const { name, value } of tags) {
    if (!name.isWellFormed() || !value.isWellFormed())
      return Result.fail(`tag "${name}" is not valid Unicode`)
    if (name === "" || value === "")
      return Result.fail(`tag "${name}" has an empty ${name === "" ? "name" : "value"}`)
    for (const text of [Bytes.fromText(name), Bytes.fromText(value)]) parts.push(writeLong(text.length), text)
  }
  parts.push(Bytes.u8(0))
  const bytes = Bytes.concat(parts)
  return bytes.length > Limit.tagsBytesMax
    ? Result.fail(`tags take ${bytes.length} bytes; at most ${Limit.tagsBytesMax} are allowed`)
    : Result.succeed(bytes)
}

/** Reads exactly `count` tags out of exactly `bytes`. */
export const decode = (bytes: Uint8Array, count: number): Result.Result<ReadonlyArray<Tag>, TagsInvalid> => {
  if (count > Limit.tagsMax) return Result.fail(`${count} tags; at most ${Limit.tagsMax} are allowed`)
  if (bytes.length > Limit.tagsBytesMax)
    return Result.fail(`tags take ${bytes.length} bytes; at most ${Limit.tagsBytesMax} are allowed`)
  if (bytes.length === 0)
    return count === 0 ? Result.succeed([]) : Result.fail(`${count} tags announced, none there`)
  if (count === 0) return Result.fail(`no tags announced, ${bytes.length} bytes there`)
  const reader = new Bytes.Reader(bytes)
  const text = (): string => {
    const value = Bytes.toText(reader.take(readLong(reader)))
    if (value === undefined) throw new RangeError("a tag is not UTF-8")
    if (value === "") throw new RangeError("a tag has an empty name or value")
    return value
  }
  try {
    const written = readLong(reader)
    if (written !== count) return Result.fail(`${count} tags announced, ${written} there`)
    const tags: Array<Tag> = []
    for (let i = 0; i < count; i++) tags.push({ name: text(), value: text() })
    if (reader.u8() !== 0) return Result.fail("tags are split into several blocks")
    if (reader.remaining > 0) return Result.fail(`${reader.remaining} bytes follow the tags`)
    return Result.succeed(tags)
  } catch (error) {
    if (error instanceof Bytes.EndOfBytes) return Result.fail("tags end early")
    if (error instanceof RangeError) return Result.fail(error.message)
    throw error
  }
}

/** Reads digits as one would write the number: no sign, space, exponent or leading zero; from 1 on. */
export const count = (text: string): number | undefined =>
  /^[1-9][0-9]{0,14}$/.test(text) ? Number(text) : undefined

/** The value of the first tag named `name`; AO reads the first one too. */
export const value = (tags: ReadonlyArray<Tag>, name: string): string | undefined =>
  tags.find((tag) => tag.name === name)?.value

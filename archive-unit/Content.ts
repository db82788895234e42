/**
 * Content: a byte string of one type that goes into the archive (spec 07 §1), and what can be wrong with one.
 *
 * A content says itself what it is and is believed for that alone: links are signed by the scheduler, attestations by
 * the compute unit, modules, engines and data are named by their own hash, and a snapshot leads to an attested root.
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Bytes from "../runtime/Bytes.ts"
import * as Limit from "../runtime/Limit.ts"
import * as SignatureType from "../runtime/SignatureType.ts"

export const types = ["Batches", "Turns", "Snapshot", "Module", "Engine", "Data"] as const

export type Type = (typeof types)[number]

/** Bytes that a content of this type may have before compression. */
export const bytesMax: Readonly<Record<Type, number>> = {
  Batches: Limit.archiveContentBytesMax,
  Turns: Limit.archiveContentBytesMax,
  Snapshot: Limit.archiveSnapshotBytesMax,
  Module: Limit.moduleBytesMax,
  Engine: Limit.archiveContentBytesMax,
  Data: Limit.archiveContentBytesMax,
}

/** Bytes that are no content of their type, or a value that has no bytes as one. */
export class ContentInvalid extends Data.TaggedError("ContentInvalid")<{
  readonly type: Type
  readonly reason: "truncated" | "trailing bytes" | "not canonical" | "too large" | "other root"
  /** Of the byte at which reading stopped; unset where a value can't be written. */
  readonly offset: number | undefined
  readonly detail: string
}> {
  override get message(): string {
    const where = this.offset === undefined ? "" : ` at byte ${this.offset}`
    return `${this.type} content refused, ${this.reason}${where}: ${this.detail}`
  }
}

/** Reads a layout to its last byte. What `read` throws of an early end or a second spelling becomes the refusal. */
export const decode = <A>(
  type: Type,
  bytes: Uint8Array,
  read: (reader: Bytes.Reader) => A,
): Result.Result<A, ContentInvalid> => {
  const reader = new Bytes.Reader(bytes)
  const fail = (reason: ContentInvalid["reason"], detail: string) =>
    Result.fail(new ContentInvalid({ type, reason, offset: reader.offset, detail }))
  if (bytes.length > bytesMax[type])
    return fail("too large", `${bytes.length} bytes; at most ${bytesMax[type]} are allowed`)
  try {
    const value = read(reader)
    return reader.remaining === 0
      ? Result.succeed(value)
      : fail("trailing bytes", `${reader.remaining} bytes follow the content`)
  } catch (error) {
    if (error instanceof Bytes.EndOfBytes)
      return fail("truncated", `the content ends at byte ${error.offset}`)
    if (error instanceof RangeError) return fail("not canonical", error.message)
    throw error
  }
}

/** Reads the name of a layout, which stands first. */
export const readDomain = (reader: Bytes.Reader, domain: Uint8Array): void => {
  if (!Bytes.equal(reader.take(domain.length), domain))
    throw new RangeError(`the bytes do not begin with ${Bytes.toText(domain.subarray(4))}`)
}

/** A count of parts of at least `bytesMin` each: refused before anything is made for more than the bytes can hold. */
export const readCount = (
  reader: Bytes.Reader,
  what: string,
  min: number,
  max: number,
  bytesMin: number,
): number => {
  const count = reader.u32()
  if (count < min || count > max) throw new RangeError(`${count} ${what}; ${min} to ${max} are allowed`)
  if (count * bytesMin > reader.remaining) throw new Bytes.EndOfBytes(reader.bytes.length)
  return count
}

/** A byte that is 0 or 1. */
export const readFlag = (reader: Bytes.Reader, what: string): boolean => {
  const flag = reader.u8()
  if (flag > 1) throw new RangeError(`${what} is said by 0 or 1, not by ${flag}`)
  return flag === 1
}

/** Plain ML-DSA types: their keys sign links and attestations, and each fixes the sizes of owner and signature. */
const plain: ReadonlyMap<number, SignatureType.SignatureType> = new Map(
  [...SignatureType.batchBase.values()].map((type) => [type.number, type]),
)

/** Who signed everything in a content: `u16 signature type | owner`. */
export interface SignedBy {
  readonly type: SignatureType.SignatureType
  readonly owner: Uint8Array
}

export const readSignedBy = (reader: Bytes.Reader): SignedBy => {
  const number = reader.u16()
  const type = plain.get(number)
  if (type === undefined) throw new RangeError(`signature type ${number} is not plain ML-DSA`)
  return { type, owner: reader.take(type.ownerBytes) }
}

/** The signature type of a plain ML-DSA key, or undefined for any other number. */
export const plainType = (number: number): SignatureType.SignatureType | undefined => plain.get(number)

/** Work that lets others have their turn between its steps, where there are others. */
export type Steps<A> = Generator<void, A>

/** All steps at once. */
export const atOnce = <A>(steps: Steps<A>): A => {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** Work of a millisecond at a time, with a pause in between: nobody who asks waits for a whole content. */
export const paced = <A>(steps: Steps<A>, pause: Effect.Effect<void>): Effect.Effect<A> =>
  Effect.gen(function* () {
    for (let since = yield* Clock.currentTimeNanos; ;) {
      const step = steps.next()
      if (step.done === true) return step.value
      if ((yield* Clock.currentTimeNanos) - since < 1_000_000n) continue
      yield* pause
      since = yield* Clock.currentTimeNanos
    }
  })

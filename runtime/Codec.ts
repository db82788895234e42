/**
 * Codec: how a value stands in a frame, and how it is read back. A codec is put together from smaller ones, so that
 * writer and reader of a frame are one definition.
 *
 * Reading is total: every byte string is one value or a reason why it is none, and no length that a frame claims is
 * believed further than its bytes reach. Example: a list that claims 4,000,000,000 hashes in 70 bytes is refused before
 * anything is made of it.
 */
import * as Result from "effect/Result"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as RuntimeId from "./Id.ts"

export interface Codec<A> {
  /** Bytes that the smallest value takes. */
  readonly bytesMin: number
  readonly write: (value: A, into: Array<Uint8Array>) => void
  /** Throws `EndOfBytes`, or a `RangeError` with what is wrong. Byte strings are windows on the frame. */
  readonly read: (reader: Bytes.Reader) => A
}

/** What a codec is of. */
export type Of<C> = C extends Codec<infer A> ? A : never

const fixed = <A>(
  bytesMin: number,
  toBytes: (value: A) => Uint8Array,
  read: (reader: Bytes.Reader) => A,
): Codec<A> => ({ bytesMin, write: (value, into) => void into.push(toBytes(value)), read })

export const u16 = fixed<number>(2, Bytes.u16, (reader) => reader.u16())
export const u32 = fixed<number>(4, Bytes.u32, (reader) => reader.u32())
export const u64 = fixed<bigint>(8, Bytes.u64, (reader) => reader.u64())

/** A u64 that is a safe integer. */
export const count = fixed<number>(8, Bytes.u64, (reader) => reader.count())

export const hash = fixed<Uint8Array>(
  Hash.length,
  (bytes) => bytes,
  (reader) => reader.take(Hash.length),
)

export const id = fixed<RuntimeId.Id>(Hash.length, RuntimeId.toBytes, (reader) =>
  RuntimeId.fromBytes(reader.take(Hash.length)),
)

/** Bytes behind their u32 length. */
export const block: Codec<Uint8Array> = {
  bytesMin: 4,
  write: (bytes, into) => void into.push(Bytes.u32(bytes.length), bytes),
  read: (reader) => reader.block(),
}

/** A codec whose values stand for others. `from` throws a `RangeError` where one stands for nothing. */
export const mapped = <A, B>(of: Codec<A>, to: (value: B) => A, from: (value: A) => B): Codec<B> => ({
  bytesMin: of.bytesMin,
  write: (value, into) => of.write(to(value), into),
  read: (reader) => from(of.read(reader)),
})

const readText = (bytes: Uint8Array): string => {
  const text = Bytes.toText(bytes)
  if (text === undefined) throw new RangeError("a text is not UTF-8")
  return text
}

/** UTF-8 behind its u32 length. */
export const text = mapped(block, Bytes.fromText, readText)

/** One of a few words, as its place among them. */
export const word = <const W extends string>(words: ReadonlyArray<W>): Codec<W> =>
  fixed(
    1,
    (value) => Bytes.u8(words.indexOf(value)),
    (reader) => {
      const place = reader.u8()
      const found = words[place]
      if (found === undefined) throw new RangeError(`${place} is no place among ${words.length} words`)
      return found
    },
  )

const flags = ["no", "yes"] as const
const flag = word(flags)

export const boolean = mapped<(typeof flags)[number], boolean>(
  flag,
  (value) => (value ? "yes" : "no"),
  (value) => value === "yes",
)

/** A value that may be absent, said by `none`. */
const absent =
  <N extends undefined | null>(none: N) =>
  <A>(of: Codec<A>): Codec<A | N> => ({
    bytesMin: 1,
    write: (value, into) => {
      boolean.write(value !== none, into)
      if (value !== none) of.write(value as A, into) // it is not `none`
    },
    read: (reader) => (boolean.read(reader) ? of.read(reader) : none),
  })

export const optional = absent(undefined)
export const nullable = absent(null)

/** At most `max` values behind their u32 count. */
export const list = <A>(of: Codec<A>, max: number): Codec<ReadonlyArray<A>> => ({
  bytesMin: 4,
  write: (values, into) => {
    into.push(Bytes.u32(values.length))
    for (const value of values) of.write(value, into)
  },
  read: (reader) => {
    const length = reader.u32()
    if (length > max) throw new RangeError(`a list of ${length}; at most ${max} are allowed`)
    if (length * of.bytesMin > reader.remaining) throw new Bytes.EndOfBytes(reader.bytes.length)
    return Array.from({ length }, () => of.read(reader))
  },
})

/** Always `length` values, without a count. */
export const exactly = <A>(of: Codec<A>, length: number): Codec<ReadonlyArray<A>> => ({
  bytesMin: of.bytesMin * length,
  write: (values, into) => {
    for (const value of values) of.write(value, into)
  },
  read: (reader) => Array.from({ length }, () => of.read(reader)),
})

type Struct<F> = { readonly [K in keyof F]: Of<F[K]> }

/** Its fields one after the other, in the order in which they are written here. */
export const struct = <F extends object>(fields: F): Codec<Struct<F>> => {
  const entries = Object.entries(fields) as unknown as ReadonlyArray<[string, Codec<unknown>]> // each of its own type
  return {
    bytesMin: entries.reduce((sum, [, { bytesMin }]) => sum + bytesMin, 0),
    write: (value, into) => {
      for (const [name, of] of entries) of.write(value[name as keyof F], into)
    },
    read: (reader) => Object.fromEntries(entries.map(([name, of]) => [name, of.read(reader)])) as Struct<F>, // field by field
  }
}

export const pair = <A, B>(first: Codec<A>, second: Codec<B>): Codec<readonly [A, B]> => ({
  bytesMin: first.bytesMin + second.bytesMin,
  write: ([a, b], into) => {
    first.write(a, into)
    second.write(b, into)
  },
  read: (reader) => [first.read(reader), second.read(reader)],
})

/** One of two kinds of value: 0 and the first, or 1 and the second. */
export const either = <A, B>(
  first: Codec<A>,
  second: Codec<B>,
  isSecond: (value: A | B) => value is B,
): Codec<A | B> => ({
  bytesMin: 1,
  write: (value, into) => {
    boolean.write(isSecond(value), into)
    if (isSecond(value)) second.write(value, into)
    else first.write(value, into)
  },
  read: (reader) => (boolean.read(reader) ? second.read(reader) : first.read(reader)),
})

/** What something came to: 0 and what it gave, or 1 and why it failed. */
export const result = <A, E>(success: Codec<A>, failure: Codec<E>): Codec<Result.Result<A, E>> => ({
  bytesMin: 1,
  write: (value, into) => {
    boolean.write(Result.isFailure(value), into)
    if (Result.isFailure(value)) failure.write(value.failure, into)
    else success.write(value.success, into)
  },
  read: (reader) =>
    boolean.read(reader) ? Result.fail(failure.read(reader)) : Result.succeed(success.read(reader)),
})

/** Nothing at all. */
export const nothing: Codec<void> = { bytesMin: 0, write: () => {}, read: () => {} }

export const encode = <A>(of: Codec<A>, value: A): Uint8Array => {
  const parts: Array<Uint8Array> = []
  of.write(value, parts)
  return Bytes.concat(parts)
}

/** Reads all of `bytes` as one value; the failure says why it is none. */
export const decode = <A>(of: Codec<A>, bytes: Uint8Array): Result.Result<A, string> => {
  const reader = new Bytes.Reader(bytes)
  try {
    const value = of.read(reader)
    return reader.remaining > 0
      ? Result.fail(`${reader.remaining} bytes follow the value`)
      : Result.succeed(value)
  } catch (error) {
    if (error instanceof Bytes.EndOfBytes) return Result.fail("the bytes end early")
    if (error instanceof RangeError) return Result.fail(error.message)
    throw error
  }
}

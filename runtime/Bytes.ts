/**
 * Bytes: the one place where numbers, text and identifiers become bytes and come back.
 *
 * Everything signed or hashed in heddle is a fixed binary layout made here, little-endian like ANS-104.
 */

/** Nothing: the empty byte string. */
export const empty: Uint8Array = new Uint8Array(0)

const encoder = new TextEncoder()
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** UTF-8 bytes of `text`. */
export const fromText = (text: string): Uint8Array => encoder.encode(text)

/** Text of UTF-8 `bytes`, or `undefined` where they are not valid UTF-8. */
export const toText = (bytes: Uint8Array): string | undefined => {
  try {
    return strictDecoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** A Buffer over the same memory, for the speed of Node's own comparisons and encodings. */
export const view = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export const equal = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && Buffer.compare(a, b) === 0

/** Lexicographic order: negative, zero or positive. */
export const compare = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b)

export const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  let length = 0
  for (const part of parts) length += part.length
  const all = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** Copy that shares no memory with `bytes`: what is kept must not hold a whole frame alive. */
export const copy = (bytes: Uint8Array): Uint8Array => Uint8Array.prototype.slice.call(bytes)

/** RFC 4648 §5 base64url without padding. */
export const toBase64Url = (bytes: Uint8Array): string => view(bytes).toString("base64url")

/**
 * Reads base64url without padding; `undefined` unless `text` is the one canonical encoding.
 * 43 characters carry 258 bits, so a lenient reader would accept four spellings of each 32-byte id.
 */
export const fromBase64Url = (text: string): Uint8Array | undefined => {
  const bytes = new Uint8Array(Buffer.from(text, "base64url"))
  return toBase64Url(bytes) === text ? bytes : undefined
}

export const toHex = (bytes: Uint8Array): string => view(bytes).toString("hex")

/** Reads an even number of hexadecimal digits; `undefined` for anything else. */
export const fromHex = (text: string): Uint8Array | undefined =>
  text.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(text) ? new Uint8Array(Buffer.from(text, "hex")) : undefined

export const u8 = (value: number): Uint8Array => Uint8Array.of(value)

export const u16 = (value: number): Uint8Array => Uint8Array.of(value, value >>> 8)

/** Writes a u32 into bytes that are there. */
export const setU32 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

export const u32 = (value: number): Uint8Array => {
  const out = new Uint8Array(4)
  setU32(out, 0, value)
  return out
}

/** A safe integer 0 ≤ value < 2^53, or a bigint below 2^64, as eight bytes. */
export const u64 = (value: number | bigint): Uint8Array => {
  const out = new Uint8Array(8)
  if (typeof value === "bigint") new DataView(out.buffer).setBigUint64(0, value, true)
  else {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a count below 2^53`)
    setU32(out, 0, value % 2 ** 32)
    setU32(out, 4, Math.floor(value / 2 ** 32))
  }
  return out
}

/** Thrown by `Reader` when bytes end early; decoders turn it into their own typed error. */
export class EndOfBytes extends Error {
  readonly offset: number
  constructor(offset: number) {
    super(`bytes end at ${offset}`)
    this.offset = offset
  }
}

/** A position in a buffer. Slices share memory with it: nothing is copied on the way in. */
export class Reader {
  readonly bytes: Uint8Array
  readonly #data: DataView
  offset = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.#data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get remaining(): number {
    return this.bytes.length - this.offset
  }

  /** The next `length` bytes, without a copy. */
  take(length: number): Uint8Array {
    if (length > this.remaining) throw new EndOfBytes(this.bytes.length)
    const from = this.offset
    this.offset += length
    return this.bytes.subarray(from, this.offset)
  }

  u8(): number {
    return this.take(1)[0] as number
  }

  u16(): number {
    const at = this.offset
    this.take(2)
    return this.#data.getUint16(at, true)
  }

  u32(): number {
    const at = this.offset
    this.take(4)
    return this.#data.getUint32(at, true)
  }

  u64(): bigint {
    const at = this.offset
    this.take(8)
    return this.#data.getBigUint64(at, true)
  }

  /** A u64 that must be a safe integer, as slots, times and counters are. */
  count(): number {
    const value = this.u64()
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError(`${value} is over 2^53 - 1`)
    return Number(value)
  }

  /** Bytes behind a u32 length. */
  block(): Uint8Array {
    return this.take(this.u32())
  }
}

/** `bytes` behind their u32 length: what `Reader.block` reads. */
export const block = (bytes: Uint8Array): Uint8Array => concat([u32(bytes.length), bytes])

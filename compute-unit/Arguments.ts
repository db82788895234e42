/**
 * Arguments: what a guest gives an intrinsic, and the place where the answer goes, whichever kind of guest it is.
 *
 * | | a script | a plain module |
 * | --- | --- | --- |
 * | arguments are | values of the interpreter, read where they stand | i32 |
 * | places are in | the buffer `io` of 64 KiB | all of its memory |
 * | an answer goes to | io[0..) | the address that is one more, last argument |
 *
 * Every place is checked here, so that an intrinsic touches nothing that its guest may not.
 */
import type { Channel } from "./Channel.ts"

/** Bytes of the buffer that a script's prelude and intrinsics share. */
export const ioBytes = 65_536

/** A call that does not fit. A script's prelude makes none, and a plain module that makes one is at fault. */
export class BadCall extends Error {}

export interface Arguments {
  readonly kind: "script" | "plain"
  readonly count: number
  readonly channel: Channel
  /** Argument `n`, a whole number of 0 to 2^31 - 1. */
  int(n: number): number
  /** Window of `length` bytes whose place is argument `n`. */
  place(n: number, length: number): Uint8Array
  /** Window whose place and length are arguments `n` and `n + 1`. */
  window(n: number): Uint8Array
  /** Units of string argument `n`, in place. */
  string(n: number): Uint8Array | Uint16Array
  /** Window of `length` bytes for the answer. */
  answer(length: number): Uint8Array
}

/** Types of values as the interpreter writes them into the upper word. */
const valueType = { int: 0, string: -7 } as const

/**
 * A value is 8 bytes: content, then type. A string is read in place, by the layout of the pinned engine: u32
 * references, u32 length with the top bit set for two-byte units, two words for its hash, then the units. The prelude
 * tries it on boot.
 */
export class ScriptArguments implements Arguments {
  readonly kind = "script"
  readonly count: number
  readonly channel: Channel
  readonly #memory: DataView
  readonly #at: number
  readonly #io: number

  /** `count` values that stand at `at`; the buffer stands at `io`. */
  constructor(memory: ArrayBuffer, count: number, at: number, io: number, channel: Channel) {
    this.#memory = new DataView(memory)
    this.count = count
    this.#at = at
    this.#io = io
    this.channel = channel
  }

  #value(n: number, type: number, what: string): number {
    const at = this.#at + 8 * n
    if (n >= this.count || this.#memory.getInt32(at + 4, true) !== type) throw new BadCall(what)
    return this.#memory.getInt32(at, true)
  }

  int(n: number): number {
    const value = this.#value(n, valueType.int, "a number is expected")
    if (value < 0) throw new BadCall("a number is below zero")
    return value
  }

  place(n: number, length: number): Uint8Array {
    return this.#window(this.int(n), length)
  }

  window(n: number): Uint8Array {
    return this.place(n, this.int(n + 1))
  }

  string(n: number): Uint8Array | Uint16Array {
    const at = this.#value(n, valueType.string, "a flat string is expected") >>> 0
    const header = this.#memory.getUint32(at + 4, true)
    const length = header & 0x7fff_ffff
    const { buffer } = this.#memory
    return header >>> 31 === 1
      ? new Uint16Array(buffer, at + 16, length)
      : new Uint8Array(buffer, at + 16, length)
  }

  answer(length: number): Uint8Array {
    return this.#window(0, length)
  }

  #window(from: number, length: number): Uint8Array {
    if (from + length > ioBytes) throw new BadCall("the window is outside of the buffer")
    return new Uint8Array(this.#memory.buffer, this.#io + from, length)
  }
}

export class PlainArguments implements Arguments {
  readonly kind = "plain"
  readonly count: number
  readonly channel: Channel
  readonly #memory: ArrayBuffer
  readonly #values: ReadonlyArray<number>

  constructor(memory: ArrayBuffer, values: ReadonlyArray<number>, channel: Channel) {
    this.#memory = memory
    this.#values = values
    this.count = values.length
    this.channel = channel
  }

  int(n: number): number {
    const value = this.#values[n]
    if (value === undefined || value < 0) throw new BadCall("a number is below zero")
    return value
  }

  place(n: number, length: number): Uint8Array {
    const from = this.int(n)
    if (from + length > this.#memory.byteLength) throw new BadCall("the window is outside of the memory")
    return new Uint8Array(this.#memory, from, length)
  }

  window(n: number): Uint8Array {
    return this.place(n, this.int(n + 1))
  }

  string(): never {
    throw new BadCall("a plain module has no strings")
  }

  answer(length: number): Uint8Array {
    return this.place(this.count - 1, length)
  }
}

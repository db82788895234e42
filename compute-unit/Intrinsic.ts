/**
 * Intrinsics: the fixed, numbered table of functions that guest code can call outside its own memory.
 *
 * They are the one exception to "no host functions", and they touch nothing but the turn: some are pure functions of
 * guest memory, the others move the turn's own bytes in and out. Each works on one buffer of 64 KiB, `io`, that the
 * guest allocated when it booted. Arguments are whole numbers or strings. A price is charged before the work,
 * no intrinsic calls back into the engine, and none allocates guest memory, so an image restored anywhere computes
 * the same. Only the prelude holds them; it never hands out the buffer.
 *
 * | number | call | does |
 * | --- | --- | --- |
 * | 1 | `sha256(at, length)` | writes SHA-256 of io[at, at + length) to io[0, 32) |
 * | 2 | `utf8(text, from, at)` | writes UTF-8 of `text` from unit `from` on to io[at..], as much as fits whole; io[0, 4) = bytes written, io[4, 8) = first unit not written |
 * | 3 | `read(from, at, length)` | copies input[from, from + length) of the turn to io[at..] |
 * | 4 | `write(at, length)` | appends io[at, at + length) to the output of the turn |
 * | 5 | `digest(from)` | writes SHA-256 of output[from..] to io[0, 32) |
 * | 6 | `log(level, at, length)` | a line of the console: level 0-4, text in io |
 * | 7 | `fromId(text, at)` | io[0] = 1 and the 32 bytes of an id to io[at..], or io[0] = 0 where the text is none |
 * | 8 | `toId(at)` | writes the 43 letters of the id io[at, at + 32) to io[0, 43) |
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"

/** Letters of an id as text. */
const idLetters = 43

/** Bytes of the buffer that guest and intrinsics share. */
export const ioBytes = 65_536

export const levels = ["debug", "log", "info", "warn", "error"] as const

const noBytes = new Uint8Array(0)

/** What a turn takes in beside its message, and what it gives out beside its result. */
export class Channel {
  readonly input: Uint8Array
  readonly console: Array<readonly [level: string, text: string]> = []
  #consoleBytes = 0
  #output = noBytes
  #length = 0

  constructor(input: Uint8Array) {
    this.input = input
  }

  get output(): Uint8Array {
    return this.#output.subarray(0, this.#length)
  }

  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length
    if (length > this.#output.length) {
      const larger = new Uint8Array(Math.max(1_024, 2 * length))
      larger.set(this.output)
      this.#output = larger
    }
    this.#output.set(bytes, this.#length)
    this.#length = length
  }

  /** Keeps a line while there is room, then says once that there is no more. */
  log(level: string, text: Uint8Array): void {
    if (
      this.console.length > Limit.consoleLinesPerTurnMax ||
      this.#consoleBytes > Limit.consoleBytesPerTurnMax
    )
      return
    this.#consoleBytes += text.length
    const full =
      this.console.length === Limit.consoleLinesPerTurnMax ||
      this.#consoleBytes > Limit.consoleBytesPerTurnMax
    this.console.push(
      full ? ["warn", "console cut: this turn wrote more than is kept"] : [level, decoder.decode(text)],
    )
  }
}

const decoder = new TextDecoder()

/** A call that the prelude never makes. The turn is over: whoever made it holds what only the prelude may hold. */
export class BadCall extends Error {}

/**
 * Guest memory as an intrinsic sees it: the buffer, and strings where they stand.
 *
 * A string is read in place, by the layout of the pinned engine: u32 references, u32 length with the top bit set
 * for two-byte units, two words for its hash, then the units. The prelude tries it on boot.
 */
export class Arguments {
  readonly #memory: DataView
  readonly #at: number
  readonly io: Uint8Array
  readonly ioView: DataView
  readonly channel: Channel

  constructor(memory: ArrayBuffer, at: number, io: number, channel: Channel) {
    this.#memory = new DataView(memory)
    this.#at = at
    this.io = new Uint8Array(memory, io, ioBytes)
    this.ioView = new DataView(memory, io, ioBytes)
    this.channel = channel
  }

  /** Argument `n`, a whole number of 0 to 2^31 - 1. A value is 8 bytes: content, then type (0: int32). */
  int(n: number): number {
    const value = this.#memory.getInt32(this.#at + 8 * n, true)
    if (this.#memory.getInt32(this.#at + 8 * n + 4, true) !== 0 || value < 0)
      throw new BadCall("a number is expected")
    return value
  }

  /** Window of `length` bytes on the buffer whose place is argument `n`. */
  place(n: number, length: number): Uint8Array {
    const from = this.int(n)
    if (from + length > ioBytes) throw new BadCall("the window is outside of the buffer")
    return this.io.subarray(from, from + length)
  }

  /** Window on the buffer whose place and length are arguments `n` and `n + 1`. */
  window(n: number): Uint8Array {
    return this.place(n, this.int(n + 1))
  }

  /** Units of string argument `n`, in place. */
  string(n: number): Uint8Array | Uint16Array {
    const STRING = -7
    if (this.#memory.getInt32(this.#at + 8 * n + 4, true) !== STRING)
      throw new BadCall("a flat string is expected")
    const at = this.#memory.getUint32(this.#at + 8 * n, true)
    const header = this.#memory.getUint32(at + 4, true)
    const length = header & 0x7fff_ffff
    const { buffer } = this.#memory
    return header >>> 31 === 1
      ? new Uint16Array(buffer, at + 16, length)
      : new Uint8Array(buffer, at + 16, length)
  }
}

export interface Intrinsic {
  readonly name: string
  readonly arguments: number
  readonly price: (args: Arguments) => bigint
  readonly run: (args: Arguments) => void
}

/** Fuel per call, per byte hashed and per byte moved. One fuel is one plain instruction. */
const callFuel = 200n
const byteFuel = { hash: 8n, move: 1n, convert: 4n } as const

const priced = (perByte: bigint, length: number): bigint => callFuel + perByte * BigInt(length)

/**
 * UTF-8 of `units` from `from` on, as much as fits into `target`; a lone surrogate becomes U+FFFD. A pair of
 * surrogates is never split. Source: the Encoding standard §8.1.
 */
export const encodeUnits = (
  units: Uint8Array | Uint16Array,
  from: number,
  target: Uint8Array,
): { readonly written: number; readonly next: number } => {
  let next = from
  let at = 0
  while (next < units.length) {
    const unit = units[next]!
    if (unit < 0x80) {
      if (at + 1 > target.length) break
      target[at++] = unit
    } else if (unit < 0x800) {
      if (at + 2 > target.length) break
      target[at++] = 0xc0 | (unit >> 6)
      target[at++] = 0x80 | (unit & 63)
    } else {
      const low = units[next + 1]
      const paired = unit >= 0xd800 && unit < 0xdc00 && low !== undefined && low >= 0xdc00 && low < 0xe000
      if (at + (paired ? 4 : 3) > target.length) break
      if (paired) {
        const point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
        target[at++] = 0xf0 | (point >> 18)
        target[at++] = 0x80 | ((point >> 12) & 63)
        target[at++] = 0x80 | ((point >> 6) & 63)
        target[at++] = 0x80 | (point & 63)
        next++
      } else {
        const point = unit >= 0xd800 && unit < 0xe000 ? 0xfffd : unit
        target[at++] = 0xe0 | (point >> 12)
        target[at++] = 0x80 | ((point >> 6) & 63)
        target[at++] = 0x80 | (point & 63)
      }
    }
    next++
  }
  return { written: at, next }
}

/** The table. A number is never given to another function. */
export const table: Readonly<Record<number, Intrinsic>> = {
  1: {
    name: "sha256",
    arguments: 2,
    price: (args) => priced(byteFuel.hash, args.int(1)),
    run: (args) => args.io.set(Hash.sha256(args.window(0))),
  },
  2: {
    name: "utf8",
    arguments: 3,
    price: (args) =>
      priced(byteFuel.convert, Math.min(ioBytes, Math.max(0, args.string(0).length - args.int(1)))),
    run: (args) => {
      if (args.int(2) > ioBytes) throw new BadCall("the place is outside of the buffer")
      const { written, next } = encodeUnits(args.string(0), args.int(1), args.io.subarray(args.int(2)))
      args.ioView.setUint32(0, written, true)
      args.ioView.setUint32(4, next, true)
    },
  },
  3: {
    name: "read",
    arguments: 3,
    price: (args) => priced(byteFuel.move, args.int(2)),
    run: (args) => {
      const from = args.int(0)
      if (from + args.int(2) > args.channel.input.length) throw new BadCall("the input is shorter")
      args.window(1).set(args.channel.input.subarray(from, from + args.int(2)))
    },
  },
  4: {
    name: "write",
    arguments: 2,
    price: (args) => priced(byteFuel.move, args.int(1)),
    run: (args) => {
      if (args.channel.output.length + args.int(1) > outputBytesMax)
        throw new BadCall("the output is too long")
      args.channel.append(args.window(0))
    },
  },
  5: {
    name: "digest",
    arguments: 1,
    price: (args) => priced(byteFuel.hash, Math.max(0, args.channel.output.length - args.int(0))),
    run: (args) => args.io.set(Hash.sha256(args.channel.output.subarray(args.int(0)))),
  },
  6: {
    name: "log",
    arguments: 3,
    price: (args) => priced(byteFuel.move, args.int(2)),
    run: (args) => {
      const level = levels[args.int(0)]
      if (level === undefined) throw new BadCall("there is no such level")
      args.channel.log(level, args.window(1))
    },
  },
  7: {
    name: "fromId",
    arguments: 2,
    price: () => priced(byteFuel.convert, idLetters),
    run: (args) => {
      const units = args.string(0)
      const text = units.length === idLetters ? String.fromCharCode(...units) : ""
      const id = Id.parse(text)
      args.io[0] = id === undefined ? 0 : 1
      if (id !== undefined) args.place(1, Hash.length).set(Id.toBytes(id))
    },
  },
  8: {
    name: "toId",
    arguments: 1,
    price: () => priced(byteFuel.convert, idLetters),
    run: (args) => args.io.set(Bytes.fromText(Bytes.toBase64Url(args.place(0, Hash.length)))),
  },
}

/** The data of all outbox entries, and for each its target, tags and lengths. */
const outputBytesMax =
  Limit.outputBytesPerTurnMax + Limit.outboxEntriesPerTurnMax * (Limit.tagsBytesMax + 128)

/** What of the table an engine id commits to. */
export const description: string = JSON.stringify({
  table: Object.entries(table).map(([number, { name, arguments: count }]) => [Number(number), name, count]),
  prices: [callFuel, byteFuel.hash, byteFuel.move, byteFuel.convert].map(String),
})

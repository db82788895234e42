/**
 * The WebAssembly binary format, as far as the instrumentation pass reads and writes it: LEB128 numbers, sections,
 * and for each plain instruction its immediates and what it takes from and leaves on the operand stack.
 *
 * Control instructions are not in the table: their effect depends on the block they stand in, and the pass follows
 * blocks itself. What is in neither place is refused, so an instruction of a later standard never slips through.
 */

/**
 * Reads a module that `WebAssembly.validate` has accepted: lengths are right, so nothing here checks for the end. What
 * some versions of V8 accept and others do not is refused, or units would differ.
 */
export class Cursor {
  readonly bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  u8(): number {
    return this.bytes[this.at++] as number // within a validated module
  }

  u32(): number {
    let value = 0
    for (let shift = 0; shift <= 28; shift += 7) {
      const byte = this.u8()
      value |= (byte & 127) << shift
      if (byte < 128) return value >>> 0
    }
    throw new Refused("not WebAssembly", "a number of 32 bits takes more than five bytes")
  }

  /** A block type: signed 33 bits, small enough to be exact as a number. */
  s33(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.u8()
      value += (byte & 127) * scale
      scale *= 128
      if (byte < 128) return byte & 64 ? value - scale : value
    }
  }

  /** A memory, of which there is one. */
  memory(): void {
    if (this.u8() !== 0) throw new Refused("several memories", "an instruction names its memory")
  }

  /** Passes over one LEB128 number of any size. */
  skip(): void {
    while (this.u8() > 127);
  }

  take(length: number): Uint8Array {
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  /** A vector of bytes or a name: its length, then its bytes. */
  block(): Uint8Array {
    return this.take(this.u32())
  }
}

/** LEB128 of an unsigned number below 2^32. */
export const unsigned = (value: number): Array<number> => {
  const out: Array<number> = []
  for (let rest = value >>> 0; ;) {
    const low = rest & 127
    rest >>>= 7
    if (rest === 0) return [...out, low]
    out.push(low | 128)
  }
}

/** LEB128 of a signed number. */
export const signed = (value: number | bigint): Array<number> => {
  const out: Array<number> = []
  for (let rest = BigInt(value); ;) {
    const low = Number(rest & 127n)
    rest >>= 7n
    if (rest === (low & 64 ? -1n : 0n)) return [...out, low]
    out.push(low | 128)
  }
}

/** A name. A byte order mark at its beginning is part of it. */
export const text = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)

/** Length and UTF-8 of a name. */
export const name = (text: string): Array<number> => {
  const bytes = new TextEncoder().encode(text)
  return [...unsigned(bytes.length), ...bytes]
}

export const sectionId = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  code: 10,
  tag: 13,
} as const

/** Sections in the order in which a module must have them; their numbers are not in that order. */
const sectionOrder = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11]

const header = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

/** Sections by number. Custom sections say nothing about what a module does and are left out. */
export const sections = (wasm: Uint8Array): Map<number, Uint8Array> => {
  const found = new Map<number, Uint8Array>()
  const cursor = new Cursor(wasm, header.length)
  while (cursor.at < wasm.length) {
    const id = cursor.u8()
    const body = cursor.block()
    if (id !== sectionId.custom) found.set(id, body)
  }
  return found
}

export const assemble = (parts: ReadonlyMap<number, Uint8Array>): Uint8Array => {
  const out: Array<Uint8Array> = [header]
  for (const id of sectionOrder) {
    const body = parts.get(id)
    if (body !== undefined) out.push(Uint8Array.of(id, ...unsigned(body.length)), body)
  }
  return new Uint8Array(Buffer.concat(out))
}

/** Why a module is refused. */
export type Refusal =
  | "not WebAssembly"
  | "SIMD"
  | "threads"
  | "64-bit memory"
  | "several memories"
  | "tail calls"
  | "exceptions"
  | "unknown opcode"
  | "unknown type"
  | "hidden state"
  | "frame too large"
  | "reserved name"

/** Thrown inside the instrumentation pass only, which answers with it. */
export class Refused extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal, detail: string) {
    super(detail)
    this.refusal = refusal
  }
}

/** Types of values by name, and the byte that stands for each. */
export const typeByte = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  funcref: 0x70,
  externref: 0x6f,
} as const

export type ValueType = keyof typeof typeByte

const valueTypes = new Map(
  Object.entries(typeByte).map(([type, byte]) => [byte as number, type as ValueType]),
)

/** The type that `byte` stands for; refuses those whose values metering can't follow. */
export const valueType = (byte: number): ValueType => {
  const type = valueTypes.get(byte)
  if (type !== undefined) return type
  if (byte === 0x7b) throw new Refused("SIMD", "the type v128 is not supported")
  throw new Refused("unknown type", `type 0x${byte.toString(16)} is not supported`)
}

/** How the bytes after an opcode are to be read. */
export type Immediate = "none" | "index" | "number" | "f32" | "f64" | "memory" | "memory access" | "types"

/** A plain instruction: its immediates, the values it takes, the values it leaves. */
export interface Shape {
  readonly immediate: Immediate
  readonly takes: number
  readonly gives: number
}

const ranges: ReadonlyArray<readonly [from: number, to: number, Immediate, takes: number, gives: number]> = [
  [0x1a, 0x1a, "none", 1, 0], // drop
  [0x1b, 0x1b, "none", 3, 1], // select
  [0x1c, 0x1c, "types", 3, 1], // select t
  [0x20, 0x20, "index", 0, 1], // local.get
  [0x21, 0x21, "index", 1, 0], // local.set
  [0x22, 0x22, "index", 1, 1], // local.tee
  [0x23, 0x23, "index", 0, 1], // global.get
  [0x24, 0x24, "index", 1, 0], // global.set
  [0x25, 0x25, "index", 1, 1], // table.get
  [0x28, 0x35, "memory access", 1, 1], // loads
  [0x36, 0x3e, "memory access", 2, 0], // stores
  [0x3f, 0x3f, "memory", 0, 1], // memory.size
  [0x40, 0x40, "memory", 1, 1], // memory.grow
  [0x41, 0x42, "number", 0, 1], // i32.const, i64.const
  [0x43, 0x43, "f32", 0, 1],
  [0x44, 0x44, "f64", 0, 1],
  [0x45, 0x45, "none", 1, 1], // i32.eqz
  [0x46, 0x4f, "none", 2, 1], // i32 comparisons
  [0x50, 0x50, "none", 1, 1], // i64.eqz
  [0x51, 0x66, "none", 2, 1], // i64, f32, f64 comparisons
  [0x67, 0x69, "none", 1, 1], // i32.clz, ctz, popcnt
  [0x6a, 0x78, "none", 2, 1], // i32 arithmetic
  [0x79, 0x7b, "none", 1, 1], // i64.clz, ctz, popcnt
  [0x7c, 0x8a, "none", 2, 1], // i64 arithmetic
  [0x8b, 0x91, "none", 1, 1], // f32 abs .. sqrt
  [0x92, 0x98, "none", 2, 1], // f32 add .. copysign
  [0x99, 0x9f, "none", 1, 1], // f64 abs .. sqrt
  [0xa0, 0xa6, "none", 2, 1], // f64 add .. copysign
  [0xa7, 0xc4, "none", 1, 1], // conversions and sign extensions
  [0xd0, 0xd0, "number", 0, 1], // ref.null
  [0xd1, 0xd1, "none", 1, 1], // ref.is_null
  [0xd2, 0xd2, "index", 0, 1], // ref.func
]

/** Shapes by opcode; `undefined` for control instructions and for what is refused. */
export const shapes: ReadonlyArray<Shape | undefined> = (() => {
  const table = new Array<Shape | undefined>(256).fill(undefined)
  for (const [from, to, immediate, takes, gives] of ranges)
    for (let op = from; op <= to; op++) table[op] = { immediate, takes, gives }
  return table
})()

/** Passes over the immediates of a plain instruction. */
export const skipImmediate = (cursor: Cursor, immediate: Immediate): void => {
  if (immediate === "number") cursor.skip()
  else if (immediate === "index") cursor.u32()
  else if (immediate === "f32") cursor.at += 4
  else if (immediate === "f64") cursor.at += 8
  else if (immediate === "memory") cursor.memory()
  else if (immediate === "memory access") {
    const names = 64 // flag: the index of a memory follows
    if (cursor.u32() & names) throw new Refused("several memories", "an instruction names its memory")
    cursor.u32()
  } else if (immediate === "types") for (let n = cursor.u32(); n > 0; n--) cursor.skip()
}

/** Instructions that the pass looks for or writes. `empty` is the type of a block that takes and gives nothing. */
export const op = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  select: 0x1b,
  globalGet: 0x23,
  globalSet: 0x24,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  f32Const: 0x43,
  f64Const: 0x44,
  i32Eq: 0x46,
  i32LtU: 0x49,
  i64GeS: 0x59,
  i64GtU: 0x56,
  f32Eq: 0x5b,
  f64Eq: 0x61,
  i64Add: 0x7c,
  i64Sub: 0x7d,
  i64And: 0x83,
  i64Shl: 0x86,
  i64ShrU: 0x88,
  i64FromU32: 0xad,
  bitsOfF32: 0xbc,
  bitsOfF64: 0xbd,
  f32OfBits: 0xbe,
  f64OfBits: 0xbf,
  bulk: 0xfc,
  empty: 0x40,
} as const

export const i32Const = (value: number): Array<number> => [op.i32Const, ...signed(value)]
export const i64Const = (value: number | bigint): Array<number> => [op.i64Const, ...signed(value)]
export const localGet = (index: number): Array<number> => [0x20, ...unsigned(index)]
export const localSet = (index: number): Array<number> => [0x21, ...unsigned(index)]
export const localTee = (index: number): Array<number> => [0x22, ...unsigned(index)]
export const globalGet = (index: number): Array<number> => [op.globalGet, ...unsigned(index)]
export const globalSet = (index: number): Array<number> => [op.globalSet, ...unsigned(index)]
export const call = (index: number): Array<number> => [op.call, ...unsigned(index)]

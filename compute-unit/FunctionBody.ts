/**
 * One function through the instrumentation pass.
 *
 * The body is read once. Instructions are copied as they stand; where a stretch begins that runs as a whole, a
 * `Charge` is put that collects its price and is written out at the end, when its sum is known. Around it all goes a
 * frame that counts stack words, with `return` turned into a branch to the frame's end:
 *
 *     if depth + words > limit: trap; depth += words
 *     block
 *       fuel -= price of the first stretch; if fuel < 0: trap
 *       ... body ...
 *     end
 *     depth -= words
 *
 * The pass follows the operand stack only as far as a frame's words need it: its greatest height. After an
 * unconditional branch the height is that of the enclosing block, as in the specification's validation.
 */
import * as Wasm from "./Wasm.ts"
import { globalGet, globalSet, i32Const, i64Const, localGet, localTee, op, Refused } from "./Wasm.ts"

export interface Signature {
  readonly takes: number
  readonly gives: ReadonlyArray<number>
}

export interface Context {
  readonly types: ReadonlyArray<Signature>
  readonly functions: ReadonlyArray<Signature>
  readonly fuel: number
  readonly depth: number
  readonly mark: number
  readonly stackPointer?: number
  readonly depthWordsMax: number
  readonly frameWordsMax: number
  readonly chargeValues: boolean
}

/** A block, loop or if that is open where the pass stands. */
interface Open {
  readonly kind: "function" | "block" | "loop" | "if"
  /** Height of the operand stack below its parameters. */
  readonly base: number
  readonly takes: number
  readonly gives: number
  /** The charge that runs where it begins. */
  readonly charge: Charge
  /** Whether a branch leads to its end. */
  branched: boolean
  /** Whether a branch leads from within it to somewhere else than its end or beginning. */
  left: boolean
}

/**
 * The price of one stretch of code that runs as a whole or not at all, written where it begins. It is a basic block,
 * and with it what follows blocks, loops and ifs that no branch leaves.
 */
interface Charge {
  readonly tested: boolean
  fuel: number
}

/** What an instruction costs beside 1. Division is an order of magnitude slower than addition on every processor. */
const slow = new Set([0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82, 0x91, 0x95, 0x9f, 0xa3])
const price = { slow: 8, call: 3, callIndirect: 4, bulk: 8, grow: 1_000 } as const

/** Bulk instructions cost one fuel per 16 bytes; a page of `memory.grow` costs as many as its 65,536 bytes. */
const bulkBytesShift = 4
const growPageShift = 12

/** Words of a frame beside its parameters, locals and operands: return address, saved registers, instance. */
const frameWordsFixed = 16

/** Scratch locals that the pass adds, after the function's own. */
const scratch = [0x7e, 0x7f, 0x7c, 0x7d] as const

/** ceil .. sqrt, add .. max and the conversion between widths may give any NaN; abs, neg and copysign move bits. */
const givesNaN32 = (code: number): boolean => (code >= 0x8d && code <= 0x97) || code === 0xb6
const givesNaN64 = (code: number): boolean => (code >= 0x9b && code <= 0xa5) || code === 0xbb

export class FunctionBody {
  readonly bytes: Uint8Array
  /** Stack words of one call. */
  readonly words: number

  readonly #cursor: Wasm.Cursor
  readonly #context: Context
  readonly #index: number
  /** Index of the first scratch local: i64, i32, f64, f32. */
  readonly #scratch: number
  readonly #parts: Array<Uint8Array | Charge> = []
  readonly #open: Array<Open> = []
  #charge: Charge = { tested: true, fuel: 1 }
  #height = 0
  #heightMax = 0
  #values = 0
  /** A function that calls none is held to the limit, but nobody sees what it would count. */
  #calls = false

  constructor(cursor: Wasm.Cursor, index: number, context: Context) {
    this.#cursor = cursor
    this.#context = context
    this.#index = index
    const signature = context.functions[index]!
    if (signature.gives.length > 1)
      throw new Refused("multi-value function", `function ${index} gives ${signature.gives.length} values`)
    const declared: Array<number> = []
    let locals = signature.takes
    const groups = cursor.u32()
    for (let n = 0; n < groups; n++) {
      const count = cursor.u32()
      const type = cursor.u8()
      Wasm.checkType(type)
      declared.push(...Wasm.unsigned(count), type)
      locals += count
    }
    for (const type of scratch) declared.push(1, type)
    this.#scratch = locals

    this.#begin(true, 1)
    const body = { base: 0, takes: 0, gives: signature.gives.length, charge: this.#charge }
    this.#open.push({ kind: "function", ...body, branched: true, left: false })
    while (this.#open.length > 0) this.#instruction()

    const values = context.chargeValues ? this.#values : 0
    this.words = frameWordsFixed + locals + scratch.length + this.#heightMax + values
    if (this.words > context.frameWordsMax)
      throw new Refused(
        "frame too large",
        `function ${index} takes ${this.words} stack words a call; at most ${context.frameWordsMax} are allowed`,
      )
    this.bytes = this.#write([...Wasm.unsigned(groups + scratch.length), ...declared], signature)
  }

  /** Puts together locals, frame and body, now that every charge is known. */
  #write(locals: ReadonlyArray<number>, { gives }: Signature): Uint8Array {
    const { depth, fuel, depthWordsMax } = this.#context
    const [i64, i32] = [this.#scratch, this.#scratch + 1]
    const count = [...localGet(i32), ...globalSet(depth)]
    const sum = [...globalGet(depth), ...i32Const(this.words), 0x6a, ...localTee(i32)]
    const over = [...i32Const(depthWordsMax), 0x4a]
    const trap = [op.if, 0x40, ...count, op.unreachable, op.end]
    const enter = [...sum, ...over, ...trap, ...(this.#calls ? count : []), op.block, gives[0] ?? 0x40]
    const uncount = [...globalGet(depth), ...i32Const(this.words), 0x6b, ...globalSet(depth)]
    const leave = [op.end, ...(this.#calls ? uncount : []), op.end]
    const parts = this.#parts.map((part) => {
      if (part instanceof Uint8Array) return part
      if (part.fuel === 0 && !part.tested) return new Uint8Array(0)
      const less = [...globalGet(fuel), ...i64Const(part.fuel), 0x7d]
      if (!part.tested) return Uint8Array.from([...less, ...globalSet(fuel)])
      const test = [
        ...localTee(i64),
        ...globalSet(fuel),
        ...localGet(i64),
        ...i64Const(0),
        0x53,
        ...Wasm.trapIf,
      ]
      return Uint8Array.from([...less, ...test])
    })
    return new Uint8Array(
      Buffer.concat([Uint8Array.from([...locals, ...enter]), ...parts, Uint8Array.from(leave)]),
    )
  }

  /** Begins a basic block here. */
  #begin(tested: boolean, fuel: number): void {
    this.#charge = { tested, fuel }
    this.#parts.push(this.#charge)
  }

  #emit(code: ReadonlyArray<number>): void {
    this.#parts.push(Uint8Array.from(code))
  }

  #take(count: number): void {
    this.#height = Math.max(this.#height - count, this.#open.at(-1)?.base ?? 0)
  }

  #give(count: number): void {
    this.#height += count
    this.#heightMax = Math.max(this.#heightMax, this.#height)
  }

  #branch(label: number): void {
    const target = this.#open.at(-1 - label)!
    target.branched = true
    for (const open of this.#open.slice(this.#open.length - label)) open.left = true
  }

  /** What follows can't be reached: the height is that of the enclosing block. */
  #stop(): void {
    this.#height = this.#open.at(-1)!.base
  }

  #enter(kind: Open["kind"]): void {
    const type = this.#cursor.s33()
    if (type < 0 && type !== -64) Wasm.checkType(type & 127)
    const signature = type >= 0 ? this.#context.types[type]! : undefined
    const takes = signature?.takes ?? 0
    const gives = signature?.gives.length ?? (type === -64 ? 0 : 1)
    const base = Math.max(0, this.#height - takes)
    this.#open.push({ kind, base, takes, gives, charge: this.#charge, branched: kind === "if", left: false })
  }

  #instruction(): void {
    const cursor = this.#cursor
    const from = cursor.at
    const code = cursor.u8()
    const copy = (): void => void this.#parts.push(cursor.bytes.subarray(from, cursor.at))
    switch (code) {
      case op.unreachable:
        this.#stop()
        return copy()
      case op.nop:
        return copy()
      case op.block:
        this.#enter("block")
        return copy()
      case op.loop:
        this.#enter("loop")
        copy()
        return this.#begin(true, 1)
      case op.if:
        this.#charge.fuel++
        this.#take(1)
        this.#enter("if")
        copy()
        return this.#begin(false, 0)
      case op.else: {
        const { base, takes } = this.#open.at(-1)!
        this.#height = base + takes
        copy()
        return this.#begin(false, 0)
      }
      case op.end: {
        const { kind, base, gives, charge, branched, left } = this.#open.pop()!
        this.#height = base
        this.#give(gives)
        if (kind === "function") return
        copy()
        // What nothing leaves is passed through whole: what follows runs if and only if what stood before it did.
        if (!left) this.#charge = charge
        // The end of a loop is reached by falling through only: a branch to a loop leads to its beginning.
        else if (branched && kind !== "loop") this.#begin(false, 0)
        return
      }
      case op.br:
        this.#charge.fuel++
        this.#branch(cursor.u32())
        this.#stop()
        return copy()
      case op.brIf:
        this.#charge.fuel++
        this.#branch(cursor.u32())
        this.#take(1)
        copy()
        return this.#begin(false, 0)
      case op.brTable:
        this.#charge.fuel++
        for (let n = cursor.u32(); n >= 0; n--) this.#branch(cursor.u32())
        this.#stop()
        return copy()
      case op.return:
        this.#charge.fuel++
        this.#branch(this.#open.length - 1)
        this.#emit([op.br, ...Wasm.unsigned(this.#open.length - 1)])
        return this.#stop()
      case op.call:
        this.#charge.fuel += price.call
        this.#call(this.#context.functions[cursor.u32()]!)
        return copy()
      case op.callIndirect: {
        this.#charge.fuel += price.callIndirect
        const signature = this.#context.types[cursor.u32()]!
        cursor.skip()
        this.#take(1)
        this.#call(signature)
        return copy()
      }
      case op.bulk:
        return this.#bulk(from)
      default:
        return this.#plain(code, from)
    }
  }

  #call({ takes, gives }: Signature): void {
    this.#calls = true
    this.#values++
    this.#take(takes)
    this.#give(gives.length)
  }

  /** An instruction whose effect stands in the table. */
  #plain(code: number, from: number): void {
    const shape = Wasm.shapes[code]
    if (shape === undefined) throw this.#refused(code)
    const cursor = this.#cursor
    Wasm.skipImmediate(cursor, shape.immediate)
    this.#charge.fuel += code === op.memoryGrow ? price.grow : slow.has(code) ? price.slow : 1
    this.#take(shape.takes)
    this.#give(shape.gives)
    // Constants and locals are kept nowhere but where they are; all other results may be kept across a call.
    if (shape.gives > 0 && !(code >= 0x20 && code <= 0x22) && !(code >= 0x41 && code <= 0x44)) this.#values++
    if (code === op.memoryGrow) this.#chargeLength(growPageShift, "times")
    this.#parts.push(cursor.bytes.subarray(from, cursor.at))
    const { stackPointer, mark } = this.#context
    const [f64, f32] = [this.#scratch + 2, this.#scratch + 3]
    if (code === op.globalSet && new Wasm.Cursor(cursor.bytes, from + 1).u32() === stackPointer)
      this.#emit([
        ...globalGet(stackPointer),
        ...globalGet(mark),
        0x49, // sp < mark
        op.if,
        0x40,
        ...globalGet(stackPointer),
        ...globalSet(mark),
        op.end,
      ])
    // x, NaN, x == x ? : the value itself unless it is a NaN, which alone differs from itself.
    const canonical32 = [0x43, 0, 0, 0xc0, 0x7f]
    const canonical64 = [0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]
    if (givesNaN32(code))
      this.#emit([...localTee(f32), ...canonical32, ...localGet(f32), ...localGet(f32), 0x5b, 0x1b])
    if (givesNaN64(code))
      this.#emit([...localTee(f64), ...canonical64, ...localGet(f64), ...localGet(f64), 0x61, 0x1b])
  }

  /** The instructions behind 0xfc: saturating conversions, memory in bulk, tables. */
  #bulk(from: number): void {
    const cursor = this.#cursor
    const code = cursor.u32()
    if (code <= 7) {
      this.#charge.fuel++
      this.#values++
    } else if (code === 8 || code === 10 || code === 11) {
      this.#charge.fuel += price.bulk
      cursor.skip()
      if (code !== 11) cursor.skip()
      this.#chargeLength(bulkBytesShift, "over")
      this.#take(3)
    } else if (code === 16) {
      this.#charge.fuel++
      cursor.skip()
      this.#give(1)
    } else if (code <= 17) {
      throw new Refused("hidden state", `function ${this.#index} changes a table or drops a segment`)
    } else throw new Refused("unknown opcode", `opcode 0xfc ${code} in function ${this.#index}`)
    this.#parts.push(cursor.bytes.subarray(from, cursor.at))
  }

  /** Charges for the length on top of the operand stack, and tests: nothing of a bulk operation runs unpaid. */
  #chargeLength(shift: number, by: "times" | "over"): void {
    const { fuel } = this.#context
    const [i64, i32] = [this.#scratch, this.#scratch + 1]
    this.#emit([
      ...localTee(i32),
      ...globalGet(fuel),
      ...localGet(i32),
      0xad, // as i64, unsigned
      ...i64Const(shift),
      by === "times" ? 0x86 : 0x88,
      0x7d,
      ...localTee(i64),
      ...globalSet(fuel),
      ...localGet(i64),
      ...i64Const(0),
      0x53,
      ...Wasm.trapIf,
    ])
  }

  #refused(code: number): Refused {
    const where = `opcode 0x${code.toString(16)} in function ${this.#index}`
    if (code === 0xfd) return new Refused("SIMD", where)
    if (code === 0xfe) return new Refused("threads", where)
    if (code === 0x12 || code === 0x13 || code === 0x15) return new Refused("tail calls", where)
    if ((code >= 0x06 && code <= 0x0a) || code === 0x18 || code === 0x19 || code === 0x1f)
      return new Refused("exceptions", where)
    if (code === 0x26) return new Refused("hidden state", `function ${this.#index} changes a table`)
    return new Refused("unknown opcode", where)
  }
}

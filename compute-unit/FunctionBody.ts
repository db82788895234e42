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
import * as MeterCode from "./MeterCode.ts"
import * as Wasm from "./Wasm.ts"
import { call, op, Refused } from "./Wasm.ts"
import type { FunctionType } from "./WasmInterface.ts"

export interface Context {
  readonly types: ReadonlyArray<FunctionType>
  readonly functions: ReadonlyArray<FunctionType>
  /** How a block is written that takes nothing and gives these. */
  readonly blockType: (gives: ReadonlyArray<Wasm.ValueType>) => ReadonlyArray<number>
  readonly counters: MeterCode.Counters
  readonly stackPointer?: number
  /** The function that is called in place of `memory.grow`, where the host limits memory. */
  readonly grow: number | undefined
  /** Float globals that are kept as their bits, by index. */
  readonly bits: ReadonlyMap<number, "f32" | "f64">
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
  /** The outermost of the open blocks to which a branch leads from within it, by its place among them. */
  reach: number
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

/** Words of a frame beside its parameters, locals and operands: return address, saved registers, instance. */
const frameWordsFixed = 16

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
  readonly #scratch: MeterCode.Scratch
  readonly #parts: Array<Uint8Array | Charge> = []
  readonly #open: Array<Open> = []
  #charge: Charge = { tested: true, fuel: 1 }
  #height = 0
  #heightMax = 0
  #values = 0
  /** Most operands that a call in it takes: a first tier has them on the stack once more for the callee. */
  #passedMax = 0
  /** A function that calls none is held to the limit, but nobody sees what it would count. */
  #calls = false

  constructor(cursor: Wasm.Cursor, index: number, context: Context) {
    this.#cursor = cursor
    this.#context = context
    this.#index = index
    const signature = context.functions[index]!
    const declared: Array<number> = []
    let locals = signature.takes.length
    const groups = cursor.u32()
    for (let n = 0; n < groups; n++) {
      const count = cursor.u32()
      const type = cursor.u8()
      Wasm.valueType(type)
      declared.push(...Wasm.unsigned(count), type)
      locals += count
    }
    for (const type of MeterCode.scratchTypes) declared.push(1, type)
    const scratch = MeterCode.scratchTypes.length
    this.#scratch = MeterCode.scratchFrom(locals)

    this.#begin(true, 1)
    const body = { base: 0, takes: 0, gives: signature.gives.length, charge: this.#charge }
    this.#open.push({ kind: "function", ...body, branched: true, reach: 0 })
    while (this.#open.length > 0) this.#instruction()

    const values = context.chargeValues ? this.#values : 0
    const passed = context.chargeValues ? this.#passedMax : 0
    this.words = frameWordsFixed + locals + scratch + this.#heightMax + values + passed
    if (this.words > context.frameWordsMax)
      throw new Refused(
        "frame too large",
        `function ${index} takes ${this.words} stack words a call; at most ${context.frameWordsMax} are allowed`,
      )
    this.bytes = this.#write([...Wasm.unsigned(groups + scratch), ...declared], signature)
  }

  /** Puts together locals, frame and body, now that every charge is known. */
  #write(locals: ReadonlyArray<number>, { gives }: FunctionType): Uint8Array {
    const { blockType, counters, depthWordsMax } = this.#context
    const scratch = this.#scratch
    const enter = MeterCode.enterFrame(counters, scratch, this.words, depthWordsMax, this.#calls)
    const block = [op.block, ...blockType(gives)]
    const leave = this.#calls ? MeterCode.leaveFrame(counters, this.words) : []
    const parts = this.#parts.map((part) => {
      if (part instanceof Uint8Array) return part
      if (part.fuel === 0 && !part.tested) return new Uint8Array(0)
      return Uint8Array.from(MeterCode.charge(counters, scratch, part.fuel, part.tested))
    })
    return new Uint8Array(
      Buffer.concat([
        Uint8Array.from([...locals, ...enter, ...block]),
        ...parts,
        Uint8Array.from([op.end, ...leave, op.end]),
      ]),
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
    // Noted where the branch stands, and handed outwards when that ends: a module may have many of both.
    this.#reach(this.#open.length - 1 - label)
  }

  #reach(place: number): void {
    const inner = this.#open.at(-1)
    if (inner !== undefined) inner.reach = Math.min(inner.reach, place)
  }

  /** What follows can't be reached: the height is that of the enclosing block. */
  #stop(): void {
    this.#height = this.#open.at(-1)!.base
  }

  #enter(kind: Open["kind"]): void {
    const type = this.#cursor.s33()
    if (type < 0 && type !== -64) Wasm.valueType(type & 127)
    const signature = type >= 0 ? this.#context.types[type]! : undefined
    const takes = signature?.takes.length ?? 0
    const gives = signature?.gives.length ?? (type === -64 ? 0 : 1)
    const base = Math.max(0, this.#height - takes)
    this.#open.push({
      kind,
      base,
      takes,
      gives,
      charge: this.#charge,
      branched: kind === "if",
      reach: Infinity,
    })
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
        const { kind, base, gives, charge, branched, reach } = this.#open.pop()!
        this.#reach(reach)
        this.#height = base
        this.#give(gives)
        if (kind === "function") return
        copy()
        // What nothing leaves is passed through whole: what follows runs if and only if what stood before it did.
        if (reach >= this.#open.length) this.#charge = charge
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
        cursor.u32()
        this.#take(1)
        this.#call(signature)
        return copy()
      }
      case op.globalGet:
      case op.globalSet:
        return this.#global(code, from)
      case op.memoryGrow:
        return this.#grow(from)
      case op.bulk:
        return this.#bulk(from)
      default:
        return this.#plain(code, from)
    }
  }

  #call({ takes, gives }: FunctionType): void {
    this.#calls = true
    this.#values += gives.length
    this.#passedMax = Math.max(this.#passedMax, takes.length)
    this.#take(takes.length)
    this.#give(gives.length)
  }

  /** An instruction whose effect stands in the table. */
  #plain(code: number, from: number): void {
    const shape = Wasm.shapes[code]
    if (shape === undefined) throw this.#refused(code)
    const cursor = this.#cursor
    Wasm.skipImmediate(cursor, shape.immediate)
    this.#charge.fuel += slow.has(code) ? price.slow : 1
    this.#take(shape.takes)
    this.#give(shape.gives)
    // Constants and locals are kept nowhere but where they are; all other results may be kept across a call.
    if (shape.gives > 0 && !(code >= 0x20 && code <= 0x22) && !(code >= 0x41 && code <= 0x44)) this.#values++
    this.#parts.push(cursor.bytes.subarray(from, cursor.at))
    if (givesNaN32(code)) this.#emit(MeterCode.canonical32(this.#scratch))
    if (givesNaN64(code)) this.#emit(MeterCode.canonical64(this.#scratch))
  }

  #global(code: typeof op.globalGet | typeof op.globalSet, from: number): void {
    const cursor = this.#cursor
    const index = cursor.u32()
    const { bits, counters, stackPointer } = this.#context
    const type = bits.get(index)
    this.#charge.fuel++
    if (code === op.globalGet) {
      this.#give(1)
      this.#values++
    } else {
      this.#take(1)
      if (type !== undefined) this.#emit([type === "f32" ? op.bitsOfF32 : op.bitsOfF64])
    }
    this.#parts.push(cursor.bytes.subarray(from, cursor.at))
    if (code === op.globalGet) {
      if (type !== undefined) this.#emit([type === "f32" ? op.f32OfBits : op.f64OfBits])
    } else if (index === stackPointer) this.#emit(MeterCode.mark(counters, stackPointer))
  }

  #grow(from: number): void {
    const cursor = this.#cursor
    const { grow } = this.#context
    cursor.memory()
    this.#charge.fuel += price.grow
    this.#values++
    if (grow !== undefined) return this.#emit(call(grow))
    this.#chargeLength(MeterCode.growPageShift, "times")
    this.#parts.push(cursor.bytes.subarray(from, cursor.at))
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
      if (code === 8) cursor.u32()
      if (code === 10) cursor.memory()
      cursor.memory()
      this.#chargeLength(MeterCode.bulkBytesShift, "over")
      this.#take(3)
    } else if (code === 16) {
      this.#charge.fuel++
      cursor.u32()
      this.#give(1)
    } else if (code <= 17) {
      throw new Refused("hidden state", `function ${this.#index} changes a table or drops a segment`)
    } else throw new Refused("unknown opcode", `opcode 0xfc ${code} in function ${this.#index}`)
    this.#parts.push(cursor.bytes.subarray(from, cursor.at))
  }

  #chargeLength(shift: number, by: "times" | "over"): void {
    this.#emit(MeterCode.chargeLength(this.#context.counters, this.#scratch, shift, by))
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

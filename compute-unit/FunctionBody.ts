/**
 * One function through the instrumentation pass.
 *
 * The body is read once. Instructions are copied as they stand; where a stretch begins that runs as a whole, a place is
 * kept for its charge, which is written at the end, when its price is known. Around it all goes a frame, with `return`
 * turned into a branch to the frame's end:
 *
 *     left = allowance - words and price of the first stretch; if below zero: trap
 *     block
 *       ... body: left -= price at each stretch; a test where a loop begins ...
 *     end
 *     allowance = left + words
 *
 * `left` is a local. Before a call, where a loop begins, before anything is done by length and at `unreachable` it is
 * written to the global; after a call it is read again when it is next needed. Any other trap leaves in the global what
 * was written last.
 *
 * A small function that calls none is charged, but has no frame: it can't go deep, and does little for one call.
 */
import { Blocks, type Charge, type Kind } from "./Blocks.ts"
import * as MeterCode from "./MeterCode.ts"
import * as Wasm from "./Wasm.ts"
import { op, Refused } from "./Wasm.ts"
import type { FunctionType } from "./WasmInterface.ts"

export interface Context {
  readonly types: ReadonlyArray<FunctionType>
  readonly functions: ReadonlyArray<FunctionType>
  /** How a block is written that takes nothing and gives these. */
  readonly blockType: (gives: ReadonlyArray<Wasm.ValueType>) => ReadonlyArray<number>
  readonly counters: MeterCode.Counters
  readonly stackPointer?: number
  /** The function that is called in place of `memory.grow`. */
  readonly grow: number
  /** Float globals that are kept as their bits, by index. */
  readonly bits: ReadonlyMap<number, "f32" | "f64">
  readonly frameWordsMax: number
  readonly chargeValues: boolean
}

/** What an instruction costs beside 1. Division is an order of magnitude slower than addition on every processor. */
const slow = new Set([0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82, 0x91, 0x95, 0x9f, 0xa3])
const price = { slow: 8, call: 3, callIndirect: 4, bulk: 8, grow: 1_000 } as const

/** Words of a frame beside its parameters, locals and operands: return address, saved registers, instance. */
const frameWordsFixed = 16

/** Words that stand for the locals that the pass adds. */
const frameWordsScratch = 4

/** Words and prices of all stretches of a small function, together. */
const smallMax = 512

/** ceil .. sqrt, add .. max and the conversion between widths may give any NaN; abs, neg and copysign move bits. */
const givesNaN = (code: number): "f32" | "f64" | undefined => {
  if ((code >= 0x8d && code <= 0x97) || code === 0xb6) return "f32"
  return (code >= 0x9b && code <= 0xa5) || code === 0xbb ? "f64" : undefined
}

export class FunctionBody {
  readonly bytes: Uint8Array
  /** Stack words of one call. */
  readonly words: number
  /** Whether it has `memory.grow`. */
  grows = false

  readonly #cursor: Wasm.Cursor
  readonly #context: Context
  readonly #index: number
  readonly #type: FunctionType
  readonly #blocks: Blocks
  readonly #first: Charge = { tested: true, fuel: 1 }
  /** What was put together so far; charges are written last. */
  readonly #parts: Array<Uint8Array | Charge> = []
  /** Where the instruction begins that is being read, and where that begins which is not in `#parts` yet. */
  #from: number
  #kept: number
  readonly #locals: number
  /** Types of the locals that the pass adds, in the order in which they are needed; the first is `left`. */
  readonly #scratch: Array<Wasm.ValueType> = ["i64"]
  /** Whether the global is ahead of `left`, because a call came in between. */
  #stale = false
  #values = 0
  /** Most operands that a call in it takes: a first tier has them on the stack once more for the callee. */
  #passedMax = 0
  /** Whether the global is written before its end, beside loops. */
  #writes = false
  /** Whether a branch leads to its end. */
  #returns = false

  constructor(cursor: Wasm.Cursor, index: number, context: Context) {
    this.#cursor = cursor
    this.#context = context
    this.#index = index
    this.#type = context.functions[index]!
    const groups = cursor.u32()
    const declaredFrom = cursor.at
    let locals = this.#type.takes.length
    for (let n = 0; n < groups; n++) {
      locals += cursor.u32()
      Wasm.valueType(cursor.u8())
    }
    this.#locals = locals
    const declared = cursor.bytes.subarray(declaredFrom, cursor.at)
    this.#from = this.#kept = cursor.at

    this.#blocks = new Blocks(this.#first, this.#type.gives.length)
    while (this.#blocks.depth > 0) this.#instruction()

    const kept = context.chargeValues ? this.#values + this.#passedMax : 0
    this.words = frameWordsFixed + frameWordsScratch + locals + this.#blocks.heightMax + kept
    if (this.words > context.frameWordsMax)
      throw new Refused(
        "frame too large",
        `function ${index} takes ${this.words} stack words a call; at most ${context.frameWordsMax} are allowed`,
      )
    const scratch = this.#scratch.flatMap((type) => [1, Wasm.typeByte[type]])
    const all = Wasm.unsigned(groups + this.#scratch.length)
    const header = [Uint8Array.from(all), declared, Uint8Array.from(scratch)]
    this.bytes = new Uint8Array(Buffer.concat([...header, ...this.#frame(), endCode]))
  }

  /** The body in its frame. */
  #frame(): ReadonlyArray<Uint8Array> {
    const { counters, blockType } = this.#context
    const [left, words, fuel] = [this.#locals, this.words, this.#first.fuel]
    const charges = this.#parts.flatMap((part) => (part instanceof Uint8Array ? [] : [part]))
    const total = charges.reduce((sum, charge) => sum + charge.fuel, fuel)
    const small = !this.#writes && total + words <= smallMax
    const wrapped = (body: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> =>
      this.#returns ? [Uint8Array.from([op.block, ...blockType(this.#type.gives)]), ...body, endCode] : body
    const body = this.#parts.map((part) => (part instanceof Uint8Array ? part : this.#charged(part)))
    if (small && charges.every((charge) => charge.fuel === 0))
      return [Uint8Array.from(MeterCode.chargeGlobal(counters, fuel)), ...wrapped(body)]
    const enter = small
      ? [...MeterCode.read(counters, left), ...MeterCode.charge(left, fuel)]
      : MeterCode.enter(counters, left, fuel, words)
    const leave = small
      ? MeterCode.write(counters, left)
      : MeterCode.leave(counters, left, words, this.#stale)
    return [Uint8Array.from(enter), ...wrapped(body), Uint8Array.from(leave)]
  }

  #charged({ fuel, tested }: Charge): Uint8Array {
    const left = this.#locals
    if (tested) return Uint8Array.from(MeterCode.chargeAndTest(this.#context.counters, left, fuel))
    return Uint8Array.from(fuel === 0 ? [] : MeterCode.charge(left, fuel))
  }

  /** Index of the local of this type that the pass adds for its own use. */
  #local(type: Wasm.ValueType): number {
    const known = this.#scratch.indexOf(type)
    return this.#locals + (known >= 0 ? known : this.#scratch.push(type) - 1)
  }

  /** Puts `code` before the instruction that is being read. */
  #before(code: ReadonlyArray<number>): void {
    this.#parts.push(this.#cursor.bytes.subarray(this.#kept, this.#from), Uint8Array.from(code))
    this.#kept = this.#from
  }

  /** Puts `code` after the instruction that is being read. */
  #after(code: ReadonlyArray<number> | Charge): void {
    const { at, bytes } = this.#cursor
    this.#parts.push(bytes.subarray(this.#kept, at), "tested" in code ? code : Uint8Array.from(code))
    this.#kept = at
  }

  /** Puts `code` in place of the instruction that is being read. */
  #instead(code: ReadonlyArray<number>): void {
    this.#before(code)
    this.#kept = this.#cursor.at
  }

  /** Begins a stretch after the instruction that is being read. */
  #begin(tested: boolean, fuel: number): void {
    this.#blocks.charge = { tested, fuel }
    this.#after(this.#blocks.charge)
  }

  /** Before what takes over the count: the global is up to date. */
  #write(): void {
    this.#writes = true
    if (!this.#stale) this.#before(MeterCode.write(this.#context.counters, this.#locals))
  }

  /** Before code that may charge: `left` is up to date. */
  #read(): void {
    if (this.#stale) this.#before(MeterCode.read(this.#context.counters, this.#locals))
    this.#stale = false
  }

  #instruction(): void {
    const cursor = this.#cursor
    const blocks = this.#blocks
    this.#from = cursor.at
    const code = cursor.u8()
    switch (code) {
      case op.unreachable:
        this.#write()
        return blocks.stop()
      case op.nop:
        return
      case op.block:
        return this.#enter("block")
      case op.loop:
        this.#read()
        this.#enter("loop")
        return this.#begin(true, 1)
      case op.if:
        this.#read()
        blocks.charge.fuel++
        blocks.take(1)
        this.#enter("if")
        return this.#begin(false, 0)
      case op.else:
        this.#read()
        blocks.turn()
        return this.#begin(false, 0)
      case op.end:
        return this.#end()
      case op.br:
        this.#read()
        blocks.charge.fuel++
        blocks.branch(cursor.u32())
        return blocks.stop()
      case op.brIf:
        this.#read()
        blocks.charge.fuel++
        blocks.branch(cursor.u32())
        blocks.take(1)
        return this.#begin(false, 0)
      case op.brTable:
        this.#read()
        blocks.charge.fuel++
        for (let n = cursor.u32(); n >= 0; n--) blocks.branch(cursor.u32())
        return blocks.stop()
      case op.return:
        this.#read()
        blocks.charge.fuel++
        blocks.branch(blocks.depth - 1)
        this.#instead([op.br, ...Wasm.unsigned(blocks.depth - 1)])
        return blocks.stop()
      case op.call:
        blocks.charge.fuel += price.call
        return this.#call(this.#context.functions[cursor.u32()]!)
      case op.callIndirect: {
        blocks.charge.fuel += price.callIndirect
        const type = this.#context.types[cursor.u32()]!
        cursor.u32()
        blocks.take(1)
        return this.#call(type)
      }
      case op.globalGet:
      case op.globalSet:
        return this.#global(code)
      case op.memoryGrow:
        return this.#grow()
      case op.bulk:
        return this.#bulk()
      default:
        return this.#plain(code)
    }
  }

  #enter(kind: Kind): void {
    const type = this.#cursor.s33()
    if (type < 0 && type !== -64) Wasm.valueType(type & 127)
    const signature = type >= 0 ? this.#context.types[type]! : undefined
    const gives = signature?.gives.length ?? (type === -64 ? 0 : 1)
    this.#blocks.enter(kind, signature?.takes.length ?? 0, gives)
  }

  #end(): void {
    const { begins, branched } = this.#blocks.end()
    const last = this.#blocks.depth === 0
    if (branched || !last) this.#read()
    if (begins) this.#begin(false, 0)
    if (!last) return
    this.#returns = branched
    this.#instead([])
  }

  #call({ takes, gives }: FunctionType): void {
    this.#write()
    this.#stale = true
    this.#values += gives.length
    this.#passedMax = Math.max(this.#passedMax, takes.length)
    this.#blocks.take(takes.length)
    this.#blocks.give(gives.length)
  }

  /** An instruction whose effect stands in the table. */
  #plain(code: number): void {
    const shape = Wasm.shapes[code]
    if (shape === undefined) throw this.#refused(code)
    Wasm.skipImmediate(this.#cursor, shape.immediate)
    this.#blocks.charge.fuel += slow.has(code) ? price.slow : 1
    this.#blocks.take(shape.takes)
    this.#blocks.give(shape.gives)
    // Constants and locals are kept nowhere but where they are; all other results may be kept across a call.
    if (shape.gives > 0 && !(code >= 0x20 && code <= 0x22) && !(code >= 0x41 && code <= 0x44)) this.#values++
    const float = givesNaN(code)
    if (float !== undefined) this.#after(MeterCode.canonical[float](this.#local(float)))
  }

  #global(code: typeof op.globalGet | typeof op.globalSet): void {
    const index = this.#cursor.u32()
    const { bits, counters, stackPointer } = this.#context
    const float = bits.get(index)
    this.#blocks.charge.fuel++
    if (code === op.globalGet) {
      this.#blocks.give(1)
      this.#values++
      if (float !== undefined) this.#after([float === "f32" ? op.f32OfBits : op.f64OfBits])
    } else {
      this.#blocks.take(1)
      if (float !== undefined) this.#before([float === "f32" ? op.bitsOfF32 : op.bitsOfF64])
      if (index === stackPointer) this.#after(MeterCode.mark(counters, index))
    }
  }

  #grow(): void {
    this.#cursor.memory()
    this.#blocks.charge.fuel += price.grow
    this.#values++
    this.#write()
    this.#instead(Wasm.call(this.#context.grow))
    this.#stale = true
    this.grows = true
  }

  /** The instructions behind 0xfc: saturating conversions, memory in bulk, tables. */
  #bulk(): void {
    const cursor = this.#cursor
    const { charge } = this.#blocks
    const code = cursor.u32()
    if (code <= 7) {
      charge.fuel++
      this.#values++
    } else if (code === 8 || code === 10 || code === 11) {
      charge.fuel += price.bulk
      if (code === 8) cursor.u32()
      if (code === 10) cursor.memory()
      cursor.memory()
      this.#read()
      this.#writes = true
      this.#before(MeterCode.chargeBytes(this.#context.counters, this.#locals, this.#local("i32")))
      this.#blocks.take(3)
    } else if (code === 16) {
      charge.fuel++
      cursor.u32()
      this.#blocks.give(1)
    } else if (code <= 17) {
      throw new Refused("hidden state", `function ${this.#index} changes a table or drops a segment`)
    } else throw new Refused("unknown opcode", `opcode 0xfc ${code} in function ${this.#index}`)
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

const endCode = Uint8Array.of(op.end)

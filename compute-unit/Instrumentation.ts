/**
 * The instrumentation pass: WebAssembly in, the same program that counts what it costs out.
 *
 * What it adds, to every function alike:
 *
 * - **Fuel.** Charged once per basic block with the price of its instructions, and tested where a function or a loop
 *   begins: no path goes round without passing one. Bulk instructions are charged by length and `memory.grow` by page,
 *   before they run. Below zero the program traps.
 * - **Depth.** A function takes its frame off the stack words left when it is entered and gives it back when it
 *   returns. Native stacks end where the JIT of the day wants; this one ends at the same call everywhere.
 * - Both are one integer, exported as `__allowance` (i64, Allowance.ts), which the host sets.
 * - **Stack pointer.** Where the program has one, it is exported as `__sp`, and `__mark` (i32) keeps the lowest
 *   value since the host last set it. What lies below is dead, and the host zeroes it.
 * - **NaN.** After each float instruction whose NaN may differ between processors, the one canonical NaN.
 * - **State.** Every mutable global is exported as `__global_<index>`; a start function becomes the export
 *   `__start`, so that nothing runs before the host has set the fuel.
 * - **Growth**, of an author's module. `memory.grow` is held to `__pages_max` (i32), which the host sets. Where a turn
 *   asks for more, it gets -1 and `__denied` (i32) is 1; what the host itself can't give is a trap, with
 *   `__denied` 2. An engine's memory grows through an import instead.
 * - **Floats between turns**, of an author's module. JavaScript may lose which NaN a float is, so a mutable float
 *   global is kept as its bits, in an integer global.
 *
 * The values computed and the memory written stay exactly those of the original. What can't be metered, or would
 * keep state out of memory and globals, is refused by name.
 */
import { FunctionBody } from "./FunctionBody.ts"
import * as MeterCode from "./MeterCode.ts"
import * as Wasm from "./Wasm.ts"
import { i32Const, i64Const, op, Refused } from "./Wasm.ts"
import * as WasmInterface from "./WasmInterface.ts"

export interface Options {
  /** Index of the global that is the program's stack pointer, where it has one. */
  readonly stackPointer?: number
  /** Memory in pages of 64 KiB, in place of what the module declares. */
  readonly memoryPages?: { readonly min: number; readonly max: number }
  /** Stack words of one function, above which the module is refused. */
  readonly frameWordsMax: number
  /**
   * Whether a frame is also charged a word for each value that it computes. An optimising tier may keep any of
   * them alive across a call, and a hostile module can make it do so; a known one, tried on both tiers, can't.
   */
  readonly chargeValues: boolean
  /**
   * Whether the module is an author's: it grows its memory itself, and its globals are kept between turns by a
   * host that knows nothing of it.
   */
  readonly authored?: boolean
}

export interface MutableGlobal {
  readonly index: number
  /** As the host sees it: of a float that is kept as its bits, the integer. */
  readonly type: "i32" | "i64" | "f32" | "f64"
}

export type Instrumented =
  | {
      readonly _tag: "Instrumented"
      readonly bytes: Uint8Array
      /** The program's own mutable globals: with its memory, all of its state. */
      readonly globals: ReadonlyArray<MutableGlobal>
      /** Stack words of the largest frame. */
      readonly frameWordsLargest: number
      /** What the module itself imports and exports, without what the pass adds. */
      readonly imports: ReadonlyArray<WasmInterface.Import>
      readonly exports: ReadonlyArray<WasmInterface.Export>
      /** Memory as the module declares it; none where it has none. */
      readonly memory: WasmInterface.Memory | undefined
      /** Whether there is an export `__start`, to be called before any other. */
      readonly start: boolean
    }
  | { readonly _tag: "Refused"; readonly refusal: Wasm.Refusal; readonly detail: string }

export const instrument = (wasm: Uint8Array, options: Options): Instrumented => {
  if (!WebAssembly.validate(wasm))
    return {
      _tag: "Refused",
      refusal: "not WebAssembly",
      detail: "the bytes are not a valid WebAssembly module",
    }
  try {
    return new Pass(wasm, options).run()
  } catch (error) {
    if (error instanceof Refused) return { _tag: "Refused", refusal: error.refusal, detail: error.message }
    throw error
  }
}

class Pass {
  readonly #options: Options
  readonly #sections: Map<number, Uint8Array>
  readonly #declared: WasmInterface.WasmInterface
  readonly #counters: MeterCode.Counters
  /** Types that the pass adds, after the module's own. */
  readonly #typesAdded = new Map<string, WasmInterface.FunctionType & { readonly index: number }>()

  constructor(wasm: Uint8Array, options: Options) {
    this.#options = options
    this.#sections = Wasm.sections(wasm)
    this.#declared = WasmInterface.read(this.#sections)
    const first = this.#declared.globals.length
    this.#counters = { allowance: first, mark: first + 1, pagesMax: first + 2, denied: first + 3 }
  }

  run(): Instrumented {
    const { imports, exports, memory, start } = this.#declared
    this.#rewriteMemory()
    const bits = this.#rewriteGlobals()
    const globals = this.#mutable(bits)
    this.#rewriteExports(globals)
    const frameWordsLargest = this.#rewriteCode(bits)
    return {
      _tag: "Instrumented",
      bytes: Wasm.assemble(this.#sections),
      globals,
      frameWordsLargest,
      imports,
      exports,
      memory: memory && { pagesMin: memory.pagesMin, pagesMax: memory.pagesMax },
      start: start !== undefined,
    }
  }

  #section(id: number): Uint8Array {
    return this.#sections.get(id) ?? Uint8Array.of(0)
  }

  /** Puts `code`, which holds `count` entries, after those of a section that is a vector. */
  #append(id: number, count: number, code: ReadonlyArray<number>): void {
    const cursor = new Wasm.Cursor(this.#section(id))
    const all = Wasm.unsigned(cursor.u32() + count)
    this.#sections.set(id, Uint8Array.from([...all, ...cursor.bytes.subarray(cursor.at), ...code]))
  }

  #rewriteMemory(): void {
    const pages = this.#options.memoryPages
    const { memory } = this.#declared
    if (pages === undefined || memory === undefined) return
    const { section, from, to } = memory.place
    const bytes = this.#section(section)
    const limits = [1, ...Wasm.unsigned(pages.min), ...Wasm.unsigned(pages.max)]
    this.#sections.set(
      section,
      Uint8Array.from([...bytes.subarray(0, from), ...limits, ...bytes.subarray(to)]),
    )
  }

  /** Adds the counters, all 0. Gives the float globals that are kept as their bits from here on. */
  #rewriteGlobals(): ReadonlyMap<number, "f32" | "f64"> {
    const bits = new Map<number, "f32" | "f64">()
    const own = this.#declared.globals.flatMap(({ type, mutable, initial }, index) => {
      if (initial === undefined) return []
      if (!this.#options.authored || !mutable || (type !== "f32" && type !== "f64"))
        return [[Wasm.typeByte[type], mutable ? 1 : 0, ...initial, op.end]]
      bits.set(index, type)
      return [[Wasm.typeByte[bitsType[type]], 1, ...this.#bitsOf(initial), op.end]]
    })
    const counters = [i64Counter].concat(
      Array.from({ length: this.#options.authored ? 3 : 1 }, () => i32Counter),
    )
    const all = [...own, ...counters]
    this.#sections.set(Wasm.sectionId.global, Uint8Array.from([...Wasm.unsigned(all.length), ...all.flat()]))
    return bits
  }

  /** The constant of a float global as that of an integer. */
  #bitsOf(initial: Uint8Array): Array<number> {
    let constant = initial
    while (constant[0] === op.globalGet) {
      const index = new Wasm.Cursor(constant, 1).u32()
      const of = this.#declared.globals[index]!.initial
      if (of === undefined)
        throw new Refused("hidden state", `a mutable float begins as global ${index}, which is imported`)
      constant = of
    }
    const bits = new DataView(constant.buffer, constant.byteOffset + 1) // after the opcode
    return constant[0] === op.f32Const
      ? i32Const(bits.getInt32(0, true))
      : i64Const(bits.getBigInt64(0, true))
  }

  #mutable(bits: ReadonlyMap<number, "f32" | "f64">): ReadonlyArray<MutableGlobal> {
    return this.#declared.globals.flatMap(({ type, mutable }, index) => {
      if (!mutable) return []
      if (type === "funcref" || type === "externref")
        throw new Refused("hidden state", `global ${index} is a mutable reference`)
      const float = bits.get(index)
      return [{ index, type: float === undefined ? type : bitsType[float] }]
    })
  }

  #rewriteExports(mutable: ReadonlyArray<MutableGlobal>): void {
    const { exports, start } = this.#declared
    for (const { name } of exports)
      if (reservedNames.has(name) || name.startsWith(globalName("")))
        throw new Refused("reserved name", `the export "${name}" has a name that metering uses`)
    const { allowance, mark, pagesMax, denied } = this.#counters
    const { stackPointer, authored } = this.#options
    const globals: Array<readonly [string, number]> = [
      ["__allowance", allowance],
      ["__mark", mark],
    ]
    if (authored) globals.push(["__pages_max", pagesMax], ["__denied", denied])
    if (stackPointer !== undefined) globals.push(["__sp", stackPointer])
    for (const { index } of mutable) globals.push([globalName(index), index])
    const added = globals.map(([name, index]) => [...Wasm.name(name), 3, ...Wasm.unsigned(index)])
    if (start !== undefined) added.push([...Wasm.name("__start"), 0, ...Wasm.unsigned(start)])
    this.#append(Wasm.sectionId.export, added.length, added.flat())
    this.#sections.delete(Wasm.sectionId.start)
  }

  /** Rewrites every function and adds that which stands in place of `memory.grow`. Gives the largest frame's words. */
  #rewriteCode(bits: ReadonlyMap<number, "f32" | "f64">): number {
    const { functions, functionsImported, memory } = this.#declared
    const grow = functions.length
    const blockType = (gives: ReadonlyArray<Wasm.ValueType>) => this.#blockType(gives)
    const context = {
      ...this.#options,
      counters: this.#counters,
      types: this.#declared.types,
      blockType,
      functions,
      grow,
      bits,
    }
    const cursor = new Wasm.Cursor(this.#section(Wasm.sectionId.code))
    const count = cursor.u32()
    const out: Array<Uint8Array> = []
    const add = (body: Uint8Array): void => void out.push(Uint8Array.from(Wasm.unsigned(body.length)), body)
    let largest = 0
    let grows = false
    for (let n = 0; n < count; n++) {
      const body = new FunctionBody(new Wasm.Cursor(cursor.block()), functionsImported + n, context)
      largest = Math.max(largest, body.words)
      grows ||= body.grows
      add(body.bytes)
    }
    if (grows) {
      const { pagesOf32Bits } = MeterCode
      const declared = Math.min(memory?.pagesMax ?? pagesOf32Bits, pagesOf32Bits)
      this.#append(Wasm.sectionId.function, 1, Wasm.unsigned(this.#typeOf(growType)))
      add(Uint8Array.from(MeterCode.growBody(this.#counters, this.#options.authored ? declared : undefined)))
    }
    const functionsOwn = Uint8Array.from(Wasm.unsigned(count + (grows ? 1 : 0)))
    if (out.length > 0)
      this.#sections.set(Wasm.sectionId.code, new Uint8Array(Buffer.concat([functionsOwn, ...out])))
    const added = [...this.#typesAdded.values()]
    const types = added.flatMap(({ takes, gives }) => [0x60, ...bytesOf(takes), ...bytesOf(gives)])
    this.#append(Wasm.sectionId.type, added.length, types)
    return largest
  }

  /** How a block is written that takes nothing and gives `gives`. */
  #blockType(gives: ReadonlyArray<Wasm.ValueType>): Array<number> {
    const [first, ...more] = gives
    if (first === undefined) return [op.empty]
    return more.length === 0 ? [Wasm.typeByte[first]] : Wasm.signed(this.#typeOf({ takes: [], gives }))
  }

  /** Index of a type that is added, once. */
  #typeOf(type: WasmInterface.FunctionType): number {
    const text = JSON.stringify(type)
    const index = this.#typesAdded.get(text)?.index ?? this.#declared.types.length + this.#typesAdded.size
    this.#typesAdded.set(text, { ...type, index })
    return index
  }
}

/** The integer that holds the bits of a float. */
const bitsType = { f32: "i32", f64: "i64" } as const

const i64Counter = [Wasm.typeByte.i64, 1, op.i64Const, 0, op.end]
const i32Counter = [Wasm.typeByte.i32, 1, op.i32Const, 0, op.end]

const growType = { takes: ["i32"], gives: ["i32"] } as const

const bytesOf = (types: ReadonlyArray<Wasm.ValueType>): Array<number> => [
  ...Wasm.unsigned(types.length),
  ...types.map((type) => Wasm.typeByte[type]),
]

const reservedNames = new Set(["__allowance", "__mark", "__pages_max", "__denied", "__sp", "__start"])

const globalName = (index: number | ""): string => `__global_${index}`

/**
 * The instrumentation pass: WebAssembly in, the same program that counts what it costs out.
 *
 * What it adds, to every function alike:
 *
 * - **Fuel.** `__fuel` (i64) is charged once per basic block with the price of its instructions, and tested where
 *   a function or a loop begins: no path goes round without passing one. Bulk instructions are charged by length
 *   and `memory.grow` by page, before they run. Below zero the program traps.
 * - **Depth.** `__depth` (i32) counts stack words: a function adds its frame when it is entered and takes it off
 *   when it returns. Native stacks end where the JIT of the day wants; this one ends at the same call everywhere.
 * - **Stack pointer.** Where the program has one, it is exported as `__sp`, and `__mark` (i32) keeps the lowest
 *   value since the host last set it. What lies below is dead, and the host zeroes it.
 * - **NaN.** After each float instruction whose NaN may differ between processors, the one canonical NaN.
 * - **State.** Every mutable global is exported as `__global_<index>`; a start function becomes the export
 *   `__start`, so that nothing runs before the host has set the fuel.
 *
 * The values computed and the memory written stay exactly those of the original. What can't be metered, or would
 * keep state out of memory and globals, is refused by name.
 */
import { FunctionBody, type Signature } from "./FunctionBody.ts"
import * as Wasm from "./Wasm.ts"
import { Refused } from "./Wasm.ts"

export interface Options {
  /** Index of the global that is the program's stack pointer, where it has one. */
  readonly stackPointer?: number
  /** Memory in pages of 64 KiB, in place of what the module declares. */
  readonly memoryPages?: { readonly min: number; readonly max: number }
  /** Stack words at which a call traps. */
  readonly depthWordsMax: number
  /** Stack words of one function, above which the module is refused. */
  readonly frameWordsMax: number
  /**
   * Whether a frame is also charged a word for each value that it computes. An optimising tier may keep any of
   * them alive across a call, and a hostile module can make it do so; a known one, tried on both tiers, can't.
   */
  readonly chargeValues: boolean
}

export interface MutableGlobal {
  readonly index: number
  readonly type: Exclude<Wasm.ValueType, "reference">
}

export type Instrumented =
  | {
      readonly _tag: "Instrumented"
      readonly bytes: Uint8Array
      /** The program's own mutable globals: with its memory, all of its state. */
      readonly globals: ReadonlyArray<MutableGlobal>
      /** Stack words of the largest frame. */
      readonly frameWordsLargest: number
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
  readonly #types: Array<Signature> = []
  /** Signatures of all functions by index: imported ones first, then the module's own. */
  readonly #functions: Array<Signature> = []
  readonly #globals: Array<MutableGlobal> = []
  #globalCount = 0
  #memoryCount = 0
  #importedFunctions = 0
  #frameWordsLargest = 0

  constructor(wasm: Uint8Array, options: Options) {
    this.#options = options
    this.#sections = Wasm.sections(wasm)
  }

  run(): Instrumented {
    if (this.#sections.has(Wasm.sectionId.tag))
      throw new Refused("exceptions", "exception tags are not supported")
    this.#readTypes()
    this.#rewriteImports()
    this.#importedFunctions = this.#functions.length
    this.#each(Wasm.sectionId.function, (cursor) => this.#functions.push(this.#types[cursor.u32()]!))
    this.#rewriteMemory()
    this.#rewriteGlobals()
    this.#rewriteExports()
    this.#rewriteCode()
    return {
      _tag: "Instrumented",
      bytes: Wasm.assemble(this.#sections),
      globals: this.#globals,
      frameWordsLargest: this.#frameWordsLargest,
    }
  }

  /** Visits each entry of a section that is a vector; the visitor reads exactly one entry. */
  #each(section: number, visit: (cursor: Wasm.Cursor) => void): void {
    const cursor = new Wasm.Cursor(this.#sections.get(section) ?? Uint8Array.of(0))
    for (let n = cursor.u32(); n > 0; n--) visit(cursor)
  }

  #readTypes(): void {
    this.#each(Wasm.sectionId.type, (cursor) => {
      if (cursor.u8() !== 0x60) throw new Refused("unknown type", "a type is not a function")
      const [takes, gives] = [cursor.block(), cursor.block()]
      for (const type of [...takes, ...gives]) Wasm.checkType(type)
      this.#types.push({ takes: takes.length, gives: [...gives] })
    })
  }

  #rewriteImports(): void {
    const section = this.#sections.get(Wasm.sectionId.import)
    if (section === undefined) return
    const cursor = new Wasm.Cursor(section)
    const count = cursor.u32()
    const out: Array<number> = Wasm.unsigned(count)
    for (let n = 0; n < count; n++) {
      const from = cursor.at
      cursor.block()
      cursor.block()
      const kind = cursor.u8()
      if (kind === 2) {
        out.push(...section.subarray(from, cursor.at), ...this.#memoryLimits(cursor))
        continue
      }
      if (kind === 0) this.#functions.push(this.#types[cursor.u32()]!)
      else if (kind === 1) {
        Wasm.checkType(cursor.u8())
        const bounded = cursor.u8() & 1
        cursor.skip()
        if (bounded) cursor.skip()
      } else if (kind === 3) this.#readGlobalType(cursor)
      else throw new Refused("exceptions", "exception tags are not supported")
      out.push(...section.subarray(from, cursor.at))
    }
    this.#sections.set(Wasm.sectionId.import, Uint8Array.from(out))
  }

  #memoryLimits(cursor: Wasm.Cursor): Array<number> {
    if (++this.#memoryCount > 1) throw new Refused("several memories", "a module has one memory")
    const flags = cursor.u8()
    if (flags & 2) throw new Refused("threads", "shared memory is not supported")
    if (flags & 4) throw new Refused("64-bit memory", "memory is addressed by 32 bits")
    const min = cursor.u32()
    const max = flags & 1 ? cursor.u32() : undefined
    const pages = this.#options.memoryPages
    if (pages !== undefined) return [1, ...Wasm.unsigned(pages.min), ...Wasm.unsigned(pages.max)]
    return max === undefined ? [0, ...Wasm.unsigned(min)] : [1, ...Wasm.unsigned(min), ...Wasm.unsigned(max)]
  }

  #rewriteMemory(): void {
    this.#each(Wasm.sectionId.memory, (cursor) =>
      this.#sections.set(Wasm.sectionId.memory, Uint8Array.of(1, ...this.#memoryLimits(cursor))),
    )
  }

  #readGlobalType(cursor: Wasm.Cursor): void {
    const type = Wasm.checkType(cursor.u8())
    const index = this.#globalCount++
    if (cursor.u8() === 0) return
    if (type === "reference") throw new Refused("hidden state", `global ${index} is a mutable reference`)
    this.#globals.push({ index, type })
  }

  #rewriteGlobals(): void {
    const section = this.#sections.get(Wasm.sectionId.global) ?? Uint8Array.of(0)
    const cursor = new Wasm.Cursor(section)
    const count = cursor.u32()
    const from = cursor.at
    for (let n = 0; n < count; n++) {
      this.#readGlobalType(cursor)
      for (let op = cursor.u8(); op !== 0x0b; op = cursor.u8()) {
        const shape = Wasm.shapes[op]
        if (shape === undefined)
          throw new Refused("unknown opcode", `opcode 0x${op.toString(16)} in a constant`)
        Wasm.skipImmediate(cursor, shape.immediate)
      }
    }
    const counters = [0x7e, 1, 0x42, 0, 0x0b, 0x7f, 1, 0x41, 0, 0x0b, 0x7f, 1, 0x41, 0, 0x0b] // fuel, depth, mark = 0
    const own = section.subarray(from)
    this.#sections.set(
      Wasm.sectionId.global,
      Uint8Array.from([...Wasm.unsigned(count + 3), ...own, ...counters]),
    )
  }

  #rewriteExports(): void {
    const section = this.#sections.get(Wasm.sectionId.export) ?? Uint8Array.of(0)
    this.#each(Wasm.sectionId.export, (cursor) => {
      const name = new TextDecoder().decode(cursor.block())
      if (name.startsWith("__")) {
        const ours = ["__fuel", "__depth", "__mark", "__sp", "__start"]
        if (ours.includes(name) || name.startsWith("__global_"))
          throw new Refused("reserved name", `the export "${name}" has a name that metering uses`)
      }
      cursor.u8()
      cursor.skip()
    })
    const { fuel, depth, mark } = this.#counters
    const globals: Array<readonly [string, number]> = [
      ["__fuel", fuel],
      ["__depth", depth],
      ["__mark", mark],
    ]
    if (this.#options.stackPointer !== undefined) globals.push(["__sp", this.#options.stackPointer])
    for (const { index } of this.#globals) globals.push([`__global_${index}`, index])
    const added = globals.map(([name, index]) => [...Wasm.name(name), 3, ...Wasm.unsigned(index)])
    const start = this.#sections.get(Wasm.sectionId.start)
    if (start !== undefined) added.push([...Wasm.name("__start"), 0, ...start])
    this.#sections.delete(Wasm.sectionId.start)
    const cursor = new Wasm.Cursor(section)
    const count = Wasm.unsigned(cursor.u32() + added.length)
    this.#sections.set(
      Wasm.sectionId.export,
      Uint8Array.from([...count, ...section.subarray(cursor.at), ...added.flat()]),
    )
  }

  /** Indices of the three globals that the pass adds, after all others. */
  get #counters(): { readonly fuel: number; readonly depth: number; readonly mark: number } {
    return { fuel: this.#globalCount, depth: this.#globalCount + 1, mark: this.#globalCount + 2 }
  }

  #rewriteCode(): void {
    const section = this.#sections.get(Wasm.sectionId.code)
    if (section === undefined) return
    const context = { ...this.#options, ...this.#counters, types: this.#types, functions: this.#functions }
    const out: Array<Uint8Array> = []
    let index = this.#importedFunctions
    this.#each(Wasm.sectionId.code, (cursor) => {
      const body = new FunctionBody(new Wasm.Cursor(cursor.block()), index, context)
      this.#frameWordsLargest = Math.max(this.#frameWordsLargest, body.words)
      out.push(Uint8Array.from(Wasm.unsigned(body.bytes.length)), body.bytes)
      index++
    })
    const count = Wasm.unsigned(index - this.#importedFunctions)
    this.#sections.set(Wasm.sectionId.code, new Uint8Array(Buffer.concat([Uint8Array.from(count), ...out])))
  }
}

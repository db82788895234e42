/**
 * What a module declares, beside its code: types, imports, memory, globals, exports and start function. It is read
 * once, for the instrumentation pass, which rewrites some of it, and for whoever links the module.
 *
 * Indices count what is imported first, then the module's own.
 */
import * as Wasm from "./Wasm.ts"
import { Refused } from "./Wasm.ts"

export interface FunctionType {
  readonly takes: ReadonlyArray<Wasm.ValueType>
  readonly gives: ReadonlyArray<Wasm.ValueType>
}

/** What is imported or exported; of functions also their type. */
export type Extern =
  | { readonly kind: "function"; readonly type: FunctionType }
  | { readonly kind: "table" | "memory" | "global" }

export type Import = Extern & { readonly module: string; readonly name: string }

export type Export = Extern & { readonly name: string; readonly index: number }

/** Memory as declared, in pages of 64 KiB. */
export interface Memory {
  readonly pagesMin: number
  readonly pagesMax: number | undefined
}

export interface Global {
  readonly type: Wasm.ValueType
  readonly mutable: boolean
  /** The constant expression that it begins with, without `end`; none where it is imported. */
  readonly initial: Uint8Array | undefined
}

/** Where the memory's limits stand: the section, and from which byte of it to which. */
export interface Place {
  readonly section: number
  readonly from: number
  readonly to: number
}

export interface WasmInterface {
  readonly types: ReadonlyArray<FunctionType>
  readonly imports: ReadonlyArray<Import>
  readonly exports: ReadonlyArray<Export>
  /** Types of all functions. */
  readonly functions: ReadonlyArray<FunctionType>
  readonly functionsImported: number
  readonly globals: ReadonlyArray<Global>
  readonly memory: (Memory & { readonly place: Place }) | undefined
  /** Index of the start function. */
  readonly start: number | undefined
}

/** Reads what the sections of a validated module declare. Refuses what metering can't follow. */
export const read = (sections: ReadonlyMap<number, Uint8Array>): WasmInterface => {
  const types: Array<FunctionType> = []
  const imports: Array<Import> = []
  const functions: Array<FunctionType> = []
  const globals: Array<Global> = []
  const memories: Array<Memory & { readonly place: Place }> = []

  /** Visits each entry of a section that is a vector; the visitor reads exactly one entry. */
  const each = (section: number, visit: (cursor: Wasm.Cursor) => void): void => {
    const cursor = new Wasm.Cursor(sections.get(section) ?? Uint8Array.of(0))
    for (let n = cursor.u32(); n > 0; n--) visit(cursor)
  }
  const readMemory = (cursor: Wasm.Cursor, section: number): void => {
    const from = cursor.at
    const limits = readLimits(cursor)
    memories.push({ ...limits, place: { section, from, to: cursor.at } })
  }
  const readGlobal = (
    cursor: Wasm.Cursor,
    initial: (cursor: Wasm.Cursor) => Uint8Array | undefined,
  ): void => {
    const type = Wasm.valueType(cursor.u8())
    const mutable = cursor.u8() === 1
    globals.push({ type, mutable, initial: initial(cursor) })
  }

  if (sections.has(Wasm.sectionId.tag)) throw new Refused("exceptions", "exception tags are not supported")
  each(Wasm.sectionId.type, (cursor) => {
    if (cursor.u8() !== 0x60) throw new Refused("unknown type", "a type is not a function")
    const [takes, gives] = [cursor.block(), cursor.block()]
    types.push({ takes: [...takes].map(Wasm.valueType), gives: [...gives].map(Wasm.valueType) })
  })
  each(Wasm.sectionId.import, (cursor) => {
    const [module, name] = [Wasm.text(cursor.block()), Wasm.text(cursor.block())]
    const kind = externKind(cursor.u8())
    if (kind === "function") {
      const type = types[cursor.u32()]!
      functions.push(type)
      imports.push({ module, name, kind, type })
      return
    }
    imports.push({ module, name, kind })
    if (kind === "table") readTable(cursor)
    else if (kind === "memory") readMemory(cursor, Wasm.sectionId.import)
    else readGlobal(cursor, () => undefined)
  })
  const functionsImported = functions.length
  each(Wasm.sectionId.function, (cursor) => functions.push(types[cursor.u32()]!))
  each(Wasm.sectionId.memory, (cursor) => readMemory(cursor, Wasm.sectionId.memory))
  if (memories.length > 1) throw new Refused("several memories", "a module has one memory")
  each(Wasm.sectionId.global, (cursor) => readGlobal(cursor, readConstant))
  const exports: Array<Export> = []
  each(Wasm.sectionId.export, (cursor) => {
    const name = Wasm.text(cursor.block())
    const kind = externKind(cursor.u8())
    const index = cursor.u32()
    exports.push(kind === "function" ? { name, kind, index, type: functions[index]! } : { name, kind, index })
  })
  const start = sections.get(Wasm.sectionId.start)
  return {
    types,
    imports,
    exports,
    functions,
    functionsImported,
    globals,
    memory: memories[0],
    start: start === undefined ? undefined : new Wasm.Cursor(start).u32(),
  }
}

const externKind = (byte: number): Extern["kind"] => {
  const kind = (["function", "table", "memory", "global"] as const)[byte]
  if (kind === undefined) throw new Refused("exceptions", "exception tags are not supported")
  return kind
}

const readTable = (cursor: Wasm.Cursor): void => {
  Wasm.valueType(cursor.u8())
  const bounded = cursor.u8() & 1
  cursor.skip()
  if (bounded) cursor.skip()
}

const readLimits = (cursor: Wasm.Cursor): Memory => {
  const flags = cursor.u8()
  if (flags & 2) throw new Refused("threads", "shared memory is not supported")
  if (flags & 4) throw new Refused("64-bit memory", "memory is addressed by 32 bits")
  if (flags > 1) throw new Refused("unknown type", `a memory with flags ${flags} is not supported`)
  return { pagesMin: cursor.u32(), pagesMax: flags & 1 ? cursor.u32() : undefined }
}

/** A constant expression, without its `end`. */
const readConstant = (cursor: Wasm.Cursor): Uint8Array => {
  const from = cursor.at
  for (let op = cursor.u8(); op !== Wasm.op.end; op = cursor.u8()) {
    const shape = Wasm.shapes[op]
    if (shape === undefined) throw new Refused("unknown opcode", `opcode 0x${op.toString(16)} in a constant`)
    Wasm.skipImmediate(cursor, shape.immediate)
  }
  return cursor.bytes.subarray(from, cursor.at - 1)
}

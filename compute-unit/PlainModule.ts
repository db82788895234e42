/**
 * PlainModule: what a plain module may declare (spec 04 §10).
 *
 * Its sizes are held to caps before the host's own compiler sees it. What that one does with a module costs no fuel, and
 * some of it can't be had back: the types that it ever saw share one table, which ends the process when it is full, and
 * a table of ten million entries takes memory as soon as it is linked. Each cap is many times what compilers write.
 *
 * `examine` reads bytes that nobody has looked at yet, so every read is held to the end of what it reads from.
 */
import { caps, ModuleRefused } from "./Engine.ts"
import type { Instrumented } from "./Instrumentation.ts"
import * as Intrinsic from "./Intrinsic.ts"
import * as Wasm from "./Wasm.ts"

/** The bytes do not read as a module: what is wrong with them is for the validator to find. */
class Malformed extends Error {}

/** LEB128 numbers and bytes, none beyond the end. */
class Reader {
  readonly #bytes: Uint8Array
  #at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes
    this.#at = at
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw new Malformed()
    return byte
  }

  u32(): number {
    let value = 0
    for (let scale = 1; scale <= 128 ** 4; scale *= 128) {
      const byte = this.u8()
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    throw new Malformed()
  }

  block(): Uint8Array {
    const length = this.u32()
    if (length > this.remaining) throw new Malformed()
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

const atMost = (count: number, max: number, what: string): void => {
  if (count > max) throw new ModuleRefused(`it has ${count} ${what}; at most ${max} are allowed`)
}

/** A type that is no function, or whose values the pass refuses, is one of a standard that nothing here knows. */
const examineTypes = (section: Reader): void => {
  const count = section.u32()
  atMost(count, caps.plainDeclarationsMax, "types")
  for (let n = 0; n < count; n++) {
    if (section.u8() !== 0x60) throw new Wasm.Refused("unknown type", "a type is not a function")
    for (const values of [section.block(), section.block()]) values.forEach(Wasm.valueType)
  }
}

const examineTables = (section: Reader): void => {
  const count = section.u32()
  atMost(count, caps.plainDeclarationsMax, "tables")
  let elements = 0
  for (let n = 0; n < count; n++) {
    Wasm.valueType(section.u8())
    const limits = section.u8()
    if (limits > 1) throw new Wasm.Refused("unknown type", "a table has limits that are not of 32 bits")
    elements += section.u32()
    if (limits === 1) section.u32()
  }
  atMost(elements, caps.plainTableElementsMax, "elements in its tables")
}

const examineCode = (section: Reader): void => {
  const count = section.u32()
  atMost(count, caps.plainFunctionsMax, "functions")
  for (let n = 0; n < count; n++) {
    const { length } = section.block()
    if (length > caps.plainFunctionBytesMax)
      atMost(length, caps.plainFunctionBytesMax, `bytes in its function ${n}`)
  }
}

const examineCount = (what: string) => (section: Reader) =>
  atMost(section.u32(), caps.plainDeclarationsMax, what)

/** Some hosts know modules with more than one, and some take them for no WebAssembly: the outcome must not tell. */
const examineMemories = (section: Reader): void => {
  if (section.u32() > 1) throw new Wasm.Refused("several memories", "a module has one memory")
}

/** By number of the section. */
const examinations: Readonly<Record<number, (section: Reader) => void>> = {
  1: examineTypes,
  2: examineCount("imports"),
  4: examineTables,
  5: examineMemories,
  6: examineCount("globals"),
  7: examineCount("exports"),
  10: examineCode,
}

const headerBytes = 8

/**
 * Holds what a module declares to the caps. Throws `ModuleRefused`, or `Wasm.Refused` as the pass does. Bytes that do not
 * read as a module are let through as far as they read: where they do not, it is false.
 */
const examined = (wasm: Uint8Array): boolean => {
  try {
    const reader = new Reader(wasm, headerBytes)
    while (reader.remaining > 0) {
      const examination = examinations[reader.u8()]
      const section = new Reader(reader.block())
      examination?.(section)
    }
    return true
  } catch (error) {
    if (error instanceof Malformed) return false
    throw error
  }
}

/** Throws `ModuleRefused` unless what a module declares is within the caps. */
export const examine = (wasm: Uint8Array): void => {
  let reads: boolean
  try {
    reads = examined(wasm)
  } catch (error) {
    throw error instanceof Wasm.Refused ? refusal(error.refusal, error.message) : error
  }
  if (!reads) throw refusal("not WebAssembly", "the bytes are not a valid WebAssembly module")
}

/** A refusal of the pass in words. */
export const refusal = (name: Wasm.Refusal, detail: string): ModuleRefused =>
  new ModuleRefused(`${name}: ${detail}`)

type Passed = Extract<Instrumented, { readonly _tag: "Instrumented" }>

interface Wanted {
  readonly takes: string
  readonly gives: string
  readonly optional?: true
}

const wanted: Readonly<Record<string, Wanted>> = {
  alloc: { takes: "i32", gives: "i32" },
  handle: { takes: "i32 i32", gives: "i64" },
  export: { takes: "", gives: "i64", optional: true },
  import: { takes: "i32 i32", gives: "i64", optional: true },
}

/** Throws `ModuleRefused` where a module imports anything but the intrinsics, as they are. */
export const checkImports = ({ imports }: Passed): void => {
  for (const { module, name, ...what } of imports) {
    const known = module === "heddle" ? Intrinsic.plain.find((one) => one.name === name) : undefined
    if (known === undefined || what.kind !== "function")
      throw new ModuleRefused(
        `it imports the ${what.kind} ${quoted(`${module}.${name}`)}; there are the functions ${Intrinsic.plain.map((one) => `heddle.${one.name}`).join(", ")}`,
      )
    const { takes, gives } = what.type
    if (takes.length !== known.parameters || takes.some((type) => type !== "i32") || gives.length > 0)
      throw new ModuleRefused(
        `it imports "heddle.${name}", which takes ${known.parameters} i32 and gives nothing`,
      )
  }
}

/** A name that an author chose, as a refusal shows it. */
const quoted = (name: string): string => JSON.stringify(name.slice(0, 100))

/** Throws `ModuleRefused` where a module does not export what the host calls it by. */
export const checkExports = ({ exports, memory }: Passed): void => {
  if (memory === undefined || !exports.some(({ kind, name }) => kind === "memory" && name === "memory"))
    throw new ModuleRefused(`it exports no memory named "memory"`)
  if (memory.pagesMin > caps.memoryPagesMax)
    throw new ModuleRefused(
      `its memory begins with ${memory.pagesMin} pages of 64 KiB; at most ${caps.memoryPagesMax} are allowed`,
    )
  for (const [name, { takes, gives, optional }] of Object.entries(wanted)) {
    const found = exports.find((one) => one.name === name)
    if (found === undefined && optional) continue
    const fits =
      found?.kind === "function" &&
      found.type.takes.join(" ") === takes &&
      found.type.gives.join(" ") === gives
    if (!fits) throw new ModuleRefused(`it exports no function "${name}" of (${takes}) -> (${gives})`)
  }
}

/**
 * The way to values of WebAssembly that JavaScript does not bend: floats go in and out as their bits. A number of
 * JavaScript may be any NaN, and f32 does not come out as it went in; functions of two modules call each other
 * without that.
 */
import * as Wasm from "../../compute-unit/Wasm.ts"
import type { FunctionType } from "../../compute-unit/WasmInterface.ts"
import { get, set, wasm } from "./WasmModule.ts"

const { op, typeByte } = Wasm

/** The type that holds the bits of a value. */
const bitsType = (type: Wasm.ValueType): number =>
  type === "f32" ? typeByte.i32 : type === "f64" ? typeByte.i64 : typeByte[type]
const toBits = (type: Wasm.ValueType): Array<number> =>
  type === "f32" ? [op.bitsOfF32] : type === "f64" ? [op.bitsOfF64] : []
const ofBits = (type: Wasm.ValueType): Array<number> =>
  type === "f32" ? [op.f32OfBits] : type === "f64" ? [op.f64OfBits] : []

const sized = (bytes: ReadonlyArray<number>): Array<number> => [...Wasm.unsigned(bytes.length), ...bytes]
const functionType = (takes: ReadonlyArray<number>, gives: ReadonlyArray<number>): Array<number> => [
  0x60,
  ...sized(takes),
  ...sized(gives),
]

const linked = (bytes: Uint8Array, value: unknown): unknown =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: { v: value } }).exports["f"]

const importOf = (...what: ReadonlyArray<number>): Array<number> => [
  1,
  ...Wasm.name("m"),
  ...Wasm.name("v"),
  ...what,
]

const wrappers = new Map<string, Uint8Array>()
const wrapper = (key: string, make: () => Uint8Array): Uint8Array => {
  const made = wrappers.get(key) ?? make()
  wrappers.set(key, made)
  return made
}

/** An exported function, with bits in place of floats: several results come as an array. */
export const ofFunction = (
  called: unknown,
  { takes, gives }: FunctionType,
): ((...args: ReadonlyArray<unknown>) => unknown) => {
  const make = () => {
    const [first, given] = [takes.length, gives.map(bitsType)]
    const body = [
      ...takes.flatMap((type, n) => [...get(n), ...ofBits(type)]),
      ...Wasm.call(0),
      ...gives.flatMap((_, n) => {
        const from = gives.length - 1 - n
        return [...toBits(gives[from]!), ...set(first + from)]
      }),
      ...gives.flatMap((_, n) => get(first + n)),
    ]
    const types = [
      functionType(
        takes.map((type) => typeByte[type]),
        gives.map((type) => typeByte[type]),
      ),
      functionType(takes.map(bitsType), given),
    ]
    return wasm({
      functions: [{ locals: given, body }],
      sections: {
        1: [2, ...types.flat()],
        2: importOf(0, 0),
        3: [1, 1],
        7: [1, ...Wasm.name("f"), 0, 1],
      },
    })
  }
  const bytes = wrapper(`${takes.join()} -> ${gives.join()}`, make)
  return linked(bytes, called) as (...args: ReadonlyArray<unknown>) => unknown // as made
}

/** What an exported global holds, as bits. */
export const ofGlobal = (global: unknown, type: Wasm.ValueType, mutable: boolean): unknown => {
  const make = () =>
    wasm({
      functions: [{ gives: [bitsType(type)], body: [...Wasm.globalGet(0), ...toBits(type)] }],
      sections: {
        2: importOf(3, typeByte[type], mutable ? 1 : 0),
        7: [1, ...Wasm.name("f"), 0, 0],
      },
    })
  const bytes = wrapper(`${type} ${mutable ? "mutable" : "constant"}`, make)
  return (linked(bytes, global) as () => unknown)() // as made
}

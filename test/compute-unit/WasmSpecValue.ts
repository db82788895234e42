/** Values of specification tests: as they stand there, as arguments, and against what a call gave. */
import type { ValueType } from "../../compute-unit/Wasm.ts"

export interface Value {
  readonly type: ValueType
  /** Of a number its bits, or a class of NaN. None where the test does not say. */
  readonly value?: string
}

const hosts = new Map<string, object>()

/** An argument, floats as bits. A reference to the host is one object for each number. */
export const given = ({ type, value = "" }: Value): unknown => {
  if (value === "null") return null
  if (type === "i64" || type === "f64") return BigInt(value)
  if (type === "i32" || type === "f32") return Number(value)
  if (!hosts.has(value)) hosts.set(value, { value })
  return hosts.get(value)
}

/** Arguments as JavaScript has them, of which a NaN is just any. */
export const numbers = (args: ReadonlyArray<Value> = []): ReadonlyArray<unknown> =>
  args.map((arg) => {
    if (arg.type === "f32") return new Float32Array(Uint32Array.of(Number(arg.value)).buffer)[0]
    if (arg.type === "f64") return new Float64Array(BigUint64Array.of(BigInt(arg.value!)).buffer)[0]
    return given(arg)
  })

/** Whether a result, with bits in place of a float, is what the test expects. */
export const is = ({ type, value = "" }: Value, result: unknown): boolean => {
  if (type === "externref") return result === given({ type, value })
  if (type === "funcref") return value === "null" ? result === null : typeof result === "function"
  const width = type === "i64" || type === "f64" ? 64 : 32
  const bits = BigInt.asUintN(width, BigInt(result as number | bigint)) // of a number's type
  if (!value.startsWith("nan:")) return bits === BigInt.asUintN(width, BigInt(value))
  const [quiet, rest] =
    type === "f64" ? [0x7ff8n << 48n, (1n << 51n) - 1n] : [0x7fc0n << 16n, (1n << 22n) - 1n]
  const signless = BigInt.asUintN(width - 1, bits)
  return (signless & quiet) === quiet && (value === "nan:arithmetic" || (signless & rest) === 0n)
}

/** The one NaN of an instrumented program, as bits that JavaScript gives. */
export const canonical: Partial<Record<ValueType, number | bigint>> = {
  f32: 0x7fc0_0000,
  f64: 0x7ff8n << 48n,
}

export const shown = (value: unknown): string =>
  typeof value === "function" ? "a function" : typeof value === "bigint" ? `${value}` : JSON.stringify(value)

export const said = (ending: Ending): string =>
  ending._tag === "Returned" ? `with ${ending.values.map(shown).join()}` : `${ending.name}: ${ending.message}`

/** How a call ended. */
export type Ending =
  | { readonly _tag: "Returned"; readonly values: ReadonlyArray<unknown> }
  | { readonly _tag: "Stopped"; readonly name: string; readonly message: string }

const stopped = (error: unknown): Ending => {
  if (error instanceof Error) return { _tag: "Stopped", name: error.constructor.name, message: error.message }
  throw error
}

export const attempt = (run: () => unknown): Ending => {
  try {
    const value = run()
    return { _tag: "Returned", values: value === undefined ? [] : Array.isArray(value) ? value : [value] }
  } catch (error) {
    return stopped(error)
  }
}

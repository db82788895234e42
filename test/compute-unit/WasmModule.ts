/** Small WebAssembly modules written out as bytes, for tests of the instrumentation pass. */
import * as Wasm from "../../compute-unit/Wasm.ts"

export const type = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const

export interface FunctionParts {
  readonly takes?: ReadonlyArray<number>
  readonly gives?: ReadonlyArray<number>
  /** Types of further locals. */
  readonly locals?: ReadonlyArray<number>
  /** Instructions, without the closing `end`. */
  readonly body: ReadonlyArray<number>
  /** Name under which it is exported. */
  readonly name?: string
}

export interface Parts {
  readonly functions: ReadonlyArray<FunctionParts>
  /** Content of whole sections by number, in place of what is made here. */
  readonly sections?: Readonly<Record<number, ReadonlyArray<number>>>
  /** Type and mutability of each global, all starting at 0. */
  readonly globals?: ReadonlyArray<readonly [type: number, mutable: 0 | 1]>
  readonly memory?: ReadonlyArray<number>
  readonly start?: number
}

export const i32 = (value: number): Array<number> => [0x41, ...Wasm.signed(value)]
export const i64 = (value: number | bigint): Array<number> => [0x42, ...Wasm.signed(value)]
export const f64 = (value: number): Array<number> => [0x44, ...new Uint8Array(Float64Array.of(value).buffer)]
export const get = (local: number): Array<number> => [0x20, ...Wasm.unsigned(local)]
export const set = (local: number): Array<number> => [0x21, ...Wasm.unsigned(local)]

const vector = (entries: ReadonlyArray<ReadonlyArray<number>>): Array<number> => [
  ...Wasm.unsigned(entries.length),
  ...entries.flat(),
]
const sized = (bytes: ReadonlyArray<number>): Array<number> => [...Wasm.unsigned(bytes.length), ...bytes]

const zero: Readonly<Record<number, ReadonlyArray<number>>> = {
  0x7f: i32(0),
  0x7e: i64(0),
  0x7d: [0x43, 0, 0, 0, 0],
  0x7c: f64(0),
  0x70: [0xd0, 0x70],
}

export const wasm = ({ functions, globals = [], memory, start, sections = {} }: Parts): Uint8Array => {
  const exported = functions.flatMap(({ name }, index) =>
    name === undefined ? [] : [[...Wasm.name(name), 0, index]],
  )
  const bodies = functions.map(({ locals = [], body }) =>
    sized([...vector(locals.map((local) => [1, local])), ...body, 0x0b]),
  )
  const made: Record<number, ReadonlyArray<number>> = {
    1: vector(functions.map(({ takes = [], gives = [] }) => [0x60, ...sized(takes), ...sized(gives)])),
    3: vector(functions.map((_, index) => [index])),
    ...(memory === undefined ? {} : { 5: vector([memory]) }),
    ...(globals.length === 0
      ? {}
      : { 6: vector(globals.map(([of, mutable]) => [of, mutable, ...zero[of]!, 0x0b])) }),
    7: vector([...exported, ...(memory === undefined ? [] : [[...Wasm.name("memory"), 2, 0]])]),
    ...(start === undefined ? {} : { 8: [start] }),
    10: vector(bodies),
    ...sections,
  }
  const all = new Map(Object.entries(made).map(([number, body]) => [Number(number), Uint8Array.from(body)]))
  return Wasm.assemble(all)
}

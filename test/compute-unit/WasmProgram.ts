/**
 * WebAssembly programs out of numbers, for property tests of the instrumentation pass: whatever the numbers are, the
 * program is valid and comes to an end. Of each there are two: the subject, which the pass is given, and a reference,
 * which counts its own fuel one instruction at a time and makes its own NaNs canonical, and is not instrumented.
 */
import * as Wasm from "../../compute-unit/Wasm.ts"
import { type FunctionParts, get, i32, i64, set, type, wasm } from "./WasmModule.ts"

type Type = "i32" | "i64" | "f32" | "f64"
const types = ["i32", "i64", "f32", "f64"] as const

type Bytes = ReadonlyArray<number>
type Range = readonly [from: number, to: number]

interface Operations {
  readonly unary: ReadonlyArray<Range>
  readonly binary: ReadonlyArray<Range>
  /** Of this type, giving an i32. */
  readonly tests: ReadonlyArray<Range>
  readonly loads: ReadonlyArray<Range>
  readonly stores: ReadonlyArray<Range>
}

/** Codes of the standard, by type of what they take. */
const operations: Readonly<Record<Type, Operations>> = {
  i32: {
    unary: [
      [0x67, 0x69],
      [0xc0, 0xc1],
    ],
    binary: [[0x6a, 0x78]],
    tests: [[0x46, 0x4f]],
    loads: [
      [0x28, 0x28],
      [0x2c, 0x2f],
    ],
    stores: [
      [0x36, 0x36],
      [0x3a, 0x3b],
    ],
  },
  i64: {
    unary: [
      [0x79, 0x7b],
      [0xc2, 0xc4],
    ],
    binary: [[0x7c, 0x8a]],
    tests: [[0x51, 0x5a]],
    loads: [
      [0x29, 0x29],
      [0x30, 0x35],
    ],
    stores: [
      [0x37, 0x37],
      [0x3c, 0x3e],
    ],
  },
  f32: {
    unary: [[0x8b, 0x91]],
    binary: [[0x92, 0x98]],
    tests: [[0x5b, 0x60]],
    loads: [[0x2a, 0x2a]],
    stores: [[0x38, 0x38]],
  },
  f64: {
    unary: [[0x99, 0x9f]],
    binary: [[0xa0, 0xa6]],
    tests: [[0x61, 0x66]],
    loads: [[0x2b, 0x2b]],
    stores: [[0x39, 0x39]],
  },
}

/** Conversions by type of what they give. */
const conversions: Readonly<Record<Type, ReadonlyArray<readonly [from: Type, ...code: Array<number>]>>> = {
  i32: [
    ["i64", 0xa7],
    ["f32", 0xa8],
    ["f64", 0xab],
    ["f32", 0xbc],
    ["f32", 0xfc, 0],
    ["f64", 0xfc, 3],
  ],
  i64: [
    ["i32", 0xac],
    ["i32", 0xad],
    ["f32", 0xaf],
    ["f64", 0xb0],
    ["f64", 0xbd],
    ["f32", 0xfc, 5],
    ["f64", 0xfc, 6],
  ],
  f32: [
    ["i32", 0xb2],
    ["i32", 0xb3],
    ["i64", 0xb4],
    ["i64", 0xb5],
    ["f64", 0xb6],
    ["i32", 0xbe],
  ],
  f64: [
    ["i32", 0xb7],
    ["i64", 0xba],
    ["f32", 0xbb],
    ["i64", 0xbf],
  ],
}

/** The prices of spec 04 §2, of what a program here is made of. */
const price = {
  plain: 1,
  slow: 8,
  call: 3,
  callIndirect: 4,
  bulk: 8,
  grow: 1_000,
  bytesShift: 4,
  pageShift: 12,
}
const slow = new Set([0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82, 0x91, 0x95, 0x9f, 0xa3])

/** Instructions whose NaN the standard leaves open. */
const opensNaN = (code: number): "f32" | "f64" | undefined => {
  const within = (from: number, to: number) => code >= from && code <= to
  if (within(0x8d, 0x97) || code === 0xb6) return "f32"
  return within(0x9b, 0xa5) || code === 0xbb ? "f64" : undefined
}

/** A function takes one of each type, has as many locals again, and counters of its loops. */
const localsOf = (of: Type): readonly [number, number] => [types.indexOf(of), 4 + types.indexOf(of)]
const loopsMax = 2
const counterLocal = 8
const scratch = { i32: 8 + loopsMax, i64: 9 + loopsMax, f32: 10 + loopsMax, f64: 11 + loopsMax }
const locals = [...types, "i32", "i32", ...types].map((of) => type[of as Type])

const globalOf = (of: Type): number => types.indexOf(of)
/** The fuel that a reference has used. */
const fuelGlobal = types.length

const functions = 5
const given = (index: number): Type => types[index % types.length]!

interface Label {
  /** What a branch to it takes along. */
  readonly gives: Type | undefined
}

class FunctionWriter {
  readonly #numbers: Iterator<number>
  readonly #reference: boolean
  readonly #index: number
  readonly #code: Array<number> = []
  readonly #labels: Array<Label>
  #loops = 0
  #depth = 0

  constructor(numbers: Iterator<number>, reference: boolean, index: number) {
    this.#numbers = numbers
    this.#reference = reference
    this.#index = index
    this.#labels = [{ gives: given(index) }]
  }

  write(): Bytes {
    this.#pay(1)
    this.#statements()
    this.#value(given(this.#index))
    return this.#code
  }

  /** One of `count`; the first where the numbers have run out. */
  #pick(count: number): number {
    return this.#depth > 7 ? 0 : (this.#numbers.next().value ?? 0) % count
  }

  #from(ranges: ReadonlyArray<Range>): number {
    const codes = ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, n) => from + n))
    return codes[this.#pick(codes.length)]!
  }

  #pay(fuel: number): void {
    if (!this.#reference) return
    this.#code.push(...Wasm.globalGet(fuelGlobal), ...i64(fuel), 0x7c, ...Wasm.globalSet(fuelGlobal))
  }

  /** The length on top of the operand stack costs one for each `1 << by`, or as many. */
  #payLength(code: number, by: number): void {
    if (!this.#reference) return
    const length = scratch.i32
    this.#code.push(0x22, length, ...Wasm.globalGet(fuelGlobal))
    this.#code.push(...get(length), 0xad, ...i64(by), code, 0x7c, ...Wasm.globalSet(fuelGlobal))
  }

  /** An instruction that costs 1, unless it is named. */
  #put(...code: Bytes): void {
    this.#pay(slow.has(code[0]!) ? price.slow : price.plain)
    this.#free(...code)
    const open = opensNaN(code[0]!)
    if (!this.#reference || open === undefined) return
    const [local, equal, nan] =
      open === "f32"
        ? [scratch.f32, 0x5b, [0x43, 0, 0, 0xc0, 0x7f]]
        : [scratch.f64, 0x61, [0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]]
    const same = [0x22, local, ...get(local), equal]
    this.#code.push(...same, 0x04, type[open], ...get(local), 0x05, ...nan, 0x0b)
  }

  /** What costs nothing, or was paid for. */
  #free(...code: Bytes): void {
    this.#code.push(...code)
  }

  #statements(): void {
    for (let n = this.#pick(5); n > 0; n--) this.#statement()
  }

  #statement(): void {
    this.#depth++
    const of = types[this.#pick(4)]!
    const choices = [
      () => this.#assign(of),
      () => this.#store(of),
      () => this.#branching(),
      () => this.#loop(),
      () => this.#leave(),
      () => this.#bulk(),
      () => {
        this.#value(of)
        this.#put(0x1a)
      },
      () => {
        this.#value("i32")
        this.#pay(1)
        this.#free(0x04, 0x40)
        this.#within({ gives: undefined }, () => this.#statements())
        this.#free(0x05)
        this.#within({ gives: undefined }, () => this.#statements())
        this.#free(0x0b)
      },
    ]
    choices[this.#pick(choices.length)]!()
    this.#depth--
  }

  #within(label: Label, body: () => void): void {
    this.#labels.unshift(label)
    body()
    this.#labels.shift()
  }

  #assign(of: Type): void {
    this.#value(of)
    const at = this.#pick(3)
    if (at === 2) this.#put(...Wasm.globalSet(globalOf(of)))
    else this.#put(...set(localsOf(of)[at as 0 | 1]))
  }

  /** An address within the first page, now and then not. */
  #address(): void {
    this.#value("i32")
    if (this.#pick(12) === 11) return
    this.#put(...i32(0xfff0))
    this.#put(0x71)
  }

  #store(of: Type): void {
    this.#address()
    this.#value(of)
    this.#put(this.#from(operations[of].stores), 0, this.#pick(9))
  }

  /** A block with statements, left in its middle where a condition holds. */
  #branching(): void {
    this.#free(0x02, 0x40)
    this.#within({ gives: undefined }, () => {
      this.#statements()
      this.#value("i32")
      this.#put(0x0d, 0)
      this.#statements()
    })
    this.#free(0x0b)
  }

  /** Up to three rounds: block loop (count = 0 ? break; count -= 1; ...; again) end end. */
  #loop(): void {
    if (this.#loops === loopsMax) return
    const count = counterLocal + this.#loops++
    this.#put(...i32(this.#pick(4)))
    this.#put(...set(count))
    this.#free(0x02, 0x40)
    this.#within({ gives: undefined }, () => {
      this.#free(0x03, 0x40)
      this.#within({ gives: undefined }, () => {
        this.#pay(1)
        this.#put(...get(count))
        this.#put(0x45)
        this.#put(0x0d, 1)
        this.#put(...get(count))
        this.#put(...i32(1))
        this.#put(0x6b)
        this.#put(...set(count))
        this.#statements()
        this.#put(0x0c, 0)
      })
      this.#free(0x0b)
    })
    this.#free(0x0b)
    this.#loops--
  }

  /** A branch out, on a condition, always, by table, or a return; seldom a trap. What follows it is never run. */
  #leave(): void {
    const label = this.#pick(this.#labels.length)
    const { gives } = this.#labels[label]!
    const how = this.#pick(8)
    if (how === 7) return this.#free(0x00)
    if (how === 6) {
      this.#value(given(this.#index))
      return this.#put(0x0f)
    }
    if (gives !== undefined) this.#value(gives)
    if (how < 3) {
      this.#value("i32")
      this.#put(0x0d, label)
      if (gives !== undefined) this.#put(0x1a)
    } else if (how === 3) {
      const fitting = this.#labels.flatMap((other, n) => (other.gives === gives ? [n] : []))
      this.#value("i32")
      this.#put(0x0e, fitting.length, ...fitting, label)
    } else this.#put(0x0c, label)
  }

  #bulk(): void {
    const how = this.#pick(3)
    if (how === 2) {
      this.#put(...i32(this.#pick(3)))
      this.#payLength(0x86, price.pageShift)
      this.#pay(price.grow)
      this.#free(0x40, 0)
      this.#put(0x1a)
      return
    }
    this.#address()
    if (how === 0) this.#value("i32")
    else this.#address()
    this.#put(...i32(this.#pick(400)))
    this.#payLength(0x88, price.bytesShift)
    this.#pay(price.bulk)
    this.#free(0xfc, ...(how === 0 ? [11, 0] : [10, 0, 0]))
  }

  #value(of: Type): void {
    this.#depth++
    const { binary, loads, unary } = operations[of]
    const choices = [
      () => this.#constant(of),
      () => this.#put(...get(localsOf(of)[this.#pick(2) as 0 | 1])),
      () => this.#put(...Wasm.globalGet(globalOf(of))),
      () => {
        this.#value(of)
        this.#put(this.#from(unary))
      },
      () => {
        this.#value(of)
        this.#value(of)
        this.#put(this.#from(binary))
      },
      () => {
        this.#address()
        this.#put(this.#from(loads), 0, this.#pick(9))
      },
      () => {
        const [from, ...code] = conversions[of][this.#pick(conversions[of].length)]!
        this.#value(from)
        this.#put(...code)
      },
      () => {
        this.#value(of)
        this.#value(of)
        this.#value("i32")
        this.#put(0x1b)
      },
      () => this.#test(of),
      () => this.#block(of),
      () => this.#call(of),
    ]
    choices[this.#pick(choices.length)]!()
    this.#depth--
  }

  #constant(of: Type): void {
    const n = this.#pick(40) - 20
    if (of === "i32") return this.#put(...i32(n * 7))
    if (of === "i64") return this.#put(...i64(n * 1_000_003))
    const float = [n / 8, n * 1e30, Infinity, NaN][this.#pick(4)]!
    if (of === "f32") this.#put(0x43, ...new Uint8Array(Float32Array.of(float).buffer))
    else this.#put(0x44, ...new Uint8Array(Float64Array.of(float).buffer))
  }

  /** A comparison, as a value of this type. */
  #test(of: Type): void {
    const compared = types[this.#pick(4)]!
    this.#value(compared)
    this.#value(compared)
    this.#put(this.#from(operations[compared].tests))
    if (of !== "i32") this.#put({ i64: 0xad, f32: 0xb2, f64: 0xb7 }[of])
  }

  /** A block or if that gives a value. */
  #block(of: Type): void {
    if (this.#pick(2) === 0) {
      this.#free(0x02, type[of])
      this.#within({ gives: of }, () => {
        this.#statements()
        this.#value(of)
        this.#value("i32")
        this.#put(0x0d, 0)
        this.#statements()
      })
    } else {
      this.#value("i32")
      this.#pay(1)
      this.#free(0x04, type[of])
      this.#within({ gives: of }, () => this.#value(of))
      this.#free(0x05)
      this.#within({ gives: of }, () => {
        this.#statements()
        this.#value(of)
      })
    }
    this.#free(0x0b)
  }

  /** A call of a later function that gives this type, directly or through the table. */
  #call(of: Type): void {
    const later = Array.from({ length: functions }, (_, n) => n)
    const called = later.filter((n) => n > this.#index && given(n) === of)
    const index = called[this.#pick(called.length || 1)]
    if (index === undefined) return this.#constant(of)
    for (const each of types) this.#value(each)
    if (this.#pick(2) === 0) {
      this.#pay(price.call)
      this.#free(...Wasm.call(index))
    } else {
      this.#put(...i32(index))
      this.#pay(price.callIndirect)
      this.#free(0x11, index, 0)
    }
  }
}

/** Functions and memory by name, and as many globals. */
const exported = (globals: number): ReadonlyArray<number> => [
  functions + 1 + globals,
  ...Array.from({ length: functions }, (_, n) => [...Wasm.name(`f${n}`), 0, n]).flat(),
  ...Wasm.name("memory"),
  2,
  0,
  ...Array.from({ length: globals }, (_, n) => [...Wasm.name(`global ${n}`), 3, n]).flat(),
]

const moduleOf = (numbers: ReadonlyArray<number>, reference: boolean): Uint8Array => {
  const all = numbers[Symbol.iterator]()
  const parts = Array.from({ length: functions }, (_, index): FunctionParts => ({
    takes: types.map((of) => type[of]),
    gives: [type[given(index)]],
    locals,
    body: new FunctionWriter(all, reference, index).write(),
  }))
  const mutable = [
    ...types.map((of) => [type[of], 1] as const),
    ...(reference ? [[type.i64, 1] as const] : []),
  ]
  return wasm({
    functions: parts,
    globals: mutable,
    memory: [1, 1, 3],
    sections: {
      4: [1, 0x70, 0, functions],
      7: exported(reference ? mutable.length : 0),
      9: [1, 0, ...i32(0), 0x0b, functions, ...parts.map((_, index) => index)],
    },
  })
}

/** The program that `numbers` say, as it is and as one that counts itself. */
export const programOf = (
  numbers: ReadonlyArray<number>,
): { readonly subject: Uint8Array; readonly reference: Uint8Array } => ({
  subject: moduleOf(numbers, false),
  reference: moduleOf(numbers, true),
})

export { fuelGlobal, functions, given }

/** One instance of a generated program, to be called with equal arguments again and again, and compared by state. */
import * as fc from "fast-check"
import * as Allowance from "../../compute-unit/Allowance.ts"
import { instrument, type MutableGlobal } from "../../compute-unit/Instrumentation.ts"
import type { ValueType } from "../../compute-unit/Wasm.ts"
import * as WasmProgram from "./WasmProgram.ts"
import * as WasmSpecBits from "./WasmSpecBits.ts"
import { attempt, said } from "./WasmSpecValue.ts"

/** Numbers of a program: most make one of some hundred instructions. */
export const numbers = fc.array(fc.nat(1_000_000), { minLength: 40, maxLength: 500 })

const takes = ["i32", "i64", "f32", "f64"] as const

/** Bits of the arguments: small numbers, one of them a NaN that is not canonical. */
export const argumentBits: ReadonlyArray<ReadonlyArray<number | bigint>> = [
  [3, -5n, 0x3fc0_0000, 0x4009_21fb_5444_2d18n],
  [-1, 1n << 40n, 0x7fa0_0001, 0xfff4_0000_0000_0001n],
]

/** What a call gave, with floats as bits, or how it stopped; and the fuel that it took, where it came to its end. */
export interface Called {
  readonly ending: string
  readonly stopped: boolean
  readonly fuel: bigint
}

export interface State {
  readonly memory: Uint8Array
  readonly globals: ReadonlyArray<number | bigint>
}

type Counter = { value: number | bigint }

const plenty = 1_000_000_000_000n
const words = 1_000_000

export class WasmProgramRun {
  readonly #exports: Readonly<Record<string, unknown>>
  readonly #globals: ReadonlyArray<MutableGlobal>

  /** The subject instrumented. */
  constructor(subject: Uint8Array) {
    const result = instrument(subject, { frameWordsMax: 1_000_000, chargeValues: true, authored: true })
    if (result._tag === "Refused") throw new Error(`${result.refusal}: ${result.detail}`)
    this.#exports = new WebAssembly.Instance(new WebAssembly.Module(result.bytes), {}).exports
    this.#globals = result.globals
    this.#counter("__pages_max").value = 3
    patterned(this.#memory)
  }

  #counter(name: string): Counter {
    return this.#exports[name] as Counter // exported by the pass
  }

  get #memory(): WebAssembly.Memory {
    return this.#exports["memory"] as WebAssembly.Memory // exported by the program
  }

  arm(): void {
    this.#counter("__allowance").value = Allowance.of(plenty, words)
  }

  /** Fuel since the last `arm`; stack words must be as they were. */
  get fuel(): bigint {
    return plenty - Allowance.fuel(this.#counter("__allowance").value as bigint) // an i64
  }

  get wordsUsed(): number {
    return words - Allowance.words(this.#counter("__allowance").value as bigint) // an i64
  }

  /** Calls without arming. */
  enter(index: number, args: number): { readonly ending: string; readonly stopped: boolean } {
    return called(this.#exports, index, args)
  }

  call(index: number, args: number): Called {
    this.arm()
    return { ...this.enter(index, args), fuel: this.fuel }
  }

  get state(): State {
    return {
      memory: new Uint8Array(this.#memory.buffer.slice(0)),
      globals: this.#globals.map(({ index }) => this.#counter(`__global_${index}`).value),
    }
  }

  /** The same program in another instance, with this one's memory and globals and nothing else. */
  static restored(subject: Uint8Array, { memory, globals }: State): WasmProgramRun {
    const made = new WasmProgramRun(subject)
    made.#memory.grow((memory.length - made.#memory.buffer.byteLength) / 65_536)
    new Uint8Array(made.#memory.buffer).set(memory)
    for (const [n, { index }] of made.#globals.entries())
      made.#counter(`__global_${index}`).value = globals[n]!
    return made
  }
}

/** Bytes of every value, floats among them, where a program looks. */
const patterned = ({ buffer }: WebAssembly.Memory): void => {
  const bytes = new Uint8Array(buffer)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.imul(i, 2_654_435_761) >>> 21
}

const called = (exports: Readonly<Record<string, unknown>>, index: number, args: number) => {
  const run = WasmSpecBits.ofFunction(exports[`f${index}`], { takes, gives: [WasmProgram.given(index)] })
  const ending = attempt(() => run(...argumentBits[args]!))
  return { ending: said(ending), stopped: ending._tag === "Stopped" }
}

/** The reference, which counts for itself. Its memory may grow to what the subject's host allows. */
export const reference = (
  bytes: Uint8Array,
): { call: (index: number, args: number) => Called; state: State } => {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {})
  const memory = exports["memory"] as WebAssembly.Memory // exported by the program
  patterned(memory)
  const globalOf = (index: number, type: ValueType) =>
    WasmSpecBits.ofGlobal(exports[`global ${index}`], type, true) as number | bigint // as made
  const counter = exports[`global ${WasmProgram.fuelGlobal}`] as Counter // exported by the reference
  return {
    call: (index, args) => {
      counter.value = 0n
      const ending = called(exports, index, args)
      return { ...ending, fuel: counter.value }
    },
    get state() {
      return {
        memory: new Uint8Array(memory.buffer.slice(0)),
        globals: takes.map((type, index) => globalOf(index, type)),
      }
    },
  }
}

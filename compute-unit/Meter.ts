/**
 * Meter: the counters that the pass put into a running guest, and what their state says when it stops.
 */
import * as Allowance from "./Allowance.ts"
import { Ended, type EndReason, HostFault, outOfFuel } from "./Ending.ts"
import { caps } from "./Engine.ts"
import type { Limits } from "./Guest.ts"
import * as Imports from "./Imports.ts"
import type { MutableGlobal } from "./Instrumentation.ts"
import * as Intrinsic from "./Intrinsic.ts"

interface Counter<V> {
  value: V
}

type Exports = Readonly<Record<string, unknown>>

export class Meter {
  readonly #allowance: Counter<bigint>
  readonly #own: ReadonlyArray<Counter<number | bigint>>
  readonly #globals: ReadonlyArray<MutableGlobal>
  /** What a trap means that no counter explains. */
  readonly #stopped: readonly [EndReason, string]
  #limits: Limits = { fuel: 0n, memoryPagesMax: 0 }
  /** The globals as they were last asked for: most turns leave them as they are. */
  #seen: { readonly values: ReadonlyArray<number | bigint>; readonly bytes: Uint8Array } | undefined
  growRefused = false

  constructor(
    exports: Exports,
    globals: ReadonlyArray<MutableGlobal>,
    stopped: readonly [EndReason, string],
  ) {
    // The pass adds these exports under names that no program may use.
    this.#allowance = exports["__allowance"] as Counter<bigint>
    this.#own = globals.map(({ index }) => exports[`__global_${index}`] as Counter<number | bigint>)
    this.#globals = globals
    this.#stopped = stopped
  }

  get limits(): Limits {
    return this.#limits
  }

  get #fuelLeft(): bigint {
    return Allowance.fuel(this.#allowance.value)
  }

  get #wordsLeft(): number {
    return Allowance.words(this.#allowance.value)
  }

  get fuelUsed(): bigint {
    const left = this.#fuelLeft
    return left < 0n ? this.#limits.fuel : this.#limits.fuel - left
  }

  /** Mutable globals by index, as 64-bit patterns: integers extended by their sign, floats as f64. */
  get globals(): Uint8Array {
    const seen = this.#seen
    if (seen !== undefined && this.#own.every(({ value }, i) => Object.is(value, seen.values[i])))
      return seen.bytes
    const values = this.#own.map(({ value }) => value)
    const out = new DataView(new ArrayBuffer(8 * values.length))
    for (const [i, { type }] of this.#globals.entries()) {
      const value = values[i]!
      if (type === "f32" || type === "f64") out.setFloat64(8 * i, Number(value), true)
      else out.setBigInt64(8 * i, BigInt(value), true)
    }
    this.#seen = { values, bytes: new Uint8Array(out.buffer) }
    return this.#seen.bytes
  }

  set globals(globals: Uint8Array) {
    const view = new DataView(globals.buffer, globals.byteOffset, globals.byteLength)
    for (const [i, { type }] of this.#globals.entries()) {
      const bits = view.getBigInt64(8 * i, true)
      if (type === "i64") this.#own[i]!.value = bits
      else this.#own[i]!.value = type === "i32" ? Number(bits) : view.getFloat64(8 * i, true)
    }
  }

  arm(limits: Limits): void {
    this.#limits = limits
    this.growRefused = false
    this.#allowance.value = Allowance.of(limits.fuel, caps.depthWordsMax)
  }

  /** Checks the counters after a turn that came to its end. */
  settle(): void {
    if (this.#fuelLeft < 0n) throw this.#outOfFuel()
    if (this.#wordsLeft !== caps.depthWordsMax)
      throw new Error("the guest returned with its depth unbalanced")
  }

  charge(fuel: bigint): void {
    this.#allowance.value -= fuel
    if (this.#fuelLeft < 0n) throw this.#outOfFuel()
  }

  /** Enters the guest and names whatever ends it. */
  enter<A>(body: () => A): A {
    try {
      return body()
    } catch (error) {
      if (this.#fuelLeft < 0n) throw this.#outOfFuel()
      if (error instanceof Ended || error instanceof HostFault) throw error
      if (
        error instanceof WebAssembly.RuntimeError ||
        error instanceof Imports.Refused ||
        error instanceof Intrinsic.BadCall
      ) {
        if (this.#wordsLeft < 0)
          throw new Ended("stack overflow", `calls are nested deeper than ${caps.depthWordsMax} stack words`)
        if (this.growRefused) throw this.outOfMemory()
        const [reason, detail] = this.#stopped
        throw new Ended(reason, detail) // in fixed words: the host's differ between its versions
      }
      // Maximum call stack size exceeded, or memory that the host could not give.
      if (error instanceof RangeError) throw new HostFault(error.message)
      throw error
    }
  }

  outOfMemory(): Ended {
    return new Ended("out of memory", `more than ${this.#limits.memoryPagesMax} pages of 64 KiB`)
  }

  #outOfFuel(): Ended {
    return new Ended("out of fuel", outOfFuel(this.#limits))
  }
}

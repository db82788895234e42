/**
 * Meter: the counters that the pass put into a running guest, and what their state says when it stops.
 */
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
  readonly #fuel: Counter<bigint>
  readonly #depth: Counter<number>
  readonly #own: ReadonlyArray<Counter<number | bigint>>
  readonly #globals: ReadonlyArray<MutableGlobal>
  /** What a trap means that no counter explains. */
  readonly #stopped: readonly [EndReason, string]
  #limits: Limits = { fuel: 0n, memoryPagesMax: 0 }
  growRefused = false

  constructor(
    exports: Exports,
    globals: ReadonlyArray<MutableGlobal>,
    stopped: readonly [EndReason, string],
  ) {
    // The pass adds these exports under names that no program may use.
    this.#fuel = exports["__fuel"] as Counter<bigint>
    this.#depth = exports["__depth"] as Counter<number>
    this.#own = globals.map(({ index }) => exports[`__global_${index}`] as Counter<number | bigint>)
    this.#globals = globals
    this.#stopped = stopped
  }

  get limits(): Limits {
    return this.#limits
  }

  get fuelUsed(): bigint {
    const left = this.#fuel.value
    return left < 0n ? this.#limits.fuel : this.#limits.fuel - left
  }

  /** Mutable globals by index, as 64-bit patterns: integers extended by their sign, floats as f64. */
  get globals(): Uint8Array {
    const out = new DataView(new ArrayBuffer(8 * this.#own.length))
    for (const [i, { type }] of this.#globals.entries()) {
      const { value } = this.#own[i]!
      if (type === "f32" || type === "f64") out.setFloat64(8 * i, Number(value), true)
      else out.setBigInt64(8 * i, BigInt(value), true)
    }
    return new Uint8Array(out.buffer)
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
    this.#fuel.value = limits.fuel
    this.#depth.value = 0
  }

  /** Checks the counters after a turn that came to its end. */
  settle(): void {
    if (this.#fuel.value < 0n) throw this.#outOfFuel()
    if (this.#depth.value !== 0) throw new Error("the guest returned with its depth unbalanced")
  }

  charge(fuel: bigint): void {
    this.#fuel.value -= fuel
    if (this.#fuel.value < 0n) throw this.#outOfFuel()
  }

  /** Enters the guest and names whatever ends it. */
  enter<A>(body: () => A): A {
    try {
      return body()
    } catch (error) {
      if (this.#fuel.value < 0n) throw this.#outOfFuel()
      if (error instanceof Ended || error instanceof HostFault) throw error
      if (
        error instanceof WebAssembly.RuntimeError ||
        error instanceof Imports.Refused ||
        error instanceof Intrinsic.BadCall
      ) {
        if (this.#depth.value > caps.depthWordsMax)
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

/**
 * Guest: one instance of the engine, driven directly through its own imports and exports.
 *
 * Nothing of the host is behind the imports: no environment, no locale, UTC, a clock that stands at the turn's
 * timestamp, memory that grows as asked up to the process's limit. What ends a turn early is thrown as `Ended`;
 * a fault of the host, which another try or machine would not have, as `HostFault`. After either, and whenever
 * the memory grew in a turn that is undone, the instance is thrown away: a trap leaves its stack where it was.
 */
import { Ended, HostFault, Threw } from "./Ending.ts"
import { caps, type Engine, exportNames, preludeLimits, stackBytes } from "./Engine.ts"
import type { Handles } from "./Handles.ts"
import * as Imports from "./Imports.ts"
import * as Intrinsic from "./Intrinsic.ts"

/** Bytes of one WebAssembly page. */
export const wasmPageBytes = 65_536

export interface Limits {
  readonly fuel: bigint
  readonly memoryPagesMax: number
}

type Exported = { readonly [K in keyof typeof exportNames]: (...args: ReadonlyArray<number>) => number }

interface Counter<V> {
  value: V
}

/** Types of values as the engine writes them into the upper word. */
const valueType = { int: 0, exception: 6 } as const

export class Guest {
  readonly memory: WebAssembly.Memory
  readonly stackBase: number
  #handles: Handles | undefined
  readonly #engine: Engine
  readonly #exports: Exported
  readonly #fuel: Counter<bigint>
  readonly #depth: Counter<number>
  readonly #mark: Counter<number>
  readonly #stackPointer: Counter<number>
  readonly #own: ReadonlyArray<Counter<number | bigint>>
  #limits: Limits = { fuel: 0n, memoryPagesMax: 0 }
  #clock = 0
  #channel = new Intrinsic.Channel(new Uint8Array(0))
  #growRefused = false
  #buffer: Buffer

  /** An instance with `pages` of memory, in which nothing has run. */
  constructor(engine: Engine, pages: number) {
    this.#engine = engine
    try {
      this.memory = new WebAssembly.Memory({ initial: pages, maximum: caps.memoryPagesMax })
      const driver: Imports.Driver = {
        memory: this.memory,
        now: () => this.#clock,
        grow: (bytes) => this.#grow(bytes),
        intrinsic: (number, count, at) => this.#intrinsic(number, count, at),
      }
      const { exports } = new WebAssembly.Instance(engine.module, { a: Imports.bind(driver) })
      const named = Object.entries(exportNames).map(([name, letter]) => [name, exports[letter]])
      // The engine's bytes are pinned, and these are its functions; the globals are those the pass adds.
      this.#exports = Object.fromEntries(named) as Exported
      this.#fuel = exports["__fuel"] as Counter<bigint>
      this.#depth = exports["__depth"] as Counter<number>
      this.#mark = exports["__mark"] as Counter<number>
      this.#stackPointer = exports["__sp"] as Counter<number>
      this.#own = engine.globals.map(({ index }) => exports[`__global_${index}`] as Counter<number | bigint>)
    } catch (error) {
      throw error instanceof RangeError ? new HostFault(error.message) : error
    }
    this.stackBase = this.#stackPointer.value
    this.#buffer = Buffer.from(this.memory.buffer)
  }

  /** Memory as bytes; made again after it grew. */
  get bytes(): Buffer {
    if (this.#buffer.buffer !== this.memory.buffer) this.#buffer = Buffer.from(this.memory.buffer)
    return this.#buffer
  }

  get pages(): number {
    return this.memory.buffer.byteLength / wasmPageBytes
  }

  /** First byte above static data, where the stack ends. */
  get dataEnd(): number {
    return this.stackBase - stackBytes
  }

  get handles(): Handles {
    if (this.#handles === undefined) throw new Error("nothing has booted")
    return this.#handles
  }

  /** For an instance into which the memory of a booted one is copied. */
  set handles(handles: Handles) {
    this.#handles = handles
  }

  /** Mutable globals by index, as 64-bit patterns. */
  get globals(): Uint8Array {
    const out = new DataView(new ArrayBuffer(8 * this.#own.length))
    for (const [i, { type }] of this.#engine.globals.entries()) {
      const { value } = this.#own[i]!
      if (type === "f32" || type === "f64") out.setFloat64(8 * i, Number(value), true)
      else out.setBigInt64(8 * i, BigInt(value), true)
    }
    return new Uint8Array(out.buffer)
  }

  get fuelUsed(): bigint {
    const left = this.#fuel.value
    return left < 0n ? this.#limits.fuel : this.#limits.fuel - left
  }

  get channel(): Intrinsic.Channel {
    return this.#channel
  }

  /** Whether the guest has asked for memory over its limit since `arm`. */
  get growRefused(): boolean {
    return this.#growRefused
  }

  /** Sets everything that a turn starts from beside its memory. */
  arm(limits: Limits, clock: number, input: Uint8Array): void {
    this.#limits = limits
    this.#clock = clock
    this.#channel = new Intrinsic.Channel(input)
    this.#growRefused = false
    this.#fuel.value = limits.fuel
    this.#depth.value = 0
    this.#mark.value = this.stackBase
  }

  /** Ends a turn: checks the counters and zeroes the part of the stack that was in use. */
  disarm(): void {
    if (this.#fuel.value < 0n) throw this.#outOfFuel()
    if (this.#stackPointer.value !== this.stackBase || this.#depth.value !== 0)
      throw new Error("the engine returned with its stack unbalanced")
    this.sweep()
  }

  /** Zeroes the dead stack. */
  sweep(): void {
    this.bytes.fill(0, Math.max(this.dataEnd, this.#mark.value - caps.redZoneBytes), this.stackBase)
  }

  /** Starts the engine and runs the prelude. */
  start(): void {
    const of = this.#exports
    this.#enter(() => void of.initialize())
    const runtime = this.#address(this.#enter(() => of.newRuntime()))
    const context = this.#address(this.#enter(() => of.newContext(runtime, 0)))
    const io = this.#malloc(Intrinsic.ioBytes)
    const scratch = this.#malloc(16)
    this.bytes.fill(0, io, io + Intrinsic.ioBytes)
    this.bytes.fill(0, scratch, scratch + 16)
    const handles = { runtime, context, io, scratch, turn: 0, end: 0, abandon: 0, describe: 0 }
    this.#handles = handles
    const prelude = this.#evaluate(this.#engine.prelude, "prelude.js")
    const buffer = this.#enter(() => of.newArrayBuffer(context, io, Intrinsic.ioBytes))
    const functions = Object.entries(Intrinsic.table).map(([number, { name }]) =>
      this.#function(name, Number(number)),
    )
    const limits = this.#string(JSON.stringify(preludeLimits))
    const host = this.#call(prelude, [buffer, limits, ...functions])
    for (const name of ["turn", "end", "abandon", "describe"] as const) {
      const key = this.#string(name)
      handles[name] = this.#address(this.#enter(() => of.getProp(context, host, key)))
      this.#free(key)
    }
    for (const value of [prelude, buffer, limits, ...functions, host]) this.#free(value)
  }

  /** Runs the author's script. */
  run(source: Uint8Array, file: string): void {
    this.#free(this.#evaluate(source, file))
    this.drain()
  }

  /** Calls one of the prelude's functions with a text, for the effect. */
  tell(name: "turn" | "abandon", text: string): void {
    const value = this.#string(text)
    this.#free(this.#call(this.handles[name], [value]))
    this.#free(value)
  }

  /** What the prelude says the turn came to. */
  result(): string {
    const value = this.#call(this.handles.end, [])
    const text = this.#text(value)
    this.#free(value)
    return text
  }

  /** Runs jobs one by one until none is left. */
  drain(): void {
    const { runtime, context, scratch } = this.handles
    const of = this.#exports
    for (let n = 0; this.#enter(() => of.isJobPending(runtime)) !== 0; n++) {
      if (n === caps.jobsPerTurnMax)
        throw new Ended("too many jobs", `more than ${n} promise jobs in one turn`)
      const value = this.#address(this.#enter(() => of.executePendingJob(runtime, 1, scratch)))
      // The answer to one job done is the number 1; anything else is what it failed with.
      const done = this.#typeOf(value) === valueType.int && this.bytes.readInt32LE(value) === 1
      if (!done)
        throw this.#growRefused ? this.#outOfMemory() : new Ended("job failed", "a promise job broke off")
      this.#enter(() => of.freeValue(context, value))
    }
  }

  /** Enters the engine and names whatever ends it. */
  #enter<A>(body: () => A): A {
    try {
      return body()
    } catch (error) {
      if (this.#fuel.value < 0n) throw this.#outOfFuel()
      if (error instanceof Ended) throw error
      if (
        error instanceof WebAssembly.RuntimeError ||
        error instanceof Imports.Refused ||
        error instanceof Intrinsic.BadCall
      ) {
        if (this.#depth.value > caps.depthWordsMax)
          throw new Ended("stack overflow", `calls are nested deeper than ${caps.depthWordsMax} stack words`)
        if (this.#growRefused) throw this.#outOfMemory()
        throw new Ended("job failed", "the engine stopped") // in fixed words: the host's differ between its versions
      }
      // Maximum call stack size exceeded, or memory that the host could not give.
      if (error instanceof RangeError) throw new HostFault(error.message)
      throw error
    }
  }

  #outOfFuel(): Ended {
    return new Ended("out of fuel", `more than ${this.#limits.fuel} fuel`)
  }

  #outOfMemory(): Ended {
    return new Ended("out of memory", `more than ${this.#limits.memoryPagesMax} pages of 64 KiB`)
  }

  #typeOf(value: number): number {
    return this.bytes.readInt32LE(value + 4)
  }

  /** The engine answers with 0 where it had no memory for an answer. */
  #address(at: number): number {
    if (at === 0) throw this.#outOfMemory()
    return at
  }

  #malloc(length: number): number {
    return this.#address(this.#enter(() => this.#exports.malloc(length)))
  }

  /** Copies bytes into guest memory, with a zero behind them. */
  #place(bytes: Uint8Array): number {
    const at = this.#malloc(bytes.length + 1)
    this.bytes.set(bytes, at)
    this.bytes[at + bytes.length] = 0
    return at
  }

  /** A string of the guest. The engine reads up to a zero; JSON has none, it writes U+0000 as an escape. */
  #string(text: string): number {
    const at = this.#place(Buffer.from(text))
    const value = this.#address(this.#enter(() => this.#exports.newString(this.handles.context, at)))
    this.#enter(() => this.#exports.free(at))
    return value
  }

  #text(value: number): string {
    const { context } = this.handles
    const at = this.#address(this.#enter(() => this.#exports.getString(context, value)))
    const text = this.bytes.toString("utf8", at, this.bytes.indexOf(0, at))
    this.#enter(() => this.#exports.freeCString(context, at))
    return text
  }

  #function(name: string, number: number): number {
    const at = this.#place(Buffer.from(name))
    const value = this.#enter(() => this.#exports.newFunction(this.handles.context, at, 0, 0, number))
    this.#enter(() => this.#exports.free(at))
    return this.#address(value)
  }

  #free(value: number): void {
    this.#enter(() => this.#exports.freeValue(this.handles.context, value))
  }

  #evaluate(source: Uint8Array, file: string): number {
    const [code, name] = [this.#place(source), this.#place(Buffer.from(file))]
    const value = this.#enter(() =>
      this.#exports.evaluate(this.handles.context, code, source.length, name, 0, 0),
    )
    this.#enter(() => this.#exports.free(code))
    this.#enter(() => this.#exports.free(name))
    return this.#checked(value)
  }

  #call(callee: number, args: ReadonlyArray<number>): number {
    const { context, scratch } = this.handles
    const many = args.length > 1
    const at = many ? this.#malloc(4 * args.length) : scratch + 8
    for (const [i, value] of args.entries()) this.bytes.writeUInt32LE(value, at + 4 * i)
    const value = this.#enter(() =>
      this.#exports.call(context, callee, this.#exports.getUndefined(), args.length, at),
    )
    if (many) this.#enter(() => this.#exports.free(at))
    return this.#checked(value, callee)
  }

  /** `value`, or the exception that stands there as `Threw`. */
  #checked(value: number, callee?: number): number {
    this.#address(value)
    if (this.#typeOf(value) !== valueType.exception) return value
    const { context, describe } = this.handles
    const error = this.#address(this.#enter(() => this.#exports.resolveException(context, value)))
    if (describe === 0) throw new Error("the prelude does not load")
    // An error of `describe` itself is not described: it would go round for ever.
    const text = callee === describe ? undefined : this.#text(this.#call(describe, [error]))
    if (text === undefined) throw new Threw("", "an error that has no text", "")
    const { name, message, stack, kind } = JSON.parse(text) as Record<
      "name" | "message" | "stack" | "kind",
      string
    > // by the prelude
    if (kind === "out of memory") throw this.#outOfMemory()
    throw new Threw(name, message, stack)
  }

  /** Grows to the pages that `bytes` need, not more. 0 tells the engine that there is no memory. */
  #grow(bytes: number): 0 | 1 {
    const wanted = Math.ceil(bytes / wasmPageBytes)
    const more = wanted - this.pages
    if (more <= 0) return 1
    if (wanted > Math.min(this.#limits.memoryPagesMax, caps.memoryPagesMax)) {
      this.#growRefused = true
      return 0
    }
    this.#charge(caps.growPageFuel * BigInt(more))
    this.memory.grow(more)
    return 1
  }

  #charge(fuel: bigint): void {
    this.#fuel.value -= fuel
    if (this.#fuel.value < 0n) throw this.#outOfFuel()
  }

  /** An answer of 0 is `undefined` to the engine, which allocates nothing for it. */
  #intrinsic(number: number, count: number, at: number): 0 {
    const intrinsic = Intrinsic.table[number]
    if (intrinsic === undefined || count !== intrinsic.arguments)
      throw new Intrinsic.BadCall("no such intrinsic")
    const args = new Intrinsic.Arguments(this.memory.buffer, at, this.handles.io, this.#channel)
    this.#charge(intrinsic.price(args))
    intrinsic.run(args)
    return 0
  }
}

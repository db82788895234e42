/**
 * GuestScript: a script in one instance of the engine, driven directly through its own imports and exports.
 */
import * as Bytes from "../runtime/Bytes.ts"
import { Ended, HostFault, Threw } from "./Ending.ts"
import * as Emission from "./Emission.ts"
import { caps, exportNames, preludeLimits, type ScriptEngine, stackBytes } from "./Engine.ts"
import { type Guest, type Limits, type Task, wasmPageBytes } from "./Guest.ts"
import type { Handles } from "./Handles.ts"
import * as Imports from "./Imports.ts"
import * as Intrinsic from "./Intrinsic.ts"
import { Meter } from "./Meter.ts"

type Exported = { readonly [K in keyof typeof exportNames]: (...args: ReadonlyArray<number>) => number }

interface Counter {
  value: number
}

/** Types of values as the engine writes them into the upper word. */
const valueType = { int: 0, exception: 6 } as const

/** Sizes of free memory that `fillHoles` looks for: the largest in use by the allocator's bins, and the smallest chunk. */
const holeBytesMax = 65_536
const holeBytesMin = 16

export class GuestScript implements Guest {
  readonly memory: WebAssembly.Memory
  readonly stackBase: number
  /** Unset until it has booted, or the memory of a booted one is copied in. */
  handles: Handles | undefined
  readonly #engine: ScriptEngine
  readonly #exports: Exported
  readonly #meter: Meter
  readonly #mark: Counter
  readonly #stackPointer: Counter
  #clock = 0
  #channel = new Intrinsic.Channel(new Uint8Array(0))
  #buffer: Buffer

  /** An instance with `pages` of memory, in which nothing has run. */
  constructor(engine: ScriptEngine, pages: number) {
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
      this.#mark = exports["__mark"] as Counter
      this.#stackPointer = exports["__sp"] as Counter
      this.#meter = new Meter(exports, engine.globals, ["job failed", "the engine stopped"])
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

  /** Static data, and the heap above the stack, which is swept. */
  get written(): Guest["written"] {
    return [
      [0, this.dataEnd],
      [this.stackBase, this.bytes.length],
    ]
  }

  get #places(): Handles {
    if (this.handles === undefined) throw new Error("nothing has booted")
    return this.handles
  }

  get globals(): Uint8Array {
    return this.#meter.globals
  }

  /** The engine has one, its stack pointer, and every turn ends where it began: there is nothing to put back. */
  set globals(globals: Uint8Array) {
    if (globals !== this.globals && !Bytes.equal(globals, this.globals))
      throw new Error("the stack of the engine lies elsewhere")
  }

  get fuelUsed(): bigint {
    return this.#meter.fuelUsed
  }

  get channel(): Intrinsic.Channel {
    return this.#channel
  }

  /** Whether the guest has asked for memory over its limit since `arm`. */
  get growRefused(): boolean {
    return this.#meter.growRefused
  }

  /** Sets everything that a turn starts from beside its memory. */
  arm(limits: Limits, clock: number, input: Uint8Array): void {
    this.#meter.arm(limits)
    this.#clock = clock
    this.#channel = new Intrinsic.Channel(input)
    this.#mark.value = this.stackBase
  }

  /** Ends a turn: checks the counters and zeroes the part of the stack that was in use. */
  disarm(): void {
    this.#meter.settle()
    if (this.#stackPointer.value !== this.stackBase)
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
    const functions = { turn: 0, end: 0, abandon: 0, describe: 0, exportState: 0, importState: 0, inspect: 0 }
    const handles = { runtime, context, io, scratch, ...functions }
    this.handles = handles
    const prelude = this.#evaluate(this.#engine.prelude, "prelude.js")
    const buffer = this.#enter(() => of.newArrayBuffer(context, io, Intrinsic.ioBytes))
    const intrinsics = Object.entries(Intrinsic.table).map(([number, { name }]) =>
      this.#function(name, Number(number)),
    )
    const limits = this.#string(JSON.stringify(preludeLimits))
    const host = this.#call(prelude, [buffer, limits, ...intrinsics])
    for (const name of Object.keys(functions) as Array<keyof typeof functions>) {
      const key = this.#string(name)
      handles[name] = this.#address(this.#enter(() => of.getProp(context, host, key)))
      this.#free(key)
    }
    for (const value of [prelude, buffer, limits, ...intrinsics, host]) this.#free(value)
  }

  /** Runs the author's script. */
  load(source: Uint8Array, file: string): void {
    this.#free(this.#evaluate(source, file))
    this.#drain()
  }

  /**
   * Takes what the allocator has free between what is in use, for good. What a process allocates from here on lies side
   * by side above it, instead of in holes all over the image, so that a turn writes to half as many pages.
   */
  fillHoles(): void {
    const { malloc, free } = this.#exports
    const largest = this.#enter(() => malloc(holeBytesMax))
    this.#enter(() => free(largest))
    for (let size = holeBytesMax; size >= holeBytesMin; size /= 2)
      for (;;) {
        const at = this.#enter(() => malloc(size))
        if (at === 0) throw this.#meter.outOfMemory()
        if (at < largest) continue
        this.#enter(() => free(at))
        break
      }
  }

  run(task: Task, words: string): string {
    const value = this.#string(words)
    this.#free(this.#call(this.#places[task], [value]))
    this.#free(value)
    // What an export leaves pending ends with the program.
    if (task !== "exportState") this.#drain()
    return this.#take(this.#call(this.#places.end, []))
  }

  /** What an expression comes to, as text. For a debugger, on memory that is thrown away. */
  inspect(expression: string): string {
    const value = this.#string(expression)
    return this.#take(this.#call(this.#places.inspect, [value]))
  }

  read(said: string): Emission.Said {
    return Emission.read(said, this.#channel.output)
  }

  /** Runs jobs one by one until none is left. */
  #drain(): void {
    const { runtime, context, scratch } = this.#places
    const of = this.#exports
    for (let n = 0; this.#enter(() => of.isJobPending(runtime)) !== 0; n++) {
      if (n === caps.jobsPerTurnMax)
        throw new Ended("too many jobs", `more than ${n} promise jobs in one turn`)
      const value = this.#address(this.#enter(() => of.executePendingJob(runtime, 1, scratch)))
      // The answer to one job done is the number 1; anything else is what it failed with.
      const done = this.#typeOf(value) === valueType.int && this.bytes.readInt32LE(value) === 1
      if (!done)
        throw this.#meter.growRefused
          ? this.#meter.outOfMemory()
          : new Ended("job failed", "a promise job broke off")
      this.#enter(() => of.freeValue(context, value))
    }
  }

  #enter<A>(body: () => A): A {
    return this.#meter.enter(body)
  }

  #typeOf(value: number): number {
    return this.bytes.readInt32LE(value + 4)
  }

  /** The engine answers with 0 where it had no memory for an answer. */
  #address(at: number): number {
    if (at === 0) throw this.#meter.outOfMemory()
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
    const value = this.#address(this.#enter(() => this.#exports.newString(this.#places.context, at)))
    this.#enter(() => this.#exports.free(at))
    return value
  }

  #text(value: number): string {
    const { context } = this.#places
    const at = this.#address(this.#enter(() => this.#exports.getString(context, value)))
    const text = this.bytes.toString("utf8", at, this.bytes.indexOf(0, at))
    this.#enter(() => this.#exports.freeCString(context, at))
    return text
  }

  #take(value: number): string {
    const text = this.#text(value)
    this.#free(value)
    return text
  }

  #function(name: string, number: number): number {
    const at = this.#place(Buffer.from(name))
    const value = this.#enter(() => this.#exports.newFunction(this.#places.context, at, 0, 0, number))
    this.#enter(() => this.#exports.free(at))
    return this.#address(value)
  }

  #free(value: number): void {
    this.#enter(() => this.#exports.freeValue(this.#places.context, value))
  }

  #evaluate(source: Uint8Array, file: string): number {
    const [code, name] = [this.#place(source), this.#place(Buffer.from(file))]
    const value = this.#enter(() =>
      this.#exports.evaluate(this.#places.context, code, source.length, name, 0, 0),
    )
    this.#enter(() => this.#exports.free(code))
    this.#enter(() => this.#exports.free(name))
    return this.#checked(value)
  }

  #call(callee: number, args: ReadonlyArray<number>): number {
    const { context, scratch } = this.#places
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
    const { context, describe } = this.#places
    const error = this.#address(this.#enter(() => this.#exports.resolveException(context, value)))
    if (describe === 0) throw new Error("the prelude does not load")
    // An error of `describe` itself is not described: it would go round for ever.
    const text = callee === describe ? undefined : this.#text(this.#call(describe, [error]))
    if (text === undefined) throw new Threw("", "an error that has no text", "")
    const { name, message, stack, kind } = JSON.parse(text) as Record<
      "name" | "message" | "stack" | "kind",
      string
    > // by the prelude
    if (kind === "out of memory") throw this.#meter.outOfMemory()
    throw new Threw(name, message, stack)
  }

  /** Grows to the pages that `bytes` need, not more. 0 tells the engine that there is no memory. */
  #grow(bytes: number): 0 | 1 {
    const wanted = Math.ceil(bytes / wasmPageBytes)
    const more = wanted - this.pages
    if (more <= 0) return 1
    if (wanted > Math.min(this.#meter.limits.memoryPagesMax, caps.memoryPagesMax)) {
      this.#meter.growRefused = true
      return 0
    }
    this.#meter.charge(caps.growPageFuel * BigInt(more))
    this.memory.grow(more)
    return 1
  }

  /** An answer of 0 is `undefined` to the engine, which allocates nothing for it. */
  #intrinsic(number: number, count: number, at: number): 0 {
    const { io } = this.#places
    const args = new Intrinsic.ScriptArguments(this.memory.buffer, count, at, io, this.#channel)
    Intrinsic.call(number, args, (fuel) => this.#meter.charge(fuel))
    return 0
  }
}

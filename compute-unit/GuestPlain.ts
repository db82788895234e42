/**
 * GuestPlain: a module that authors compiled to WebAssembly, run as it is under the pass (spec 04 §10).
 *
 *     memory                          its state, with its mutable globals
 *     alloc(length) -> address        where it takes its input, as JSON in UTF-8
 *     handle(address, length) -> i64  address << 32 | length of what it says, as JSON in UTF-8
 *     export() -> i64                 if it can hand over its state: address << 32 | length of any JSON
 *     import(address, length) -> i64  if it can take over another's: `handle`, told that state too
 *
 * It may import `heddle.<intrinsic>` and nothing else. The host copies the input in and the output out, and reads and
 * writes nothing else of its memory.
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Emission from "./Emission.ts"
import { HostFault, Threw } from "./Ending.ts"
import { type Guest, type Limits, type Task, wasmPageBytes } from "./Guest.ts"
import * as Handover from "./Handover.ts"
import type { MutableGlobal } from "./Instrumentation.ts"
import * as Intrinsic from "./Intrinsic.ts"
import { Meter } from "./Meter.ts"
import * as MeterCode from "./MeterCode.ts"
import * as PlainOutput from "./PlainOutput.ts"
import type { TurnInput } from "./TurnInput.ts"

/** A module after the pass, compiled. */
export interface Compiled {
  readonly module: WebAssembly.Module
  readonly globals: ReadonlyArray<MutableGlobal>
}

interface Exported {
  readonly memory: WebAssembly.Memory
  readonly alloc: (length: number) => number
  readonly handle: (at: number, length: number) => bigint
  readonly export?: () => bigint
  readonly import?: (at: number, length: number) => bigint
}

/** What the pass adds to them beside the counters. */
interface Added {
  readonly start: (() => void) | undefined
  readonly pagesMax: { value: number }
  readonly denied: { value: number }
}

/** What a module that is told a message and says nothing has said. */
const nothing = "{}"

const silence: PlainOutput.Counts = { entries: 0, dataBytes: 0, views: 0 }

/** How what was said last is to be read: as the output of a turn that stands at a place, or as it is. */
type Reading = PlainOutput.Place | "state"

export class GuestPlain implements Guest {
  readonly handles = undefined
  readonly #exports: Exported
  readonly #added: Added
  readonly #meter: Meter
  #channel = new Intrinsic.Channel(Bytes.empty)
  #buffer: Buffer
  #reading: Reading = "state"

  /** An instance with `pages` of memory, or with what the module declares. Throws what linking it throws. */
  constructor({ module, globals }: Compiled, pages?: number) {
    let memory: WebAssembly.Memory | undefined
    const functions = Intrinsic.plain.map(({ name, number }) => [
      name,
      (...values: ReadonlyArray<number>) => {
        const args = new Intrinsic.PlainArguments(memory!.buffer, values, this.#channel) // no function runs unlinked
        Intrinsic.call(number, args, (fuel) => this.#meter.charge(fuel))
      },
    ])
    try {
      const { exports } = new WebAssembly.Instance(module, { heddle: Object.fromEntries(functions) })
      this.#exports = exports as unknown as Exported // as `PlainModule` has seen
      const { __start: start, __pages_max: pagesMax, __denied: denied } = exports
      this.#added = { start, pagesMax, denied } as Added // by the pass, under names that no module may use
      this.#meter = new Meter(exports, globals, ["trapped", "the program trapped"])
      memory = this.#exports.memory
      if (pages !== undefined) memory.grow(pages - memory.buffer.byteLength / wasmPageBytes)
    } catch (error) {
      throw error instanceof RangeError ? new HostFault(error.message) : error
    }
    this.#buffer = Buffer.from(memory.buffer)
  }

  get bytes(): Buffer {
    const { buffer } = this.#exports.memory
    if (this.#buffer.buffer !== buffer) this.#buffer = Buffer.from(buffer)
    return this.#buffer
  }

  get pages(): number {
    return this.bytes.length / wasmPageBytes
  }

  get written(): Guest["written"] {
    return [[0, this.bytes.length]]
  }

  get globals(): Uint8Array {
    return this.#meter.globals
  }

  set globals(globals: Uint8Array) {
    this.#meter.globals = globals
  }

  get fuelUsed(): bigint {
    return this.#meter.fuelUsed
  }

  get channel(): Intrinsic.Channel {
    return this.#channel
  }

  get growRefused(): boolean {
    return this.#added.denied.value === MeterCode.denied.byLimit
  }

  arm(limits: Limits, _clock: number, input: Uint8Array): void {
    this.#meter.arm(limits)
    this.#channel = new Intrinsic.Channel(input)
    this.#added.pagesMax.value = limits.memoryPagesMax
    this.#added.denied.value = 0
  }

  disarm(): void {
    this.#meter.settle()
  }

  /** Runs the module's start function, where it has one. */
  start(): void {
    const { start } = this.#added
    if (start !== undefined) this.#enter(start)
  }

  run(task: Task, words: string): string {
    const { handle, export: give, import: take } = this.#exports
    switch (task) {
      case "turn":
        this.#reading = { after: silence, answers: false }
        return this.#tell(handle, words)
      case "exportState": {
        this.#reading = "state"
        const json = give === undefined ? undefined : this.#said(give)
        return json === "" ? "" : Handover.write(json, words)
      }
      case "importState": {
        const { exported, counts, words: told } = Handover.read(words)
        this.#reading = { after: counts, answers: true }
        if (take !== undefined) return this.#tell(take, told)
        if (exported)
          throw new Threw("Error", "this program has no import for what the one before it exported", "")
        return nothing
      }
      case "abandon":
        throw new Error("a plain module has no part in what a failed turn leaves")
    }
  }

  read(said: string, input: TurnInput): Emission.Said {
    if (this.#reading !== "state") return PlainOutput.read(said, input, this.#reading)
    return { emission: { outbox: [], replies: [], views: [] }, failures: [], state: said }
  }

  /** Puts words where the module wants them, and gives what one of its functions says to them. */
  #tell(listen: (at: number, length: number) => bigint, words: string): string {
    const bytes = Buffer.from(words)
    const at = this.#enter(() => this.#exports.alloc(bytes.length)) >>> 0
    if (at + bytes.length > this.bytes.length)
      throw new Emission.BadOutput("the place for the input is outside of memory")
    this.bytes.set(bytes, at)
    return this.#said(() => listen(at, bytes.length)) ?? nothing
  }

  /** The text whose place a function of the module gives: empty where it is too long, none where it has no length. */
  #said(body: () => bigint): string | undefined {
    const place = BigInt.asUintN(64, this.#enter(body))
    const [at, length] = [Number(place >> 32n), Number(place & 0xffff_ffffn)]
    if (length === 0) return undefined
    if (at + length > this.bytes.length) throw new Emission.BadOutput("what it says lies outside of memory")
    if (length > Limit.outputBytesPerTurnMax) return ""
    const text = Bytes.toText(this.bytes.subarray(at, at + length))
    if (text === undefined) throw new Emission.BadOutput("what it says is not UTF-8")
    return text
  }

  #enter<A>(body: () => A): A {
    return this.#meter.enter(() => {
      try {
        return body()
      } catch (error) {
        if (this.#added.denied.value === MeterCode.denied.byHost)
          throw new HostFault("the host has no memory left")
        throw error
      } finally {
        this.#meter.growRefused = this.growRefused
      }
    })
  }
}

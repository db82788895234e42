/**
 * A runner of WebAssembly specification tests, as wast2json writes them, that runs every module twice: as it is and
 * instrumented. Both run in lockstep, each linked to modules of its own kind, and must end alike after every command.
 */
import * as Allowance from "../../compute-unit/Allowance.ts"
import * as Wasm from "../../compute-unit/Wasm.ts"
import * as WasmInterface from "../../compute-unit/WasmInterface.ts"
import { type Instrumented, instrument, type Options } from "../../compute-unit/Instrumentation.ts"
import * as WasmSpecBits from "./WasmSpecBits.ts"
import {
  attempt,
  canonical,
  type Ending,
  given,
  is,
  numbers,
  said,
  shown,
  type Value,
} from "./WasmSpecValue.ts"
import { spectest } from "./WasmSpectest.ts"

/** The file of tests: of each its commands, and its modules in base64. */
export interface Vectors {
  readonly tests: Readonly<Record<string, Test>>
}

export interface Test {
  readonly commands: ReadonlyArray<Command>
  readonly modules: Readonly<Record<string, string>>
}

interface Action {
  readonly type: "invoke" | "get"
  readonly module?: string
  readonly field: string
  readonly args?: ReadonlyArray<Value>
}

export type Command =
  | { readonly type: "module"; readonly filename: string; readonly name?: string }
  | { readonly type: "register"; readonly as: string; readonly name?: string }
  | { readonly type: "action" | "assert_exhaustion"; readonly action: Action }
  | { readonly type: "assert_return"; readonly action: Action; readonly expected: ReadonlyArray<Value> }
  | { readonly type: "assert_trap"; readonly action: Action; readonly text: string }
  | {
      readonly type: "assert_invalid" | "assert_malformed" | "assert_unlinkable" | "assert_uninstantiable"
      readonly filename: string
    }

type InstrumentedModule = Extract<Instrumented, { _tag: "Instrumented" }>

/** What a run of one test did. Each list names modules by file. */
export interface Report {
  /** How many commands of each type were run on both. */
  readonly ran: Record<string, number>
  /** How many were not, because their module is refused. */
  readonly passedOver: Record<string, number>
  /** Valid modules that the pass refuses, by reason. */
  readonly refused: Record<string, Array<string>>
  /** Modules that import state, which only an engine may; they were instrumented as one. */
  readonly engines: Array<string>
  /** Modules that the specification refuses and the pass does not. */
  readonly accepted: Array<string>
  /** Memories that were compared, and globals. */
  memories: number
  globals: number
  /** Where the two did not end alike, or not as the specification says. */
  readonly differences: Array<string>
}

type Linked = Readonly<Record<string, unknown>>

/** One module in both kinds. */
interface Pair {
  readonly file: string
  readonly declared: WasmInterface.WasmInterface
  readonly original: Linked
  /** None where the pass refuses the module, or one that it imports. */
  readonly metered: Linked | undefined
  /** Types of the metered module's mutable globals, where the host sees others than declared. */
  readonly kept: ReadonlyMap<number, Wasm.ValueType>
}

/** Names under which what a module keeps to itself is exported, to be compared. */
const memoryName = "compared memory"
const globalName = (index: number): string => `compared global ${index}`

/** The same module that exports memory and globals. */
const exposed = (bytes: Uint8Array, { memory, globals }: WasmInterface.WasmInterface): Uint8Array => {
  const sections = Wasm.sections(bytes)
  const cursor = new Wasm.Cursor(sections.get(Wasm.sectionId.export) ?? Uint8Array.of(0))
  const added = globals.map((_, index) => [...Wasm.name(globalName(index)), 3, ...Wasm.unsigned(index)])
  if (memory !== undefined) added.push([...Wasm.name(memoryName), 2, 0])
  const count = Wasm.unsigned(cursor.u32() + added.length)
  const body = Uint8Array.from([...count, ...cursor.bytes.subarray(cursor.at), ...added.flat()])
  return Wasm.assemble(sections.set(Wasm.sectionId.export, body))
}

type Invoked = (...args: ReadonlyArray<unknown>) => unknown

/** What a module declares whose original alone is run. */
const undeclared = WasmInterface.read(new Map())

/**
 * The counters of a turn with plenty of all. The first thread of a process has less stack than one that runs turns:
 * 60,000 words are half of it.
 */
const plenty: ReadonlyArray<readonly [name: string, value: number | bigint]> = [
  ["__allowance", Allowance.of(Allowance.fuelMax, 60_000)],
  ["__pages_max", 65_536],
  ["__denied", 0],
]

const globalOf = (
  { declared, kept, ...pair }: Pair,
  kind: "original" | "metered",
  index: number,
): unknown => {
  const { type, mutable } = declared.globals[index]!
  const exports = pair[kind]!
  return WasmSpecBits.ofGlobal(
    exports[globalName(index)],
    kind === "metered" ? (kept.get(index) ?? type) : type,
    mutable,
  )
}

const act = (pair: Pair, kind: "original" | "metered", { type, field, args = [] }: Action): Ending => {
  const exports = pair[kind]!
  const value = exports[field]
  if (type === "get") {
    const global = pair.declared.exports.find(({ name }) => name === field)!
    return attempt(() => globalOf(pair, kind, global.index))
  }
  const found = pair.declared.exports.find(({ name }) => name === field)
  if (found?.kind !== "function") throw new Error(`${field} is not a function of ${pair.file}`)
  const called = WasmSpecBits.ofFunction(value, found.type)
  return attempt(() => called(...args.map(given)))
}

/** Bytes of memory that are compared after each command; more only at the end. */
const memoryComparedOften = 4 * 65_536

export class Run {
  readonly report: Report = {
    ran: {},
    passedOver: {},
    refused: {},
    engines: [],
    accepted: [],
    memories: 0,
    globals: 0,
    differences: [],
  }
  readonly #test: Test
  readonly #options: Options
  readonly #pairs: Array<Pair> = []
  readonly #named = new Map<string, Pair>()
  readonly #registered = new Map<string, Pair>()
  readonly #counters: Array<Linked> = []
  #current: Pair | undefined
  #at = ""

  constructor(test: Test, options: Options) {
    this.#test = test
    this.#options = options
    const link = () => new WebAssembly.Instance(new WebAssembly.Module(spectest), {}).exports
    const declared = WasmInterface.read(Wasm.sections(spectest))
    this.#registered.set("spectest", {
      file: "spectest",
      declared,
      original: link(),
      metered: link(),
      kept: new Map(),
    })
  }

  run(): Report {
    for (const [n, command] of this.#test.commands.entries()) {
      this.#at = `${n} ${command.type}`
      const ran = this.#command(command)
      const count = ran ? this.report.ran : this.report.passedOver
      count[command.type] = (count[command.type] ?? 0) + 1
      if (this.#current !== undefined) this.#compareState(this.#current, memoryComparedOften)
    }
    for (const pair of this.#pairs) {
      this.#at = `after ${pair.file}`
      this.#compareState(pair, Infinity)
    }
    return this.report
  }

  /** Whether the command was run on both. */
  #command(command: Command): boolean {
    switch (command.type) {
      case "module":
        return this.#module(command.filename, command.name)
      case "register":
        this.#registered.set(command.as, this.#pair(command.name))
        return this.#pair(command.name).metered !== undefined
      case "assert_invalid":
      case "assert_malformed": {
        const result = instrument(this.#bytes(command.filename), this.#options)
        if (result._tag === "Instrumented") this.report.accepted.push(command.filename)
        return true
      }
      case "assert_unlinkable":
        return this.#notLinked(command.filename, "LinkError")
      case "assert_uninstantiable":
        return this.#notLinked(command.filename, "RuntimeError")
      default:
        return this.#action(command)
    }
  }

  #differ(what: string): void {
    this.report.differences.push(`${this.#at}: ${what}`)
  }

  #bytes(file: string): Uint8Array {
    return new Uint8Array(Buffer.from(this.#test.modules[file]!, "base64"))
  }

  #pair(name: string | undefined): Pair {
    return name === undefined ? this.#current! : this.#named.get(name)!
  }

  /** The module instrumented, or nothing and the reason noted. */
  #instrument(file: string): InstrumentedModule | undefined {
    const bytes = this.#bytes(file)
    const result = instrument(bytes, this.#options)
    const given = result._tag === "Instrumented" ? result.imports : []
    if (this.#options.authored && given.some(({ kind }) => kind !== "function")) {
      this.report.engines.push(file)
      return instrument(bytes, { ...this.#options, authored: false }) as InstrumentedModule // refuses less
    }
    if (result._tag === "Instrumented") return result
    ;(this.report.refused[result.refusal] ??= []).push(file)
    return undefined
  }

  /** Whether it imports from a module that is refused, and so can't be linked. */
  #orphan(file: string, { imports }: InstrumentedModule): boolean {
    const orphan = imports.some(
      ({ module }) => this.#registered.get(module)?.metered === undefined && this.#registered.has(module),
    )
    if (orphan) (this.report.refused["imports from a refused module"] ??= []).push(file)
    return orphan
  }

  #imports(kind: "original" | "metered"): Record<string, Linked> {
    const found: Record<string, Linked> = {}
    for (const [name, pair] of this.#registered) found[name] = pair[kind] ?? {}
    return found
  }

  #linkOriginal(bytes: Uint8Array): Linked {
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports("original")).exports
  }

  #linkMetered(bytes: Uint8Array, start: boolean): Linked {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports("metered"))
    this.#counters.push(exports)
    this.#arm()
    if (start) (exports["__start"] as () => void)() // made by the pass
    return exports
  }

  /** Plenty of fuel and memory for all, and an empty stack. */
  #arm(): void {
    for (const exports of this.#counters)
      for (const [name, value] of plenty) {
        const counter = exports[name] as WebAssembly.Global | undefined // made by the pass
        if (counter !== undefined) counter.value = value
      }
  }

  #module(file: string, name: string | undefined): boolean {
    const bytes = this.#bytes(file)
    const instrumented = this.#instrument(file)
    const declared = instrumented && WasmInterface.read(Wasm.sections(bytes))
    const original = this.#linkOriginal(declared === undefined ? bytes : exposed(bytes, declared))
    const metered =
      instrumented === undefined || this.#orphan(file, instrumented)
        ? undefined
        : this.#linkMetered(exposed(instrumented.bytes, declared!), instrumented.start)
    const kept = new Map(instrumented?.globals.map(({ index, type }) => [index, type]))
    const pair: Pair = { file, declared: declared ?? undeclared, original, metered, kept }
    this.#current = pair
    this.#pairs.push(pair)
    if (name !== undefined) this.#named.set(name, pair)
    return metered !== undefined
  }

  #notLinked(file: string, error: string): boolean {
    const instrumented = this.#instrument(file)
    const original = attempt(() => void this.#linkOriginal(this.#bytes(file)))
    if (original._tag !== "Stopped" || original.name !== error) this.#differ(`${file} ends ${said(original)}`)
    if (instrumented === undefined || this.#orphan(file, instrumented)) return false
    const metered = attempt(() => void this.#linkMetered(instrumented.bytes, instrumented.start))
    const alike = metered._tag === "Stopped" && original._tag === "Stopped" && metered.name === original.name
    if (!alike || (error === "RuntimeError" && said(metered) !== said(original)))
      this.#differ(`${file} ends ${said(metered)} instead of ${said(original)}`)
    return true
  }

  #action(command: Extract<Command, { action: Action }>): boolean {
    const { action } = command
    const pair = this.#pair(action.module)
    if (pair.metered === undefined) {
      // The original goes on alone, for what others import of it. Its types were not read, and nothing is compared.
      if (action.type === "invoke")
        attempt(() => (pair.original[action.field] as Invoked)(...numbers(action.args)))
      return false
    }
    const original = act(pair, "original", action)
    this.#arm()
    const metered = act(pair, "metered", action)
    this.#check(command, original, metered, pair.metered)
    return true
  }

  #check(
    command: Extract<Command, { action: Action }>,
    original: Ending,
    metered: Ending,
    exports: Linked,
  ): void {
    const instead = `ends ${said(metered)} instead of ${said(original)}`
    if (command.type === "assert_exhaustion") {
      const words = Allowance.words((exports["__allowance"] as { value: bigint }).value) // made by the pass
      if (original._tag !== "Stopped" || original.name !== "RangeError")
        this.#differ(`ends ${said(original)}`)
      if (said(metered) !== "RuntimeError: unreachable" || words >= 0)
        this.#differ(`${instead} with ${words} stack words left`)
      return
    }
    if (command.type === "assert_trap" && (original._tag !== "Stopped" || original.name !== "RuntimeError"))
      this.#differ(`ends ${said(original)} instead of ${command.text}`)
    if (command.type === "assert_return") {
      const { expected } = command
      for (const ending of [original, metered])
        if (ending._tag !== "Returned" || !expected.every((value, n) => is(value, ending.values[n])))
          this.#differ(`ends ${said(ending)}, expected ${JSON.stringify(expected)}`)
      const anyNaN = expected.some(({ value }) => value?.startsWith("nan:"))
      for (const [n, { type, value }] of expected.entries())
        if (value?.startsWith("nan:") && metered._tag === "Returned" && metered.values[n] !== canonical[type])
          this.#differ(`gives ${said(metered)}, not the canonical NaN`)
      if (anyNaN || expected.some(({ type }) => type.endsWith("ref"))) return
    }
    if (said(original) !== said(metered)) this.#differ(instead)
  }

  #compareState(pair: Pair, bytesMax: number): void {
    const { declared, original, metered } = pair
    if (metered === undefined) return
    const [a, b] = [original[memoryName], metered[memoryName]] as [WebAssembly.Memory?, WebAssembly.Memory?] // exposed
    if (a !== undefined && b !== undefined) {
      if (a.buffer.byteLength !== b.buffer.byteLength) this.#differ(`${b.buffer.byteLength} bytes of memory`)
      else if (a.buffer.byteLength <= bytesMax) {
        if (!Buffer.from(a.buffer).equals(Buffer.from(b.buffer))) this.#differ("another memory")
        this.report.memories++
      }
    }
    for (const [index, { mutable }] of declared.globals.entries())
      if (mutable) {
        const [before, after] = [globalOf(pair, "original", index), globalOf(pair, "metered", index)]
        if (before !== after) this.#differ(`global ${index} is ${shown(after)} instead of ${shown(before)}`)
        this.report.globals++
      }
  }
}

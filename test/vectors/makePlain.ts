/**
 * The content of `spec/vectors/plain-module.json`: chapter 04 §10, plain modules and what becomes of them. What a module
 * says, what the host makes of it, and memory are of the second implementation; how turns fail and modules are refused
 * stands with the cases; fuel and globals are what this version comes to, under the engine named.
 */
import * as Engine from "../../compute-unit/Engine.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import { example, wasm } from "../compute-unit/PlainStage.ts"
import { secrets } from "./plainIntrinsics.ts"
import { valid } from "./plainModules.ts"
import { invalid } from "./plainRefusals.ts"
import { id, type Invalid, type Limits, type Sent, type Source, type Valid } from "./plainText.ts"
import * as Reference from "./reference.ts"
import * as Log from "./referenceLog.ts"
import * as Plain from "./referencePlain.ts"

const { base64, filler, hex, utf8 } = Reference
type Bytes = Reference.Bytes

const bytesOf = (source: Source): Bytes =>
  "wat" in source ? wasm(source.wat) : "example" in source ? example(source.example) : source.bytes

const shownSource = (source: Source) => {
  const bytes = base64(bytesOf(source))
  if ("example" in source) return { example: source.example, bytes }
  return source.what === undefined && "wat" in source
    ? { text: source.wat.split("\n"), bytes }
    : { what: source.what!, bytes } // where there is no text to show, there are words
}

/** 01 §9. */
const moduleId = (wasm: Bytes): string => base64(Log.tagged("heddle/module/1", utf8("webassembly"), wasm))

const limitsOf = ({ fuel, memoryPages = 64 }: Limits = {}): Turn.Limits => ({
  fuel: typeof fuel === "bigint" ? fuel : 10_000_000n,
  memoryPagesMax: memoryPages,
})

const shownLimits = ({ fuel, memoryPagesMax }: Turn.Limits) => ({
  fuel: String(fuel),
  memoryPages: memoryPagesMax,
})

/** The process that every module is run as. */
const process = { id: id("process"), owner: id("owner"), scheduler: id("scheduler") }

const tagsOf = ({ tags = [] }: Valid): Plain.Tags => [["Name", "vector"], ...tags]

const inputOf = (slot: number, module: string, of: Valid, sent: Sent, to?: string): Plain.Input => {
  const { action = "", from = "owner", fromProcess = false, tags = [], data = "" } = sent
  const { id: self, owner, scheduler } = process
  const all: Plain.Tags = [
    ...(action === "" ? [] : [["Action", action] as const]),
    ...(to === undefined ? [] : [["Module", to] as const]),
    ...tags,
  ]
  return {
    slot,
    timestamp: 1_700_000_000_000 + 1_000 * slot,
    head: id(`head ${slot}`),
    seed: filler(`seed ${slot}`, 32),
    // In this order: it is that of the words that the module is told.
    process: { id: self, owner, module: to ?? module, scheduler, tags: tagsOf(of) },
    message: {
      id: slot === 0 ? self : id(`message ${slot}`),
      from: id(from),
      fromProcess,
      target: self,
      action,
      tags: all,
      data: typeof data === "string" ? utf8(data) : data,
    },
  }
}

const told = (input: Plain.Input): Turn.TurnInput => input as Plain.Input & Turn.TurnInput // `id` made its ids

/** As text, or in hex where it is none. */
const shownData = (data: Bytes) => {
  const text = Plain.utf8Of(data)
  return text === null ? { hex: hex(data) } : { data: text }
}

const shownInput = ({ slot, timestamp, head, seed, process, message }: Plain.Input) => {
  const { data, ...rest } = message
  return {
    slot,
    timestamp,
    head,
    seed: hex(seed),
    module: process.module,
    message: { ...rest, ...shownData(data) },
  }
}

const shownConsole = (console: Plain.Spoken["console"]) => (console.length === 0 ? {} : { console })

const shownOutput = ({ replies, views, outbox }: Plain.Output) => ({
  replies,
  views,
  outbox: outbox.map(({ data, ...rest }) => ({ ...rest, ...shownData(data) })),
})

const booted = (wasm: Bytes, limits: Turn.Limits): Turn.BootImage => {
  const result = Turn.boot(Engine.plain, wasm, limits)
  if (result._tag === "ModuleInvalid") throw new Error(result.message)
  return result.image
}

const moduleNamed = (name: string): Bytes => {
  const found = valid.find((one) => one.name === name)
  if (found === undefined) throw new Error(`no module is named "${name}"`)
  return bytesOf(found.source)
}

/** A process under this version, and where no turn fails beside it under the second implementation. */
class Run {
  readonly #machine = new Turn.Machine()
  readonly #of: Valid
  readonly #limits: Turn.Limits
  #module: Bytes
  #memory: Turn.Memory
  #process: Plain.Process
  #slot = 0

  constructor(of: Valid, limits: Turn.Limits) {
    this.#of = of
    this.#limits = limits
    this.#module = bytesOf(of.source)
    this.#memory = new Turn.Memory(booted(this.#module, limits))
    const alike = of.alike === undefined ? this.#module : wasm(of.alike)
    this.#process = new Plain.Process(alike, limits.memoryPagesMax)
  }

  /** What it is before its first turn. */
  get boot() {
    const { fuelUsed, console } = this.#memory.boot
    return { fuelUsed: String(fuelUsed), ...shownConsole(console), state: this.#state() }
  }

  turn(sent: Sent) {
    const next = sent.upgrade === undefined ? undefined : moduleNamed(sent.upgrade)
    const input = inputOf(this.#slot++, moduleId(this.#module), this.#of, sent, next && moduleId(next))
    const result = next === undefined ? this.#run(input) : this.#upgrade(input, next)
    const fuelUsed = String(result.fuelUsed)
    const failed = result._tag === "Failed" ? ([result.reason, result.message] as const) : undefined
    this.#hold(sent, input.slot, failed)
    const { output, console } =
      failed === undefined
        ? this.#said(input, next)
        : { output: Plain.failed(failed[1], input), console: result.console }
    const error = failed === undefined ? null : { reason: failed[0], message: failed[1] }
    return {
      ...(sent.upgrade === undefined ? {} : { upgrade: sent.upgrade }),
      input: shownInput(input),
      outcome: { error, fuelUsed, ...shownOutput(output) },
      ...shownConsole(console),
      ...(failed === undefined ? { state: this.#state() } : {}),
    }
  }

  #run(input: Plain.Input): Turn.TurnResult {
    return this.#machine.turn(this.#memory, told(input), this.#limits)
  }

  #upgrade(input: Plain.Input, next: Bytes): Turn.TurnResult {
    const image = booted(next, this.#limits)
    const { result, memory } = this.#machine.upgrade(
      this.#memory,
      image,
      told(input),
      this.#limits,
      () => undefined,
    )
    this.#memory = memory
    return result
  }

  /** What the second implementation makes of a turn that does not fail. */
  #said(
    input: Plain.Input,
    next: Bytes | undefined,
  ): Pick<Plain.Spoken, "console"> & { readonly output: Plain.Output } {
    if (next === undefined) {
      const { said, console } = this.#process.turn(input)
      return { output: Plain.output(said, input), console }
    }
    const state = this.#process.export()
    this.#module = next
    this.#process = new Plain.Process(next, this.#limits.memoryPagesMax)
    const { said, console } = this.#process.import(input, state)
    return { output: Plain.output(said, input, true), console }
  }

  #state() {
    const { pages, memoryRoot } = this.#process
    return { pages, globals: hex(this.#memory.globals), memoryRoot: hex(memoryRoot) }
  }

  /** Throws unless a turn ends as its case says. */
  #hold(sent: Sent, slot: number, failed: Sent["fails"]): void {
    const fails = sent.fails?.map((text) => text.replace("<limit>", String(this.#limits.fuel)))
    if (JSON.stringify(fails) !== JSON.stringify(failed))
      throw new Error(
        `${this.#of.name}, slot ${slot}: ${JSON.stringify(failed)}, and not ${JSON.stringify(fails)}`,
      )
  }
}

/** What the only turn of a case takes. */
const fuelOf = (of: Valid): bigint => {
  const run = new Run({ ...of, limits: {}, turns: [{}] }, limitsOf())
  return BigInt(run.turn({}).outcome.fuelUsed)
}

const shownValid = (given: Valid) => {
  const { fuel } = given.limits ?? {}
  const limits = limitsOf(given.limits)
  const exact = typeof fuel === "string" ? fuelOf(given) - (fuel === "just enough" ? 0n : 1n) : limits.fuel
  const within = { ...limits, fuel: exact }
  const run = new Run(given, within)
  const { boot } = run
  return {
    name: given.name,
    ...shownSource(given.source),
    limits: shownLimits(within),
    valid: true,
    tags: tagsOf(given),
    boot,
    turns: given.turns.map((sent) => run.turn(sent)),
  }
}

const shownInvalid = ({ name, source, limits, refusal }: Invalid) => ({
  name,
  ...shownSource(source),
  limits: shownLimits(limitsOf(limits)),
  valid: false,
  refusal,
})

export const plainModule = () => ({
  comment:
    "Plain modules (spec 04 §10). Module bytes and ids in base64url, other bytes in hex; `data` is text, and `hex` stands in " +
    "its place where it is none. `text` is what the bytes are made of, or `example` their file, or `what` says it. valid: `boot` " +
    "is the module as it has loaded; of each turn the input (its process is `process` with `module` and the module's `tags`), " +
    "the outcome with `id`s of the items that the host makes, the console where anything is written, and the state after it: " +
    "after a failed turn it is that of before. `upgrade` names the module that the process goes on as. Not valid: `refusal` has " +
    "the words of it. Fuel holds under `engine`.",
  engine: base64(Engine.plain.id),
  secrets: Object.fromEntries(
    Object.entries(secrets).map(([type, seed]) => [`key of type ${type}`, hex(seed)]),
  ),
  process,
  modules: [...valid.map(shownValid), ...invalid.map(shownInvalid)],
})

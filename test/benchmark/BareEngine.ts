/**
 * The engine without heddle around it: the same QuickJS as published or as instrumented, one function of a script
 * called again and again. A call takes a message as JSON and gives an answer as JSON, as every turn does; no prelude,
 * no memory that is compared, kept or undone.
 */
import * as Allowance from "../../compute-unit/Allowance.ts"
import * as Engine from "../../compute-unit/Engine.ts"
import * as EngineFile from "../../compute-unit/EngineFile.ts"
import * as Imports from "../../compute-unit/Imports.ts"
import * as Meter from "./Meter.ts"

/** What is called: a function of one text that gives one. */
export interface Work {
  readonly script: string
  readonly words: string
}

/** A message as JSON in, an answer as JSON out. */
export const answer: Work = {
  script: `let count = 0
const handlers = { Increment: (message) => (count += Number(message.tags.By ?? 1)) }
;(text) => {
  const { message } = JSON.parse(text)
  return JSON.stringify({ to: message.id, value: handlers[message.action](message) })
}`,
  words: JSON.stringify({
    slot: 1,
    timestamp: Date.UTC(2030, 0, 1),
    head: "h".repeat(43),
    seed: "0".repeat(64),
    message: {
      id: "i".repeat(43),
      from: "f".repeat(43),
      action: "Increment",
      tags: { Action: "Increment" },
      data: "",
    },
  }),
}

/** Pages that the published engine asks for, and as many as it may have. */
const pages = { initial: 256, maximum: 32_768 }

/** The type that the engine writes into the upper word of a value that is an exception. */
const exceptionType = 6

type Exports = Record<string, (...args: ReadonlyArray<number>) => number>

let compiled: WebAssembly.Module | undefined

/** The engine as its package has it, compiled when it is first wanted. */
const published = (): WebAssembly.Module => (compiled ??= new WebAssembly.Module(EngineFile.wasm()))

/** What calls into the engine as published, or with its counters, once each time it is called itself. */
export const caller = (kind: "published" | "instrumented", { script, words } = answer): (() => string) => {
  const plain = kind === "published"
  const memory = new WebAssembly.Memory(
    plain ? pages : { initial: pages.initial, maximum: Engine.caps.memoryPagesMax },
  )
  const driver: Imports.Driver = { memory, now: () => 0, grow: () => 0, intrinsic: () => 0 }
  const module = plain ? published() : Engine.load().module
  const { exports } = new WebAssembly.Instance(module, { a: Imports.bind(driver) })
  const functions = exports as unknown as Exports // the pinned engine's
  const of = (name: keyof typeof Engine.exportNames) => functions[Engine.exportNames[name]]!
  const allowance = plain ? undefined : (exports["__allowance"] as { value: bigint })
  const arm = () => {
    if (allowance !== undefined) allowance.value = Allowance.of(10_000_000_000n, Engine.caps.depthWordsMax)
  }
  arm()
  of("initialize")()
  const context = of("newContext")(of("newRuntime")(), 0)
  const bytes = () => Buffer.from(memory.buffer)
  const place = (text: string): number => {
    const at = of("malloc")(Buffer.byteLength(text) + 1)
    bytes().write(`${text}\0`, at)
    return at
  }
  const handler = of("evaluate")(context, place(script), Buffer.byteLength(script), place("bare.js"), 0, 0)
  const [newString, call, getString] = [of("newString"), of("call"), of("getString")]
  const [free, freeValue, freeCString, nothing] = [
    of("free"),
    of("freeValue"),
    of("freeCString"),
    of("getUndefined")(),
  ]
  const argument = of("malloc")(4)
  const one = (): string => {
    arm()
    const text = place(words)
    const message = newString(context, text)
    free(text)
    bytes().writeUInt32LE(message, argument)
    const value = call(context, handler, nothing, 1, argument)
    const all = bytes()
    if (all.readInt32LE(value + 4) === exceptionType) throw new Error("the bare engine throws")
    const answer = getString(context, value)
    const said = all.toString("utf8", answer, all.indexOf(0, answer))
    freeCString(context, answer)
    freeValue(context, value)
    freeValue(context, message)
    return said
  }
  one()
  return one
}

/** Calls a second into the engine as published, or with its counters. */
export const calls = (kind: "published" | "instrumented", ms: number): number => Meter.rate(ms, caller(kind))

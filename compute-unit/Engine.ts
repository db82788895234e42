/**
 * Engine: the pinned QuickJS, instrumented, and everything else that decides what guest code computes.
 *
 * All of it is one hash, the engine id: images, fuel and state roots are valid under that id only, and an attestation
 * names it. The names of imports and exports are single letters that the package's build minified, so
 * they hold for exactly the bytes whose hash stands here.
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Limit from "../runtime/Limit.ts"
import * as EngineFile from "./EngineFile.ts"
import * as Imports from "./Imports.ts"
import * as Instrumentation from "./Instrumentation.ts"
import * as Intrinsic from "./Intrinsic.ts"

/** Exports of the engine by their names in quickjs-emscripten. */
export const exportNames = {
  initialize: "u",
  malloc: "v",
  free: "M",
  newRuntime: "K",
  newContext: "N",
  freeValue: "P",
  freeCString: "S",
  getUndefined: "E",
  newString: "_",
  getString: "$",
  newArrayBuffer: "X",
  newFunction: "Da",
  getProp: "ha",
  call: "ma",
  evaluate: "pa",
  resolveException: "na",
  isJobPending: "fa",
  executePendingJob: "ga",
} as const

/** The stack grows down from the stack pointer's first value; below it is static data, above it the heap. */
export const stackBytes = 5 * 1024 * 1024

/** Bounds that decide how a turn ends, beside those of the process. */
export const caps = {
  /** Stack words of one turn. At most 8 native bytes a word: 12 MB of a thread's 16 MB stack. */
  depthWordsMax: 1_500_000,
  /** Stack words of one engine function; the largest has 82. */
  frameWordsMax: 1_024,
  jobsPerTurnMax: 100_000,
  /** Pages of 64 KiB over a process's limit that `abandon` may use, so that a full process can still answer. */
  memoryPagesReserve: 16,
  fuelReserve: Limit.fuelReserve,
  memoryPagesMin: Limit.memoryPagesMin,
  memoryPagesMax: Limit.memoryPagesMax,
  growPageFuel: 4_096n,
  /** Bounds that the host holds a turn to, whatever the guest says. */
  fuelPerBootMax: Limit.fuelPerBootMax,
  moduleBytesMax: Limit.moduleBytesMax,
  timersPendingMax: Limit.timersPendingMax,
  /** Characters of an error that go to those who waited. */
  errorLengthMax: 1_000,
  /** Leaf functions write so far below the stack pointer without moving it. */
  redZoneBytes: 128,
  /** Changes whenever the host makes something else of what a guest says. */
  host: "heddle/host/1",
} as const

/** Bounds that the prelude holds authors to; given to it at boot. */
export const preludeLimits = {
  entries: Limit.outboxEntriesPerTurnMax,
  tags: Limit.tagsMax,
  tagsBytes: Limit.tagsBytesMax,
  dataBytes: Limit.outputBytesPerTurnMax,
  /** An item has `itemBytesMax` with its envelope: type, signature field, owner, target, anchor, counts, tags. */
  itemDataBytes: Limit.itemBytesMax - Limit.tagsBytesMax - 1_024,
  outputBytes: Limit.outputBytesPerTurnMax,
  viewBytes: Limit.viewBytesMax,
  views: Limit.viewsMax,
  ioBytes: Intrinsic.ioBytes,
} as const

export interface Engine {
  readonly id: Uint8Array
  readonly module: WebAssembly.Module
  /** Mutable globals of the instrumented engine: with its memory, all of its state. */
  readonly globals: ReadonlyArray<Instrumentation.MutableGlobal>
  readonly prelude: Uint8Array
}

const instrumented = (wasm: Uint8Array): Extract<Instrumentation.Instrumented, { _tag: "Instrumented" }> => {
  const result = Instrumentation.instrument(wasm, {
    stackPointer: 0,
    memoryPages: { min: caps.memoryPagesMin, max: caps.memoryPagesMax },
    depthWordsMax: caps.depthWordsMax,
    frameWordsMax: caps.frameWordsMax,
    // The engine is known, and no guest code becomes WASM: tried on both tiers, its frames hold to the plain charge.
    chargeValues: false,
  })
  if (result._tag === "Refused") throw new Error(`the engine is refused: ${result.refusal}, ${result.detail}`)
  return result
}

const asText = (value: object): Uint8Array =>
  Bytes.fromText(JSON.stringify(value, (_, field) => (typeof field === "bigint" ? String(field) : field)))

/** What decides, beside the instrumented engine, what guest code computes. */
export const parts = (prelude: Uint8Array): ReadonlyArray<Uint8Array> => [
  prelude,
  Bytes.fromText(Imports.behaviour),
  Bytes.fromText(Intrinsic.description),
  asText(preludeLimits),
  asText(caps),
]

export const idOf = (wasm: Uint8Array, others: ReadonlyArray<Uint8Array>): Uint8Array =>
  Hash.tagged("heddle/engine/1", wasm, ...others)

const make = (): Engine => {
  const { bytes, globals } = instrumented(EngineFile.wasm())
  const prelude = Bytes.fromText(EngineFile.prelude())
  return { id: idOf(bytes, parts(prelude)), module: new WebAssembly.Module(bytes), globals, prelude }
}

let loaded: Engine | undefined

/** The engine of this thread, made on first use. */
export const load = (): Engine => (loaded ??= make())

export const id = (): Uint8Array => load().id

/**
 * Takes the engine that another thread of this node has made, out of `workerData`: making one takes a tenth of a
 * second, and a structured clone shares the compiled code.
 */
export const adopt = (engine: Engine): void => {
  loaded ??= engine
}

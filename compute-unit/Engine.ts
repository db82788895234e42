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
  /** Stack words of one function of a plain module: four times what the largest that compilers make take. */
  plainFrameWordsMax: 16_384,
  /** Types, imports, tables, globals and exports of a plain module, of each kind: all that are linked cost no fuel. */
  plainDeclarationsMax: 1_024,
  plainFunctionsMax: 65_536,
  /** Elements of all its tables. */
  plainTableElementsMax: 65_536,
  /** One function before the pass: the compiler takes the square of its length, on no fuel. Compilers write half of it. */
  plainFunctionBytesMax: 65_536,
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

/** What runs guest code: an interpreter of scripts, or plain WebAssembly modules under the pass alone. */
export type Engine = ScriptEngine | PlainEngine

export interface ScriptEngine {
  readonly kind: "script"
  readonly id: Uint8Array
  readonly module: WebAssembly.Module
  /** Mutable globals of the instrumented engine: with its memory, all of its state. */
  readonly globals: ReadonlyArray<Instrumentation.MutableGlobal>
  readonly prelude: Uint8Array
  /** All of it as bytes: what is kept and archived, so that whoever has them runs what it ran. */
  readonly artifact: Uint8Array
}

/** The program is the module itself, and the engine what the pass adds to it. */
export interface PlainEngine {
  readonly kind: "plain"
  readonly id: Uint8Array
}

const instrumented = (wasm: Uint8Array): Extract<Instrumentation.Instrumented, { _tag: "Instrumented" }> => {
  const result = Instrumentation.instrument(wasm, {
    stackPointer: 0,
    memoryPages: { min: caps.memoryPagesMin, max: caps.memoryPagesMax },
    frameWordsMax: caps.frameWordsMax,
    // The engine is known, and no guest code becomes WASM: tried on both tiers, its frames hold to the plain charge.
    chargeValues: false,
  })
  if (result._tag === "Refused") throw new Error(`the engine is refused: ${result.refusal}, ${result.detail}`)
  return result
}

const asText = (value: object): Uint8Array =>
  Bytes.fromText(JSON.stringify(value, (_, field) => (typeof field === "bigint" ? String(field) : field)))

/** What decides, beside the instrumented engine and its prelude, what a script computes. */
const surroundings: ReadonlyArray<Uint8Array> = [
  Bytes.fromText(Imports.behaviour),
  Bytes.fromText(Intrinsic.description),
  asText(preludeLimits),
  asText(caps),
]

/** Everything that decides what a script computes: instrumented WASM, its globals, prelude, surroundings. */
export type Parts = ReadonlyArray<Uint8Array>

const domain = "heddle/engine/1"

/** An engine as bytes. The engine id is their SHA-256. */
export const artifactOf = (parts: Parts): Uint8Array => Hash.layout(domain, ...parts)

/** The parts of the engine that the installed package makes: its pinned file, instrumented, and our prelude. */
export const build = (): Parts => {
  const { bytes, globals } = instrumented(EngineFile.wasm())
  return [bytes, asText(globals), Bytes.fromText(EngineFile.prelude()), ...surroundings]
}

/** Why a module is none that its engine runs. */
export class ModuleRefused extends Error {}

/** Why an engine can't be run here. */
export class EngineInvalid extends Error {}

const partsOf = (artifact: Uint8Array): Parts => {
  const reader = new Bytes.Reader(artifact)
  const parts: Array<Uint8Array> = []
  try {
    if (Bytes.toText(reader.take(reader.u8())) !== domain) throw new EngineInvalid("the bytes are no engine")
    while (reader.remaining > 0) parts.push(reader.block())
  } catch (error) {
    throw error instanceof Bytes.EndOfBytes ? new EngineInvalid("the bytes of the engine end early") : error
  }
  return parts
}

const make = (artifact: Uint8Array): ScriptEngine => {
  const [wasm, globals, prelude, ...others] = partsOf(artifact)
  if (
    others.length !== surroundings.length ||
    !others.every((part, i) => Bytes.equal(part, surroundings[i]!))
  )
    throw new EngineInvalid("it was made for another version of heddle")
  return {
    kind: "script",
    id: Hash.sha256(artifact),
    module: new WebAssembly.Module(wasm!),
    globals: JSON.parse(Bytes.toText(globals!)!) as ScriptEngine["globals"], // written by `build`, under the id
    prelude: prelude!,
    artifact,
  }
}

/**
 * An engine from its bytes; `id` is the one wanted. Throws `EngineInvalid` where they are not those of that engine,
 * or where what surrounds it is not what this version of heddle does.
 */
export const read = (artifact: Uint8Array, id: Uint8Array): ScriptEngine => {
  const actual = Hash.sha256(artifact)
  if (!Bytes.equal(actual, id))
    throw new EngineInvalid(
      `the bytes are those of engine ${Bytes.toBase64Url(actual)}, not ${Bytes.toBase64Url(id)}`,
    )
  return make(artifact)
}

/** Changes whenever the pass charges, refuses or writes anything else for a plain module. */
export const passBehaviour = "heddle/pass/2"

/** The engine of plain modules. */
export const plain: PlainEngine = {
  kind: "plain",
  id: Hash.tagged(
    "heddle/plain-engine/1",
    Bytes.fromText(passBehaviour),
    ...surroundings.slice(1, 2),
    surroundings[3]!,
  ),
}

/** Id of the engine that this version makes of the installed package. Another one would be another protocol. */
export const pinned = "iKVGKNZidouSO-lCciY3ryuuladiVvTp6ACMP9ByDHQ"

let current: ScriptEngine | undefined
const others = new Map<string, ScriptEngine>()

/** The engine of `artifact`, where that is the one that this version pins. */
export const pinnedOf = (artifact: Uint8Array): ScriptEngine => {
  const actual = Bytes.toBase64Url(Hash.sha256(artifact))
  if (actual !== pinned)
    throw new EngineInvalid(
      `the engine made of the installed packages is ${actual}, and that of this version ${pinned}: install it again (npm install)`,
    )
  return make(artifact)
}

/** The engine of this version for scripts, made on first use and checked against its pinned id. */
export const load = (): ScriptEngine => (current ??= pinnedOf(artifactOf(build())))

export const id = (): Uint8Array => load().id

/**
 * Takes the engine that another thread of this node has made, out of `workerData`: making one takes a tenth of a
 * second, and a structured clone shares the compiled code.
 */
export const adopt = (engine: ScriptEngine): void => {
  current ??= engine
}

/** Makes an engine of another version of heddle one that this thread can run. */
export const add = (engine: ScriptEngine): void => void others.set(Bytes.toHex(engine.id), engine)

/** The engine of this id, where this thread has it. */
export const find = (wanted: Uint8Array): Engine | undefined => {
  if (Bytes.equal(wanted, plain.id)) return plain
  return Bytes.equal(wanted, load().id) ? load() : others.get(Bytes.toHex(wanted))
}

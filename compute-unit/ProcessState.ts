/**
 * ProcessState: a process as it lives in a thread: what runs it, its metadata, its memory. How it comes to be, from its
 * module or from a snapshot, and what it commits to.
 */
import * as Result from "effect/Result"
import * as Assign from "../runtime/Assign.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type * as Message from "../runtime/Message.ts"
import * as Module from "../runtime/Module.ts"
import * as Process from "../runtime/Process.ts"
import * as ViewProof from "../runtime/ViewProof.ts"
import { pageBytes } from "./BootImage.ts"
import * as Engine from "./Engine.ts"
import * as Metadata from "./Metadata.ts"
import type { Opening, StateProof, Taken } from "./Sandbox.ts"
import type { Invalid } from "./SandboxThread.ts"
import * as Snapshot from "./Snapshot.ts"
import * as SourcePositions from "./SourcePositions.ts"
import * as Turn from "./Turn.ts"

/** A process as it lives in a thread. Code that does not load has no memory. */
export interface ProcessState {
  readonly process: Process.Process
  /** The last slot run. */
  slot: number
  /** What runs it, and its module's code: another after an upgrade. */
  engine: Engine.Engine
  source: Uint8Array
  readonly metadata: Metadata.Metadata
  memory: Turn.Memory | Invalid
}

export const read = (item: Uint8Array): Message.Message => Result.getOrThrow(Assign.read(item)) // examined before it came here

const invalidOf = ({
  message,
  file,
  line,
  column,
}: Extract<Turn.BootResult, { _tag: "ModuleInvalid" }>): Invalid => ({
  detail: message,
  file,
  line,
  column,
})

const bootLimits = { fuel: Limit.fuelPerBootMax, memoryPagesMax: Limit.memoryPagesDefault }

/** Why guest code does not load within the default limits, if it does not; in the author's own file where it says so. */
export const check = (source: Uint8Array): Invalid | undefined => {
  const booted = Turn.boot(engineFor(source, undefined), source, bootLimits)
  if (booted._tag === "Booted") return undefined
  const invalid = invalidOf(booted)
  return { ...invalid, ...SourcePositions.place(source, invalid.line, invalid.column) }
}

export const limitsOf = ({ fuelPerTurnMax, memoryPagesMax }: Process.Process): Turn.Limits => ({
  fuel: fuelPerTurnMax,
  memoryPagesMax,
})

/** This thread has no such engine. */
export class Unknown extends Error {
  readonly engine: Uint8Array
  constructor(engine: Uint8Array) {
    super(`engine ${Bytes.toBase64Url(engine)} is not here`)
    this.engine = engine
  }
}

/** The engine that a process asks for; without a word, that of this version for such a module. Throws `Unknown`. */
export const engineFor = (source: Uint8Array, wanted: Uint8Array | undefined): Engine.Engine => {
  if (wanted === undefined) return Module.format(source) === "javascript" ? Engine.load() : Engine.plain
  const found = Engine.find(wanted)
  if (found === undefined) throw new Unknown(wanted)
  return found
}

const wrongKind: Invalid = {
  detail: "the engine that the process names does not run such a module",
  file: "module",
  line: 0,
  column: 0,
}

export const runs = (engine: Engine.Engine, source: Uint8Array): boolean =>
  (engine.kind === "script") === (Module.format(source) === "javascript")

export const bootFor = (
  engine: Engine.Engine,
  source: Uint8Array,
  { memoryPagesMax }: Process.Process,
): Turn.BootImage | Invalid => {
  if (!runs(engine, source)) return wrongKind
  const booted = Turn.boot(engine, source, { fuel: Limit.fuelPerBootMax, memoryPagesMax })
  return booted._tag === "Booted" ? booted.image : invalidOf(booted)
}

/** The process before its slot 0. Throws `Unknown`. */
export const open = ({ spawn, term, source, engine: attested }: Opening): ProcessState => {
  const process = Result.getOrThrow(Process.fromSpawn(read(spawn)))
  const engine = engineFor(source, process.engine === undefined ? attested : Id.toBytes(process.engine))
  const image = bootFor(engine, source, process)
  const tenure = { term, scheduler: process.scheduler }
  const metadata = Metadata.initial(Hash.sha256(spawn), process.module, tenure, process.authority)
  return {
    process,
    slot: -1,
    engine,
    source,
    metadata,
    memory: image instanceof Turn.BootImage ? new Turn.Memory(image) : image,
  }
}

/** The process as a snapshot has it, or what is wrong with that in words. Throws `Unknown`. */
export const restore = (
  { process: id, spawn, source }: Opening,
  bytes: Uint8Array,
  wanted: Uint8Array,
): ProcessState | string => {
  const snapshot = Snapshot.decode(bytes)
  if (Result.isFailure(snapshot)) return snapshot.failure
  const { slot, engine: engineId, metadata, memory } = snapshot.success
  if (snapshot.success.process !== id) return `it is of process ${snapshot.success.process}`
  const process = Result.getOrThrow(Process.fromSpawn(read(spawn)))
  const engine = engineFor(source, engineId)
  const image = bootFor(engine, source, process)
  const booted = image instanceof Turn.BootImage
  if (booted && memory !== undefined && memory.wasmPages < image.wasmPages)
    return "it has less memory than its module"
  if (booted && memory !== undefined && memory.globals.length !== image.globals.length)
    return "it has other globals than its module"
  const made = {
    process,
    slot,
    engine,
    source,
    metadata,
    memory: booted && memory !== undefined ? new Turn.Memory(image, memory) : invalidIn(image),
  }
  const root = stateRoot(made)
  return Bytes.equal(root, wanted)
    ? made
    : `it leads to state root ${Bytes.toHex(root)}, and ${Bytes.toHex(wanted)} is attested`
}

const invalidIn = (image: Turn.BootImage | Invalid): Invalid =>
  image instanceof Turn.BootImage ? { ...wrongKind, detail: "the snapshot has no memory" } : image

/** The state as it stands, as a snapshot. */
export const take = (state: ProcessState): Taken => {
  const { process, slot, engine, metadata, memory } = state
  const difference = memory instanceof Turn.Memory ? memory.difference() : undefined
  const snapshot = { process: process.id, slot, engine: engine.id, metadata, memory: difference }
  return { slot, stateRoot: stateRoot(state), bytes: Snapshot.encode(snapshot) }
}

/** Copies of pages of memory. */
export const pages = ({ memory }: ProcessState, indices: ReadonlyArray<number>): ReadonlyArray<Uint8Array> =>
  indices.map((index) =>
    memory instanceof Turn.Memory ? Bytes.copy(memory.page(index)) : new Uint8Array(pageBytes),
  )

const memoryHead = (memory: ProcessState["memory"]): ViewProof.MemoryHead | undefined =>
  memory instanceof Turn.Memory
    ? { wasmPages: memory.wasmPages, root: memory.root(), globals: memory.globals }
    : undefined

const handlesOf = (memory: ProcessState["memory"]): Uint8Array =>
  memory instanceof Turn.Memory ? Turn.handleBytes(memory.boot.handles) : Bytes.empty

/** State root (spec 04 §4). Code that does not load has no memory: its root commits to the metadata alone. */
export const stateRoot = ({ engine, metadata, memory }: ProcessState): Uint8Array =>
  ViewProof.stateRoot(engine.id, Metadata.hash(metadata, handlesOf(memory)), memoryHead(memory))

/** Opens the state root at a view. */
export const prove = ({ slot, engine, metadata, memory }: ProcessState, view: string): StateProof => ({
  slot,
  opening: Metadata.openView(metadata, handlesOf(memory), engine.id, memoryHead(memory), view),
})

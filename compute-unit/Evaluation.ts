/**
 * Evaluation: one slot of one process. (state, entry) -> (state, outcome), the same on every machine (spec 04 §3).
 *
 * The guest's memory and the process's metadata change together or not at all: what a turn asks for is held against
 * every bound of the metadata before its memory is kept.
 */
import * as Result from "effect/Result"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Message from "../runtime/Message.ts"
import type * as Outcome from "../runtime/Outcome.ts"
import * as OutboxItem from "../runtime/OutboxItem.ts"
import * as Process from "../runtime/Process.ts"
import * as Tag from "../runtime/Tag.ts"
import type { Answer, Query } from "./ComputeUnit.ts"
import type * as Emission from "./Emission.ts"
import * as Engine from "./Engine.ts"
import * as Metadata from "./Metadata.ts"
import type { Entry, Evaluated, Opening } from "./Sandbox.ts"
import type { Invalid } from "./SandboxThread.ts"
import * as Turn from "./Turn.ts"

/** A process as it lives in a thread. Code that does not load has no memory. */
export interface ProcessState {
  readonly process: Process.Process
  readonly metadata: Metadata.Metadata
  readonly memory: Turn.Memory | Invalid
}

const read = (item: Uint8Array): Message.Message =>
  Result.getOrThrow(Result.flatMap(Item.decode(item), (decoded) => Message.parse(decoded))) // examined before it came here

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

/** Why guest code does not load within the default limits, if it does not. */
export const check = (source: Uint8Array): Invalid | undefined => {
  const booted = Turn.boot(source, { fuel: Limit.fuelPerBootMax, memoryPagesMax: Limit.memoryPagesDefault })
  return booted._tag === "Booted" ? undefined : invalidOf(booted)
}

const limitsOf = ({ fuelPerTurnMax, memoryPagesMax }: Process.Process): Turn.Limits => ({
  fuel: fuelPerTurnMax,
  memoryPagesMax,
})

/** The process before its slot 0. */
export const open = ({ spawn, term, source }: Opening): ProcessState => {
  const process = Result.getOrThrow(Process.fromSpawn(read(spawn)))
  const booted = Turn.boot(source, { fuel: Limit.fuelPerBootMax, memoryPagesMax: process.memoryPagesMax })
  const memory = booted._tag === "Booted" ? new Turn.Memory(booted.image) : invalidOf(booted)
  return { process, metadata: Metadata.initial(Hash.sha256(spawn), term), memory }
}

/** Source of the turn's public randomness (spec 04 §2): sender and scheduler can both choose among values of it. */
const seed = (process: Id.ProcessId, slot: number, head: Uint8Array): Uint8Array =>
  Hash.tagged("heddle/random/1", Id.toBytes(process), Bytes.u64(slot), head)

const pairsOf = (tags: ReadonlyArray<Tag.Tag>) => tags.map(({ name, value }) => [name, value] as const)

const inputOf = (
  { process }: ProcessState,
  message: Message.Message,
  { slot, timestamp, head }: Entry,
): Turn.TurnInput => {
  const { id, owner, module, scheduler, tags } = process
  return {
    slot,
    timestamp,
    head: Id.fromBytes(head),
    seed: seed(id, slot, head),
    process: slot === 0 ? { id, owner, module, scheduler, tags: pairsOf(tags) } : undefined,
    message: {
      id: message.id,
      from: message.from,
      fromProcess: message.fromProcess,
      target: message.process,
      action: message.action ?? "",
      tags: pairsOf(message.item.tags),
      data: message.item.data,
    },
  }
}

/** What an emission asks for, as items; or which of them can't be one. */
const changeOf = (
  source: Id.ProcessId,
  head: Uint8Array,
  emission: Emission.Emission,
): Metadata.Change | string => {
  const outbox: Array<Metadata.Change["outbox"][number]> = []
  for (const [index, { kind, target, tags, data, due }] of emission.outbox.entries()) {
    const item = OutboxItem.make({ source, head, index }, { target, tags, data })
    if (Result.isFailure(item)) return item.failure.message
    outbox.push({
      kind,
      due,
      item: item.success.bytes,
      id: item.success.id,
      target: kind === "spawn" ? undefined : Id.fromBytes(target),
    })
  }
  return { outbox, views: emission.views }
}

/** Notes what admission let in; true of every admissible slot, whatever its turn comes to. */
const receive = (metadata: Metadata.Metadata, message: Message.Message, { pair, cron }: Entry): void => {
  metadata.timers.delete(message.id)
  if (pair !== undefined) metadata.received.set(message.from, pair)
  if (cron !== undefined) metadata.cron.set(cron.name, cron.count)
}

/** State root (spec 04 §4). Code that does not load has no memory: its root commits to the metadata alone. */
export const stateRoot = ({ metadata, memory }: ProcessState): Uint8Array => {
  const engine = Engine.load().id
  if (!(memory instanceof Turn.Memory))
    return Hash.tagged("heddle/state/1", engine, Metadata.hash(metadata, Bytes.empty))
  return Hash.tagged(
    "heddle/state/1",
    engine,
    Metadata.hash(metadata, Turn.handleBytes(memory.boot.handles)),
    Bytes.u32(memory.wasmPages),
    memory.root(),
    memory.globals,
  )
}

type Ran = Pick<Evaluated, "outcome" | "trace">

const nothing = { replies: [], views: [], outbox: [] }

const undone = (slot: number, message: Id.Id, error: Outcome.TurnError): Ran => ({
  outcome: { slot, message, error, fuelUsed: 0n, ...nothing },
  trace: { console: [], stack: undefined },
})

/** Runs the message; where that fails, lets the prelude answer who waits for it, on reserve fuel. */
const run = (
  machine: Turn.Machine,
  state: ProcessState,
  memory: Turn.Memory,
  message: Message.Message,
  entry: Entry,
): Ran => {
  const { process, metadata } = state
  const input = inputOf(state, message, entry)
  let change: Metadata.Change = { outbox: [], views: [] }
  const objection: Turn.Objection = (emission) => {
    const wanted = changeOf(process.id, entry.head, emission)
    if (typeof wanted === "string") return wanted
    change = wanted
    return Metadata.broken(metadata, wanted)
  }
  const turn = machine.turn(memory, input, limitsOf(process), objection)
  const { slot } = entry
  const trace = { console: turn.console, stack: turn._tag === "Failed" ? turn.stack : undefined }
  if (turn._tag === "Done") {
    const outbox = Metadata.apply(metadata, change)
    const { replies, views } = turn.emission
    return {
      outcome: {
        slot,
        message: message.id,
        error: undefined,
        fuelUsed: turn.fuelUsed,
        replies,
        views,
        outbox,
      },
      trace,
    }
  }
  const error = { reason: turn.reason, message: turn.message }
  const answered = machine.abandon(memory, input, turn, limitsOf(process), objection)
  const done = answered._tag === "Done"
  const outbox = done ? Metadata.apply(metadata, change) : []
  const replies = done ? answered.emission.replies : []
  return {
    outcome: { slot, message: message.id, error, fuelUsed: turn.fuelUsed, replies, views: [], outbox },
    trace,
  }
}

/** Evaluates the next slot. What fails in it is its outcome; only a host fault is thrown. */
export const evaluate = (machine: Turn.Machine, state: ProcessState, entry: Entry): Evaluated => {
  const message = read(entry.item)
  const { metadata, memory } = state
  const ran = (): Ran => {
    if (entry.inadmissible !== undefined)
      return undone(entry.slot, message.id, { reason: "inadmissible", message: entry.inadmissible })
    receive(metadata, message, entry)
    if (memory instanceof Turn.Memory) return run(machine, state, memory, message, entry)
    const { detail, file, line, column } = memory
    return undone(entry.slot, message.id, {
      reason: "module invalid",
      message: `${detail} (${file}:${line}:${column})`,
    })
  }
  return { ...ran(), stateRoot: entry.root ? stateRoot(state) : undefined }
}

/** Runs a message on a copy; `at` is the newest slot. Nothing of it stays. */
export const query = (
  machine: Turn.Machine,
  state: ProcessState,
  { action, tags, data, from }: Query,
  at: Entry,
): Answer => {
  const { slot, timestamp, head } = at
  const { process, memory } = state
  if (!(memory instanceof Turn.Memory))
    return {
      slot,
      timestamp,
      fuelUsed: 0n,
      result: { error: { reason: "module invalid", message: memory.detail } },
      console: [],
    }
  // Another head than any turn's, so that nothing the query makes has the id of something real.
  const queryHead = Hash.tagged("heddle/query/1", head)
  const id = Id.fromBytes(queryHead)
  const message = { id, from, fromProcess: false, target: process.id, action, tags, data }
  const input = { slot: slot + 1, timestamp, head: id, seed: seed(process.id, slot + 1, queryHead), message }
  const fuel = process.fuelPerTurnMax < Limit.fuelPerQueryMax ? process.fuelPerTurnMax : Limit.fuelPerQueryMax
  const turn = machine.query(memory, input, { ...limitsOf(process), fuel })
  const { fuelUsed, console } = turn
  if (turn._tag === "Failed")
    return {
      slot,
      timestamp,
      fuelUsed,
      result: { error: { reason: turn.reason, message: turn.message } },
      console,
    }
  const reply = turn.emission.replies.find(({ to }) => to === id)
  if (reply !== undefined && "error" in reply)
    return {
      slot,
      timestamp,
      fuelUsed,
      result: { error: { reason: "threw", message: reply.error } },
      console,
    }
  return { slot, timestamp, fuelUsed, result: { value: reply?.value ?? null }, console }
}

/**
 * Evaluation: one slot of one process. (state, entry) -> (state, outcome), the same on every machine (spec 04 §3).
 *
 * The guest's memory and the process's metadata change together or not at all: what a turn asks for is held against
 * every bound of the metadata before its memory is kept.
 */
import * as Result from "effect/Result"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Drop from "../runtime/Drop.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Message from "../runtime/Message.ts"
import type * as Outcome from "../runtime/Outcome.ts"
import * as OutboxItem from "../runtime/OutboxItem.ts"
import type * as Tag from "../runtime/Tag.ts"
import * as Void from "../runtime/Void.ts"
import type { Answer, Query } from "./ComputeUnit.ts"
import type * as Emission from "./Emission.ts"
import * as Metadata from "./Metadata.ts"
import * as PlainOutput from "./PlainOutput.ts"
import * as ProcessState from "./ProcessState.ts"
import type { Entry, Evaluated, Inspected, Upgrade } from "./Sandbox.ts"
import type { Invalid } from "./SandboxThread.ts"
import * as SourcePositions from "./SourcePositions.ts"
import * as Turn from "./Turn.ts"

type State = ProcessState.ProcessState

/** Source of the turn's public randomness (spec 04 §2): sender and scheduler can both choose among values of it. */
const seed = (process: Id.ProcessId, slot: number, head: Uint8Array): Uint8Array =>
  Hash.tagged("heddle/random/1", Id.toBytes(process), Bytes.u64(slot), head)

const pairsOf = (tags: ReadonlyArray<Tag.Tag>) => tags.map(({ name, value }) => [name, value] as const)

const infoOf = ({ process, metadata: { module, scheduler } }: State): Turn.ProcessInfo => {
  const { id, owner, tags } = process
  return { id, owner, module, scheduler, tags: pairsOf(tags) }
}

const inputOf = (
  state: State,
  message: Message.Message,
  { slot, timestamp, head, data }: Entry,
): Turn.TurnInput => {
  const { id } = state.process
  return {
    slot,
    timestamp,
    head: Id.fromBytes(head),
    seed: seed(id, slot, head),
    process: infoOf(state),
    message: {
      id: message.id,
      from: message.from,
      fromProcess: message.fromProcess,
      target: message.target,
      action: message.action ?? "",
      tags: pairsOf(message.item.tags),
      data: data ?? message.item.data,
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
const receive = (metadata: Metadata.Metadata, message: Message.Message, entry: Entry): void => {
  const { pair, cron, authority, move } = entry
  metadata.timers.delete(message.id)
  if (pair !== undefined) metadata.received.set(message.from, pair)
  if (cron !== undefined) metadata.cron.set(cron.name, cron.count)
  if (authority !== undefined) metadata.authority = authority
  if (move !== undefined) {
    metadata.term = move.term
    metadata.scheduler = move.scheduler
  }
}

type Ran = Pick<Evaluated, "outcome" | "trace">

const nothing = { replies: [], views: [], outbox: [] }

const undone = (slot: number, message: Id.Id, error: Outcome.TurnError | undefined): Ran => ({
  outcome: { slot, message, error, fuelUsed: 0n, ...nothing },
  trace: { console: [], stack: undefined },
})

/** Whom it believes, or who schedules it, is no business of the program: the message is answered `null` in its stead. */
const acknowledge = (state: State, message: Message.Message, entry: Entry): Ran => {
  const { process, metadata } = state
  const reply = { to: message.id, value: "null" }
  const said = PlainOutput.answerTo(reply, inputOf(state, message, entry))
  const change = changeOf(process.id, entry.head, { replies: [], views: [], outbox: said })
  if (typeof change === "string") throw new Error(change) // an answer's tags are bounded
  const outbox = Metadata.apply(metadata, change)
  const outcome = { slot: entry.slot, message: message.id, error: undefined, fuelUsed: 0n }
  return {
    outcome: { ...outcome, ...nothing, replies: [reply], outbox },
    trace: { console: [], stack: undefined },
  }
}

/** Errors that a guest wrote to its console, with the author's own files and lines. */
const inAuthorsPlaces = ({ source }: State, lines: Turn.TurnResult["console"]): Turn.TurnResult["console"] =>
  lines.map(([level, text]) => [level, SourcePositions.rewrite(source, text)])

/** Runs the message; where that fails, lets the prelude answer who waits for it, on reserve fuel. */
const run = (
  machine: Turn.Machine,
  state: State,
  memory: Turn.Memory,
  message: Message.Message,
  entry: Entry,
  more: boolean,
): Ran => {
  const { process, metadata } = state
  const input = inputOf(state, message, entry)
  let change: Metadata.Change = { outbox: [], views: [] }
  const objection: Turn.Objection = (emission) => {
    const wanted = changeOf(process.id, entry.head, emission)
    if (typeof wanted === "string") return wanted
    change = wanted
    if (entry.drop !== undefined && wanted.outbox.length >= Limit.outboxEntriesPerTurnMax)
      return `${wanted.outbox.length} messages and a void; at most ${Limit.outboxEntriesPerTurnMax} are allowed together`
    return Metadata.broken(metadata, wanted)
  }
  const limits = ProcessState.limitsOf(process)
  const turn =
    entry.upgrade === undefined
      ? machine.turn(memory, input, limits, objection, more)
      : upgrade(machine, state, memory, entry.upgrade, input, objection)
  const { slot } = entry
  const trace = {
    console: inAuthorsPlaces(state, turn.console),
    stack:
      turn._tag === "Failed" ? turn.stack && SourcePositions.rewrite(state.source, turn.stack) : undefined,
  }
  const outcome = { slot, message: message.id, fuelUsed: turn.fuelUsed }
  if (turn._tag === "Done") {
    const outbox = Metadata.apply(metadata, change)
    const { replies, views } = turn.emission
    return { outcome: { ...outcome, error: undefined, replies, views, outbox }, trace }
  }
  const error = { reason: turn.reason, message: turn.message }
  const answered = machine.abandon(memory, input, turn, limits, objection)
  const done = answered._tag === "Done"
  const outbox = done ? Metadata.apply(metadata, change) : []
  const replies = done ? answered.emission.replies : []
  return { outcome: { ...outcome, error, replies, views: [], outbox }, trace }
}

/**
 * The error reply in which a process hears that what it asked was given up. To its program it comes from who was asked,
 * so it ends the wait that it would end.
 */
const undeliverable = (
  message: Message.Message,
  { target, reference, reason }: Drop.Dropped,
): Message.Message => {
  const tags = [
    ...Message.protocolTags("Message"),
    { name: "Action", value: "Reply" },
    { name: "X-Reference", value: reference! }, // asked for only where there is one
    { name: "Error", value: `undelivered: ${reason}` },
  ]
  const item = { ...message.item, tags, data: Bytes.empty }
  return { ...message, from: target, fromProcess: true, action: "Reply", item }
}

/** Gives up a message that the process emitted: who waits for its answer hears of it, and a void takes its place. */
const drop = (
  dropped: Drop.Dropped,
  machine: Turn.Machine,
  state: State,
  message: Message.Message,
  entry: Entry,
  more: boolean,
): Ran => {
  const { memory, process } = state
  const told =
    dropped.reference !== undefined && memory instanceof Turn.Memory
      ? run(machine, state, memory, undeliverable(message, dropped), entry, more)
      : undone(entry.slot, message.id, undefined)
  const { outbox, replies } = told.outcome
  const item = Void.make({ source: process.id, head: entry.head, index: outbox.length }, dropped)
  const answered = replies.some(({ to }) => to === message.id)
  return {
    ...told,
    outcome: {
      ...told.outcome,
      replies: answered ? replies : [...replies, { to: message.id, value: "null" }],
      outbox: [...outbox, { kind: "void", item: item.bytes, pair: dropped.pair, due: 0 }],
    },
  }
}

/** Goes over to another program, and to its engine; where that fails, all stays as it was. */
const upgrade = (
  machine: Turn.Machine,
  state: State,
  memory: Turn.Memory,
  { module, engine: wanted, source }: Upgrade,
  input: Turn.TurnInput,
  objection: Turn.Objection,
): Turn.TurnResult => {
  const stays = wanted === undefined && ProcessState.runs(state.engine, source)
  const engine = stays ? state.engine : ProcessState.engineFor(source, wanted)
  const image = ProcessState.bootFor(engine, source, state.process)
  if (!(image instanceof Turn.BootImage)) return refusedUpgrade(image)
  const limits = ProcessState.limitsOf(state.process)
  const told = { ...input, process: { ...input.process, module } }
  const { result, memory: next } = machine.upgrade(memory, image, told, limits, objection)
  if (result._tag === "Failed") return result
  state.engine = engine
  state.source = source
  state.memory = next
  state.metadata.module = module
  return result
}

const refusedUpgrade = ({ detail, file, line, column }: Invalid): Turn.Failed => ({
  _tag: "Failed",
  reason: "threw",
  message: `the module does not load: ${detail} (${file}:${line}:${column})`,
  stack: undefined,
  failed: [],
  fuelUsed: 0n,
  console: [],
})

/**
 * Evaluates the next slot. What fails in it is its outcome; only a host fault is thrown. Where `more` slots follow at
 * once, `ownBytes` may be of a slot before.
 */
export const evaluate = (machine: Turn.Machine, state: State, entry: Entry, more = false): Evaluated => {
  const message = ProcessState.read(entry.item)
  const { metadata, memory } = state
  const ran = (): Ran => {
    if (entry.inadmissible !== undefined)
      return undone(entry.slot, message.id, { reason: "inadmissible", message: entry.inadmissible })
    receive(metadata, message, entry)
    if (entry.void !== undefined)
      return undone(entry.slot, message.id, { reason: "void", message: entry.void })
    if (entry.drop !== undefined) return drop(entry.drop, machine, state, message, entry, more)
    if (entry.authority !== undefined || entry.move !== undefined) return acknowledge(state, message, entry)
    if (memory instanceof Turn.Memory) return run(machine, state, memory, message, entry, more)
    const { detail, file, line, column } = memory
    return undone(entry.slot, message.id, {
      reason: "module invalid",
      message: `${detail} (${file}:${line}:${column})`,
    })
  }
  const done = ran()
  state.slot = entry.slot
  if (!more && state.memory instanceof Turn.Memory) state.memory.settle()
  return {
    ...done,
    stateRoot: entry.root ? ProcessState.stateRoot(state) : undefined,
    engine: state.engine.id,
    ownBytes: state.memory instanceof Turn.Memory ? state.memory.ownBytes : 0,
  }
}

/** Runs a message on a copy; `at` is the newest slot. Nothing of it stays. */
export const query = (
  machine: Turn.Machine,
  state: State,
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
  const next = { slot: slot + 1, timestamp, head: id, seed: seed(process.id, slot + 1, queryHead) }
  const input = { ...next, process: infoOf(state), message }
  const fuel = process.fuelPerTurnMax < Limit.fuelPerQueryMax ? process.fuelPerTurnMax : Limit.fuelPerQueryMax
  const turn = machine.query(memory, input, { ...ProcessState.limitsOf(process), fuel })
  const { fuelUsed } = turn
  const console = inAuthorsPlaces(state, turn.console)
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

/** What an expression comes to on a copy of the state. */
export const inspect = (
  machine: Turn.Machine,
  { process, memory }: State,
  expression: string,
  { timestamp }: Entry,
): Inspected => {
  if (!(memory instanceof Turn.Memory)) return { text: memory.detail, console: [], fuelUsed: 0n }
  return machine.inspect(memory, expression, ProcessState.limitsOf(process), timestamp)
}

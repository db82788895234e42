/**
 * Admission: may this message have the next slot of this process? (spec 03 §4)
 *
 * One pure function for both who ask: the scheduler before it gives the slot, and every compute unit again when it
 * reads the log. What a scheduler should not have let in is therefore `inadmissible` to everyone alike.
 *
 * Facts that need a key or a look into a store (is the signature good, whose attestations are good, was it there
 * before) come in as plain values.
 */
import * as Data from "effect/Data"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Assign from "./Assign.ts"
import * as Assignment from "./Assignment.ts"
import * as Authority from "./Authority.ts"
import * as DataReference from "./DataReference.ts"
import * as Drop from "./Drop.ts"
import type * as Id from "./Id.ts"
import type * as Message from "./Message.ts"
import * as Move from "./Move.ts"
import * as OutboxItem from "./OutboxItem.ts"
import type { OutboxEntry } from "./Outcome.ts"
import * as Process from "./Process.ts"
import * as Tag from "./Tag.ts"
import * as Void from "./Void.ts"

/** Why a message gets no slot. The same words in the spec, in answers and in outcomes. */
export type Reason =
  | "malformed item"
  | "not a message"
  | "unknown signature type"
  | "too large"
  | "bad signature"
  | "bad assigned item"
  | "no proof"
  | "bad proof"
  | "not attested"
  | "unknown process"
  | "unknown module"
  | "bad spawn"
  | "other scheduler"
  | "not restored"
  | "other process"
  | "not assignable"
  | "bad reference"
  | "bad drop"
  | "bad authority"
  | "bad move"
  | "data unavailable"
  | "repeat"
  | "anchor reused"
  | "pair out of order"
  | "source forked"
  | "timer early"
  | "cron out of order"
  | "over rate"
  | "overloaded"
  | "not anchored"
  | "store failed"
  | "stopping"

/** Refusals that pass by themselves; after any other, only a change where it was refused helps. */
export const passing: ReadonlySet<Reason> = new Set([
  "over rate",
  "overloaded",
  "not anchored",
  "store failed",
  "stopping",
  "timer early",
  "data unavailable",
])

/** An answer, not an accident: the caller sees the reason by name and, in `detail`, what to do about it. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly reason: Reason
  readonly detail: string
  /** ms after which it is worth asking again, where whoever refuses knows. */
  readonly retryMs?: number | undefined
}> {
  override get message(): string {
    return `${this.reason}: ${this.detail}`
  }
}

/** What admission knows of a process: all of it follows from the log. */
export interface LogState {
  readonly process: Process.Process | undefined
  /** Term of the next slot, unless that is a takeover, and who gives the slots of that term. */
  readonly term: number
  readonly scheduler: Id.Address | undefined
  readonly nextSlot: number
  readonly head: Uint8Array
  readonly timestamp: number
  readonly spawnedAt: number
  /** Whom the process believes in the next slot. */
  readonly authority: Authority.InForce | undefined
  /** Last pair number admitted from each source. */
  readonly pairs: HashMap.HashMap<Id.ProcessId, number>
  /** Last count admitted of each cron. */
  readonly cron: HashMap.HashMap<string, number>
}

export const emptyLog: LogState = {
  process: undefined,
  term: 0,
  scheduler: undefined,
  nextSlot: 0,
  head: Assignment.emptyHead,
  timestamp: 0,
  spawnedAt: 0,
  authority: undefined,
  pairs: HashMap.empty(),
  cron: HashMap.empty(),
}

/** What an opened proof shows, with the units whose signatures were verified as good. */
export interface Proven {
  readonly source: Id.ProcessId
  readonly kind: OutboxEntry["kind"]
  readonly pair: number
  readonly due: number
  readonly attestors: ReadonlyArray<Id.Address>
}

export interface Candidate {
  readonly message: Message.Message
  /** Good signature of a key; for an item that a process emitted, what its proof shows. */
  readonly voucher:
    | { readonly signed: true; readonly drop?: Result.Result<Drop.Attested, Drop.DropInvalid> }
    | { readonly proven: Proven }
    | { readonly none: true }
  /** Already in this log: the same content, or its anchor with other content. */
  readonly seen: "repeat" | "anchor reused" | undefined
}

const refuse = (reason: Reason, detail: string) => Result.fail(new Refused({ reason, detail }))

/** Which cron entry an item is, if it is one that follows from the spawn tags. */
export const cronOf = (process: Process.Process, message: Message.Message) => {
  const name = Tag.value(message.item.tags, "Cron-Name")
  const count = Number(Tag.value(message.item.tags, "Cron-Count"))
  const cron = process.cron.find((entry) => entry.name === name)
  if (cron === undefined || !Number.isSafeInteger(count) || count < 1 || count > 0xffff_ffff) return undefined
  return OutboxItem.cron(process.id, cron.name, count).id === message.id ? { cron, count } : undefined
}

const count = <K>(counters: HashMap.HashMap<K, number>, key: K): number =>
  Option.getOrElse(HashMap.get(counters, key), () => 0)

/** The last pair number that was admitted from a source. */
export const lastOf = (pairs: LogState["pairs"], source: Id.ProcessId): number => count(pairs, source)

/**
 * Decides, and gives the log state after the message. `timestamp` and `term` are the assignment's: the term is that of the
 * log, or the next one of a takeover.
 *
 * The head of the result is still that of the slot before: `sequence` sets it.
 */
export const admit = (
  log: LogState,
  candidate: Candidate,
  timestamp: number,
  term: number = log.term,
): Result.Result<Omit<LogState, "head">, Refused> => {
  const { message, voucher, seen } = candidate
  const spawn = message.kind === "Process"
  if (!spawn && log.process === undefined)
    return refuse(
      "unknown process",
      `${message.process} is not scheduled here; spawn it first or ask its scheduler`,
    )
  if (seen === "anchor reused")
    return refuse(seen, "this owner used the anchor for other content; take a new anchor")
  if (seen === "repeat" || (spawn && log.nextSlot > 0))
    return refuse("repeat", "this message already has a slot")
  const made = spawn ? Process.fromSpawn(message) : Result.succeed(log.process!)
  if (Result.isFailure(made)) return refuse("bad spawn", made.failure.message)
  const process = made.success
  if (message.carrier !== undefined && !Assign.takes(process, message))
    return refuse(
      "not assignable",
      `it was said to ${message.target}; only a process spawned with the tag "Assignable: any" takes that`,
    )
  const reference = DataReference.parse(message)
  if (Result.isFailure(reference)) return refuse("bad reference", reference.failure.detail)
  const policy = Authority.read(process, message)
  if (Result.isFailure(policy)) return refuse("bad authority", policy.failure.message)
  const scheduler = log.scheduler ?? process.scheduler
  const move = Move.read(process, { term: log.term, scheduler }, message, term)
  if (Result.isFailure(move)) return refuse("bad move", move.failure.message)
  const authority = log.authority ?? { ...process.authority, since: 0 }
  const next = {
    ...log,
    process,
    term: move.success?.term ?? log.term,
    scheduler: move.success?.scheduler ?? scheduler,
    authority: policy.success === undefined ? authority : { ...policy.success, since: log.nextSlot + 1 },
    nextSlot: log.nextSlot + 1,
    timestamp,
    spawnedAt: spawn ? timestamp : log.spawnedAt,
  }

  if ("signed" in voucher) {
    const { drop } = voucher
    const fault = drop && Drop.isBy(process, message) ? Drop.fault(process, drop) : undefined
    return fault === undefined ? Result.succeed(next) : refuse("bad drop", fault)
  }
  if ("none" in voucher) {
    const cron = cronOf(process, message)
    if (cron === undefined)
      return refuse("no proof", "an item that a process emitted needs the proof that it did")
    const last = count(log.cron, cron.cron.name)
    const due = OutboxItem.cronDue(log.spawnedAt, cron.cron, cron.count)
    if (cron.count <= last) return refuse("cron out of order", `count ${cron.count} came after ${last}`)
    if (timestamp < due) return refuse("timer early", `due at ${due}, not at ${timestamp}`)
    return Result.succeed({ ...next, cron: HashMap.set(log.cron, cron.cron.name, cron.count) })
  }

  const { proven } = voucher
  if (!Authority.believes(authority, proven.attestors))
    return refuse("not attested", `needs ${authority.quorum} of ${authority.units.join(", ")}`)
  if ((proven.kind === "spawn") !== spawn)
    return refuse("bad proof", `proven as ${proven.kind}, sent as another kind`)
  if (proven.kind === "timer") {
    if (proven.source !== process.id) return refuse("bad proof", "a timer goes to the process that set it")
    if (timestamp < proven.due) return refuse("timer early", `due at ${proven.due}, not at ${timestamp}`)
    return Result.succeed(next)
  }
  if (proven.kind === "spawn") return Result.succeed(next)
  if (proven.kind === "void" && Void.read(message) === undefined)
    return refuse("bad proof", "it is proven as a void and does not name the message that it stands for")
  const last = lastOf(log.pairs, proven.source)
  if (proven.pair <= last)
    return refuse(
      "source forked",
      `message ${proven.pair} from ${proven.source} is not the one that was admitted as ${proven.pair}: the source has had two pasts`,
    )
  if (proven.pair > last + 1)
    return refuse(
      "pair out of order",
      `message ${proven.pair} from ${proven.source}; the next is ${last + 1}`,
    )
  return Result.succeed({ ...next, pairs: HashMap.set(log.pairs, proven.source, proven.pair) })
}

/**
 * AoSchedule: the log of a process of AO, read from a file and checked: a process that can be looked at and not spoken
 * to. Every signature, id, number and link of its chain is checked against what was recorded, and the first that does
 * not fit is named.
 *
 *     {"process": id, "entries": [{"item": base64url,
 *         "nonce": 0, "timestamp": ms, "hashChain": hash, "assignment": id, "message": id, "valid": true}, ...]}
 *
 * `item` is what the scheduler unit wrote to Arweave (`runtime/AoAssignment.ts`). The rest of an entry is what it is said
 * to be; what is left out is not compared.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as AoAssignment from "../runtime/AoAssignment.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import type * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Message from "../runtime/Message.ts"
import * as Tag from "../runtime/Tag.ts"
import * as ItemSignature from "./ItemSignature.ts"

export interface Slot {
  readonly slot: number
  readonly timestamp: number
  readonly epoch: number
  readonly blockHeight: number
  readonly chain: Uint8Array
  readonly assignment: Id.Id
  readonly message: Id.Id
  /** Unset where it stands elsewhere on Arweave. */
  readonly item: Item.Item | undefined
  /** Address of the message's owner. */
  readonly from: Id.Address | undefined
  readonly action: string | undefined
}

export interface AoSchedule {
  readonly process: Id.ProcessId
  /** Whose key signed the assignments. */
  readonly scheduler: Id.Address
  /** Whom the spawn message names: not always the key that signs. */
  readonly schedulerNamed: string | undefined
  readonly slots: ReadonlyArray<Slot>
  /** Signatures checked; all of them were good. */
  readonly signatures: number
}

/** The first thing that does not fit, at the place of the entry that it is in. */
export class AoScheduleInvalid extends Data.TaggedError("AoScheduleInvalid")<{
  readonly slot: number | undefined
  readonly what: string
  readonly detail: string
}> {
  override get message(): string {
    return `${this.slot === undefined ? "schedule" : `slot ${this.slot}`}, ${this.what}: ${this.detail}`
  }
}

const fail = (slot: number | undefined, what: string, detail: string) =>
  Result.fail(new AoScheduleInvalid({ slot, what, detail }))

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

interface File {
  readonly process: Id.ProcessId
  readonly entries: ReadonlyArray<Fields>
}

const fileOf = (text: string): Result.Result<File, AoScheduleInvalid> => {
  const parsed = Result.try((): unknown => JSON.parse(text))
  if (Result.isFailure(parsed) || !isFields(parsed.success))
    return fail(undefined, "file", "it is no JSON object")
  const { process, entries, edges } = parsed.success
  if (edges !== undefined)
    return fail(
      undefined,
      "file",
      "this is a page as a scheduler unit shows it, which leaves out bytes that signatures cover; it takes the items",
    )
  const id = typeof process === "string" ? Id.parse(process) : undefined
  if (id === undefined) return fail(undefined, "process", "it is no id")
  if (!Array.isArray(entries) || !entries.every(isFields))
    return fail(undefined, "entries", "they are no list")
  if (entries.length === 0) return fail(undefined, "entries", "there are none")
  return Result.succeed({ process: id, entries })
}

const bytesOf = ({ item }: Fields): Uint8Array | undefined => {
  // Four characters are three bytes, so nothing over the limit is made of a longer text.
  const isShort = typeof item === "string" && item.length <= Math.ceil((Limit.itemBytesMax * 4) / 3)
  return isShort ? Bytes.fromBase64Url(item) : undefined
}

const decoded = (
  entry: Fields,
  slot: number,
): Result.Result<AoAssignment.AoAssignment, AoScheduleInvalid> => {
  const bytes = bytesOf(entry)
  if (bytes === undefined) return fail(slot, "item", "it is no base64url of an item")
  return Result.mapError(
    AoAssignment.decode(bytes),
    ({ what, detail }) => new AoScheduleInvalid({ slot, what, detail }),
  )
}

/** What an entry is said to be, beside what its signed bytes say. */
const misquoted = (entry: Fields, one: AoAssignment.AoAssignment): readonly [string, string] | undefined => {
  const signed = {
    nonce: one.nonce,
    timestamp: one.timestamp,
    hashChain: Bytes.toBase64Url(one.chain),
    assignment: one.assignment.id,
    message: one.message?.id,
    valid: true,
  }
  for (const [name, value] of Object.entries(signed)) {
    const said = entry[name]
    if (said !== undefined && said !== value)
      return [name, `recorded as ${JSON.stringify(said)}, and its bytes say ${JSON.stringify(value ?? null)}`]
  }
  return undefined
}

interface Before {
  readonly owner: Uint8Array
  readonly chain: Uint8Array
  readonly at: Pick<AoAssignment.AoAssignment, "timestamp" | "epoch" | "blockHeight">
}

/** What of an entry does not follow from the ones before it. */
const misplaced = (
  process: Id.ProcessId,
  slot: number,
  before: Before | undefined,
  one: AoAssignment.AoAssignment,
): readonly [string, string] | undefined => {
  if (one.process !== process) return ["process", `it is of ${one.process}`]
  if (one.nonce !== slot) return ["nonce", `${one.nonce} stands where ${slot} has to`]
  if (slot === 0 && one.messageId !== process)
    return ["message", `${one.messageId} is not the spawn of ${process}`]
  if (slot === 0 && one.message === undefined) return ["message", "the spawn is not there"]
  if (slot === 0 && one.epoch !== 0) return ["epoch", `it begins with epoch ${one.epoch}`]
  const expected = before?.chain ?? AoAssignment.firstChain(process)
  if (!Bytes.equal(one.chain, expected))
    return [
      "hash chain",
      `${Bytes.toBase64Url(one.chain)} stands where ${Bytes.toBase64Url(expected)} follows`,
    ]
  if (before === undefined) return undefined
  if (!Bytes.equal(one.assignment.owner, before.owner))
    return ["scheduler", `${Message.from(one.assignment)} signed it, and another the ones before`]
  for (const name of ["timestamp", "epoch", "blockHeight"] as const)
    if (one[name] < before.at[name]) return [name, `${one[name]} comes after ${before.at[name]}`]
  return undefined
}

/** Whose signature is not good, of the items of an entry. The scheduler signed two of them. */
const forged = ({ wrapper, assignment, message }: AoAssignment.AoAssignment) => {
  if (!Bytes.equal(wrapper.owner, assignment.owner))
    return ["scheduler", "item and assignment are not signed by one key"] as const
  for (const [name, item] of Object.entries({ item: wrapper, assignment, message })) {
    const verdict = item === undefined || ItemSignature.check(item)
    if (verdict !== true) return [`signature of the ${name}`, verdict] as const
  }
  return undefined
}

const slotOf = (one: AoAssignment.AoAssignment): Slot => ({
  slot: one.nonce,
  timestamp: one.timestamp,
  epoch: one.epoch,
  blockHeight: one.blockHeight,
  chain: one.chain,
  assignment: one.assignment.id,
  message: one.messageId,
  item: one.message,
  from: one.message && Message.from(one.message),
  action: one.message && Tag.value(one.message.tags, "Action"),
})

/** Reads a schedule from the text of its file. Total: every text is a schedule that holds or a named finding. */
export const read = (text: string): Result.Result<AoSchedule, AoScheduleInvalid> => {
  const file = fileOf(text)
  if (Result.isFailure(file)) return Result.fail(file.failure)
  const { process, entries } = file.success
  const slots: Array<Slot> = []
  let before: Before | undefined
  let spawn: Item.Item | undefined
  let signatures = 0
  for (const [slot, entry] of entries.entries()) {
    const found = decoded(entry, slot)
    if (Result.isFailure(found)) return Result.fail(found.failure)
    const one = found.success
    const [what, detail] = misquoted(entry, one) ?? misplaced(process, slot, before, one) ?? forged(one) ?? []
    if (what !== undefined && detail !== undefined) return fail(slot, what, detail)
    const { assignment, message, chain } = one
    spawn ??= message
    signatures += message === undefined ? 2 : 3
    before = { owner: assignment.owner, chain: AoAssignment.nextChain(chain, assignment.id), at: one }
    slots.push(slotOf(one))
  }
  return Result.succeed({
    process,
    scheduler: Id.fromBytes(Hash.sha256(before!.owner)), // there is an entry
    schedulerNamed: spawn && Tag.value(spawn.tags, "Scheduler"),
    slots,
    signatures,
  })
}

/** The item of this id in a schedule, whatever else in it fits: an item speaks for itself. */
export const find = (text: string, id: Id.Id): Result.Result<Item.Item | undefined, AoScheduleInvalid> =>
  Result.map(fileOf(text), ({ entries }) => {
    for (const [slot, entry] of entries.entries()) {
      const one = Result.getOrUndefined(decoded(entry, slot))
      const item = [one?.message, one?.assignment, one?.wrapper].find((each) => each?.id === id)
      if (item !== undefined) return item
    }
    return undefined
  })

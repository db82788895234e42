/**
 * AoAssignment: one slot of a process of AO, as AO's scheduler units write it to Arweave.
 *
 *     item by the scheduler, its data a bundle of 1 or 2 items:
 *         assignment   by the scheduler; tags Process, Epoch, Nonce, Hash-Chain, Block-Height, Timestamp, Message
 *         message      by its sender; left out where it stands elsewhere on Arweave already
 *
 * AO's chain runs over the ids of assignments, so it commits to their signatures:
 *
 *     chain(0) = SHA-256(process)
 *     chain(n) = SHA-256(assignment id(n-1) | chain(n-1))
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Bundle from "./Bundle.ts"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import * as Item from "./Item.ts"
import * as Tag from "./Tag.ts"

export interface AoAssignment {
  /** The item that holds the other two. */
  readonly wrapper: Item.Item
  readonly assignment: Item.Item
  /** Unset where it stands elsewhere. */
  readonly message: Item.Item | undefined
  readonly messageId: Id.Id
  readonly process: Id.ProcessId
  readonly epoch: number
  /** AO's word for the slot. */
  readonly nonce: number
  /** ms since 1970. */
  readonly timestamp: number
  /** Height of the newest block of Arweave that the scheduler knew. */
  readonly blockHeight: number
  /** As the assignment says. */
  readonly chain: Uint8Array
}

/** What in it is not as AO writes it. */
export class AoAssignmentInvalid extends Data.TaggedError("AoAssignmentInvalid")<{
  readonly what: "item" | "message" | "tag"
  readonly detail: string
}> {
  override get message(): string {
    return `${this.what}: ${this.detail}`
  }
}

export const firstChain = (process: Id.ProcessId): Uint8Array => Hash.sha256(Id.toBytes(process))

export const nextChain = (chain: Uint8Array, assignment: Id.Id): Uint8Array =>
  Hash.sha256(Bytes.concat([Id.toBytes(assignment), chain]))

const fail = (what: AoAssignmentInvalid["what"], detail: string) =>
  Result.fail(new AoAssignmentInvalid({ what, detail }))

/** AO pads block heights with zeros. */
const number = (text: string): number | undefined => (/^[0-9]{1,15}$/.test(text) ? Number(text) : undefined)

/** The carried message and the id of the one meant; the assignment of a spawn names none. */
const messageOf = (named: string | undefined, carried: Item.Item | undefined) => {
  if (named === undefined)
    return carried === undefined
      ? fail("message", "the assignment neither names nor carries one")
      : Result.succeed(carried.id)
  const id = Id.parse(named)
  if (id === undefined) return fail("tag", `Message is "${named}", which is no id`)
  if (carried !== undefined && carried.id !== id)
    return fail("message", `the assignment is of ${id}, and ${carried.id} stands beside it`)
  return Result.succeed(id)
}

/** Reads one; signatures are not this function's business. */
export const decode = (bytes: Uint8Array): Result.Result<AoAssignment, AoAssignmentInvalid> => {
  const wrapper = Item.decode(bytes)
  if (Result.isFailure(wrapper)) return fail("item", wrapper.failure.message)
  const bundle = Bundle.decode(wrapper.success.data)
  if (Result.isFailure(bundle)) return fail("item", bundle.failure.message)
  const [assignment, carried, ...more] = bundle.success
  if (assignment === undefined || more.length > 0)
    return fail("item", `${bundle.success.length} items in it; an assignment and its message are 1 or 2`)
  const tag = (name: string): string => Tag.value(assignment.tags, name) ?? ""
  if (tag("Type") !== "Assignment") return fail("tag", `Type is "${tag("Type")}", not Assignment`)
  const process = Id.parse(tag("Process"))
  if (process === undefined) return fail("tag", `Process is "${tag("Process")}", which is no id`)
  const chain = Id.parse(tag("Hash-Chain"))
  if (chain === undefined) return fail("tag", `Hash-Chain is "${tag("Hash-Chain")}", which is no hash`)
  const numbers: Array<number> = []
  for (const name of ["Epoch", "Nonce", "Timestamp", "Block-Height"]) {
    const value = number(tag(name))
    if (value === undefined) return fail("tag", `${name} is "${tag(name)}", which is no number`)
    numbers.push(value)
  }
  const [epoch, nonce, timestamp, blockHeight] = numbers as [number, number, number, number] // one of each name
  return Result.map(messageOf(Tag.value(assignment.tags, "Message"), carried), (messageId) => ({
    wrapper: wrapper.success,
    assignment,
    message: carried,
    messageId,
    process,
    epoch,
    nonce,
    timestamp,
    blockHeight,
    chain: Id.toBytes(chain),
  }))
}

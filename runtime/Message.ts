/**
 * Message: an item read as something said to a process, or as the spawn of one (spec 01 §7).
 *
 * Tags follow AO's names so that AO's tools read our items: `Data-Protocol: ao`, `Type: Message | Process`.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Address from "./Address.ts"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import type * as Item from "./Item.ts"
import * as SignatureType from "./SignatureType.ts"
import * as Tag from "./Tag.ts"

/** Tags that every message of ours opens with. */
export const protocolTags = (type: "Message" | "Process"): ReadonlyArray<Tag.Tag> => [
  { name: "Data-Protocol", value: "ao" },
  { name: "Type", value: type },
  { name: "Variant", value: "heddle.1" },
]

export interface Message {
  readonly id: Id.Id
  readonly kind: "Message" | "Process"
  /** What is said, and signed by whoever says it. */
  readonly item: Item.Item
  /** The item that stands in the log where it is another: one that assigns `item` (`Assign.ts`). */
  readonly carrier: Item.Item | undefined
  /** Who speaks: the address of the owner's key, or the source process of an outbox item. */
  readonly from: Id.Address
  readonly fromProcess: boolean
  /** The process addressed; a spawn addresses the process that it makes. */
  readonly process: Id.ProcessId
  /** Text of an id: `process`, but for an assigned item, which has its own or none (empty). */
  readonly target: string
  readonly action: string | undefined
}

export class MessageInvalid extends Data.TaggedError("MessageInvalid")<{ readonly detail: string }> {
  override get message(): string {
    return `not a message: ${this.detail}`
  }
}

/** Address of an item's owner (spec 02 §1): a process speaks under its own id, a key under its hash. */
export const from = (item: Pick<Item.Item, "type" | "owner">): Id.Address =>
  item.type === SignatureType.outbox ? Id.fromBytes(item.owner) : Address.of(item.owner).text

/** Reads an item as a message. What it lacks is named; signatures and proofs are not this function's business. */
export const parse = (item: Item.Item): Result.Result<Message, MessageInvalid> => {
  const fail = (detail: string) => Result.fail(new MessageInvalid({ detail }))
  if (Tag.value(item.tags, "Data-Protocol") !== "ao") return fail('tag "Data-Protocol: ao" is missing')
  const kind = Tag.value(item.tags, "Type")
  if (kind !== "Message" && kind !== "Process")
    return fail(`tag "Type" is ${kind ?? "missing"}, not Message or Process`)
  if (kind === "Message" && item.target.length === 0)
    return fail("a message needs a target: the process it is for")
  if (kind === "Process" && item.target.length !== 0)
    return fail("a spawn has no target: its own id names the process")
  const process = kind === "Process" ? item.id : Id.fromBytes(item.target)
  const fromProcess = item.type === SignatureType.outbox
  return Result.succeed({
    id: item.id,
    kind,
    item,
    carrier: undefined,
    from: from(item),
    fromProcess,
    process,
    target: process,
    action: Tag.value(item.tags, "Action"),
  })
}

/** The item that has the slot. */
export const logged = ({ item, carrier }: Pick<Message, "item" | "carrier">): Item.Item => carrier ?? item

/**
 * What makes two submissions the same (spec 03 §4): owner and anchor where there is an anchor, else the id.
 * How an item was signed does not matter, since hedged signing gives a new id each time; nor does who assigned it.
 */
export const repeatKey = (message: Message): Uint8Array =>
  message.item.anchor.length > 0
    ? Hash.tagged("heddle/repeat/1", message.item.owner, message.item.anchor)
    : repeatKeyOf(message.id)

/** The repeat key of an item without an anchor. */
export const repeatKeyOf = (id: Id.Id): Uint8Array =>
  Hash.tagged("heddle/repeat/1", Id.toBytes(id), Bytes.empty)

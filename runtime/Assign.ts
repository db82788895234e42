/**
 * Assign: a signed message that brings an existing item into the log of a process (spec 03 §4). Its tag `Assign` names
 * the item, its data are the item's bytes. What the process is told is the item: who signed it, with the item's own id,
 * tags and data. Who assigned it only had it written there.
 *
 *     item in the log   by Bob     target P, tag Assign: <id of Ada's item>, data: Ada's item
 *     message in P      from Ada   id, target, tags and data of Ada's item; a repeat is known by it too
 *
 * In a spawn, and in what a process emitted, the tag says nothing.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Id from "./Id.ts"
import * as Item from "./Item.ts"
import * as Message from "./Message.ts"
import type * as Process from "./Process.ts"
import * as SignatureType from "./SignatureType.ts"
import * as Tag from "./Tag.ts"

const name = "Assign"

/** Tags of a message that assigns an item. */
export const tags = (item: Id.Id): ReadonlyArray<Tag.Tag> => [{ name, value: item }]

export class AssignInvalid extends Data.TaggedError("AssignInvalid")<{ readonly detail: string }> {
  override get message(): string {
    return `nothing can be assigned by this: ${this.detail}`
  }
}

const fail = (detail: string) => Result.fail(new AssignInvalid({ detail }))

/** Whether a message as it stands in the log assigns an item, or should. */
export const is = ({ kind, fromProcess, carrier, item }: Message.Message): boolean =>
  kind === "Message" && !fromProcess && carrier === undefined && Tag.value(item.tags, name) !== undefined

/** The message that an assign brings. Whether its signature is good is not this function's business. */
export const open = (assign: Message.Message): Result.Result<Message.Message, AssignInvalid> => {
  const named = Id.parse(Tag.value(assign.item.tags, name) ?? "")
  if (named === undefined) return fail(`the tag "${name}" takes the 43 characters of an item's id`)
  const decoded = Item.decode(assign.item.data)
  if (Result.isFailure(decoded)) return fail(`its data are no item: ${decoded.failure.message}`)
  const item = decoded.success
  if (item.id !== named) return fail(`its data are item ${item.id}, and the tag names ${named}`)
  if (item.type === SignatureType.outbox)
    return fail("no key signed the item: a process emitted it, and delivers it with its proof")
  if (Tag.value(item.tags, name) !== undefined)
    return fail("the item assigns another; assign that one itself")
  return Result.succeed({
    id: item.id,
    kind: "Message",
    item,
    carrier: assign.item,
    from: Message.from(item),
    fromProcess: false,
    process: assign.process,
    target: item.target.length === 0 ? "" : Id.fromBytes(item.target),
    action: Tag.value(item.tags, "Action"),
  })
}

/**
 * Reads what stands in a log as the message that it is to its process: of an assign, the one that it brings. An assign
 * that brings none is read as itself, and is refused wherever its voucher is examined.
 */
export const read = (
  bytes: Uint8Array,
): Result.Result<Message.Message, Item.ItemInvalid | Message.MessageInvalid> =>
  Result.map(Result.flatMap(Item.decode(bytes), Message.parse), (message) =>
    is(message) ? Result.getOrElse(open(message), () => message) : message,
  )

/**
 * Whether a process takes this item. What its owner addressed to another process was said to that one: here it counts
 * only where the spawn says so, since no program expects it. An item without a target was said to anyone.
 */
export const takes = (process: Process.Process, { target }: Message.Message): boolean =>
  target === "" || target === process.id || Tag.value(process.tags, "Assignable") === "any"

/**
 * Void: the outbox entry that takes the number of a message which its source gave up (spec 05 §7). Its target is the
 * message's, its pair number is the message's, its tags name the message:
 *
 *     message   M to T, pair 7, given up              slot n of T:  M, or
 *     void      to T, pair 7, Entry: M, Content-Hash                the void; the other one is its repeat
 *
 * Only the kind in its proof makes an entry a void. A message that a program gave the same tags is a message.
 */
import * as Result from "effect/Result"
import * as Bytes from "./Bytes.ts"
import type * as Drop from "./Drop.ts"
import * as Id from "./Id.ts"
import * as Item from "./Item.ts"
import * as Message from "./Message.ts"
import * as OutboxItem from "./OutboxItem.ts"
import * as OutboxProof from "./OutboxProof.ts"
import * as Tag from "./Tag.ts"

export interface Void {
  /** The message in whose place it stands. */
  readonly entry: Id.Id
  readonly contentHash: Uint8Array
  readonly reason: string
}

/** The entry that the slot of a drop emits. */
export const make = (origin: OutboxItem.Origin, dropped: Drop.Dropped): Item.Item => {
  const tags = [
    ...Message.protocolTags("Message"),
    { name: "Action", value: "Void" },
    { name: "Entry", value: dropped.entry },
    { name: "Content-Hash", value: Id.fromBytes(dropped.contentHash) },
    { name: "Reason", value: dropped.reason },
  ]
  const made = OutboxItem.make(origin, { target: Id.toBytes(dropped.target), tags, data: Bytes.empty })
  return Result.getOrThrow(made) // the reason is bounded, so the tags are
}

/** What an item that is proven as a void stands for, if it says so. */
export const read = ({ item: { tags } }: Pick<Message.Message, "item">): Void | undefined => {
  const [entry, content] = ["Entry", "Content-Hash"].map((name) => Id.parse(Tag.value(tags, name) ?? ""))
  if (entry === undefined || content === undefined) return undefined
  return { entry, contentHash: Id.toBytes(content), reason: Tag.value(tags, "Reason") ?? "" }
}

/** What makes two submissions the same (spec 03 §4), of a message as it stands in a log beside its proof. */
export interface Identity {
  readonly repeatKey: Uint8Array
  readonly contentHash: Uint8Array
}

/** Of a void that of the message which it stands for. */
export const identity = (message: Message.Message, proof: Uint8Array): Identity => {
  const isVoid = message.fromProcess && OutboxProof.kindOf(proof) === "void"
  const stood = isVoid ? read(message) : undefined
  return stood === undefined
    ? { repeatKey: Message.repeatKey(message), contentHash: Item.contentHash(message.item) }
    : { repeatKey: Message.repeatKeyOf(stood.entry), contentHash: stood.contentHash }
}

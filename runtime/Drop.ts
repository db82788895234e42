/**
 * Drop: an owner's word that its process gives up a message that it emitted (spec 05 §7). Its tag `Entry` names the
 * item, its data are block(item) | block(proof), its tag `Reason` says why.
 *
 * The slot at the source emits a void (`Void.ts`), which takes the number that the message had at its target. So a
 * dropped message that arrives after all and its void are repeats of each other, whichever comes first.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Bytes from "./Bytes.ts"
import * as Id from "./Id.ts"
import * as Item from "./Item.ts"
import * as Limit from "./Limit.ts"
import type * as Message from "./Message.ts"
import * as OutboxProof from "./OutboxProof.ts"
import type * as Process from "./Process.ts"
import * as Tag from "./Tag.ts"

/** What a drop gives up. */
export interface Dropped {
  readonly entry: Id.Id
  readonly contentHash: Uint8Array
  readonly target: Id.ProcessId
  readonly pair: number
  /** Number of the ask that the message was, where it was one. */
  readonly reference: string | undefined
  readonly reason: string
}

/** With the signatures that still have to be verified. */
export interface Opened extends Dropped {
  readonly claims: ReadonlyArray<OutboxProof.Claim>
}

/** With the units whose signatures were verified as good. */
export interface Attested extends Dropped {
  readonly attestors: ReadonlyArray<Id.Address>
}

export class DropInvalid extends Data.TaggedError("DropInvalid")<{ readonly detail: string }> {
  override get message(): string {
    return `nothing can be dropped by this: ${this.detail}`
  }
}

const fail = (detail: string) => Result.fail(new DropInvalid({ detail }))

const unsaid = "dropped by the owner"

/** Tags of the message that drops an entry, beside its action `Drop`. */
export const tags = (entry: Id.Id, reason: string | undefined): ReadonlyArray<Tag.Tag> => [
  { name: "Entry", value: entry },
  ...(reason === undefined ? [] : [{ name: "Reason", value: reason }]),
]

/** Data of the message that drops an entry. */
export const data = (item: Uint8Array, proof: Uint8Array): Uint8Array =>
  Bytes.concat([Bytes.block(item), Bytes.block(proof)])

/** Whether a message is a drop where the owner of the process says it. */
export const is = ({ kind, fromProcess, process, target, action, item }: Message.Message): boolean =>
  kind === "Message" &&
  !fromProcess &&
  target === process &&
  action === "Drop" &&
  Tag.value(item.tags, "Entry") !== undefined

/** Whether a message is a drop. From anyone else the same words are a message like any other. */
export const isBy = ({ owner }: Process.Process, message: Message.Message): boolean =>
  message.from === owner && is(message)

const blocks = (bytes: Uint8Array): readonly [item: Uint8Array, proof: Uint8Array] | undefined => {
  const reader = new Bytes.Reader(bytes)
  try {
    const both = [reader.block(), reader.block()] as const
    return reader.remaining === 0 ? both : undefined
  } catch (error) {
    if (error instanceof Bytes.EndOfBytes) return undefined
    throw error
  }
}

/** What a message that `is` a drop gives up. Whether its signatures are good is not this function's business. */
export const open = (message: Message.Message): Result.Result<Opened, DropInvalid> => {
  const { tags: said, data: given } = message.item
  const named = Id.parse(Tag.value(said, "Entry") ?? "")
  if (named === undefined) return fail('the tag "Entry" takes the 43 characters of an outbox item\'s id')
  const reason = Tag.value(said, "Reason") ?? unsaid
  if (reason.length > Limit.dropReasonLengthMax)
    return fail(
      `the tag "Reason" has ${reason.length} units; at most ${Limit.dropReasonLengthMax} are allowed`,
    )
  const both = blocks(given)
  if (both === undefined) return fail("its data are not an item and its proof, each behind its length")
  const decoded = Item.decode(both[0])
  if (Result.isFailure(decoded)) return fail(`its data begin with no item: ${decoded.failure.message}`)
  const item = decoded.success
  if (item.id !== named) return fail(`its data are of item ${item.id}, and the tag names ${named}`)
  const proof = OutboxProof.decode(both[1])
  if (Result.isFailure(proof)) return fail(`its proof can't be read: ${proof.failure}`)
  const opened = Result.flatMap(proof, (good) => OutboxProof.open(item, good))
  if (Result.isFailure(opened)) return fail(`its proof does not hold: ${opened.failure}`)
  const { source, kind, pair, claims } = opened.success
  if (source !== message.process) return fail(`process ${source} emitted it; its owner drops it there`)
  if (kind !== "message") return fail(`it is a ${kind}, and only a message can be dropped`)
  return Result.succeed({
    entry: item.id,
    contentHash: Item.contentHash(item),
    target: Id.fromBytes(item.target),
    pair,
    reference: Tag.value(item.tags, "Reference"),
    reason,
    claims,
  })
}

/** Why a drop may not be, in words; `undefined` where it may. One unit that runs the process is enough: it is its word. */
export const fault = (
  { compute }: Process.Process,
  dropped: Result.Result<Attested, DropInvalid>,
): string | undefined => {
  if (Result.isFailure(dropped)) return dropped.failure.detail
  return compute.some((unit) => dropped.success.attestors.includes(unit))
    ? undefined
    : `its proof needs the word of one of ${compute.join(", ")}`
}

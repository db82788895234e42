/**
 * An outcome as bytes (spec 07 §3): everything that its hash commits to but the slot, which its place says.
 *
 *     outcome = message 32 | 0, or 1 and block reason, block message | u64 fuel
 *             | u32 count, reply... | u32 count, view... | u32 count, entry...
 *     reply   = to 32 | u8 0 value, 1 error | block text
 *     view    = block name | 0, or 1 and block value
 *     entry   = u8 0 message, 1 spawn, 2 timer, 3 void | u64 pair | u64 due | block item
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Outcome from "../runtime/Outcome.ts"
import * as Content from "./Content.ts"

const isReason = (text: string): text is Outcome.TurnError["reason"] =>
  Outcome.turnErrors.some((reason) => reason === text)

const [replyBytesMin, viewBytesMin, entryBytesMin] = [Hash.length + 5, 5, 1 + 8 + 8 + 4]

/** An outcome in which nothing happened. */
export const bytesMin = Hash.length + 1 + 8 + 3 * 4

const text = (of: string): Uint8Array => Bytes.block(Bytes.fromText(of))

const optional = (parts: ReadonlyArray<Uint8Array> | undefined): ReadonlyArray<Uint8Array> =>
  parts === undefined ? [Bytes.u8(0)] : [Bytes.u8(1), ...parts]

/** The bytes of an outcome, in pieces. */
export const parts = (outcome: Outcome.Outcome): ReadonlyArray<Uint8Array> => {
  const { message, error, fuelUsed, replies, views, outbox } = outcome
  return [
    Id.toBytes(message),
    ...optional(error && [text(error.reason), text(error.message)]),
    Bytes.u64(fuelUsed),
    Bytes.u32(replies.length),
    ...replies.flatMap((reply) => [
      Id.toBytes(reply.to),
      Bytes.u8("error" in reply ? 1 : 0),
      text("error" in reply ? reply.error : reply.value),
    ]),
    Bytes.u32(views.length),
    ...views.flatMap(({ name, value }) => [
      text(name),
      ...optional(value === null ? undefined : [text(value)]),
    ]),
    Bytes.u32(outbox.length),
    ...outbox.flatMap(({ kind, pair, due, item }) => [
      Bytes.u8(Outcome.kinds.indexOf(kind)),
      Bytes.u64(pair),
      Bytes.u64(due),
      Bytes.u32(item.length),
      item,
    ]),
  ]
}

const readText = (reader: Bytes.Reader): string => {
  const found = Bytes.toText(reader.block())
  if (found === undefined) throw new RangeError("a text is not UTF-8")
  return found
}

const readError = (reader: Bytes.Reader): Outcome.TurnError | undefined => {
  if (!Content.readFlag(reader, "whether there is an error")) return undefined
  const reason = readText(reader)
  if (!isReason(reason)) throw new RangeError(`"${reason}" is no reason of a failed turn`)
  return { reason, message: readText(reader) }
}

const readReply = (reader: Bytes.Reader): Outcome.Reply => {
  const to = Id.fromBytes(reader.take(Hash.length))
  return Content.readFlag(reader, "whether a reply is an error")
    ? { to, error: readText(reader) }
    : { to, value: readText(reader) }
}

const readView = (reader: Bytes.Reader): Outcome.Outcome["views"][number] => {
  const name = readText(reader)
  return { name, value: Content.readFlag(reader, "whether a view has a value") ? readText(reader) : null }
}

const readEntry = (reader: Bytes.Reader): Outcome.OutboxEntry => {
  const kind = Outcome.kinds[reader.u8()]
  if (kind === undefined) throw new RangeError("an outbox entry is a message, a spawn or a timer")
  return { kind, pair: reader.count(), due: reader.count(), item: reader.block() }
}

/** Reads the outcome of `slot`; throws like a `Bytes.Reader` does. */
export const read = (reader: Bytes.Reader, slot: number): Outcome.Outcome => {
  const message = Id.fromBytes(reader.take(Hash.length))
  const error = readError(reader)
  const fuelUsed = reader.u64()
  const many = <A>(
    what: string,
    max: number,
    min: number,
    one: (reader: Bytes.Reader) => A,
  ): ReadonlyArray<A> => {
    const found: Array<A> = []
    for (let left = Content.readCount(reader, what, 0, max, min); left > 0; left--) found.push(one(reader))
    return found
  }
  const replies = many("replies", 0xffff_ffff, replyBytesMin, readReply)
  const views = many("views", 0xffff_ffff, viewBytesMin, readView)
  const outbox = many("outbox entries", Limit.outboxEntriesPerTurnMax, entryBytesMin, readEntry)
  return { slot, message, error, fuelUsed, replies, views, outbox }
}

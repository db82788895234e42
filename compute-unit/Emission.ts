/**
 * Emission: what a turn gives out, read from the guest's words and checked once more.
 *
 * The prelude holds authors to every bound already. Whoever got past it gets no further: what it says is believed
 * only where it fits the bytes, and every limit is tested again on this side.
 */
import * as Result from "effect/Result"
import * as Bytes from "../runtime/Bytes.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Tag from "../runtime/Tag.ts"

export interface OutboxEntry {
  readonly kind: "message" | "spawn" | "timer"
  /** 32 bytes; empty for a spawn. */
  readonly target: Uint8Array
  readonly tags: ReadonlyArray<Tag.Tag>
  readonly data: Uint8Array
  /** ms since 1970 at which a timer goes off; 0 for the other kinds. */
  readonly due: number
}

/** JSON text, or the text of an error. */
export type Reply =
  | { readonly to: Id.Id; readonly value: string }
  | { readonly to: Id.Id; readonly error: string }

export interface Emission {
  readonly outbox: ReadonlyArray<OutboxEntry>
  readonly replies: ReadonlyArray<Reply>
  /** JSON text; `null` takes the view away. */
  readonly views: ReadonlyArray<{ readonly name: string; readonly value: string | null }>
}

/** A handler that ended with an error, of the message that the turn brings or of an earlier one. */
export interface HandlerFailure {
  readonly origin: Id.Id
  readonly name: string
  readonly message: string
  readonly stack: string
  readonly kind: "threw" | "out of memory" | "stack overflow"
}

/** Everything that a guest said at the end of a task. */
export interface Said {
  readonly emission: Emission
  readonly failures: ReadonlyArray<HandlerFailure>
  /** JSON text of what an export leaves. */
  readonly state: string | undefined
}

/** The guest's words do not fit together. Only code that got around the prelude makes them so. */
export class BadOutput extends Error {}

const refuse = (what: string): never => {
  throw new BadOutput(what)
}

const text = (value: unknown, what: string): string =>
  typeof value === "string" ? value : refuse(`${what} is not a text`)

const list = (value: unknown, what: string, max: number): ReadonlyArray<Record<string, unknown>> => {
  if (!Array.isArray(value) || value.length > max) return refuse(`${what} is not a list of at most ${max}`)
  for (const entry of value)
    if (typeof entry !== "object" || entry === null) refuse(`${what} holds no records`)
  return value as ReadonlyArray<Record<string, unknown>> // checked
}

const id = (value: unknown, what: string): Id.Id =>
  Id.parse(text(value, what)) ?? refuse(`${what} is not an id`)

const kinds: ReadonlyArray<unknown> = ["message", "spawn", "timer"]

/** The next entry's content, in the layout of `Item.contentHash`. */
const readEntry = (reader: Bytes.Reader, said: Record<string, unknown>): OutboxEntry => {
  const kind = said["kind"] as OutboxEntry["kind"] // checked in the next line
  if (!kinds.includes(kind)) refuse("an entry has no kind")
  const due = said["due"]
  if (typeof due !== "number" || !Number.isSafeInteger(due) || due < 0 || (kind !== "timer" && due !== 0))
    return refuse("due")
  if (Bytes.toText(reader.take(reader.u8())) !== "heddle/content/1") refuse("an entry has no content")
  const [target, anchor, tagBytes, data] = [reader.block(), reader.block(), reader.block(), reader.block()]
  if (target.length !== (kind === "spawn" ? 0 : 32) || anchor.length !== 0)
    refuse("a target does not fit its kind")
  const tags = Tag.decode(tagBytes, Number(said["tags"]))
  return Result.isFailure(tags) ? refuse(tags.failure) : { kind, target, tags: tags.success, data, due }
}

const readOutbox = (said: unknown, output: Uint8Array): ReadonlyArray<OutboxEntry> => {
  const reader = new Bytes.Reader(output)
  const outbox = list(said, "the outbox", Limit.outboxEntriesPerTurnMax).map((entry) =>
    readEntry(reader, entry),
  )
  if (reader.remaining > 0) refuse("the output does not end with the outbox")
  const length = outbox.reduce((sum, { data }) => sum + data.length, 0)
  return length > Limit.outputBytesPerTurnMax ? refuse("the outbox has too much data") : outbox
}

const readReply = (said: Record<string, unknown>): Reply => {
  const to = id(said["to"], "who is replied to")
  return "error" in said
    ? { to, error: text(said["error"], "an error") }
    : { to, value: text(said["value"], "a reply") }
}

const readView = ({ name, value }: Record<string, unknown>): Emission["views"][number] => {
  const json = value === null ? null : text(value, "a view")
  if (json !== null && Bytes.fromText(json).length > Limit.viewBytesMax) refuse("a view is too large")
  // Halves of pairs are equal as bytes, which is what names are known by.
  return { name: text(name, "the name of a view").toWellFormed(), value: json }
}

const readFailure = (said: Record<string, unknown>): HandlerFailure => {
  const kind = said["kind"]
  if (kind !== "threw" && kind !== "out of memory" && kind !== "stack overflow")
    return refuse("a failure has no kind")
  const field = (name: string): string => text(said[name], `the ${name} of a failure`)
  const origin = id(said["origin"], "the origin of a failure")
  return { origin, name: field("name"), message: field("message"), stack: field("stack"), kind }
}

/** Reads what the prelude said at the end of a turn, and the output beside it. Throws `BadOutput`. */
export const read = (words: string, output: Uint8Array): Said => {
  try {
    const [said = {}] = list([JSON.parse(words)], "the result", 1)
    const emission = {
      outbox: readOutbox(said["outbox"], output),
      replies: list(said["replies"], "replies", Infinity).map(readReply),
      views: list(said["views"], "views", Limit.viewsMax).map(readView),
    }
    const failures = list(said["failed"], "failures", Infinity).map(readFailure)
    const state = said["state"] === undefined ? undefined : text(said["state"], "what is exported")
    return { emission, failures, state }
  } catch (error) {
    // In fixed words: those of a host's parser differ between its versions.
    if (error instanceof SyntaxError) throw new BadOutput("the words are no JSON")
    if (error instanceof Bytes.EndOfBytes) throw new BadOutput("the output ends early")
    throw error
  }
}

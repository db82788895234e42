/**
 * PlainOutput: what a plain module says at the end of a turn, as one JSON object of which every field may be left out
 * (spec 04 §10):
 *
 *     { "replies": [{"to": id, "value": any} | {"to": id, "error": text}],
 *       "views":   [{"name": text, "value": any}],
 *       "outbox":  [{"kind": "message", "target": id, "action": text, "tags": [[name, value]], "data": text},
 *                   {"kind": "spawn", "module": id}, {"kind": "timer", "due": ms, "reference": text}],
 *       "error":   text }
 *
 * A value goes on as the text that the module wrote. The host puts the tags of the protocol to an entry, and sends the
 * reply to a message by which a process waits. What does not fit is refused in words that follow from what was said
 * alone: the first misfit, read from left to right, and of a record what it lacks at its end.
 */
import * as Result from "effect/Result"
import * as Bytes from "../runtime/Bytes.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Message from "../runtime/Message.ts"
import * as OutboxItem from "../runtime/OutboxItem.ts"
import * as Tag from "../runtime/Tag.ts"
import { BadOutput, type Emission, type OutboxEntry, type Reply, type Said } from "./Emission.ts"
import { JsonInvalid, JsonReader } from "./JsonReader.ts"
import type { TurnInput } from "./TurnInput.ts"

/** Characters of an error, as authors of scripts have them. */
const errorLengthMax = 1_000

/** A reference longer than this is none to whoever is asked (spec 05 §6). */
const referenceLengthMax = 64

const refuse = (what: string): never => {
  throw new BadOutput(what.toWellFormed().slice(0, errorLengthMax))
}

/** A reader of what a module said. */
export const reader = (words: string): JsonReader => {
  try {
    return new JsonReader(words)
  } catch (error) {
    if (error instanceof JsonInvalid) return refuse(error.message)
    throw error
  }
}

/** A name that an author chose, as a refusal shows it. */
const quoted = (name: string): string => JSON.stringify(name.slice(0, 100))

/** Reads one field; `where` names it in a refusal. */
type Field<A> = (json: JsonReader, where: string) => A

const text: Field<string> = (json, where) =>
  json.kind === "text" ? json.text().toWellFormed() : refuse(`${where} is not a text`)

const raw: Field<string> = (json) => json.raw()

const id: Field<Id.Id> = (json, where) =>
  (json.kind === "text" ? Id.parse(json.text()) : undefined) ?? refuse(`${where} is not an id`)

/** A whole number of 0 to 2^53 - 1, in digits alone. */
const count: Field<number> = (json, where) => {
  const number = json.raw()
  const value = /^[0-9]{1,16}$/.test(number) ? Number(number) : Infinity
  return Number.isSafeInteger(value) ? value : refuse(`${where} is not a count`)
}

const base64url: Field<Uint8Array> = (json, where) =>
  (json.kind === "text" ? Bytes.fromBase64Url(json.text()) : undefined) ?? refuse(`${where} is not base64url`)

const reference: Field<string> = (json, where) => {
  const value = text(json, where)
  return value !== "" && value.length <= referenceLengthMax
    ? value
    : refuse(`${where} does not have 1 to ${referenceLengthMax} characters`)
}

const list =
  <A>(max: number, element: Field<A>): Field<ReadonlyArray<A>> =>
  (json, where) => {
    if (json.kind !== "array") refuse(`${where} is not a list`)
    const all: Array<A> = []
    json.array((index) => {
      if (index === max) refuse(`${where} has more than ${max} elements`)
      all.push(element(json, `${where}[${index}]`))
    })
    return all
  }

const tag: Field<Tag.Tag> = (json, where) => {
  const pair = list(2, text)(json, where)
  const [name, value] = pair
  return name === undefined || value === undefined ? refuse(`${where} is not two texts`) : { name, value }
}

const record =
  <F extends object>(fields: { readonly [K in keyof F]: Field<F[K]> }): Field<Partial<F>> =>
  (json, where) => {
    if (json.kind !== "object") refuse(`${where} is not an object`)
    const found: Partial<F> = {}
    json.object((name) => {
      if (!Object.hasOwn(fields, name)) refuse(`${where} has a field ${quoted(name)}, which there is not`)
      if (Object.hasOwn(found, name)) refuse(`${where} has ${quoted(name)} twice`)
      const known = name as keyof F // one of `fields`, as seen above
      found[known] = fields[known](json, `${where}.${name}`)
    })
    return found
  }

const entryFields = {
  kind: text,
  target: id,
  child: count,
  module: id,
  action: text,
  tags: list(Limit.tagsMax, tag),
  reference,
  due: count,
  data: text,
  json: raw,
  base64url,
}

type EntryFields = { readonly [K in keyof typeof entryFields]?: ReturnType<(typeof entryFields)[K]> }

/** Which fields an entry of a kind may have, beside its kind. */
const fieldsOfKind: Readonly<Record<string, ReadonlyArray<keyof EntryFields>>> = {
  message: ["target", "child", "action", "tags", "reference", "data", "json", "base64url"],
  spawn: ["module", "action", "tags", "data", "json", "base64url"],
  timer: ["due", "reference"],
}

const lacks = (where: string, what: string): never => refuse(`${where} lacks ${quoted(what)}`)

/** The tags of an item: those of the protocol, those that follow from the fields, the author's own. */
const tagsOf = (
  where: string,
  type: "Message" | "Process",
  set: ReadonlyArray<readonly [name: string, value: string | undefined]>,
  own: ReadonlyArray<Tag.Tag> = [],
): ReadonlyArray<Tag.Tag> => {
  const given = set.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]))
  const ours = [...Message.protocolTags(type), ...given]
  const names = new Set(ours.map(({ name }) => name))
  for (const { name } of own)
    if (names.has(name)) refuse(`${where}: the tag ${quoted(name)} is set by heddle`)
  const tags = [...ours, ...own]
  const encoded = Tag.encode(tags)
  return Result.isFailure(encoded) ? refuse(`${where}: ${encoded.failure}`) : tags
}

const dataOf = (where: string, { data, json, base64url: bytes }: EntryFields): Uint8Array => {
  const given = [data, json, bytes].filter((one) => one !== undefined)
  if (given.length > 1) refuse(`${where} has more than one of "data", "json" and "base64url"`)
  const [one = ""] = given
  return typeof one === "string" ? Bytes.fromText(one) : one
}

/** Makes an entry of what a module said; `spawned` gives the id of an entry before it. */
const entryOf = (
  of: EntryFields,
  where: string,
  { process }: TurnInput,
  spawned: (index: number) => Id.Id | undefined,
): OutboxEntry => {
  const kind = of.kind ?? lacks(where, "kind")
  const allowed = Object.hasOwn(fieldsOfKind, kind) ? fieldsOfKind[kind] : undefined
  if (allowed === undefined) return refuse(`${where}.kind is not "message", "spawn" or "timer"`)
  for (const name of Object.keys(of))
    if (name !== "kind" && !allowed.includes(name as keyof EntryFields))
      // a field of an entry
      refuse(`${where} is a ${kind} and has no ${quoted(name)}`)
  const { action, tags, due, module } = of
  if (kind === "timer") {
    const set = [["Action", "Timer"] as const, ["X-Reference", of.reference] as const]
    return {
      kind,
      target: Id.toBytes(process.id),
      tags: tagsOf(where, "Message", set),
      data: Bytes.empty,
      due: due ?? lacks(where, "due"),
    }
  }
  if (kind === "spawn") {
    const scheduler = tags?.some(({ name }) => name === "Scheduler") ? undefined : process.scheduler
    const set = [
      ["Action", action] as const,
      ["Module", module ?? lacks(where, "module")] as const,
      ["Scheduler", scheduler] as const,
    ]
    const all = tagsOf(where, "Process", set, tags)
    return { kind, target: Bytes.empty, tags: all, data: dataOf(where, of), due: 0 }
  }
  if (of.target !== undefined && of.child !== undefined) refuse(`${where} has both "target" and "child"`)
  const child = of.child === undefined ? undefined : spawned(of.child)
  if (of.child !== undefined && child === undefined) refuse(`${where}.child is not a spawn before it`)
  const target = of.target ?? child ?? lacks(where, "target")
  const set = [["Action", action] as const, ["Reference", of.reference] as const]
  const all = tagsOf(where, "Message", set, tags)
  return { kind: "message", target: Id.toBytes(target), tags: all, data: dataOf(where, of), due: 0 }
}

/** Reads the outbox. `first` is the place that its first entry has in that of the turn. */
const outbox =
  (input: TurnInput, first: number): Field<ReadonlyArray<OutboxEntry>> =>
  (json, where) => {
    const made: Array<OutboxEntry> = []
    const head = Id.toBytes(input.head)
    const spawned = (index: number): Id.Id | undefined => {
      const entry = made[index]
      if (entry?.kind !== "spawn") return undefined
      const item = OutboxItem.make({ source: input.process.id, head, index: first + index }, entry)
      return Result.isFailure(item) ? refuse(`${where}[${index}]: ${item.failure.message}`) : item.success.id
    }
    const entry: Field<void> = (one, place) =>
      void made.push(entryOf(record<EntryFields>(entryFields)(one, place), place, input, spawned))
    list(Limit.outboxEntriesPerTurnMax, entry)(json, where)
    return made
  }

const reply =
  ({ message }: TurnInput): Field<Reply> =>
  (json, where) => {
    const { to = message.id, value, error } = record({ to: id, value: raw, error: text })(json, where)
    if (value !== undefined && error !== undefined) refuse(`${where} has both "value" and "error"`)
    return error === undefined ? { to, value: value ?? "null" } : { to, error }
  }

const view: Field<Emission["views"][number]> = (json, where) => {
  const { name, value = "null" } = record({ name: text, value: raw })(json, where)
  if (name === undefined) return lacks(where, "name")
  if (name === "") refuse(`${where}.name is empty`)
  if (Buffer.byteLength(value) > Limit.viewBytesMax)
    refuse(`${where}.value takes more than ${Limit.viewBytesMax} bytes`)
  return { name, value: value === "null" ? null : value }
}

/** The message that ends a process's wait, where the message of this turn is answered and one waits (spec 05 §6). */
export const answerTo = (said: Reply, { message }: TurnInput): ReadonlyArray<OutboxEntry> => {
  const waits = message.tags.find(([name]) => name === "Reference")?.[1]
  if (said.to !== message.id || !message.fromProcess || waits === undefined) return []
  if (waits.length > referenceLengthMax) return []
  const target = Id.parse(message.from)
  if (target === undefined) return []
  const error = "error" in said ? said.error.slice(0, errorLengthMax).toWellFormed() || "failed" : undefined
  const set = [["Action", "Reply"] as const, ["X-Reference", waits] as const, ["Error", error] as const]
  const tags = tagsOf("the answer", "Message", set)
  const data = "value" in said ? Bytes.fromText(said.value) : Bytes.empty
  return [{ kind: "message", target: Id.toBytes(target), tags, data, due: 0 }]
}

/** What one turn has said, as far as it is bounded. */
export interface Counts {
  readonly entries: number
  readonly dataBytes: number
  readonly views: number
}

export interface Place {
  /** What the turn said before: by the program before this one, where it goes over to another. */
  readonly after: Counts
  /** Whether the message of the turn is answered with `null` where the module does not answer it. */
  readonly answers: boolean
}

/** Reads what a module said. Throws `BadOutput`. */
export const read = (said: string, input: TurnInput, { after, answers }: Place): Said => {
  const whole = record({
    replies: list(Limit.outboxEntriesPerTurnMax, reply(input)),
    views: list(Limit.viewsMax, view),
    outbox: outbox(input, after.entries),
    error: text,
  })(reader(said), "output")
  const { views = [], outbox: own = [], error } = whole
  const { id: origin } = input.message
  const given = whole.replies ?? []
  const silent = answers && !given.some(({ to }) => to === origin)
  const replies = silent ? [...given, { to: origin, value: "null" }] : given
  if (new Set(replies.map(({ to }) => to)).size < replies.length) refuse("a message is answered twice")
  const entries = [...own, ...replies.flatMap((one) => answerTo(one, input))]
  const dataBytes = entries.reduce((sum, { data }) => sum + data.length, after.dataBytes)
  if (after.entries + entries.length > Limit.outboxEntriesPerTurnMax)
    refuse(`the outbox and its answers are more than ${Limit.outboxEntriesPerTurnMax}`)
  if (dataBytes > Limit.outputBytesPerTurnMax)
    refuse(`the data of the outbox takes more than ${Limit.outputBytesPerTurnMax} bytes`)
  if (after.views + views.length > Limit.viewsMax) refuse(`the views are more than ${Limit.viewsMax}`)
  const emission = { outbox: entries, replies, views }
  if (error === undefined) return { emission, failures: [], state: undefined }
  const message = error.slice(0, errorLengthMax).toWellFormed()
  const failure = { origin, name: "Error", message, stack: "", kind: "threw" } as const
  return { emission, failures: [failure], state: undefined }
}

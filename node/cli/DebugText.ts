/** Debug text: moments and states of a process as people read them. */
import type { Inspected } from "../../compute-unit/Sandbox.ts"
import type { Moment, State } from "../../compute-unit/Timeline.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import type { OutboxEntry } from "../../runtime/Outcome.ts"
import * as Result from "effect/Result"
import * as Tag from "../../runtime/Tag.ts"
import * as DebugLine from "./DebugLine.ts"
import * as DebugValue from "./DebugValue.ts"
import * as DiffText from "./DiffText.ts"
import * as LogLines from "./LogLines.ts"
import * as Screen from "./Screen.ts"

const nameWidth = 10
const textWidth = 100

/** Characters of data that are shown at a terminal: who wants it all asks for JSON. */
const dataLengthMax = 2_000

const fact = (name: string, value: string): string =>
  `${Screen.styled("dim", name.padEnd(nameWidth))}  ${Screen.plain(value)}`

const list = (name: string, values: ReadonlyArray<string>): ReadonlyArray<string> =>
  values.map((value, i) => fact(i === 0 ? name : "", value))

/** Text as it is, line by line; bytes that are no text by their number. */
const data = (bytes: Uint8Array): ReadonlyArray<string> => {
  if (bytes.length === 0) return []
  const text = Bytes.toText(bytes)
  if (text === undefined)
    return [`${bytes.length} bytes, base64url ${Bytes.toBase64Url(bytes).slice(0, textWidth)}`]
  const more = text.length > dataLengthMax ? [`... and ${text.length - dataLengthMax} characters more`] : []
  return [...text.slice(0, dataLengthMax).split("\n"), ...more]
}

/** What a moment is, in a line, and what differs from what the node has of it. */
export const place = (moment: Moment): string => {
  const { differences } = moment
  return [
    LogLines.one(DebugValue.line(moment)),
    ...(differences.length === 0
      ? []
      : [
          Screen.styled("red", "computed here, it differs from what is recorded:"),
          DiffText.outcome(differences),
        ]),
  ].join("\n")
}

export const message = (moment: Moment): string => {
  const { slot, timestamp, message, upgrade } = moment
  const { id, from, fromProcess, item } = message
  return [
    fact("slot", String(slot)),
    fact("time", Screen.time(timestamp)),
    fact("id", id),
    fact("from", fromProcess ? `${from}, a process` : from),
    fact("action", LogLines.actionOf(DebugValue.entry(moment))),
    ...(upgrade === undefined ? [] : [fact("upgrade", `to module ${upgrade.module}`)]),
    ...list(
      "tags",
      item.tags.map(({ name, value }) => `${name}: ${value}`),
    ),
    ...list("data", data(item.data)),
  ].join("\n")
}

const sent = ({ kind, item, due }: OutboxEntry): string => {
  const read = Item.decode(item)
  if (Result.isFailure(read)) return kind
  const { target, tags, id } = read.success
  const action = Tag.value(tags, "Action")
  if (kind === "timer") return `timer for ${Screen.time(due)}`
  const to = kind === "spawn" ? `${id} of module ${Tag.value(tags, "Module")}` : `to ${Id.fromBytes(target)}`
  return `${kind} ${to}${action === undefined ? "" : `, action ${action}`}`
}

export const outcome = (moment: Moment): string => {
  const { recorded, differences, message } = moment
  const { error, fuelUsed, replies, views, outbox } = recorded.outcome
  return [
    ...(error === undefined
      ? []
      : [fact("error", `${error.reason}: ${error.message}`), ...list("", LogLines.stack(recorded.trace))]),
    ...list(
      "replies",
      replies.map((reply) => {
        const to = reply.to === message.id ? "" : ` to ${reply.to}`
        return "value" in reply ? `= ${reply.value}${to}` : `error: ${reply.error}${to}`
      }),
    ),
    ...list(
      "views",
      views.map(({ name, value }) => (value === null ? `${name} is gone` : `${name} = ${value}`)),
    ),
    ...list("sent", outbox.map(sent)),
    fact("fuel", String(fuelUsed)),
    ...(differences.length === 0 ? [] : [DiffText.outcome(differences)]),
  ].join("\n")
}

export const console = (moment: Moment): string => {
  const lines = DiffText.trace({ console: moment.recorded.trace.console, stack: undefined })
  return lines.length === 0 ? "it printed nothing" : lines.join("\n")
}

export const inspected = ({ text, console, fuelUsed }: Inspected): string =>
  [
    ...DiffText.trace({ console, stack: undefined }).map((line) => Screen.styled("dim", line)),
    ...text.split("\n").map(Screen.plain),
    Screen.styled("dim", `${fuelUsed} fuel, nothing is kept`),
  ].join("\n")

export const views = ({ views }: State): string => {
  if (views.size === 0) return "nothing is published"
  const inOrder = [...views].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const rows = inOrder.map(([name, json]) => [Screen.plain(name), Screen.short(json, textWidth)])
  return Screen.table([{ title: "view" }, { title: "value" }], rows)
}

export const where = (moment: Moment, state: State): string => {
  const { memory, engine, module, stateRoot } = state
  const pages =
    memory === undefined
      ? "none: the module does not load"
      : `${memory.wasmPages} pages of 64 KiB, ${memory.ownPages} pages of 4 KiB are its own`
  return [
    fact("slot", String(moment.slot)),
    fact("time", Screen.time(moment.timestamp)),
    fact("action", LogLines.actionOf(DebugValue.entry(moment))),
    fact("fuel", String(moment.recorded.outcome.fuelUsed)),
    fact("state root", Bytes.toHex(stateRoot)),
    fact("module", module),
    fact("engine", Id.fromBytes(engine)),
    fact("memory", pages),
  ].join("\n")
}

export const help = (): string =>
  DebugLine.names
    .map((name) => {
      const { letter, takes, says } = DebugLine.definitions[name]
      const typed = `${letter === "" ? " " : letter}  ${name} ${takes}`
      return `${typed.padEnd(24)}${Screen.styled("dim", says)}`
    })
    .join("\n")

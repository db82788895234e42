/** Log lines: what a process was told in a slot and what its turn came to, in a line each. */
import * as Effect from "effect/Effect"
import type { Turn } from "../../compute-unit/ComputeUnit.ts"
import * as Client from "../../messenger-unit/Client.ts"
import type { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Screen from "./Screen.ts"

const idWidth = 12
const textWidth = 60

/** What a turn came to, in a few words. */
export const ended = ({ outcome }: Turn): string => {
  if (outcome.error !== undefined) return `${outcome.error.reason}: ${outcome.error.message}`
  const replies = outcome.replies.map((reply) =>
    "value" in reply ? `= ${reply.value}` : `error: ${reply.error}`,
  )
  const sent = outcome.outbox.length === 0 ? [] : [`${outcome.outbox.length} sent`]
  return [...replies, ...sent].join(", ") || "done"
}

export const failed = (turn: Turn): boolean =>
  turn.outcome.error !== undefined || turn.outcome.replies.some((reply) => "error" in reply)

export interface Line {
  readonly entry: Client.Entry
  readonly turn: Turn | undefined
}

const logColumns = [
  { title: "slot", right: true },
  { title: "time" },
  { title: "from" },
  { title: "action" },
  { title: "fuel", right: true },
  { title: "outcome" },
]

/** Slot 0 is the spawn, whatever action it names. */
export const actionOf = ({ slot, action }: Pick<Client.Entry, "slot" | "action">): string =>
  slot === 0 ? "Spawn" : (action ?? "")

export const cells = ({ entry, turn }: Line): ReadonlyArray<string> => [
  String(entry.slot),
  Screen.time(entry.timestamp),
  Screen.short(entry.from, idWidth),
  Screen.short(actionOf(entry), 24),
  turn === undefined ? "" : String(turn.outcome.fuelUsed),
  turn === undefined ? "not computed yet" : Screen.short(ended(turn), textWidth),
]

/** Lines under titles; the one of the slot `present` is marked. */
export const table = (lines: ReadonlyArray<Line>, present?: number): string => {
  const rows = lines.map((line): ReadonlyArray<string> => {
    const [slot = "", ...rest] = cells(line)
    return [line.entry.slot === present ? `> ${slot}` : slot, ...rest]
  })
  return Screen.table(logColumns, rows, (cell, column, row) => {
    const turn = lines[rows.indexOf(row)]?.turn
    return column === 5 && turn !== undefined && failed(turn) ? Screen.styled("red", cell) : cell
  })
}

/** A turn on a line of its own, for when they come one by one. */
export const one = (line: Line): string => {
  const [slot = "", at, from, action = "", fuel, outcome = ""] = cells(line)
  const told = line.turn !== undefined && failed(line.turn) ? Screen.styled("red", outcome) : outcome
  return `${slot.padStart(6)}  ${at}  ${from}  ${action.padEnd(16)}  ${told}  ${Screen.styled("dim", `${fuel} fuel`)}`
}

/** Where a turn threw, innermost first: `at handler (counter.ts:12:7)`. */
export const stack = ({ stack }: Turn["trace"]): ReadonlyArray<string> =>
  (stack ?? "")
    .split("\n")
    .map((line) => Screen.plain(line.trim()))
    .filter((line) => line !== "")

/** A message as JSON, with its data as text where it is text. */
export const entryValue = (entry: Client.Entry) => ({
  ...entry,
  data: Bytes.toText(entry.data) ?? { base64url: entry.data },
})

/** A line as JSON: the message, and what the turn came to. */
export const value = ({ entry, turn }: Line) => ({
  ...entryValue(entry),
  ...(turn === undefined ? { outcome: null } : turn),
})

export const read = Effect.fnUntraced(function* (
  messenger: MessengerUnit["Service"],
  process: Id.ProcessId,
  from: number,
  limit: number,
) {
  const reads = [messenger.log(process, from, limit), messenger.turns(process, from, limit)] as const
  const [entries, turns] = yield* Effect.all(reads, { concurrency: 2 })
  return entries.map((entry, i): Line => ({ entry: Client.entryOf(entry), turn: turns[i] }))
})

/** Commands that read: ps, log, follow, view, receipt, outbox. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Turn } from "../../compute-unit/ComputeUnit.ts"
import * as Client from "../../messenger-unit/Client.ts"
import type { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

interface OfProcess extends Caller.Input {
  readonly process: Id.ProcessId
}

const idWidth = 12
const textWidth = 60

export const ps = (input: Caller.Input) =>
  Effect.gen(function* () {
    const processes = yield* Caller.connected(input, (messenger) => messenger.processes)
    yield* Screen.show(input.json, processes, () => {
      if (processes.length === 0) return "no process yet; spawn one with: heddle spawn <file.ts>"
      const rows = processes.map(({ process, name, slots, computed, timestamp, stateRoot, parked }) => [
        process,
        Screen.short(name ?? "", 24),
        String(slots),
        parked !== undefined
          ? `parked: ${Screen.short(parked, textWidth)}`
          : computed < slots
            ? "running"
            : "idle",
        Screen.time(timestamp),
        Screen.short(Bytes.toHex(stateRoot), 16),
      ])
      const columns = ["process", "name", "slots", "state", "newest message", "state root"]
      return Screen.table(
        columns.map((title) => ({ title, right: title === "slots" })),
        rows,
        (cell, column) => (column === 3 && cell.startsWith("parked") ? Screen.styled("red", cell) : cell),
      )
    })
  })

/** What a turn came to, in a few words. */
const ended = ({ outcome }: Turn): string => {
  if (outcome.error !== undefined) return `${outcome.error.reason}: ${outcome.error.message}`
  const replies = outcome.replies.map((reply) =>
    "value" in reply ? `= ${reply.value}` : `error: ${reply.error}`,
  )
  const sent = outcome.outbox.length === 0 ? [] : [`${outcome.outbox.length} sent`]
  return [...replies, ...sent].join(", ") || "done"
}

const failed = (turn: Turn): boolean =>
  turn.outcome.error !== undefined || turn.outcome.replies.some((reply) => "error" in reply)

interface Line {
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

const cells = ({ entry, turn }: Line): ReadonlyArray<string> => [
  String(entry.slot),
  Screen.time(entry.timestamp),
  Screen.short(entry.from, idWidth),
  Screen.short(entry.slot === 0 ? "Spawn" : (entry.action ?? ""), 24),
  turn === undefined ? "" : String(turn.outcome.fuelUsed),
  turn === undefined ? "not computed yet" : Screen.short(ended(turn), textWidth),
]

const linesTable = (lines: ReadonlyArray<Line>): string => {
  const rows = lines.map(cells)
  return Screen.table(logColumns, rows, (cell, column, row) => {
    const turn = lines[rows.indexOf(row)]?.turn
    return column === 5 && turn !== undefined && failed(turn) ? Screen.styled("red", cell) : cell
  })
}

/** A line as JSON: the message with its data as text where it is text, and what the turn came to. */
const lineValue = ({ entry, turn }: Line) => ({
  ...entry,
  data: Bytes.toText(entry.data) ?? { base64url: entry.data },
  ...(turn === undefined ? { outcome: null } : turn),
})

const lines = Effect.fnUntraced(function* (
  messenger: MessengerUnit["Service"],
  process: Id.ProcessId,
  from: number,
  limit: number,
) {
  const reads = [messenger.log(process, from, limit), messenger.turns(process, from, limit)] as const
  const [entries, turns] = yield* Effect.all(reads, { concurrency: 2 })
  return entries.map((entry, i): Line => ({ entry: Client.entryOf(entry), turn: turns[i] }))
})

export interface LogInput extends OfProcess {
  readonly from: number
  readonly limit: number
}

export const log = (input: LogInput) =>
  Effect.gen(function* () {
    const read = yield* Caller.connected(input, (messenger) =>
      Screen.progress("reading", () => lines(messenger, input.process, input.from, input.limit)),
    )
    yield* Screen.show(input.json, read.map(lineValue), () =>
      read.length === 0 ? `nothing from slot ${input.from} on` : linesTable(read),
    )
    const next = input.from + read.length
    if (!input.json && Screen.isTerminal() && read.length === input.limit)
      yield* Screen.note(`more: --from ${next}`)
  })

export const follow = (input: Pick<LogInput, "from" | keyof OfProcess>) =>
  Caller.connected(input, (messenger) => {
    const show = Effect.fnUntraced(function* (turn: Turn) {
      const { slot } = turn.outcome
      const [logged] = yield* messenger.log(input.process, slot, 1)
      if (logged === undefined) return
      const line = { entry: Client.entryOf(logged), turn }
      if (input.json) return yield* Screen.print(Screen.json(lineValue(line)))
      const [number = "", at, from, action = "", fuel, outcome = ""] = cells(line)
      const told = failed(turn) ? Screen.styled("red", outcome) : outcome
      yield* Screen.print(
        `${number.padStart(6)}  ${at}  ${from}  ${action.padEnd(16)}  ${told}  ${Screen.styled("dim", `${fuel} fuel`)}`,
      )
      for (const [level, text] of turn.trace.console)
        yield* Screen.print(Screen.styled("dim", `        ${level}: ${Screen.plain(text)}`))
    })
    return Stream.runForEach(Client.follow(input.process, input.from), show)
  })

/** A process publishes nothing under this name. */
export class ViewUnknown extends Data.TaggedError("ViewUnknown")<{
  readonly process: Id.ProcessId
  readonly name: string
}> {
  override get message(): string {
    return `process ${this.process} publishes nothing under "${this.name}"`
  }
}

export const view = (input: OfProcess & { readonly name: string }) =>
  Effect.gen(function* () {
    const { process, name } = input
    const found = yield* Caller.connected(input, (messenger) => messenger.view(process, name))
    if (found === undefined) return yield* new ViewUnknown({ process, name })
    const value: unknown = JSON.parse(found.value)
    yield* Screen.show(input.json, { value, slot: found.slot }, () => JSON.stringify(value, null, 2))
    if (Screen.isTerminal() && !input.json) yield* Screen.note(`published in slot ${found.slot}`)
  })

export const receipt = (input: OfProcess & { readonly slot: number }) =>
  Effect.gen(function* () {
    const found = yield* Caller.connected(input, (messenger) => messenger.receipt(input.process, input.slot))
    const { assignment, link, index } = found
    yield* Screen.show(input.json, found, () =>
      [
        ["process", assignment.process],
        ["slot", String(assignment.slot)],
        ["time", Screen.time(assignment.timestamp)],
        ["head", Bytes.toHex(assignment.head)],
        ["batch", `${link.number}, place ${index}`],
        ["batch root", Bytes.toHex(link.root)],
        ["signature", `type ${link.signatureType}, ${link.signature.length} bytes`],
      ]
        .map(([name = "", value = ""]) => `${Screen.styled("dim", name.padEnd(10))}  ${value}`)
        .join("\n"),
    )
  })

export const outbox = (input: Caller.Input) =>
  Effect.gen(function* () {
    const waiting = yield* Caller.connected(input, (messenger) => messenger.outbox)
    yield* Screen.show(input.json, waiting, () => {
      if (waiting.length === 0) return "everything is delivered"
      const columns = ["source", "slot", "kind", "target", "since", "due", "reason"]
      const rows = waiting.map(({ source, slot, index, kind, target, since, due, reason }) => [
        Screen.short(source, idWidth),
        `${slot}.${index}`,
        kind,
        Screen.short(target, idWidth),
        Screen.time(since),
        due === 0 ? "" : Screen.time(due),
        Screen.short(reason, textWidth),
      ])
      return Screen.table(
        columns.map((title) => ({ title })),
        rows,
      )
    })
  })

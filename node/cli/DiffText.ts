/** Diff text: what differs between two outcomes, or two states of a process, as people read it. */
import type { MemoryDifference } from "../../compute-unit/MemoryDifference.ts"
import type { Difference } from "../../compute-unit/OutcomeDifference.ts"
import type { Change, StateDifference } from "../../compute-unit/StateDifference.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import type { Trace } from "../../runtime/Outcome.ts"
import * as LogLines from "./LogLines.ts"
import * as Screen from "./Screen.ts"

const textWidth = 60

const left = (...titles: ReadonlyArray<string>) => titles.map((title) => ({ title }))

/** Field by field, as recorded and as computed now. */
export const outcome = (differences: ReadonlyArray<Difference>): string =>
  Screen.table(
    left("field", "recorded", "now"),
    differences.map(({ what, recorded, now }) => [
      Screen.plain(what),
      Screen.short(recorded, textWidth),
      Screen.short(now, textWidth),
    ]),
  )

/** Console lines and stack of a turn. */
export const trace = (of: Trace): ReadonlyArray<string> => [
  ...of.console.map(([level, text]) => `${level}: ${Screen.plain(text)}`),
  ...LogLines.stack(of),
]

const sign = (count: number): string => (count > 0 ? `+${count}` : String(count))

export const pageBytes = 4_096

/** How much memory changed, in a line. */
export const memory = ({ wasmPages, replaced, pages, bytes }: MemoryDifference): string => {
  const { before, after } = wasmPages
  const size =
    before === after
      ? `${after} pages of 64 KiB`
      : `${before} pages of 64 KiB, then ${after} (${sign(after - before)})`
  if (replaced) return `another module's memory, ${size}`
  return `${pages.length} ${pages.length === 1 ? "page" : "pages"} of 4 KiB changed, ${bytes} bytes in them; ${size}`
}

/** Each page that changed: where it begins, how much of it, and what lies there. */
export const pages = ({ pages: changed }: MemoryDifference): string =>
  Screen.table(
    [
      { title: "page", right: true },
      { title: "address", right: true },
      { title: "bytes", right: true },
      { title: "holds" },
    ],
    changed.map(({ index, bytes, kind }) => [
      String(index),
      `0x${(index * pageBytes).toString(16)}`,
      String(bytes),
      kind,
    ]),
  )

const rowsOf = <V>(
  what: string,
  changes: ReadonlyArray<Change<V>>,
  show: (value: V) => string,
): ReadonlyArray<ReadonlyArray<string>> => {
  const cell = (value: V | undefined): string =>
    value === undefined ? "-" : Screen.short(show(value), textWidth)
  return changes.map(({ key, before, after }) => [
    Screen.short(`${what} ${key}`, textWidth),
    cell(before),
    cell(after),
  ])
}

const fact = (name: string, before: string, after: string): ReadonlyArray<ReadonlyArray<string>> =>
  before === after ? [] : [[name, before, after]]

const believed = ({ authority: { units, quorum, since } }: StateDifference["after"]): string =>
  `${quorum} of ${units.join(", ")} from slot ${since} on`

/** From one state to another: whatever is not equal, and how much memory. */
export const state = (difference: StateDifference): string => {
  const { before, after } = difference
  const rows = [
    ...fact("module", before.module, after.module),
    ...fact("engine", Id.fromBytes(before.engine), Id.fromBytes(after.engine)),
    ...fact("believes", believed(before), believed(after)),
    ...rowsOf("view", difference.views, (json) => json),
    ...rowsOf("sent to", difference.sent, String),
    ...rowsOf("received from", difference.received, String),
    ...rowsOf("cron", difference.cron, String),
    ...rowsOf("timer", difference.timers, Screen.time),
  ]
  const title = (slot: number): string => (slot < 0 ? "before the spawn" : `after slot ${slot}`)
  const equal = Bytes.equal(before.stateRoot, after.stateRoot)
  return [
    ...(rows.length === 0 ? [] : [Screen.table(left("", title(before.slot), title(after.slot)), rows)]),
    equal ? "the states are equal" : memory(difference.memory),
    `state root ${Bytes.toHex(before.stateRoot)} ${title(before.slot)}`,
    `state root ${Bytes.toHex(after.stateRoot)} ${title(after.slot)}`,
  ].join("\n")
}

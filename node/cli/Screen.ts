/**
 * Screen: what the command line prints. Results go to the output stream, everything else to the error stream, so that
 * results can be piped. Colour and progress are for terminals only; machines ask for JSON.
 */
import { styleText } from "node:util"
import * as Effect from "effect/Effect"
import * as Bytes from "../../runtime/Bytes.ts"

type Style = Parameters<typeof styleText>[0]

/** Styled where the output stream is a terminal that wants colour (`NO_COLOR`, `FORCE_COLOR`, `TERM` say so). */
export const styled = (style: Style, text: string): string =>
  styleText(style, text, { stream: process.stdout })

export const isTerminal = (): boolean => process.stdout.isTTY

export const print = (text: string): Effect.Effect<void> =>
  Effect.sync(() => void process.stdout.write(text.endsWith("\n") ? text : `${text}\n`))

/** Something beside the result, for people. */
export const note = (text: string): Effect.Effect<void> =>
  Effect.sync(() => void process.stderr.write(`${styleText("dim", text, { stream: process.stderr })}\n`))

/** What is wrong, where there is more to come: an error that ends a command is told in `Failure.ts`. */
export const complain = (text: string): Effect.Effect<void> =>
  Effect.sync(() => void process.stderr.write(`${styleText("red", text, { stream: process.stderr })}\n`))

/** JSON as the HTTP API spells it: bytes as base64url, fuel as text, `null` for what is not there. */
export const json = (value: unknown): string =>
  JSON.stringify(value, function (this: Record<string, unknown>, key: string, changed: unknown) {
    // The value itself: a Buffer would come as what its own toJSON makes of it.
    const own = this[key]
    if (own instanceof Uint8Array) return Bytes.toBase64Url(own)
    if (typeof own === "bigint") return String(own)
    return changed === undefined ? null : changed
  })

/** The result of a command: JSON for machines, otherwise as people read it. */
export const show = (asJson: boolean, value: unknown, text: () => string): Effect.Effect<void> =>
  print(asJson ? json(value) : text())

/** Characters of control would let a stranger's text move the cursor or recolour the screen. */
export const plain = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- these are what is taken out
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) =>
    character === "\n" || character === "\t" ? " " : "�",
  )

/** At most `width` characters on a terminal; all of it elsewhere. */
export const short = (text: string, width: number): string => {
  const clean = plain(text)
  return isTerminal() && clean.length > width ? `${clean.slice(0, width - 1)}…` : clean
}

/** A time in UTC, to the second. */
export const time = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace("T", " ")

export interface Column {
  readonly title: string
  readonly right?: boolean
}

/** Rows under titles, columns aligned. Cells are text without styles; `paint` colours a cell once it is padded. */
export const table = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  paint: (cell: string, column: number, row: ReadonlyArray<string>) => string = (cell) => cell,
): string => {
  const widths = columns.map(({ title }, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)),
  )
  const pad = (text: string, i: number): string => {
    if (columns[i]?.right) return text.padStart(widths[i] ?? 0)
    return i === columns.length - 1 ? text : text.padEnd(widths[i] ?? 0)
  }
  const head = columns.map(({ title }, i) => styled("dim", pad(title, i))).join("  ")
  const lines = rows.map((row) => row.map((cell, i) => paint(pad(cell, i), i, row)).join("  "))
  return [head, ...lines].join("\n")
}

/** Milliseconds after which somebody at a terminal wants to see that something goes on. */
const patienceMs = 1_000

/**
 * Shows how far something is while `use` runs, once it takes over a second. `report` is told the text to show.
 */
export const progress = <A, E, R>(
  label: string,
  use: (report: (text: string) => void) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    if (!process.stderr.isTTY) return use(() => {})
    const from = Date.now()
    let text = ""
    let shown = false
    const timer = setInterval(() => {
      const seconds = Math.floor((Date.now() - from) / 1000)
      if (Date.now() - from < patienceMs) return
      shown = true
      process.stderr.write(`\r\u001b[K${label} ${text}${text === "" ? "" : ", "}${seconds} s`)
    }, 200)
    return Effect.ensuring(
      use((next) => void (text = next)),
      Effect.sync(() => {
        clearInterval(timer)
        if (shown) process.stderr.write("\r\u001b[K")
      }),
    )
  })

/** ResultTable: the figures of a run as text for people. */
import type { Broken, Quantity, Result, Row } from "./Figure.ts"

export interface Named {
  readonly name: string
  readonly result: Result | Broken
}

const places = (value: number): number => (value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3)

const quantity = ({ value, unit }: Quantity): string => {
  const digits = places(value)
  const number = value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
  return unit === "/s" ? `${number} /s` : `${number} ${unit}`
}

/** A share of a limit; one of many limits as how many times it holds them. */
const share = (ratio: number | undefined): string => {
  if (ratio === undefined) return ""
  return ratio < 10 ? `${(100 * ratio).toFixed(0)} %` : `${Math.round(ratio).toLocaleString("en-US")} x`
}

const cells = ({ name, measured, limit, ratio, goal }: Row): ReadonlyArray<string> => [
  name,
  quantity(measured),
  limit === undefined ? "" : quantity(limit),
  share(ratio),
  share(goal),
  limit?.name ?? "",
]

const head = ["figure", "measured", "limit", "ratio", "goal", "the limit is"]
const rightAligned = new Set([1, 2, 3, 4])

const row = (line: ReadonlyArray<string>, widths: ReadonlyArray<number>): string =>
  line
    .map((cell, i) => (rightAligned.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
    .join("  ")
    .trimEnd()

const rowsOf = ({ result }: Named): ReadonlyArray<Row> => (result._tag === "Measured" ? result.rows : [])

const linesBelow = ({ result }: Named): ReadonlyArray<string> =>
  result._tag === "Measured" ? result.reckoning : [`not measured: ${result.why}`]

/** One table for all figures, and below it the reckoning of each. */
export const format = (all: ReadonlyArray<Named>): string => {
  const table = all.map(rowsOf).map((rows) => rows.map(cells))
  const widths = head.map((title, i) =>
    Math.max(title.length, ...table.flat().map((line) => line[i]!.length)),
  )
  const rule = widths.map((width) => "─".repeat(width))
  const groups = table.filter((rows) => rows.length > 0)
  return [
    row(head, widths),
    ...groups.flatMap((rows) => [row(rule, widths), ...rows.map((line) => row(line, widths))]),
    "",
    ...all.flatMap((one) =>
      linesBelow(one).map((line, i) => `${(i === 0 ? one.name : "").padEnd(10)} ${line}`),
    ),
    "",
  ].join("\n")
}

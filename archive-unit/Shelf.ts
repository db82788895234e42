/**
 * Shelf: contents that together are one run of numbered things: the slots of a process, the batches of a scheduler.
 * Gives the content that holds a number, whatever the tags say: a wrong tag costs a look and nothing else.
 *
 *     claims 0-99, 90-199 (damaged), 150-249: number 120 is in none, 150 is -> a gap from 120 to 149
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Id from "../runtime/Id.ts"
import type { Listed } from "./Catalog.ts"
import { transactionOf, type Useless } from "./ContentReader.ts"
import type { Library } from "./Library.ts"

/** What an archive should have and does not give, exactly. */
export class ArchiveGap extends Data.TaggedError("ArchiveGap")<{
  readonly what: "slots" | "turns" | "batches"
  /** Whose slots or turns. */
  readonly process: Id.ProcessId | undefined
  readonly first: number
  /** As far as anything says; where only tags do, by their word. */
  readonly last: number
  /** Where contents lie that should hold them and are of no use. */
  readonly transactions: ReadonlyArray<string>
}> {
  override get message(): string {
    const { what, process, first, last, transactions } = this
    const whose = process === undefined ? "" : ` of process ${process}`
    const where =
      transactions.length === 0 ? "no piece has them" : `they should be in ${transactions.join(", ")}`
    return `the archive does not give ${what} ${first} to ${last}${whose}: ${where}`
  }
}

export interface Range {
  readonly first: number
  readonly last: number
}

export interface Claim extends Range {
  readonly listed: Listed
}

interface Kept {
  readonly listed: Listed
  /** By the tags, until the content was read. */
  range: Range
  state: "claimed" | "read" | Useless
}

export interface Shelf<A> {
  /** The content that holds a number; undefined where there is none from there on. */
  readonly at: (number: number) => Effect.Effect<A | undefined, ArchiveGap>
}

const isUseful = ({ state }: Kept): boolean => state === "claimed" || state === "read"

const holds = ({ first, last }: Range, number: number): boolean => first <= number && number <= last

/** What is missing, with the contents that should have it. */
export const gap = (
  what: ArchiveGap["what"],
  process: Id.ProcessId | undefined,
  first: number,
  last: number,
  lost: ReadonlyArray<Pick<Claim, "listed">>,
): ArchiveGap => {
  const transactions = new Set(lost.flatMap(({ listed }) => listed.copies.flat().map(transactionOf)))
  return new ArchiveGap({ what, process, first, last, transactions: [...transactions] })
}

/** `rangeOf` is what a content holds of the run, once it was read; a content holds all of its range. */
export const make = <A extends object>(
  what: ArchiveGap["what"],
  process: Id.ProcessId | undefined,
  library: Library<A>,
  rangeOf: (content: A) => Range | undefined,
  claims: ReadonlyArray<Claim>,
): Shelf<A> => {
  const all = claims
    .toSorted((a, b) => a.first - b.first)
    .map(({ listed, first, last }): Kept => ({ listed, range: { first, last }, state: "claimed" }))

  const open = Effect.fnUntraced(function* (kept: Kept) {
    const content = yield* library.get(kept.listed)
    const range = typeof content === "string" ? undefined : rangeOf(content)
    if (typeof content === "string" || range === undefined) {
      kept.state = typeof content === "string" ? content : "false"
      return undefined
    }
    kept.range = range
    kept.state = "read"
    return content
  })

  /** The first content after this one: it will be asked for. */
  const readAhead = (after: Kept) => {
    const next = all.find((kept) => isUseful(kept) && kept.range.last > after.range.last)
    return next === undefined ? Effect.void : library.ahead(next.listed)
  }

  const missing = (first: number, last: number) =>
    gap(
      what,
      process,
      first,
      last,
      all.filter(({ state, range }) => state === "lost" && range.first <= last && range.last >= first),
    )

  const at = Effect.fnUntraced(function* (number: number) {
    // What was read before is known to hold it.
    const likely = all.filter((kept) => isUseful(kept) && holds(kept.range, number))
    for (const kept of likely.toSorted((a, b) => Number(b.state === "read") - Number(a.state === "read"))) {
      const content = yield* open(kept)
      if (content === undefined || !holds(kept.range, number)) continue
      yield* readAhead(kept)
      return content
    }
    // Whether there is more: the next content that is what it says.
    let after: Kept | undefined
    for (;;) {
      after = all
        .filter((kept) => isUseful(kept) && kept.range.first > number)
        .toSorted((a, b) => a.range.first - b.range.first)[0]
      if (after === undefined || after.state === "read") break
      const content = yield* open(after)
      if (content !== undefined && holds(after.range, number)) return content
    }
    // What is false was never there. What is lost was, by its tags.
    const lost = all.filter(({ range, state }) => state === "lost" && range.last >= number)
    if (after === undefined && lost.length === 0) return undefined
    // What is missing may be in a content that says something else of itself.
    for (const kept of all.filter(({ state }) => state === "claimed")) {
      const content = yield* open(kept)
      if (content !== undefined && holds(kept.range, number)) return content
    }
    return yield* missing(
      number,
      after === undefined ? Math.max(...lost.map(({ range }) => range.last)) : after.range.first - 1,
    )
  })

  return { at }
}

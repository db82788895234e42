/**
 * Content reader: gets a content out of an archive, from whichever copies of its parts are good. What is wrong with the
 * others is told, each by the place where it lies; one that can't be had at all is told too, and is `undefined`.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Archive } from "../runtime/Archive.ts"
import * as Item from "../runtime/Item.ts"
import * as Catalog from "./Catalog.ts"
import * as Piece from "./Piece.ts"
import * as PieceTags from "./PieceTags.ts"

/** What is wrong with a piece, or with a content that its pieces make. */
export interface Problem {
  /** Where the piece lies; of a whole content its first piece. */
  readonly location: string
  /** The transaction of Arweave, or the bundle in a folder, that the piece is in. */
  readonly transaction: string
  /** The content in words, by its tags. */
  readonly content: string
  readonly reason:
    | "not here"
    | "wrong bytes"
    | "not a piece"
    | "other piece"
    | "unavailable"
    | "damaged"
    | "not true"
    | "missing"
  readonly detail: string
}

export type Report = (problem: Problem) => void

/** Hears of bytes that have come. */
export type Progress = (bytes: number) => void

export const transactionOf = (location: string): string => location.split("/", 1)[0]!

export const problem = (
  listed: Catalog.Listed,
  location: string,
  reason: Problem["reason"],
  detail: string,
): Problem => ({
  location,
  transaction: transactionOf(location),
  content: Catalog.describe(listed),
  reason,
  detail,
})

/** A problem of the content as a whole. */
export const problemOf = (listed: Catalog.Listed, reason: Problem["reason"], detail: string): Problem =>
  problem(listed, listed.copies.flat()[0] ?? listed.content, reason, detail)

/** One copy of one part, if it is what its tags said when it was found. */
const readPart = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  listed: Catalog.Listed,
  part: number,
  location: string,
  report: Report,
) {
  const refuse = (reason: Problem["reason"], detail: string) => {
    report(problem(listed, location, reason, detail))
    return undefined
  }
  const bytes = yield* Effect.result(archive.read({ location }))
  if (Result.isFailure(bytes)) {
    const { failure } = bytes
    const reason = failure._tag === "PieceDamaged" ? failure.reason : "unavailable"
    return refuse(reason, failure.detail)
  }
  const piece = Result.flatMap(
    Result.mapError(Item.decode(bytes.success), (error) => error.message),
    (item) => Result.mapError(Piece.read(item), (error) => error.message),
  )
  if (Result.isFailure(piece)) return refuse("not a piece", piece.failure)
  const found = piece.success
  const wanted = JSON.stringify(PieceTags.encode({ ...listed.tags, part }))
  if (found.kind !== "part" || JSON.stringify(PieceTags.encode(found)) !== wanted)
    return refuse("other piece", "its tags are not those that it was found by")
  return found
})

/** Why there is no content: pieces of it are gone, or it is none whoever reads it. */
export type Useless = "lost" | "false"

/** Copies of a content that are tried whole: with each, the next copy of every part that has one. */
const triesMax = 8

/**
 * The bytes of a content. Copies are tried in the order in which they came into the archive, and parts of one content
 * may come from different copies. Without them, it is `lost` where pieces are, and `false` where all are as somebody put
 * them there and make no content.
 */
export const read = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  listed: Catalog.Listed,
  report: Report,
  onBytes: Progress = () => {},
): Effect.fn.Return<Uint8Array | Useless> {
  const next = listed.copies.map(() => 0)
  const parts: Array<Piece.Part | undefined> = listed.copies.map(() => undefined)
  let isLossy = false
  for (let tries = 0; tries < triesMax; tries++) {
    let moved = false
    for (const [part, copies] of listed.copies.entries()) {
      // On another try, a part without another copy stays what it was.
      let fresh: Piece.Part | undefined
      while (fresh === undefined && next[part]! < copies.length) {
        const location = copies[next[part]!]!
        next[part] = next[part]! + 1
        fresh = yield* readPart(archive, listed, part, location, report)
        isLossy ||= fresh === undefined
      }
      if (fresh === undefined) continue
      moved = true
      parts[part] = fresh
      onBytes(fresh.data.length)
    }
    const missing = parts.findIndex((part) => part === undefined)
    if (missing >= 0) {
      const copies = listed.copies[missing]!.length
      const detail = `part ${missing}: ${copies === 0 ? "there is no copy" : `of ${copies} copies none is of use`}`
      report(problemOf(listed, "missing", detail))
      return "lost"
    }
    if (!moved) break
    const content = yield* Effect.result(Piece.content(parts.filter((part) => part !== undefined)))
    if (Result.isSuccess(content)) return content.success
    const from = listed.copies[0]![next[0]! - 1]!
    report(problem(listed, from, "damaged", content.failure.message))
  }
  return isLossy ? "lost" : "false"
})

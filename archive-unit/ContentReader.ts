/**
 * Content reader: gets a content out of an archive, from whichever copies of its parts are good. What is wrong with the
 * others is told, each by the place where it lies; one that can't be had at all is told too, and is `undefined`.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { Verifier } from "../identity/Verifier.ts"
import type { Archive } from "../runtime/Archive.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Catalog from "./Catalog.ts"
import * as Content from "./Content.ts"
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
    | "bad signature"
    | "unavailable"
    | "damaged"
    | "not true"
    | "missing"
  readonly detail: string
}

const digestOf = ({ data }: Piece.Part): string => Bytes.toHex(Hash.sha256(data))

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

/** Signatures that no worker has checked yet are asked for again. */
const signerOf = Effect.fnUntraced(function* (item: Item.Item) {
  if (Content.plainType(item.type.number) === undefined) return undefined
  const verifier = yield* Verifier
  const checked = yield* verifier.verifyItem(item).pipe(
    Effect.as(true),
    Effect.catchTag("SignatureRefused", () => Effect.succeed(false)),
    Effect.retry({ schedule: Schedule.spaced(Limit.deliveryRetryMsMin) }),
    Effect.orDie, // a schedule without an end
  )
  return checked ? Id.fromBytes(Hash.sha256(item.owner)) : undefined
})

interface Got {
  readonly item: Item.Item
  readonly part: Piece.Part
}

/** One copy of one part, if it is what its tags said when it was found. `onLost` hears where bytes can't be had. */
const readPart = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  listed: Catalog.Listed,
  part: number,
  location: string,
  report: Report,
  onLost: () => void,
): Effect.fn.Return<Got | undefined> {
  const refuse = (reason: Problem["reason"], detail: string) => {
    report(problem(listed, location, reason, detail))
    return undefined
  }
  const bytes = yield* Effect.result(archive.read({ location }))
  if (Result.isFailure(bytes)) {
    const { failure } = bytes
    const reason = failure._tag === "PieceDamaged" ? failure.reason : "unavailable"
    if (reason !== "not a piece") onLost()
    return refuse(reason, failure.detail)
  }
  const got = Result.flatMap(
    Result.mapError(Item.decode(bytes.success), (error) => error.message),
    (item) =>
      Result.mapError(
        Result.map(Piece.read(item), (piece) => ({ item, piece })),
        (error) => error.message,
      ),
  )
  if (Result.isFailure(got)) return refuse("not a piece", got.failure)
  const { item, piece } = got.success
  const wanted = JSON.stringify(PieceTags.encode({ ...listed.tags, part }))
  if (piece.kind !== "part" || JSON.stringify(PieceTags.encode(piece)) !== wanted)
    return refuse("other piece", "its tags are not those that it was found by")
  return { item, part: piece }
})

/** Why there is no content: pieces of it are gone, or it is none whoever reads it. */
export type Useless = "lost" | "false"

/** A copy of a part by who signed it and what it carries. */
interface Copy {
  readonly location: string
  readonly signer: Id.Address
  readonly digest: string
}

/** Parts of several signers that are tried together, where no signer has all of them. */
const mixedMax = 16

/** One of each, the first changing slowest. */
function* choices<A>(of: ReadonlyArray<ReadonlyArray<A>>): Generator<ReadonlyArray<A>> {
  const [first, ...rest] = of
  if (first === undefined) yield []
  else for (const one of first) for (const others of choices(rest)) yield [one, ...others]
}

/**
 * The bytes of a content. The first copies of its parts are taken, as they come; where these make no content, all copies
 * are looked at, and what one key has signed is tried together: nobody can put something between the parts of somebody
 * else. Then parts of different signers are, as many times as there is a limit.
 *
 * Without them, it is `lost` where pieces can't be had, and where one of those who are `believed` has signed some of its
 * parts and others are not there; what anybody else has signed claims nothing. It is `false` where all are as somebody
 * put them there and make no content. With nobody `believed`, what is not decided is `lost`.
 */
export const read = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  listed: Catalog.Listed,
  report: Report,
  onBytes: Progress = () => {},
  believed?: ReadonlyArray<Id.Address>,
): Effect.fn.Return<Uint8Array | Useless, never, Verifier> {
  let isLost = false
  const told = new Set<string>()
  const get = (part: number, location: string) =>
    readPart(
      archive,
      listed,
      part,
      location,
      (one) => {
        if (!told.has(location)) report(one)
        told.add(location)
      },
      () => void (isLost = true),
    ).pipe(Effect.tap((got) => Effect.sync(() => got && onBytes(got.part.data.length))))

  /** Digests of parts that were joined, as text. */
  const tried = new Set<string>()
  /** The content, if they make one; where the bytes are those that the tags name, nothing else is tried. */
  const join = Effect.fnUntraced(function* (parts: ReadonlyArray<Piece.Part>, from: string) {
    tried.add(parts.map(digestOf).join(" "))
    const content = yield* Effect.result(Piece.content(parts))
    if (Result.isSuccess(content)) return content.success
    report(problem(listed, from, "damaged", content.failure.message))
    return content.failure.reason === "hash" ? undefined : ("false" as const)
  })

  const numbers = listed.copies.map((_, part) => part)
  const firsts: Array<Piece.Part> = []
  const places: Array<string> = []
  for (const part of numbers) {
    for (const location of listed.copies[part]!) {
      const got = yield* get(part, location)
      if (got === undefined) continue
      firsts.push(got.part)
      places.push(location)
      break
    }
    if (firsts.length <= part) break
  }
  const missing = firsts.length < numbers.length ? firsts.length : undefined
  const first = missing === undefined ? yield* join(firsts, places[0]!) : undefined
  if (first !== undefined) return first
  firsts.length = 0
  if (missing !== undefined) {
    const copies = listed.copies[missing]!.length
    const detail = `part ${missing}: ${copies === 0 ? "there is no copy" : `of ${copies} copies none is of use`}`
    report(problemOf(listed, "missing", detail))
    if (isLost || believed === undefined) return "lost"
  }

  // Who signed which part: one is in memory at a time.
  const found: Array<Array<Copy>> = []
  for (const part of numbers) {
    const copies: Array<Copy> = []
    for (const location of listed.copies[part]!) {
      const got = told.has(location) ? undefined : yield* get(part, location)
      const signer = got && (yield* signerOf(got.item))
      if (got !== undefined && signer === undefined)
        report(problem(listed, location, "bad signature", "nobody has signed what stands there"))
      if (got !== undefined && signer !== undefined)
        copies.push({ location, signer, digest: digestOf(got.part) })
    }
    found.push(copies)
  }
  const signers = new Set(found.flat().map(({ signer }) => signer))
  const bySigner = Array.from(signers, (signer) => ({
    signer,
    copies: found.map((copies) => copies.find((copy) => copy.signer === signer)),
  }))

  const attempt = Effect.fnUntraced(function* (copies: ReadonlyArray<Copy>) {
    if (tried.has(copies.map(({ digest }) => digest).join(" "))) return undefined
    const parts: Array<Piece.Part> = []
    for (const [part, { digest }] of copies.entries()) {
      // What could be had a moment ago may be had elsewhere only.
      for (const copy of found[part]!) {
        if (copy.digest !== digest) continue
        const got = yield* get(part, copy.location)
        if (got === undefined || digestOf(got.part) !== digest) continue
        parts.push(got.part)
        break
      }
      if (parts.length <= part) return undefined
    }
    return yield* join(parts, copies[0]!.location)
  })

  if (missing === undefined) {
    for (const { copies } of bySigner) {
      const whole = copies.filter((copy) => copy !== undefined)
      const content = whole.length === numbers.length ? yield* attempt(whole) : undefined
      if (content !== undefined) return content
    }
    const distinct = found.map((copies) => [...new Map(copies.map((copy) => [copy.digest, copy])).values()])
    let mixed = 0
    for (const choice of choices(distinct)) {
      if (mixed++ >= mixedMax) break
      const content = yield* attempt(choice)
      if (content !== undefined) return content
    }
    if (mixed > mixedMax && believed === undefined) return "lost"
  }
  const isClaimed = bySigner.some(
    ({ signer, copies }) => believed?.includes(signer) === true && copies.includes(undefined),
  )
  return isLost || isClaimed ? "lost" : "false"
})

/**
 * Archive: where what a node has done is kept for good, outside the node. What goes in is a bundle of pieces, paid for
 * once; what comes out was checked against what its location commits to, and its meaning is for the reader to check.
 *
 *     prepare -> transfer (durable with the caller) -> upload -> status: absent, pending, confirmed -> find -> read
 *
 * `prepare` signs and sends nothing, so that after a crash the same transfer goes on and nothing is paid twice. Another
 * is made only once the first is `void`: it is nowhere, and can never be anywhere.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import * as Bundles from "./Bundle.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import type * as Item from "./Item.ts"
import * as Limit from "./Limit.ts"
import type * as Tag from "./Tag.ts"

/** What goes to an archive at once: an ANS-104 bundle of items, the pieces. */
export interface Bundle {
  /** SHA-256 of `bytes`. */
  readonly id: Id.Id
  readonly bytes: Uint8Array
  readonly pieces: ReadonlyArray<Item.Item>
}

/** One way of one bundle into one archive. A caller keeps it as it is, and gives it back after a crash. */
export interface Transfer {
  /** Names the transfer where it goes: a transaction's id. */
  readonly id: Id.Id
  /** The bundle's id. */
  readonly bundle: Id.Id
  /** Bytes that go over the wire: what `Progress.total` says. */
  readonly bytes: number
  /** What it takes from the wallet, in winston. */
  readonly cost: bigint
  /** What the archive needs beside the bundle's bytes to go on; opaque. */
  readonly record: Uint8Array
}

/** Bytes of a transfer that the archive has taken. */
export interface Progress {
  readonly sent: number
  readonly total: number
}

/**
 * Where a transfer stands. `confirmed` in block `height` with `confirmations` blocks, its own included; a fork can make
 * it `pending` or `absent` again. `void` is for good: the transfer is in no block and no block can take it any more.
 */
export type Status =
  | { readonly _tag: "absent" }
  | { readonly _tag: "pending" }
  | { readonly _tag: "confirmed"; readonly height: number; readonly confirmations: number }
  | { readonly _tag: "void" }

/** Pieces that have, for each of `tags`, a tag of that name with one of the values. */
export interface Query {
  readonly tags: ReadonlyArray<{ readonly name: string; readonly values: ReadonlyArray<string> }>
  /** Leaves out what was confirmed below this height. */
  readonly heightMin?: number
}

/** A piece as an index knows it: a hint, until it is read. */
export interface Found {
  /** Where the piece lies, for the archive that found it; text that can be kept. */
  readonly location: string
  readonly tags: ReadonlyArray<Tag.Tag>
  /** Bytes of the piece. */
  readonly size: number
  /** Block that it is in; undefined while it is in none. */
  readonly height: number | undefined
}

/** The archive did not answer as it should, from any of its gateways. Asking again later is right. */
export class ArchiveUnavailable extends Data.TaggedError("ArchiveUnavailable")<{
  /** The gateway that failed last, or the folder. */
  readonly gateway: string
  /** The transaction or bundle concerned, where it is one. */
  readonly transaction: string | undefined
  readonly reason: "no answer" | "busy" | "refused" | "wrong answer" | "io" | "full"
  readonly detail: string
}> {
  override get message(): string {
    const what = this.transaction === undefined ? "" : ` about ${this.transaction}`
    return `archive ${this.gateway}: ${this.reason}${what}: ${this.detail}`
  }
}

/** A bundle or transfer that this archive does not take, however often it is asked. */
export class ArchiveRefused extends Data.TaggedError("ArchiveRefused")<{
  readonly reason: "empty" | "too large" | "too many pieces" | "no wallet" | "too dear" | "transfer"
  readonly detail: string
}> {
  override get message(): string {
    return `the archive refuses (${this.reason}): ${this.detail}`
  }
}

/** The transfer can never be confirmed: make another with `prepare`. */
export class TransferVoid extends Data.TaggedError("TransferVoid")<{ readonly transfer: Id.Id }> {
  override get message(): string {
    return `transfer ${this.transfer} is in no block and too old to get into one`
  }
}

/** What lies at a location is not what the location commits to, or is no piece. */
export class PieceDamaged extends Data.TaggedError("PieceDamaged")<{
  readonly location: string
  /** Who gave the bytes. */
  readonly gateway: string
  readonly reason: "not here" | "wrong bytes" | "not a piece"
  readonly detail: string
}> {
  override get message(): string {
    return `piece ${this.location} from ${this.gateway}: ${this.reason}: ${this.detail}`
  }
}

export class Archive extends Context.Service<
  Archive,
  {
    /** Where it is, for people. */
    readonly name: string
    /** What a bundle of so many bytes takes from the wallet, in winston. */
    readonly price: (bytes: number) => Effect.Effect<bigint, ArchiveUnavailable>
    /** Makes and signs a transfer, and sends nothing. Each call makes another one. */
    readonly prepare: (bundle: Bundle) => Effect.Effect<Transfer, ArchiveUnavailable | ArchiveRefused>
    /**
     * Sends what is not there yet; `bytes` are those of the bundle. Called again, it goes on where it stood; after a
     * restart from `sent`, the last that `onProgress` said. `sent` 0 sends all bytes again, and costs nothing.
     */
    readonly upload: (
      transfer: Transfer,
      bytes: Uint8Array,
      onProgress?: (progress: Progress) => void,
      sent?: number,
    ) => Effect.Effect<void, ArchiveUnavailable | ArchiveRefused | TransferVoid>
    /** Whether all that a transfer commits to can be read back, every byte of it checked. */
    readonly holds: (transfer: Transfer) => Effect.Effect<boolean, ArchiveUnavailable | ArchiveRefused>
    readonly status: (transfer: Transfer) => Effect.Effect<Status, ArchiveUnavailable | ArchiveRefused>
    /** Newest block; of a folder: the number of its bundles. */
    readonly height: Effect.Effect<number, ArchiveUnavailable>
    /** Oldest first; what is in no block comes last, or not at all. */
    readonly find: (query: Query) => Stream.Stream<Found, ArchiveUnavailable>
    /** The whole piece, an item. */
    readonly read: (
      found: Pick<Found, "location">,
    ) => Effect.Effect<Uint8Array, ArchiveUnavailable | PieceDamaged>
  }
>()("heddle/Archive") {}

/** Pieces as a bundle. */
export const bundle = (pieces: ReadonlyArray<Item.Item>): Bundle => {
  const bytes = Bundles.encode(pieces)
  return { id: Id.fromBytes(Hash.sha256(bytes)), bytes, pieces }
}

/** The bundle that `bytes` are. */
export const readBundle = (bytes: Uint8Array): Result.Result<Bundle, Bundles.BundleInvalid> =>
  Result.map(Bundles.decode(bytes), (pieces) => ({ id: Id.fromBytes(Hash.sha256(bytes)), bytes, pieces }))

/** Why no archive takes this bundle. */
export const refusal = ({ bytes, pieces }: Bundle): ArchiveRefused | undefined => {
  if (pieces.length === 0)
    return new ArchiveRefused({ reason: "empty", detail: "a bundle has at least one piece" })
  if (pieces.length > Limit.archivePiecesMax)
    return new ArchiveRefused({
      reason: "too many pieces",
      detail: `${pieces.length} pieces; at most ${Limit.archivePiecesMax} are allowed`,
    })
  const large = pieces.find((piece) => piece.bytes.length > Limit.archivePieceBytesMax)
  if (large !== undefined)
    return new ArchiveRefused({
      reason: "too large",
      detail: `piece ${large.id} has ${large.bytes.length} bytes; at most ${Limit.archivePieceBytesMax} are allowed`,
    })
  if (bytes.length > Limit.archiveBundleBytesMax)
    return new ArchiveRefused({
      reason: "too large",
      detail: `${bytes.length} bytes; at most ${Limit.archiveBundleBytesMax} are allowed`,
    })
  return undefined
}

/** Whether a piece of these tags answers the query. */
export const matches = (query: Query, tags: ReadonlyArray<Tag.Tag>): boolean =>
  query.tags.every(({ name, values }) => tags.some((tag) => tag.name === name && values.includes(tag.value)))

/**
 * Carrier: how a piece rides on Arweave. Gateways don't know the signature types of pieces and would index none of
 * them, so each piece is the data of an item of type 1, signed by the operator's wallet, with the piece's tags over
 * again. A transaction's data is the ANS-104 bundle of the carriers:
 *
 *     transaction -> bundle -> carrier (RSA, tags) -> piece (ML-DSA, the same tags) -> content
 *
 * For gateways that unpack no bundles the transaction has tags of its own: of each name in `indexed` the values that
 * its pieces have, `Process` last; where not all fit into 2,048 bytes, `*` stands for those that are left out. So a
 * search by tag asks for the value or `*`.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { refusal, type ArchiveRefused, type Bundle, type Query } from "./Archive.ts"
import * as ArweaveTransaction from "./ArweaveTransaction.ts"
import * as ArweaveWallet from "./ArweaveWallet.ts"
import * as Bundles from "./Bundle.ts"
import * as Bytes from "./Bytes.ts"
import * as Item from "./Item.ts"
import * as Limit from "./Limit.ts"
import { arweave } from "./SignatureType.ts"
import * as Tag from "./Tag.ts"

/** Tags by which a transaction itself can be found, in the order in which they get room. */
export const indexed = [
  "Data-Protocol",
  "Variant",
  "Type",
  "Scheduler",
  "Compute",
  "Module",
  "Engine",
  "Process",
]

/** Stands for values that had no room. */
export const rest = "*"

const format: ReadonlyArray<Tag.Tag> = [
  { name: "Bundle-Format", value: "binary" },
  { name: "Bundle-Version", value: "2.0.0" },
]

/** Tags of a transaction that carries these pieces. */
export const transactionTags = (pieces: ReadonlyArray<Pick<Item.Item, "tags">>): ReadonlyArray<Tag.Tag> => {
  const all = pieces.flatMap(({ tags }) => tags)
  const values = indexed.map((name) => ({
    name,
    values: [...new Set(all.filter((tag) => tag.name === name).map(({ value }) => value))],
  }))
  const tags = [...format]
  let bytes = ArweaveTransaction.tagBytes(format)
  for (const [index, { name, values: some }] of values.entries()) {
    // What each name still to come needs to say that something was left out.
    const later = values.slice(index + 1).filter(({ values }) => values.length > 0)
    const kept = later.reduce((sum, { name }) => sum + name.length + rest.length, 0)
    const room = (value: string, more: number) =>
      bytes + ArweaveTransaction.tagBytes([{ name, value }]) + more <= Limit.transactionTagsBytesMax - kept &&
      tags.length + 1 + later.length + (more > 0 ? 1 : 0) <= Limit.tagsMax
    for (const [place, value] of some.entries()) {
      const last = place === some.length - 1
      const fits = room(value, last ? 0 : name.length + rest.length)
      const tag = { name, value: fits ? value : rest }
      tags.push(tag)
      bytes += ArweaveTransaction.tagBytes([tag])
      if (!fits) break
    }
  }
  return tags
}

/** The search for transactions whose pieces may answer `query`. */
export const transactionQuery = (query: Query): Query => ({
  ...query,
  tags: [
    ...format.map(({ name, value }) => ({ name, values: [value] })),
    ...query.tags
      .filter(({ name }) => indexed.includes(name))
      .map(({ name, values }) => ({ name, values: [...values, rest] })),
  ],
})

const content = (owner: Uint8Array, piece: Item.Item): Item.Content => {
  const made = Item.content({ type: arweave, owner, tags: piece.tags, data: piece.bytes })
  // The tags were read from an item, and the owner is a wallet's: both are as an item has them.
  if (Result.isFailure(made)) throw new RangeError(made.failure.message)
  return made.success
}

/** The wallet's signatures under the carriers of a bundle, in order: with the bundle, all of a transaction's data. */
export const sign = (
  wallet: ArweaveWallet.Wallet,
  bundle: Bundle,
): Effect.Effect<ReadonlyArray<Uint8Array>, ArchiveRefused> => {
  const refused = refusal(bundle)
  if (refused !== undefined) return Effect.fail(refused)
  return Effect.forEach(
    bundle.pieces,
    (piece) =>
      Effect.suspend(() => ArweaveWallet.sign(wallet, Item.signingHash(content(wallet.owner, piece)))),
    { concurrency: 2 },
  )
}

/** A transaction's data: the pieces, each in its carrier. */
export const data = (
  owner: Uint8Array,
  pieces: ReadonlyArray<Item.Item>,
  signatures: ReadonlyArray<Uint8Array>,
): Result.Result<Uint8Array, Item.ItemInvalid> => {
  const carriers: Array<Item.Item> = []
  for (const [index, piece] of pieces.entries()) {
    const carrier = Item.encode(content(owner, piece), signatures[index] ?? Bytes.empty)
    if (Result.isFailure(carrier)) return Result.fail(carrier.failure)
    carriers.push(carrier.success)
  }
  return Result.succeed(Bundles.encode(carriers))
}

/** The piece in a carrier, or why there is none. `bytes` are those at the place that a bundle gives the carrier. */
export const piece = (id: Uint8Array, bytes: Uint8Array): Result.Result<Item.Item, string> => {
  const carrier = Item.decode(bytes)
  if (Result.isFailure(carrier)) return Result.fail(carrier.failure.message)
  if (Bytes.toBase64Url(id) !== carrier.success.id)
    return Result.fail(`the bundle's table calls it ${Bytes.toBase64Url(id)}, it is ${carrier.success.id}`)
  const inside = Item.decode(carrier.success.data)
  if (Result.isFailure(inside)) return Result.fail(inside.failure.message)
  return Bytes.equal(inside.success.tagBytes, carrier.success.tagBytes)
    ? Result.succeed(inside.success)
    : Result.fail("carrier and piece have different tags")
}

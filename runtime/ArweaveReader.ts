/**
 * Reader of transactions: bytes of their data, each of them proved by the transaction's own signature.
 *
 * A gateway gives the transaction (signature and id are checked), then chunks with their paths to the signed root. One
 * that gives no chunks may give the data in one piece, and the root is computed again. What is wrong names its gateway,
 * and the next one is asked; a chunk once proved stays proved, whoever gave it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Gateway from "./ArweaveGateway.ts"
import * as ArweaveData from "./ArweaveData.ts"
import * as Transaction from "./ArweaveTransaction.ts"
import * as Bundle from "./Bundle.ts"
import * as Bytes from "./Bytes.ts"
import * as Carrier from "./Carrier.ts"
import * as Item from "./Item.ts"
import type * as Id from "./Id.ts"
import * as Limit from "./Limit.ts"
import type * as Tag from "./Tag.ts"

type Failures = Gateway.GatewaysFailed

/** Bytes of a carrier in which its tags have ended. */
const carrierHeadBytesMax = 8 * 1024

/** Bytes of the answer that holds one chunk: 256 KiB and a path, in base64url. */
const chunkAnswerBytesMax = 512 * 1024

/** A piece in a transaction, before it is read. */
export interface Carried {
  readonly carrier: Uint8Array
  readonly tags: ReadonlyArray<Tag.Tag>
  readonly size: number
}

/** Bytes of the data that are proved. */
interface Proved {
  readonly from: number
  readonly to: number
  readonly bytes: Uint8Array
}

const fields = (bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(Bytes.toText(bytes) ?? "")
    return typeof value === "object" && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined // an object
  } catch {
    return undefined
  }
}

const bytesIn = (value: unknown): Uint8Array | undefined =>
  typeof value === "string" ? Bytes.fromBase64Url(value) : undefined

export const make = (gateways: ReadonlyArray<string>) => {
  const heads = new Map<Id.Id, Transaction.Transaction>()

  const headFrom = (gateway: string, id: Id.Id): Gateway.Way<Transaction.Transaction> =>
    Effect.flatMap(Gateway.ask(gateway, { path: `/tx/${id}` }), (answer) => {
      const failed = (reason: Gateway.GatewayFailed["reason"], detail: string) =>
        Effect.fail(new Gateway.GatewayFailed({ gateway, reason, detail: `transaction ${id}: ${detail}` }))
      if (answer.status !== 200) return failed("not here", Gateway.said(answer))
      const read = Transaction.fromJson(Bytes.toText(answer.bytes) ?? "")
      if (Result.isFailure(read)) return failed("wrong bytes", read.failure)
      if (read.success.id !== id) return failed("wrong bytes", `it gave ${read.success.id}`)
      return Transaction.verify(read.success)
        ? Effect.succeed(read.success)
        : failed("wrong bytes", "its signature is not its owner's")
    })

  const head = Effect.fnUntraced(function* (id: Id.Id): Effect.fn.Return<Transaction.Transaction, Failures> {
    const known = heads.get(id)
    if (known !== undefined) return known
    const found = yield* Gateway.inTurn(gateways.map((gateway) => headFrom(gateway, id)))
    if (heads.size >= Limit.archiveHeadsMax) heads.clear()
    heads.set(id, found)
    return found
  })

  /** The chunk at byte `at` of the data, from one gateway. */
  const chunkFrom = (gateway: string, of: Transaction.Transaction, at: number): Gateway.Way<Proved> =>
    Effect.gen(function* () {
      const failed = (reason: Gateway.GatewayFailed["reason"], detail: string) =>
        new Gateway.GatewayFailed({ gateway, reason, detail: `transaction ${of.id}, byte ${at}: ${detail}` })
      const place = yield* Gateway.ask(gateway, { path: `/tx/${of.id}/offset` })
      if (place.status !== 200) return yield* failed("not here", Gateway.said(place))
      const { offset, size } = fields(place.bytes) ?? {}
      const start = Number(offset) - of.dataBytes + 1
      if (String(of.dataBytes) !== size || !Number.isSafeInteger(start) || start < 0)
        return yield* failed("wrong answer", `it is said to end at ${Gateway.said(place)}`)
      const answer = yield* Gateway.ask(gateway, {
        path: `/chunk/${start + at}`,
        bytesMax: chunkAnswerBytesMax,
      })
      if (answer.status !== 200) return yield* failed("not here", `no chunk: ${Gateway.said(answer)}`)
      const { chunk, data_path } = fields(answer.bytes) ?? {}
      const [bytes, path] = [bytesIn(chunk), bytesIn(data_path)]
      if (bytes === undefined || path === undefined) return yield* failed("wrong answer", "it is no chunk")
      const proved = yield* ArweaveData.place(of.dataRoot, of.dataBytes, at, bytes, path)
      if (proved === undefined)
        return yield* failed("wrong bytes", `its chunk of ${bytes.length} bytes is not under the signed root`)
      return { ...proved, bytes }
    })

  /** All of the data, from one gateway. */
  const wholeFrom = (gateway: string, of: Transaction.Transaction): Gateway.Way<Proved> =>
    Effect.gen(function* () {
      const failed = (reason: Gateway.GatewayFailed["reason"], detail: string) =>
        new Gateway.GatewayFailed({ gateway, reason, detail: `data of ${of.id}: ${detail}` })
      const answer = yield* Gateway.ask(gateway, { path: `/${of.id}`, bytesMax: of.dataBytes })
      if (answer.status !== 200) return yield* failed("not here", Gateway.said(answer))
      if (answer.bytes.length !== of.dataBytes)
        return yield* failed("wrong bytes", `${answer.bytes.length} bytes of ${of.dataBytes}`)
      const { root } = yield* ArweaveData.tree(answer.bytes)
      return Bytes.equal(root, of.dataRoot)
        ? { from: 0, to: of.dataBytes, bytes: answer.bytes }
        : yield* failed("wrong bytes", "they are not under the signed root")
    })

  /** A window on the data of one transaction, which keeps what it has proved. */
  const open = Effect.fnUntraced(function* (id: Id.Id) {
    const of = yield* head(id)
    const proved: Array<Proved> = []
    let order = gateways
    const at = (byte: number): Effect.Effect<Proved, Failures> => {
      const known = proved.find(({ from, to }) => from <= byte && byte < to)
      if (known !== undefined) return Effect.succeed(known)
      const ways = [chunkFrom, wholeFrom].flatMap((from) =>
        order.map((gateway) => Effect.map(from(gateway, of, byte), (found) => ({ gateway, found }))),
      )
      return Effect.map(Gateway.inTurn(ways), ({ gateway, found }) => {
        order = Gateway.firstOf(order, gateway)
        proved.push(found)
        return found
      })
    }
    const range = Effect.fnUntraced(function* (
      from: number,
      to: number,
    ): Effect.fn.Return<Uint8Array, Failures> {
      const parts: Array<Uint8Array> = []
      for (let byte = from; byte < to;) {
        const part = yield* at(byte)
        parts.push(part.bytes.subarray(byte - part.from, Math.min(to, part.to) - part.from))
        byte = part.to
      }
      return Bytes.concat(parts)
    })
    /** The table of carriers; a name for what is wrong where the data is no bundle of carriers. */
    const places = Effect.gen(function* () {
      if (of.dataBytes < 32) return Result.fail("the data is no bundle")
      const table = Bundle.tableBytes(yield* range(0, 32))
      if (Result.isFailure(table)) return Result.fail(table.failure.message)
      const length = Math.min(table.success, of.dataBytes)
      if (length > 32 + 64 * Limit.archivePiecesMax) return Result.fail("the bundle has too many items")
      return Result.mapError(Bundle.places(yield* range(0, length), of.dataBytes), ({ message }) => message)
    })
    return { range, places }
  })

  return {
    head,

    /** All of its data, proved. */
    data: Effect.fnUntraced(function* (id: Id.Id): Effect.fn.Return<Uint8Array, Failures> {
      const { range } = yield* open(id)
      return yield* range(0, (yield* head(id)).dataBytes)
    }),

    /** What a transaction carries, by the heads of its carriers; nothing where it carries something else. */
    carried: Effect.fnUntraced(function* (id: Id.Id): Effect.fn.Return<ReadonlyArray<Carried>, Failures> {
      const { range, places } = yield* open(id)
      const table = yield* places
      if (Result.isFailure(table)) return []
      const found: Array<Carried> = []
      for (const { id: carrier, from, to } of table.success) {
        const bytes = yield* range(from, Math.min(to, from + carrierHeadBytesMax))
        const item = Item.decode(bytes)
        if (Result.isFailure(item)) continue
        const { tags, data } = item.success
        found.push({ carrier, tags, size: to - from - (bytes.length - data.length) })
      }
      return found
    }),

    /** The piece in one carrier, or why there is none. */
    piece: Effect.fnUntraced(function* (
      id: Id.Id,
      carrier: Uint8Array,
    ): Effect.fn.Return<Result.Result<Item.Item, string>, Failures> {
      const { range, places } = yield* open(id)
      const table = yield* places
      if (Result.isFailure(table)) return Result.fail(table.failure)
      const place = table.success.find((one) => Bytes.equal(one.id, carrier))
      if (place === undefined) return Result.fail(`the transaction has no item ${Bytes.toBase64Url(carrier)}`)
      if (place.to - place.from > Limit.itemBytesMax)
        return Result.fail(`the item has over ${Limit.itemBytesMax} bytes`)
      return Carrier.piece(carrier, yield* range(place.from, place.to))
    }),
  }
}

export type Reader = ReturnType<typeof make>

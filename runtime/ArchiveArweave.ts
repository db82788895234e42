/**
 * Archive on Arweave, through gateways of which none is believed.
 *
 * A transfer is one signed transaction. It is sent to every gateway that does not know it, and its chunks to the first
 * that takes them. Where it stands is the least that the gateways say, by the lowest height among them. It is void only
 * when every gateway answers that it knows nothing of it, and so many blocks after its anchor that no fork can bring it
 * back: a gateway that is silent keeps a second payment from being made.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import {
  Archive,
  ArchiveRefused,
  PieceDamaged,
  type Progress,
  readBundle,
  refusal,
  type Status,
  TransferVoid,
} from "./Archive.ts"
import * as ArweaveData from "./ArweaveData.ts"
import * as Gateway from "./ArweaveGateway.ts"
import * as ArweaveIndex from "./ArweaveIndex.ts"
import * as ArweaveReader from "./ArweaveReader.ts"
import * as Network from "./ArweaveNetwork.ts"
import * as Transaction from "./ArweaveTransaction.ts"
import * as ArweaveTransfer from "./ArweaveTransfer.ts"
import type * as ArweaveWallet from "./ArweaveWallet.ts"
import * as Bytes from "./Bytes.ts"
import * as Carrier from "./Carrier.ts"
import * as Id from "./Id.ts"
import * as Limit from "./Limit.ts"

export interface Options {
  /** At least one, such as `https://arweave.net`; they are asked in this order. */
  readonly gateways: ReadonlyArray<string>
  /** Pays and signs. Without one the archive is read only. */
  readonly wallet?: ArweaveWallet.Wallet | undefined
  /** The most that one transaction may cost, in winston. */
  readonly costMax: bigint
}

/** The lower of the two in the middle: one gateway alone moves it neither up nor down past all others. */
const median = (values: ReadonlyArray<bigint>): bigint | undefined =>
  values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))[(values.length - 1) >> 1]

/** Whether every gateway answered, and none had the bytes: one that did not answer may have them. */
const isFinal = ({ failures }: Gateway.GatewaysFailed): boolean =>
  failures.every(({ reason }) => reason === "wrong bytes" || reason === "not here")

export const make = ({ gateways, wallet, costMax }: Options): Archive["Service"] => {
  if (gateways.length === 0) throw new RangeError("an archive on Arweave has at least one gateway")
  const name = `Arweave through ${gateways.join(", ")}`
  const reader = ArweaveReader.make(gateways)
  /** How far uploads of this run have come. */
  const progress = new Map<Id.Id, number>()
  let uploads = 0

  /** Good answers of all gateways; those of none are a failure. */
  const all = Effect.fnUntraced(function* <A>(
    ask: (gateway: string) => Gateway.Way<A>,
    transaction?: string,
  ) {
    const answers = yield* Gateway.fromEach(gateways.map(ask))
    const good = answers.filter(Result.isSuccess).map(({ success }) => success)
    const failures = answers.filter(Result.isFailure).map(({ failure }) => failure)
    if (good.length === 0) return yield* Gateway.unavailable({ failures }, transaction)
    return { good, failures }
  })

  const height = Effect.map(all(Network.height), ({ good }) => Math.min(...good))

  /**
   * A height that no anchor known now is above: the highest that a gateway says, since one that lags would have a
   * transaction given up that can still be mined. A gateway that says too much can put that off, not forever.
   */
  const heightAfter = Effect.gen(function* () {
    const { good, failures } = yield* all(Network.height)
    if (failures.length > 0) return yield* Gateway.unavailable({ failures })
    const middle = Number(median(good.map(BigInt))!) // of at least one
    return Math.min(Math.max(...good), middle + 2 * Limit.anchorBlocksMax)
  })

  const price = (bytes: number) =>
    Effect.map(
      all((gateway) => Network.price(gateway, bytes)),
      ({ good }) => median(good)!, // of at least one
    )

  const statusOf = Effect.fnUntraced(function* ({
    transaction: { id },
    anchorHeight,
  }: ArweaveTransfer.Record) {
    const { good, failures } = yield* all((gateway) => Network.known(gateway, id), id)
    const heights = yield* all(Network.height, id)
    const newest = Math.min(...heights.good)
    const silent = failures.length + heights.failures.length
    const absent = good.filter((known) => known === "absent").length
    const nowhere = absent === good.length
    const say = (status: Status) => ({ status, nowhere })
    if (absent > 0) {
      const late = newest > anchorHeight + Limit.anchorBlocksMax + Limit.forkBlocksMax
      return say({ _tag: late && nowhere && silent === 0 ? "void" : "absent" })
    }
    const blocks = good.filter((known) => typeof known === "number")
    const at = Math.max(...blocks)
    // Of several gateways more than half have to know of the block.
    const few = 2 * blocks.length <= gateways.length
    if (blocks.length < good.length || few || at > newest) return say({ _tag: "pending" })
    return say({ _tag: "confirmed", height: at, confirmations: newest - at + 1 })
  })

  /** Sends the transaction to all who don't know it; one that has it is enough. */
  const announce = Effect.fnUntraced(function* (transaction: Transaction.Transaction) {
    const { id } = transaction
    yield* all(
      (gateway) =>
        Effect.flatMap(Network.known(gateway, id), (known) =>
          known === "absent" ? Network.post(gateway, transaction) : Effect.void,
        ),
      id,
    )
  })

  const send = Effect.fnUntraced(function* (
    id: Id.Id,
    data: Uint8Array,
    tree: ArweaveData.Tree,
    from: number,
    onProgress: (progress: Progress) => void,
  ) {
    // Another gateway first each time: one that takes chunks and loses them is not asked first twice. Within one
    // upload the one that took the last chunk is.
    let order: ReadonlyArray<string> = gateways.map(
      (_, index) => gateways[(index + uploads) % gateways.length]!,
    )
    uploads += 1
    for (const chunk of tree.chunks) {
      if (chunk.to <= from) continue
      const body = ArweaveData.chunkJson(data, tree, chunk)
      const took = yield* Effect.mapError(
        Gateway.inTurn(
          order.map((gateway) => Effect.as(Network.postChunk(gateway, id, chunk.from, body), gateway)),
        ),
        (error) => Gateway.unavailable(error, id),
      )
      order = Gateway.firstOf(order, took)
      if (progress.size >= Limit.archiveHeadsMax) progress.clear()
      progress.set(id, chunk.to)
      onProgress({ sent: chunk.to, total: data.length })
    }
  })

  return Archive.of({
    name,
    price,
    height,

    prepare: Effect.fnUntraced(function* (bundle) {
      if (wallet === undefined)
        return yield* new ArchiveRefused({ reason: "no wallet", detail: "there is no wallet to pay from" })
      const refused = refusal(bundle)
      if (refused !== undefined) return yield* refused
      const signatures = yield* Carrier.sign(wallet, bundle)
      const data = Result.getOrThrow(Carrier.data(wallet.owner, bundle.pieces, signatures)) // within the limits
      const { root } = yield* ArweaveData.tree(data)
      const reward = yield* price(data.length)
      if (reward > costMax)
        return yield* new ArchiveRefused({
          reason: "too dear",
          detail: `${data.length} bytes cost ${reward} winston; at most ${costMax} may be paid`,
        })
      const anchor = yield* Effect.mapError(Gateway.inTurn(gateways.map(Network.anchor)), (error) =>
        Gateway.unavailable(error),
      )
      const anchorHeight = yield* heightAfter
      const tags = Carrier.transactionTags(bundle.pieces)
      const transaction = yield* Transaction.sign(wallet, {
        anchor,
        tags,
        dataBytes: data.length,
        dataRoot: root,
        reward,
      })
      const record = ArweaveTransfer.encode({ transaction, anchorHeight, signatures })
      return { id: transaction.id, bundle: bundle.id, bytes: data.length, cost: reward, record }
    }),

    upload: Effect.fnUntraced(function* (transfer, bytes, onProgress = () => undefined, sent) {
      const record = yield* Effect.fromResult(ArweaveTransfer.decode(transfer))
      const { transaction, signatures } = record
      const refuse = (detail: string) => new ArchiveRefused({ reason: "transfer", detail })
      const bundle = readBundle(bytes)
      if (Result.isFailure(bundle) || bundle.success.id !== transfer.bundle)
        return yield* refuse("the bytes are another bundle's")
      const data = Carrier.data(transaction.owner, bundle.success.pieces, signatures)
      if (Result.isFailure(data)) return yield* refuse(data.failure.message)
      const tree = yield* ArweaveData.tree(data.success)
      if (!Bytes.equal(tree.root, transaction.dataRoot))
        return yield* refuse("its data is not what was signed")
      const { status, nowhere } = yield* statusOf(record)
      if (status._tag === "void") return yield* new TransferVoid({ transfer: transfer.id })
      // What is in the network is paid for, whatever may be paid today.
      if (nowhere && transaction.reward > costMax)
        return yield* refuse(`it costs more than the ${costMax} that may be paid`)
      yield* announce(transaction)
      // Who has forgotten the transaction has forgotten its chunks.
      const from = nowhere ? 0 : (sent ?? progress.get(transfer.id) ?? 0)
      yield* send(transfer.id, data.success, tree, from, onProgress)
    }),

    status: (transfer) =>
      Effect.fromResult(ArweaveTransfer.decode(transfer)).pipe(
        Effect.flatMap(statusOf),
        Effect.map(({ status }) => status),
      ),

    holds: (transfer) =>
      Effect.fromResult(ArweaveTransfer.decode(transfer)).pipe(
        Effect.andThen(reader.data(transfer.id)),
        Effect.as(true),
        Effect.catchTag("GatewaysFailed", (error) =>
          isFinal(error) ? Effect.succeed(false) : Effect.fail(Gateway.unavailable(error, transfer.id)),
        ),
      ),

    find: (query) => ArweaveIndex.find(gateways, reader, query),

    read: Effect.fnUntraced(function* ({ location }) {
      const damaged = (gateway: string, reason: PieceDamaged["reason"], detail: string) =>
        new PieceDamaged({ location, gateway, reason, detail })
      const [id, carrier, ...more] = location.split("/").map(Id.parse)
      if (id === undefined || carrier === undefined || more.length > 0)
        return yield* damaged(name, "not here", "it is no place on Arweave")
      const piece = yield* Effect.mapError(reader.piece(id, Id.toBytes(carrier)), (error) => {
        const last = error.failures.at(-1)!
        // Where one gateway did not answer, it may have the right bytes.
        const wrong = error.failures.find(({ reason }) => reason === "wrong bytes")
        if (!isFinal(error)) return Gateway.unavailable(error, id)
        const { gateway, detail } = wrong ?? last
        return damaged(gateway, wrong === undefined ? "not here" : "wrong bytes", detail)
      })
      if (Result.isFailure(piece)) return yield* damaged(name, "not a piece", piece.failure)
      return Bytes.copy(piece.success.bytes)
    }),
  })
}

export const layer = (options: Options) => Layer.sync(Archive, () => make(options))

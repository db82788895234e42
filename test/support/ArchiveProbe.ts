/**
 * An archive in memory that a test holds in its hand: it says what was paid for, and the test says what becomes of a
 * transfer, and when the archive does not answer.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import {
  type Archive,
  ArchiveUnavailable,
  type Bundle,
  type Found,
  matches,
  PieceDamaged,
  type Progress,
  type Query,
  readBundle,
  type Status,
  type Transfer,
  TransferVoid,
} from "../../runtime/Archive.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Result from "effect/Result"

export interface ArchiveProbe {
  readonly archive: Archive["Service"]
  /** Transfers that were made, in order: each is a payment once it is sent. */
  readonly made: Array<Transfer>
  /** Transfers of which any byte was sent, by id. */
  readonly paid: Set<Id.Id>
  /** Bundles that arrived whole, in order. */
  readonly bundles: Map<Id.Id, Bundle>
  /** Where each transfer stands; one that arrives is `pending`. */
  readonly statuses: Map<Id.Id, Status>
  /** Puts everything that is pending into a block, with so many on top. */
  readonly mine: (confirmations?: number) => void
  /** Calls of each kind; while `down` all of them fail. */
  down: string | undefined
  /** Called before anything of a transfer arrives, with where it is to begin. */
  onUpload: (transfer: Transfer, sent: number) => Effect.Effect<void, ArchiveUnavailable>
  /** Who wants to hear how far the upload is that goes on now. */
  progress: ((progress: Progress) => void) | undefined
}

export const make = (costOf: (bytes: number) => bigint = () => 0n): ArchiveProbe => {
  const bundleOf = new Map<Id.Id, Bundle>()
  let height = 0

  const up = Effect.suspend(() =>
    probe.down === undefined
      ? Effect.void
      : Effect.fail(
          new ArchiveUnavailable({
            gateway: "probe",
            transaction: undefined,
            reason: "no answer",
            detail: probe.down,
          }),
        ),
  )

  const all = (query: Query): ReadonlyArray<Found> =>
    [...probe.bundles].flatMap(([transfer, { pieces }]) => {
      const status = probe.statuses.get(transfer)
      return pieces
        .map((piece, place) => ({
          location: `${transfer} ${place}`,
          tags: piece.tags,
          size: piece.bytes.length,
          height: status?._tag === "confirmed" ? status.height : undefined,
        }))
        .filter(({ tags }) => matches(query, tags))
    })

  const archive: Archive["Service"] = {
    name: "probe",
    price: (bytes) => Effect.as(up, costOf(bytes)),
    prepare: (bundle) =>
      Effect.andThen(
        up,
        Effect.sync(() => {
          const id = Id.fromBytes(Hash.sha256(Bytes.fromText(`${bundle.id} ${probe.made.length}`)))
          const { length } = bundle.bytes
          const transfer = { id, bundle: bundle.id, bytes: length, cost: costOf(length), record: Bytes.empty }
          probe.made.push(transfer)
          bundleOf.set(id, bundle)
          return transfer
        }),
      ),
    upload: (transfer, bytes, onProgress = () => {}, sent = 0) =>
      Effect.gen(function* () {
        yield* up
        if (probe.statuses.get(transfer.id)?._tag === "void")
          return yield* new TransferVoid({ transfer: transfer.id })
        probe.paid.add(transfer.id)
        probe.progress = onProgress
        yield* probe.onUpload(transfer, sent)
        probe.bundles.set(transfer.id, Result.getOrThrow(readBundle(bytes)))
        onProgress({ sent: bytes.length, total: bytes.length })
        if (!probe.statuses.has(transfer.id)) probe.statuses.set(transfer.id, { _tag: "pending" })
      }),
    holds: ({ id }) => Effect.as(up, probe.bundles.has(id)),
    status: ({ id }) =>
      Effect.andThen(
        up,
        Effect.sync((): Status => probe.statuses.get(id) ?? { _tag: "absent" }),
      ),
    height: Effect.as(up, height),
    find: (query) => Stream.unwrap(Effect.map(up, () => Stream.fromIterable(all(query)))),
    read: ({ location }) =>
      Effect.andThen(
        up,
        Effect.suspend(() => {
          const [transfer = "", place = ""] = location.split(" ")
          const piece = probe.bundles.get(transfer as Id.Id)?.pieces[Number(place)] // a location that `all` made
          return piece === undefined
            ? Effect.fail(
                new PieceDamaged({
                  location,
                  gateway: "probe",
                  reason: "not here",
                  detail: "it is not here",
                }),
              )
            : Effect.succeed(piece.bytes)
        }),
      ),
  }

  const probe: ArchiveProbe = {
    archive,
    made: [],
    paid: new Set(),
    bundles: new Map(),
    statuses: new Map(),
    mine: (confirmations = 1) => {
      height++
      for (const [id, status] of probe.statuses)
        if (status._tag === "pending") probe.statuses.set(id, { _tag: "confirmed", height, confirmations })
    },
    down: undefined,
    onUpload: () => Effect.void,
    progress: undefined,
  }
  return probe
}

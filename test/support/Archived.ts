/** What a node has, put into an archive in contents of a few batches and releases each. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as BatchesContent from "../../archive-unit/BatchesContent.ts"
import * as Piece from "../../archive-unit/Piece.ts"
import type * as PieceTags from "../../archive-unit/PieceTags.ts"
import type { SlotRange } from "../../archive-unit/SlotRanges.ts"
import * as TurnsContent from "../../archive-unit/TurnsContent.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import type { Signer } from "../../identity/Signer.ts"
import * as Archive from "../../runtime/Archive.ts"
import type * as Attestation from "../../runtime/Attestation.ts"
import type * as Batch from "../../runtime/Batch.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import type { Store } from "../../runtime/Store.ts"
import * as Table from "../../runtime/Table.ts"
import * as AssignmentLogStore from "../../scheduler-unit/AssignmentLogStore.ts"
import * as OutcomeLog from "../../compute-unit/OutcomeLog.ts"
import * as SnapshotLog from "../../compute-unit/SnapshotLog.ts"
import { Store as StoreService } from "../../runtime/Store.ts"
import type { CommittedBatch } from "../../scheduler-unit/SchedulerUnit.ts"

interface StoredRelease extends Batch.Signed {
  readonly number: number
  readonly places: ReadonlyArray<readonly [process: Uint8Array, slot: number]>
}

const releases = Table.make<[number], StoredRelease>("release")
const modules = Table.make<[Uint8Array], Uint8Array>("module")
const engines = Table.make<[Uint8Array], Uint8Array>("engine")

/** A content with what its tags say. */
export interface Made {
  readonly head: PieceTags.Head
  readonly slots: ReadonlyArray<SlotRange>
  readonly bytes: Uint8Array
}

export const batchesOf = (all: ReadonlyArray<CommittedBatch>): Made => {
  const [first, last] = [all[0]!.link, all.at(-1)!.link]
  return {
    head: {
      type: "Batches",
      scheduler: Id.fromBytes(Hash.sha256(first.owner)),
      firstBatch: first.number,
      lastBatch: last.number,
      previousRoot: first.previousRoot,
      root: last.root,
    },
    slots: BatchesContent.slots(all),
    bytes: Result.getOrThrow(BatchesContent.encode(all)),
  }
}

export const turnsOf = (all: ReadonlyArray<TurnsContent.ArchivedRelease>): Made => ({
  head: {
    type: "Turns",
    compute: Id.fromBytes(Hash.sha256(all[0]!.owner)),
    firstRelease: all[0]!.number,
    lastRelease: all.at(-1)!.number,
  },
  slots: TurnsContent.slots(all),
  bytes: Result.getOrThrow(TurnsContent.encode(all)),
})

const chunks = <A>(all: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))

/** Everything in a store, as contents. */
export const contents = Effect.fnUntraced(function* (store: Store["Service"], perContent = 5) {
  const provide = Effect.provideService(StoreService, store)
  const log = yield* provide(AssignmentLogStore.make)
  const outcomes = yield* provide(OutcomeLog.make)
  const snapshots = yield* provide(SnapshotLog.make)
  const batches: Array<CommittedBatch> = []
  for (let number = 0; ; number++) {
    const batch = log.batch(number)
    if (batch === undefined) break
    batches.push(batch)
  }
  const archived = releases.list(store, []).map((release): TurnsContent.ArchivedRelease => {
    const { number, signatureType, owner, signature, places } = release
    const groups = places.map(([key, slot]) => {
      const process = Id.fromBytes(key)
      const attestation = outcomes.attested(process, slot)!
      const { from, to } = attestation
      const done = outcomes.turns(process, from.slot + 1, to.slot - from.slot)
      return { attestation, outcomes: done.map(({ outcome }) => outcome) }
    })
    return { number, signatureType, owner, signature, groups }
  })
  const taken = log.processes().flatMap(({ process }) =>
    snapshots.list(process).flatMap(({ slot, stateRoot }): ReadonlyArray<Made> => {
      const bytes = snapshots.bytes(process, slot)
      const attestation: Attestation.Attestation | undefined = outcomes.attested(process, slot)
      if (typeof bytes === "string" || attestation === undefined) return []
      const compute = Id.fromBytes(Hash.sha256(archived[0]!.owner))
      const head = {
        type: "Snapshot",
        compute,
        process,
        slot,
        stateRoot,
        engine: attestation.engine,
      } as const
      return [{ head, slots: [], bytes }]
    }),
  )
  return {
    batches: chunks(batches, perContent).map(batchesOf),
    turns: chunks(archived, perContent).map(turnsOf),
    snapshots: taken,
    modules: modules
      .list(store, [])
      .map((bytes): Made => ({ head: { type: "Module", module: Module.id(bytes) }, slots: [], bytes })),
    engines: engines
      .list(store, [])
      .map((bytes): Made => ({ head: { type: "Engine", engine: Hash.sha256(bytes) }, slots: [], bytes })),
  }
})

/** Puts contents into an archive as one bundle; gives its id. */
export const put = Effect.fnUntraced(function* (
  archive: Archive.Archive["Service"],
  signer: Signer["Service"],
  made: ReadonlyArray<Made>,
) {
  const unsigned = yield* Effect.forEach(made, ({ head, slots, bytes }) => Piece.make(head, slots, bytes))
  const pieces = yield* Effect.forEach(unsigned.flat(), (piece) => SignedItem.sign(signer, piece))
  const bundle = Archive.bundle(pieces)
  yield* archive.upload(yield* archive.prepare(bundle), bundle.bytes)
  return bundle.id
})

/** Puts all that a store has into an archive: one bundle a content. */
export const archive = Effect.fnUntraced(function* (
  into: Archive.Archive["Service"],
  signer: Signer["Service"],
  store: Store["Service"],
  perContent?: number,
) {
  const all = yield* contents(store, perContent)
  for (const one of [all.modules, all.engines, all.batches, all.turns, all.snapshots].flat())
    yield* put(into, signer, [one])
  return all
})

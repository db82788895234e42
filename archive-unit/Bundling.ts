/**
 * Bundling: from what a node's units have committed to the pieces of a bundle (spec 07 §6).
 *
 * The attestations of many commits stand there under one signature, made for the archive: one of each commit's own would
 * take as much as a signed message where messages come one at a time.
 *
 * With a run of batches and a run of commits go the modules and data that its messages name and the engines of its turns,
 * each of them once in the life of a node, and now and then a snapshot of a process in it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { ComputeUnit } from "../compute-unit/ComputeUnit.ts"
import { Signer } from "../identity/Signer.ts"
import * as Archive from "../runtime/Archive.ts"
import * as Assign from "../runtime/Assign.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as DataReference from "../runtime/DataReference.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import type * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"
import { Store } from "../runtime/Store.ts"
import { type CommittedBatch, SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import type { ArchiveQueue, Mark, Reached } from "./ArchiveQueue.ts"
import * as BatchesContent from "./BatchesContent.ts"
import { paced } from "./Content.ts"
import * as Piece from "./Piece.ts"
import type * as PieceTags from "./PieceTags.ts"
import type { SlotRange } from "./SlotRanges.ts"
import * as TurnsContent from "./TurnsContent.ts"

export interface GatheredBatch {
  readonly batch: CommittedBatch
  /** Ids that its messages name as modules: of spawns, and of upgrades. */
  readonly modules: ReadonlySet<Id.Id>
  /** Bytes that its messages refer to: by their hash, how many they are. */
  readonly references: ReadonlyMap<Id.Id, number>
}

/** What comes into a bundle, in the order of the numbers. */
export interface Gathered {
  readonly batches: ReadonlyArray<GatheredBatch>
  readonly commits: ReadonlyArray<TurnsContent.ArchivedRelease>
}

interface Content {
  readonly head: PieceTags.Head
  readonly slots: ReadonlyArray<SlotRange>
  readonly bytes: Uint8Array
  readonly mark: Mark | undefined
}

/** Pieces to be signed, and what is archived with them for once and all. */
export interface Cut {
  readonly pieces: ReadonlyArray<Piece.Unsigned>
  readonly marks: ReadonlyArray<Mark>
}

/** Runs of things that one key signed: a node may be given another. */
const bySigner = <A>(all: ReadonlyArray<A>, ownerOf: (one: A) => Uint8Array): ReadonlyArray<Array<A>> => {
  const runs: Array<Array<A>> = []
  for (const one of all) {
    const before = runs.at(-1)
    if (before !== undefined && Bytes.equal(ownerOf(before[0]!), ownerOf(one))) before.push(one)
    else runs.push([one])
  }
  return runs
}

const batchesContent = (batches: ReadonlyArray<CommittedBatch>, pause: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const [first, last] = [batches[0]!.link, batches.at(-1)!.link] // runs are not empty
    const head: PieceTags.Head = {
      type: "Batches",
      scheduler: addressOf(first.owner),
      firstBatch: first.number,
      lastBatch: last.number,
      previousRoot: first.previousRoot,
      root: last.root,
    }
    const bytes = yield* Effect.flatMap(paced(BatchesContent.encoding(batches), pause), Effect.fromResult)
    const content: Content = { head, slots: BatchesContent.slots(batches), bytes, mark: undefined }
    return content
  })

/** Commits as releases under one signature; those of a key that is no longer the node's stay as they are. */
const releasesOf = Effect.fnUntraced(function* (releases: ReadonlyArray<TurnsContent.ArchivedRelease>) {
  const { number, owner } = releases[0]! // runs are not empty
  const signer = yield* Signer
  if (!Bytes.equal(owner, signer.owner)) return releases
  return yield* Effect.forEach(TurnsContent.joined(releases), (groups, i) =>
    Effect.map(
      signer.sign("heddle/attestation/1", TurnsContent.signingBytes(groups)),
      (signature): TurnsContent.ArchivedRelease => ({
        number: number + i,
        signatureType: signer.type.number,
        owner,
        signature,
        groups,
      }),
    ),
  )
})

const turnsContent = Effect.fnUntraced(function* (
  commits: ReadonlyArray<TurnsContent.ArchivedRelease>,
  pause: Effect.Effect<void>,
) {
  const releases = yield* releasesOf(commits)
  const [first, last] = [releases[0]!, releases.at(-1)!] // of at least one group
  const head: PieceTags.Head = {
    type: "Turns",
    compute: addressOf(first.owner),
    firstRelease: first.number,
    lastRelease: last.number,
  }
  const bytes = yield* Effect.flatMap(paced(TurnsContent.encoding(releases), pause), Effect.fromResult)
  const content: Content = { head, slots: TurnsContent.slots(releases), bytes, mark: undefined }
  return content
})

const addressOf = (owner: Uint8Array): Id.Address => Id.fromBytes(Hash.sha256(owner))

/** A batch with what its messages name, those that were assigned among them. */
export const gathered = (batch: CommittedBatch): GatheredBatch => {
  const modules = new Set<Id.Id>()
  const references = new Map<Id.Id, number>()
  for (const { item } of batch.entries) {
    const message = Result.getOrThrow(Assign.read(item)) // what was admitted is a message
    for (const { name, value } of message.item.tags) {
      const id = name === "Module" ? Id.parse(value) : undefined
      if (id !== undefined) modules.add(id)
    }
    const reference = DataReference.find(message)
    if (reference !== undefined) references.set(reference.hash, reference.length)
  }
  return { batch, modules, references }
}

const groupsOf = (commits: ReadonlyArray<TurnsContent.ArchivedRelease>) =>
  commits.flatMap(({ groups }) => groups.map(({ attestation }) => attestation))

/**
 * The newest snapshot of a process, where so many were taken since the one archived last that going on from there would
 * take a while: each stands for a thousand turns or a second of CPU.
 */
const snapshotDue = Effect.fnUntraced(function* (
  compute: ComputeUnit["Service"],
  process: Id.ProcessId,
  marked: ArchiveQueue["marked"],
) {
  const hash = Id.toBytes(process)
  const archivedAt = marked({ kind: "Snapshot", hash }) ?? -1
  const since = (yield* compute.snapshots(process)).filter(({ slot }) => slot > archivedAt)
  const newest = since.findLast(({ kept }) => kept)
  if (newest === undefined || since.length < Limit.archiveSnapshotEvery) return undefined
  const { slot, stateRoot } = newest
  const bytes = yield* compute.snapshot(process, slot)
  const signed = yield* compute.attestation(process, slot)
  if (bytes === undefined || signed === undefined) return undefined
  const { engine } = signed.attestation
  const head: PieceTags.Head = {
    type: "Snapshot",
    compute: compute.address,
    process,
    slot,
    stateRoot,
    engine,
  }
  const mark: Mark = { kind: "Snapshot", hash, slot }
  return { head, slots: [], bytes, mark }
})

/** The newest slot of each process in the batches. */
export const reached = ({ batches }: Gathered): ReadonlyArray<Reached> => {
  const newest = new Map<Id.ProcessId, Reached>()
  for (const { batch } of batches)
    for (const { assignment } of batch.entries) {
      const { process, slot, head } = assignment
      newest.set(process, { process, slot, head: Bytes.copy(head) })
    }
  return [...newest.values()]
}

/** The pieces of a bundle over what was gathered, made with a pause after each millisecond or so. */
export const cut = Effect.fnUntraced(function* (
  { batches, commits }: Gathered,
  marked: ArchiveQueue["marked"],
  pause: Effect.Effect<void>,
) {
  const store = yield* Store
  const scheduler = yield* SchedulerUnit
  const compute = yield* ComputeUnit
  const contents: Array<Content> = []
  const add = (content: Content & { readonly mark: Mark }) => void contents.push(content)

  for (const module of new Set(batches.flatMap(({ modules }) => [...modules]))) {
    const mark: Mark = { kind: "Module", hash: Id.toBytes(module), slot: 0 }
    const bytes = marked(mark) !== undefined ? undefined : Module.get(store, module)
    if (bytes !== undefined) add({ head: { type: "Module", module }, slots: [], bytes, mark })
  }
  for (const name of new Set(batches.flatMap(({ references }) => [...references.keys()]))) {
    const hash = Id.toBytes(name)
    const mark: Mark = { kind: "Data", hash, slot: 0 }
    const bytes = marked(mark) !== undefined ? undefined : yield* scheduler.data(name)
    if (bytes === undefined) continue
    // Not to be taken for archived: an upload of the same bytes mends it here, a later message brings it there.
    if (DataReference.hashOf(bytes) !== name)
      yield* Effect.logWarning(`data ${name} is damaged here and is not archived; upload it again`)
    else add({ head: { type: "Data", hash }, slots: [], bytes, mark })
  }
  const attested = groupsOf(commits)
  const engines = new Map(attested.map(({ engine }) => [Bytes.toHex(engine), engine]))
  for (const engine of engines.values()) {
    const mark: Mark = { kind: "Engine", hash: engine, slot: 0 }
    const bytes = marked(mark) !== undefined ? undefined : yield* compute.engineBytes(engine)
    if (bytes !== undefined) add({ head: { type: "Engine", engine }, slots: [], bytes, mark })
  }
  let room = Limit.archiveSnapshotsPerBundleBytes
  for (const process of new Set(attested.map((one) => one.process))) {
    if (room <= 0) break
    const taken = yield* snapshotDue(compute, process, marked)
    if (taken === undefined) continue
    add(taken)
    room -= taken.bytes.length
  }

  const runs = [
    ...bySigner(
      batches.map(({ batch }) => batch),
      ({ link }) => link.owner,
    ).map((run) => batchesContent(run, pause)),
    ...bySigner(commits, ({ owner }) => owner).map((run) => turnsContent(run, pause)),
  ]
  const all = [...(yield* Effect.all(runs)), ...contents]
  const pieces = yield* Effect.forEach(all, ({ head, slots, bytes }) => Piece.make(head, slots, bytes))
  const made: Cut = { pieces: pieces.flat(), marks: contents.flatMap(({ mark }) => (mark ? [mark] : [])) }
  return made
})

/** Bundles of signed pieces, as few as may be, in their order. */
export const pack = (pieces: ReadonlyArray<Item.Item>): ReadonlyArray<Archive.Bundle> => {
  const bundles: Array<Array<Item.Item>> = []
  let room = 0
  for (const piece of pieces) {
    const bytes = piece.bytes.length + Limit.bundleEntryBytes
    const last = bundles.at(-1)
    if (last === undefined || bytes > room || last.length >= Limit.archivePiecesMax) {
      bundles.push([piece])
      room = Limit.archiveBundleBytesMax - Limit.bundleEntryBytes - bytes
    } else {
      last.push(piece)
      room -= bytes
    }
  }
  return bundles.map(Archive.bundle)
}

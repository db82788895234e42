/**
 * Bundling: from what a node's units have committed to the pieces of a bundle (spec 07 §6).
 *
 * With a run of batches and a run of commits go the modules that its messages name, the engines that ran its turns and
 * the newest snapshot of each of its processes, each of them once in the life of a node.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { ComputeUnit, type Committed } from "../compute-unit/ComputeUnit.ts"
import * as Archive from "../runtime/Archive.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"
import { Store } from "../runtime/Store.ts"
import type { CommittedBatch } from "../scheduler-unit/SchedulerUnit.ts"
import { type ArchiveQueue, type Mark, type Reached, snapshotHash } from "./ArchiveQueue.ts"
import * as BatchesContent from "./BatchesContent.ts"
import { paced } from "./Content.ts"
import * as Piece from "./Piece.ts"
import type * as PieceTags from "./PieceTags.ts"
import type { SlotRange } from "./SlotRanges.ts"
import * as TurnsContent from "./TurnsContent.ts"

/** What comes into a bundle, in the order of the numbers. */
export interface Gathered {
  readonly batches: ReadonlyArray<CommittedBatch>
  readonly commits: ReadonlyArray<Committed>
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

const batchesContent = Effect.fnUntraced(function* (batches: ReadonlyArray<CommittedBatch>) {
  const [first, last] = [batches[0]?.link, batches.at(-1)?.link]
  const none: ReadonlyArray<Content> = []
  if (first === undefined || last === undefined) return none
  const head: PieceTags.Head = {
    type: "Batches",
    scheduler: addressOf(first.owner),
    firstBatch: first.number,
    lastBatch: last.number,
    previousRoot: first.previousRoot,
    root: last.root,
  }
  const bytes = Result.getOrThrow(yield* paced(BatchesContent.encoding(batches))) // what was committed is one run
  return [{ head, slots: BatchesContent.slots(batches), bytes, mark: undefined }]
})

/** Outcomes are left out where they alone would be no content: who wants them runs the turns again. */
const archived = (commit: Committed): TurnsContent.ArchivedRelease =>
  TurnsContent.releaseBytes(commit) <= Limit.archiveReleaseBytesMax
    ? commit
    : { ...commit, groups: commit.groups.map((group) => ({ ...group, outcomes: undefined })) }

const turnsContent = Effect.fnUntraced(function* (commits: ReadonlyArray<Committed>) {
  const [first, last] = [commits[0], commits.at(-1)]
  const none: ReadonlyArray<Content> = []
  if (first === undefined || last === undefined) return none
  const compute = addressOf(first.owner)
  const head: PieceTags.Head = {
    type: "Turns",
    compute,
    firstRelease: first.number,
    lastRelease: last.number,
  }
  const releases = commits.map(archived)
  const bytes = Result.getOrThrow(yield* paced(TurnsContent.encoding(releases))) // what was committed is one run
  return [{ head, slots: TurnsContent.slots(releases), bytes, mark: undefined }]
})

const addressOf = (owner: Uint8Array): Id.Address => Id.fromBytes(Hash.sha256(owner))

/** Ids that messages name as modules: of spawns, and of upgrades. */
const modulesNamed = (batches: ReadonlyArray<CommittedBatch>): ReadonlySet<Id.Id> => {
  const named = new Set<Id.Id>()
  for (const { entries } of batches)
    for (const { item } of entries)
      for (const { name, value } of Result.getOrThrow(Item.decode(item)).tags) {
        const id = name === "Module" ? Id.parse(value) : undefined
        if (id !== undefined) named.add(id)
      }
  return named
}

const groupsOf = (commits: ReadonlyArray<Committed>) =>
  commits.flatMap(({ groups }) => groups.map(({ attestation }) => attestation))

/** The newest slot of each process in the batches. */
export const reached = (batches: ReadonlyArray<CommittedBatch>): ReadonlyArray<Reached> => {
  const newest = new Map<Id.ProcessId, Reached>()
  for (const { entries } of batches)
    for (const { assignment } of entries) {
      const { process, slot, head } = assignment
      newest.set(process, { process, slot, head: Bytes.copy(head) })
    }
  return [...newest.values()]
}

/** The pieces of a bundle over what was gathered. */
export const cut = Effect.fnUntraced(function* (
  { batches, commits }: Gathered,
  isMarked: ArchiveQueue["isMarked"],
) {
  const store = yield* Store
  const compute = yield* ComputeUnit
  const contents: Array<Content> = []
  const add = (content: Content & { readonly mark: Mark }) => void contents.push(content)

  for (const module of modulesNamed(batches)) {
    const mark: Mark = { kind: "Module", hash: Id.toBytes(module) }
    const bytes = isMarked(mark) ? undefined : Module.get(store, module)
    if (bytes !== undefined) add({ head: { type: "Module", module }, slots: [], bytes, mark })
  }
  const attested = groupsOf(commits)
  const engines = new Map(attested.map(({ engine }) => [Bytes.toHex(engine), engine]))
  for (const engine of engines.values()) {
    const mark: Mark = { kind: "Engine", hash: engine }
    const bytes = isMarked(mark) ? undefined : yield* compute.engineBytes(engine)
    if (bytes !== undefined) add({ head: { type: "Engine", engine }, slots: [], bytes, mark })
  }
  for (const process of new Set(attested.map((one) => one.process))) {
    const newest = (yield* compute.snapshots(process)).findLast(({ kept }) => kept)
    if (newest === undefined) continue
    const { slot, stateRoot } = newest
    const mark: Mark = { kind: "Snapshot", hash: snapshotHash(process, slot) }
    if (isMarked(mark)) continue
    const bytes = yield* compute.snapshot(process, slot)
    const signed = yield* compute.attestation(process, slot)
    if (bytes === undefined || signed === undefined) continue
    const { engine } = signed.attestation
    const head: PieceTags.Head = {
      type: "Snapshot",
      compute: compute.address,
      process,
      slot,
      stateRoot,
      engine,
    }
    add({ head, slots: [], bytes, mark })
  }

  const all = [...(yield* batchesContent(batches)), ...(yield* turnsContent(commits)), ...contents]
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

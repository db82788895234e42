/**
 * ArchiveSource: reads one process out of an archive, a content at a time, and believes none: a `LogSource` for an
 * audit. Its scheduler and its compute units are those that the spawn message names. Where a copy of something is
 * damaged that is told, and the next is taken; what no copy gives is a gap.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SnapshotInfo, Turn } from "../compute-unit/ComputeUnit.ts"
import { Verifier } from "../identity/Verifier.ts"
import type { Archive } from "../runtime/Archive.ts"
import * as Attestation from "../runtime/Attestation.ts"
import * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Merkle from "../runtime/Merkle.ts"
import type { CommittedBatch, LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import * as Catalog from "./Catalog.ts"
import * as ContentReader from "./ContentReader.ts"
import * as Contents from "./Contents.ts"
import * as Named from "./Named.ts"
import * as Shelf from "./Shelf.ts"
import * as Spawn from "./Spawn.ts"

export type { Problem } from "./ContentReader.ts"
export { ArchiveGap } from "./Shelf.ts"
export { ProcessNotArchived } from "./Spawn.ts"

/** Opens leaves of the trees under a few signatures: whoever asks for one asks for its neighbours. */
const trees = () => {
  let last: { readonly of: object; readonly tree: Merkle.Tree } | undefined
  return (of: object, make: () => Merkle.Tree): Merkle.Tree => {
    if (last?.of !== of) last = { of, tree: make() }
    return last.tree
  }
}

/** The process, and what is behind its slots. What was begun for it ends with the scope. */
export const open = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  process: Id.ProcessId,
  watch: Contents.Watch,
) {
  const listed = yield* Catalog.list(archive, "Batches", [{ name: "Process", values: [process] }])
  const spawned = yield* Spawn.find(archive, process, listed, watch)
  const { scheduler, compute } = spawned
  const library = yield* Contents.batches(archive, watch, scheduler)
  const known = Spawn.likelyFirst(
    listed,
    ({ head }) => head.type === "Batches" && head.scheduler === scheduler,
  )
  const shelf = Shelf.make(
    "slots",
    process,
    library,
    Contents.slotsOf(process),
    Spawn.claimsOf(known, process),
  )

  const listedTurns = yield* Catalog.list(archive, "Turns", [{ name: "Process", values: [process] }])
  const turnsLibrary = yield* Contents.turns(archive, watch, compute)
  const knownTurns = Spawn.likelyFirst(
    listedTurns,
    ({ head }) => head.type === "Turns" && compute.includes(head.compute),
  )
  const turnsShelf = Shelf.make(
    "turns",
    process,
    turnsLibrary,
    Contents.turnsOf(process),
    Spawn.claimsOf(knownTurns, process),
  )
  const verifier = yield* Verifier
  const named = yield* Named.make(archive, watch)
  const [batchTree, releaseTree] = [trees(), trees()]

  const entriesFrom = (content: Contents.Batches, slot: number): ReadonlyArray<LogEntry> => {
    const all = content.entries.get(process)!
    return all.slice(slot - all[0]!.assignment.slot)
  }

  const groupAt = Effect.fnUntraced(function* (slot: number) {
    const content = yield* turnsShelf.at(slot)
    return content?.groups
      .get(process)!
      .find(({ attestation: { from, to } }) => from.slot < slot && slot <= to.slot)
  })

  const attestation = Effect.fnUntraced(function* (_: Id.ProcessId, slot: number) {
    const group = yield* groupAt(slot)
    if (group === undefined) return undefined
    const { release, index, attestation } = group
    const { signatureType, owner, signature, groups } = release
    const tree = releaseTree(release, () => Attestation.tree(groups.map((one) => one.attestation)))
    const signed: Attestation.SignedAttestation = {
      attestation,
      index,
      path: Merkle.path(tree, index),
      signatureType,
      owner,
      signature,
    }
    return signed
  })

  const snapshotsListed = yield* Catalog.list(archive, "Snapshot", [{ name: "Process", values: [process] }])
  const taken = snapshotsListed.flatMap((one) =>
    one.head.type === "Snapshot" && one.head.process === process ? [{ listed: one, head: one.head }] : [],
  )

  /** Whether the state that a snapshot is said to be of is attested. */
  const isAttested = Effect.fnUntraced(function* ({ head }: (typeof taken)[number]) {
    const signed = yield* Effect.result(attestation(process, head.slot))
    const to = Result.isSuccess(signed) ? signed.success?.attestation.to : undefined
    return to?.slot === head.slot && Bytes.equal(to.stateRoot, head.stateRoot)
  })

  return {
    process: spawned,
    /** All of its contents that were found, snapshots included. */
    listed: [...listed, ...listedTurns, ...snapshotsListed],
    /** Contents of batches and of turns that are held now. */
    held: () => [library.held(), turnsLibrary.held()] as const,
    log: Effect.fnUntraced(function* (_: Id.ProcessId, from: number, limit: number) {
      const content = yield* shelf.at(from)
      return content === undefined ? [] : entriesFrom(content, from).slice(0, limit)
    }),
    turns: Effect.fnUntraced(function* (_: Id.ProcessId, from: number, limit: number) {
      const content = yield* turnsShelf.at(from)
      const turns: Array<Turn> = []
      for (const { attestation, outcomes } of content?.groups.get(process) ?? []) {
        if (attestation.to.slot < from) continue
        // Left out, because a release with them would be no content.
        if (outcomes === undefined) break
        for (const outcome of outcomes)
          if (outcome.slot >= from) turns.push({ outcome, trace: { console: [], stack: undefined } })
      }
      return turns.slice(0, limit)
    }),
    receipt: Effect.fnUntraced(function* (_: Id.ProcessId, slot: number) {
      const content = yield* shelf.at(slot)
      const entry = content && entriesFrom(content, slot)[0]
      if (content === undefined || entry === undefined)
        return yield* new Shelf.ArchiveGap({
          what: "slots",
          process,
          first: slot,
          last: slot,
          transactions: [],
        })
      const batch: CommittedBatch = content.batches[entry.batch - content.batches[0]!.link.number]!
      const tree = batchTree(batch, () => Batch.tree(batch.entries.map((one) => one.assignment)))
      return Batch.receipt(batch.link, tree, entry.assignment, entry.index)
    }),
    attestation,
    module: named.module,
    engineBytes: named.engine,
    data: named.data,
    /** Oldest first. Those after the newest whose state is attested are left out. */
    snapshots: Effect.fnUntraced(function* (_: Id.ProcessId) {
      const sorted = taken.toSorted((a, b) => a.head.slot - b.head.slot)
      while (sorted.length > 0 && !(yield* isAttested(sorted.at(-1)!))) sorted.pop()
      return sorted.map(
        ({ head: { slot, stateRoot } }): Pick<SnapshotInfo, "slot" | "stateRoot" | "kept"> => ({
          slot,
          stateRoot,
          kept: true,
        }),
      )
    }),
    snapshot: Effect.fnUntraced(
      function* (_: Id.ProcessId, slot: number) {
        for (const { listed: one, head } of taken) {
          if (head.slot !== slot) continue
          const bytes = yield* ContentReader.read(archive, one, watch.report, watch.onBytes)
          if (typeof bytes !== "string") return bytes
        }
        return undefined
      },
      Effect.provideService(Verifier, verifier),
    ),
  }
})

export type ArchiveSource = Effect.Success<ReturnType<typeof open>>

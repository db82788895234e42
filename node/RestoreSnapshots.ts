/**
 * RestoreSnapshots: the newest good snapshot of each process that is restored. Good is one of an attested state, to which
 * it leads in a sandbox; one that is not is told, and the one before it is tried.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Catalog from "../archive-unit/Catalog.ts"
import * as ContentReader from "../archive-unit/ContentReader.ts"
import type { Watch } from "../archive-unit/Contents.ts"
import type { EngineStore } from "../compute-unit/EngineStore.ts"
import type { OutcomeLog } from "../compute-unit/OutcomeLog.ts"
import * as Replay from "../compute-unit/Replay.ts"
import { Sandbox } from "../compute-unit/Sandbox.ts"
import * as Snapshot from "../compute-unit/Snapshot.ts"
import type { SnapshotLog } from "../compute-unit/SnapshotLog.ts"
import type { Archive } from "../runtime/Archive.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import { Store } from "../runtime/Store.ts"
import type { AssignmentLog } from "../scheduler-unit/AssignmentLog.ts"

export interface Options {
  readonly archive: Archive["Service"]
  readonly watch: Watch
  readonly log: AssignmentLog["Service"]
  readonly outcomes: OutcomeLog
  readonly snapshots: SnapshotLog
  readonly engines: EngineStore
}

interface Found {
  readonly listed: Catalog.Listed
  readonly process: Id.ProcessId
  readonly slot: number
  readonly stateRoot: Uint8Array
}

/** Snapshots that are listed of these processes: newest first. */
export const list = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  unit: Id.Address,
  processes: ReadonlyArray<Id.ProcessId> | undefined,
) {
  const listed = yield* Catalog.list(archive, "Snapshot", [
    processes === undefined ? { name: "Compute", values: [unit] } : { name: "Process", values: processes },
  ])
  return listed
    .flatMap((one): ReadonlyArray<Found> =>
      one.head.type === "Snapshot" ? [{ ...one.head, listed: one }] : [],
    )
    .toSorted((a, b) => b.slot - a.slot)
})

/** Takes the newest good one of each process; gives how many. */
export const restore = Effect.fnUntraced(function* (
  { archive, watch, log, outcomes, snapshots, engines }: Options,
  found: ReadonlyArray<Found>,
) {
  const store = yield* Store
  const sandbox = yield* Sandbox

  /** Restores it in a sandbox; what is wrong with it in words. */
  const check = Effect.fnUntraced(function* ({ process, slot, stateRoot }: Found, bytes: Uint8Array) {
    const decoded = Snapshot.decode(bytes)
    if (Result.isFailure(decoded)) return decoded.failure
    const { metadata, slot: taken, process: of } = decoded.success
    if (of !== process || taken !== slot) return `it is of slot ${taken} of ${of}`
    const first = log.entry(process, 0)!
    const source = yield* Effect.result(Replay.moduleOf(store, slot, metadata.module))
    if (Result.isFailure(source)) return source.failure.message
    const { term } = first.assignment
    const opening = { process, spawn: first.item, term, source: source.success, engine: undefined }
    return yield* engines.provide(sandbox.restore(opening, bytes, stateRoot)).pipe(
      Effect.as(undefined),
      Effect.catchTag(["SnapshotInvalid", "EngineInvalid", "SandboxLost"], ({ message }) =>
        Effect.succeed(message),
      ),
      Effect.ensuring(sandbox.close(process)),
    )
  })

  let taken = 0
  for (const [process, all] of Map.groupBy(found, (one) => one.process)) {
    for (const one of all) {
      const to = outcomes.attested(process, one.slot)?.to
      // What is not attested here is not yet, or no more, and nobody can go on from it.
      if (to?.slot !== one.slot || !Bytes.equal(to.stateRoot, one.stateRoot)) continue
      if (snapshots.kept(process).includes(one.slot)) break
      const bytes = yield* ContentReader.read(archive, one.listed, watch.report, watch.onBytes)
      if (typeof bytes === "string") continue
      const wrong = yield* check(one, bytes)
      if (wrong === undefined) {
        yield* snapshots.write(process, { slot: one.slot, stateRoot: one.stateRoot, bytes })
        taken++
        break
      }
      watch.report(ContentReader.problemOf(one.listed, "not true", wrong))
    }
  }
  return taken
})

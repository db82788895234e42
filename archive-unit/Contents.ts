/**
 * Contents: batches and turns as they come out of an archive, once they are seen to be true, by process and by number.
 * Who signs them is said by the reader, never by a tag.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Verifier } from "../identity/Verifier.ts"
import type { Archive } from "../runtime/Archive.ts"
import type * as Id from "../runtime/Id.ts"
import type { CommittedBatch, LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import type { Listed } from "./Catalog.ts"
import * as ContentChecks from "./ContentChecks.ts"
import * as ContentReader from "./ContentReader.ts"
import * as Library from "./Library.ts"
import type { Range } from "./Shelf.ts"
import type { ArchivedGroup, ArchivedRelease } from "./TurnsContent.ts"

/** Who hears what is wrong, and of bytes that come. */
export interface Watch {
  readonly report: ContentReader.Report
  readonly onBytes?: ContentReader.Progress | undefined
}

/** A run of batches; entries of each process in order. */
export interface Batches {
  readonly batches: ReadonlyArray<CommittedBatch>
  readonly entries: ReadonlyMap<Id.ProcessId, ReadonlyArray<LogEntry>>
}

export interface PlacedGroup extends ArchivedGroup {
  readonly release: ArchivedRelease
  readonly index: number
}

/** A run of releases; groups of each process in order. */
export interface Turns {
  readonly releases: ReadonlyArray<ArchivedRelease>
  readonly groups: ReadonlyMap<Id.ProcessId, ReadonlyArray<PlacedGroup>>
}

/** A library of contents that `check` believes. What these have signed and is not to be had is lost. */
const library = Effect.fnUntraced(function* <A extends object, E extends { readonly message: string }>(
  archive: Archive["Service"],
  { report, onBytes }: Watch,
  believed: ReadonlyArray<Id.Address>,
  check: (bytes: Uint8Array) => Effect.Effect<A, E, Verifier>,
) {
  const verifier = yield* Verifier
  return yield* Library.make((listed: Listed) =>
    Effect.gen(function* () {
      const bytes = yield* ContentReader.read(archive, listed, report, onBytes, believed)
      if (typeof bytes === "string") return bytes
      const checked = yield* Effect.result(check(bytes))
      if (Result.isSuccess(checked)) return checked.success
      report(ContentReader.problemOf(listed, "not true", checked.failure.message))
      return "false" as const
    }).pipe(Effect.provideService(Verifier, verifier)),
  )
})

/** Batches of one scheduler. */
export const batches = (archive: Archive["Service"], watch: Watch, scheduler: Id.Address) =>
  library(archive, watch, [scheduler], (bytes) =>
    Effect.map(ContentChecks.batches(scheduler, bytes), (all): Batches => {
      const entries = all.flatMap((batch) => batch.entries)
      return { batches: all, entries: Map.groupBy(entries, ({ assignment }) => assignment.process) }
    }),
  )

/** Turns of one of these compute units. */
export const turns = (archive: Archive["Service"], watch: Watch, units: ReadonlyArray<Id.Address>) =>
  library(
    archive,
    watch,
    units,
    Effect.fnUntraced(function* (bytes: Uint8Array) {
      const check = (unit: Id.Address) => ContentChecks.turns(unit, bytes)
      let checked = yield* Effect.result(check(units[0]!)) // a process names at least one
      for (const unit of units.slice(1))
        if (
          Result.isFailure(checked) &&
          checked.failure._tag === "ContentRefused" &&
          checked.failure.reason === "other signer"
        )
          checked = yield* Effect.result(check(unit))
      const releases = yield* Effect.fromResult(checked)
      const groups = releases.flatMap((release) =>
        release.groups.map((group, index): PlacedGroup => ({ ...group, release, index })),
      )
      const made: Turns = { releases, groups: Map.groupBy(groups, ({ attestation }) => attestation.process) }
      return made
    }),
  )

/** Slots of a process; undefined where they are none, or not one run. */
export const slotsOf =
  (process: Id.ProcessId) =>
  ({ entries }: Batches): Range | undefined => {
    const slots = (entries.get(process) ?? []).map(({ assignment }) => assignment.slot)
    return slots.length > 0 && slots.every((slot, i) => slot === slots[0]! + i)
      ? { first: slots[0]!, last: slots.at(-1)! }
      : undefined
  }

/** Slots of a process of which there are turns; undefined where they are none, or not one run. */
export const turnsOf =
  (process: Id.ProcessId) =>
  ({ groups }: Turns): Range | undefined => {
    const points = (groups.get(process) ?? []).map(({ attestation: { from, to } }) => ({ from, to }))
    return points.length > 0 && points.every(({ from }, i) => i === 0 || from.slot === points[i - 1]!.to.slot)
      ? { first: points[0]!.from.slot + 1, last: points.at(-1)!.to.slot }
      : undefined
  }

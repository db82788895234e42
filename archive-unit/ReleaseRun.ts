/**
 * ReleaseRun: the releases of a compute unit, one content at a time, in the order in which tags say they were made. No
 * signature covers that order, nor their numbers: whoever takes them up looks at the points where attestations begin and
 * end, and comes back to a content that was early.
 */
import * as Effect from "effect/Effect"
import type { Archive } from "../runtime/Archive.ts"
import type * as Id from "../runtime/Id.ts"
import * as Catalog from "./Catalog.ts"
import * as Contents from "./Contents.ts"
import type { ArchivedRelease } from "./TurnsContent.ts"

export interface ReleaseRun {
  /** In the order of their tags. */
  readonly listed: ReadonlyArray<Catalog.Listed>
  /** The releases of a content; none where it is of no use. `ahead` is read meanwhile. */
  readonly read: (
    listed: Catalog.Listed,
    ahead: Catalog.Listed | undefined,
  ) => Effect.Effect<ReadonlyArray<ArchivedRelease>>
}

const firstOf = ({ head }: Catalog.Listed): number => (head.type === "Turns" ? head.firstRelease : 0)
const lastOf = ({ head }: Catalog.Listed): number => (head.type === "Turns" ? head.lastRelease : -1)

/** Releases of `unit`: all, or those of contents that hold something of these processes. */
export const make = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  watch: Contents.Watch,
  unit: Id.Address,
  processes: ReadonlyArray<Id.ProcessId> | undefined,
) {
  const found = yield* Catalog.list(archive, "Turns", [
    processes === undefined ? { name: "Compute", values: [unit] } : { name: "Process", values: processes },
  ])
  const listed = found.filter(({ head }) => head.type === "Turns" && head.compute === unit)
  const library = yield* Contents.turns(archive, watch, [unit])
  const run: ReleaseRun = {
    listed: listed.toSorted((a, b) => firstOf(a) - firstOf(b) || lastOf(a) - lastOf(b)),
    read: Effect.fnUntraced(function* (one, ahead) {
      const content = yield* library.get(one)
      if (ahead !== undefined) yield* library.ahead(ahead)
      return typeof content === "string" ? [] : content.releases
    }),
  }
  return run
})

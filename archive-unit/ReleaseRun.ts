/**
 * ReleaseRun: the releases of a compute unit, one content at a time, in the order in which tags say they were made. No
 * signature covers that order: whoever takes them up looks at the points where attestations begin and end.
 */
import * as Effect from "effect/Effect"
import type { Archive } from "../runtime/Archive.ts"
import type * as Id from "../runtime/Id.ts"
import * as Catalog from "./Catalog.ts"
import * as Contents from "./Contents.ts"
import type { ArchivedRelease } from "./TurnsContent.ts"

export interface ReleaseRun {
  /** The releases of the next content; undefined behind the last. What is of no use is passed over. */
  readonly next: Effect.Effect<ReadonlyArray<ArchivedRelease> | undefined>
  /** The last number that any content is said to hold; -1 where there is none. */
  readonly lastNumber: number
  readonly listed: ReadonlyArray<Catalog.Listed>
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
  const waiting = listed.toSorted((a, b) => firstOf(a) - firstOf(b) || lastOf(a) - lastOf(b))
  const run: ReleaseRun = {
    listed,
    lastNumber: Math.max(-1, ...listed.map(lastOf)),
    next: Effect.gen(function* () {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
        const content = yield* library.get(one)
        if (waiting[0] !== undefined) yield* library.ahead(waiting[0])
        if (typeof content !== "string") return content.releases
      }
      return undefined
    }),
  }
  return run
})

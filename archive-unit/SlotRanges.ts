/** Slot ranges: which slots of which processes a content holds, as its tags say it. */
import type * as Id from "../runtime/Id.ts"

export interface SlotRange {
  readonly process: Id.ProcessId
  readonly first: number
  readonly last: number
}

/** One range a process, from its lowest to its highest slot, in the order in which the processes come first. */
export const of = (ranges: ReadonlyArray<SlotRange>): ReadonlyArray<SlotRange> => {
  const found = new Map<Id.ProcessId, SlotRange>()
  for (const { process, first, last } of ranges) {
    const known = found.get(process)
    found.set(
      process,
      known === undefined
        ? { process, first, last }
        : { process, first: Math.min(known.first, first), last: Math.max(known.last, last) },
    )
  }
  return [...found.values()]
}

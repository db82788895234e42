/**
 * Restore kept: entries that were examined and whose turns are still to come, so that these are rehearsed without
 * examining them again. Those of a process that is never attested stay until newer ones need the room. Their bytes are
 * their own (RestoreLog sees to it): what is kept holds no content.
 */
import type * as Follower from "../compute-unit/Follower.ts"
import type * as Id from "../runtime/Id.ts"

/** Entries that are kept: some commits of the log. What is older is read from the store. */
const entriesMax = 4_096

/** Bytes of their items. */
const bytesMax = 32 * 1024 * 1024

export interface RestoreKept {
  /** Keeps entries of a process that were examined and follow what was kept of it before. */
  readonly keep: (process: Id.ProcessId, examined: ReadonlyArray<Follower.Examined>) => void
  /** Entries that were kept, from a slot on, which are let go; undefined where not all of so many are here. */
  readonly take: (
    process: Id.ProcessId,
    from: number,
    count: number,
  ) => ReadonlyArray<Follower.Examined> | undefined
  /** No more are taken: all are let go, and none is kept. */
  readonly end: () => void
}

export const make = (): RestoreKept => {
  /** By process and slot, oldest first. */
  const kept = new Map<string, Follower.Examined>()
  let bytes = 0
  let ended = false

  const keyOf = (process: Id.ProcessId, slot: number): string => `${process} ${slot}`
  const sizeOf = ({ entry }: Follower.Examined): number => entry.item.length
  const drop = (key: string): Follower.Examined | undefined => {
    const found = kept.get(key)
    if (found !== undefined) bytes -= sizeOf(found)
    kept.delete(key)
    return found
  }

  const isFull = (): boolean => kept.size > entriesMax || bytes > bytesMax

  return {
    keep: (process, examined) => {
      if (ended) return
      for (const one of examined) {
        kept.set(keyOf(process, one.entry.slot), one)
        bytes += sizeOf(one)
        while (isFull()) drop(kept.keys().next().value!)
      }
    },
    take: (process, from, count) => {
      const taken: Array<Follower.Examined> = []
      for (let slot = from; slot < from + count; slot++) {
        const one = drop(keyOf(process, slot))
        if (one === undefined) return undefined
        taken.push(one)
      }
      return taken
    },
    end: () => {
      ended = true
      kept.clear()
      bytes = 0
    },
  }
}

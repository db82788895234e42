/**
 * Shrink: the fewest operations of a workload with which a world still breaks the same property. Halves are left out
 * first, then quarters, and so on down to single ones (Zeller's ddmin).
 */
import type { Operation } from "./Workload.ts"

type Operations = ReadonlyArray<Operation>

/** `isBroken` is asked at most `triesMax` times. */
export const shrink = (
  operations: Operations,
  triesMax: number,
  isBroken: (some: Operations) => boolean,
): Operations => {
  let left = operations
  let tries = 0
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < left.length && tries < triesMax;) {
      const without = [...left.slice(0, from), ...left.slice(from + size)]
      tries++
      if (isBroken(without)) left = without
      else from += size
    }
  }
  return left
}

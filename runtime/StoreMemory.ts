/**
 * Store in memory, for tests and for the simulation. Gone with the process, and as strict as the others about order
 * and atomicity. A capacity stands in for the size of a disk.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Bytes from "./Bytes.ts"
import { assertKeys, Store, StoreFailed } from "./Store.ts"

/** Index of the first key that is not below `key`. */
const place = (keys: ReadonlyArray<Uint8Array>, key: Uint8Array): number => {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (Bytes.compare(keys[middle]!, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** A fresh, empty store that holds at most `bytesMax` bytes of keys and values. */
export const make = (bytesMax: number = Number.POSITIVE_INFINITY): Store["Service"] => {
  const keys: Array<Uint8Array> = []
  const values: Array<Uint8Array> = []
  let bytes = 0
  let commits = 0
  return {
    get: (key) => {
      const at = place(keys, key)
      const found = keys[at]
      return found !== undefined && Bytes.equal(found, key) ? Bytes.copy(values[at]!) : undefined
    },
    range: ({ from, to, reverse = false, limit = Number.POSITIVE_INFINITY }) => {
      const [first, end] = [place(keys, from), place(keys, to)]
      const count = Math.max(0, Math.min(end - first, limit))
      return Array.from({ length: count }, (_, i) => {
        const at = reverse ? end - 1 - i : first + i
        return [Bytes.copy(keys[at]!), Bytes.copy(values[at]!)] as const
      })
    },
    commit: (puts) =>
      Effect.suspend(() => {
        assertKeys(puts)
        const growth = puts.reduce(
          (sum, put) => sum + (put.value === undefined ? 0 : put.key.length + put.value.length),
          0,
        )
        if (bytes + growth > bytesMax)
          return Effect.fail(new StoreFailed({ reason: "full", detail: `more than ${bytesMax} bytes` }))
        for (const { key, value } of puts) {
          const at = place(keys, key)
          const there = at < keys.length && Bytes.equal(keys[at]!, key)
          if (there) bytes -= keys[at]!.length + values[at]!.length
          if (value === undefined) {
            if (there) {
              keys.splice(at, 1)
              values.splice(at, 1)
            }
            continue
          }
          keys.splice(at, there ? 1 : 0, Bytes.copy(key))
          values.splice(at, there ? 1 : 0, Bytes.copy(value))
          bytes += key.length + value.length
        }
        commits++
        return Effect.void
      }),
    commits: () => commits,
  }
}

export const layer = Layer.sync(Store, () => make())

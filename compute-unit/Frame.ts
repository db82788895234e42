/**
 * Frame: plain data made ready to cross to another thread. All its bytes are put into one buffer, which is transferred:
 * a clone would copy, for each part, the whole of whatever buffer it is a window on.
 */

export interface Frame<A> {
  readonly value: A
  readonly buffer: ArrayBuffer
}

const lengthOf = (value: unknown): number => {
  if (value instanceof Uint8Array) return value.length
  if (typeof value !== "object" || value === null) return 0
  let length = 0
  for (const field of Object.values(value)) length += lengthOf(field)
  return length
}

/** A value equal to `value`, whose bytes stand in `buffer`. Takes objects, arrays, bytes and what clones as it is. */
export const pack = <A>(value: A): Frame<A> => {
  const all = new Uint8Array(lengthOf(value))
  let at = 0
  const move = (of: unknown): unknown => {
    if (of instanceof Uint8Array) {
      all.set(of, at)
      at += of.length
      return all.subarray(at - of.length, at)
    }
    if (Array.isArray(of)) return of.map(move)
    if (typeof of !== "object" || of === null) return of
    return Object.fromEntries(Object.entries(of).map(([name, field]) => [name, move(field)]))
  }
  return { value: move(value) as A, buffer: all.buffer } // every part is what it was
}

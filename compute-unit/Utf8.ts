/**
 * UTF-8 of a guest's strings, which are UTF-16 and may be broken, piece by piece into a buffer of fixed size.
 */

/**
 * UTF-8 of `units` from `from` on, as much as fits into `target`; a lone surrogate becomes U+FFFD. A pair of
 * surrogates is never split. Source: the Encoding standard §8.1.
 */
export const encodeUnits = (
  units: Uint8Array | Uint16Array,
  from: number,
  target: Uint8Array,
): { readonly written: number; readonly next: number } => {
  let next = from
  let at = 0
  while (next < units.length) {
    const unit = units[next]!
    if (unit < 0x80) {
      if (at + 1 > target.length) break
      target[at++] = unit
    } else if (unit < 0x800) {
      if (at + 2 > target.length) break
      target[at++] = 0xc0 | (unit >> 6)
      target[at++] = 0x80 | (unit & 63)
    } else {
      const low = units[next + 1]
      const paired = unit >= 0xd800 && unit < 0xdc00 && low !== undefined && low >= 0xdc00 && low < 0xe000
      if (at + (paired ? 4 : 3) > target.length) break
      if (paired) {
        const point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
        target[at++] = 0xf0 | (point >> 18)
        target[at++] = 0x80 | ((point >> 12) & 63)
        target[at++] = 0x80 | ((point >> 6) & 63)
        target[at++] = 0x80 | (point & 63)
        next++
      } else {
        const point = unit >= 0xd800 && unit < 0xe000 ? 0xfffd : unit
        target[at++] = 0xe0 | (point >> 12)
        target[at++] = 0x80 | ((point >> 6) & 63)
        target[at++] = 0x80 | (point & 63)
      }
    }
    next++
  }
  return { written: at, next }
}

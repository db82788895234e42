/**
 * `Math.random` as xoshiro128** (Blackman and Vigna 2018), seeded anew for each turn.
 *
 * The seed follows from process, slot and head, which are public, and sender and scheduler can both grind it: fit
 * for shuffling a display, never for keys, nonces or lotteries. The answer has 53 bits, of two words.
 */
export function random({ slice, apply, parseInt }) {
  const { imul } = Math
  let seed = ""
  let [s0, s1, s2, s3] = [0, 0, 0, 0]

  const word = (n) => parseInt(apply(slice, seed, [8 * n, 8 * n + 8]), 16) | 0
  const next = () => {
    const product = imul(s1, 5)
    const result = imul((product << 7) | (product >>> 25), 9)
    const shifted = s1 << 9
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << 11) | (s3 >>> 21)
    return result >>> 0
  }
  /** Takes the first 16 bytes of a seed in hexadecimal. They are read when the first number is drawn. */
  const reseed = (hex) => {
    seed = hex
    s0 = s1 = s2 = s3 = 0
  }

  const value = () => {
    if ((s0 | s1 | s2 | s3) === 0) {
      s0 = word(0)
      s1 = word(1)
      s2 = word(2)
      s3 = word(3) || 1 // all words zero would stay so for ever
    }
    return ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992
  }
  Object.defineProperty(Math, "random", { value, writable: true, configurable: true })
  reseed("00000000000000000000000000000000")
  return { reseed }
}

/**
 * Allowance: what a turn may still use, fuel and stack words in one integer of 64 bits, so that a function that is
 * entered pays for both with one subtraction and is tested for both with one branch.
 *
 *     bit 63       set while words are left, or none
 *     bits 42..62  stack words left
 *     bit 41       set while fuel is left, or none
 *     bits 0..40   fuel left
 *
 * A number is kept with 2^21 or 2^41 added to it. Below zero it clears its bit and borrows from nobody: one frame has
 * at most 2^20 words, and between two tests no program can use 2^40 fuel.
 */

/** Bits of the lower half. */
export const fuelBits = 42
const wordsBits = 64 - fuelBits

const fuelSet = 2n ** BigInt(fuelBits - 1)
const wordsSet = 2 ** (wordsBits - 1)

/** More than any limit of a turn. */
export const fuelMax = fuelSet - 1n
export const wordsMax = wordsSet - 1

export const of = (fuel: bigint, words: number): bigint => {
  if (fuel < 0n || fuel > fuelMax || words < 0 || words > wordsMax)
    throw new Error(`an allowance of ${fuel} fuel and ${words} stack words`)
  return BigInt.asIntN(64, (BigInt(words + wordsSet) << BigInt(fuelBits)) | (fuel + fuelSet))
}

/** Fuel left; below zero where more was used than there was. */
export const fuel = (allowance: bigint): bigint => BigInt.asUintN(fuelBits, allowance) - fuelSet

/** Stack words left; below zero where calls are nested too deeply. */
export const words = (allowance: bigint): number =>
  Number(BigInt.asUintN(64, allowance) >> BigInt(fuelBits)) - wordsSet

/** What is subtracted for `fuel` and `words`. */
export const use = (fuel: number, words: number): bigint => BigInt(fuel) + (BigInt(words) << BigInt(fuelBits))

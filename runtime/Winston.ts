/**
 * Winston: Arweave's money, in whole numbers: one AR is 10^12 winston. People write AR as decimal text, which no float
 * can hold exactly, so it is read and written digit by digit.
 *
 *     "0.5" <-> 500000000000n
 */

/** Digits after the point: a winston is the least there is. */
const places = 12

/** Digits before the point: more AR than there will ever be. */
const digitsMax = 9

const form = new RegExp(`^(\\d{1,${digitsMax}})(?:\\.(\\d{1,${places}}))?$`)

/** Winston of an amount in AR, or undefined where the text is no amount. */
export const fromAr = (text: string): bigint | undefined => {
  const [, whole, fraction = ""] = form.exec(text) ?? []
  return whole === undefined ? undefined : BigInt(whole + fraction.padEnd(places, "0"))
}

/** The amount in AR, without zeros that say nothing. */
export const toAr = (winston: bigint): string => {
  const digits = String(winston).padStart(places + 1, "0")
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`.replace(/\.?0+$/, "")
}

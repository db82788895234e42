/**
 * Attack: what a guest may try against the machine that runs it, its neighbours and the prelude, and how it must end.
 *
 * A body is that of an async handler with the message `m`. What fails leaves the memory of before; what is done leaves
 * a process that still answers, whatever it overwrote.
 */
import type * as Turn from "../../compute-unit/Turn.ts"
import * as Limit from "../../runtime/Limit.ts"

export interface Attack {
  readonly name: string
  readonly body: string
  readonly ends: Failing | Done
  readonly limits: Turn.Limits
}

export interface Failing {
  readonly reason: Turn.FailReason
  /** What its message contains. */
  readonly says: string
}

export interface Done {
  /** The JSON that the message is answered with. */
  readonly answer: string
  /** What the first message sent carries besides the tags of the protocol, and the first view. */
  readonly sent?: readonly [tags: ReadonlyArray<readonly [name: string, value: string]>, data: string]
  readonly view?: readonly [name: string, value: string]
}

/** Little, where fuel is what ends first; as much as a spawn may ask for, where something else is. */
const little: Turn.Limits = { fuel: 50_000_000n, memoryPagesMax: Limit.memoryPagesDefault }
const much: Turn.Limits = { ...little, fuel: Limit.fuelPerTurnMax }
const narrow: Turn.Limits = { ...much, memoryPagesMax: 112 }

export const failing =
  (reason: Turn.FailReason, limits = much) =>
  (name: string, body: string, says = ""): Attack => ({ name, body, ends: { reason, says }, limits })
export const outOfFuel = failing("out of fuel", little)
export const outOfMemory = failing("out of memory", narrow)
export const overflows = failing("stack overflow")
export const tooManyJobs = failing("too many jobs")
export const tooLarge = failing("output too large", { ...much, memoryPagesMax: Limit.memoryPagesMax })
export const throws = (name: string, body: string, says: string) => failing("threw")(name, body, says)
export const harmless = (
  name: string,
  body: string,
  answer: unknown,
  more: Omit<Done, "answer"> = {},
): Attack => ({
  name,
  body,
  ends: { answer: JSON.stringify(answer), ...more },
  limits: much,
})

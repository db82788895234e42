/**
 * Ending: how a turn can end before its time.
 */

export type EndReason =
  | "out of fuel"
  | "out of memory"
  | "stack overflow"
  | "too many jobs"
  | "job failed"
  | "trapped"

/** The turn can't go on. */
export class Ended extends Error {
  readonly reason: EndReason
  constructor(reason: EndReason, detail: string) {
    super(detail)
    this.reason = reason
  }
}

/** Guest code threw where the host had called it. */
export class Threw extends Error {
  readonly stackText: string
  constructor(name: string, message: string, stackText: string) {
    super(message)
    this.name = name
    this.stackText = stackText
  }
}

/** The host failed, not the guest: its stack or memory ended first. Never an outcome; try again elsewhere. */
export class HostFault extends Error {}

/** An error in one line. `Error` itself says nothing that its text does not. */
export const spoken = ({ name, message }: { readonly name: string; readonly message: string }): string =>
  name === "" || name === "Error" ? message : message === "" ? name : `${name}: ${message}`

/** Fixed words for a limit that was reached. */
export const outOfFuel = (limits: { readonly fuel: bigint }): string => `more than ${limits.fuel} fuel`

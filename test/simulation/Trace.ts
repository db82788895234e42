/**
 * Trace: everything that happened in a simulation, in order, as one hash, and the last of it in words. Two runs of one
 * seed have the same hash, on any machine.
 */
import { createHash } from "node:crypto"
import * as Bytes from "../../runtime/Bytes.ts"

export interface Trace {
  readonly note: (event: string) => void
  /** As `note`, for what nobody wants to read afterwards. */
  readonly count: (event: string) => void
  readonly hash: () => string
  readonly last: () => ReadonlyArray<string>
}

const eventsKept = 60

export const make = (): Trace => {
  const hash = createHash("sha256")
  const last: Array<string> = []
  const count = (event: string) => void hash.update(`${event}\n`)
  return {
    count,
    note: (event) => {
      count(event)
      last.push(event)
      if (last.length > eventsKept) last.shift()
    },
    hash: () => hash.copy().digest("hex"),
    last: () => [...last],
  }
}

/** The beginning of some bytes, enough to tell them from others. */
export const short = (bytes: Uint8Array): string => Bytes.toHex(bytes.subarray(0, 4))

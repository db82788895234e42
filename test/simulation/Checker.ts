/** Checker: holds one property of a simulated world, while it runs and when all is over. */
import type { Key, Keys } from "./SeededKeys.ts"
import type * as Durable from "./Durable.ts"
import type { Seen } from "./Seen.ts"
import type * as Client from "./Client.ts"

/** What a checker sees of a machine: its disk, which no bug in memory can change. */
export interface Place {
  readonly name: string
  readonly key: Key
  readonly durable: () => Durable.Durable
  /** Whether it schedules, and whether it computes. */
  readonly schedules: boolean
  readonly computes: boolean
  /** Whether it follows a log that is not the scheduler's, or says what is not so. */
  readonly lies: boolean
}

export interface Evidence {
  readonly keys: Keys
  readonly places: ReadonlyArray<Place>
  readonly jobs: ReadonlyArray<Client.Job>
  readonly now: () => number
}

export interface Checker {
  readonly name: string
  /** Something left a machine just now. */
  readonly seen?: (seen: Seen) => void
  /** A machine has crashed: its disk is all that there is of it. */
  readonly crashed?: (place: Place) => void
  /** All that was pending is done, or will never be. */
  readonly end?: () => void
}

/** What a checker is made of. `fail` does not return. */
export type Make = (evidence: Evidence, fail: (detail: string) => never) => Checker

export class Broken extends Error {
  readonly checker: string
  readonly detail: string
  constructor(checker: string, detail: string) {
    super(`${checker}: ${detail}`)
    this.checker = checker
    this.detail = detail
  }
}

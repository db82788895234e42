/** Checker: holds one property of a simulated world, while it runs and when all is over. */
import type { Key, Keys } from "./SeededKeys.ts"
import type * as Durable from "./Durable.ts"
import type { Seen } from "./Seen.ts"
import type * as Client from "./Client.ts"
import type { Lie } from "./SchedulerLying.ts"
import type * as Id from "../../runtime/Id.ts"

/** What a checker sees of a machine: its disk, which no bug in memory can change. */
export interface Place {
  readonly name: string
  readonly key: Key
  readonly durable: () => Durable.Durable
  readonly schedules: boolean
  /** What is not so of it: that it is told a log that is not the one that others get, or attests other roots. */
  readonly lie: Lie | "attests" | undefined
  /** Why it has stopped following a process, if it has. */
  readonly parked: (process: Id.ProcessId) => string | undefined
}

export interface Evidence {
  readonly seed: number
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
  /** All is over. Where it is not complete, something is still pending, and only what must never be can be told. */
  readonly end?: (isComplete: boolean) => void
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

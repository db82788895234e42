/**
 * Followed: a process as a compute unit follows it: what of its log waits to be run, and how it stands meanwhile.
 *
 *     known by the store alone  ->  followed: something waits or somebody asks  ->  resident: open in a sandbox
 *
 * One that is neither resident nor parked, and that nobody needs, is known by the store alone: it costs no memory.
 */
import * as Semaphore from "effect/Semaphore"
import type * as Admission from "../runtime/Admission.ts"
import type * as Id from "../runtime/Id.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"

/** What one batch of a scheduler holds of a process. */
export interface Group {
  readonly entries: ReadonlyArray<LogEntry>
  /** Whose signature stands over them; unset where the unit's own node says so. */
  readonly by: Id.Address | undefined
}

export interface Followed {
  readonly process: Id.ProcessId
  /** Entries to come. */
  readonly pending: Array<Group>
  /** First slot that is neither computed nor pending. */
  nextSlot: number
  /** Admission's state after the last slot computed; set while the process is open in the sandbox. */
  log: Admission.LogState | undefined
  /** Turns and fuel since its last snapshot. */
  turns: number
  fuel: bigint
  /** Why it is followed no further. */
  parked: string | undefined
  /** Whether it waits for its turn to run what is pending, or runs it. */
  running: boolean
  /** Who works with it just now, or waits to. */
  users: number
  /** Held while a turn runs until it is durable, so that a query sees no state that is not. */
  readonly turnLock: Semaphore.Semaphore
  /** Runs that failed in a row: for want of a sandbox, and for want of a commit. */
  faults: number
  failures: number
  /** Groups of one run: one, after a run that could not be gone through, so that all before the fault is computed. */
  groupsMax: number
}

export const make = (process: Id.ProcessId, nextSlot: number): Followed => ({
  process,
  pending: [],
  nextSlot,
  log: undefined,
  turns: 0,
  fuel: 0n,
  parked: undefined,
  running: false,
  users: 0,
  turnLock: Semaphore.makeUnsafe(1),
  faults: 0,
  failures: 0,
  groupsMax: Number.POSITIVE_INFINITY,
})

/** Whether nothing is to be done with it. */
export const isIdle = ({ users, running, pending }: Followed): boolean =>
  users === 0 && !running && pending.length === 0

/**
 * Whether nothing is left to run, which is noted with the answer. Were it noted a step later, what came in between would
 * find the process running, leave it to that run, and wait for ever.
 */
export const rests = (of: Followed): boolean => {
  if (of.pending.length > 0 && of.parked === undefined) return false
  of.running = false
  of.groupsMax = Number.POSITIVE_INFINITY
  return true
}

/** Whether the store knows all of it. */
export const isForgettable = (of: Followed): boolean =>
  isIdle(of) && of.log === undefined && of.parked === undefined

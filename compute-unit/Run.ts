/**
 * Run: what a compute unit evaluates of a process in one go. It goes by whole groups, a group being what one batch of
 * the scheduler holds of the process, because that is what an attestation covers (spec 04 §6).
 */
import type * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import type { Followed, Group } from "./Followed.ts"
import type * as Follower from "./Follower.ts"
import * as OutcomeLog from "./OutcomeLog.ts"
import type { Evaluated } from "./Sandbox.ts"

/** Entries in groups. Two schedulers give equal batch numbers, but one process has them in two terms. */
export const groupsOf = (
  entries: ReadonlyArray<LogEntry>,
  signerOf: (entry: LogEntry) => Id.Address | undefined,
): ReadonlyArray<Group> => {
  const keyOf = ({ assignment: { process, term }, batch }: LogEntry) => `${process} ${term} ${batch}`
  const groups = Map.groupBy(entries, keyOf).values()
  // The head of the last of them commits to all before it.
  return Array.from(groups, (group) => ({ entries: group, by: signerOf(group.at(-1)!) }))
}

export interface Run {
  readonly groups: ReadonlyArray<Group>
  /** How long it is held, neither attested nor failed, in ms. */
  readonly heldMs: number
}

/** How long this unit's clock has to go on before it is as near to the group's as clocks may differ, in ms. */
const aheadMs = ({ entries }: Group, now: number): number =>
  entries.at(-1)!.assignment.timestamp - Limit.clockAheadMsMax - now

/** The next run of a process that has something pending. */
export const next = ({ pending, groupsMax }: Followed, now: number): Run => {
  const groups: Array<Group> = []
  for (let turns = 0; groups.length < groupsMax && turns < Limit.turnsPerRunMax;) {
    const group = pending[groups.length]
    if (group === undefined || (groups.length > 0 && aheadMs(group, now) > 0)) break
    turns += group.entries.length
    groups.push(group)
  }
  return { groups, heldMs: Math.max(0, aheadMs(groups.at(-1)!, now)) }
}

/** What is attested of a run that begins at `from`, under `engineBefore` unless that is slot 0: each group by itself. */
export const attest = (
  process: Id.ProcessId,
  from: Attestation.Point,
  engineBefore: Uint8Array | undefined,
  groups: ReadonlyArray<Group>,
  examined: ReadonlyArray<Follower.Examined>,
  evaluated: ReadonlyArray<Evaluated>,
): ReadonlyArray<OutcomeLog.Group> => {
  let [start, engine, at] = [from, engineBefore, 0]
  return groups.map(({ entries }): OutcomeLog.Group => {
    const { slot, head, term } = entries.at(-1)!.assignment
    const done = evaluated.slice(at, at + entries.length)
    const seen = examined.slice(at, at + entries.length).map((one) => one.seen)
    at += entries.length
    const last = done.at(-1)!
    const to = { slot, head, stateRoot: last.stateRoot! } // wanted of the last of each group
    const turns = done.map(({ outcome, trace }) => ({ outcome, trace }))
    const outcomeRoot = OutcomeLog.outcomeRoot(turns)
    const engines = done.flatMap((one): ReadonlyArray<OutcomeLog.EngineSince> => {
      const same = engine !== undefined && Bytes.equal(one.engine, engine)
      engine = one.engine
      return same ? [] : [{ slot: one.outcome.slot, engine }]
    })
    const attestation = { engine: last.engine, process, term, from: start, to, outcomeRoot }
    start = to
    return { attestation, engines, turns, seen }
  })
}

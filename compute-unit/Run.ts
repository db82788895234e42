/**
 * Run: what a compute unit evaluates of a process in one go. It goes by whole groups, a group being what one batch of
 * the scheduler holds of the process, because that is what an attestation covers (spec 04 §6).
 */
import type * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import type { Followed } from "./Followed.ts"
import type * as Follower from "./Follower.ts"
import * as OutcomeLog from "./OutcomeLog.ts"
import type { Evaluated } from "./Sandbox.ts"

export type Group = ReadonlyArray<LogEntry>

/** Entries in groups. Two schedulers give equal batch numbers, but one process has them in two terms. */
export const groupsOf = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<Group> => {
  const keyOf = ({ assignment: { process, term }, batch }: LogEntry) => `${process} ${term} ${batch}`
  return [...Map.groupBy(entries, keyOf).values()]
}

export interface Run {
  readonly groups: ReadonlyArray<Group>
  /** How long it is held, neither attested nor failed, in ms. */
  readonly heldMs: number
}

/** How long this unit's clock has to go on before it is as near to the group's as clocks may differ, in ms. */
const aheadMs = (group: Group, now: number): number =>
  group.at(-1)!.assignment.timestamp - Limit.clockAheadMsMax - now

/** The next run of a process that has something pending. */
export const next = ({ pending, groupsMax }: Followed, now: number): Run => {
  const groups: Array<Group> = []
  for (let turns = 0; groups.length < groupsMax && turns < Limit.turnsPerRunMax;) {
    const group = pending[groups.length]
    if (group === undefined || (groups.length > 0 && aheadMs(group, now) > 0)) break
    turns += group.length
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
  return groups.map((group): OutcomeLog.Group => {
    const { slot, head, term } = group.at(-1)!.assignment
    const done = evaluated.slice(at, at + group.length)
    const seen = examined.slice(at, at + group.length).map((one) => one.seen)
    at += group.length
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

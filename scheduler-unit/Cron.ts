/**
 * Cron: the messages that a process gets by the clock because its spawn asked for them (spec 05 §5). Each follows from
 * the spawn tags, so which comes next is computed from the log and nothing is kept.
 *
 * Counts that fell due while nobody was there to submit them are skipped but for the latest. Example: "10-seconds",
 * spawned at 0, last admitted count 1; at 12,000 the next is count 2, due at 20,000; at 34,000 it is count 3, due
 * since 30,000, and count 2 will never be.
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type * as Admission from "../runtime/Admission.ts"
import * as OutboxItem from "../runtime/OutboxItem.ts"
import type * as Process from "../runtime/Process.ts"

/** Entry `count` (1, 2, 3...) of the cron `name`, due `at` ms since 1970. */
export interface Due {
  readonly name: string
  readonly count: number
  readonly at: number
}

/** The count stands in 32 bits of an outbox item: with the shortest interval, 136 years. */
const countMax = 0xffff_ffff

const nextOf = (log: Admission.LogState, cron: Process.Cron, now: number): Due | undefined => {
  const last = Option.getOrElse(HashMap.get(log.cron, cron.name), () => 0)
  if (last >= countMax) return undefined
  const latest = Math.floor((now - log.spawnedAt) / cron.intervalMs)
  const count = Math.min(Math.max(last + 1, latest), countMax)
  return { name: cron.name, count, at: OutboxItem.cronDue(log.spawnedAt, cron, count) }
}

/** What the process is due first, as seen at `now`; of equal times, what its spawn names first. */
export const next = (log: Admission.LogState, now: number): Due | undefined => {
  let first: Due | undefined
  for (const cron of log.process?.cron ?? []) {
    const due = nextOf(log, cron, now)
    if (due !== undefined && (first === undefined || due.at < first.at)) first = due
  }
  return first
}

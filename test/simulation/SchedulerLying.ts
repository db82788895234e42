/**
 * A scheduler that shows one reader another log: from some slot of a process on, entries that should not be there, or
 * not those that it gave to others. What follows is chained anew, as one can who holds the key.
 *
 *     true:    0 1 2 3 4      breaks:  0 1 2 x        (the chain does not hold)
 *     forges:  0 1 2 f 3 4    (f is 1 again, or 2 with another signature)      withholds:  0 1 3 4
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import { type LogEntry, LogUnknown, type SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Luck from "./Luck.ts"

type Service = SchedulerUnit["Service"]

export type Lie = "breaks" | "forges" | "repeats" | "withholds"

export const lies: ReadonlyArray<Lie> = ["breaks", "forges", "repeats", "withholds"]

/** The first slot of a process that is not the one that others get. */
export const slotOf = (seed: number, process: Id.ProcessId): number =>
  1 + Luck.make(seed, `lie ${process}`).below(6)

/** Bytes with one bit turned around: of an item, one in its signature. */
const bitFlipped = (item: Uint8Array): Uint8Array => {
  const bytes = Bytes.copy(item)
  bytes[Math.min(40, bytes.length - 1)]! ^= 1
  return bytes
}

/** A log as the reader gets it. */
export const bend = (entries: ReadonlyArray<LogEntry>, lie: Lie, at: number): ReadonlyArray<LogEntry> => {
  const there = entries[at]
  if (there === undefined) return entries
  if (lie === "breaks") {
    const head = bitFlipped(there.assignment.head)
    return [
      ...entries.slice(0, at),
      { ...there, assignment: { ...there.assignment, head } },
      ...entries.slice(at + 1),
    ]
  }
  const before = entries[at - 1]!
  const put = {
    forges: [{ ...there, item: bitFlipped(there.item) }, there],
    // Slot 0 again would be another thing that must not be.
    repeats: [{ ...before, batch: there.batch, index: there.index }, there],
    withholds: [],
  }[lie]
  let { head: previous } = before.assignment
  const rest = [...put, ...entries.slice(at + 1)].map((entry, i): LogEntry => {
    const assignment = Assignment.make({
      ...entry.assignment,
      slot: at + i,
      timestamp: Math.max(entry.assignment.timestamp, before.assignment.timestamp),
      previous,
      entryHash: Assignment.entryHash(entry.item, entry.proof),
    })
    previous = assignment.head
    return { ...entry, assignment }
  })
  return [...entries.slice(0, at), ...rest]
}

const allSlots = 100_000

export const make = (honest: Service, lie: Lie, seed: number): Service => {
  const bent = (process: Id.ProcessId) =>
    Effect.map(honest.log(process, 0, allSlots), (entries) => bend(entries, lie, slotOf(seed, process)))
  /** What it shows of a slot it says in its receipt too, under the link of the batch in which it is said to be. */
  const receipt = Effect.fnUntraced(function* (process: Id.ProcessId, slot: number) {
    const shown = (yield* bent(process))[slot]
    if (shown === undefined) return yield* new LogUnknown({ process, slot })
    const entries = yield* honest.log(process, 0, allSlots)
    const { assignment } = entries.find(({ batch }) => batch === shown.batch)!
    const given = yield* honest.receipt(process, assignment.slot)
    return { ...given, assignment: shown.assignment }
  })
  return {
    ...honest,
    receipt,
    log: (process, from, limit) => Effect.map(bent(process), (entries) => entries.slice(from, from + limit)),
    processes: Effect.flatMap(honest.processes, (heads) =>
      Effect.forEach(heads, (head) =>
        Effect.map(Effect.orDie(bent(head.process)), ({ length }) => ({ ...head, nextSlot: length })),
      ),
    ),
    batches: (from) =>
      Stream.mapEffect(honest.batches(from), ({ link, entries }) => {
        const processes = [...new Set(entries.map(({ assignment }) => assignment.process))]
        return Effect.map(Effect.orDie(Effect.forEach(processes, bent)), (logs) => ({
          link,
          entries: logs.flat().filter(({ batch }) => batch === link.number),
        }))
      }),
  }
}

/** Durable: what a crash would leave of a node in this moment, read with the tables of production code. */
import * as Effect from "effect/Effect"
import * as OutcomeLog from "../../compute-unit/OutcomeLog.ts"
import * as SnapshotLog from "../../compute-unit/SnapshotLog.ts"
import type * as Id from "../../runtime/Id.ts"
import { Store } from "../../runtime/Store.ts"
import type { AssignmentLog } from "../../scheduler-unit/AssignmentLog.ts"
import * as AssignmentLogStore from "../../scheduler-unit/AssignmentLogStore.ts"
import type { LogEntry } from "../../scheduler-unit/SchedulerUnit.ts"
import type { Turn } from "../../compute-unit/ComputeUnit.ts"

export interface Durable {
  readonly log: AssignmentLog["Service"]
  readonly outcomes: OutcomeLog.OutcomeLog
  readonly snapshots: SnapshotLog.SnapshotLog
  readonly entries: (process: Id.ProcessId) => ReadonlyArray<LogEntry>
  readonly turns: (process: Id.ProcessId) => ReadonlyArray<Turn>
}

const slotsMax = 100_000

/** Nothing is remembered from one look to the next. */
export const read = (store: Store["Service"]): Durable => {
  const make = <A>(effect: Effect.Effect<A, never, Store>): A =>
    Effect.runSync(Effect.provideService(effect, Store, store))
  const [log, outcomes] = [make(AssignmentLogStore.make), make(OutcomeLog.make)]
  return {
    log,
    outcomes,
    snapshots: make(SnapshotLog.make),
    entries: (process) => log.entries(process, 0, slotsMax),
    turns: (process) => outcomes.turns(process, 0, slotsMax),
  }
}

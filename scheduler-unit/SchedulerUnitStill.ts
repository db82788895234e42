/**
 * SchedulerUnit that assigns nothing: its log is read by who makes up for what was assigned before, while nobody may
 * change it.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Refused } from "../runtime/Admission.ts"
import * as Batch from "../runtime/Batch.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Merkle from "../runtime/Merkle.ts"
import type { AssignmentLog } from "./AssignmentLog.ts"
import type { HeldData } from "./HeldData.ts"
import { LogUnknown, SchedulerUnit } from "./SchedulerUnit.ts"

const still = new Refused({
  reason: "stopping",
  detail: "no slots are given while the log is restored",
})

export const make = (
  log: AssignmentLog["Service"],
  held: HeldData,
  address: Id.Address,
): SchedulerUnit["Service"] => {
  const unknown = (process: Id.ProcessId, slot: number) => Effect.fail(new LogUnknown({ process, slot }))
  return SchedulerUnit.of({
    address,
    submit: () => Effect.fail(still),
    addData: () => Effect.fail(still),
    data: (hash) => Effect.sync(() => held.get(hash)),
    receipt: (process, slot) =>
      Effect.suspend(() => {
        const entry = log.entry(process, slot)
        if (entry === undefined) return unknown(process, slot)
        const { link, leaves } = log.leaves(entry.batch, entry.scheduler)!
        return Effect.succeed(Batch.receipt(link, Merkle.tree(leaves), entry.assignment, entry.index))
      }),
    log: (process, from, limit) =>
      Effect.suspend(() =>
        log.state(process).nextSlot === 0
          ? unknown(process, 0)
          : Effect.succeed(log.entries(process, from, Math.min(limit, Limit.logPageMax))),
      ),
    authority: (process) =>
      Effect.suspend(() => {
        const { authority } = log.state(process)
        return authority === undefined ? unknown(process, 0) : Effect.succeed(authority)
      }),
    processes: Effect.sync(log.processes),
    knows: (address) => Effect.sync(() => log.knows(address)),
    nextBatch: Effect.sync(() => (log.last()?.number ?? -1) + 1),
    batches: () => Stream.never,
  })
}

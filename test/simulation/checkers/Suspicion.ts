/**
 * Suspicion: a lie is found by who is told it. A log that does not hold is followed no further, what should not be in it
 * is inadmissible, and of two logs under one key there is a proof that anyone can check.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Batch from "../../../runtime/Batch.ts"
import type * as Id from "../../../runtime/Id.ts"
import * as Equivocation from "../../../scheduler-unit/Equivocation.ts"
import type { LogEntry } from "../../../scheduler-unit/SchedulerUnit.ts"
import type { Evidence, Make, Place } from "../Checker.ts"
import * as SchedulerLying from "../SchedulerLying.ts"

/** The receipt of an entry in a batch of its own under the number of the batch that it is said to be in. */
const receiptOf = ({ key }: Place, { assignment, batch: number }: LogEntry): Batch.Receipt => {
  const tree = Batch.tree([assignment])
  const link = { number, previousRoot: new Uint8Array(32), root: tree.root }
  const signer = key.signer("liar")
  const signature = Effect.runSync(Effect.orDie(signer.sign("heddle/batch/1", Batch.signingBytes(link))))
  const signed = { ...link, signatureType: signer.type.number, owner: signer.owner, signature }
  return Batch.receipt(signed, tree, assignment, 0)
}

const provesTwoLogs = (
  { keys }: Evidence,
  scheduler: Place,
  honest: LogEntry,
  shown: LogEntry,
): string | undefined => {
  const { log } = scheduler.durable()
  const { link, entries } = log.batch(honest.batch)!
  const tree = Batch.tree(entries.map(({ assignment }) => assignment))
  const first = Batch.receipt(link, tree, honest.assignment, honest.index)
  const checked = Equivocation.check({ first, second: receiptOf(scheduler, shown) }, keys.verifier)
  const result = Effect.runSync(Effect.result(checked))
  return Result.isFailure(result) ? result.failure.message : undefined
}

export const make: Make = (evidence, fail) => {
  const { places, seed } = evidence
  const scheduler = places.find(({ schedules }) => schedules)!

  const check = (place: Place, lie: SchedulerLying.Lie, process: Id.ProcessId) => {
    const honest = scheduler.durable().entries(process)
    const at = SchedulerLying.slotOf(seed, process)
    const shown = SchedulerLying.bend(honest, lie, at)
    if (shown === honest) return
    const where = `process ${process} slot ${at} at ${place.name}, whose scheduler ${lie}`
    if (lie === "breaks") {
      if (place.parked(process) === undefined) fail(`${where}: it goes on`)
      return
    }
    const error = place.durable().outcomes.turn(process, at)?.outcome.error
    if (lie !== "withholds" && error?.reason !== "inadmissible")
      fail(`${where}: ${error?.reason ?? "no error"}`)
    if (shown[at] === undefined) return
    const none = provesTwoLogs(evidence, scheduler, honest[at]!, shown[at])
    if (none !== undefined) fail(`${where}: ${none}`)
  }

  return {
    name: "suspicion",
    end: (isComplete) => {
      if (!isComplete) return
      for (const place of places)
        if (place.lie !== undefined && place.lie !== "attests")
          for (const { process } of scheduler.durable().log.processes()) check(place, place.lie, process)
    },
  }
}

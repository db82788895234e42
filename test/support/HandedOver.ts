/** What a log has of a process, as a scheduler that takes the process over gets it. */
import * as Result from "effect/Result"
import * as Assign from "../../runtime/Assign.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Void from "../../runtime/Void.ts"
import type * as Adoption from "../../scheduler-unit/Adoption.ts"
import type { AssignmentLog, Foreign } from "../../scheduler-unit/AssignmentLog.ts"

/** Of a log whose batches are whole and whose entries were all admitted. */
export const of = (log: AssignmentLog["Service"], process: Id.ProcessId): Adoption.Adoption => {
  const batches: Array<Foreign> = []
  for (let number = 0; ; number++) {
    const batch = log.batch(number)
    if (batch === undefined) break
    const entries = batch.entries
      .filter(({ assignment }) => assignment.process === process)
      .map((entry) => ({
        ...entry,
        ...Void.identity(Result.getOrThrow(Assign.read(entry.item)), entry.proof),
      }))
    const leaves = batch.entries.map(({ assignment }) => Assignment.leafValue(assignment))
    if (entries.length > 0) batches.push({ link: batch.link, entries, leaves })
  }
  return { batches, states: new Map([[process, log.state(process)]]) }
}

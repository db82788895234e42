/** What a log has of a process, as another scheduler takes it in. */
import * as Result from "effect/Result"
import * as Assign from "../../runtime/Assign.ts"
import * as Batch from "../../runtime/Batch.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import * as Void from "../../runtime/Void.ts"
import type * as Adoption from "../../scheduler-unit/Adoption.ts"
import type { AssignmentLog, Foreign } from "../../scheduler-unit/AssignmentLog.ts"

/** Of a log whose batches are whole and whose entries were all admitted. */
export const of = (log: AssignmentLog["Service"], process: Id.ProcessId): Adoption.Adoption => {
  const slots: Array<Foreign> = []
  for (let number = 0; ; number++) {
    const batch = log.batch(number)
    if (batch === undefined) break
    const tree = Batch.tree(batch.entries.map(({ assignment }) => assignment))
    for (const entry of batch.entries) {
      if (entry.assignment.process !== process) continue
      const identity = Void.identity(Result.getOrThrow(Assign.read(entry.item)), entry.proof)
      slots.push({ ...entry, ...identity, link: batch.link, path: Merkle.path(tree, entry.index) })
    }
  }
  return { slots, states: new Map([[process, log.state(process)]]) }
}

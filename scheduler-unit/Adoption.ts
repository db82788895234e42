/**
 * Adoption: what is new to a log among slots that another scheduler gave. What is here already stays as it is: were it
 * written again, a process would fall back to where it was handed over, and its slots be given twice.
 *
 *     here: slots 0-2 of P      handed over: slots 0-4 of P      new: slots 3 and 4
 */
import type * as Admission from "../runtime/Admission.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import type { Foreign } from "./AssignmentLog.ts"

export interface Adoption {
  readonly slots: ReadonlyArray<Foreign>
  readonly states: ReadonlyMap<Id.ProcessId, Admission.LogState>
}

/** Throws where the slots are not what leads from here to `states`: a process would have a gap that nobody can fill. */
export const fresh = (
  stateOf: (process: Id.ProcessId) => Admission.LogState,
  { slots, states }: Adoption,
): Adoption => {
  type End = Pick<Admission.LogState, "nextSlot" | "head">
  const ends = new Map<Id.ProcessId, End>()

  const isFresh = ({ assignment: { process, slot, previous, head } }: Foreign): boolean => {
    const { nextSlot, head: before } = ends.get(process) ?? stateOf(process)
    if (slot < nextSlot) return false
    if (slot > nextSlot || !Bytes.equal(previous, before))
      throw new Error(`slot ${slot} of ${process} does not follow the ${nextSlot} slots that are here`)
    ends.set(process, { nextSlot: slot + 1, head })
    return true
  }
  const taken = slots.filter(isFresh)
  for (const [process, { nextSlot, head }] of ends) {
    const after = states.get(process)
    if (after?.nextSlot !== nextSlot || !Bytes.equal(after.head, head))
      throw new Error(`the state of ${process} is not the one after slot ${nextSlot - 1}`)
  }
  return { slots: taken, states: new Map([...states].filter(([process]) => ends.has(process))) }
}

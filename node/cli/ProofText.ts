/** Proof text: what a proof shows, as people read it: who did what. */
import type * as Inadmissible from "../../compute-unit/Inadmissible.ts"
import type * as Divergence from "../../messenger-unit/Divergence.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Equivocation from "../../scheduler-unit/Equivocation.ts"

export const inadmissible = (shown: Inadmissible.Shown): string => {
  const { scheduler, process, slot, message, reason } = shown
  return `scheduler ${scheduler}\ngave slot ${slot} of process ${process}\nto ${message}, which is inadmissible: ${reason}`
}

const root = ({ link }: Batch.Receipt): string =>
  `root ${Bytes.toHex(link.root)} after ${Bytes.toHex(link.previousRoot)}`

/** What a receipt says is the head of a slot: it names the one before its own too. */
const head =
  (slot: number) =>
  ({ assignment, link }: Batch.Receipt): string =>
    `${Bytes.toHex(assignment.slot === slot ? assignment.head : assignment.previous)} in batch ${link.number}`

export const equivocation = (proof: Equivocation.Proof, shown: Equivocation.Shown): string => {
  const { first, second } = proof
  const { process } = first.assignment
  const slot = Batch.slotGivenTwice(proof)
  const [what, each] =
    shown.kind === "batch" || slot === undefined
      ? ([`two batches with number ${first.link.number}`, root] as const)
      : ([`two heads for slot ${slot} of process ${process}`, head(slot)] as const)
  return `scheduler ${shown.scheduler}\nsigned ${what}:\n  ${each(first)}\n  ${each(second)}`
}

export const divergence = ({ process, units, from, to }: Divergence.Shown): string =>
  `units ${units.join(" and ")}\nattest different results of slots ${from} to ${to} of process ${process}: one of them is wrong`

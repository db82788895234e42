/**
 * Schedulers: the schedulers that a node can ask beside its own: processes go from one to another, and are spawned at any.
 * Without a network there are none.
 */
import * as Context from "effect/Context"
import type * as Id from "../runtime/Id.ts"
import type { SchedulerUnit } from "./SchedulerUnit.ts"

export interface SchedulersService {
  /** All that are known. */
  readonly all: () => ReadonlyArray<SchedulerUnit["Service"]>
  /** The one of an address, where it is known. */
  readonly at: (address: Id.Address) => SchedulerUnit["Service"] | undefined
}

/** These and no others. */
export const of = (units: ReadonlyArray<SchedulerUnit["Service"]>): SchedulersService => ({
  all: () => units,
  at: (address) => units.find((unit) => unit.address === address),
})

export const Schedulers = Context.Reference<SchedulersService>("heddle/Schedulers", {
  defaultValue: () => of([]),
})

/**
 * RestoreMark: says in a data folder that a restore into it has begun and has not ended. It is written before anything
 * else and taken away with the last commit, so that no node runs on half a log: it would give slots a second time.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Id from "../runtime/Id.ts"
import { type Put, Store } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"

/** What is restored: a restore that was cut short goes on with nothing else. */
export interface Mark {
  readonly scheduler: Id.Address
  /** None where all of the scheduler are. */
  readonly processes: ReadonlyArray<Id.ProcessId>
  readonly full: boolean
}

/** A data folder in which a restore has not ended. */
export class RestoreUnfinished extends Data.TaggedError("RestoreUnfinished")<Mark> {
  override get message(): string {
    const { scheduler, processes, full } = this
    const what = processes.length === 0 ? `all processes of ${scheduler}` : processes.join(", ")
    const how = full ? " with --full" : ""
    return `a restore of ${what}${how} into this data folder was cut short; run heddle restore again as before, or start with an empty folder`
  }
}

const table = Table.make<[], Mark>("restoring")

export const get = (store: Store["Service"]): Mark | undefined => table.get(store)
export const put = (mark: Mark): Put => table.put([], mark)
export const removal: Put = table.remove([])

/** Fails where a restore into the store has not ended. */
export const check = Effect.gen(function* () {
  const mark = get(yield* Store)
  if (mark !== undefined) return yield* new RestoreUnfinished(mark)
})

export const same = (a: Mark, b: Mark): boolean =>
  a.scheduler === b.scheduler &&
  a.full === b.full &&
  a.processes.length === b.processes.length &&
  a.processes.every((process) => b.processes.includes(process))

/**
 * LogReader: what a scheduler shows of the logs that it has: the half of `SchedulerUnit` that assigns nothing.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Batch from "../runtime/Batch.ts"
import type * as Feed from "../runtime/Feed.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Merkle from "../runtime/Merkle.ts"
import * as Module from "../runtime/Module.ts"
import type { Store } from "../runtime/Store.ts"
import type { AssignmentLog, Placed } from "./AssignmentLog.ts"
import type { HeldData } from "./HeldData.ts"
import { LogUnknown, type ProcessHead, type Receipted, type SchedulerUnit } from "./SchedulerUnit.ts"

/** A batch whose leaves can be opened. */
export interface Opened {
  readonly link: Batch.SignedLink
  readonly tree: Merkle.Tree
}

export interface LogReader {
  readonly shows: Omit<SchedulerUnit["Service"], "address" | "submit" | "addData">
  /** Keeps the tree of a batch of the chain: its receipts are asked for soon. */
  readonly keepOpen: (batch: Opened) => Opened
  /** Tells that slots of these processes were taken in. */
  readonly grew: (processes: Iterable<Id.ProcessId>) => void
}

export interface Options {
  readonly store: Store["Service"]
  readonly log: AssignmentLog["Service"]
  readonly held: HeldData
  /** Published where the log has grown. */
  readonly feed: Feed.Feed
}

export const make = ({ store, log, held, feed }: Options): LogReader => {
  // Receipts open the same few batches, and a tree costs more than all that is read for one.
  const opened = new Map<number, Opened>()
  const keepOpen = (batch: Opened): Opened => {
    if (opened.size >= Limit.batchTreesMax) opened.delete(opened.keys().next().value!)
    opened.set(batch.link.number, batch)
    return batch
  }
  const open = (number: number): Opened => {
    const found = opened.get(number)
    if (found !== undefined) return found
    const { link, leaves } = log.leaves(number)!
    return keepOpen({ link, tree: Merkle.tree(leaves) })
  }
  const receiptOf = ({ assignment, batch, index, foreign }: Placed): Batch.Receipt => {
    if (foreign !== undefined) {
      const { scheduler, path } = foreign
      return { link: log.foreignLink(scheduler, batch)!, assignment, index, path }
    }
    const { link, tree } = open(batch)
    return Batch.receipt(link, tree, assignment, index)
  }

  const receipted = (process: Id.ProcessId, slot: number): Receipted | undefined => {
    const placed = log.entry(process, slot)
    if (placed === undefined) return undefined
    const { foreign: _, ...entry } = placed
    return { entry, receipt: receiptOf(placed) }
  }

  /** Of this run: what was there before, who starts to follow finds. */
  const adopted = new Set<Id.ProcessId>()
  let adoptions = 0
  const headOf = (process: Id.ProcessId): ProcessHead => {
    const { nextSlot, timestamp } = log.state(process)
    return { process, nextSlot, timestamp }
  }

  /** What is there of a slot, or that it is not there. */
  const found = <A>(process: Id.ProcessId, slot: number, find: () => A | undefined) =>
    Effect.suspend(() => {
      const one = find()
      return one === undefined ? Effect.fail(new LogUnknown({ process, slot })) : Effect.succeed(one)
    })
  const known = <A>(process: Id.ProcessId, find: () => A) =>
    found(process, 0, () => (log.state(process).nextSlot === 0 ? undefined : find()))

  return {
    keepOpen,
    grew: (processes) => {
      for (const process of processes) adopted.add(process)
      adoptions++
      feed.publish()
    },
    shows: {
      data: (hash) => Effect.sync(() => held.get(hash)),
      module: (id) => Effect.sync(() => Module.get(store, id)),
      receipt: (process, slot) => found(process, slot, () => receipted(process, slot)?.receipt),
      log: (process, from, limit) =>
        known(process, () => log.entries(process, from, Math.min(limit, Limit.logPageMax))),
      slots: (process, from) =>
        Stream.unwrap(known(process, () => feed.follow(from, (slot) => receipted(process, slot)))),
      authority: (process) => found(process, 0, () => log.state(process).authority),
      tenure: (process) =>
        found(process, 0, () => {
          const { term, scheduler } = log.state(process)
          return scheduler && { term, scheduler }
        }),
      grown: feed.follow(0, (number) => (number > adoptions ? undefined : Array.from(adopted, headOf)), {
        numberOf: () => adoptions,
      }),
      processes: Effect.sync(log.processes),
      knows: (address) => Effect.sync(() => log.knows(address)),
      nextBatch: Effect.sync(() => (log.last()?.number ?? -1) + 1),
      batches: (from, options) =>
        feed.follow(from, log.batchFrom, { ...options, numberOf: ({ link }) => link.number }),
    },
  }
}

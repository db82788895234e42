/**
 * A log written by hand, by whoever holds the scheduler's key: it signs whatever it is told to, admissible or not, and
 * serves it as a scheduler does.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Signer } from "../../identity/Signer.ts"
import * as Admission from "../../runtime/Admission.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Feed from "../../runtime/Feed.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import {
  type CommittedBatch,
  type LogEntry,
  LogUnknown,
  type SchedulerUnit,
} from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "./Caller.ts"

export interface Line {
  readonly process: Id.ProcessId
  readonly item: Uint8Array
  readonly proof?: Uint8Array
  /** 0 unless it is given. */
  readonly term?: number
  /** That of the line before in the same log, and 1, unless it is given. */
  readonly timestamp?: number
  /** Changes the assignment after its head was made, so that the chain breaks there. */
  readonly bend?: (assignment: Assignment.Assignment) => Assignment.Assignment
}

export interface LogBook {
  /** Signs and publishes one batch; gives its entries. */
  readonly write: (...lines: ReadonlyArray<Line>) => ReadonlyArray<LogEntry>
  readonly entries: (process: Id.ProcessId) => ReadonlyArray<LogEntry>
  /** What messages refer to, as it is served. */
  readonly data: Map<Id.Id, Uint8Array>
  readonly service: SchedulerUnit["Service"]
}

const byHand = new Admission.Refused({ reason: "stopping", detail: "this log is written by hand" })

export const timestamp0 = 1_000

/** `later` sign what has a term above 0, in order; where there are none, the first signs that too. */
export const make = (
  signer: Signer["Service"] = Caller.caller("small node").signer,
  later: ReadonlyArray<Signer["Service"]> = [],
): LogBook => {
  const logs = new Map<Id.ProcessId, Array<LogEntry>>()
  const batches: Array<CommittedBatch> = []
  const data = new Map<Id.Id, Uint8Array>()
  const feed = Feed.make()

  const logOf = (process: Id.ProcessId) => logs.get(process) ?? []
  const entries = (process: Id.ProcessId): ReadonlyArray<LogEntry> => [...logOf(process)]

  const assign = (
    { process, item, proof = Bytes.empty, term = 0, timestamp, bend }: Line,
    index: number,
  ): LogEntry => {
    const log = logOf(process)
    const last = log.at(-1)?.assignment
    const straight = Assignment.make({
      process,
      term,
      slot: log.length,
      timestamp: timestamp ?? (last === undefined ? timestamp0 : last.timestamp + 1),
      entryHash: Assignment.entryHash(item, proof),
      previous: last?.head ?? Assignment.emptyHead,
    })
    const entry = { assignment: bend?.(straight) ?? straight, batch: batches.length, index, item, proof }
    if (log.length === 0) logs.set(process, log)
    log.push(entry)
    return entry
  }

  const write = (...lines: ReadonlyArray<Line>) => {
    const made = lines.map(assign)
    const { root } = Batch.tree(made.map(({ assignment }) => assignment))
    const link = {
      number: batches.length,
      previousRoot: batches.at(-1)?.link.root ?? new Uint8Array(32),
      root,
    }
    const by = later[(lines[0]?.term ?? 0) - 1] ?? signer
    const signature = Effect.runSync(Effect.orDie(by.sign("heddle/batch/1", Batch.signingBytes(link))))
    const signed = { ...link, signatureType: by.type.number, owner: by.owner, signature }
    batches.push({ link: signed, entries: made })
    feed.publish()
    return made
  }

  const receipt = (process: Id.ProcessId, slot: number) => {
    const entry = logOf(process)[slot]
    if (entry === undefined) return Effect.fail(new LogUnknown({ process, slot }))
    const { link, entries: leaves } = batches[entry.batch]!
    const tree = Batch.tree(leaves.map(({ assignment }) => assignment))
    return Effect.succeed(Batch.receipt(link, tree, entry.assignment, entry.index))
  }

  return {
    write,
    entries,
    data,
    service: {
      address: signer.address,
      submit: () => Effect.fail(byHand),
      addData: () => Effect.fail(byHand),
      data: (hash) => Effect.sync(() => data.get(hash)),
      receipt: (process, slot) => Effect.suspend(() => receipt(process, slot)),
      log: (process, from, limit) =>
        Effect.suspend(() =>
          logOf(process).length === 0
            ? Effect.fail(new LogUnknown({ process, slot: 0 }))
            : Effect.succeed(logOf(process).slice(from, from + Math.min(limit, Limit.logPageMax))),
        ),
      authority: (process) => Effect.fail(new LogUnknown({ process, slot: 0 })),
      tenure: (process) => Effect.fail(new LogUnknown({ process, slot: 0 })),
      slots: (process, from) =>
        feed.follow(from, (slot) => {
          const entry = logOf(process)[slot]
          return entry && { entry, receipt: Effect.runSync(Effect.orDie(receipt(process, slot))) }
        }),
      grown: Stream.never,
      module: () => Effect.undefined,
      processes: Effect.sync(() =>
        Array.from(logs, ([process, log]) => ({
          process,
          nextSlot: log.length,
          timestamp: log.at(-1)!.assignment.timestamp,
        })),
      ),
      knows: () => Effect.succeed(false),
      nextBatch: Effect.sync(() => batches.length),
      batches: (from) => feed.follow(from, (number) => batches[number]),
    },
  }
}

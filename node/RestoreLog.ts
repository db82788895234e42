/**
 * RestoreLog: the first half of a restore: what was assigned. Every link, receipt leaf and signature is checked, and
 * admission is gone through again, so that the log is as its scheduler had it: what was admitted counts, what was not
 * does not.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { BatchRun } from "../archive-unit/BatchRun.ts"
import * as AuditFinding from "../compute-unit/AuditFinding.ts"
import * as Follower from "../compute-unit/Follower.ts"
import { Verifier } from "../identity/Verifier.ts"
import type * as Admission from "../runtime/Admission.ts"
import * as Assignment from "../runtime/Assignment.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type { DataReference } from "../runtime/DataReference.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type { StoreFailed } from "../runtime/Store.ts"
import type { Seen } from "../scheduler-unit/AssignmentLog.ts"
import type * as AssignmentLogStore from "../scheduler-unit/AssignmentLogStore.ts"
import type { CommittedBatch, LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import type { RestoreKept } from "./RestoreKept.ts"
import type { RestorePace } from "./RestorePace.ts"
import * as RestoreWriter from "./RestoreWriter.ts"

/** What the archive has is signed by the scheduler and is no log. */
export class LogBroken extends Data.TaggedError("LogBroken")<{
  readonly process: Id.ProcessId | undefined
  /** Of the process, or the number of the batch where it is about none. */
  readonly slot: number
  readonly detail: string
}> {
  override get message(): string {
    return this.process === undefined
      ? `batch ${this.slot}: ${this.detail}`
      : `process ${this.process}, ${this.detail}`
  }
}

export interface Options<E> {
  readonly store: AssignmentLogStore.Log
  readonly run: BatchRun
  /** Those that are restored; unset for all. */
  readonly processes: ReadonlySet<Id.ProcessId> | undefined
  readonly readOnly: boolean
  /** Told which modules the next entries run, before they are in the log. */
  readonly modules: (ids: ReadonlySet<Id.Id>) => Effect.Effect<void, E>
  /** Told what the next entries refer to, before they are in the log. */
  readonly data: (references: ReadonlyArray<DataReference>) => Effect.Effect<void, E>
  readonly kept: RestoreKept
  readonly pace: RestorePace
  readonly onSlots: (slots: number) => void
}

/** Bytes of items and proofs that go in with one commit, and entries that are examined at once. */
const bytesMax = 16 * 1024 * 1024
const entriesMax = 1_024

/** Processes whose entries are examined side by side. */
const atOnce = 4

/** What a leaf takes in memory: its bytes are an object of their own. */
const leafBytes = 200

const weight = (entries: ReadonlyArray<LogEntry>): number =>
  entries.reduce((sum, { item, proof }) => sum + item.length + proof.length, 0)

const placeOf = ({ process, slot }: Assignment.Assignment): string => `${process} ${slot}`

const placeOfKey = (process: Id.ProcessId, key: Uint8Array): string => `${process} ${Bytes.toHex(key)}`

/** Bytes are windows on the content that they came in: a little that is kept of it would hold all of it. */
const ownLink = (link: CommittedBatch["link"]) => ({
  ...link, // in this order: a row is its bytes
  previousRoot: Bytes.copy(link.previousRoot),
  root: Bytes.copy(link.root),
  owner: Bytes.copy(link.owner),
  signature: Bytes.copy(link.signature),
})
const ownEntry = ({ assignment, item, proof, ...entry }: LogEntry): LogEntry => ({
  ...entry,
  assignment: {
    ...assignment,
    entryHash: Bytes.copy(assignment.entryHash),
    previous: Bytes.copy(assignment.previous),
    head: Bytes.copy(assignment.head),
  },
  item: Bytes.copy(item),
  proof: Bytes.copy(proof),
})

/** The batch as it is to be in the store: whole, or what is wanted of it. */
const partOf = ({ link, entries }: CommittedBatch, wanted: ReadonlyArray<LogEntry>) => ({
  link: ownLink(link),
  wanted: wanted.map(ownEntry),
  leaves:
    wanted.length === entries.length
      ? undefined
      : entries.map(({ assignment }) => Assignment.leafValue(assignment)),
})

/** Puts batches of the run into the log until there are none. */
export const restore = Effect.fnUntraced(function* <E>(options: Options<E>) {
  const { store, run, processes, readOnly, modules, data, kept, pace, onSlots } = options
  const { log } = store
  const verifier = yield* Verifier
  const writer = RestoreWriter.make<StoreFailed>()
  let slots = 0
  /** What the commit that is being written makes of the log. */
  let writing: {
    readonly states: ReadonlyMap<Id.ProcessId, Admission.LogState>
    readonly seen: ReadonlyMap<string, Seen>
  } = { states: new Map(), seen: new Map() }

  const examine = Effect.fnUntraced(function* (process: Id.ProcessId, entries: ReadonlyArray<LogEntry>) {
    const seen = (key: Uint8Array): Seen | undefined =>
      writing.seen.get(placeOfKey(process, key)) ?? log.seen(process, key)
    const state = writing.states.get(process) ?? log.state(process)
    // Who read the content made entry hashes and heads of the bytes that stand there.
    const check = Follower.checkOrder
    const examining = Follower.examine(() => verifier, process, state, entries, seen, check)
    return yield* AuditFinding.ofChain(examining).pipe(
      // The verifier is busy: that is no verdict.
      Effect.retry({
        while: (error) => error._tag === "Refused",
        schedule: Schedule.spaced(Limit.deliveryRetryMsMin),
      }),
      Effect.catchTag("Refused", Effect.die),
      Effect.catchTag("LogUnfit", ({ slot, detail }) =>
        Effect.fail(new LogBroken({ process, slot, detail })),
      ),
    )
  })

  const commit = Effect.fnUntraced(function* (parts: ReadonlyArray<ReturnType<typeof partOf>>) {
    const all = Map.groupBy(
      parts.flatMap(({ wanted }) => wanted),
      ({ assignment }) => assignment.process,
    )
    const examined = new Map<string, Follower.Examined>()
    const states = new Map<Id.ProcessId, Admission.LogState>()
    const found = new Map<string, Seen>()
    const needed = new Set<Id.Id>()
    const referred: Array<DataReference> = []
    const examineAll = Effect.fnUntraced(function* ([process, entries]: readonly [
      Id.ProcessId,
      ReadonlyArray<LogEntry>,
    ]) {
      const done = yield* examine(process, entries)
      kept.keep(process, done)
      for (const [i, one] of done.entries()) {
        examined.set(placeOf(entries[i]!.assignment), one)
        const { slot } = one.entry
        if (one.seen !== undefined)
          found.set(placeOfKey(process, one.seen.key), { slot, contentHash: one.seen.contentHash })
        if (one.entry.slot === 0 && one.log.process !== undefined) needed.add(one.log.process.module)
        if (one.entry.upgrade !== undefined) needed.add(one.entry.upgrade.module)
        if (one.entry.data !== undefined) referred.push(one.entry.data)
      }
      states.set(process, done.at(-1)!.log)
    })
    yield* pace.untilTurnsWait
    yield* Effect.forEach(all, examineAll, { concurrency: atOnce, discard: true })
    yield* modules(needed)
    yield* data(referred)
    const restored = parts.map(({ link, wanted, leaves }): AssignmentLogStore.Restored => ({
      link,
      leaves,
      entries: wanted.map((entry) => {
        const { seen } = examined.get(placeOf(entry.assignment))!
        return { ...entry, repeatKey: seen?.key, contentHash: seen?.contentHash ?? Bytes.empty }
      }),
    }))
    yield* writer.write(() => Effect.tap(store.restore(restored, states, readOnly), said(examined.size)))
    writing = { states, seen: found }
  })

  const said = (count: number) => () =>
    Effect.sync(() => {
      slots += count
      onSlots(slots)
      pace.logMoved()
    })

  let last = log.last()
  let parts: Array<ReturnType<typeof partOf>> = []
  let [bytes, count] = [0, 0]
  for (;;) {
    const batch = yield* run.next
    if (batch === undefined) break
    const { link } = batch
    const follows = last?.number === link.number - 1
    if (follows && !Bytes.equal(link.previousRoot, last!.root)) {
      const detail = `it does not follow batch ${last!.number}: the scheduler signed two logs`
      return yield* new LogBroken({ process: undefined, slot: link.number, detail })
    }
    last = link
    const wanted =
      processes === undefined
        ? batch.entries
        : batch.entries.filter(({ assignment }) => processes.has(assignment.process))
    const part = partOf(batch, wanted)
    parts.push(part)
    bytes += weight(wanted) + (part.leaves?.length ?? 0) * leafBytes
    count += wanted.length
    if (bytes < bytesMax && count < entriesMax && parts.length < entriesMax) continue
    yield* commit(parts)
    parts = []
    ;[bytes, count] = [0, 0]
  }
  if (parts.length > 0) yield* commit(parts)
  yield* writer.settled
  pace.logEnded()
  return slots
})

/**
 * BatchRun: the batches of a scheduler in the order of their numbers, one content at a time: all of them, or those that
 * hold something of some processes.
 */
import * as Effect from "effect/Effect"
import type { Archive } from "../runtime/Archive.ts"
import type * as Id from "../runtime/Id.ts"
import type { CommittedBatch } from "../scheduler-unit/SchedulerUnit.ts"
import * as Catalog from "./Catalog.ts"
import * as Contents from "./Contents.ts"
import * as Shelf from "./Shelf.ts"
import * as Spawn from "./Spawn.ts"

export interface BatchRun {
  /** The next batch; undefined behind the last. */
  readonly next: Effect.Effect<CommittedBatch | undefined, Shelf.ArchiveGap>
  /** Contents that were found for it. */
  readonly listed: ReadonlyArray<Catalog.Listed>
}

const numbersOf = ({ batches }: Contents.Batches): Shelf.Range => ({
  first: batches[0]!.link.number,
  last: batches.at(-1)!.link.number,
})

const byNumber = (all: ReadonlyArray<Catalog.Listed>): ReadonlyArray<Shelf.Claim> =>
  all.flatMap((listed) =>
    listed.head.type === "Batches"
      ? [{ listed, first: listed.head.firstBatch, last: listed.head.lastBatch }]
      : [],
  )

const listOf = (archive: Archive["Service"], scheduler: Id.Address) =>
  Catalog.list(archive, "Batches", [{ name: "Scheduler", values: [scheduler] }])

/** All batches of a scheduler from a number on. */
export const ofScheduler = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  watch: Contents.Watch,
  scheduler: Id.Address,
  from: number,
) {
  const listed = yield* listOf(archive, scheduler)
  const library = yield* Contents.batches(archive, watch, scheduler)
  const shelf = Shelf.make("batches", undefined, library, numbersOf, byNumber(listed))
  let number = from
  const run: BatchRun = {
    listed,
    next: Effect.gen(function* () {
      const content = yield* shelf.at(number)
      if (content === undefined) return undefined
      return content.batches[number++ - content.batches[0]!.link.number]!
    }),
  }
  return run
})

interface Waiting {
  readonly listed: Catalog.Listed
  /** By the tags, until the content was read. */
  first: number
}

/** Batches that hold something of these processes of one scheduler, each from a slot of its own on. */
export const ofProcesses = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  watch: Contents.Watch,
  scheduler: Id.Address,
  from: ReadonlyMap<Id.ProcessId, number>,
) {
  const listed = yield* Catalog.list(archive, "Batches", [{ name: "Process", values: [...from.keys()] }])
  const library = yield* Contents.batches(archive, watch, scheduler)
  const waiting: Array<Waiting> = byNumber(listed).map(({ listed: one, first }) => ({ listed: one, first }))
  const lost: Array<Catalog.Listed> = []
  const slots = new Map(from)
  let number = 0
  let batches: ReadonlyArray<CommittedBatch> = []

  /** What the processes lack up to a slot, if it is anything. */
  const lacking = (process: Id.ProcessId, before: number | undefined) => {
    const next = slots.get(process)!
    const claims = Spawn.claimsOf(lost, process).filter(({ last }) => last >= next)
    const end = before ?? Math.max(next, ...claims.map(({ last }) => last + 1))
    return end <= next ? undefined : Shelf.gap("slots", process, next, end - 1, claims)
  }

  /** Opens the next content in the order of what they are found to hold, which tags need not say. */
  const open = Effect.gen(function* () {
    for (;;) {
      waiting.sort((a, b) => a.first - b.first)
      const [one, other] = waiting
      if (one === undefined) return false
      const content = yield* library.get(one.listed)
      if (content === "lost") lost.push(one.listed)
      if (typeof content !== "string") {
        one.first = numbersOf(content).first
        if (other !== undefined && other.first < one.first) continue
        batches = content.batches
      }
      waiting.shift()
      if (other !== undefined) yield* library.ahead(other.listed)
      if (typeof content !== "string") return true
    }
  })

  const take = Effect.fnUntraced(function* ({ entries }: CommittedBatch) {
    for (const { assignment } of entries) {
      const { process, slot } = assignment
      const next = slots.get(process)
      if (next === undefined || slot < next) continue
      const gap = lacking(process, slot)
      if (gap !== undefined) return yield* gap
      slots.set(process, slot + 1)
    }
  })

  const next: BatchRun["next"] = Effect.gen(function* () {
    for (;;) {
      const batch = batches.find(
        ({ link, entries }) =>
          link.number >= number &&
          entries.some(({ assignment: { process, slot } }) => slot >= (slots.get(process) ?? Infinity)),
      )
      if (batch !== undefined) {
        number = batch.link.number + 1
        yield* take(batch)
        return batch
      }
      batches = []
      if (yield* open) continue
      for (const process of slots.keys()) {
        const gap = lacking(process, undefined)
        if (gap !== undefined) return yield* gap
      }
      return undefined
    }
  })
  const run: BatchRun = { listed, next }
  return run
})

/** The newest batch of a scheduler that the archive has, none after it being lost. */
export const newest = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  watch: Contents.Watch,
  scheduler: Id.Address,
) {
  const claims = byNumber(yield* listOf(archive, scheduler)).toSorted((a, b) => b.last - a.last)
  const library = yield* Contents.batches(archive, watch, scheduler)
  let lost: ReadonlyArray<Shelf.Claim> = []
  let found: CommittedBatch | undefined
  for (const claim of claims) {
    if (found !== undefined && claim.last <= found.link.number) break
    const content = yield* library.get(claim.listed)
    if (content === "lost") lost = [...lost, claim]
    if (typeof content === "string") continue
    const last = content.batches.at(-1)!
    if (found === undefined || last.link.number > found.link.number) found = last
  }
  const after = found === undefined ? 0 : found.link.number + 1
  const gone = lost.filter(({ last }) => last >= after)
  if (gone.length > 0)
    return yield* Shelf.gap("batches", undefined, after, Math.max(...gone.map(({ last }) => last)), gone)
  return found
})

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
  read: boolean
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
  const waiting: Array<Waiting> = byNumber(listed).map(({ listed: one, first }) => ({
    listed: one,
    first,
    read: false,
  }))
  const lost: Array<Catalog.Listed> = []
  const slots = new Map(from)
  let current: Waiting | undefined
  let batches: ReadonlyArray<CommittedBatch> = []

  /** What the processes lack up to a slot, if it is anything. */
  const lacking = (process: Id.ProcessId, before: number | undefined) => {
    const next = slots.get(process)!
    const claims = Spawn.claimsOf(lost, process).filter(({ last }) => last >= next)
    const end = before ?? Math.max(next, ...claims.map(({ last }) => last + 1))
    return end <= next ? undefined : Shelf.gap("slots", process, next, end - 1, claims)
  }

  /** Reads a content that waits; one that is of no use waits no more. */
  const look = Effect.fnUntraced(function* (one: Waiting) {
    const content = yield* library.get(one.listed)
    if (content === "lost") lost.push(one.listed)
    if (typeof content === "string") {
      waiting.splice(waiting.indexOf(one), 1)
      return undefined
    }
    one.first = numbersOf(content).first
    one.read = true
    return content
  })

  /** Opens the next content in the order of what they are found to hold, which tags need not say. */
  const open = Effect.gen(function* () {
    for (;;) {
      waiting.sort((a, b) => a.first - b.first)
      const [one, other] = waiting
      if (one === undefined) return false
      const content = yield* look(one)
      if (content === undefined || (other !== undefined && other.first < one.first)) continue
      waiting.shift()
      current = one
      batches = content.batches
      if (other !== undefined) yield* library.ahead(other.listed)
      return true
    }
  })

  /** Slots of a batch that are still to come. */
  const fresh = ({ entries }: CommittedBatch) =>
    entries.flatMap(({ assignment: { process, slot } }) =>
      slot >= (slots.get(process) ?? Number.POSITIVE_INFINITY) ? [{ process, slot }] : [],
    )

  /** What is missing before a batch. */
  const gapBefore = (batch: CommittedBatch) => {
    const firsts = new Map(
      fresh(batch)
        .toReversed()
        .map(({ process, slot }) => [process, slot]),
    )
    for (const [process, slot] of firsts) {
      const gap = lacking(process, slot)
      if (gap !== undefined) return gap
    }
    return undefined
  }

  const next: BatchRun["next"] = Effect.gen(function* () {
    for (;;) {
      const batch = batches.find((one) => fresh(one).length > 0)
      if (batch !== undefined) {
        const gap = gapBefore(batch)
        if (gap === undefined) {
          for (const { process, slot } of fresh(batch)) slots.set(process, slot + 1)
          return batch
        }
        // What is missing may be in a content that says something else of itself.
        const unread = waiting.find(({ read }) => !read)
        if (unread === undefined) return yield* gap
        yield* look(unread)
        waiting.push(current!)
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

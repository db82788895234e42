/**
 * Gatherer: what the next bundle will hold, in memory, until there is enough of it or somebody wants it closed. It is read
 * again after a crash, so whoever closes the bundle takes it only once the bundle is durable.
 */
import * as Latch from "effect/Latch"
import type { Committed } from "../compute-unit/ComputeUnit.ts"
import * as Limit from "../runtime/Limit.ts"
import type { CommittedBatch } from "../scheduler-unit/SchedulerUnit.ts"
import * as BatchesContent from "./BatchesContent.ts"
import * as Bundling from "./Bundling.ts"
import * as TurnsContent from "./TurnsContent.ts"

interface Weighed<A> {
  readonly one: A
  readonly bytes: number
}

const only = <A>(all: ReadonlyArray<Weighed<A>>): ReadonlyArray<A> => all.map(({ one }) => one)

const total = (all: ReadonlyArray<Weighed<unknown>>): number => all.reduce((sum, { bytes }) => sum + bytes, 0)

/** When a batch was decided: of several timestamps, the one that repeats none from before. */
export const assignedAt = ({ entries }: CommittedBatch): number =>
  entries.reduce((least, { assignment }) => Math.min(least, assignment.timestamp), Number.MAX_SAFE_INTEGER)

export class Gatherer {
  /** Open while there is room for more; while there is something; while it is enough. */
  readonly room = Latch.makeUnsafe(true)
  readonly some = Latch.makeUnsafe(false)
  readonly enough = Latch.makeUnsafe(false)
  readonly #bytesMax: number
  #batches: Array<Weighed<Bundling.GatheredBatch>> = []
  #commits: Array<Weighed<TurnsContent.ArchivedRelease>> = []
  #bytes = 0
  #since: number | undefined
  /** How many want it closed now. */
  #wanted = 0

  /** `bytesMax` is what is enough for a bundle. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get isEmpty(): boolean {
    return this.#batches.length + this.#commits.length === 0
  }

  get all(): Bundling.Gathered {
    return { batches: only(this.#batches), commits: only(this.#commits) }
  }

  get isFull(): boolean {
    return this.#bytes >= this.#bytesMax
  }

  get isWanted(): boolean {
    return this.#wanted > 0
  }

  /** When the oldest of it was made, in ms since 1970. */
  get since(): number | undefined {
    return this.#since
  }

  /** When its first batch was decided. */
  get assigned(): number | undefined {
    const [first] = this.#batches
    return first && assignedAt(first.one.batch)
  }

  batch(batch: CommittedBatch, now: number): void {
    const one = Bundling.gathered(batch)
    const referenced = [...one.references.values()].reduce((sum, length) => sum + length, 0)
    const bytes = BatchesContent.batchBytes(batch) + referenced
    this.#batches.push({ one, bytes })
    this.#added(bytes, now, assignedAt(batch))
  }

  commit(commit: Committed, now: number): void {
    const bytes = TurnsContent.releaseBytes(commit)
    const one = bytes <= Limit.archiveReleaseBytesMax ? commit : TurnsContent.withoutOutcomes(commit)
    this.#commits.push({ one, bytes })
    this.#added(bytes, now, now)
  }

  /** Says that one more wants it closed as it is, or one fewer. */
  want(by: 1 | -1): void {
    this.#wanted += by
    this.#look()
  }

  /** Lets go of what a bundle has: the first of it. */
  take({ batches, commits }: Bundling.Gathered, now: number): void {
    this.#batches = this.#batches.slice(batches.length)
    this.#commits = this.#commits.slice(commits.length)
    this.#bytes = total(this.#batches) + total(this.#commits)
    this.#since = this.isEmpty ? undefined : Math.min(now, this.assigned ?? now)
    this.#look()
  }

  #added(bytes: number, now: number, madeAt: number): void {
    this.#since = Math.min(this.#since ?? now, madeAt) // the clock may have been set back
    this.#bytes += bytes
    this.#look()
  }

  #look(): void {
    const set = (latch: Latch.Latch, open: boolean) => (open ? latch.openUnsafe() : latch.closeUnsafe())
    set(this.some, !this.isEmpty)
    set(this.enough, !this.isEmpty && (this.isFull || this.isWanted))
    set(this.room, !this.isFull)
  }
}

/**
 * Lane: entries of one source to one target, which go one at a time in their order (spec 05 §3). The first of them are
 * in memory, the rest in the store alone, and behind those what just came and is not kept yet:
 *
 *     head (3, 4) | in the store (5 to 900) | tail (901)
 *
 * Only where all of the head is kept is anything behind it in the store alone: so the order of the keys is that of the
 * lane, and whoever takes it up after a crash reads it in that order.
 */
import * as Limit from "../runtime/Limit.ts"
import type { Store } from "../runtime/Store.ts"
import * as Parcels from "./Parcels.ts"

/** An entry in memory. */
export interface Carried {
  readonly parcel: Parcels.Parcel
  /** The release it came with; unset where the store gave it back. */
  readonly release: number | undefined
  /** Whether the store holds it, so that the cursor may pass it. */
  kept: boolean
  delivered: boolean
}

/** What lanes may have in memory. */
export interface Bounds {
  readonly lanesMax: number
  readonly parcelsPerLaneMax: number
  /** Bytes of all lanes: over it each has one entry more at most. */
  readonly bytesMax: number
}

export const boundsDefault: Bounds = {
  lanesMax: Limit.lanesMax,
  parcelsPerLaneMax: Limit.parcelsPerLaneMax,
  bytesMax: Limit.parcelBytesInMemoryMax,
}

/** What all lanes together have in memory. */
export interface Memory {
  bytes: number
  readonly bounds: Bounds
}

/** The first of these, as many as one commit takes. */
export const oneCommit = (carried: ReadonlyArray<Carried>): ReadonlyArray<Carried> => {
  let bytes = 0
  return carried.filter(({ parcel }) => (bytes += Parcels.weight(parcel)) <= Limit.batchBytesMax)
}

export class Lane {
  readonly of: Parcels.Lane
  readonly #store: Store["Service"]
  readonly #memory: Memory
  #head: Array<Carried> = []
  #tail: Array<Carried> = []
  /** Whether the store may have some that are not in memory. */
  #more: boolean
  /** The last that has gone. */
  #gone: Parcels.Line | undefined
  /** Whether the store has some that belong before it: delivered before a crash, they came once more and were kept. */
  #isBehind = false
  /** Whether it is only seen by the next whether any can go: then no more than that is read. */
  #isTrying: boolean

  constructor(of: Parcels.Lane, store: Store["Service"], memory: Memory, more: boolean) {
    this.of = of
    this.#store = store
    this.#memory = memory
    this.#more = more
    this.#isTrying = more
  }

  /** Entries that it may have in memory; fewer where others have much there. */
  get #max(): number {
    const { bytes, bounds } = this.#memory
    return bytes > bounds.bytesMax ? 1 : bounds.parcelsPerLaneMax
  }

  get #isOver(): boolean {
    return this.#head.length + this.#tail.length > this.#max
  }

  get isInMemory(): boolean {
    return this.#head.length > 0 || this.#tail.length > 0
  }

  /** Puts one behind all others. True where the lane then has more in memory than it may. */
  push(carried: Carried): boolean {
    this.#memory.bytes += Parcels.weight(carried.parcel)
    ;(this.#more ? this.#tail : this.#head).push(carried)
    return this.#isOver
  }

  /** Puts a void where its number belongs, behind what may be on its way; not where the store has some of the lane. */
  insert(carried: Carried): boolean {
    if (this.#more || this.#head.some(({ kept }) => kept)) return false
    const at = this.#head.findIndex(({ parcel }) => Parcels.isBefore(carried.parcel, parcel))
    this.#memory.bytes += Parcels.weight(carried.parcel)
    this.#head.splice(at < 0 ? this.#head.length : Math.max(at, 1), 0, carried)
    return true
  }

  /** Some came into the store behind all that the lane had. */
  addMore(): void {
    this.#more = true
  }

  /** The next to go. */
  first(): Carried | undefined {
    if (this.#head.length === 0 && this.#more) this.#load()
    if (this.#head.length === 0) {
      this.#head = this.#tail
      this.#tail = []
      this.#more = false
    }
    return this.#head[0]
  }

  /**
   * Reads on in the store, up to where the tail begins. What was delivered before a crash comes once more, and then the
   * tail begins before what the store has: so much of it goes first.
   */
  #load(): void {
    const max = this.#isTrying ? 1 : this.#max
    if (this.#isBehind) this.#gone = undefined
    this.#isBehind = false
    for (let behind = this.#gone; this.#head.length < max; behind = this.#head.at(-1)!.parcel) {
      if (this.of.isTimer && behind !== undefined) return
      const parcel = Parcels.parcelBehind(this.#store, this.of, behind)
      if (parcel === undefined) return
      const [end] = this.#tail
      if (end !== undefined && !Parcels.isBefore(parcel, end.parcel)) {
        if (this.#head.length === 0) this.#head.push(this.#tail.shift()!)
        return
      }
      this.#memory.bytes += Parcels.weight(parcel)
      this.#head.push({ parcel, release: undefined, kept: true, delivered: false })
    }
  }

  /** This one, which was the first, has gone. */
  shift(gone: Carried): void {
    this.#isTrying = false
    if (this.#head[0] !== gone) return // begun again meanwhile
    this.#head.shift()
    this.#memory.bytes -= Parcels.weight(gone.parcel)
    this.#gone = gone.parcel
  }

  /** Something came into the store that is not behind all others: what is kept is read again from there. */
  beginAgain(): void {
    if (this.#head.every(({ kept }) => kept)) this.#drop(this.#head.splice(0))
    this.#gone = undefined
    this.#more = true
  }

  /** In their order, those that the store does not hold, up to the bytes of one commit. */
  loose(): ReadonlyArray<Carried> {
    const all = [...this.#head, ...this.#tail]
    return oneCommit(all.slice(all.findLastIndex(({ kept, delivered }) => kept || delivered) + 1))
  }

  /** Lets go of what the store holds, but for as many as may be in memory; of all of it where the lane waits. */
  trim(waits: boolean): void {
    if (this.#head.some(({ kept }) => !kept)) return
    this.#isTrying ||= waits
    const max = waits ? 0 : this.#max
    if (this.#head.length > max) this.#drop(this.#head.splice(max))
    const end = this.#tail.findIndex(({ kept }) => !kept)
    this.#drop(this.#tail.splice(0, end < 0 ? this.#tail.length : end))
  }

  #drop(carried: ReadonlyArray<Carried>): void {
    if (carried.length > 0) this.#more = true
    const last = this.#head.at(-1)?.parcel ?? this.#gone
    this.#isBehind ||= last !== undefined && carried.some(({ parcel }) => Parcels.isBefore(parcel, last))
    for (const { parcel } of carried) this.#memory.bytes -= Parcels.weight(parcel)
  }

  /** Whether it has more in memory than it may, since the store does not take it. */
  get isStuck(): boolean {
    return this.#isOver && this.loose().length > 0
  }

  /** Entries of which the store may know nothing. */
  *unkept(): Generator<Parcels.Parcel> {
    for (const { parcel, kept, delivered } of [...this.#head, ...this.#tail])
      if (!kept && !delivered) yield parcel
  }

  /** What goes next, without its bytes. */
  next(): Parcels.Line | undefined {
    const [first] = this.#head.length > 0 || this.#more ? this.#head : this.#tail
    return first === undefined
      ? Parcels.lineBehind(this.#store, this.of, this.#isBehind ? undefined : this.#gone)
      : Parcels.lineOf(first.parcel)
  }
}

/**
 * Checkpoints: states of one process that a debugger keeps so as to go back without starting over. Dense around where it
 * is and sparse far away: of all that it may keep it gives up the one whose absence costs least from there.
 */
import type * as Admission from "../runtime/Admission.ts"
import type { InForce } from "./Rerun.ts"

export interface Checkpoint {
  /** The last slot run. */
  readonly slot: number
  readonly stateRoot: Uint8Array
  /** As `Sandbox.take` gave it. */
  readonly bytes: Uint8Array
  readonly log: Admission.LogState
  readonly inForce: InForce
}

export interface Bounds {
  readonly count: number
  readonly bytes: number
}

/** Enough for a few thousand turns around a place, and less memory than the sandbox itself takes. */
const bounds: Bounds = { count: 64, bytes: 64 * 1024 * 1024 }

export class Checkpoints {
  readonly #bounds: Bounds
  /** By slot, ascending. */
  #all: ReadonlyArray<Checkpoint> = []

  constructor(within: Bounds = bounds) {
    this.#bounds = within
  }

  get slots(): ReadonlyArray<number> {
    return this.#all.map(({ slot }) => slot)
  }

  at(slot: number): Checkpoint | undefined {
    return this.#all.find((one) => one.slot === slot)
  }

  /** The last one that is not after `slot`. */
  before(slot: number): Checkpoint | undefined {
    return this.#all.findLast((one) => one.slot <= slot)
  }

  /** Keeps where the debugger is. */
  add(here: Checkpoint): void {
    const others = this.#all.filter(({ slot }) => slot !== here.slot)
    this.#all = [...others, here].toSorted((a, b) => a.slot - b.slot)
    while (this.#all.length > 1 && this.#isFull()) {
      const spared = this.#cheapest(here.slot)
      this.#all = this.#all.filter((_, i) => i !== spared)
    }
  }

  #isFull(): boolean {
    const bytes = this.#all.reduce((sum, one) => sum + one.bytes.length, 0)
    return this.#all.length > this.#bounds.count || bytes > this.#bounds.bytes
  }

  /** Turns to be run again without it, against how far it is from `here`. */
  #cheapest(here: number): number {
    const slots = this.slots
    const costs = slots.map((slot, i) => {
      const gap = (slots[i + 1] ?? slot) - (slots[i - 1] ?? -1)
      return slot === here ? Number.POSITIVE_INFINITY : gap / Math.abs(slot - here)
    })
    return costs.indexOf(Math.min(...costs))
  }
}

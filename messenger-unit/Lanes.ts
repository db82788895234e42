/**
 * Lanes: those that a messenger works on. They have so many places; where there is none left, one that is held gives up
 * its own, since it has all in the store and only something that happens can move it.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import { Recent } from "../runtime/Recent.ts"
import type { Store } from "../runtime/Store.ts"
import { type Bounds, boundsDefault, Lane, type Memory } from "./Lane.ts"
import type { Undelivered } from "./MessengerUnit.ts"
import type * as Parcels from "./Parcels.ts"

/** Why a lane waits, and until when. */
interface Waiting {
  readonly reason: string
  /** ms since 1970; unset where something has to happen first. */
  readonly next: number | undefined
  readonly woken: Deferred.Deferred<void>
}

/** A lane that is worked on. */
export interface Open {
  readonly lane: Lane
  waiting: Waiting | undefined
  /** Times that the first entry was tried. */
  attempts: number
  /** Whether something happened at the target since the first entry was sent last. */
  news: boolean
  /** Whether the target is seen to be a person. */
  isPerson: boolean
  /** Pair number of the newest void that went: the message for which it stands is done with. */
  voided: number | undefined
  /** Whether its place was given to another. */
  isEvicted: boolean
  /** Tells who waits for it what the next attempt comes to. */
  tried: Deferred.Deferred<"delivered" | "refused"> | undefined
}

export class Lanes {
  readonly #store: Store["Service"]
  readonly #memory: Memory
  readonly #open = new Map<string, Open>()
  readonly #byTarget = new Map<Id.Id, Set<Open>>()
  /** Those to give up their place, the first first. */
  readonly #held = new Set<Open>()
  /** What is known of those that did. */
  readonly #evicted = new Recent<string, Pick<Undelivered, "reason" | "attempts">>(Limit.lanesMax)
  #freed = Deferred.makeUnsafe<void>()
  /** Whether the store may have lanes that are not open, and whether any came since all were last opened. */
  #hasClosed = true
  #hasNewClosed = false

  constructor(store: Store["Service"], bounds: Bounds = boundsDefault) {
    this.#store = store
    this.#memory = { bytes: 0, bounds }
  }

  /** Whether anything may wait. */
  get hasAny(): boolean {
    return this.#open.size > 0 || this.#hasClosed
  }

  get hasClosed(): boolean {
    return this.#hasClosed
  }

  get(name: string): Open | undefined {
    return this.#open.get(name)
  }

  all(): Iterable<Open> {
    return this.#open.values()
  }

  to(target: Id.Id): Iterable<Open> {
    return this.#byTarget.get(target) ?? []
  }

  /** What is known of a lane that is not open. */
  lastKnown(name: string): Pick<Undelivered, "reason" | "attempts"> | undefined {
    return this.#evicted.get(name)
  }

  /** Opens a lane; `more` where the store may have some of it. */
  begin(of: Parcels.Lane, more: boolean): Open {
    const one: Open = {
      lane: new Lane(of, this.#store, this.#memory, more),
      waiting: undefined,
      attempts: this.#evicted.get(of.name)?.attempts ?? 0,
      news: false,
      isPerson: false,
      voided: undefined,
      isEvicted: false,
      tried: undefined,
    }
    this.#evicted.delete(of.name)
    this.#open.set(of.name, one)
    const others = this.#byTarget.get(of.target)
    if (others === undefined) this.#byTarget.set(of.target, new Set([one]))
    else others.add(one)
    return one
  }

  close(one: Open): void {
    const { name, target } = one.lane.of
    this.#held.delete(one)
    this.#open.delete(name)
    const others = this.#byTarget.get(target)
    others?.delete(one)
    if (others?.size === 0) this.#byTarget.delete(target)
    this.#free()
  }

  /** It goes on, so it keeps its place. */
  wake(one: Open): void {
    one.news = true
    this.#held.delete(one)
    if (one.waiting !== undefined) Deferred.doneUnsafe(one.waiting.woken, Effect.void)
  }

  /** Lets go of what a lane need not have in memory. One that is held has nothing there then. */
  rest(one: Open): void {
    const { lane, waiting, news } = one
    lane.trim(waiting !== undefined)
    if (waiting === undefined || waiting.next !== undefined || news || lane.isInMemory) return
    this.#held.add(one)
    this.#free()
  }

  /** It keeps its place for now: it has what the store does not have. */
  unrest(one: Open): void {
    this.#held.delete(one)
  }

  /** Some came into the store of which no lane is open. */
  addClosed(): void {
    this.#hasClosed = this.#hasNewClosed = true
  }

  /** All that the store has are being opened; `done` is told when they were. */
  openAll(): { readonly done: () => void } {
    this.#hasNewClosed = false
    return { done: () => void (this.#hasClosed = this.#hasNewClosed) }
  }

  /** Whether there is a place for one more. */
  hasPlace(): boolean {
    if (this.#open.size < this.#memory.bounds.lanesMax) return true
    const [first] = this.#held
    if (first === undefined) return false
    const { reason } = first.waiting! // it is held, so it waits
    this.#evicted.set(first.lane.of.name, { reason, attempts: first.attempts })
    this.addClosed()
    first.isEvicted = true
    this.close(first)
    this.wake(first)
    return true
  }

  /** Waits until there is a place for one more. */
  readonly place: Effect.Effect<void> = Effect.suspend(() =>
    this.hasPlace() ? Effect.void : Effect.andThen(Deferred.await(this.#freed), this.place),
  )

  #free(): void {
    const waiting = this.#freed
    this.#freed = Deferred.makeUnsafe<void>()
    Deferred.doneUnsafe(waiting, Effect.void)
  }
}

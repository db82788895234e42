/** Outbox list: what is not delivered, as people are shown it: which, why, since when, and when it is tried next. */
import type { Emitted } from "../compute-unit/ComputeUnit.ts"
import * as Limit from "../runtime/Limit.ts"
import type { Store } from "../runtime/Store.ts"
import type { Carried } from "./Lane.ts"
import type { Lanes } from "./Lanes.ts"
import type { OutboxPlace, Undelivered } from "./MessengerUnit.ts"
import * as Parcels from "./Parcels.ts"

/** A line as it is shown; `isFirst` where it is the one of its lane that goes next. */
export const show = (lanes: Lanes, line: Parcels.Line, isFirst: boolean): Undelivered => {
  const { name, isTimer } = Parcels.laneOf(line)
  const one = lanes.get(name)
  const known = one === undefined ? lanes.lastKnown(name) : { attempts: one.attempts, reason: "on its way" }
  const { source, slot, index, target, kind, due, since } = line
  return {
    source,
    slot,
    index,
    target,
    kind,
    due,
    reason: one?.waiting?.reason ?? known?.reason ?? (isTimer ? "not due yet" : "waits for its turn"),
    since,
    attempts: isFirst ? (known?.attempts ?? 0) : 0,
    next: one === undefined && isTimer ? due : one?.waiting?.next,
  }
}

const order = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)

/** The oldest first; those of one lane stay in its order. */
const inOrder = (a: Undelivered, b: Undelivered): number =>
  a.since - b.since || order(a.source, b.source) || order(a.target, b.target)

/** Where entries can be that are not delivered. */
export interface Where {
  readonly store: Store["Service"]
  readonly lanes: Lanes
  /** What no lane has and the store does not have yet. */
  readonly straying: Iterable<Carried>
}

/** What is in memory and may not be in the store. */
function* unkept({ lanes, straying }: Where): Generator<Parcels.Parcel> {
  for (const { lane } of lanes.all()) yield* lane.unkept()
  for (const { parcel } of straying) yield parcel
}

/** All that is not delivered, as far as it is shown at once. `leaving` are delivered, and not out of the store yet. */
export const list = (where: Where, leaving: ReadonlySet<string>): ReadonlyArray<Undelivered> => {
  const { store, lanes } = where
  const found = new Map<string, Parcels.Line>()
  const firsts = new Map<string, string>()
  const see = (line: Parcels.Line): void => {
    const place = Parcels.nameOf(line)
    if (leaving.has(place)) return
    const { name } = Parcels.laneOf(line)
    found.set(place, line)
    if (!firsts.has(name)) firsts.set(name, place)
  }
  for (const lines of [Parcels.all(store), unkept(where)])
    for (const line of lines) {
      if (found.size >= Limit.outboxShownMax) break
      see(line)
    }
  return Array.from(found, ([place, line]) =>
    show(lanes, line, firsts.get(Parcels.laneOf(line).name) === place),
  ).toSorted(inOrder)
}

const unkeptAt = (where: Where, place: OutboxPlace): Parcels.Parcel | undefined => {
  const name = Parcels.nameOf(place)
  for (const parcel of unkept(where)) if (Parcels.nameOf(parcel) === name) return parcel
  return undefined
}

/** The line that waits at a place. */
export const find = (where: Where, place: OutboxPlace): Parcels.Line | undefined =>
  unkeptAt(where, place) ?? Parcels.at(where.store, place)

/** What waits at a place, with its bytes. */
export const whole = (where: Where, place: OutboxPlace): Emitted | undefined => {
  const line = Parcels.at(where.store, place)
  const parcel = unkeptAt(where, place) ?? (line && Parcels.whole(where.store, line))
  return parcel && Parcels.emitted(parcel)
}

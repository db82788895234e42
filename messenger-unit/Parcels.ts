/**
 * Parcels: outbox entries that wait, as the store has them (spec 05 §3). Their keys sort by target, source and place, so
 * that what waits for one target stands together and each lane in its order; timers stand apart and sort by due time
 * too. A line says what waits; the bytes stand under a key of their own and are read when they go.
 */
import * as Result from "effect/Result"
import type { Emitted } from "../compute-unit/ComputeUnit.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import type { Put, Store as StoreTag } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"
import type { OutboxPlace } from "./MessengerUnit.ts"

type Store = StoreTag["Service"]

/** An entry without its bytes. */
export interface Line extends OutboxPlace {
  readonly target: Id.ProcessId
  readonly kind: Emitted["entry"]["kind"]
  readonly pair: number
  readonly due: number
  /** ms since 1970 when the messenger took it. */
  readonly since: number
}

export interface Parcel extends Line {
  readonly item: Uint8Array
  readonly proof: Uint8Array
}

/** Entries that go one at a time: those of one source to one target, or one timer. */
export interface Lane {
  readonly name: string
  readonly source: Id.ProcessId
  readonly target: Id.ProcessId
  readonly isTimer: boolean
  /** Begins the keys of what the lane has. */
  readonly prefix: ReadonlyArray<Table.KeyPart>
}

type Key = [
  target: Uint8Array,
  source: Uint8Array,
  isTimer: number,
  pair: number,
  rank: number,
  slot: number,
  index: number,
]

const lines = Table.make<Key, Line>("undelivered")
const bodies = Table.make<Key, Pick<Parcel, "item" | "proof">>("undelivered-bytes")
const timers = Table.make<[due: number, source: Uint8Array, slot: number, index: number], Line>(
  "undelivered-timer",
)

const places = Table.make<[source: Uint8Array, slot: number, index: number], Line>("undelivered-place")

const pairPrefix = ({ source, target }: Pick<Line, "source" | "target">, isTimer: number) =>
  [Id.toBytes(target), Id.toBytes(source), isTimer] as const

const key = (line: Line): Key => [...pairPrefix(line, line.kind === "timer" ? 1 : 0), ...orderOf(line)]

/** Order of a lane: by pair number, a void before the message for which it stands. */
const orderOf = ({ pair, kind, slot, index }: Line): [number, number, number, number] => [
  pair,
  kind === "void" ? 0 : 1,
  slot,
  index,
]

const placeKey = ({ source, slot, index }: OutboxPlace) => [Id.toBytes(source), slot, index] as const

const timerPlace = (line: Line) => [line.due, ...placeKey(line)] as const

/** An entry that is taken. A spawn goes the way of messages to the child, so that it is there before them. */
export const make = ({ source, slot, index, entry, proof }: Emitted, since: number): Parcel => {
  const { kind, pair, due, item } = entry
  const read = Result.getOrThrow(Item.decode(item))
  const target = kind === "spawn" ? read.id : Id.fromBytes(read.target)
  return { source, slot, index, target, kind, pair, due, since, item, proof }
}

export const laneOf = (line: Line): Lane => {
  const { source, target, kind } = line
  return kind === "timer"
    ? { name: nameOf(line), source, target, isTimer: true, prefix: key(line) }
    : { name: `${source} ${target}`, source, target, isTimer: false, prefix: pairPrefix(line, 0) }
}

/** As people write it. */
export const nameOf = ({ source, slot, index }: OutboxPlace): string => `${source}.${slot}.${index}`

export const isBefore = (a: Line, b: Line): boolean => {
  const [left, right] = [orderOf(a), orderOf(b)]
  const at = left.findIndex((part, i) => part !== right[i])
  return at >= 0 && left[at]! < right[at]!
}

/** What has a number of its pair. */
export const isSaid = (kind: Line["kind"]): boolean => kind === "message" || kind === "void"

export const weight = ({ item, proof }: Parcel): number => item.length + proof.length

export const lineOf = ({ item: _, proof: __, ...line }: Parcel): Line => line

export const put = (parcel: Parcel): ReadonlyArray<Put> => {
  const { item, proof } = parcel
  const line = lineOf(parcel)
  const written = [
    lines.put(key(line), line),
    bodies.put(key(line), { item, proof }),
    places.put([...placeKey(line)], line),
  ]
  return parcel.kind === "timer" ? [...written, timers.put([...timerPlace(line)], line)] : written
}

export const remove = (line: Line): ReadonlyArray<Put> => {
  const removed = [lines.remove(key(line)), bodies.remove(key(line)), places.remove([...placeKey(line)])]
  return line.kind === "timer" ? [...removed, timers.remove([...timerPlace(line)])] : removed
}

export const has = (store: Store, line: Line): boolean => lines.get(store, ...key(line)) !== undefined

/** The line that the store has of an entry. */
export const at = (store: Store, place: OutboxPlace): Line | undefined =>
  places.get(store, ...placeKey(place))

/** The first line that a lane has behind a place, or first of all. */
export const lineBehind = (store: Store, { prefix }: Lane, behind?: Line): Line | undefined => {
  const from = behind === undefined ? [] : orderOf({ ...behind, index: behind.index + 1 })
  return lines.list(store, prefix, { from, limit: 1 })[0]
}

/** The same with its bytes. */
export const parcelBehind = (store: Store, lane: Lane, behind?: Line): Parcel | undefined => {
  const line = lineBehind(store, lane, behind)
  return line && whole(store, line)
}

/** A line with its bytes. */
export const whole = (store: Store, line: Line): Parcel | undefined => {
  const bytes = bodies.get(store, ...key(line))
  return bytes && { ...line, ...bytes }
}

/** An entry as it was emitted. */
export const emitted = ({ source, slot, index, kind, pair, due, item, proof }: Parcel): Emitted => ({
  source,
  slot,
  index,
  entry: { kind, pair, due, item },
  proof,
})

/** The first lane of messages and spawns behind another; those to one target where one is given. */
export const laneBehind = (
  store: Store,
  target: Id.ProcessId | undefined,
  behind?: Lane,
): Lane | undefined => {
  const prefix = target === undefined ? [] : [Id.toBytes(target)]
  const after = behind === undefined ? [] : [Id.toBytes(behind.target), Id.toBytes(behind.source), 1]
  for (let from = after.slice(prefix.length); ;) {
    const [line] = lines.list(store, prefix, { from, limit: 1 })
    if (line === undefined) return undefined
    if (line.kind !== "timer") return laneOf(line)
    from = [...pairPrefix(line, 2)].slice(prefix.length)
  }
}

/** Whether a timer stands behind another in the order in which they fall due. */
export const isTimerBehind = (line: Line, other: Line): boolean =>
  Bytes.compare(timers.key(...timerPlace(line)), timers.key(...timerPlace(other))) > 0

/** The first timer that falls due behind another. */
export const timerBehind = (store: Store, behind: Line | undefined): Line | undefined => {
  const from = behind === undefined ? [] : timerPlace({ ...behind, index: behind.index + 1 })
  return timers.list(store, [], { from, limit: 1 })[0]
}

/** At most `limit` of all that waits, behind one of them or from the first on. */
export const list = (store: Store, limit: number, behind?: Line): ReadonlyArray<Line> => {
  const from = behind === undefined ? [] : [...key(behind).slice(0, -1), behind.index + 1]
  return lines.list(store, [], { from, limit })
}

const pageLines = 1_000

/** All that waits, read as it is asked for. */
export function* all(store: Store): Generator<Line> {
  for (let behind: Line | undefined; ;) {
    const page = list(store, pageLines, behind)
    yield* page
    behind = page.at(-1)
    if (behind === undefined) return
  }
}

/** Puts one of several: a void in the place of the message with its number, and of what stood for that before. */
export const putInPlace = (
  store: Store,
  parcel: Parcel,
  among: ReadonlyArray<{ readonly parcel: Parcel }>,
): ReadonlyArray<Put> => {
  if (parcel.kind !== "void") return put(parcel)
  const lane = laneOf(parcel)
  const earlier = among
    .map((one) => one.parcel)
    .filter((one) => laneOf(one).name === lane.name && one.pair === parcel.pair && isBefore(one, parcel))
  const replaced = [...lines.list(store, [...lane.prefix, parcel.pair]), ...earlier]
  return [...replaced.flatMap(remove), ...put(parcel)]
}

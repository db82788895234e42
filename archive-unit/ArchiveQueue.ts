/**
 * ArchiveQueue: the bundles of a node on their way, in its store: what `kill -9` does not lose.
 *
 *     archive-bundle   number         -> what is in it and how far it is; until it is confirmed
 *     archive-done     number         -> where a confirmed one is
 *     archive-part     number, part   -> some of its bytes; until it is confirmed
 *     archive-mark     kind, hash     -> a module or an engine is in a bundle, a snapshot of a process up to a slot
 *     archive-anchor   process        -> the newest slot confirmed
 *     archive-state                   -> what comes into the next bundle, what was spent
 *
 * A bundle is written part by part, and is there with the row that is committed last, together with the place from which
 * the next one begins: so nothing is left out, and nothing stands in two bundles. Whoever changes what is known waits for
 * the commit before: two changes that began from one state would undo each other.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Transfer } from "../runtime/Archive.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import { type Put, Store, type StoreFailed } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"
import type { Anchor } from "./ArchiveUnit.ts"

/** The newest slot of a process in a bundle. */
export interface Reached {
  readonly process: Id.ProcessId
  readonly slot: number
  readonly head: Uint8Array
}

export interface Row {
  readonly number: number
  readonly bundle: Id.Id
  readonly bytes: number
  readonly parts: number
  /** ms since 1970. */
  readonly since: number
  /** Numbers of the first batch and commit after it. */
  readonly batch: number
  readonly commit: number
  /** When the oldest batch or commit in it was made, in ms since 1970. */
  readonly oldest: number
  /** When the oldest batch in it was decided, in ms since 1970; unset where there is none in it. */
  readonly assigned: number | undefined
  readonly reached: ReadonlyArray<Reached>
  readonly state: "waiting" | "sent"
  readonly transfer: Transfer | undefined
}

/** A bundle that is in the archive for good. */
export interface Done extends Pick<Row, "number" | "bundle" | "bytes" | "since" | "batch" | "commit"> {
  readonly transfer: Id.Id
  readonly cost: bigint
  readonly height: number
}

/** What is known beside the bundles. */
export interface State {
  /** Number of the next bundle. */
  readonly next: number
  /** First of which no bundle has it. */
  readonly batch: number
  readonly commit: number
  readonly spent: bigint
  /** Bundles and bytes confirmed. */
  readonly bundles: number
  readonly bytes: number
}

/** A thing that is archived once, by its hash; or the snapshots of a process, by its id, up to a slot. */
export interface Mark {
  readonly kind: "Module" | "Engine" | "Data" | "Snapshot"
  readonly hash: Uint8Array
  /** 0 of what is no snapshot. */
  readonly slot: number
}

/** A bundle to be kept until it is confirmed. */
export interface Closed extends Pick<Row, "batch" | "commit" | "oldest" | "assigned" | "reached" | "since"> {
  readonly bundles: ReadonlyArray<{ readonly id: Id.Id; readonly bytes: Uint8Array }>
  readonly marks: ReadonlyArray<Mark>
}

const rows = Table.make<[number: number], Row>("archive-bundle")
const dones = Table.make<[number: number], Done>("archive-done")
const parts = Table.make<[number: number, part: number], Uint8Array>("archive-part")
const marks = Table.make<[kind: Uint8Array, hash: Uint8Array], number>("archive-mark")
const anchors = Table.make<[process: Uint8Array], Anchor>("archive-anchor")
const states = Table.make<[], State>("archive-state")

const empty: State = { next: 0, batch: 0, commit: 0, spent: 0n, bundles: 0, bytes: 0 }

/** What a node begins with whose batches and commits up to these numbers came out of an archive: none goes there again. */
export const restored = (batch: number, commit: number): Put => states.put([], { ...empty, batch, commit })

/** The first commit that no bundle has, where it is known with what the node begins. */
export const restoredCommit = (store: Store["Service"]): number | undefined => states.get(store)?.commit

const partBytes = Limit.snapshotPartBytesMax

const markKey = ({ kind, hash }: Omit<Mark, "slot">): [Uint8Array, Uint8Array] => [Bytes.fromText(kind), hash]

export interface ArchiveQueue {
  readonly state: () => State
  /** Bundles that are not confirmed, oldest first. */
  readonly open: () => ReadonlyArray<Row>
  /** The bytes of a bundle that is not confirmed. */
  readonly bytes: (row: Row) => Uint8Array
  /** The slot of a mark; undefined where there is none. */
  readonly marked: (mark: Omit<Mark, "slot">) => number | undefined
  readonly anchor: (process: Id.ProcessId) => Anchor | undefined
  /** The newest bundle that is confirmed. */
  readonly newest: () => Done | undefined
  readonly add: (closed: Closed) => Effect.Effect<void, StoreFailed>
  /** Notes the transfer by which a bundle goes, or that it goes by none any more. */
  readonly transfer: (row: Row, transfer: Transfer | undefined) => Effect.Effect<void, StoreFailed>
  readonly mark: (row: Row, state: "waiting" | "sent") => Effect.Effect<void, StoreFailed>
  /** The bundle goes another way; what the one so far took stays spent. */
  readonly leave: (row: Row) => Effect.Effect<void, StoreFailed>
  /** The oldest open bundle is in the archive for good: its bytes are let go. */
  readonly confirm: (row: Row, height: number) => Effect.Effect<void, StoreFailed>
}

export const make = Effect.gen(function* () {
  const store = yield* Store
  let state = states.get(store) ?? empty
  const open = new Map(rows.list(store, []).map((row) => [row.number, row]))

  const write = (row: Row) =>
    Effect.tap(store.commit([rows.put([row.number], row)]), () =>
      Effect.sync(() => void open.set(row.number, row)),
    )

  const alone = Semaphore.makeUnsafe(1)

  /** Commits what follows from the state as it is then. */
  const change = (decide: (state: State) => { readonly next: State; readonly puts: ReadonlyArray<Put> }) =>
    Effect.suspend(() => {
      const { next, puts } = decide(state)
      const done = Effect.sync(() => void (state = next))
      return Effect.andThen(store.commit([...puts, states.put([], next)]), done)
    }).pipe(alone.withPermits(1), Effect.uninterruptible)

  // Of a bundle that was being written when the node stopped. What can't be taken away now is written over later.
  for (let number = state.next; parts.get(store, number, 0) !== undefined; number++)
    yield* Effect.ignore(
      store.commit(parts.list(store, [number]).map((_, part) => parts.remove([number, part]))),
    )

  const queue: ArchiveQueue = {
    state: () => state,
    open: () => [...open.values()],
    bytes: ({ number, parts: count }) =>
      Bytes.concat(Array.from({ length: count }, (_, part) => parts.get(store, number, part)!)),
    marked: (mark) => marks.get(store, ...markKey(mark)),
    anchor: (process) => anchors.get(store, Id.toBytes(process)),
    newest: () => dones.list(store, [], { reverse: true, limit: 1 })[0],
    // Numbers are given here alone, and one bundle after the other: nobody else moves `next`.
    add: Effect.fnUntraced(function* ({ bundles, marks: marked, ...row }) {
      const made: Array<Row> = []
      for (const { id, bytes } of bundles) {
        const number = state.next + made.length
        const count = Math.max(1, Math.ceil(bytes.length / partBytes))
        for (let part = 0; part < count; part++)
          yield* store.commit([
            parts.put([number, part], bytes.subarray(part * partBytes, (part + 1) * partBytes)),
          ])
        const last = made.length === bundles.length - 1
        made.push({
          ...row,
          // Of several bundles only the last is the end of what they hold together.
          reached: last ? row.reached : [],
          batch: last ? row.batch : state.batch,
          commit: last ? row.commit : state.commit,
          number,
          bundle: id,
          bytes: bytes.length,
          parts: count,
          state: "waiting",
          transfer: undefined,
        })
      }
      const { batch, commit } = row
      yield* change((now) => ({
        next: { ...now, next: now.next + made.length, batch, commit },
        puts: [
          ...made.map((one) => rows.put([one.number], one)),
          ...marked.map((mark) => marks.put(markKey(mark), mark.slot)),
        ],
      }))
      for (const one of made) open.set(one.number, one)
    }),
    transfer: (row, transfer) => {
      const written: Row = { ...row, state: "waiting", transfer }
      return change((now) => ({
        next: { ...now, spent: now.spent + (transfer?.cost ?? 0n) - (row.transfer?.cost ?? 0n) },
        puts: [rows.put([row.number], written)],
      })).pipe(Effect.tap(() => Effect.sync(() => void open.set(row.number, written))))
    },
    mark: (row, to) => write({ ...row, state: to }),
    leave: (row) => write({ ...row, state: "waiting", transfer: undefined }),
    confirm: Effect.fnUntraced(function* (row, height) {
      const { number, parts: count, reached, bundle, bytes, since, batch, commit } = row
      const { id: transfer, cost } = row.transfer! // what is confirmed has gone by one
      yield* change((now) => ({
        next: { ...now, bundles: now.bundles + 1, bytes: now.bytes + bytes },
        puts: [
          rows.remove([number]),
          dones.put([number], { number, bundle, bytes, since, batch, commit, transfer, cost, height }),
          ...Array.from({ length: count }, (_, part) => parts.remove([number, part])),
          ...reached.map(({ process, slot, head }) =>
            anchors.put([Id.toBytes(process)], { slot, head, transfer, height }),
          ),
        ],
      }))
      open.delete(number)
    }),
  }
  return queue
})

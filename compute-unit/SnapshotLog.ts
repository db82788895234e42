/**
 * SnapshotLog: the snapshots of processes in the store (spec 04 §8). The newest two of a process are kept whole; of
 * those before them it is kept which states they were.
 *
 *     snapshot        process, slot        -> which state it is, and the hash of its bytes
 *     snapshot-kept   process, slot        -> how many parts its bytes are in; only while they are here
 *     snapshot-part   process, slot, part  -> some of its bytes
 *
 * A large one is written part by part, each a commit of its own, so that no other commit waits for all of it. Until
 * the last of them it is not whole, and what a crash left of it is taken away with the next.
 */
import * as Effect from "effect/Effect"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import { type Put, Store, type StoreFailed } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"
import type { SnapshotInfo } from "./ComputeUnit.ts"
import type { Taken } from "./Sandbox.ts"

interface Kept {
  readonly slot: number
  readonly parts: number
  /** Whether all parts are written. */
  readonly whole: boolean
}

const infos = Table.make<[process: Uint8Array, slot: number], Omit<SnapshotInfo, "kept">>("snapshot")
const kepts = Table.make<[process: Uint8Array, slot: number], Kept>("snapshot-kept")
const parts = Table.make<[process: Uint8Array, slot: number, part: number], Uint8Array>("snapshot-part")

export interface SnapshotLog {
  /** Oldest first. */
  readonly list: (process: Id.ProcessId) => ReadonlyArray<SnapshotInfo>
  /** Slots of snapshots whose bytes are here, newest first. */
  readonly kept: (process: Id.ProcessId) => ReadonlyArray<number>
  /** The bytes of a snapshot, or in words why it has none that can be used. */
  readonly bytes: (process: Id.ProcessId, slot: number) => Uint8Array | string
  /** Keeps a snapshot, and no longer the bytes of those that it makes superfluous. */
  readonly write: (process: Id.ProcessId, taken: Taken) => Effect.Effect<void, StoreFailed>
  /** Gives up the bytes of a snapshot that is of no use. */
  readonly drop: (process: Id.ProcessId, slot: number) => Effect.Effect<void, StoreFailed>
}

const split = (bytes: Uint8Array): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.max(1, Math.ceil(bytes.length / Limit.snapshotPartBytesMax)) }, (_, i) =>
    bytes.subarray(i * Limit.snapshotPartBytesMax, (i + 1) * Limit.snapshotPartBytesMax),
  )

const removal = (process: Uint8Array, { slot, parts: count }: Kept): ReadonlyArray<Put> => [
  kepts.remove([process, slot]),
  ...Array.from({ length: count }, (_, part) => parts.remove([process, slot, part])),
]

/** What can be read of `read`: a damaged row is as good as none. */
const readable = <A>(read: () => A, otherwise: A): A => {
  try {
    return read()
  } catch {
    return otherwise
  }
}

export const make = Effect.gen(function* () {
  const store = yield* Store

  const keptOf = (process: Uint8Array): ReadonlyArray<Kept> =>
    readable(() => kepts.list(store, [process], { reverse: true }), [])

  const bytesOf = (process: Uint8Array, { slot, parts: count }: Kept): Uint8Array | undefined =>
    readable(() => {
      const found = Array.from({ length: count }, (_, part) => parts.get(store, process, slot, part))
      return Bytes.concat(found.map((part) => part!))
    }, undefined)

  const log: SnapshotLog = {
    list: (process) => {
      const key = Id.toBytes(process)
      const whole = new Set(log.kept(process))
      return infos.list(store, [key]).map((info) => ({ ...info, kept: whole.has(info.slot) }))
    },
    kept: (process) =>
      keptOf(Id.toBytes(process))
        .filter(({ whole }) => whole)
        .map(({ slot }) => slot),
    bytes: (process, slot) => {
      const key = Id.toBytes(process)
      const kept = keptOf(key).find((one) => one.slot === slot && one.whole)
      const info = readable(() => infos.get(store, key, slot), undefined)
      if (kept === undefined || info === undefined) return "it is not kept"
      const bytes = bytesOf(key, kept)
      if (bytes === undefined) return "its bytes can't be read"
      return Bytes.equal(Hash.sha256(bytes), info.sha256)
        ? bytes
        : "its bytes are not those that were written"
    },
    write: Effect.fnUntraced(function* (process, { slot, stateRoot, bytes }) {
      const key = Id.toBytes(process)
      const pieces = split(bytes)
      const before = keptOf(key)
      const stays = before
        .filter((one) => one.whole && one.slot !== slot)
        .slice(0, Limit.snapshotsKeptMax - 1)
      const superfluous = before.filter((one) => !stays.includes(one)).flatMap((one) => removal(key, one))
      const mark = (whole: boolean) => kepts.put([key, slot], { slot, parts: pieces.length, whole })
      const info = { slot, stateRoot, sha256: Hash.sha256(bytes), length: bytes.length }
      const end = [infos.put([key, slot], info), mark(true)]
      if (pieces.length === 1)
        return yield* store.commit([...superfluous, parts.put([key, slot, 0], bytes), ...end])
      yield* store.commit([...superfluous, mark(false)])
      for (const [part, piece] of pieces.entries()) yield* store.commit([parts.put([key, slot, part], piece)])
      yield* store.commit(end)
    }),
    drop: (process, slot) =>
      Effect.suspend(() => {
        const key = Id.toBytes(process)
        const puts = keptOf(key)
          .filter((one) => one.slot === slot)
          .flatMap((one) => removal(key, one))
        return puts.length === 0 ? Effect.void : store.commit(puts)
      }),
  }
  return log
})

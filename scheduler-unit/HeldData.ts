/**
 * HeldData: the bytes that messages refer to, by their hash (spec 03 §4). They are uploaded before the message that
 * refers to them; once one is admitted that does, they stay as long as the log.
 *
 *     data         hash        -> how many bytes; only while all of them are here
 *     data-part    hash, part  -> some of its bytes
 *     data-loose   order       -> an upload that no admitted message refers to, whole or not
 *
 * Loose ones are bounded, and the oldest go first. Of those that a message is being admitted for, none goes: `hold`
 * counts it, `keep` takes it off the list before the slot is given. So what is lost in a crash between the two is the
 * message, never its data.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as Bytes from "../runtime/Bytes.ts"
import * as DataReference from "../runtime/DataReference.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import { type Put, Store, type StoreFailed } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"

interface Loose extends DataReference.DataReference {
  readonly order: number
}

const lengths = Table.make<[hash: Uint8Array], number>("data")
const parts = Table.make<[hash: Uint8Array, part: number], Uint8Array>("data-part")
const looses = Table.make<[order: number], Loose>("data-loose")

export interface HeldData {
  /** Keeps bytes, for a while; those that are there are written again where they are damaged. */
  readonly add: (bytes: Uint8Array) => Effect.Effect<Id.Id, StoreFailed>
  /** The bytes as they were written: whoever reads them compares their hash. */
  readonly get: (hash: Id.Id) => Uint8Array | undefined
  /** Whether the bytes are here with this length. If so they stay until `release`. */
  readonly hold: (reference: DataReference.DataReference) => boolean
  readonly release: (references: ReadonlyArray<DataReference.DataReference>) => void
  /** Keeps for good what is held. Gives what was loose until then. */
  readonly keep: (
    references: ReadonlyArray<DataReference.DataReference>,
  ) => Effect.Effect<ReadonlyArray<Loose>, StoreFailed>
  /** Takes `keep` back: no slot was given. */
  readonly loosen: (kept: ReadonlyArray<Loose>) => Effect.Effect<void, StoreFailed>
}

const partsOf = (length: number): number => Math.ceil(length / Limit.dataPartBytesMax)

const removal = ({ hash, length, order }: Loose): ReadonlyArray<Put> => {
  const key = Id.toBytes(hash)
  const all = Array.from({ length: partsOf(length) }, (_, part) => parts.remove([key, part]))
  return [lengths.remove([key]), looses.remove([order]), ...all]
}

export const make = Effect.gen(function* () {
  const store = yield* Store
  const oneAtATime = Semaphore.makeUnsafe(1)
  /** In the order in which they were uploaded last. */
  const loose = new Map<Id.Id, Loose>()
  const holders = new Map<Id.Id, number>()
  /** Being taken away just now. */
  const going = new Set<Id.Id>()
  /** Uploads that were begun and not written whole: one that is tried again has the row that it had. */
  const begun = new Map<Id.Id, Loose>()
  let order = 0

  const lengthOf = (hash: Id.Id): number | undefined => lengths.get(store, Id.toBytes(hash))

  /** Takes away what `choose` gives: chosen and noted as going in one step, so that nobody holds it in between. */
  const forget = (choose: () => ReadonlyArray<Loose>) =>
    Effect.suspend(() => {
      const gone = choose()
      if (gone.length === 0) return Effect.void
      for (const { hash } of gone) {
        loose.delete(hash)
        going.add(hash)
      }
      return store.commit(gone.flatMap(removal)).pipe(
        Effect.tapError(() =>
          Effect.sync(() => {
            for (const one of gone) loose.set(one.hash, one)
          }),
        ),
        Effect.ensuring(
          Effect.sync(() => {
            for (const { hash } of gone) going.delete(hash)
          }),
        ),
      )
    })

  // Uploads that a crash cut off: their parts are nobody's.
  const cut: Array<Loose> = []
  for (const one of looses.list(store, [])) {
    order = one.order + 1
    if (lengthOf(one.hash) === undefined) cut.push(one)
    else loose.set(one.hash, one)
  }
  yield* Effect.ignore(forget(() => cut))

  /** The oldest that nobody holds, as many as make room for one more of this length. */
  const superfluous = (length: number): ReadonlyArray<Loose> => {
    const free = [...loose.values()].filter(({ hash }) => !holders.has(hash))
    let bytes = free.reduce((sum, one) => sum + one.length, length)
    let count = free.length + 1
    return free.filter((one) => {
      if (bytes <= Limit.unreferencedBytesMax && count <= Limit.unreferencedMax) return false
      bytes -= one.length
      count--
      return true
    })
  }

  const write = Effect.fnUntraced(function* (hash: Id.Id, bytes: Uint8Array) {
    const key = Id.toBytes(hash)
    for (let part = 0; part < partsOf(bytes.length); part++) {
      const from = part * Limit.dataPartBytesMax
      yield* store.commit([parts.put([key, part], bytes.subarray(from, from + Limit.dataPartBytesMax))])
    }
  })

  const get = (hash: Id.Id): Uint8Array | undefined => {
    const key = Id.toBytes(hash)
    try {
      const length = lengthOf(hash)
      if (length === undefined) return undefined
      const found = Array.from({ length: partsOf(length) }, (_, part) => parts.get(store, key, part))
      return Bytes.concat(found.map((part) => part ?? Bytes.empty))
    } catch {
      return undefined // a damaged row is as good as none
    }
  }

  const add = Effect.fnUntraced(function* (bytes: Uint8Array) {
    const { hash, length } = DataReference.of(bytes)
    if (lengthOf(hash) !== undefined) {
      const there = get(hash)
      if (there === undefined || !Bytes.equal(there, bytes)) yield* write(hash, bytes)
      const one = loose.get(hash)
      // Only here: after a restart it goes by when it was uploaded first.
      if (one !== undefined && loose.delete(hash)) loose.set(hash, one)
      return hash
    }
    yield* forget(() => superfluous(length))
    const one: Loose = begun.get(hash) ?? { hash, length, order: order++ }
    begun.set(hash, one)
    yield* store.commit([looses.put([one.order], one)])
    yield* write(hash, bytes)
    yield* store.commit([lengths.put([Id.toBytes(hash)], length)])
    begun.delete(hash)
    loose.set(hash, one)
    return hash
  })

  const held: HeldData = {
    add: (bytes) => add(bytes).pipe(Effect.uninterruptible, oneAtATime.withPermits(1)),
    get,
    hold: ({ hash, length }) => {
      if (going.has(hash) || lengthOf(hash) !== length) return false
      holders.set(hash, (holders.get(hash) ?? 0) + 1)
      return true
    },
    release: (references) => {
      for (const { hash } of references) {
        const left = (holders.get(hash) ?? 1) - 1
        if (left > 0) holders.set(hash, left)
        else holders.delete(hash)
      }
    },
    keep: (references) =>
      Effect.suspend(() => {
        const hashes = new Set(references.map(({ hash }) => hash))
        const kept = [...hashes].flatMap((hash) => loose.get(hash) ?? [])
        if (kept.length === 0) return Effect.succeed([])
        return store.commit(kept.map((one) => looses.remove([one.order]))).pipe(
          Effect.map(() => {
            for (const { hash } of kept) loose.delete(hash)
            return kept
          }),
        )
      }),
    loosen: (kept) =>
      Effect.suspend(() => {
        if (kept.length === 0) return Effect.void
        for (const one of kept) loose.set(one.hash, one)
        return store.commit(kept.map((one) => looses.put([one.order], one)))
      }),
  }
  return held
})

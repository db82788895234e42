/**
 * Inbox: what processes say to persons (spec 05 §9). An address is a person's where a key is known whose hash it is. A
 * letter gets its number in the commit that takes it out of the outbox, so that it is there once, however often it comes.
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as Address from "../runtime/Address.ts"
import * as Batcher from "../runtime/Batcher.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import { type Put, Store, type StoreFailed } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"
import * as Waiters from "../runtime/Waiters.ts"
import { SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import { InboxRefused, InboxUnknown, type Letter } from "./MessengerUnit.ts"
import * as Parcels from "./Parcels.ts"

/** There is no room for another letter; it stays in the outbox. */
export class InboxFull extends Data.TaggedError("InboxFull")<{
  readonly address: Id.Address
  readonly letters: number
  readonly bytes: number
}> {
  override get message(): string {
    return `inbox full: ${this.address} has ${this.letters} letters of ${this.bytes} bytes; at most ${Limit.inboxLettersMax} of ${Limit.inboxBytesMax} bytes are kept`
  }
}

export interface Inbox {
  /** Whether an address is the hash of a key that is known. */
  readonly isPerson: (address: Id.Address) => Effect.Effect<boolean>
  /** Puts a message into its target's inbox unless it is there, and `also` with it, in one commit. */
  readonly add: (
    parcel: Parcels.Parcel,
    also: ReadonlyArray<Put>,
  ) => Effect.Effect<void, InboxFull | StoreFailed>
  readonly open: (
    signatureType: number,
    owner: Uint8Array,
  ) => Effect.Effect<Id.Address, InboxRefused | StoreFailed>
  readonly read: (
    address: Id.Address,
    from: number,
    limit: number,
    wait: boolean,
  ) => Effect.Effect<ReadonlyArray<Letter>, InboxUnknown>
}

interface Size {
  readonly letters: number
  readonly bytes: number
}

interface Addition {
  readonly parcel: Parcels.Parcel
  readonly also: ReadonlyArray<Put>
}

const letters = Table.make<[person: Uint8Array, number: number], Letter>("inbox")
const sizes = Table.make<[person: Uint8Array], Size>("inbox-size")
/** Numbers of letters by what they are known again by. */
const pairs = Table.make<[person: Uint8Array, source: Uint8Array, pair: number], number>("inbox-pair")
const keys = Table.make<[person: Uint8Array], readonly [signatureType: number, owner: Uint8Array]>(
  "inbox-key",
)
const keyCount = Table.make<[], number>("inbox-keys")

/** Types that stand for one key: a batch type's key is that of its plain type, and a process has none. */
const isKeyType = ({ number }: SignatureType.SignatureType): boolean =>
  number !== SignatureType.outbox.number && !SignatureType.batchBase.has(number)

/** What the letters of one commit come to: a later one sees those before it. */
class Page {
  readonly puts: Array<Put> = []
  readonly #store: Store["Service"]
  readonly #at: number
  readonly #sizes = new Map<Id.Address, Size>()
  readonly #pairs = new Set<string>()

  constructor(store: Store["Service"], at: number) {
    this.#store = store
    this.#at = at
  }

  /** Writes a letter down unless it is there; gives the size of an inbox that has no room for it. */
  add({ parcel, also }: Addition): Size | undefined {
    const { source, slot, index, target, item, proof, pair } = parcel
    const [person, from] = [Id.toBytes(target), Id.toBytes(source)]
    const known = `${source} ${target} ${pair}`
    if (!this.#pairs.has(known) && pairs.get(this.#store, person, from, pair) === undefined) {
      const size = this.#sizes.get(target) ?? sizes.get(this.#store, person) ?? { letters: 0, bytes: 0 }
      const next = { letters: size.letters + 1, bytes: size.bytes + Parcels.weight(parcel) }
      if (next.letters > Limit.inboxLettersMax || next.bytes > Limit.inboxBytesMax) return size
      this.#sizes.set(target, next)
      this.#pairs.add(known)
      const letter = { number: size.letters, at: this.#at, source, slot, index, item, proof }
      this.puts.push(letters.put([person, letter.number], letter))
      this.puts.push(sizes.put([person], next), pairs.put([person, from, pair], letter.number))
    }
    this.puts.push(...also)
    return undefined
  }
}

export const make = Effect.gen(function* () {
  const store = yield* Store
  const scheduler = yield* SchedulerUnit
  const waiters = Waiters.make<void>()
  const opening = yield* Semaphore.make(1)

  const isPerson = (address: Id.Address) =>
    Effect.suspend(() =>
      keys.get(store, Id.toBytes(address)) === undefined ? scheduler.knows(address) : Effect.succeed(true),
    )

  const commit = Effect.fnUntraced(function* (additions: ReadonlyArray<Addition>) {
    const page = new Page(store, yield* Clock.currentTimeMillis)
    const full = additions.map((addition) => page.add(addition))
    yield* store.commit(page.puts)
    return additions.map(({ parcel: { target: address } }, i) => {
      const size = full[i]
      if (size !== undefined) return Effect.fail(new InboxFull({ address, ...size }))
      waiters.wake(address, undefined)
      return Effect.void
    })
  })
  const batcher = yield* Batcher.make<Addition, void, InboxFull | StoreFailed>({
    batchMax: Limit.assignmentsPerCommitMax,
    weightMax: Limit.batchBytesMax,
    weigh: ({ parcel }) => Parcels.weight(parcel),
    waitingMax: Limit.deliveriesInFlightMax,
    run: commit,
  })

  const open = Effect.fnUntraced(function* (signatureType: number, owner: Uint8Array) {
    const type = SignatureType.find(signatureType)
    if (type === undefined || !isKeyType(type))
      return yield* new InboxRefused({
        reason: "not a key",
        detail: `type ${signatureType} is that of no key`,
      })
    if (owner.length !== type.ownerBytes) {
      const detail = `${owner.length} bytes; a key of ${type.name} has ${type.ownerBytes}`
      return yield* new InboxRefused({ reason: "not a key", detail })
    }
    const address = Address.of(owner)
    if (yield* isPerson(address.text)) return address.text
    const count = keyCount.get(store) ?? 0
    if (count >= Limit.inboxesMax) {
      const detail = `${count} are open; an address whose key has signed a message here needs none`
      return yield* new InboxRefused({ reason: "too many inboxes", detail })
    }
    yield* store.commit([keys.put([address.bytes], [type.number, owner]), keyCount.put([], count + 1)])
    return address.text
  }, opening.withPermits(1))

  const page = (address: Id.Address, from: number, limit: number): ReadonlyArray<Letter> => {
    const found: Array<Letter> = []
    for (let bytes = 0; found.length < Math.min(limit, Limit.logPageMax) && bytes < Limit.pageBytesMax;) {
      const [letter] = letters.list(store, [Id.toBytes(address)], { from: from + found.length, limit: 1 })
      if (letter === undefined) break
      bytes += letter.item.length + letter.proof.length
      found.push(letter)
    }
    return found
  }

  const inbox: Inbox = {
    isPerson,
    // No more come at once than may be on their way.
    add: (parcel, also) => Effect.catchTag(batcher.submit({ parcel, also }), "Overloaded", Effect.die),
    open,
    read: Effect.fnUntraced(function* (address, from, limit, wait) {
      if (!(yield* isPerson(address))) return yield* new InboxUnknown({ address })
      const found = page(address, from, limit)
      if (found.length > 0 || !wait) return found
      yield* Effect.timeoutOption(waiters.wait(address), Limit.followSilenceMsMax)
      return page(address, from, limit)
    }),
  }
  return inbox
})

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Inbox from "../../messenger-unit/Inbox.ts"
import type { Parcel } from "../../messenger-unit/Parcels.ts"
import * as Address from "../../runtime/Address.ts"
import * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Table from "../../runtime/Table.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as LogBook from "../support/LogBook.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import { id } from "../support/Unsigned.ts"

const [loom, reed] = [id("loom"), id("reed")]
const key = (fill: number) => new Uint8Array(SignatureType.ed25519.ownerBytes).fill(fill)
const ada = Address.of(key(1)).text

const open = (store: Store["Service"]) =>
  Inbox.make.pipe(
    Effect.provideService(Store, store),
    Effect.provideService(SchedulerUnit, LogBook.make().service),
  )

const parcel = (source: Id.ProcessId, pair: number, bytes = 10): Parcel => ({
  source,
  slot: pair,
  index: 0,
  target: ada,
  kind: "message",
  pair,
  due: 0,
  since: 0,
  item: new Uint8Array(bytes),
  proof: new Uint8Array(0),
})

const sizes = Table.make<[person: Uint8Array], { letters: number; bytes: number }>("inbox-size")
const keyCount = Table.make<[], number>("inbox-keys")
const other = Table.make<[], string>("other")

describe("an inbox", () => {
  it.effect("numbers letters as they come, takes each of a pair once, and commits what goes with it", () =>
    Effect.gen(function* () {
      const probe = StoreProbe.make()
      const inbox = yield* open(probe.store)
      yield* inbox.open(SignatureType.ed25519.number, key(1))
      yield* TestClock.setTime(5_000)
      const also = [other.put([], "with it")]
      const all = [parcel(loom, 1), parcel(reed, 1), parcel(loom, 2), parcel(loom, 1), parcel(loom, 2)]
      const before = probe.commits.length
      yield* Effect.forEach(all, (one) => inbox.add(one, also), { concurrency: "unbounded" })
      assert.isBelow(probe.commits.length - before, all.length)
      yield* inbox.add(parcel(reed, 1), [])
      // Whatever order the messenger brings them in, none is taken for another.
      yield* inbox.add(parcel(reed, 4), [])
      yield* inbox.add(parcel(reed, 3), [])
      const letters = yield* inbox.read(ada, 0, 10, false)
      assert.deepStrictEqual(
        letters.map(({ number, source, slot, at }) => [number, source, slot, at]),
        [
          [0, loom, 1, 5_000],
          [1, reed, 1, 5_000],
          [2, loom, 2, 5_000],
          [3, reed, 4, 5_000],
          [4, reed, 3, 5_000],
        ],
      )
      assert.strictEqual(other.get(probe.store), "with it")
    }),
  )

  it.effect("has nothing of a letter whose commit failed, and takes it then", () =>
    Effect.gen(function* () {
      const probe = StoreProbe.make()
      const inbox = yield* open(probe.store)
      yield* inbox.open(SignatureType.ed25519.number, key(1))
      probe.before = () => StoreProbe.full
      assert.strictEqual((yield* Effect.flip(inbox.add(parcel(loom, 1), [])))._tag, "StoreFailed")
      probe.before = () => Effect.void
      yield* inbox.add(parcel(loom, 1), [])
      assert.strictEqual((yield* inbox.read(ada, 0, 10, false)).length, 1)
    }),
  )

  it.effect("takes as many letters as it may and no more, and says so", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const inbox = yield* open(store)
      yield* inbox.open(SignatureType.ed25519.number, key(1))
      for (const size of [
        { letters: Limit.inboxLettersMax - 1, bytes: 0 },
        { letters: 1, bytes: Limit.inboxBytesMax - 10 },
      ]) {
        yield* store.commit([sizes.put([Id.toBytes(ada)], size)])
        const pair = size.letters
        yield* inbox.add(parcel(loom, pair), [])
        const full = yield* Effect.flip(inbox.add(parcel(reed, pair), [other.put([], "not with it")]))
        assert.deepInclude(full, { _tag: "InboxFull", address: ada })
        assert.match(full.message, /^inbox full: /)
        assert.isUndefined(other.get(store))
        yield* store.commit([sizes.put([Id.toBytes(ada)], { letters: 0, bytes: 0 })])
        yield* inbox.add(parcel(reed, pair), [])
      }
    }),
  )

  it.effect("waits for a letter where it is asked to, and not for ever", () =>
    Effect.gen(function* () {
      const inbox = yield* open(StoreMemory.make())
      yield* inbox.open(SignatureType.ed25519.number, key(1))
      const first = yield* Effect.forkChild(inbox.read(ada, 0, 10, true))
      yield* Effect.yieldNow
      yield* inbox.add(parcel(loom, 1), [])
      assert.strictEqual((yield* Fiber.join(first)).length, 1)
      const second = yield* Effect.forkChild(inbox.read(ada, 1, 10, true))
      yield* Effect.yieldNow
      yield* TestClock.adjust(Limit.followSilenceMsMax - 1)
      assert.isUndefined(second.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.join(second), [])
    }),
  )

  it.effect("gives pages that are no larger than an answer may be", () =>
    Effect.gen(function* () {
      const inbox = yield* open(StoreMemory.make())
      yield* inbox.open(SignatureType.ed25519.number, key(1))
      for (const pair of [1, 2, 3]) yield* inbox.add(parcel(loom, pair, Limit.pageBytesMax / 2), [])
      const numbers = (from: number) =>
        Effect.map(inbox.read(ada, from, 10, false), (letters) => letters.map(({ number }) => number))
      assert.deepStrictEqual([yield* numbers(0), yield* numbers(2), yield* numbers(3)], [[0, 1], [2], []])
    }),
  )

  it.effect("is opened by a key as often as one likes, and by so many keys", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const inbox = yield* open(store)
      const { number } = SignatureType.ed25519
      yield* store.commit([keyCount.put([], Limit.inboxesMax - 1)])
      assert.isFalse(yield* inbox.isPerson(ada))
      assert.strictEqual(yield* inbox.open(number, key(1)), ada)
      assert.isTrue(yield* inbox.isPerson(ada))
      const over = yield* Effect.flip(inbox.open(number, key(2)))
      assert.deepInclude(over, { _tag: "InboxRefused", reason: "too many inboxes" })
      assert.strictEqual(yield* inbox.open(number, key(1)), ada)
    }),
  )
})

/** What a scheduler holds of the data that messages refer to, and whom it gives a slot. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { Refused } from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as DataReference from "../../runtime/DataReference.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import { StoreFailed } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import type { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as StoreFaulty from "../simulation/StoreFaulty.ts"
import * as Caller from "../support/Caller.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import { id } from "../support/Unsigned.ts"

type Scheduler = SchedulerUnit["Service"]

const { identity, module, settle, start } = LocalScheduler
const ada = Caller.caller("ada")

const ready = Effect.fnUntraced(function* (parts: Partial<LocalScheduler.Parts> = {}) {
  const faulty = StoreFaulty.bend(StoreMemory.make())
  const scheduler = yield* start({ store: faulty.store, verifier: LocalScheduler.credulous, ...parts })
  const item = yield* Effect.promise(() => ada.spawn(module, identity.address))
  const { process } = yield* scheduler.submit(item.bytes, Bytes.empty)
  return { ...faulty, scheduler, process }
})

const referring = (
  process: Id.ProcessId,
  { hash, length }: DataReference.DataReference,
  more: Record<string, string> = {},
  data = "",
) =>
  Effect.promise(() =>
    ada.message(process, "Say", { "Data-Hash": hash, "Data-Length": String(length), ...more }, data),
  )

const came = (scheduler: Scheduler, item: { readonly bytes: Uint8Array }) =>
  Effect.map(Effect.result(scheduler.submit(item.bytes, Bytes.empty)), (found) =>
    Result.isFailure(found) ? found.failure.reason : `slot ${found.success.slot}`,
  )

/** Bytes of a length, told apart by a number. */
const some = (length: number, n = 0): Uint8Array => {
  const bytes = new Uint8Array(length)
  new DataView(bytes.buffer).setUint32(0, n)
  return bytes
}

const isThere = (scheduler: Scheduler, bytes: Uint8Array) =>
  Effect.map(scheduler.data(DataReference.hashOf(bytes)), (found) => found !== undefined)

/** So many that all that was loose before is driven out. */
const flood = Effect.fnUntraced(function* (scheduler: Scheduler, from = 1_000) {
  for (let n = 0; n < Limit.unreferencedMax; n++) yield* scheduler.addData(some(4, from + n))
})

describe("a message that refers to data", () => {
  it.effect("has its slot once the bytes are there, and is told before what to do", () =>
    Effect.gen(function* () {
      const { scheduler, process, committed } = yield* ready()
      const bytes = some(3 * Limit.dataPartBytesMax + 1)
      const item = yield* referring(process, DataReference.of(bytes))
      const before = committed.length
      const refused: Refused = yield* Effect.flip(scheduler.submit(item.bytes, Bytes.empty))
      assert.strictEqual(refused.reason, "data unavailable")
      assert.include(refused.detail, "upload them first, then send the same item again")
      assert.strictEqual(committed.length, before, "it left nothing behind")
      assert.isUndefined(yield* scheduler.data(DataReference.hashOf(bytes)))

      assert.strictEqual(yield* scheduler.addData(bytes), DataReference.hashOf(bytes))
      assert.isTrue(Bytes.equal((yield* scheduler.data(DataReference.hashOf(bytes)))!, bytes))
      assert.strictEqual(yield* came(scheduler, item), "slot 1")
      assert.strictEqual(yield* came(scheduler, item), "slot 1")
    }),
  )

  it.effect("has none while it names another length or hash than what is there", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      const reference = DataReference.of(some(100))
      yield* scheduler.addData(some(100))
      const others = [
        { ...reference, length: 99 },
        { ...reference, length: 101 },
        { ...reference, hash: id("other") },
      ]
      for (const other of others)
        assert.strictEqual(yield* came(scheduler, yield* referring(process, other)), "data unavailable")
      assert.strictEqual(yield* came(scheduler, yield* referring(process, reference)), "slot 1")
    }),
  )

  it.effect("is refused for good where it refers to nothing that could be", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      const reference = DataReference.of(some(5))
      yield* scheduler.addData(some(5))
      const bad = [
        yield* referring(process, { ...reference, length: Limit.referencedBytesMax + 1 }),
        yield* referring(process, { ...reference, length: 0 }),
        yield* referring(process, reference, {}, "data"),
        yield* referring(process, reference, { "Data-Archive": "?" }),
      ]
      for (const item of bad) assert.strictEqual(yield* came(scheduler, item), "bad reference")
      const most = { ...reference, length: Limit.referencedBytesMax }
      assert.strictEqual(yield* came(scheduler, yield* referring(process, most)), "data unavailable")
    }),
  )

  it.effect("is told first what no upload would mend", () =>
    Effect.gen(function* () {
      const { scheduler } = yield* ready()
      const item = yield* referring(id("nobody"), DataReference.of(some(5)))
      assert.strictEqual(yield* came(scheduler, item), "unknown process")
    }),
  )

  it.effect("has no slot while others of its batch have theirs", () =>
    Effect.gen(function* () {
      const { scheduler, process } = yield* ready()
      const lacking = yield* referring(process, DataReference.of(some(5)))
      const plain = yield* Effect.promise(() => ada.message(process, "Say"))
      const both = yield* Effect.all([came(scheduler, lacking), came(scheduler, plain)], { concurrency: 2 })
      assert.deepStrictEqual(both, ["data unavailable", "slot 1"])
    }),
  )
})

describe("an upload", () => {
  it.effect("has 1 byte to 24 MiB", () =>
    Effect.gen(function* () {
      const { scheduler } = yield* ready()
      assert.strictEqual((yield* Effect.flip(scheduler.addData(Bytes.empty))).reason, "bad reference")
      yield* scheduler.addData(some(Limit.referencedBytesMax))
      const over = yield* Effect.flip(scheduler.addData(some(Limit.referencedBytesMax + 1)))
      assert.strictEqual(over.reason, "too large")
    }),
  )

  it.effect("goes, the oldest first, where there are more than may wait for a message", () =>
    Effect.gen(function* () {
      const { scheduler } = yield* ready()
      for (let n = 0; n < Limit.unreferencedMax; n++) yield* scheduler.addData(some(4, n))
      assert.isTrue(yield* isThere(scheduler, some(4, 0)))
      yield* scheduler.addData(some(4, 0)) // again: now it is the newest
      yield* scheduler.addData(some(4, 5_000))
      assert.isFalse(yield* isThere(scheduler, some(4, 1)))
      for (const n of [0, 2, Limit.unreferencedMax - 1, 5_000])
        assert.isTrue(yield* isThere(scheduler, some(4, n)), String(n))
    }),
  )

  it.effect("goes where all together have too many bytes", () =>
    Effect.gen(function* () {
      const { scheduler } = yield* ready()
      const most = Limit.unreferencedBytesMax / Limit.referencedBytesMax
      for (let n = 0; n < most; n++) yield* scheduler.addData(some(Limit.referencedBytesMax, n))
      assert.isTrue(yield* isThere(scheduler, some(Limit.referencedBytesMax, 0)))
      yield* scheduler.addData(some(4))
      assert.isFalse(yield* isThere(scheduler, some(Limit.referencedBytesMax, 0)))
      assert.isTrue(yield* isThere(scheduler, some(Limit.referencedBytesMax, 1)))
    }),
  )

  it.effect("stays once a message with a slot refers to it, across a restart too", () =>
    Effect.gen(function* () {
      const { store, scheduler, process } = yield* ready()
      const [kept, loose] = [some(10, 1), some(10, 2)]
      yield* scheduler.addData(kept)
      yield* scheduler.addData(loose)
      assert.strictEqual(yield* came(scheduler, yield* referring(process, DataReference.of(kept))), "slot 1")
      const again = yield* start({ store })
      assert.deepStrictEqual([yield* isThere(again, kept), yield* isThere(again, loose)], [true, true])
      yield* flood(again)
      assert.deepStrictEqual([yield* isThere(again, kept), yield* isThere(again, loose)], [true, false])
      // And a message that comes later has it without an upload.
      assert.strictEqual(yield* came(again, yield* referring(process, DataReference.of(kept))), "slot 2")
    }),
  )

  it.effect("is not driven out while a message that refers to it is being given its slot", () =>
    Effect.gen(function* () {
      const { store, scheduler, process, hold, release, waiting } = yield* ready()
      const bytes = some(4, 1)
      yield* scheduler.addData(bytes)
      for (let n = 1; n < Limit.unreferencedMax; n++) yield* scheduler.addData(some(4, 1_000 + n))
      const item = yield* referring(process, DataReference.of(bytes))
      hold()
      const sent = yield* Effect.forkChild(came(scheduler, item))
      yield* settle
      assert.strictEqual(waiting(), 1)
      const uploads = yield* Effect.forkChild(
        Effect.forEach([1, 2, 3], (n) => scheduler.addData(some(4, 5_000 + n))),
      )
      yield* settle
      release()
      assert.strictEqual(yield* Fiber.join(sent), "slot 1")
      yield* Fiber.join(uploads)
      for (const unit of [scheduler, yield* start({ store })]) {
        assert.isTrue(yield* isThere(unit, bytes))
        yield* flood(unit, 9_000)
        assert.isTrue(yield* isThere(unit, bytes))
      }
    }),
  )

  it.effect("is not counted on while it is being driven out", () =>
    Effect.gen(function* () {
      const { scheduler, process, hold, release } = yield* ready()
      const bytes = some(4, 1_000)
      yield* flood(scheduler)
      const item = yield* referring(process, DataReference.of(bytes))
      hold()
      const one = yield* Effect.forkChild(scheduler.addData(some(4, 9_999)))
      yield* settle
      const sent = yield* Effect.forkChild(came(scheduler, item))
      yield* settle
      release()
      assert.strictEqual(yield* Fiber.join(sent), "data unavailable")
      yield* Fiber.join(one)
      assert.isFalse(yield* isThere(scheduler, bytes))
    }),
  )

  it.effect("is loose again where the commit of the slot failed", () =>
    Effect.gen(function* () {
      const { scheduler: _, ...bent } = yield* ready()
      let failing = true
      const scheduler = yield* start({
        store: bent.store,
        log: (log) => ({
          ...log,
          append: (...batch) => (failing ? (bent.fail(1), log.append(...batch)) : log.append(...batch)),
        }),
      })
      const bytes = some(10, 1)
      yield* scheduler.addData(bytes)
      const item = yield* referring(bent.process, DataReference.of(bytes))
      assert.strictEqual(yield* came(scheduler, item), "store failed")
      failing = false
      assert.isTrue(yield* isThere(scheduler, bytes))
      yield* flood(scheduler)
      assert.isFalse(yield* isThere(scheduler, bytes))
      assert.strictEqual(yield* came(scheduler, item), "data unavailable")
    }),
  )

  it.effect("that was cut off is none, and nothing of it stays", () =>
    Effect.gen(function* () {
      const { store, scheduler, fail } = yield* ready()
      const bytes = some(3 * Limit.dataPartBytesMax)
      const before = store.range({ from: Bytes.fromText("data"), to: Bytes.fromText("datb") }).length
      let commits = 0
      const cutting = {
        ...store,
        commit: (puts: Parameters<typeof store.commit>[0]) => (
          ++commits === 4 && fail(1),
          store.commit(puts)
        ),
      }
      const unit = yield* start({ store: cutting })
      assert.strictEqual((yield* Effect.flip(unit.addData(bytes))).reason, "store failed")
      assert.isFalse(yield* isThere(unit, bytes))
      assert.isFalse(yield* isThere(scheduler, bytes))
      yield* start({ store })
      assert.strictEqual(
        store.range({ from: Bytes.fromText("data"), to: Bytes.fromText("datb") }).length,
        before,
      )
    }),
  )

  it.effect("that was written on the second try has one row, and stays once it is referred to", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const bytes = some(2 * Limit.dataPartBytesMax + 1)
      let fails = true
      const failing: typeof store = {
        ...store,
        commit: (puts) =>
          fails && puts.some(({ value }) => value !== undefined && value.length >= Limit.dataPartBytesMax)
            ? Effect.fail(new StoreFailed({ reason: "full", detail: "no space is left" }))
            : store.commit(puts),
      }
      const { scheduler, process } = yield* ready({ store: failing })
      yield* Effect.flip(scheduler.addData(bytes))
      fails = false
      yield* scheduler.addData(bytes)
      const item = yield* referring(process, DataReference.of(bytes))
      assert.strictEqual(yield* came(scheduler, item), "slot 1")
      const again = yield* start({ store, verifier: LocalScheduler.credulous })
      yield* flood(again)
      assert.isTrue(yield* isThere(again, bytes))
    }).pipe(Effect.scoped),
  )

  it.effect("mends what is damaged", () =>
    Effect.gen(function* () {
      const { store, scheduler } = yield* ready()
      const bytes = some(2 * Limit.dataPartBytesMax)
      const hash = yield* scheduler.addData(bytes)
      const [[key] = []] = store.range({ from: Bytes.fromText("data-part"), to: Bytes.fromText("data-parz") })
      yield* store.commit([{ key: key!, value: Bytes.fromText("?") }])
      assert.notDeepEqual(yield* scheduler.data(hash), bytes)
      yield* scheduler.addData(bytes)
      assert.isTrue(Bytes.equal((yield* scheduler.data(hash))!, bytes))
    }),
  )
})

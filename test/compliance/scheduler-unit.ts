/** What every `SchedulerUnit` must do, in the process of its log or away from it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as DataReference from "../../runtime/DataReference.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Module from "../../runtime/Module.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import type { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import { alike } from "../support/Alike.ts"
import * as Caller from "../support/Caller.ts"
import * as Line from "../support/Line.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import { id } from "../support/Unsigned.ts"

type Scheduler = SchedulerUnit["Service"]

const ada = Caller.caller("ada")
const nobody = id("nobody")

const spawn = () => Effect.promise(() => ada.spawn(LocalScheduler.module, LocalScheduler.identity.address))
const message = (process: Id.ProcessId, data: string | Uint8Array = "") =>
  Effect.promise(() => ada.message(process, "Say", {}, data))

/** `make` puts the unit under test before a local one, or gives that. `repeats` where a request can arrive twice. */
export const schedulerSuite = (
  name: string,
  make: (local: Scheduler) => Effect.Effect<Scheduler, never, Scope.Scope>,
  { repeats }: { readonly repeats: boolean },
): void => {
  const run = <E>(body: (unit: Scheduler, local: Scheduler) => Effect.Effect<void, E, Scope.Scope>) =>
    Effect.gen(function* () {
      const local = yield* LocalScheduler.start({ store: StoreMemory.make() })
      yield* Line.timeGoesOn
      yield* body(yield* make(local), local)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

  const submit = (unit: Scheduler, item: { readonly bytes: Uint8Array }) =>
    unit.submit(item.bytes, Bytes.empty)
  const spawned = (unit: Scheduler) =>
    Effect.flatMap(spawn(), (item) => Effect.map(submit(unit, item), ({ process }) => process))

  describe(`SchedulerUnit: ${name}`, () => {
    it.effect("gives slots in order, and shows them with the receipts that hold", () =>
      run((unit, local) =>
        Effect.gen(function* () {
          assert.strictEqual(unit.address, LocalScheduler.identity.address)
          const first = yield* spawn()
          const { process, ...given } = yield* submit(unit, first)
          assert.deepInclude(given, { id: first.id, slot: 0 })
          for (let slot = 1; slot <= 5; slot++) {
            const item = yield* message(process, `${slot}`)
            const accepted = yield* submit(unit, item)
            assert.deepInclude(accepted, { id: item.id, process, slot })
            if (!repeats) assert.isFalse(accepted.repeat)
          }
          const entries = yield* unit.log(process, 0, 100)
          assert.deepStrictEqual(
            entries.map(({ assignment }) => assignment.slot),
            [0, 1, 2, 3, 4, 5],
          )
          assert.deepStrictEqual(alike(entries), alike(yield* local.log(process, 0, 100)))
          assert.deepStrictEqual(alike(yield* unit.log(process, 2, 3)), alike(entries.slice(2, 5)))
          assert.deepStrictEqual(yield* unit.log(process, 6, 3), [])
          for (const { assignment } of entries) {
            const receipt = yield* unit.receipt(process, assignment.slot)
            assert.isTrue(Batch.receiptHolds(receipt))
            assert.isTrue(Bytes.equal(receipt.assignment.head, assignment.head))
            assert.deepStrictEqual(alike(receipt), alike(yield* local.receipt(process, assignment.slot)))
          }
          assert.deepStrictEqual(yield* unit.processes, yield* local.processes)
          assert.strictEqual(yield* unit.nextBatch, yield* local.nextBatch)
        }),
      ),
    )

    it.effect("gives one slot to what is sent again, whoever lost the answer", () =>
      run((unit) =>
        Effect.gen(function* () {
          const process = yield* spawned(unit)
          const item = yield* message(process, "once")
          const first = yield* submit(unit, item)
          const again = yield* submit(unit, item)
          assert.deepStrictEqual([again.slot, again.repeat], [first.slot, true])
          assert.isTrue(Bytes.equal(again.head, first.head))
          const asking = yield* Effect.forkChild(submit(unit, yield* message(process, "twice")))
          yield* Effect.yieldNow
          yield* Fiber.interrupt(asking)
          yield* submit(unit, yield* message(process, "after"))
          const { length } = yield* unit.log(process, 0, 100)
          assert.isTrue(length === 3 || length === 4, "an interrupted call is made once or not at all")
        }),
      ),
    )

    it.effect("refuses by name, and says what to do", () =>
      run((unit) =>
        Effect.gen(function* () {
          const refusal = (item: Uint8Array, proof = Bytes.empty) => Effect.flip(unit.submit(item, proof))
          const large = yield* refusal(new Uint8Array(Limit.itemBytesMax + 1))
          assert.deepInclude(large, { _tag: "Refused", reason: "too large" })
          assert.include(large.message, String(Limit.itemBytesMax))
          assert.deepInclude(yield* refusal(Bytes.fromText("hello")), { reason: "unknown signature type" })
          const stray = yield* refusal((yield* message(nobody)).bytes)
          assert.deepInclude(stray, { reason: "unknown process" })
          assert.include(stray.message, nobody)
          assert.deepStrictEqual(yield* unit.processes, [])
        }),
      ),
    )

    it.effect("says whom a process believes", () =>
      run((unit, local) =>
        Effect.gen(function* () {
          const process = yield* spawned(unit)
          const { address } = LocalScheduler.identity
          assert.deepEqual(yield* unit.authority(process), { units: [address], quorum: 1, since: 0 })
          const units = [nobody, address].map((one) => ["Authority", one] as const)
          yield* submit(unit, yield* Effect.promise(() => ada.message(process, "Authority", units)))
          const policy = { units: [nobody, address], quorum: 2, since: 2 }
          assert.deepEqual(yield* unit.authority(process), policy)
          assert.deepEqual(yield* local.authority(process), policy)
          const unknown = yield* Effect.flip(unit.authority(nobody))
          assert.deepInclude(unknown, { _tag: "LogUnknown", process: nobody })
        }),
      ),
    )

    it.effect("says who gives the next slot, also once that is another", () =>
      run((unit) =>
        Effect.gen(function* () {
          const process = yield* spawned(unit)
          const { address } = LocalScheduler.identity
          assert.deepEqual(yield* unit.tenure(process), { term: 0, scheduler: address })
          const tags = { Scheduler: nobody, Term: "1" }
          yield* submit(unit, yield* Effect.promise(() => ada.message(process, "Scheduler", tags)))
          assert.deepEqual(yield* unit.tenure(process), { term: 1, scheduler: nobody })
          const later = yield* Effect.flip(submit(unit, yield* message(process)))
          assert.deepInclude(later, { _tag: "Refused", reason: "other scheduler" })
          const unknown = yield* Effect.flip(unit.tenure(nobody))
          assert.deepInclude(unknown, { _tag: "LogUnknown", process: nobody })
        }),
      ),
    )

    it.effect("shows the slots of a process with their receipts, from any one on, those that come too", () =>
      run((unit, local) =>
        Effect.gen(function* () {
          const process = yield* spawned(unit)
          const other = yield* spawned(unit)
          for (const _ of [1, 2, 3]) yield* submit(unit, yield* message(process))
          const following = yield* Effect.forkChild(Stream.runCollect(Stream.take(unit.slots(process, 1), 5)))
          yield* submit(unit, yield* message(other))
          for (const _ of [4, 5]) yield* submit(unit, yield* message(process))
          const found = Array.from(yield* Fiber.join(following))
          assert.deepEqual(alike(found.map(({ entry }) => entry)), alike(yield* local.log(process, 1, 5)))
          for (const [i, { receipt }] of found.entries())
            assert.deepEqual(alike(receipt), alike(yield* local.receipt(process, i + 1)))
          const unknown = yield* Effect.flip(Stream.runDrain(unit.slots(nobody, 0)))
          assert.deepInclude(unknown, { _tag: "LogUnknown", process: nobody })
        }),
      ),
    )

    it.effect("has the code of the modules that its processes run", () =>
      run((unit) =>
        Effect.gen(function* () {
          const source = (yield* unit.module(LocalScheduler.module))!
          assert.strictEqual(Module.id(source), LocalScheduler.module)
          assert.isUndefined(yield* unit.module(nobody))
        }),
      ),
    )

    it.effect("says that it has no such slot", () =>
      run((unit) =>
        Effect.gen(function* () {
          const process = yield* spawned(unit)
          assert.deepInclude(yield* Effect.flip(unit.log(nobody, 0, 10)), {
            _tag: "LogUnknown",
            process: nobody,
          })
          assert.deepInclude(yield* Effect.flip(unit.receipt(process, 1)), {
            _tag: "LogUnknown",
            process,
            slot: 1,
          })
        }),
      ),
    )

    it.effect("keeps data under its hash, to its size", () =>
      run((unit) =>
        Effect.gen(function* () {
          const bytes = new Uint8Array(Limit.itemBytesMax + 1).fill(0xfe)
          const hash = yield* unit.addData(bytes)
          assert.strictEqual(hash, DataReference.hashOf(bytes))
          assert.isTrue(Bytes.equal((yield* unit.data(hash))!, bytes))
          assert.isUndefined(yield* unit.data(nobody))
          const over = yield* Effect.flip(unit.addData(new Uint8Array(Limit.referencedBytesMax + 1)))
          assert.deepInclude(over, { _tag: "Refused", reason: "too large" })
          assert.deepInclude(yield* Effect.flip(unit.addData(Bytes.empty)), { reason: "bad reference" })
        }),
      ),
    )

    it.effect(
      "hands each batch to each follower once and in order, from whatever number, also while they come",
      () =>
        run((unit, local) =>
          Effect.gen(function* () {
            const process = yield* spawned(unit)
            const follow = (from: number, count: number) =>
              Effect.forkChild(Stream.runCollect(Stream.take(unit.batches(from), count)))
            const early = yield* follow(0, 12)
            for (let n = 0; n < 5; n++) yield* submit(unit, yield* message(process, `${n}`))
            const later = yield* follow(4, 8)
            for (let n = 5; n < 11; n++) yield* submit(unit, yield* message(process, `${n}`))
            const [all, rest] = [[...(yield* Fiber.join(early))], [...(yield* Fiber.join(later))]]
            assert.deepStrictEqual(
              all.map(({ link }) => link.number),
              Array.from({ length: 12 }, (_, n) => n),
            )
            const there = [...(yield* Stream.runCollect(Stream.take(local.batches(0), 12)))]
            assert.deepStrictEqual(alike(all), alike(there))
            assert.deepStrictEqual(alike(rest), alike(there.slice(4)))
          }),
        ),
    )

    it.effect("lets a follower be as slow as it likes: nobody else waits, and it misses nothing", () =>
      run((unit) =>
        Effect.gen(function* () {
          const process = yield* spawned(unit)
          const slow: Array<number> = []
          const following = yield* Effect.forkChild(
            Stream.runForEach(Stream.take(unit.batches(0), 21), ({ link }) =>
              Effect.andThen(
                Effect.sleep(1_000),
                Effect.sync(() => void slow.push(link.number)),
              ),
            ),
          )
          for (let n = 0; n < 20; n++) yield* submit(unit, yield* message(process, `${n}`))
          assert.isBelow(slow.length, 21, "it was not waited for")
          yield* Fiber.join(following)
          assert.deepStrictEqual(
            slow,
            Array.from({ length: 21 }, (_, n) => n),
          )
        }),
      ),
    )
  })
}

/** A scheduler assigns only while its archive is near (spec 03 §9). */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as References from "effect/References"
import * as TestClock from "effect/testing/TestClock"
import * as Limit from "../../runtime/Limit.ts"
import type * as Id from "../../runtime/Id.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Lease from "../../scheduler-unit/Lease.ts"
import * as ArchiveProbe from "../support/ArchiveProbe.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"
import { guest } from "../support/UnitOver.ts"

const ada = Caller.caller("ada")

describe("a lease", () => {
  it("is not given before it is known how far the archive is", () => {
    const lease = Lease.make(1_000)
    assert.include(lease.refusal(0)?.message, "not anchored: this scheduler does not know yet")
    lease.unconfirmed(undefined)
    assert.isUndefined(lease.refusal(Number.MAX_SAFE_INTEGER))
  })

  it("holds while the oldest batch that is not confirmed is as old as it, and not a millisecond longer", () => {
    const lease = Lease.make()
    const since = Date.UTC(2026, 0, 2, 3, 4, 5)
    lease.unconfirmed(since)
    assert.isUndefined(lease.refusal(since))
    assert.isUndefined(lease.refusal(since - 60_000), "the clock may be set back")
    assert.include(
      lease.refusal(since - 60_001)?.message,
      "not anchored: the clock of this scheduler is behind",
    )
    assert.isUndefined(lease.refusal(since + Limit.leaseMs))
    const refused = lease.refusal(since + Limit.leaseMs + 1)
    assert.strictEqual(refused?.reason, "not anchored")
    for (const words of ["since 2026-01-02 03:04:05 UTC", "120 minutes", "heddle archive status"])
      assert.include(refused?.message, words)
    lease.unconfirmed(since + 1)
    assert.isUndefined(lease.refusal(since + Limit.leaseMs + 1))
  })
})

const settle = Effect.forEach(Array.from({ length: 200 }), () => Effect.yieldNow, { discard: true })

/** Lets time go on, second by second, until `holds`. */
const comes = Effect.fnUntraced(function* (what: string, holds: Effect.Effect<boolean>) {
  for (let seconds = 0; seconds < 3_600; seconds++) {
    yield* settle
    if (yield* holds) return
    yield* TestClock.adjust(1_000)
  }
  throw new Error(`it never came to this: ${what}`)
})

const told = (effect: Effect.Effect<{ readonly slot: number }, { readonly message: string }>) =>
  Effect.map(Effect.result(effect), (result) =>
    Result.isSuccess(result) ? `slot ${result.success.slot}` : result.failure.message.split(":")[0],
  )

describe("a scheduler with a lease", () => {
  const leased = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => Effect.provideService(effect, Lease.Lease, Lease.make())).pipe(
      Effect.provideService(References.MinimumLogLevel, "None"),
      Effect.scoped,
    )
  const archived = () => {
    const probe = ArchiveProbe.make()
    return { probe, archive: { archive: probe.archive, pollMs: 1_000 } }
  }
  const add = (node: SmallNode.SmallNode, process: Id.ProcessId) =>
    told(SmallNode.send(node, ada, process, "Add"))

  it.effect("assigns up to the lease, refuses after it, and goes on once its archive has confirmed", () =>
    leased(
      Effect.gen(function* () {
        const { probe, archive } = archived()
        const node = yield* SmallNode.make({}, undefined, archive)
        const process = yield* SmallNode.spawn(node, ada, guest)
        const item = yield* Effect.promise(() => ada.message(process, "Add"))
        yield* node.messenger.send(item.bytes)
        yield* settle
        yield* TestClock.adjust(Limit.leaseMs)
        assert.strictEqual(yield* add(node, process), "slot 2")
        yield* TestClock.adjust(1)
        const batches = yield* node.scheduler.nextBatch
        assert.strictEqual(yield* add(node, process), "not anchored")
        assert.strictEqual(yield* told(node.messenger.send(item.bytes)), "slot 1", "a repeat has its slot")
        const fresh = yield* Effect.promise(() => ada.message(process, "Add"))
        const twice = yield* Effect.all(
          [told(node.messenger.send(fresh.bytes)), told(node.messenger.send(fresh.bytes))],
          { concurrency: 2 },
        )
        assert.deepStrictEqual(twice, ["not anchored", "not anchored"])
        assert.strictEqual(yield* node.scheduler.nextBatch, batches, "nothing was signed")

        yield* comes(
          "it is sent",
          Effect.sync(() => probe.statuses.size > 0),
        )
        probe.mine()
        yield* comes(
          "it is confirmed",
          Effect.map(node.archive.status, ({ bundles }) => bundles > 0),
        )
        assert.strictEqual(yield* told(node.messenger.send(fresh.bytes)), "slot 3")
      }),
    ),
  )

  it.effect("with nothing unconfirmed is within its lease, however long it was idle", () =>
    leased(
      Effect.gen(function* () {
        const { probe, archive } = archived()
        const node = yield* SmallNode.make({}, undefined, archive)
        const process = yield* SmallNode.spawn(node, ada, guest)
        yield* node.compute.turn(process, 0)
        yield* comes(
          "all is confirmed",
          Effect.map(
            Effect.andThen(
              Effect.sync(() => probe.mine()),
              node.archive.status,
            ),
            ({ batches }) => batches.confirmed === batches.made,
          ),
        )
        yield* TestClock.adjust(10 * Limit.leaseMs)
        assert.strictEqual(yield* add(node, process), "slot 1")
      }),
    ),
  )

  it.effect("that was started again counts from when the batch was decided, bundled or not", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const { archive } = archived()
      const started = leased(SmallNode.open({ store }, undefined, archive))
      const first = yield* started
      const process = yield* SmallNode.spawn(first.node, ada, guest)
      yield* settle
      yield* first.stop
      yield* TestClock.adjust(Limit.leaseMs - 1_000)
      for (let starts = 0; starts < 2; starts++) {
        const { node, stop } = yield* started
        assert.strictEqual(yield* add(node, process), `slot ${starts + 1}`)
        yield* stop
      }
      yield* TestClock.adjust(1_001)
      const { node, stop } = yield* started
      assert.strictEqual(yield* add(node, process), "not anchored")
      yield* stop
    }),
  )

  it.effect("counts what no archive unit has read yet", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const scope = yield* Scope.make()
      const { module, identity } = LocalScheduler
      const before = yield* Scope.provide(LocalScheduler.start({ store }), scope)
      const spawn = yield* Effect.promise(() => ada.spawn(module, identity.address))
      yield* before.submit(spawn.bytes, new Uint8Array(0))
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust(Limit.leaseMs + 1)
      const { archive } = archived()
      const { node, stop } = yield* leased(
        SmallNode.open({ store, signer: LocalScheduler.signer }, undefined, archive),
      )
      assert.strictEqual(yield* add(node, spawn.id), "not anchored")
      yield* stop
    }),
  )
})

/** Log and turns of a restore side by side: who waits for whom, what is kept between them, and what a commit holds. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { BatchRun } from "../../archive-unit/BatchRun.ts"
import * as BatchesContent from "../../archive-unit/BatchesContent.ts"
import type { Listed } from "../../archive-unit/Catalog.ts"
import type { ArchivedGroup, ArchivedRelease } from "../../archive-unit/TurnsContent.ts"
import type * as Follower from "../../compute-unit/Follower.ts"
import * as OutcomeLog from "../../compute-unit/OutcomeLog.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as RestoreKept from "../../node/RestoreKept.ts"
import * as RestoreLog from "../../node/RestoreLog.ts"
import * as RestorePace from "../../node/RestorePace.ts"
import * as RestoreTurns from "../../node/RestoreTurns.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as AssignmentLogStore from "../../scheduler-unit/AssignmentLogStore.ts"
import type { CommittedBatch } from "../../scheduler-unit/SchedulerUnit.ts"
import * as LogBook from "../support/LogBook.ts"
import * as UnitOver from "../support/UnitOver.ts"

const process = Id.fromBytes(new Uint8Array(32).fill(1))

const examinedAt = (slot: number, bytes = 10): Follower.Examined =>
  ({ entry: { slot, item: new Uint8Array(bytes) } }) as Follower.Examined // all that is looked at

const slotsOf = (taken: ReadonlyArray<Follower.Examined> | undefined) => taken?.map(({ entry }) => entry.slot)

const runOf = (batches: ReadonlyArray<CommittedBatch>): BatchRun => {
  const left = [...batches]
  return { listed: [], next: Effect.sync(() => left.shift()) }
}

const logFrom = Effect.fnUntraced(function* (
  batches: ReadonlyArray<CommittedBatch>,
  options: Partial<RestoreLog.Options<never>> = {},
) {
  const store = StoreMemory.make()
  const opened = yield* Effect.provideService(AssignmentLogStore.open, Store, store)
  const pace = RestorePace.make()
  pace.turnsEnded()
  const held = { modules: () => Effect.void, data: () => Effect.void, onSlots: () => {} }
  const kept = RestoreKept.make()
  const rest = { run: runOf(batches), processes: undefined, readOnly: true, kept, pace, ...held }
  yield* RestoreLog.restore({ store: opened, ...rest, ...options }).pipe(
    Effect.provideService(Verifier, VerifierLocal.make()),
  )
  return { store, opened, kept }
})

const zero = new Uint8Array(32)

/** A log that was restored, and what is attested of it, a slot at a time. */
const attestedLog = Effect.fnUntraced(function* (slots: number) {
  const book = LogBook.make()
  const of = yield* UnitOver.spawn(book)
  book.write(...(yield* UnitOver.sayMany(of, "Add", slots - 1)))
  const batches = [...(yield* Stream.runCollect(Stream.take(book.service.batches(0), 2)))]
  const { store, opened, kept } = yield* logFrom(batches)
  const outcomes = yield* Effect.provideService(OutcomeLog.make, Store, store)
  const rootOf = (slot: number) => Hash.sha256(Bytes.u32(slot))
  const pointOf = (slot: number) => ({
    slot,
    head: slot < 0 ? zero : opened.log.entry(of, slot)!.assignment.head,
    stateRoot: slot < 0 ? zero : rootOf(slot),
  })
  const groupAt = (slot: number, from = pointOf(slot - 1)): ArchivedGroup => ({
    attestation: { engine: zero, process: of, term: 0, from, to: pointOf(slot), outcomeRoot: zero },
    outcomes: [{ slot, message: of, error: undefined, fuelUsed: 0n, replies: [], views: [], outbox: [] }],
  })
  const releaseOf = (...groups: ReadonlyArray<ArchivedGroup>): ArchivedRelease => ({
    signatureType: 1044,
    owner: zero,
    signature: zero,
    number: 0,
    groups,
  })
  /** Takes releases, each of which is a content. */
  const take = (
    releases: ReadonlyArray<ArchivedRelease>,
    options: Partial<RestoreTurns.Options<never>>,
    onRead: (key: string) => void = () => {},
  ) => {
    const contents = new Map(
      releases.map((release, place) => [{ key: String(place) } as Listed, release] as const), // read by key alone
    )
    const pace = RestorePace.make()
    pace.logEnded()
    return RestoreTurns.restore({
      store,
      log: opened.log,
      outcomes,
      run: {
        listed: [...contents.keys()],
        read: (listed) =>
          Effect.sync(() => {
            onRead(listed.key)
            return [contents.get(listed)!]
          }),
      },
      processes: undefined,
      kept,
      pace,
      rehearsal: { add: () => Effect.void, round: Effect.void, end: Effect.succeed(new Map()) },
      taken: true,
      needs: () => Effect.void,
      onTurns: () => {},
      ...options,
    })
  }
  return { of, outcomes, pointOf, groupAt, releaseOf, take }
})

describe("RestoreKept", () => {
  it("gives what was kept, once, and nothing where a slot of it is not here", () => {
    const kept = RestoreKept.make()
    kept.keep(
      process,
      [0, 1, 2, 4].map((slot) => examinedAt(slot)),
    )
    assert.deepStrictEqual(slotsOf(kept.take(process, 0, 2)), [0, 1])
    assert.isUndefined(kept.take(process, 0, 2))
    assert.isUndefined(kept.take(process, 2, 3))
  })

  it("keeps 4,096 entries and 32 MiB of them, and lets go of the oldest", () => {
    const many = RestoreKept.make()
    many.keep(
      process,
      Array.from({ length: 4_097 }, (_, slot) => examinedAt(slot)),
    )
    assert.isUndefined(many.take(process, 0, 1))
    assert.lengthOf(many.take(process, 1, 4_096)!, 4_096)
    const large = RestoreKept.make()
    large.keep(
      process,
      Array.from({ length: 5 }, (_, slot) => examinedAt(slot, 8 * 1024 * 1024)),
    )
    assert.isUndefined(large.take(process, 0, 1))
    assert.deepStrictEqual(slotsOf(large.take(process, 1, 4)), [1, 2, 3, 4])
  })

  it("has nothing once no more turns are taken, and keeps nothing after", () => {
    const kept = RestoreKept.make()
    kept.keep(process, [examinedAt(0)])
    kept.end()
    kept.keep(process, [examinedAt(1)])
    assert.isUndefined(kept.take(process, 0, 1))
    assert.isUndefined(kept.take(process, 1, 1))
  })

  it.live("holds of a process that is never attested its own bytes, and no content that they came in", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const [silent, other] = [yield* UnitOver.spawn(book), yield* UnitOver.spawn(book, "other")]
      for (let i = 0; i < 20; i++)
        for (const of of [silent, other]) book.write(...(yield* UnitOver.say(of, `Add ${i}`)))
      const batches = [...(yield* Stream.runCollect(Stream.take(book.service.batches(0), 42)))]
      const bytes = Result.getOrThrow(BatchesContent.encode(batches))
      const store = RestoreKept.make()
      // The other's turns come as soon as they can.
      const keep: RestoreKept.RestoreKept["keep"] = (of, examined) => {
        store.keep(of, examined)
        if (of === other) store.take(of, examined[0]!.entry.slot, examined.length)
      }
      const read = Result.getOrThrow(BatchesContent.decode(bytes))
      yield* logFrom([], { run: runOf(read), kept: { ...store, keep } })
      const left = store.take(silent, 0, 21)!
      assert.lengthOf(left, 21)
      const held = new Set<ArrayBufferLike>()
      const visit = (value: unknown): void => {
        if (value instanceof Uint8Array) held.add(value.buffer)
        else if (typeof value === "object" && value !== null) Object.values(value).forEach(visit)
      }
      visit(left.map(({ entry, seen }) => ({ entry, seen })))
      assert.isFalse(held.has(bytes.buffer))
      assert.isTrue(left.every(({ entry: { item } }) => item.buffer.byteLength === item.length))
    }),
  )
})

describe("RestorePace", () => {
  it.effect("holds the log while turns can go on, and turns until the log has moved or ended", () =>
    Effect.gen(function* () {
      const pace = RestorePace.make()
      const said: Array<string> = []
      const log = yield* Effect.forkChild(
        Effect.gen(function* () {
          yield* pace.untilTurnsWait
          said.push("log goes on")
          pace.logMoved()
          yield* pace.untilTurnsWait
          said.push("log ends")
          pace.logEnded()
        }),
        { startImmediately: true },
      )
      yield* UnitOver.letRun
      assert.deepStrictEqual(said, [])
      said.push(`moved ${yield* pace.untilLogMoves}`)
      yield* UnitOver.letRun
      assert.deepStrictEqual(said, ["log goes on", "moved true"])
      while (yield* pace.untilLogMoves) said.push("turns look")
      pace.turnsEnded()
      yield* Fiber.join(log)
      assert.deepStrictEqual(said, ["log goes on", "moved true", "log ends", "turns look"])
    }),
  )
})

describe("RestoreLog", () => {
  it.live("counts leaves of what it leaves out: 16 MiB of them are a commit", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const of = yield* UnitOver.spawn(book)
      book.write(...(yield* UnitOver.say(of, "Add")))
      for (let i = 0; i < 10; i++) book.write(...(yield* UnitOver.say(of, "Add")))
      const batches = [...(yield* Stream.runCollect(Stream.take(book.service.batches(0), 12)))]
      const other = { ...batches[0]!.entries[0]! }
      const foreign = { ...other, assignment: { ...other.assignment, process } }
      // 8,000 entries of another process in each: 11 batches have 88,011 leaves, more than 16 MiB / 200.
      const shared = batches.map((batch) => ({
        ...batch,
        entries: [...batch.entries, ...Array.from({ length: 8_000 }, () => foreign)],
      }))
      const commits: Array<number> = []
      const { opened: real } = yield* logFrom([])
      const store = {
        ...real,
        restore: (...args: Parameters<typeof real.restore>) => {
          commits.push(args[0].length)
          return real.restore(...args)
        },
      }
      yield* logFrom([], { store, run: runOf(shared), processes: new Set([of]) })
      assert.deepStrictEqual(commits, [11, 1])
      assert.strictEqual(real.log.leaves(3)!.leaves.length, 8_001)
    }),
  )
})

describe("RestoreTurns", () => {
  it.live(
    "reads what came too early again while it gives something, and sixteen times in a row for nothing",
    () =>
      Effect.gen(function* () {
        const slots = 41
        const { of, outcomes, pointOf, groupAt, releaseOf, take } = yield* attestedLog(slots)
        // Says of every slot that it follows another state; of slot 10 alone it has what follows.
        const odd = Array.from({ length: slots - 1 }, (_, i) =>
          i === 9 ? groupAt(10) : groupAt(i + 1, { ...pointOf(i), stateRoot: zero }),
        )
        const releases = [
          releaseOf(...odd),
          ...Array.from({ length: slots }, (_, slot) => releaseOf(groupAt(slot))),
        ].filter((_, place) => place !== 11)
        const reads: Array<string> = []
        yield* take(releases, {}, (key) => reads.push(key))
        assert.strictEqual(outcomes.point(of).slot, slots - 1)
        // Slots 0 to 9, each with a look at it that gives nothing but for the last; then sixteen that give nothing.
        assert.strictEqual(reads.filter((key) => key === "0").length, 1 + 10 + 16)
        assert.strictEqual(reads.length, 1 + 10 + 16 + slots - 1)
      }),
  )

  it.live("has asked for the engine of turns before they are rehearsed", () =>
    Effect.gen(function* () {
      const { groupAt, releaseOf, take } = yield* attestedLog(3)
      const asked = new Set<Id.Id>()
      const ready: Array<boolean> = []
      yield* take(
        [0, 1, 2].map((slot) => releaseOf(groupAt(slot))),
        {
          needs: (_, engines) =>
            Effect.sync(() => {
              for (const engine of engines) asked.add(engine)
            }),
          rehearsal: {
            add: ({ group }) =>
              Effect.sync(() => void ready.push(asked.has(Id.fromBytes(group.attestation.engine)))),
            round: Effect.void,
            end: Effect.succeed(new Map()),
          },
        },
      )
      assert.deepStrictEqual(ready, [true, true, true])
    }),
  )
})

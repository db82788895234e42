import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Overloaded, Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Address from "../../runtime/Address.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import { Network } from "../../runtime/Network.ts"
import * as NetworkMemory from "../../runtime/NetworkMemory.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import { type CommittedBatch, type Receipted, SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as SchedulerUnitRemote from "../../scheduler-unit/SchedulerUnitRemote.ts"
import * as SchedulerUnitServer from "../../scheduler-unit/SchedulerUnitServer.ts"
import * as Caller from "../support/Caller.ts"
import * as Line from "../support/Line.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import { hash, id } from "../support/Unsigned.ts"

type Scheduler = SchedulerUnit["Service"]
const ada = Caller.caller("ada")

const quiet = Effect.provideService(References.MinimumLogLevel, "None")

/** A scheduler with a process of five slots in five batches. */
const filled = Effect.gen(function* () {
  const local = yield* LocalScheduler.start({ store: StoreMemory.make() })
  const spawn = yield* Effect.promise(() => ada.spawn(LocalScheduler.module, local.address))
  const { process } = yield* local.submit(spawn.bytes, Bytes.empty)
  for (let n = 1; n < 5; n++) yield* say(local, process)
  return { local, process }
})

const say = (unit: Scheduler, process: Id.ProcessId) =>
  Effect.flatMap(
    Effect.promise(() => ada.message(process, "Say")),
    ({ bytes }) => unit.submit(bytes, Bytes.empty),
  )

const serve = (unit: Scheduler, network: Network["Service"]) =>
  SchedulerUnitServer.make.pipe(
    Effect.provideService(SchedulerUnit, unit),
    Effect.provideService(Network, network),
  )

const remote = (to: Id.Address, network: Network["Service"], verifier = VerifierLocal.make()) =>
  SchedulerUnitRemote.make(to).pipe(
    Effect.provideService(Network, network),
    Effect.provideService(Verifier, verifier),
  )

/** A reader of a scheduler that is not what it should be. */
const readerOf = Effect.fnUntraced(function* (unit: Scheduler) {
  const board = NetworkMemory.switchboard()
  yield* serve(unit, NetworkMemory.make(unit.address, board))
  return yield* remote(unit.address, NetworkMemory.make(id("reader"), board))
})

/** What a reader takes of a scheduler's batches, and why it took no more. */
const taken = Effect.fnUntraced(function* (unit: Scheduler) {
  const reader = yield* readerOf(unit)
  const numbers: Array<number> = []
  const invalid = yield* Effect.flip(
    Stream.runForEach(Stream.take(reader.batches(0), 5), ({ link }) =>
      Effect.sync(() => void numbers.push(link.number)),
    ),
  )
  assert.deepInclude(invalid, { _tag: "BatchInvalid", scheduler: unit.address, number: 3 })
  assert.include(invalid.message, `batch 3 of scheduler ${unit.address}`)
  return { numbers, why: invalid.detail }
})

const signedBy = (signer: typeof LocalScheduler.signer, link: Batch.Link): Batch.SignedLink => ({
  ...link,
  signatureType: signer.type.number,
  owner: signer.owner,
  signature: Effect.runSync(Effect.orDie(signer.sign("heddle/batch/1", Batch.signingBytes(link)))),
})

/** Bends batch 3. */
const bent = (local: Scheduler, bend: (batch: CommittedBatch) => CommittedBatch): Scheduler => ({
  ...local,
  batches: (from) => Stream.map(local.batches(from), (one) => (one.link.number === 3 ? bend(one) : one)),
})

describe("a batch from a network", () => {
  it.effect("is passed on only as its scheduler signed it", () =>
    Effect.gen(function* () {
      const { local } = yield* filled
      const other = Caller.caller("other").signer
      const lies: ReadonlyArray<readonly [what: string, (batch: CommittedBatch) => CommittedBatch, RegExp]> =
        [
          [
            "an item changed",
            ({ link, entries }) => ({
              link,
              entries: entries.map((one) => ({ ...one, item: one.item.with(700, one.item[700]! ^ 1) })),
            }),
            /did not sign it/,
          ],
          [
            "a time changed",
            ({ link, entries }) => ({
              link,
              entries: entries.map((one) => ({
                ...one,
                assignment: { ...one.assignment, timestamp: one.assignment.timestamp + 1 },
              })),
            }),
            /did not sign it/,
          ],
          ["an entry left out", ({ link }) => ({ link, entries: [] }), /no entry/],
          [
            "a number changed",
            ({ link, entries }) => ({ link: { ...link, number: 7 }, entries }),
            /batch 7 came in its place/,
          ],
          [
            "signed by another",
            ({ link, entries }) => ({ link: signedBy(other, link), entries }),
            /did not sign it/,
          ],
          [
            "signed for another use",
            ({ link, entries }) => ({
              link: {
                ...link,
                signature: Effect.runSync(
                  Effect.orDie(LocalScheduler.signer.sign("heddle/attestation/1", Batch.signingBytes(link))),
                ),
              },
              entries,
            }),
            /did not sign it/,
          ],
          [
            "signed by itself over another chain",
            ({ link, entries }) => ({
              link: signedBy(LocalScheduler.signer, { ...link, previousRoot: hash("fork") }),
              entries,
            }),
            /another root/,
          ],
        ]
      for (const [what, bend, why] of lies) {
        const found = yield* taken(bent(local, bend))
        assert.match(found.why, why, what)
        assert.deepStrictEqual(found.numbers, [0, 1, 2], what)
      }
    }),
  )

  it.effect("is checked when the verifier has time for it again, and meanwhile waits", () =>
    Effect.gen(function* () {
      const { local } = yield* filled
      let busy = 3
      const verifier: Verifier["Service"] = {
        ...VerifierLocal.make(),
        verify: () =>
          busy-- > 0
            ? Effect.fail(new Overloaded({ reason: "queue full", waitingMax: 1 }))
            : Effect.succeed(true),
      }
      const board = NetworkMemory.switchboard()
      yield* serve(local, NetworkMemory.make(local.address, board))
      const reader = yield* remote(local.address, NetworkMemory.make(id("reader"), board), verifier)
      yield* Line.timeGoesOn
      const found = yield* Stream.runCollect(Stream.take(reader.batches(0), 5))
      assert.strictEqual([...found].length, 5)
    }),
  )

  it.effect("comes once, and in order, though the scheduler goes away in between and comes back", () =>
    Effect.gen(function* () {
      const { local, process } = yield* filled
      const board = NetworkMemory.switchboard()
      const place = NetworkMemory.make(local.address, board)
      let scope = yield* Scope.make()
      yield* serve(local, place).pipe(Scope.provide(scope))
      const reader = yield* remote(local.address, NetworkMemory.make(id("reader"), board))
      yield* Line.timeGoesOn
      const numbers: Array<number> = []
      const following = yield* Effect.forkChild(
        Stream.runForEach(Stream.take(reader.batches(0), 14), ({ link }) =>
          Effect.sync(() => void numbers.push(link.number)),
        ),
      )
      for (let breaks = 0; breaks < 3; breaks++) {
        yield* say(local, process)
        yield* Scope.close(scope, Exit.void)
        yield* Effect.all([say(local, process), Effect.sleep(1_000)])
        scope = yield* Scope.make()
        yield* serve(local, place).pipe(Scope.provide(scope))
        yield* say(local, process)
      }
      yield* Fiber.join(following)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(
        numbers,
        Array.from({ length: 14 }, (_, n) => n),
      )
    }).pipe(quiet),
  )
})

describe("what else a scheduler says", () => {
  const first = (local: Scheduler, process: Id.ProcessId) => Effect.orDie(local.receipt(process, 0))

  it.effect("is asked for again until it is shown: a receipt, a page of a log, data", () =>
    Effect.gen(function* () {
      const { local, process } = yield* filled
      const bytes = Bytes.fromText("data")
      const dataHash = yield* local.addData(bytes)
      let lies = 0
      /** Tells the truth each fourth time. */
      const bend = <A, E>(truth: Effect.Effect<A, E>, ...wrong: ReadonlyArray<Effect.Effect<A, E>>) =>
        Effect.suspend(() => wrong[lies++ % (wrong.length + 1)] ?? truth)
      const third = Effect.orDie(local.receipt(process, 2))
      const forged = Effect.map(third, (one) => ({
        ...one,
        link: { ...one.link, owner: Caller.caller("other").signer.owner },
      }))
      const moved = Effect.map(third, (one) => ({ ...one, index: 1 }))
      const reader = yield* readerOf({
        ...local,
        receipt: (of, slot) => bend(local.receipt(of, slot), first(local, process), forged, moved),
        data: (of) => bend(local.data(of), Effect.succeed(Bytes.fromText("other"))),
      })
      yield* Line.timeGoesOn
      const receipt = yield* reader.receipt(process, 2)
      assert.strictEqual(receipt.assignment.slot, 2)
      assert.isTrue(Batch.receiptHolds(receipt))
      assert.isAtLeast(lies, 4)
      lies = 0
      assert.strictEqual(Bytes.toText((yield* reader.data(dataHash))!), "data")
      assert.strictEqual(lies, 2)

      const pages = yield* Effect.forEach([0, 1], () => Effect.orDie(local.log(process, 0, 5)))
      const [truth] = pages
      const gap = truth!.filter((_, n) => n !== 2)
      const swapped = [truth![0]!, truth![2]!, truth![1]!, ...truth!.slice(3)]
      const changed = truth!.map((one, n) =>
        n === 4 ? { ...one, item: one.item.with(700, 1 ^ one.item[700]!) } : one,
      )
      let asked = 0
      const answers = [gap, swapped, changed, truth!]
      const other = yield* readerOf({
        ...local,
        log: () => Effect.sync(() => answers[asked++] ?? truth!),
      })
      const entries = yield* other.log(process, 0, 5)
      assert.strictEqual(asked, 4)
      assert.deepStrictEqual(
        entries.map(({ assignment }) => Bytes.toHex(assignment.head)),
        truth!.map(({ assignment }) => Bytes.toHex(assignment.head)),
      )
    }).pipe(quiet),
  )

  it.effect("is asked for again until it is shown: slots with their receipts, and a module", () =>
    Effect.gen(function* () {
      const { local, process } = yield* filled
      const truth = Array.from(yield* Stream.runCollect(Stream.take(local.slots(process, 0), 5)))
      const other = Caller.caller("other").signer
      const bent = (change: (one: Receipted) => Receipted) =>
        truth.map((one, slot) => (slot === 2 ? change(one) : one))
      const answers: Array<ReadonlyArray<Receipted>> = [
        truth.filter((_, slot) => slot !== 2),
        [truth[0]!, truth[2]!, truth[1]!, ...truth.slice(3)],
        bent(({ entry, receipt }) => ({ entry, receipt: { ...receipt, index: 1 } })),
        bent(({ entry, receipt }) => ({
          entry,
          receipt: { ...receipt, link: { ...receipt.link, owner: other.owner } },
        })),
        bent(({ entry, receipt }) => ({
          receipt,
          entry: { ...entry, item: entry.item.with(700, 1 ^ entry.item[700]!) },
        })),
      ]
      let modules = 0
      const reader = yield* readerOf({
        ...local,
        slots: (_, from) =>
          Stream.suspend(() =>
            Stream.concat(Stream.fromIterable((answers.shift() ?? truth).slice(from)), Stream.never),
          ),
        module: (of) =>
          Effect.suspend(() =>
            modules++ === 0 ? Effect.succeed(Bytes.fromText("other")) : local.module(of),
          ),
      })
      yield* Line.timeGoesOn
      const found = Array.from(yield* Stream.runCollect(Stream.take(reader.slots(process, 0), 5)))
      const heads = (of: ReadonlyArray<Receipted>) =>
        of.map(({ entry }) => Bytes.toHex(entry.assignment.head))
      assert.deepStrictEqual([heads(found), answers.length], [heads(truth), 0])
      assert.isTrue(found.every(({ receipt }) => Batch.receiptHolds(receipt)))
      assert.isDefined(yield* reader.module(LocalScheduler.module))
      assert.strictEqual(modules, 2)
    }).pipe(quiet),
  )

  it.effect("is shown by whoever gave it: a log that another scheduler began", () =>
    Effect.gen(function* () {
      const { local, process } = yield* filled
      const other = Caller.caller("another scheduler").signer
      // Of a scheduler that took the process over, and has of it what the first one gave.
      const reader = yield* readerOf({ ...local, address: other.address })
      const entries = yield* reader.log(process, 0, 10)
      assert.strictEqual(entries.length, 5)
      for (const { assignment } of entries) {
        const { link } = yield* reader.receipt(process, assignment.slot)
        assert.strictEqual(Address.of(link.owner).text, local.address)
      }
      // Its own batches are its own alone.
      const invalid = yield* Effect.flip(Stream.runDrain(reader.batches(0)))
      assert.include(invalid.message, "did not sign it")
    }),
  )

  it.effect("is fetched in pages where it is long in bytes, and is one answer", () =>
    Effect.gen(function* () {
      const { local, process } = yield* filled
      const large = new Uint8Array(6 * 1024 * 1024)
      for (let n = 0; n < 4; n++) {
        const item = yield* Effect.promise(() => ada.message(process, "Say", {}, large))
        yield* local.submit(item.bytes, Bytes.empty)
      }
      let calls = 0
      const reader = yield* readerOf({
        ...local,
        log: (...args) => Effect.suspend(() => (calls++, local.log(...args))),
      })
      const entries = yield* reader.log(process, 0, 100)
      assert.strictEqual(entries.length, 9)
      assert.strictEqual(calls, 2)
      assert.strictEqual((yield* reader.log(process, 0, 6)).length, 6)
    }),
  )
})

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { type Sandbox, SandboxLost } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import { SigningFailed } from "../../identity/Signer.ts"
import { Overloaded } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Attestation from "../../runtime/Attestation.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import * as Module from "../../runtime/Module.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import * as Caller from "../support/Caller.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import * as LogBook from "../support/LogBook.ts"
import * as SandboxProbe from "../support/SandboxProbe.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import * as UnitOver from "../support/UnitOver.ts"
import { hash, id } from "../support/Unsigned.ts"

const { ada, asked, letRun, make: unitOver, say, shown, spawn: spawnIn } = UnitOver

type Unit = UnitOver.Unit

const valueOf = (reply: Outcome.Reply) =>
  "value" in reply ? (JSON.parse(reply.value) as unknown) : reply.error

describe("the embargo", () => {
  it.effect("shows nothing of a turn before its commit is durable, and all of it after", () =>
    Effect.gen(function* () {
      const probe = StoreProbe.make()
      const { compute, ...node } = yield* SmallNode.make({ store: probe.store })
      const other = yield* SmallNode.spawn(node, ada, UnitOver.guest)
      const process = yield* SmallNode.spawn(node, ada, UnitOver.guest)
      yield* compute.turn(process, 0)
      const attested = (yield* compute.attestation(process, 0))!.attestation.to.slot

      const held = StoreProbe.barrier()
      probe.before = (tables) => (tables.includes("release") ? held.wait : Effect.void)
      const item = yield* Effect.promise(() => ada.message(process, "Tell", { To: other }))
      const accepted = yield* node.messenger.send(item.bytes)
      yield* held.reached
      const waiting = [
        yield* Effect.forkChild(compute.turn(process, 1)),
        yield* Effect.forkChild(compute.reply(process, accepted.id)),
        yield* Effect.forkChild(Stream.runHead(compute.follow(process, 1))),
        yield* Effect.forkChild(
          Stream.runHead(Stream.filter(compute.releases(0), (one) => one.emitted.length > 0)),
        ),
        yield* Effect.forkChild(compute.query(process, asked("Get"))),
        yield* Effect.forkChild(node.messenger.ask(item.bytes)),
      ]
      yield* letRun
      assert.deepStrictEqual(
        waiting.map((fiber) => fiber.pollUnsafe()),
        waiting.map(() => undefined),
      )
      const seen = Effect.gen(function* () {
        const { slots } = yield* compute.progress(process)
        const signed = yield* compute.attestation(process, 1)
        const turns = yield* compute.turns(process, 0, 10)
        const view = yield* compute.view(process, "told")
        const { slots: given } = yield* node.messenger.process(other)
        return [slots, signed?.attestation.to.slot, turns.length, view?.value, given]
      })
      assert.deepStrictEqual(yield* seen, [1, undefined, 1, undefined, 1])

      yield* held.open
      const [turn, reply, followed, released, answer] = yield* Effect.all([
        compute.turn(process, 1),
        compute.reply(process, accepted.id),
        Stream.runHead(compute.follow(process, 1)),
        Stream.runHead(Stream.filter(compute.releases(0), (one) => one.emitted.length > 0)),
        compute.query(process, asked("Get")),
      ])
      yield* Effect.forEach(waiting, (fiber) => Fiber.join(fiber as Fiber.Fiber<unknown, unknown>), {
        discard: true,
      })
      assert.deepStrictEqual([turn.outcome.slot, valueOf(reply)], [1, 1])
      assert.isTrue(followed._tag === "Some" && followed.value.outcome.slot === 1)
      assert.isTrue(released._tag === "Some" && released.value.emitted[0]!.source === process)
      assert.deepStrictEqual([answer.slot, answer.result], [1, { value: "1" }])
      yield* compute.turn(other, 1)
      assert.deepStrictEqual(yield* seen, [2, attested + 1, 2, "true", 2])
    }),
  )

  it.effect("leaves no trace of a commit that fails: the turn is done again and nothing is sent twice", () =>
    Effect.gen(function* () {
      const probe = StoreProbe.make()
      const { compute, ...node } = yield* SmallNode.make({ store: probe.store })
      const other = yield* SmallNode.spawn(node, ada, UnitOver.guest)
      const process = yield* SmallNode.spawn(node, ada, UnitOver.guest)
      yield* Effect.all([compute.turn(process, 0), compute.turn(other, 0)])
      let failures = 0
      probe.before = (tables) =>
        tables.includes("release") && failures < 4 ? (failures++, StoreProbe.full) : Effect.void
      const asking = yield* Effect.forkChild(SmallNode.ask(node, ada, process, "Tell", { To: other }))
      for (let failed = 1; failed <= 4; failed++) {
        yield* SmallNode.until(
          "a commit failed",
          Effect.sync(() => failures === failed),
        )
        yield* letRun
        assert.deepStrictEqual(yield* compute.turns(process, 1, 10), [])
        assert.deepInclude(yield* compute.query(process, asked("Get")), { slot: 0, result: { value: "0" } })
        assert.strictEqual((yield* node.messenger.process(other)).slots, 1)
        yield* TestClock.adjust(Limit.deliveryRetryMsMin * 2 ** (failed - 1))
      }
      assert.strictEqual(yield* Fiber.join(asking), 1)
      yield* compute.turn(other, 1)
      yield* letRun
      assert.strictEqual((yield* node.messenger.process(other)).slots, 2)
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Get"), 1)
      assert.strictEqual((yield* compute.progress(process)).parked, undefined)
    }),
  )

  it.effect("answers a query that waited for a commit which then failed from the state before it", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const probe = StoreProbe.make()
      const { unit } = yield* unitOver(book.service, { store: probe.store })
      yield* unit.turn(process, 0)
      const held = StoreProbe.barrier()
      probe.before = () => Effect.andThen(held.wait, StoreProbe.full)
      book.write(...(yield* say(process, "Add")))
      yield* held.reached
      const asking = yield* Effect.forkChild(unit.query(process, asked("Get")))
      yield* letRun
      assert.isUndefined(asking.pollUnsafe())
      yield* held.open
      assert.deepInclude(yield* Fiber.join(asking), { slot: 0, result: { value: "0" } })
    }),
  )

  it.effect("shows nobody what a commit would have made durable that a stop broke off", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const probe = StoreProbe.make()
      const { unit, stop } = yield* unitOver(book.service, { store: probe.store })
      yield* unit.turn(process, 0)
      const held = StoreProbe.barrier()
      probe.before = () => held.wait
      book.write(...(yield* say(process, "Add")))
      yield* held.reached
      const asking = yield* Effect.forkChild(unit.query(process, asked("Get")))
      yield* letRun
      const stopping = yield* Effect.forkChild(stop)
      yield* letRun
      yield* held.open
      yield* Fiber.join(stopping)
      assert.deepInclude(yield* Fiber.join(asking), { slot: 0, result: { value: "0" } })
    }),
  )

  it.effect(
    "comes to the same outcomes and roots after commits, signatures and verifications that failed",
    () =>
      Effect.gen(function* () {
        const book = LogBook.make()
        const process = yield* spawnIn(book)
        const [probe, verifier, { signer }] = [StoreProbe.make(), VerifierLocal.make(), Caller.caller("unit")]
        const [commits, signatures, checks] = [{ left: 2 }, { left: 2 }, { left: 2 }]
        probe.before = (tables) =>
          tables.includes("release") && commits.left-- > 0 ? StoreProbe.full : Effect.void
        const unwell = yield* unitOver(book.service, {
          store: probe.store,
          signer: {
            ...signer,
            sign: (context, bytes) =>
              signatures.left-- > 0
                ? Effect.fail(new SigningFailed({ address: signer.address, reason: "worker died" }))
                : signer.sign(context, bytes),
          },
          verifier: {
            ...verifier,
            verifyItem: (item) =>
              checks.left-- > 0
                ? Effect.fail(new Overloaded({ reason: "queue full", waitingMax: 1 }))
                : verifier.verifyItem(item),
          },
        })
        const well = yield* unitOver(book.service)
        book.write(...(yield* say(process, "Add", "Later", "Add")))
        yield* well.unit.turn(process, 3)
        for (let i = 0; i < 10; i++) {
          yield* letRun
          yield* TestClock.adjust(Limit.deliveryRetryMsMax)
        }
        yield* unwell.unit.turn(process, 3)
        assert.deepStrictEqual(yield* shown(unwell.unit, process), yield* shown(well.unit, process))
        assert.isTrue([commits, signatures, checks].every(({ left }) => left < 0))
      }),
  )
})

describe("an attestation", () => {
  it.effect(
    "ends at the last slot of each batch of the scheduler, and each begins where the one before ended",
    () =>
      Effect.gen(function* () {
        const book = LogBook.make()
        const [a, b] = [yield* spawnIn(book), yield* spawnIn(book)]
        const live = yield* unitOver(book.service)
        for (const batch of [[a], [a, b, a, a, b], [b, b, b, b], [b, a, b, a]])
          book.write(
            ...(yield* Effect.forEach(batch, (process) =>
              Effect.map(say(process, "Add"), ([line]) => line!),
            )),
          )
        const late = yield* unitOver(book.service)
        for (const process of [a, b]) {
          const last = book.entries(process).length - 1
          const batchEnds = book
            .entries(process)
            .filter((entry, slot, all) => all[slot + 1]?.batch !== entry.batch)
            .map(({ assignment }) => assignment.slot)
          for (const { unit } of [live, late]) {
            yield* unit.turn(process, last)
            const seen: Array<number> = []
            let from = Attestation.origin
            while (from.slot < last) {
              const { attestation } = (yield* unit.attestation(process, from.slot + 1))!
              assert.deepStrictEqual(attestation.from, from)
              seen.push(attestation.to.slot)
              from = attestation.to
            }
            assert.deepStrictEqual(seen, batchEnds)
          }
          assert.deepStrictEqual(yield* shown(late.unit, process), yield* shown(live.unit, process))
        }
      }),
  )
})

describe("a log read in pages", () => {
  /** Two batches that together are longer than a page, which so ends in the middle of the second. */
  const long = Effect.fnUntraced(function* () {
    const book = LogBook.make()
    const process = yield* spawnIn(book)
    for (let batch = 0; batch < 2; batch++) {
      book.write(...(yield* UnitOver.sayMany(process, "Get", 700)))
    }
    return { book, process }
  })
  const ends = (unit: Unit, process: Id.ProcessId) =>
    Effect.forEach([0, 1, 701], (slot) =>
      Effect.map(unit.attestation(process, slot), (signed) => signed?.attestation.to.slot),
    )

  it.effect("is attested by whole batches, though a page ends within one", () =>
    Effect.gen(function* () {
      const { book, process } = yield* long()
      const { unit } = yield* unitOver(book.service)
      yield* unit.turn(process, 1_400)
      assert.deepStrictEqual(yield* ends(unit, process), [0, 700, 1_400])
    }),
  )

  it.effect("is attested by whole batches, though one came while the page was read", () =>
    Effect.gen(function* () {
      const { book, process } = yield* long()
      // The unit asks how far the log goes when it goes to slot 700, and reads a page that ends at slot 999.
      const behind = { process, nextSlot: 701, timestamp: LogBook.timestamp0 }
      const { unit } = yield* unitOver({
        ...book.service,
        nextBatch: Effect.succeed(2),
        processes: Effect.succeed([behind]),
      })
      yield* unit.turn(process, 1_400)
      assert.deepStrictEqual(yield* ends(unit, process), [0, 700, 1_400])
    }),
  )
})

describe("a log that grows faster than it is computed", () => {
  it.effect("is read no further while as much waits as may, and read to its end when that is done", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const probe = SandboxProbe.make()
      const held = StoreProbe.barrier()
      probe.before = ({ what }) => (what === "run" ? held.wait : Effect.void)
      let read = 0
      const { unit } = yield* unitOver(
        {
          ...book.service,
          batches: (from) =>
            Stream.tap(book.service.batches(from), (batch) =>
              Effect.sync(() => void (read += batch.entries.length)),
            ),
        },
        { sandbox: probe.sandbox, verifier: LocalScheduler.credulous },
      )
      // One message and its repeats, which are slots without a turn: it is their number that counts here.
      const [line] = yield* say(process, "Add")
      const batch = 512
      const batches = Limit.submitQueueMax / batch
      for (let i = 0; i < batches - 1; i++) book.write(...Array.from({ length: batch }, () => line!))
      yield* held.reached
      yield* SmallNode.until(
        "all is read",
        Effect.sync(() => read === Limit.submitQueueMax - batch),
      )
      // The spawn waits too: with these the bound is reached.
      book.write(...Array.from({ length: batch - 1 }, () => line!))
      yield* SmallNode.until(
        "the last is read",
        Effect.sync(() => read === Limit.submitQueueMax - 1),
      )
      for (let i = 0; i < 4; i++) book.write(...(yield* say(process, "Add")))
      yield* letRun
      assert.isAtMost(read, Limit.submitQueueMax)
      yield* held.open
      yield* SmallNode.until(
        "it is read to its end",
        Effect.sync(() => read === Limit.submitQueueMax + 3),
      )
      assert.isUndefined((yield* unit.progress(process)).parked)
    }),
  )
})

describe("an entry that is ahead of the unit's clock", () => {
  it.effect("is held until the clock is as near as clocks may differ, and those before it are not", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const [first, ahead, after] = yield* say(process, "Add", "Add", "Add")
      const at = 10 * Limit.clockAheadMsMax
      book.write(first!)
      book.write({ ...ahead!, timestamp: at })
      book.write({ ...after!, timestamp: at })
      const { unit } = yield* unitOver(book.service)
      yield* letRun
      assert.strictEqual((yield* unit.progress(process)).slots, 2)
      yield* TestClock.setTime(at - Limit.clockAheadMsMax - 1)
      yield* letRun
      assert.deepInclude(yield* unit.progress(process), { slots: 2, parked: undefined })
      yield* TestClock.adjust(1)
      yield* unit.turn(process, 3)
      assert.strictEqual((yield* unit.progress(process)).slots, 4)
    }),
  )
})

describe("a process that can't be followed", () => {
  const faults: Readonly<Record<string, (of: Assignment.Assignment) => Assignment.Assignment>> = {
    "it does not follow the head before it": (of) => ({ ...of, previous: hash("other") }),
    "slot 3 is missing": (of) => ({ ...of, slot: 4 }),
    "the item or its proof is not the one that was assigned": (of) => ({ ...of, entryHash: hash("other") }),
    "its timestamp is before the one before it": ({ head: _, ...of }) =>
      Assignment.make({ ...of, timestamp: 1 }),
    "its head does not follow from it": (of) => ({ ...of, head: hash("other") }),
  }
  for (const [words, bend] of Object.entries(faults))
    it.effect(`is parked by name, keeps what came before, and no other is held up: ${words}`, () =>
      Effect.gen(function* () {
        const book = LogBook.make()
        const [bad, good] = [yield* spawnIn(book), yield* spawnIn(book)]
        const live = yield* unitOver(book.service)
        book.write(...(yield* say(bad, "Add", "Add")))
        const [bent] = yield* say(bad, "Add")
        book.write({ ...bent!, bend })
        book.write(...(yield* say(bad, "Add")), ...(yield* say(good, "Add")))
        const late = yield* unitOver(book.service)
        for (const { unit } of [live, late]) {
          assert.include(yield* unit.parked(bad), words)
          yield* unit.turn(good, 1)
          assert.isUndefined((yield* unit.progress(good)).parked)
          yield* unit.turn(bad, 2)
          assert.strictEqual((yield* unit.progress(bad)).slots, 3)
          assert.deepInclude(yield* unit.query(bad, asked("Get")), { slot: 2, result: { value: "2" } })
        }
        book.write(...(yield* say(good, "Add")), ...(yield* say(bad, "Add")))
        yield* live.unit.turn(good, 2)
        assert.strictEqual((yield* live.unit.progress(bad)).slots, 3)
        assert.deepStrictEqual(yield* shown(late.unit, bad), yield* shown(live.unit, bad))
      }),
    )

  it.effect("is parked, and not computed, where its slot 0 is not its spawn", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const good = yield* spawnIn(book)
      const spawn = yield* Effect.promise(() => ada.spawn(Module.id(Bytes.empty), book.service.address))
      const message = yield* Effect.promise(() => ada.message(id("told"), "Add"))
      const bare = yield* Effect.orDie(
        SignedItem.sign(ada.signer, { tags: Message.protocolTags("Process"), data: Bytes.empty }),
      )
      const firsts = [
        [id("told"), message],
        [id("another"), spawn],
        [bare.id, bare],
      ] as const
      for (const [process, { bytes }] of firsts) {
        book.write({ process, item: bytes })
        book.write(...(yield* say(process, "Add")), ...(yield* say(good, "Add")))
      }
      const probe = SandboxProbe.make()
      const { unit } = yield* unitOver(book.service, { sandbox: probe.sandbox })
      for (const [process] of firsts) {
        assert.strictEqual(yield* unit.parked(process), "slot 0: slot 0 is not the spawn of this process")
        assert.deepInclude(yield* unit.progress(process), { slots: 0 })
        assert.isFalse(probe.asked.some((one) => one.process === process && one.what !== "close"))
        assert.strictEqual((yield* Effect.flip(unit.query(process, asked("Get"))))._tag, "ComputeUnknown")
      }
      yield* unit.turn(good, 3)
      assert.isUndefined((yield* unit.progress(good)).parked)
    }),
  )

  it.effect("is parked where its module is not there", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const module = id("no module")
      const item = yield* Effect.promise(() => ada.spawn(module, book.service.address))
      book.write({ process: item.id, item: item.bytes })
      const { unit } = yield* unitOver(book.service)
      assert.strictEqual(
        yield* unit.parked(item.id),
        `slot 0: module ${module} is not stored here; upload it and start again`,
      )
      assert.deepInclude(yield* unit.progress(item.id), { slots: 0 })
    }),
  )

  it.effect("is parked where its replay gives another root than the one attested", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const { unit, store, stop } = yield* unitOver(book.service)
      book.write(...(yield* say(process, "Add")))
      yield* unit.turn(process, 1)
      const kept = yield* shown(unit, process)
      yield* stop
      book.write(...(yield* say(process, "Add")))
      const inner = SandboxInline.make()
      const drifting: Sandbox["Service"] = {
        ...inner,
        run: (process, entries) =>
          Effect.map(inner.run(process, entries), (evaluated) =>
            evaluated.map((one) => (one.stateRoot ? { ...one, stateRoot: hash("drift") } : one)),
          ),
      }
      const again = yield* unitOver(book.service, { store, sandbox: drifting })
      assert.include(
        yield* again.unit.parked(process),
        "slot 1: replay gives another state root than the one attested",
      )
      assert.deepStrictEqual(yield* shown(again.unit, process), kept)
    }),
  )

  it.effect("is parked where the scheduler has lost what was computed", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const { unit, store, stop } = yield* unitOver(book.service)
      book.write(...(yield* say(process, "Add", "Add")))
      yield* unit.turn(process, 2)
      yield* stop
      const restored = LogBook.make()
      restored.write({ process, item: book.entries(process)[0]!.item })
      const again = yield* unitOver(restored.service, { store })
      const unknown = yield* Effect.flip(again.unit.query(process, asked("Get")))
      assert.deepInclude(unknown, { _tag: "ComputeUnknown", process })
      restored.write(...(yield* say(process, "Add", "Add", "Add")))
      assert.match(yield* again.unit.parked(process), /^slot \d/)
      assert.strictEqual((yield* again.unit.progress(process)).slots, 3)
    }),
  )

  it.effect("shows a query no state that was not committed, though its commit broke off", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const probe = StoreProbe.make()
      const { unit } = yield* unitOver(book.service, { store: probe.store })
      yield* unit.turn(process, 0)
      probe.before = () => Effect.die(new Error("a page of the store is damaged"))
      book.write(...(yield* say(process, "Add")))
      assert.strictEqual(yield* unit.parked(process), "a page of the store is damaged")
      assert.deepInclude(yield* unit.query(process, asked("Get")), { slot: 0, result: { value: "0" } })
    }),
  )
})

describe("a process that is lost in its sandbox", () => {
  /** A sandbox that loses a process as often as it is told to, before or after it ran. */
  const losing = (own: boolean) => {
    const inner = SandboxInline.make()
    const plan = { losses: 0 }
    const sandbox: Sandbox["Service"] = {
      ...inner,
      run: (process, entries) =>
        Effect.suspend(() => {
          if (plan.losses === 0) return inner.run(process, entries)
          const lost = Effect.fail(new SandboxLost({ process, detail: `loss ${plan.losses}`, own }))
          const ran = plan.losses-- % 2 === 0 ? Effect.asVoid(inner.run(process, entries)) : Effect.void
          return ran.pipe(Effect.andThen(inner.close(process)), Effect.andThen(lost))
        }),
    }
    return { sandbox, plan }
  }

  it.effect("is rebuilt from its log, with no turn lost and none done twice", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const { sandbox, plan } = losing(true)
      const [ill, well] = [yield* unitOver(book.service, { sandbox }), yield* unitOver(book.service)]
      for (let slot = 1; slot <= 4; slot++) {
        yield* ill.unit.turn(process, slot - 1)
        plan.losses = Limit.hostFaultsMax - 1
        book.write(...(yield* say(process, "Add")))
        yield* Effect.all([ill.unit.turn(process, slot), well.unit.turn(process, slot)])
      }
      assert.strictEqual(plan.losses, 0)
      assert.deepStrictEqual(yield* shown(ill.unit, process), yield* shown(well.unit, process))
    }),
  )

  it.effect("is parked by name when that keeps coming back, with its durable turns as they were", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const [process, other] = [yield* spawnIn(book), yield* spawnIn(book)]
      const { sandbox, plan } = losing(true)
      const { unit } = yield* unitOver(book.service, { sandbox })
      yield* Effect.all([unit.turn(process, 0), unit.turn(other, 0)])
      plan.losses = Limit.hostFaultsMax
      book.write(...(yield* say(process, "Add")))
      assert.include(yield* unit.parked(process), "lost: loss 1")
      book.write(...(yield* say(other, "Add")))
      yield* unit.turn(other, 1)
      assert.deepInclude(yield* unit.progress(other), { slots: 2, parked: undefined })
      assert.deepInclude(yield* unit.query(process, asked("Get")), { slot: 0, result: { value: "0" } })
    }),
  )

  it.effect("is never parked for the faults of its neighbours", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const { sandbox, plan } = losing(false)
      const { unit } = yield* unitOver(book.service, { sandbox })
      yield* unit.turn(process, 0)
      plan.losses = 3 * Limit.hostFaultsMax
      book.write(...(yield* say(process, "Add")))
      yield* unit.turn(process, 1)
      assert.deepInclude(yield* unit.progress(process), { slots: 2, parked: undefined })
    }),
  )

  it.effect("is not parked for a fault after commits that failed: each is counted by itself", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const probe = StoreProbe.make()
      const { sandbox, plan } = losing(true)
      const { unit } = yield* unitOver(book.service, { sandbox, store: probe.store })
      yield* unit.turn(process, 0)
      let failures = 0
      probe.before = () => {
        if (failures === Limit.hostFaultsMax) return Effect.void
        if (++failures === Limit.hostFaultsMax) plan.losses = 1
        return StoreProbe.full
      }
      book.write(...(yield* say(process, "Add")))
      for (let i = 0; i < 2 * Limit.hostFaultsMax; i++) {
        yield* letRun
        yield* TestClock.adjust(Limit.deliveryRetryMsMax)
      }
      yield* unit.turn(process, 1)
      assert.deepStrictEqual([failures, plan.losses], [Limit.hostFaultsMax, 0])
    }),
  )

  it.effect("answers a query though its thread dies over and over for a while", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const { sandbox, plan } = losing(true)
      const { unit } = yield* unitOver(book.service, { sandbox })
      yield* unit.turn(process, 0)
      yield* sandbox.close(process)
      plan.losses = Limit.hostFaultsMax - 2
      assert.deepInclude(yield* unit.query(process, asked("Get")), { slot: 0, result: { value: "0" } })
      assert.strictEqual(plan.losses, 0)
    }),
  )

  it.effect("is given all its chances again after a turn that went well", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      book.write(...(yield* say(process, "Add")))
      book.write(...(yield* say(process, "Add")))
      const inner = SandboxInline.make()
      // All three slots at once are lost as often as may be; then slot 0 goes well, and slot 1 is lost again.
      let losses = 2 * Limit.hostFaultsMax - 1
      const sandbox: Sandbox["Service"] = {
        ...inner,
        run: (process, entries) =>
          Effect.suspend(() =>
            entries.some(({ slot }) => slot === 1) && losses-- > 0
              ? Effect.fail(new SandboxLost({ process, detail: "it died", own: true }))
              : inner.run(process, entries),
          ),
      }
      const { unit } = yield* unitOver(book.service, { sandbox })
      yield* unit.turn(process, 2)
      assert.deepInclude(yield* unit.progress(process), { slots: 3, parked: undefined })
      assert.isBelow(losses, 0)
    }),
  )

  it.effect("answers a query all the same, from its log", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const inner = SandboxInline.make()
      const { unit } = yield* unitOver(book.service, { sandbox: inner })
      book.write(...(yield* say(process, "Add", "Add")))
      yield* unit.turn(process, 2)
      yield* inner.close(process)
      assert.deepInclude(yield* unit.query(process, asked("Get")), { slot: 2, result: { value: "2" } })
      book.write(...(yield* say(process, "Add")))
      assert.deepStrictEqual((yield* unit.turn(process, 3)).outcome.views, [{ name: "n", value: "3" }])
    }),
  )
})

describe("a unit that is started again", () => {
  it.effect(
    "goes on where it was: what was durable is there, what was not is computed, roots are the same",
    () =>
      Effect.gen(function* () {
        const book = LogBook.make()
        const process = yield* spawnIn(book)
        const whole = yield* unitOver(book.service)
        const store = StoreProbe.make().store
        for (let round = 1; round <= 4; round++) {
          const { unit, stop } = yield* unitOver(book.service, { store })
          yield* unit.turn(process, round - 1)
          if (round > 1) assert.deepInclude(yield* unit.query(process, asked("Get")), { slot: round - 1 })
          book.write(...(yield* say(process, round % 2 ? "Add" : "Later")))
          if (round % 2) yield* unit.turn(process, round)
          yield* stop
        }
        yield* whole.unit.turn(process, 4)
        const { unit } = yield* unitOver(book.service, { store })
        yield* unit.turn(process, 4)
        assert.deepStrictEqual(yield* shown(unit, process), yield* shown(whole.unit, process))
        assert.deepStrictEqual(yield* unit.view(process, "n"), { value: "2", slot: 3 })
      }),
  )
})

describe("what is asked of a unit", () => {
  it.effect("is told who is not known, and waits for what is not yet there", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      const process = yield* spawnIn(book)
      const { unit } = yield* unitOver(book.service)
      const unknown = yield* Effect.flip(unit.query(id("nobody"), asked("Get")))
      assert.deepInclude(unknown, { _tag: "ComputeUnknown", process: id("nobody") })
      assert.deepStrictEqual(yield* unit.progress(id("nobody")), {
        slots: 0,
        engine: undefined,
        parked: undefined,
      })
      const lines = yield* say(process, "Get", "Add")
      const message = Result.getOrThrow(Item.decode(lines[1]!.item)).id
      const waiting = [
        yield* Effect.forkChild(Effect.map(unit.turn(process, 2), ({ outcome }) => outcome.slot)),
        yield* Effect.forkChild(Effect.map(unit.reply(process, message), valueOf)),
        yield* Effect.forkChild(
          Stream.runCollect(Stream.take(unit.follow(process, 0), 3)).pipe(
            Effect.map((turns) => turns.length),
          ),
        ),
      ]
      for (const line of lines) book.write(line)
      assert.deepStrictEqual(yield* Effect.forEach(waiting, Fiber.join), [2, 1, 3])
    }),
  )

  it.effect("keeps code that loads under its id, and none that does not", () =>
    Effect.gen(function* () {
      const { unit, store } = yield* unitOver(LogBook.make().service)
      const source = Bytes.fromText("heddle.on('A', () => 1)")
      const module = yield* unit.addModule(source)
      assert.strictEqual(module, Module.id(source))
      assert.deepStrictEqual(Module.get(store, module), source)
      const broken = Bytes.fromText("heddle.on('A'")
      assert.deepInclude(yield* Effect.flip(unit.addModule(broken)), { _tag: "ModuleInvalid", line: 1 })
      assert.isUndefined(Module.get(store, Module.id(broken)))
    }),
  )
})

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { ComputeUnit } from "../../compute-unit/ComputeUnit.ts"
import * as ComputeUnitRemote from "../../compute-unit/ComputeUnitRemote.ts"
import * as ComputeUnitServer from "../../compute-unit/ComputeUnitServer.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import { Network } from "../../runtime/Network.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as SchedulerUnitRemote from "../../scheduler-unit/SchedulerUnitRemote.ts"
import * as SchedulerUnitServer from "../../scheduler-unit/SchedulerUnitServer.ts"
import * as Caller from "../support/Caller.ts"
import * as Line from "../support/Line.ts"
import * as LogBook from "../support/LogBook.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as UnitOver from "../support/UnitOver.ts"
import { id } from "../support/Unsigned.ts"

const { ada } = UnitOver
const quiet = Effect.provideService(References.MinimumLogLevel, "None")

/** A scheduler as a reader elsewhere has it. */
const schedulerOver = Effect.fnUntraced(function* (
  scheduler: SchedulerUnit["Service"],
  join: (address: Id.Address) => Network["Service"],
) {
  yield* SchedulerUnitServer.make.pipe(
    Effect.provideService(SchedulerUnit, scheduler),
    Effect.provideService(Network, join(scheduler.address)),
  )
  return yield* SchedulerUnitRemote.make(scheduler.address).pipe(
    Effect.provideService(Network, join(id("unit elsewhere"))),
    Effect.provideService(Verifier, VerifierLocal.make()),
  )
})

describe("a compute unit away from its scheduler", () => {
  for (const line of [Line.good, Line.bad(3)])
    it.effect(`comes to the same roots as one beside it, ${line.name}`, () =>
      Effect.gen(function* () {
        const node = yield* SmallNode.make()
        yield* Line.timeGoesOn
        const scheduler = yield* schedulerOver(node.scheduler, yield* line.join)
        // What was there before it came, and what comes after.
        const process = yield* SmallNode.spawn(node, ada, UnitOver.guest)
        for (let n = 0; n < 3; n++) yield* SmallNode.send(node, ada, process, "Add")
        const { unit } = yield* UnitOver.make(scheduler, { signer: Caller.caller("unit elsewhere").signer })
        for (let n = 0; n < 6; n++) yield* SmallNode.send(node, ada, process, "Add")
        yield* Effect.all([node.compute.turn(process, 9), unit.turn(process, 9)])
        assert.notStrictEqual(unit.address, node.compute.address)
        assert.deepStrictEqual(
          yield* UnitOver.shown(unit, process),
          yield* UnitOver.shown(node.compute, process),
        )
      }).pipe(quiet),
    )

  it.effect("asks again for a batch that can't be believed, and goes on once it can", () =>
    Effect.gen(function* () {
      const book = LogBook.make()
      let lies = 3
      const lying: SchedulerUnit["Service"] = {
        ...book.service,
        batches: (from) =>
          Stream.map(book.service.batches(from), (batch) => {
            const lied = batch.link.number === 2 && lies-- > 0
            const { link } = batch
            return lied
              ? { ...batch, link: { ...link, signature: link.signature.with(9, 1 ^ link.signature[9]!) } }
              : batch
          }),
      }
      const scheduler = yield* schedulerOver(lying, yield* Line.good.join)
      yield* Line.timeGoesOn
      const { unit } = yield* UnitOver.make(scheduler)
      const process = yield* UnitOver.spawn(book)
      // By then it is past what it takes from the log, and follows.
      yield* unit.turn(process, 0)
      const lines = yield* UnitOver.say(process, "Add", "Add", "Add")
      for (const one of lines) book.write(one)
      const { outcome } = yield* unit.turn(process, 3)
      assert.deepInclude(outcome.replies[0], { value: "3" })
      assert.isBelow(lies, 1, "it met the lie each time")
    }).pipe(quiet),
  )
})

describe("what a compute unit elsewhere says", () => {
  it.effect(
    "is asked for again where it is not what it should be: an engine, a turn, a page of a stream",
    () =>
      Effect.gen(function* () {
        const { compute, ...node } = yield* SmallNode.make()
        const process = yield* SmallNode.spawn(node, ada, UnitOver.guest)
        yield* SmallNode.send(node, ada, process, "Add")
        const { outcome } = yield* compute.turn(process, 1)
        const lied = new Set<string>()
        const once = <A>(name: string, lie: A, truth: A): A => {
          if (lied.has(name)) return truth
          lied.add(name)
          return lie
        }
        const lying: ComputeUnit["Service"] = {
          ...compute,
          engineBytes: (engine) =>
            Effect.suspend(() =>
              once("engine", Effect.succeed(Bytes.fromText("engine")), compute.engineBytes(engine)),
            ),
          turn: (of, slot) => Effect.suspend(() => once("turn", compute.turn(of, 0), compute.turn(of, slot))),
          turns: (of, from, limit) =>
            Effect.suspend(() =>
              once("turns", compute.turns(of, from + 1, limit), compute.turns(of, from, limit)),
            ),
          reply: (of, message) =>
            Effect.suspend(() =>
              once("reply", Effect.succeed({ to: id("x"), value: "7" }), compute.reply(of, message)),
            ),
          follow: (of, from) =>
            Stream.suspend(() => once("follow", compute.follow(of, 1), compute.follow(of, from))),
        }
        const join = yield* Line.good.join
        yield* ComputeUnitServer.make.pipe(
          Effect.provideService(ComputeUnit, lying),
          Effect.provideService(Network, join(compute.address)),
        )
        const unit = yield* ComputeUnitRemote.make(compute.address).pipe(
          Effect.provideService(Network, join(id("reader"))),
        )
        yield* Line.timeGoesOn
        assert.isAbove((yield* unit.engineBytes(unit.engine))!.length, 1_000)
        assert.strictEqual((yield* unit.turn(process, 1)).outcome.slot, 1)
        assert.strictEqual((yield* unit.turns(process, 0, 10)).length, 2)
        assert.deepInclude(yield* unit.reply(process, outcome.message), { value: "1" })
        const first = yield* Stream.runHead(unit.follow(process, 0))
        assert.strictEqual(Option.getOrThrow(first).outcome.slot, 0)
        assert.strictEqual(lied.size, 5)
      }).pipe(quiet),
  )
})

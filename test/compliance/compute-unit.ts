/** What every `ComputeUnit` must do, in the process of its log or away from it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ComputeUnit } from "../../compute-unit/ComputeUnit.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Module from "../../runtime/Module.ts"
import { alike } from "../support/Alike.ts"
import * as Caller from "../support/Caller.ts"
import * as Line from "../support/Line.ts"
import * as LogBook from "../support/LogBook.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as UnitOver from "../support/UnitOver.ts"
import { hash, id } from "../support/Unsigned.ts"

type Unit = ComputeUnit["Service"]

const { ada, asked } = UnitOver
const nobody = id("nobody")

/** `make` puts the unit under test before a local one, or gives that. */
export const computeSuite = (
  name: string,
  make: (local: Unit) => Effect.Effect<Unit, never, Scope.Scope>,
): void => {
  const run = <E>(
    body: (unit: Unit, node: SmallNode.SmallNode) => Effect.Effect<void, E, Scope.Scope>,
    residentBytesMax?: number,
  ) =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make({}, residentBytesMax)
      yield* Line.timeGoesOn
      yield* body(yield* make(node.compute), node)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

  const spawn = (node: SmallNode.SmallNode) => SmallNode.spawn(node, ada, UnitOver.guest)
  const say = (node: SmallNode.SmallNode, process: Id.ProcessId, action: string, tags = {}) =>
    SmallNode.send(node, ada, process, action, tags)

  describe(`ComputeUnit: ${name}`, () => {
    it.effect("names itself and its engine, whose bytes it has", () =>
      run((unit, node) =>
        Effect.gen(function* () {
          const { compute } = node
          assert.strictEqual(unit.address, compute.address)
          assert.deepStrictEqual(alike(unit.engine), alike(compute.engine))
          // It is kept with the first turn that it ran.
          yield* unit.turn(yield* spawn(node), 0)
          const bytes = yield* unit.engineBytes(unit.engine)
          assert.deepStrictEqual(alike(Hash.sha256(bytes!)), alike(unit.engine))
          assert.isUndefined(yield* unit.engineBytes(hash("engine")))
        }),
      ),
    )

    it.effect("keeps a module that loads, and says where one does not", () =>
      run((unit) =>
        Effect.gen(function* () {
          const source = Bytes.fromText(UnitOver.guest)
          assert.strictEqual(yield* unit.addModule(source), Module.id(source))
          const broken = yield* Effect.flip(unit.addModule(Bytes.fromText("let a = 1\nlet = 2 ?")))
          assert.deepInclude(broken, { _tag: "ModuleInvalid", line: 2 })
          const large = yield* Effect.flip(unit.addModule(new Uint8Array(Limit.moduleBytesMax + 1)))
          assert.include(large.message, String(Limit.moduleBytesMax))
        }),
      ),
    )

    it.effect("has the turns of a log, their replies, views, attestations and what left with them", () =>
      run((unit, node) =>
        Effect.gen(function* () {
          const { compute } = node
          const [process, other] = [yield* spawn(node), yield* spawn(node)]
          const waiting = yield* Effect.forkChild(unit.turn(process, 2))
          const add = yield* say(node, process, "Add")
          yield* say(node, process, "Tell", { To: other })
          const fail = yield* say(node, process, "Fail")
          assert.strictEqual((yield* Fiber.join(waiting)).outcome.slot, 2)
          yield* unit.turn(process, fail.slot)
          yield* unit.turn(other, 1)

          assert.deepInclude(yield* unit.reply(process, add.id), { to: add.id, value: "1" })
          const turns = yield* unit.turns(process, 0, 100)
          assert.deepStrictEqual(
            turns.map(({ outcome }) => outcome.slot),
            [0, 1, 2, 3],
          )
          assert.deepStrictEqual(turns[1]!.trace.console, [["log", "now 1"]])
          assert.strictEqual(turns[2]!.outcome.outbox.length, 1)
          assert.deepStrictEqual(alike(turns), alike(yield* compute.turns(process, 0, 100)))
          assert.deepStrictEqual(alike(yield* unit.turns(process, 1, 2)), alike(turns.slice(1, 3)))
          assert.deepStrictEqual(yield* unit.turns(process, 4, 2), [])
          assert.deepStrictEqual(yield* unit.turns(nobody, 0, 2), [])

          assert.deepStrictEqual(yield* unit.view(process, "n"), { value: "1", slot: 1 })
          assert.isUndefined(yield* unit.view(process, "no such"))
          for (const view of ["n", "no such"])
            assert.deepStrictEqual(
              alike(yield* unit.viewProof(process, view)),
              alike(yield* compute.viewProof(process, view)),
            )
          assert.deepStrictEqual(yield* unit.query(process, asked("Get")), {
            ...(yield* compute.query(process, asked("Get"))),
            result: { value: "2" },
          })
          assert.deepInclude(yield* Effect.flip(unit.query(nobody, asked("Get"))), {
            _tag: "ComputeUnknown",
            process: nobody,
          })
          assert.deepInclude(yield* Effect.flip(unit.viewProof(nobody, "n")), { _tag: "ComputeUnknown" })

          for (const { outcome } of turns)
            assert.deepStrictEqual(
              alike(yield* unit.attestation(process, outcome.slot)),
              alike(yield* compute.attestation(process, outcome.slot)),
            )
          assert.isUndefined(yield* unit.attestation(process, 4))
          assert.deepStrictEqual(
            alike(yield* unit.progress(process)),
            alike(yield* compute.progress(process)),
          )
          assert.deepInclude(yield* unit.progress(nobody), { slots: 0 })

          const end = yield* compute.nextCommit
          assert.strictEqual(yield* unit.nextCommit, end)
          const all = <A>(of: Stream.Stream<A>) =>
            Effect.map(Stream.runCollect(Stream.take(of, end)), (found) => [...found])
          const commits = yield* all(unit.commits(0))
          assert.deepStrictEqual(alike(commits), alike(yield* all(compute.commits(0))))
          const releases = yield* all(unit.releases(0))
          assert.deepStrictEqual(alike(releases), alike(yield* all(compute.releases(0))))
          assert.strictEqual(releases.flatMap(({ emitted }) => emitted).length, 1)
        }),
      ),
    )

    it.effect("hands each turn to each follower once and in order, also while they come", () =>
      run((unit, node) =>
        Effect.gen(function* () {
          const process = yield* spawn(node)
          const follow = (from: number, count: number) =>
            Effect.forkChild(Stream.runCollect(Stream.take(unit.follow(process, from), count)))
          const early = yield* follow(0, 9)
          for (let n = 0; n < 4; n++) yield* say(node, process, "Add")
          const later = yield* follow(3, 6)
          for (let n = 4; n < 8; n++) yield* say(node, process, "Add")
          const slots = (turns: Iterable<{ readonly outcome: { readonly slot: number } }>) =>
            [...turns].map(({ outcome }) => outcome.slot)
          assert.deepStrictEqual(slots(yield* Fiber.join(early)), [0, 1, 2, 3, 4, 5, 6, 7, 8])
          assert.deepStrictEqual(slots(yield* Fiber.join(later)), [3, 4, 5, 6, 7, 8])
        }),
      ),
    )

    it.effect("has snapshots of what was evicted, by their hash", () =>
      run(
        (unit, node) =>
          Effect.gen(function* () {
            const process = yield* spawn(node)
            yield* say(node, process, "Add")
            yield* unit.turn(process, 1)
            yield* SmallNode.until(
              "a snapshot is taken",
              Effect.map(unit.snapshots(process), ({ length }) => length > 0),
            )
            const [info] = yield* unit.snapshots(process)
            const bytes = yield* unit.snapshot(process, info!.slot)
            assert.deepStrictEqual(alike(Hash.sha256(bytes!)), alike(info!.sha256))
            assert.isUndefined(yield* unit.snapshot(process, 99))
            assert.deepStrictEqual(yield* unit.snapshots(nobody), [])
          }),
        0,
      ),
    )

    it.effect("says when it stops following a process, and why", () =>
      Effect.gen(function* () {
        const book = LogBook.make()
        const { unit: local } = yield* UnitOver.make(book.service)
        yield* Line.timeGoesOn
        const unit = yield* make(local)
        const process = yield* UnitOver.spawn(book)
        const parked = yield* Effect.forkChild(unit.parked(process))
        yield* unit.turn(process, 0)
        const [line] = yield* UnitOver.say(process, "Add")
        book.write({ ...line!, bend: (one) => ({ ...one, head: hash("wrong") }) })
        const why = yield* Fiber.join(parked)
        assert.strictEqual(why, yield* local.parked(process))
        assert.deepInclude(yield* unit.progress(process), { slots: 1, parked: why })
        assert.isUndefined(yield* unit.equivocation(process))
      }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
    )

    it.effect("shows what its scheduler signed twice", () =>
      Effect.gen(function* () {
        const signer = Caller.caller("lying scheduler").signer
        const [one, two] = [LogBook.make(signer), LogBook.make(signer)]
        const { unit: local } = yield* UnitOver.make({
          ...one.service,
          batches: (from) => Stream.concat(Stream.take(one.service.batches(from), 2), two.service.batches(1)),
        })
        yield* Line.timeGoesOn
        const unit = yield* make(local)
        const process = yield* UnitOver.spawn(one)
        yield* unit.turn(process, 0)
        two.write({ process, item: one.entries(process)[0]!.item })
        for (const line of yield* UnitOver.say(process, "Add")) one.write(line)
        yield* unit.turn(process, 1)
        for (const line of yield* UnitOver.say(process, "Get")) two.write(line)
        assert.match(yield* unit.parked(process), /^scheduler equivocated: /)
        const found = yield* unit.equivocation(process)
        assert.isDefined(found)
        assert.deepStrictEqual(alike(found), alike(yield* local.equivocation(process)))
      }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
    )
  })
}

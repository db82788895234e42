/** A node whose processes believe two compute units: the policy changes while messages are on their way. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { ComputeUnit, Emitted } from "../../compute-unit/ComputeUnit.ts"
import * as Audit from "../../compute-unit/Audit.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Client from "../../messenger-unit/Client.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as UnitOver from "../support/UnitOver.ts"

const ada = Caller.caller("ada")
const bob = Caller.caller("bob")
const other = Caller.caller("another unit")
const [unit1, unit2] = [SmallNode.identity.address, other.identity.address]

/** What a unit attests of the message that `source` emitted as its n-th. */
const release = (unit: ComputeUnit["Service"], source: Id.ProcessId, pair: number) =>
  unit.releases(0).pipe(
    Stream.flatMap(({ emitted }) => Stream.fromIterable(emitted)),
    Stream.filter((one) => one.source === source && one.entry.pair === pair),
    Stream.runHead,
    Effect.map((found) => {
      if (found._tag === "None") throw new Error("it was not emitted")
      return found.value
    }),
  )

const merged = (...of: ReadonlyArray<Emitted>) =>
  OutboxProof.encode(
    Result.getOrThrow(OutboxProof.merge(of.map(({ proof }) => Result.getOrThrow(OutboxProof.decode(proof))))),
  )

const change = (
  node: SmallNode.SmallNode,
  process: Id.ProcessId,
  by: Caller.Caller,
  policy: { readonly units: ReadonlyArray<Id.Address>; readonly quorum?: number },
) =>
  Effect.provideService(
    Client.changeAuthority(process, policy, { as: by.identity }),
    MessengerUnit,
    node.messenger,
  )

/** Two units over one scheduler, and two processes of which one tells the other. */
const begun = Effect.fnUntraced(function* (residentBytesMax?: number) {
  const store = StoreMemory.make()
  const { node, stop } = yield* SmallNode.open({ store }, residentBytesMax)
  const seams = SmallNode.seams({ signer: other.signer })
  yield* Effect.orDie(seams.store.commit([Module.put(Bytes.fromText(UnitOver.guest))]))
  const second = yield* SmallNode.compute(node.scheduler, seams)
  const source = yield* SmallNode.spawn(node, bob, UnitOver.guest, { Name: "source" })
  const target = yield* SmallNode.spawn(node, ada, UnitOver.guest, { Name: "target" })
  const tell = Effect.asVoid(SmallNode.ask(node, bob, source, "Tell", { To: target }))
  return { store, node, stop, second, source, target, tell }
})

const held = (node: SmallNode.SmallNode) =>
  Effect.map(node.messenger.outbox, (all) => all.map(({ reason }) => reason))

describe("a change of whom a process believes", () => {
  it.effect(
    "counts from the slot after it, for the scheduler and for each unit, and outlives a restart",
    () =>
      Effect.gen(function* () {
        const { store, node, stop, second, source, target, tell } = yield* begun()
        assert.deepStrictEqual(yield* node.messenger.authority(target), {
          units: [unit1],
          quorum: 1,
          since: 0,
        })
        yield* tell
        yield* SmallNode.until("the first is there", isAt(node, target, 2))

        const changed = yield* change(node, target, ada, { units: [unit1, unit2], quorum: 2 })
        assert.deepInclude(changed, { slot: 2, units: [unit1, unit2], quorum: 2, since: 3 })
        yield* tell
        yield* SmallNode.until(
          "it is held",
          Effect.map(held(node), (all) => all.length === 1 && all[0]!.startsWith("not attested")),
        )
        const [one, two] = [yield* release(node.compute, source, 2), yield* release(second, source, 2)]
        for (const { proof } of [one, two]) {
          const refused = yield* Effect.flip(node.scheduler.submit(one.entry.item, proof))
          assert.strictEqual(refused.reason, "not attested")
        }
        const accepted = yield* node.scheduler.submit(one.entry.item, merged(one, two))
        assert.strictEqual(accepted.slot, 3)
        yield* node.compute.turn(target, 3)
        yield* second.turn(target, 3)
        assert.strictEqual((yield* node.messenger.view(target, "n"))?.value, "2")
        assert.deepStrictEqual(
          yield* UnitOver.shown(second, target),
          yield* UnitOver.shown(node.compute, target),
        )
        const audited = yield* Audit.run(node.messenger, SandboxInline.make(), target, {
          verifier: VerifierLocal.make(),
        })
        assert.isUndefined(audited.finding)

        yield* stop
        const again = yield* SmallNode.open({ store })
        assert.deepStrictEqual(yield* again.node.messenger.authority(target), {
          units: [unit1, unit2],
          quorum: 2,
          since: 3,
        })
        yield* SmallNode.ask(again.node, bob, source, "Tell", { To: target })
        const third = yield* release(again.node.compute, source, 3)
        const refused = yield* Effect.flip(again.node.scheduler.submit(third.entry.item, third.proof))
        assert.strictEqual(refused.reason, "not attested")
        yield* again.stop
      }),
  )

  it.effect("is known to who audits from a snapshot after it", () =>
    Effect.gen(function* () {
      // With no memory to be had, each process is written down when it has nothing to do.
      const { node, stop, second, source, target, tell } = yield* begun(0)
      yield* change(node, target, ada, { units: [unit2] })
      yield* SmallNode.until(
        "its snapshot",
        Effect.map(node.messenger.snapshots(target), (all) => all.at(-1)?.slot === 1),
      )
      yield* tell
      const { entry, proof } = yield* release(second, source, 1)
      yield* node.scheduler.submit(entry.item, proof)
      assert.isUndefined((yield* node.messenger.turn(target, 2)).outcome.error)
      const verifier = VerifierLocal.make()
      const audit = Audit.run(node.messenger, SandboxInline.make(), target, { verifier }, () => {}, 1)
      assert.deepInclude(yield* audit, { finding: undefined, from: 2, slots: 1, inadmissible: 0 })
      yield* stop
    }),
  )

  it.effect("is the owner's to make, and is refused where it is no policy", () =>
    Effect.gen(function* () {
      const { node, stop, target } = yield* begun()
      const fails = (by: Caller.Caller, units: ReadonlyArray<Id.Address>, quorum?: number) =>
        Effect.flip(change(node, target, by, quorum === undefined ? { units } : { units, quorum }))
      assert.deepInclude(yield* fails(bob, [unit1]), { _tag: "NotOwner", owner: ada.identity.address })
      for (const [units, quorum] of [
        [[], undefined],
        [[unit1, unit2], 1],
        [[unit1, unit1], 2],
      ] as const)
        assert.deepInclude(yield* fails(ada, units, quorum), { _tag: "Refused", reason: "bad authority" })
      // Whoever does not go by the client is refused by the scheduler.
      for (const by of [ada, bob]) {
        const tags = [["Authority", by === ada ? "committee 2/3" : unit1]] as const
        const refused = yield* Effect.flip(SmallNode.send(node, by, target, "Authority", tags))
        assert.deepInclude(refused, { _tag: "Refused", reason: "bad authority" })
      }
      assert.strictEqual((yield* node.messenger.process(target)).slots, 1)
      assert.strictEqual((yield* node.messenger.authority(target)).since, 0)
      assert.strictEqual(
        (yield* Effect.flip(node.messenger.authority(ada.identity.address)))._tag,
        "LogUnknown",
      )
      yield* stop
    }),
  )

  it.effect("is answered to whoever asks for it, without a turn of the program", () =>
    Effect.gen(function* () {
      const { node, stop, target } = yield* begun()
      const answer = yield* SmallNode.ask(node, ada, target, "Authority", [["Authority", unit2]])
      assert.isNull(answer)
      const { outcome } = yield* node.messenger.turn(target, 1)
      assert.deepInclude(outcome, { error: undefined, fuelUsed: 0n })
      yield* stop
    }),
  )
})

const isAt = (node: SmallNode.SmallNode, process: Id.ProcessId, slots: number) =>
  Effect.map(node.messenger.process(process), ({ computed }) => computed >= slots)

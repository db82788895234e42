import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as SignedItem from "../../identity/SignedItem.ts"
import * as Client from "../../messenger-unit/Client.ts"
import { MessengerUnit, Unreachable } from "../../messenger-unit/MessengerUnit.ts"
import type * as QuorumAsk from "../../messenger-unit/QuorumAsk.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import * as Line from "../support/Line.ts"
import * as SecondUnit from "../support/SecondUnit.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as UnitOver from "../support/UnitOver.ts"

const { ada } = UnitOver

/** Answers in a later turn, and in the same. */
const guest = `
  let n = 0
  heddle.on("Add", () => ++n)
  heddle.on("Later", async () => { await heddle.sleep("1s"); return "later" })
  heddle.on("Fail", () => { throw new RangeError("not this") })`

/** A node whose process names its own unit and that of a second node. */
const two = Effect.gen(function* () {
  const node = yield* SmallNode.make()
  yield* Line.timeGoesOn
  const second = yield* SecondUnit.make(node.scheduler, "second", [guest])
  const module = yield* SmallNode.upload(node, guest)
  const item = yield* SignedItem.sign(ada.signer, {
    tags: [
      ...Message.protocolTags("Process"),
      { name: "Module", value: module },
      { name: "Scheduler", value: node.scheduler.address },
      { name: "Compute", value: node.compute.address },
      { name: "Compute", value: second.compute.address },
      // Its timers carry the word of its own node's unit alone.
      { name: "Authority", value: node.compute.address },
    ],
    data: Bytes.empty,
  })
  const { process } = yield* node.messenger.send(item.bytes)
  return { node, second, process }
})

const peer = (messenger: MessengerUnit["Service"], name = "second"): QuorumAsk.Node => ({ name, messenger })

const ask = (
  { messenger }: SmallNode.SmallNode,
  process: Id.ProcessId,
  action: string,
  units: number,
  ...peers: ReadonlyArray<QuorumAsk.Node>
) =>
  Client.askUnits(process, action, { as: ada.identity, quorum: { units, peers } }).pipe(
    Effect.provideService(MessengerUnit, messenger),
  )

describe("an ask of two units", () => {
  it.effect("is answered once both have attested the answer, in the turn of the message or a later one", () =>
    Effect.gen(function* () {
      const { node, second, process } = yield* two
      const added = yield* ask(node, process, "Add", 2, peer(second.messenger))
      assert.strictEqual(added.value, "1")
      assert.deepStrictEqual(new Set(added.units), new Set([node.compute.address, second.compute.address]))
      const later = yield* ask(node, process, "Later", 2, peer(second.messenger))
      assert.strictEqual(later.value, '"later"')
      assert.isAbove(later.attested.slot, later.accepted.slot)
      const failed = yield* Effect.flip(ask(node, process, "Fail", 2, peer(second.messenger)))
      assert.deepInclude(failed, { _tag: "AskFailed", reason: "threw" })
    }),
  )

  it.effect("waits for the second one, and is not answered by the first alone", () =>
    Effect.gen(function* () {
      const { node, second, process } = yield* two
      let open = false
      let asked = 0
      const late: MessengerUnit["Service"] = {
        ...second.messenger,
        attestation: (of, slot) =>
          Effect.suspend(() => (asked++, open ? second.messenger.attestation(of, slot) : Effect.undefined)),
      }
      const asking = yield* Effect.forkChild(ask(node, process, "Add", 2, peer(late)))
      yield* SmallNode.until(
        "it was asked for",
        Effect.sync(() => asked > 3),
      )
      assert.strictEqual(asking.pollUnsafe(), undefined)
      open = true
      assert.strictEqual((yield* Fiber.join(asking)).value, "1")
    }),
  )

  it.effect("has the attested answer, though the node that was asked says another", () =>
    Effect.gen(function* () {
      const { node, second, process } = yield* two
      const lying: SmallNode.SmallNode = {
        ...node,
        messenger: {
          ...node.messenger,
          ask: (item) =>
            Effect.map(node.messenger.ask(item), (asked) => ({ ...asked, result: { value: "1000" } })),
        },
      }
      assert.strictEqual((yield* ask(lying, process, "Add", 2, peer(second.messenger))).value, "1")
    }),
  )

  it.effect("says how many there are, and what was wrong with the others", () =>
    Effect.gen(function* () {
      const { node, second, process } = yield* two
      const down: MessengerUnit["Service"] = {
        ...second.messenger,
        attestation: () => Effect.fail(new Unreachable({ url: "http://second", detail: "it is off" })),
      }
      const missing = yield* Effect.flip(ask(node, process, "Add", 2, peer(down)))
      assert.deepInclude(missing, { _tag: "QuorumMissing", have: [node.compute.address], want: 2 })
      assert.include(missing.message, "it is off")
      const alone = yield* Effect.flip(ask(node, process, "Add", 2))
      assert.deepInclude(alone, { _tag: "QuorumMissing", have: [node.compute.address] })
      const never: MessengerUnit["Service"] = { ...second.messenger, attestation: () => Effect.undefined }
      const waited = yield* Effect.flip(ask(node, process, "Add", 2, peer(never)))
      assert.include(waited.message, "second has attested nothing of it yet")
    }),
  )

  it.effect("tells of a unit that attests something else, with what both signed", () =>
    Effect.gen(function* () {
      const { node, process } = yield* two
      const liar = yield* SecondUnit.make(
        node.scheduler,
        "second",
        [guest],
        SecondUnit.runningInstead(guest.replace("++n", "n += 2")),
      )
      const differ = yield* Effect.flip(ask(node, process, "Add", 2, peer(liar.messenger)))
      assert.strictEqual(differ._tag, "UnitsDiffer")
      if (differ._tag !== "UnitsDiffer") return
      assert.deepStrictEqual(new Set(differ.units), new Set([node.compute.address, liar.compute.address]))
      assert.notStrictEqual(
        Bytes.toHex(differ.first.attestation.to.stateRoot),
        Bytes.toHex(differ.second.attestation.to.stateRoot),
      )
      assert.isBelow(Limit.quorumPollMs, Limit.quorumWaitMsMax)
    }),
  )
})

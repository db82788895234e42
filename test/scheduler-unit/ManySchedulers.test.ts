/** A data folder with a process whose first slots another scheduler gave. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Claim from "../../identity/Claim.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import * as Address from "../../runtime/Address.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as AssignmentLogStore from "../../scheduler-unit/AssignmentLogStore.ts"
import type { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "../support/Caller.ts"
import * as HandedOver from "../support/HandedOver.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"

type Scheduler = SchedulerUnit["Service"]

const ada = Caller.caller("ada")
const signers = {
  first: SignerLocal.make(Caller.caller("first scheduler").identity),
  second: SignerLocal.make(Caller.caller("second scheduler").identity),
}

const logOn = (store: Store["Service"]) => Effect.provideService(AssignmentLogStore.make, Store, store)

const spawn = Effect.fnUntraced(function* (scheduler: Scheduler) {
  const item = yield* Effect.promise(() => ada.spawn(LocalScheduler.module, scheduler.address))
  return yield* scheduler.submit(item.bytes, Bytes.empty)
})

const say = (scheduler: Scheduler, process: Id.ProcessId) =>
  Effect.flatMap(
    Effect.promise(() => ada.message(process, "Say")),
    ({ bytes }) => scheduler.submit(bytes, Bytes.empty),
  )

/** A process of three slots at the first scheduler, in batches that have another process too. */
const made = Effect.gen(function* () {
  const store = StoreMemory.make()
  const first = yield* LocalScheduler.start({ store, signer: signers.first })
  const { process } = yield* spawn(first)
  for (let n = 0; n < 2; n++) yield* Effect.all([say(first, process), spawn(first)], { concurrency: 2 })
  const handedOver = HandedOver.of(yield* logOn(store), process)
  return { first, process, handedOver }
})

/** Who signed a receipt that holds. */
const signedBy = ({ link, ...rest }: Batch.Receipt): Id.Address => {
  const { signatureType, owner, signature } = link
  const type = SignatureType.find(signatureType)!
  assert.isTrue(Batch.receiptHolds({ link, ...rest }))
  assert.isTrue(
    Claim.holds({ type, owner, context: "heddle/batch/1", bytes: Batch.signingBytes(link), signature }),
  )
  return Address.of(owner).text
}

describe("a scheduler that took a process over", () => {
  it.effect("shows every slot with the receipt of whoever gave it, also after it was started again", () =>
    Effect.gen(function* () {
      const { first, process, handedOver } = yield* made
      const store = StoreMemory.make()
      yield* (yield* logOn(store)).adopt(handedOver.slots, handedOver.states, signers.second.address)
      const second = yield* LocalScheduler.start({ store, signer: signers.second })
      assert.strictEqual(yield* second.nextBatch, 0)
      // Its own batch 0 beside the other's.
      const own = yield* spawn(second)
      for (const scheduler of [second, yield* LocalScheduler.start({ store, signer: signers.second })]) {
        const entries = yield* scheduler.log(process, 0, 10)
        assert.deepStrictEqual(entries, yield* first.log(process, 0, 10))
        assert.strictEqual(entries.length, 3)
        for (const { assignment } of entries) {
          const receipt = yield* scheduler.receipt(process, assignment.slot)
          assert.strictEqual(signedBy(receipt), first.address)
          assert.deepStrictEqual(receipt, yield* first.receipt(process, assignment.slot))
        }
        const receipt = yield* scheduler.receipt(own.process, 0)
        assert.strictEqual(receipt.link.number, 0)
        assert.strictEqual(signedBy(receipt), second.address)
        assert.strictEqual(yield* scheduler.nextBatch, 1)
        assert.include(
          (yield* scheduler.processes).map((head) => head.process),
          process,
        )
      }
    }).pipe(Effect.scoped),
  )

  it.effect("gives no batch number that its key gave elsewhere, so far as its folder shows", () =>
    Effect.gen(function* () {
      const { handedOver } = yield* made
      const store = StoreMemory.make()
      yield* (yield* logOn(store)).adopt(handedOver.slots, handedOver.states, signers.second.address)
      // The key comes back on an empty folder, and there to what it signed before.
      const first = yield* LocalScheduler.start({ store, signer: signers.first })
      const refused = yield* Effect.flip(spawn(first))
      assert.deepInclude(refused, { _tag: "Refused", reason: "not restored" })
      assert.include(refused.detail, `batch ${handedOver.slots.at(-1)!.link.number} elsewhere`)
      assert.strictEqual(yield* first.nextBatch, 0)
    }).pipe(Effect.scoped),
  )
})

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SignedItem from "../../identity/SignedItem.ts"
import * as Admission from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import { Store } from "../../runtime/Store.ts"
import * as StoreLmdb from "../../runtime/StoreLmdb.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as AssignmentLogStore from "../../scheduler-unit/AssignmentLogStore.ts"
import * as Sequencer from "../../scheduler-unit/Sequencer.ts"
import { assignmentLogSuite, type Bench } from "../compliance/assignment-log.ts"
import * as StoreFaulty from "../simulation/StoreFaulty.ts"
import * as Caller from "../support/Caller.ts"
import * as Folder from "../support/Folder.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import * as Unsigned from "../support/Unsigned.ts"

const bench = (of: Store["Service"]): Bench => {
  const { store, fail } = StoreFaulty.bend(of)
  return { open: Effect.provideService(AssignmentLogStore.make, Store, store), fail }
}

assignmentLogSuite(
  "on the store in memory",
  Effect.sync(() => bench(StoreMemory.make())),
)
assignmentLogSuite("on LMDB", Effect.map(Effect.flatMap(Folder.make, StoreLmdb.make), bench))

describe("AssignmentLogStore", () => {
  it.effect("writes a public key once, however many messages its owner sends", () =>
    Effect.gen(function* () {
      const { store, committed } = StoreFaulty.bend(StoreMemory.make())
      const scheduler = yield* LocalScheduler.start({ store })
      const ada = Caller.caller("ada")
      const spawn = yield* Effect.promise(() =>
        ada.spawn(LocalScheduler.module, LocalScheduler.identity.address),
      )
      yield* scheduler.submit(spawn.bytes, Bytes.empty)
      const sizes: Array<number> = []
      for (let n = 0; n < 3; n++) {
        const item = yield* SignedItem.sign(ada.signer, {
          target: Id.toBytes(spawn.id),
          tags: Message.protocolTags("Message"),
          data: Bytes.u8(n),
        })
        yield* scheduler.submit(item.bytes, Bytes.empty)
        const puts = committed.at(-1)!
        sizes.push(puts.filter(({ value }) => value !== undefined && holds(value, ada.identity.owner)).length)
      }
      assert.deepStrictEqual(sizes, [0, 0, 0])
      const all = committed
        .flat()
        .filter(({ value }) => value !== undefined && holds(value, ada.identity.owner))
      assert.strictEqual(all.length, 1)
    }),
  )

  it.effect(
    "gives a batch that was just made out of memory, and reads one that is larger than may stay there",
    () =>
      Effect.gen(function* () {
        const inner = StoreMemory.make()
        let reads = 0
        const store: Store["Service"] = {
          ...inner,
          get: (key) => (reads++, inner.get(key)),
          range: (range) => (reads++, inner.range(range)),
        }
        const log = yield* Effect.provideService(AssignmentLogStore.make, Store, store)
        const item = Unsigned.spawn({
          owner: "owner",
          anchor: "anchor",
          tags: [["Authority", Unsigned.id("unit")]],
        })
        const readsOf = Effect.fnUntraced(function* (number: number, proofBytes: number) {
          const { assigned, states } = Sequencer.step(
            Unsigned.id("Scheduler"),
            () => Admission.emptyLog,
            [
              {
                message: item,
                voucher: { signed: true },
                proof: new Uint8Array(proofBytes),
                repeatKey: Message.repeatKey(item),
                contentHash: Item.contentHash(item.item),
                seen: undefined,
              },
            ],
            1,
          )
          const { submission, assignment } = assigned[0]!
          const { repeatKey, contentHash, proof } = submission
          const entry = {
            assignment,
            batch: number,
            index: 0,
            item: item.item.bytes,
            proof,
            repeatKey,
            contentHash,
          }
          const hash = Unsigned.hash("hash")
          const link = {
            number,
            previousRoot: hash,
            root: hash,
            signatureType: 1065,
            owner: hash,
            signature: hash,
          }
          yield* log.append(link, [entry], states)
          const before = reads
          assert.strictEqual(log.batch(number)?.entries[0]?.proof.length, proofBytes)
          assert.strictEqual(log.batchFrom(number)?.link.number, number)
          return reads - before
        })
        assert.strictEqual(yield* readsOf(0, Limit.recentCommitBytesMax - 8_192), 0)
        assert.isAbove(yield* readsOf(1, Limit.recentCommitBytesMax), 0)
      }),
  )
})

/** Whether `owner` stands in `value` as it is. */
function holds(value: Uint8Array, owner: Uint8Array): boolean {
  return Bytes.view(value).includes(Bytes.view(owner))
}

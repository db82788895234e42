import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sightings from "../../compute-unit/Sightings.ts"
import type { Signer } from "../../identity/Signer.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Batch from "../../runtime/Batch.ts"
import type { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Caller from "../support/Caller.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import { hash, id } from "../support/Unsigned.ts"

/** The slots of a process in a chain whose entries from `fork` on are other ones. */
const chain = (fork = Infinity, process = id("process")): ReadonlyArray<Assignment.Assignment> => {
  const made: Array<Assignment.Assignment> = []
  for (let slot = 0; slot < 6; slot++)
    made.push(
      Assignment.make({
        process,
        term: 0,
        slot,
        timestamp: slot,
        entryHash: hash(`entry ${slot}${slot >= fork ? " forked" : ""}`),
        previous: made.at(-1)?.head ?? Assignment.emptyHead,
      }),
    )
  return made
}

const stranger = Caller.caller("another scheduler").signer

const batch = (number: number, ...assignments: ReadonlyArray<Assignment.Assignment>) =>
  batchOf(LocalScheduler.signer, number, ...assignments)
const batchOf = (
  signer: Signer["Service"],
  number: number,
  ...assignments: ReadonlyArray<Assignment.Assignment>
) => {
  const { root } = Batch.tree(assignments)
  const link = { number, previousRoot: hash(`root ${number - 1}`), root }
  const signature = Effect.runSync(Effect.orDie(signer.sign("heddle/batch/1", Batch.signingBytes(link))))
  const signed = { ...link, signatureType: signer.type.number, owner: signer.owner, signature }
  return Sightings.receiptsOf(signed, assignments)
}

const honest = chain()
const forked = chain(3)
const other = chain(Infinity, id("other"))

/** What comes of batches one after the other, each in a unit that was started again. */
const seen = (...batches: ReadonlyArray<ReadonlyArray<Batch.Receipt>>) => {
  const store = StoreMemory.make()
  const found = batches.map((receipts) => comes(store, receipts))
  return { found, kept: Sightings.make(store, LocalScheduler.identity.address) }
}

/** What comes of a batch in a unit that follows a scheduler. */
const comes = (
  store: Store["Service"],
  receipts: ReadonlyArray<Batch.Receipt>,
  scheduler = LocalScheduler.identity.address,
) => {
  const { puts, found } = Sightings.make(store, scheduler).sight(receipts)
  Effect.runSync(Effect.orDie(store.commit(puts)))
  return found.map(({ process, equivocation }) => [process, equivocation.kind] as const)
}

describe("what a unit has seen its scheduler sign", () => {
  it("contradicts nothing where the log is one chain, in however many batches, also when it comes again", () => {
    const [a, b] = [batch(0, honest[0]!, other[0]!), batch(1, honest[1]!, honest[2]!)]
    const { found, kept } = seen(a, b, a, b, batch(2, honest[3]!), batch(3, honest[2]!))
    assert.deepStrictEqual(found.flat(), [])
    assert.deepStrictEqual(kept.equivocations(), [])
  })

  it("is held against a slot that is given again, the one after it and the one before it", () => {
    const begun = batch(0, ...honest.slice(0, 4))
    for (const lie of [batch(1, forked[3]!), batch(1, forked[4]!)]) {
      const { found, kept } = seen(begun, lie)
      assert.deepStrictEqual(found, [[], [[id("process"), "slot"]]])
      const proof = kept.equivocation(id("process"))!
      assert.isDefined(Batch.equivocation(proof.first, proof.second))
      assert.match(Sightings.reason(proof), /^scheduler equivocated: it signed two heads of slot 3$/)
      assert.isUndefined(kept.equivocation(id("other")))
    }
    const { found } = seen(batch(0, honest[4]!), batch(1, forked[3]!))
    assert.deepStrictEqual(found.flat(), [[id("process"), "slot"]])
  })

  it("is held against two leaves of one batch", () => {
    const { found } = seen(batch(0, honest[3]!, forked[3]!))
    assert.deepStrictEqual(found.flat(), [[id("process"), "slot"]])
  })

  it("is held against a batch number that is given again, for every process in it", () => {
    const { found, kept } = seen(batch(4, honest[0]!), batch(4, honest[1]!, other[0]!))
    assert.deepStrictEqual(found[1], [
      [id("process"), "batch"],
      [id("other"), "batch"],
    ])
    assert.strictEqual(
      Sightings.reason(kept.equivocation(id("other"))!),
      "scheduler equivocated: it signed batch 4 twice",
    )
  })

  it("stays as it was when something contradicts it", () => {
    const { found } = seen(
      batch(0, honest[3]!),
      batch(1, forked[3]!),
      batch(2, honest[4]!),
      batch(3, forked[4]!),
    )
    assert.deepStrictEqual(
      found.map(({ length }) => length),
      [0, 1, 0, 1],
    )
  })

  it("is another's where two schedulers sign: no equivocation of one with the other", () => {
    const store = StoreMemory.make()
    const [one, two] = [batch(0, ...honest.slice(0, 4)), batchOf(stranger, 0, ...forked.slice(0, 4))]
    assert.deepStrictEqual(comes(store, one), [])
    assert.deepStrictEqual(comes(store, two, stranger.address), [])
    // Both are remembered, each beside equal slots and numbers of the other.
    assert.deepStrictEqual(comes(store, batch(1, forked[3]!)), [[id("process"), "slot"]])
    assert.deepStrictEqual(comes(store, batchOf(stranger, 1, honest[3]!), stranger.address), [
      [id("process"), "slot"],
    ])
  })

  it("is held against what the scheduler of before has signed, in whose time the log began", () => {
    const store = StoreMemory.make()
    comes(store, batch(0, ...honest.slice(0, 4)))
    assert.deepStrictEqual(comes(store, batch(0, honest[3]!), stranger.address), [[id("process"), "batch"]])
  })

  it("accuses nobody by a key that it was not told to follow", () => {
    const { found, kept } = seen(
      batchOf(stranger, 0, ...honest.slice(0, 4)),
      batchOf(stranger, 1, forked[3]!),
      [...batchOf(stranger, 2, honest[4]!), ...batchOf(stranger, 3, forked[4]!)],
    )
    assert.deepStrictEqual(found.flat(), [])
    assert.deepStrictEqual(kept.equivocations(), [])
  })
})

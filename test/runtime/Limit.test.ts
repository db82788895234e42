import { assert, describe, it } from "@effect/vitest"
import * as Limit from "../../runtime/Limit.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"

describe("Limit", () => {
  it("is a positive whole number, each", () => {
    const all = Object.entries(Limit)
    assert.isAbove(all.length, 50)
    for (const [name, limit] of all) {
      assert.isTrue(typeof limit === "bigint" || Number.isSafeInteger(limit), name)
      assert.isTrue(limit > 0, name)
    }
  })

  it("lets a batch be a tree, hold the largest item with its proof, and be one page of a log", () => {
    assert.strictEqual(Limit.assignmentsPerBatchMax, Merkle.leavesMax)
    assert.isAtMost(Limit.assignmentsPerCommitMax, Limit.assignmentsPerBatchMax)
    assert.isAtMost(Limit.assignmentsPerCommitMax, Limit.logPageMax)
    assert.isAtMost(Limit.itemBytesMax + Limit.proofBytesMax, Limit.batchBytesMax)
    assert.isAtMost(Limit.batchBytesMax, Limit.flushBytesMax)
    assert.isBelow(Limit.batchBytesMax, Limit.frameBytesMax)
  })

  it("lets a proof carry a witness of the largest keys as often as it may carry one", () => {
    const { ownerBytes, signatureBytes } = SignatureType.mlDsa87
    const witness = 2 + Merkle.pathBytes + 2 + 4 + ownerBytes + 4 + signatureBytes
    assert.isAtMost(1_335 + Limit.witnessesPerProofMax * witness, Limit.proofBytesMax)
  })

  it("lets an item carry the largest signature, keys and tags", () => {
    const { ownerBytes, signatureBytes } = SignatureType.batch87
    assert.isBelow(2 + signatureBytes + ownerBytes + 66 + 16 + Limit.tagsBytesMax, Limit.itemBytesMax)
  })

  it("lets a turn hold what its message refers to twice, and the archive take it", () => {
    const memory = (Limit.memoryPagesDefault - Limit.memoryPagesMin) * 65_536
    assert.isBelow(2 * Limit.referencedBytesMax, memory)
    assert.isAtMost(Limit.referencedBytesMax, Limit.archiveContentBytesMax)
    assert.isBelow(Limit.inlineDataBytesMax, Limit.referencedBytesMax)
    for (const limit of [
      Limit.unreferencedBytesMax,
      Limit.dataCacheBytesMax,
      Limit.dataInFlightBytesMax,
      Limit.requestBytesInFlightMax,
      Limit.responseBytesInFlightMax,
    ])
      assert.isAtLeast(limit, Limit.referencedBytesMax)
  })

  it("has defaults between its least and its most", () => {
    const between = (min: bigint | number, some: bigint | number, max: bigint | number) =>
      assert.isTrue(min <= some && some <= max, `${min} <= ${some} <= ${max}`)
    between(Limit.fuelPerTurnMin, Limit.fuelPerTurnDefault, Limit.fuelPerTurnMax)
    between(Limit.memoryPagesMin, Limit.memoryPagesDefault, Limit.memoryPagesMax)
    between(Limit.cronIntervalMsMin, 60_000, Limit.cronIntervalMsMax)
    between(Limit.deliveryRetryMsMin, 1_000, Limit.deliveryRetryMsMax)
  })
})

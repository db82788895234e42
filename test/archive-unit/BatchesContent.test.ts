import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as BatchesContent from "../../archive-unit/BatchesContent.ts"
import * as Content from "../../archive-unit/Content.ts"
import * as ContentChecks from "../../archive-unit/ContentChecks.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"
import type { CommittedBatch } from "../../scheduler-unit/SchedulerUnit.ts"
import { anyBatches, batchesOf, line, scheduler } from "./Arbitraries.ts"

const verifier = VerifierLocal.make()
const check = (bytes: Uint8Array) =>
  ContentChecks.batches(scheduler.address, bytes).pipe(
    Effect.provideService(Verifier, verifier),
    Effect.result,
    Effect.runSync,
  )

const why = (result: Result.Result<unknown, { readonly reason: string }>) =>
  Result.isFailure(result) ? result.failure.reason : undefined

const [text, short] = [Bytes.fromText, batchesOf(0, [[line(Bytes.fromText("an item"))]])]
const small = Result.getOrThrow(BatchesContent.encode(short))

describe("BatchesContent", () => {
  it("reads what it wrote, whatever is in the batches", () => {
    let ran = 0
    fc.assert(
      fc.property(anyBatches, (batches) => {
        const bytes = Result.getOrThrow(BatchesContent.encode(batches))
        assert.deepEqual(Result.getOrThrow(BatchesContent.decode(bytes)), batches)
        assert.deepEqual(Result.getOrThrow(check(bytes)), batches)
        const most = batches.reduce((sum, batch) => sum + BatchesContent.batchBytes(batch), 0)
        assert.isAtMost(bytes.length, BatchesContent.headBytesMax + most)
        ran += 1
      }),
      { numRuns: 60 },
    )
    assert.strictEqual(ran, 60)
  })

  it("names the slots of each process", () => {
    const [ada, bob] = [
      line(text("a")),
      line(text("b"), batchesOf(0, [[line(text("c"))]])[0]!.entries[0]!.assignment.process),
    ]
    const other = { ...bob, process: "x".repeat(42).concat("A") as typeof bob.process } // 32 bytes, canonical
    const batches = batchesOf(5, [[ada, other, ada], [ada]])
    assert.deepStrictEqual(BatchesContent.slots(batches), [
      { process: ada.process, first: 5, last: 7 },
      { process: other.process, first: 5, last: 5 },
    ])
  })

  it("detects every bit that is another", () => {
    let ran = 0
    for (let bit = 0; bit < small.length * 8; bit++) {
      const bent = small.slice()
      bent[bit >> 3]! ^= 1 << (bit & 7)
      assert.isTrue(Result.isFailure(check(bent)), `bit ${bit}`)
      ran += 1
    }
    assert.strictEqual(ran, small.length * 8)
    assert.isAbove(ran, 30_000)
  })

  it("refuses a content that ends early, wherever it does", () => {
    const whole = Result.getOrThrow(
      BatchesContent.encode(batchesOf(3, [[line(text("one")), line(text("two"))], [line(text("three"))]])),
    )
    let ran = 0
    for (let length = 0; length < whole.length; length++) {
      assert.strictEqual(
        why(BatchesContent.decode(whole.subarray(0, length))),
        "truncated",
        `${length} bytes`,
      )
      ran += 1
    }
    assert.strictEqual(ran, whole.length)
    assert.isAbove(ran, 6_000)
  })

  it("names the batch whose signature is another", () => {
    const batches = batchesOf(3, [[line(text("one"))], [line(text("two"))], [line(text("three"))]])
    const { link, entries } = batches[1]!
    const bent = [
      batches[0]!,
      { link: { ...link, signature: batches[0]!.link.signature }, entries },
      batches[2]!,
    ]
    const refused = check(Result.getOrThrow(BatchesContent.encode(bent)))
    assert.deepInclude(Result.isFailure(refused) ? refused.failure : {}, {
      _tag: "ContentRefused",
      type: "Batches",
      reason: "bad signature",
      number: 4,
    })
  })

  it("writes nothing that would not read back", () => {
    const [one, two] = batchesOf(3, [[line(text("one"))], [line(text("two"))]])
    const link = (of: CommittedBatch, change: Partial<CommittedBatch["link"]>): CommittedBatch => ({
      ...of,
      link: { ...of.link, ...change },
    })
    const entry = (of: CommittedBatch, change: object): CommittedBatch => ({
      ...of,
      entries: of.entries.map((each) => ({ ...each, ...change })),
    })
    const cases: ReadonlyArray<readonly [ReadonlyArray<CommittedBatch>, string]> = [
      [[], "not canonical"],
      [[link(one!, { signatureType: 2_044 })], "not canonical"],
      [[link(one!, { owner: one!.link.owner.slice(1) })], "not canonical"],
      [[link(one!, { signature: one!.link.signature.slice(1) })], "not canonical"],
      [[link(short[0]!, { previousRoot: one!.link.root })], "not canonical"],
      [[one!, link(two!, { owner: two!.link.owner.with(0, 0).with(1, 0) })], "not canonical"],
      [[one!, one!], "not canonical"],
      [[two!, one!], "not canonical"],
      [[one!, link(two!, { previousRoot: two!.link.root })], "other root"],
      [[{ ...one!, entries: [] }], "not canonical"],
      [[link(one!, { root: two!.link.root })], "other root"],
      [[entry(one!, { item: text("another") })], "other root"],
      [[entry(one!, { index: 1 })], "other root"],
      [[entry(one!, { batch: 4 })], "other root"],
      [[entry(one!, { assignment: { ...one!.entries[0]!.assignment, head: two!.link.root } })], "other root"],
    ]
    for (const [batches, reason] of cases) assert.strictEqual(why(BatchesContent.encode(batches)), reason)
    assert.isUndefined(why(BatchesContent.encode([one!, two!])))
  })

  it("takes as many bytes as there may be, and not one more", { timeout: 60_000 }, () => {
    const without = Result.getOrThrow(BatchesContent.encode(batchesOf(0, [[line(Bytes.empty)]]))).length
    const most = Content.bytesMax.Batches - without
    const encode = (bytes: number) => BatchesContent.encode(batchesOf(0, [[line(new Uint8Array(bytes))]]))
    const bytes = Result.getOrThrow(encode(most))
    assert.strictEqual(bytes.length, Limit.archiveContentBytesMax)
    assert.isTrue(Result.isSuccess(BatchesContent.decode(bytes)))
    assert.strictEqual(why(encode(most + 1)), "too large")
    assert.strictEqual(why(BatchesContent.decode(new Uint8Array(Content.bytesMax.Batches + 1))), "too large")
  })

  it("takes as many entries in a batch as a tree has places, and not one more", { timeout: 60_000 }, () => {
    const many = Array.from({ length: Limit.assignmentsPerBatchMax }, () => line(Bytes.empty))
    const [full] = batchesOf(0, [many])
    const bytes = Result.getOrThrow(BatchesContent.encode([full!]))
    const [read] = Result.getOrThrow(BatchesContent.decode(bytes))
    assert.strictEqual(read!.entries.length, Limit.assignmentsPerBatchMax)
    assert.deepStrictEqual(read!.link.root, full!.link.root)
    const over = { ...full!, entries: [...full!.entries, full!.entries[0]!] }
    assert.strictEqual(why(BatchesContent.encode([over])), "not canonical")
  })
})

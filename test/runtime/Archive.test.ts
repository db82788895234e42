import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Archive from "../../runtime/Archive.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"
import { piece, tagged } from "../compliance/archive.ts"

describe("Archive", () => {
  it("lets a bundle have as many bytes and pieces as may be, and not one more", () => {
    const bundle = Archive.bundle([piece("one", [])])
    const bytes = (length: number) => Archive.refusal({ ...bundle, bytes: new Uint8Array(length) })?.reason
    assert.isUndefined(bytes(Limit.archiveBundleBytesMax))
    assert.strictEqual(bytes(Limit.archiveBundleBytesMax + 1), "too large")
    const pieces = (count: number) =>
      Archive.refusal({ ...bundle, pieces: Array.from({ length: count }, () => bundle.pieces[0]!) })?.reason
    assert.isUndefined(pieces(Limit.archivePiecesMax))
    assert.strictEqual(pieces(Limit.archivePiecesMax + 1), "too many pieces")
  })

  it("lets the largest piece ride in an item, and the largest bundle in a transaction", () => {
    const carrier = 2 + 512 + 512 + 2 + 16 + Limit.tagsBytesMax
    assert.isAtMost(Limit.archivePieceBytesMax + carrier, Limit.itemBytesMax)
    assert.isAtMost(
      Limit.archiveBundleBytesMax + Limit.archivePiecesMax * carrier,
      Limit.archiveTransactionBytesMax,
    )
    assert.isBelow(Limit.gatewayRetryMsMax, Limit.gatewayAnswerMsMax)
  })

  it("reads the bundle that it has made, and no other bytes", () => {
    const made = Archive.bundle([piece("one", []), piece("two", [])])
    const read = Result.getOrThrow(Archive.readBundle(made.bytes))
    assert.deepStrictEqual(read, made)
    assert.isTrue(Result.isFailure(Archive.readBundle(made.bytes.subarray(1))))
    assert.isTrue(Result.isFailure(Archive.readBundle(Bytes.empty)))
  })

  it("matches a piece that has one of the values of each tag, in whatever place", () => {
    const { tags } = piece("one", [
      ["Process", "p"],
      ["Process", "q"],
    ])
    const matches = (...wanted: ReadonlyArray<ReturnType<typeof tagged>>) =>
      Archive.matches({ tags: wanted }, tags)
    assert.isTrue(matches())
    assert.isTrue(matches(tagged("Process", "x", "q"), tagged("Data-Protocol", "heddle")))
    assert.isFalse(matches(tagged("Process", "p"), tagged("Data-Protocol", "ao")))
    assert.isFalse(matches(tagged("process", "p")))
    assert.isFalse(matches(tagged("Process")))
  })
})

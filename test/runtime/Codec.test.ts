import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as FastCheck from "fast-check"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Codec from "../../runtime/Codec.ts"
import { hash, id } from "../support/Unsigned.ts"

const all = Codec.struct({
  u16: Codec.u16,
  u64: Codec.u64,
  count: Codec.count,
  hash: Codec.hash,
  id: Codec.id,
  block: Codec.block,
  text: Codec.text,
  word: Codec.word(["one", "two"]),
  maybe: Codec.optional(Codec.text),
  none: Codec.nullable(Codec.u32),
  list: Codec.list(Codec.pair(Codec.text, Codec.boolean), 3),
  three: Codec.exactly(Codec.u16, 3),
  result: Codec.result(Codec.u16, Codec.text),
})

const value: Codec.Of<typeof all> = {
  u16: 65_535,
  u64: 2n ** 64n - 1n,
  count: Number.MAX_SAFE_INTEGER,
  hash: hash("a"),
  id: id("b"),
  block: Bytes.fromText("bytes"),
  text: "é",
  word: "two",
  maybe: undefined,
  none: 7,
  list: [
    ["x", true],
    ["y", false],
  ],
  three: [1, 2, 3],
  result: Result.fail("why"),
}

const why = <A>(of: Codec.Codec<A>, bytes: Uint8Array): string => {
  const read = Codec.decode(of, bytes)
  return Result.isFailure(read) ? read.failure : "it is a value"
}

describe("a codec", () => {
  it("reads what it wrote", () => {
    assert.deepStrictEqual(Codec.decode(all, Codec.encode(all, value)), Result.succeed(value))
  })

  it("refuses every cut and whatever follows", () => {
    const bytes = Codec.encode(all, value)
    for (let end = 0; end < bytes.length; end++)
      assert.strictEqual(why(all, bytes.subarray(0, end)), "the bytes end early")
    assert.strictEqual(why(all, Bytes.concat([bytes, Bytes.u8(0)])), "1 bytes follow the value")
  })

  it("says what is wrong with a value that is none", () => {
    assert.include(why(Codec.word(["one", "two"]), Bytes.u8(2)), "no place among 2 words")
    assert.include(why(Codec.text, Bytes.block(Uint8Array.of(0xff))), "not UTF-8")
    assert.include(why(Codec.count, Bytes.u64(2n ** 53n)), "over 2^53 - 1")
    assert.include(why(Codec.boolean, Bytes.u8(2)), "no place")
  })

  it("takes a list of as many as it may have, and not one more", () => {
    const list = Codec.list(Codec.u16, 2)
    assert.strictEqual(why(list, Codec.encode(list, [1, 2])), "it is a value")
    assert.include(why(list, Codec.encode(list, [1, 2, 3])), "at most 2 are allowed")
  })

  it("believes no count that its bytes do not reach", () => {
    const long = Codec.list(Codec.hash, 0xffff_ffff)
    assert.strictEqual(why(long, Bytes.concat([Bytes.u32(0xffff_fff0), hash("a")])), "the bytes end early")
    const deep = Codec.list(Codec.struct({ a: Codec.hash, b: Codec.list(Codec.hash, 9) }), 0xffff_ffff)
    assert.strictEqual(deep.bytesMin, 4)
    assert.strictEqual(
      why(deep, Bytes.concat([Bytes.u32(4), new Uint8Array(36 * 4 - 1)])),
      "the bytes end early",
    )
  })

  it("makes a value or a reason of any bytes", () => {
    let reasons = 0
    FastCheck.assert(
      FastCheck.property(FastCheck.uint8Array({ maxLength: 400 }), (bytes) => {
        if (Result.isFailure(Codec.decode(all, bytes))) reasons += 1
      }),
      { numRuns: 2_000 },
    )
    assert.isAbove(reasons, 1_000)
  })
})

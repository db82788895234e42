import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Tag from "../../runtime/Tag.ts"

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 })
const tags = fc.array(fc.record({ name: text, value: text }), { maxLength: 20 })

const refusal = (bytes: ReadonlyArray<number>, count: number): string =>
  Result.match(Tag.decode(Uint8Array.from(bytes), count), {
    onFailure: (detail) => detail,
    onSuccess: (found) => `read ${found.length}`,
  })

const many = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `n${i}`, value: "v" }))

/** One tag whose encoding takes exactly `length` bytes. */
const filling = (length: number) => {
  // count 1 | name length 1 | name 1 | value length 2 | value | end 1
  return [{ name: "n", value: "v".repeat(length - 6) }]
}

describe("Tag", () => {
  it("comes back as written, in order, repeated names too", () => {
    fc.assert(
      fc.property(tags, (written) => {
        const bytes = Result.getOrThrow(Tag.encode(written))
        assert.deepStrictEqual(Result.getOrThrow(Tag.decode(bytes, written.length)), written)
      }),
    )
  })

  it("writes avro's bytes: one block, zigzag varints, a closing zero", () => {
    const bytes = Result.getOrThrow(Tag.encode([{ name: "ab", value: "é" }]))
    assert.deepStrictEqual([...bytes], [2, 4, 0x61, 0x62, 4, 0xc3, 0xa9, 0])
    const long = Result.getOrThrow(Tag.encode([{ name: "a", value: "b".repeat(64) }]))
    assert.deepStrictEqual([...long.subarray(0, 5)], [2, 2, 0x61, 0x80, 0x01])
    assert.strictEqual(Result.getOrThrow(Tag.encode([])).length, 0)
  })

  it("takes 128 tags and not 129, written or read", () => {
    const bytes = Result.getOrThrow(Tag.encode(many(Limit.tagsMax)))
    assert.strictEqual(Result.getOrThrow(Tag.decode(bytes, Limit.tagsMax)).length, Limit.tagsMax)
    assert.isTrue(Result.isFailure(Tag.encode(many(Limit.tagsMax + 1))))
    const one = [2, 0x61, 2, 0x62]
    const block = [0x82, 0x02, ...Array.from({ length: 129 }, () => one).flat(), 0]
    assert.strictEqual(refusal(block, 129), "129 tags; at most 128 are allowed")
  })

  it("takes 4,096 bytes and not 4,097, written or read", () => {
    const at = filling(Limit.tagsBytesMax)
    const bytes = Result.getOrThrow(Tag.encode(at))
    assert.strictEqual(bytes.length, Limit.tagsBytesMax)
    assert.deepStrictEqual(Result.getOrThrow(Tag.decode(bytes, 1)), at)
    assert.isTrue(Result.isFailure(Tag.encode(filling(Limit.tagsBytesMax + 1))))
    const over = Bytes.concat([
      Uint8Array.of(2, 2, 0x6e),
      Uint8Array.of(0xf6, 0x3f),
      new Uint8Array(4_091).fill(0x76),
      Bytes.u8(0),
    ])
    assert.strictEqual(over.length, Limit.tagsBytesMax + 1)
    assert.strictEqual(refusal([...over], 1), "tags take 4097 bytes; at most 4096 are allowed")
  })

  it("does not write an empty name or value, or text that is not Unicode", () => {
    for (const [name, value] of [
      ["", "v"],
      ["n", ""],
      ["\ud800", "v"],
      ["n", "a\udc00"],
    ] as const)
      assert.isTrue(Result.isFailure(Tag.encode([{ name, value }])))
  })

  it("refuses each other spelling of the same tags", () => {
    const a = [2, 0x61, 2, 0x62]
    assert.strictEqual(refusal([2, ...a, 0], 1), "read 1")
    assert.strictEqual(refusal([2, ...a, 2, ...a, 0], 2), "2 tags announced, 1 there")
    assert.strictEqual(refusal([2, ...a, 2, ...a, 0], 1), "tags are split into several blocks")
    assert.strictEqual(refusal([1, 8, ...a, 0], 1), "a count or length is negative")
    assert.strictEqual(refusal([0x82, 0, ...a, 0], 1), "a varint is padded")
    assert.strictEqual(refusal([2, 0x82, 0, 0x61, 2, 0x62, 0], 1), "a varint is padded")
    assert.strictEqual(refusal([2, 0xff, 0xff, 0xff, 0xff, 0x7f, 0], 1), "a varint is too long")
    assert.strictEqual(refusal([2, ...a, 0, 0], 1), "1 bytes follow the tags")
    assert.strictEqual(refusal([2, 0, 2, 0x62, 0], 1), "a tag has an empty name or value")
    assert.strictEqual(refusal([2, 2, 0xff, 2, 0x62, 0], 1), "a tag is not UTF-8")
    assert.strictEqual(refusal([], 1), "1 tags announced, none there")
    assert.strictEqual(refusal([2, ...a, 0], 0), "no tags announced, 6 bytes there")
    for (const none of [[0], [0, 0]]) assert.match(refusal(none, 0), /^no tags announced/)
  })

  it("refuses tags that are cut off anywhere", () => {
    const bytes = Result.getOrThrow(Tag.encode([{ name: "name", value: "value" }]))
    for (let length = 1; length < bytes.length; length++)
      assert.strictEqual(refusal([...bytes.subarray(0, length)], 1), "tags end early")
  })

  it("finds the first value of a name", () => {
    const some = [
      { name: "Action", value: "one" },
      { name: "Action", value: "two" },
    ]
    assert.strictEqual(Tag.value(some, "Action"), "one")
    assert.strictEqual(Tag.value(some, "action"), undefined)
  })
})

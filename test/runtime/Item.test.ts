import { sha384 } from "@noble/hashes/sha2.js"
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"

const type = SignatureType.ed25519
const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte)
const field = fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }), { nil: undefined })
const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 })

const fields = fc.record({
  target: field,
  anchor: field,
  tags: fc.array(fc.record({ name: text, value: text }), { maxLength: 8 }),
  data: fc.uint8Array({ maxLength: 100 }),
})

const make = (
  some: Partial<Parameters<typeof Item.content>[0]> = {},
  signature: Uint8Array = filled(64, 1),
) =>
  Result.flatMap(
    Item.content({ type, owner: filled(32, 2), tags: [], data: Bytes.empty, ...some }),
    (content) => Item.encode(content, signature),
  )

const reason = <A>(result: Result.Result<A, Item.ItemInvalid>): string =>
  Result.match(result, { onFailure: (error) => error.reason, onSuccess: () => "read" })

const sample = Result.getOrThrow(
  make({
    target: filled(32, 3),
    anchor: filled(32, 4),
    tags: [
      { name: "Action", value: "Transfer" },
      { name: "Quantity", value: "12" },
    ],
    data: Bytes.fromText("some data"),
  }),
)

describe("Item", () => {
  it("comes back as written, of every signature type", () => {
    const types = [1, 2, 3, 1044, 1065, 1087, 2044, 2065, 2087, 3001].map((number) =>
      SignatureType.find(number)!,
    )
    let count = 0
    for (const type of types)
      fc.assert(
        fc.property(fields, (some) => {
          const owner = filled(type.ownerBytes, 5)
          const written = Result.getOrThrow(make({ ...some, type, owner }, filled(type.signatureBytes, 6)))
          const read = Result.getOrThrow(Item.decode(written.bytes))
          assert.strictEqual(read.id, written.id)
          assert.deepStrictEqual(read.tags, some.tags)
          assert.deepStrictEqual([...read.target], [...(some.target ?? [])])
          assert.deepStrictEqual([...read.anchor], [...(some.anchor ?? [])])
          assert.deepStrictEqual([...read.data], [...some.data])
          assert.isTrue(Bytes.equal(read.signature, filled(type.signatureBytes, 6)))
          assert.isTrue(Bytes.equal(Item.signingHash(read), Item.signingHash(written)))
          assert.isTrue(
            Bytes.equal(Result.getOrThrow(Item.encode(read, read.signature)).bytes, written.bytes),
          )
          count += 1
        }),
        { numRuns: 20 },
      )
    assert.strictEqual(count, 200)
  })

  it("is read without a copy", () => {
    const buffer = sample.bytes.buffer
    const read = Result.getOrThrow(Item.decode(sample.bytes))
    for (const window of [read.signature, read.owner, read.target, read.anchor, read.tagBytes, read.data])
      assert.strictEqual(window.buffer, buffer)
  })

  it("refuses by name what is cut off at any byte before its data", () => {
    const start = sample.bytes.length - sample.data.length
    for (let length = 0; length < start; length++)
      assert.strictEqual(
        reason(Item.decode(sample.bytes.subarray(0, length))),
        "truncated",
        `${length} bytes`,
      )
    // What follows the tags is data, so a shorter item is another item: the signature tells them apart.
    for (let length = start; length < sample.bytes.length; length++) {
      const shorter = Result.getOrThrow(Item.decode(sample.bytes.subarray(0, length)))
      assert.isFalse(Bytes.equal(Item.signingHash(shorter), Item.signingHash(sample)))
    }
    assert.isAbove(start, 200)
  })

  it("reads every other byte string as an item or a named refusal", () => {
    const reasons = new Set<string>()
    fc.assert(
      fc.property(fc.nat(sample.bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const bytes = Bytes.copy(sample.bytes)
        bytes[at]! ^= bits
        const again = Item.decode(bytes)
        reasons.add(reason(again))
        if (Result.isSuccess(again)) {
          const { success } = again
          const written = Result.getOrThrow(Item.encode(success, success.signature))
          assert.isTrue(Bytes.equal(written.bytes, bytes)) // one encoding per content
        }
      }),
      { numRuns: 2_000 },
    )
    for (const name of ["read", "tags", "unknown signature type", "not canonical"])
      assert.include([...reasons], name)
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void Item.decode(bytes)))
  })

  it("refuses an unknown signature type and a presence byte that is neither 0 nor 1", () => {
    for (const number of [0, 4, 5, 101, 1000, 2000, 65535]) {
      const bytes = Bytes.copy(sample.bytes)
      bytes.set(Bytes.u16(number))
      assert.strictEqual(reason(Item.decode(bytes)), "unknown signature type")
    }
    const target = 2 + 64 + 32
    for (const at of [target, target + 33])
      for (const presence of [2, 255]) {
        const bytes = Bytes.copy(sample.bytes)
        bytes[at] = presence
        assert.strictEqual(reason(Item.decode(bytes)), "not canonical")
      }
  })

  it("refuses a presence byte of 2 in front of nothing", () => {
    for (const at of [2 + 64 + 32, 2 + 64 + 32 + 1]) {
      const bytes = Bytes.copy(Result.getOrThrow(make({ data: Bytes.fromText("data") })).bytes)
      bytes[at] = 2
      assert.strictEqual(reason(Item.decode(bytes)), "not canonical")
    }
  })

  it("refuses a tag count or length that does not fit the tags", () => {
    const counts = 2 + 64 + 32 + 33 + 33
    const changed = (at: number, value: Uint8Array) => {
      const bytes = Bytes.copy(sample.bytes)
      bytes.set(value, at)
      return reason(Item.decode(bytes))
    }
    for (const count of [0, 1, 3, 129]) assert.strictEqual(changed(counts, Bytes.u64(count)), "tags")
    const length = sample.tagBytes.length
    for (const other of [0, length - 1, length + 1, 4_097])
      assert.strictEqual(changed(counts + 8, Bytes.u64(other)), "tags")
    for (const at of [counts, counts + 8])
      assert.strictEqual(changed(at, Bytes.u64(2n ** 53n)), "not canonical")
    assert.strictEqual(changed(counts + 8, Bytes.u64(4_000)), "truncated")
  })

  it("takes an item of exactly the limit and refuses one byte more, written or read", () => {
    const overhead = Result.getOrThrow(make()).bytes.length
    const full = Result.getOrThrow(make({ data: new Uint8Array(Limit.itemBytesMax - overhead) }))
    assert.strictEqual(full.bytes.length, Limit.itemBytesMax)
    assert.strictEqual(reason(Item.decode(full.bytes)), "read")
    assert.strictEqual(reason(make({ data: new Uint8Array(Limit.itemBytesMax - overhead + 1) })), "too large")
    assert.strictEqual(reason(Item.decode(Bytes.concat([full.bytes, Bytes.u8(0)]))), "too large")
  })

  it("does not write fields of the wrong length or tags over a limit", () => {
    for (const length of [1, 31, 33]) {
      assert.strictEqual(reason(make({ target: filled(length, 1) })), "not canonical")
      assert.strictEqual(reason(make({ anchor: filled(length, 1) })), "not canonical")
      assert.strictEqual(reason(make({ owner: filled(length, 1) })), "not canonical")
      assert.strictEqual(reason(make({}, filled(length, 1))), "not canonical")
    }
    const tags = Array.from({ length: 129 }, () => ({ name: "n", value: "v" }))
    assert.strictEqual(reason(make({ tags })), "tags")
  })

  it("signs Arweave's deep hash of its eight fields", () => {
    const blob = (bytes: Uint8Array) =>
      sha384(Bytes.concat([sha384(Bytes.fromText(`blob${bytes.length}`)), sha384(bytes)]))
    const list = [
      Bytes.fromText("dataitem"),
      Bytes.fromText("1"),
      Bytes.fromText("2"),
      sample.owner,
      sample.target,
      sample.anchor,
      sample.tagBytes,
      sample.data,
    ]
    const hash = list.reduce(
      (all, each) => sha384(Bytes.concat([all, blob(each)])),
      sha384(Bytes.fromText("list8")),
    )
    assert.strictEqual(Bytes.toHex(Item.signingHash(sample)), Bytes.toHex(hash))
  })

  it("has a content hash that does not depend on who signs, and changes with each part of the content", () => {
    const content = { target: sample.target, anchor: sample.anchor, tags: sample.tags, data: sample.data }
    const hash = (some: Parameters<typeof make>[0], signature?: Uint8Array) =>
      Bytes.toHex(Item.contentHash(Result.getOrThrow(make({ ...content, ...some }, signature))))
    const first = hash({})
    assert.strictEqual(hash({ owner: filled(32, 9) }, filled(64, 9)), first)
    const others = [
      hash({ target: undefined }),
      hash({ anchor: undefined }),
      hash({ target: sample.anchor, anchor: sample.target }),
      hash({ tags: [] }),
      hash({ data: Bytes.empty }),
    ]
    assert.strictEqual(new Set([first, ...others]).size, 6)
  })

  it("is named by the hash of its signature, which says nothing about its content", () => {
    const other = Result.getOrThrow(make({ data: Bytes.fromText("other") }, sample.signature))
    assert.strictEqual(other.id, sample.id)
    assert.strictEqual(
      Bytes.toHex(Hash.sha256(sample.signature)),
      Bytes.toHex(Bytes.fromBase64Url(sample.id)!),
    )
  })
})

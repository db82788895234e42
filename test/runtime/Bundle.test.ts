import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as Bundle from "../../runtime/Bundle.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Item from "../../runtime/Item.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"

const item = (mark: number): Item.Item =>
  Result.getOrThrow(
    Result.flatMap(
      Item.content({
        type: SignatureType.ed25519,
        owner: new Uint8Array(32).fill(mark),
        tags: [{ name: "n", value: String(mark) }],
        data: new Uint8Array(mark),
      }),
      (content) => Item.encode(content, new Uint8Array(64).fill(mark)),
    ),
  )

const reason = <A>(result: Result.Result<A, Bundle.BundleInvalid>): string =>
  Result.match(result, { onFailure: (error) => error.reason, onSuccess: () => "read" })

const three = [item(1), item(2), item(3)]
const bundle = Bundle.encode(three)

describe("Bundle", () => {
  it("comes back as written, of none, one and many", () => {
    for (const count of [0, 1, 2, 3, 40]) {
      const items = Array.from({ length: count }, (_, i) => item(i))
      const bytes = Bundle.encode(items)
      const read = Result.getOrThrow(Bundle.decode(bytes))
      assert.deepStrictEqual(
        read.map(({ id }) => id),
        items.map(({ id }) => id),
      )
      assert.isTrue(Bytes.equal(Bundle.encode(read), bytes))
    }
    assert.strictEqual(Bundle.encode([]).length, 32)
  })

  it("refuses a bundle that is cut off at any byte", () => {
    let refused = 0
    for (let length = 0; length < bundle.length; length++, refused++)
      assert.strictEqual(reason(Bundle.decode(bundle.subarray(0, length))), "truncated", `${length} bytes`)
    assert.strictEqual(refused, bundle.length)
  })

  it("refuses bytes after the last item", () => {
    assert.strictEqual(reason(Bundle.decode(Bytes.concat([bundle, Bytes.u8(0)]))), "trailing bytes")
    assert.strictEqual(reason(Bundle.decode(new Uint8Array(33))), "trailing bytes")
  })

  it("refuses sizes that do not add up and ids that are not those of the items", () => {
    const changed = (at: number, value: Uint8Array) => {
      const bytes = Bytes.copy(bundle)
      bytes.set(value, at)
      return Bundle.decode(bytes)
    }
    assert.strictEqual(reason(changed(32, Bytes.u64(three[0]!.bytes.length + 1))), "truncated")
    const shifted = Bytes.copy(bundle)
    shifted.set(Bytes.u64(three[0]!.bytes.length + 1), 32)
    shifted.set(Bytes.u64(three[1]!.bytes.length - 1), 32 + 64)
    assert.strictEqual(reason(Bundle.decode(shifted)), "item") // the second item starts a byte late
    assert.strictEqual(reason(changed(32 + 128, Bytes.u64(three[2]!.bytes.length + 1))), "truncated")
    assert.strictEqual(reason(changed(32 + 128, Bytes.u64(three[2]!.bytes.length - 1))), "trailing bytes")
    const bad = changed(32 + 64 + 32, new Uint8Array(32))
    assert.strictEqual(reason(bad), "id")
    if (Result.isFailure(bad)) assert.strictEqual(bad.failure.place, 1)
  })

  it("refuses counts and sizes with anything above 2^53, and a count beyond its table", () => {
    for (const at of [0, 32])
      for (const high of [7, 8, 31]) {
        const bytes = Bytes.copy(bundle)
        bytes[at + high] = 0x80
        assert.strictEqual(reason(Bundle.decode(bytes)), "not canonical")
      }
    const bytes = Bytes.copy(bundle)
    bytes.set(Bytes.u64(2 ** 40))
    assert.strictEqual(reason(Bundle.decode(bytes)), "truncated")
  })

  it("finds the places from the table alone", () => {
    assert.strictEqual(Result.getOrThrow(Bundle.tableBytes(bundle.subarray(0, 32))), 32 + 3 * 64)
    assert.isTrue(Result.isFailure(Bundle.tableBytes(bundle.subarray(0, 31))))
    const places = Result.getOrThrow(Bundle.places(bundle.subarray(0, 32 + 3 * 64), bundle.length))
    assert.deepStrictEqual(
      places.map(({ id, from, to }) => ({ id, bytes: bundle.subarray(from, to) })),
      [...Result.getOrThrow(Bundle.entries(bundle))],
    )
    assert.isTrue(Result.isFailure(Bundle.places(bundle.subarray(0, 32 + 3 * 64 - 1), bundle.length)))
    assert.isTrue(Result.isFailure(Bundle.places(bundle, bundle.length - 1)))
    assert.isTrue(Result.isFailure(Bundle.places(bundle, bundle.length + 1)))
  })

  it("names the place of an item that is not read", () => {
    const bytes = Bytes.copy(bundle)
    bytes.set(Bytes.u16(4), 32 + 3 * 64 + three[0]!.bytes.length) // a signature type that heddle does not know
    const read = Bundle.decode(bytes)
    assert.strictEqual(reason(read), "item")
    if (Result.isFailure(read)) assert.strictEqual(read.failure.place, 1)
    assert.strictEqual(Result.getOrThrow(Bundle.entries(bytes)).length, 3)
  })

  it("reads every byte string as items or a named refusal, and what is read is written the same", () => {
    let readAgain = 0
    fc.assert(
      fc.property(fc.nat(bundle.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const bytes = Bytes.copy(bundle)
        bytes[at]! ^= bits
        const read = Bundle.decode(bytes)
        if (Result.isFailure(read)) return
        assert.isTrue(Bytes.equal(Bundle.encode(read.success), bytes))
        readAgain += 1
      }),
      { numRuns: 1_000 },
    )
    assert.isAbove(readAgain, 0)
  })
})

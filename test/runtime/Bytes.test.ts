import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Bytes from "../../runtime/Bytes.ts"

const bytes = fc.uint8Array({ maxLength: 70 })

describe("Bytes", () => {
  it("gives numbers little-endian and reads them back", () => {
    assert.strictEqual(Bytes.toHex(Bytes.u8(0xab)), "ab")
    assert.strictEqual(Bytes.toHex(Bytes.u16(0x0102)), "0201")
    assert.strictEqual(Bytes.toHex(Bytes.u32(0x01020304)), "04030201")
    assert.strictEqual(Bytes.toHex(Bytes.u64(0x0102030405060708n)), "0807060504030201")
    const reader = new Bytes.Reader(
      Bytes.concat([Bytes.u8(7), Bytes.u16(65535), Bytes.u32(2 ** 32 - 1), Bytes.u64(5)]),
    )
    assert.deepStrictEqual(
      [reader.u8(), reader.u16(), reader.u32(), reader.u64()],
      [7, 65535, 2 ** 32 - 1, 5n],
    )
    assert.strictEqual(reader.remaining, 0)
  })

  it("reads at an offset of a larger buffer as at its start", () => {
    const whole = Uint8Array.of(9, 9, 1, 0, 2, 0, 0, 0, 9)
    const reader = new Bytes.Reader(whole.subarray(2, 8))
    assert.deepStrictEqual([reader.u16(), reader.u32(), reader.remaining], [1, 2, 0])
  })

  it("takes a count up to 2^53 - 1 and no further", () => {
    assert.strictEqual(new Bytes.Reader(Bytes.u64(2n ** 53n - 1n)).count(), Number.MAX_SAFE_INTEGER)
    assert.throws(() => new Bytes.Reader(Bytes.u64(2n ** 53n)).count(), RangeError)
  })

  it("says where bytes end instead of reading past them", () => {
    for (const read of [
      (reader: Bytes.Reader) => reader.u8(),
      (reader: Bytes.Reader) => reader.u16(),
      (reader: Bytes.Reader) => reader.u32(),
      (reader: Bytes.Reader) => reader.u64(),
      (reader: Bytes.Reader) => reader.take(1),
    ])
      assert.throws(() => read(new Bytes.Reader(Bytes.empty)), Bytes.EndOfBytes)
    assert.throws(() => new Bytes.Reader(Bytes.u32(5)).block(), Bytes.EndOfBytes)
    const reader = new Bytes.Reader(Bytes.block(Uint8Array.of(1, 2)))
    assert.deepStrictEqual([...reader.block()], [1, 2])
  })

  it("takes windows on the buffer and copies only where told to", () => {
    const whole = Uint8Array.of(1, 2, 3)
    const window = new Bytes.Reader(whole).take(2)
    const copied = Bytes.copy(window)
    whole[0] = 9
    assert.deepStrictEqual(
      [[...window], [...copied]],
      [
        [9, 2],
        [1, 2],
      ],
    )
    assert.strictEqual(copied.buffer.byteLength, 2)
    // A Buffer's own slice shares memory; a copy of it must not.
    const buffer = Buffer.from([1, 2])
    const copyOfBuffer = Bytes.copy(buffer)
    buffer[0] = 9
    assert.strictEqual(copyOfBuffer[0], 1)
  })

  it("comes back from hexadecimal and base64url", () => {
    fc.assert(
      fc.property(bytes, (some) => {
        assert.deepStrictEqual([...Bytes.fromHex(Bytes.toHex(some))!], [...some])
        assert.deepStrictEqual([...Bytes.fromBase64Url(Bytes.toBase64Url(some))!], [...some])
      }),
    )
  })

  it("refuses base64url that is not the one canonical spelling", () => {
    for (const text of ["AB", "AA==", "AA=", "A A", "A", "+A", "/A", "AAA\n"])
      assert.strictEqual(Bytes.fromBase64Url(text), undefined, text)
    for (const text of ["0", "0g", "0x00", " 00"]) assert.strictEqual(Bytes.fromHex(text), undefined, text)
  })

  it("is text only where it is valid UTF-8, with a byte order mark kept", () => {
    assert.strictEqual(Bytes.toText(Bytes.fromText("ﷺ 🧵 a")), "ﷺ 🧵 a")
    assert.strictEqual(Bytes.toText(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), "\ufeffa")
    for (const bad of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]])
      assert.strictEqual(Bytes.toText(Uint8Array.from(bad)), undefined)
  })

  it("compares as the order of first differing bytes, then of length", () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        const order = Math.sign(Bytes.compare(a, b))
        assert.strictEqual(order === 0, Bytes.equal(a, b))
        assert.strictEqual(order + Math.sign(Bytes.compare(b, a)), 0)
        const [x, y] = [Bytes.toHex(a), Bytes.toHex(b)]
        assert.strictEqual(order, x < y ? -1 : x > y ? 1 : 0)
      }),
    )
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"

describe("Id", () => {
  it("comes back from 43 characters", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const id = Id.fromBytes(bytes)
        assert.strictEqual(id.length, 43)
        assert.strictEqual(Id.parse(id), id)
        assert.deepStrictEqual([...Id.toBytes(id)], [...bytes])
      }),
    )
  })

  it("has one spelling: the three others of the same 32 bytes are refused", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    const id = Id.fromBytes(new Uint8Array(32).fill(0x5a))
    const last = alphabet.indexOf(id.at(-1)!)
    let refused = 0
    for (const padding of [1, 2, 3]) {
      const other = id.slice(0, -1) + alphabet[last ^ padding]!
      assert.strictEqual(Bytes.toHex(new Uint8Array(Buffer.from(other, "base64url"))), "5a".repeat(32))
      assert.strictEqual(Id.parse(other), undefined)
      refused += 1
    }
    assert.strictEqual(refused, 3)
  })

  it("refuses other lengths, and asserts 32 bytes", () => {
    const id = Id.fromBytes(new Uint8Array(32))
    for (const text of ["", id.slice(1), `${id}A`, `${id}=`, ` ${id.slice(1)}`, `+${id.slice(1)}`])
      assert.strictEqual(Id.parse(text), undefined)
    assert.throws(() => Id.fromBytes(new Uint8Array(31)), RangeError)
    assert.throws(() => Id.fromBytes(new Uint8Array(33)), RangeError)
  })
})

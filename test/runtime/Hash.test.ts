import { sha256, sha384 } from "@noble/hashes/sha2.js"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"

describe("Hash", () => {
  it("agrees with noble", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.isTrue(Bytes.equal(Hash.sha256(bytes), sha256(bytes)))
        assert.isTrue(Bytes.equal(Hash.sha384(bytes), sha384(bytes)))
      }),
    )
  })

  it("lays out the domain and the length of each part", () => {
    const layout = Hash.layout("ab", Uint8Array.of(1), Bytes.empty, Uint8Array.of(2, 3))
    assert.strictEqual(Bytes.toHex(layout), "026162010000000100000000020000000203")
    assert.isTrue(
      Bytes.equal(Hash.tagged("ab", Uint8Array.of(1)), sha256(Hash.layout("ab", Uint8Array.of(1)))),
    )
  })

  it("gives other bytes for another domain or another split of the same bytes", () => {
    const [one, two, both] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(1, 2)]
    const layouts = [
      Hash.layout("heddle/a/1", one, two),
      Hash.layout("heddle/b/1", one, two),
      Hash.layout("heddle/a/1", both),
      Hash.layout("heddle/a/1", both, Bytes.empty),
      Hash.layout("heddle/a/1", Bytes.empty, both),
      Hash.layout("heddle/a/1", two, one),
    ]
    assert.strictEqual(new Set(layouts.map(Bytes.toHex)).size, layouts.length)
  })
})

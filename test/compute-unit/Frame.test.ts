import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Frame from "../../compute-unit/Frame.ts"

const leaf = fc.oneof(
  fc.uint8Array(),
  fc.string(),
  fc.bigInt(),
  fc.boolean(),
  fc.constant(undefined),
  fc.constant(null),
)
const value = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie("value")), fc.dictionary(fc.string(), tie("value"))),
})).value

describe("a frame", () => {
  it("has the same value on the other side, all its bytes in the one buffer that is transferred", () => {
    fc.assert(
      fc.property(value, (sent) => {
        const { value: packed, buffer } = Frame.pack(sent)
        expect(structuredClone(packed, { transfer: [buffer] })).toEqual(structuredClone(sent))
        expect(buffer.detached).toBe(true)
      }),
    )
  })

  it("takes of a window what is in the window, and leaves the buffer behind it to its owner", () => {
    const large = new Uint8Array(1_000_000).fill(7)
    const sent = { part: large.subarray(10, 14), other: Buffer.from("text") }
    const { value: packed, buffer } = Frame.pack(sent)
    expect(buffer.byteLength).toBe(8)
    structuredClone(packed, { transfer: [buffer] })
    expect([large.length, sent.part.length, sent.other.toString()]).toEqual([1_000_000, 4, "text"])
  })
})

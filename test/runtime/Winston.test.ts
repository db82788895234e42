import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Winston from "../../runtime/Winston.ts"

describe("an amount in AR", () => {
  it.each([
    ["0", 0n],
    ["1", 1_000_000_000_000n],
    ["0.5", 500_000_000_000n],
    ["0.000000000001", 1n],
    ["10", 10_000_000_000_000n],
    ["999999999.999999999999", 999_999_999_999_999_999_999n],
  ] as const)("%s is so many winston, and comes back as itself", (text, winston) => {
    assert.strictEqual(Winston.fromAr(text), winston)
    assert.strictEqual(Winston.toAr(winston), text)
  })

  it("is exact where a float is not", () => {
    assert.strictEqual(Winston.fromAr("0.1")! + Winston.fromAr("0.2")!, Winston.fromAr("0.3"))
    assert.strictEqual(Winston.fromAr("007.50"), Winston.fromAr("7.5"))
  })

  it("comes back as it was, whatever it is", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 21n - 1n }), (winston) => {
        assert.strictEqual(Winston.fromAr(Winston.toAr(winston)), winston)
      }),
    )
  })

  it.each(["", ".5", "5.", "-1", "+1", "1e3", "0x1", "1,5", " 1", "0.0000000000001", "1000000000", "٣"])(
    "%j is none",
    (text) => assert.isUndefined(Winston.fromAr(text)),
  )
})

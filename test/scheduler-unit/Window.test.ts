import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Limit from "../../runtime/Limit.ts"
import { Window } from "../../scheduler-unit/Window.ts"
import { id } from "../support/Unsigned.ts"

const [process, source, other] = [id("process"), id("source"), id("other")]
const at = (pair: number, from = source, of = process) => ({ process: of, source: from, pair })
const last = (number: number) => () => number

describe("a window", () => {
  it("takes what is ahead of the next message, so far and no farther", () => {
    const window = new Window<string>()
    const enters = (pair: number) => window.enter(at(pair), 4, 1, String(pair))
    assert.deepStrictEqual([0, 4, 5, 6, 4 + Limit.pairsAheadMax, 5 + Limit.pairsAheadMax].map(enters), [
      false,
      false,
      false,
      true,
      true,
      false,
    ])
  })

  it("gives those whose turn has come, in order, copies too, up to the next that is missing", () => {
    const window = new Window<string>()
    for (const [pair, name] of [
      [8, "8"],
      [6, "6"],
      [7, "7"],
      [6, "6 again"],
      [10, "10"],
    ] as const)
      assert.isTrue(window.enter(at(pair), 4, 1, name))
    assert.deepStrictEqual(window.ready(process, last(4)), [])
    assert.deepStrictEqual(window.ready(process, last(5)), ["6", "6 again", "7", "8"])
    assert.deepStrictEqual(window.ready(process, last(9)), ["6", "6 again", "7", "8", "10"])
    window.leave(at(6), "6")
    window.leave(at(6), "6")
    assert.deepStrictEqual(window.ready(process, last(5)), ["6 again", "7", "8"])
  })

  it("looks at each source and each process by itself", () => {
    const window = new Window<string>()
    window.enter(at(3), 1, 1, "of source")
    window.enter(at(3, other), 1, 1, "of other")
    window.enter(at(3, source, other), 1, 1, "elsewhere")
    assert.deepStrictEqual(
      window.ready(process, (from) => (from === source ? 2 : 1)),
      ["of source"],
    )
    assert.deepStrictEqual(window.ready(other, last(2)), ["elsewhere"])
    assert.deepStrictEqual(window.ready(source, last(9)), [])
  })

  it("takes so many of a pair, and others beside them", () => {
    const window = new Window<number>()
    for (let i = 0; i < Limit.pairsAheadMax; i++) assert.isTrue(window.enter(at(2), 0, 1, i))
    assert.isFalse(window.enter(at(2), 0, 1, -1))
    assert.isTrue(window.enter(at(2, other), 0, 1, -2))
    window.leave(at(2), 7)
    assert.isTrue(window.enter(at(2), 0, 1, -3))
  })

  it("takes so many in all, and so many bytes, and has room again for what left", () => {
    const [many, heavy] = [new Window<number>(), new Window<number>()]
    for (let i = 0; i < Limit.earlyMessagesMax; i++)
      assert.isTrue(many.enter(at(2, id(`source ${i}`)), 0, 1, i))
    assert.isFalse(many.enter(at(2), 0, 1, -1))
    many.leave(at(2, id("source 9")), 9)
    assert.isTrue(many.enter(at(2), 0, 1, -1))

    assert.isTrue(heavy.enter(at(2), 0, Limit.earlyMessagesBytesMax - 5, 1))
    assert.isFalse(heavy.enter(at(2), 0, 6, 2))
    assert.isTrue(heavy.enter(at(3), 0, 5, 3))
    heavy.leave(at(2), 1)
    assert.isTrue(heavy.enter(at(2), 0, Limit.earlyMessagesBytesMax - 5, 4))
  })

  it("brings any disorder within it into order", () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(
          Array.from({ length: 30 }, (_, i) => i + 1),
          { minLength: 30 },
        ),
        (pairs) => {
          const window = new Window<number>()
          const admitted: Array<number> = []
          const come = (pair: number): void => {
            if (pair > admitted.length + 1)
              return assert.isTrue(window.enter(at(pair), admitted.length, 1, pair))
            admitted.push(pair)
            for (const next of window.ready(process, last(admitted.length))) {
              window.leave(at(next), next)
              admitted.push(next)
            }
          }
          pairs.forEach(come)
          assert.deepStrictEqual(
            admitted,
            pairs.toSorted((a, b) => a - b),
          )
        },
      ),
    )
  })
})

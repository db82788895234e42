import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Gate from "../../runtime/Gate.ts"

/** As many of a side as come in. */
const fill = (gate: Gate.Gate, side: string): ReadonlyArray<Gate.Place> => {
  const places: Array<Gate.Place> = []
  for (let place = gate.enter(side); place !== undefined; place = gate.enter(side)) places.push(place)
  return places
}

describe("a gate", () => {
  it("lets one side in up to half of its places, and not one more", () => {
    for (const places of [1, 2, 3, 12, 4_096]) {
      const gate = Gate.make(places)
      assert.strictEqual(fill(gate, "a").length, Gate.aloneMax(places))
      assert.strictEqual(gate.inside(), Gate.aloneMax(places))
    }
    assert.strictEqual(Gate.aloneMax(12), 6)
  })

  it("keeps room for another side, however many flood it", () => {
    const gate = Gate.make(12)
    const flooding = fill(gate, "a")
    assert.strictEqual(fill(gate, "b").length, 3)
    for (const side of ["c", "d"]) fill(gate, side)
    assert.strictEqual(gate.inside(), 12)
    // Whoever has least is first for what comes free.
    flooding[0]!.leave()
    for (const side of ["a", "b", "c", "d"]) assert.isUndefined(gate.enter(side))
    assert.isDefined(gate.enter("e"))
  })

  it("has a place free again for each that leaves, once", () => {
    const gate = Gate.make(4)
    const [first, second] = fill(gate, "a")
    assert.isUndefined(gate.enter("a"))
    first!.leave()
    first!.leave()
    assert.strictEqual(gate.inside(), 1)
    assert.isDefined(gate.enter("a"))
    assert.isUndefined(gate.enter("a"))
    second!.leave()
    assert.strictEqual(gate.inside(), 1)
  })

  it("never holds more than its places, and always has one for who is not inside unless all are taken", () => {
    const steps = fc.array(fc.record({ side: fc.nat(4), leaves: fc.boolean() }), { maxLength: 200 })
    let runs = 0
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), steps, (places, all) => {
        const gate = Gate.make(places)
        const inside: Array<Gate.Place> = []
        for (const { side, leaves } of all) {
          if (leaves) inside.shift()?.leave()
          else {
            const place = gate.enter(`${side}`)
            if (place !== undefined) inside.push(place)
          }
          assert.strictEqual(gate.inside(), inside.length)
          assert.isAtMost(inside.length, places)
          const stranger = gate.enter("stranger")
          assert.strictEqual(stranger !== undefined, inside.length < places)
          stranger?.leave()
        }
        runs++
      }),
      { numRuns: 100, seed: 1 },
    )
    assert.strictEqual(runs, 100)
  })
})

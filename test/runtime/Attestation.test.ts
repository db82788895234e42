import { assert, describe, it } from "@effect/vitest"
import * as Attestation from "../../runtime/Attestation.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import { hash, id } from "../support/Unsigned.ts"

const point = (slot: number): Attestation.Point => ({
  slot,
  head: hash(`head ${slot}`),
  stateRoot: hash(`state ${slot}`),
})

const attestation: Attestation.Attestation = {
  engine: hash("engine"),
  process: id("process"),
  term: 0,
  from: point(3),
  to: point(5),
  outcomeRoot: hash("outcomes"),
}

const changes: Readonly<Record<string, Partial<Attestation.Attestation>>> = {
  engine: { engine: hash("other") },
  process: { process: id("other") },
  term: { term: 1 },
  "slot from": { from: { ...point(3), slot: 2 } },
  "head from": { from: { ...point(3), head: hash("other") } },
  "state from": { from: { ...point(3), stateRoot: hash("other") } },
  "slot to": { to: { ...point(5), slot: 6 } },
  "head to": { to: { ...point(5), head: hash("other") } },
  "state to": { to: { ...point(5), stateRoot: hash("other") } },
  outcomes: { outcomeRoot: hash("other") },
}

/** What two units that start from the same can't both say of the same slots. */
const contradicting = new Set(["term", "slot to", "state to", "outcomes"])

describe("Attestation", () => {
  for (const [what, change] of Object.entries(changes)) {
    const other = { ...attestation, ...change }
    it(`has another leaf with another ${what}`, () =>
      assert.isFalse(Bytes.equal(Attestation.leafValue(attestation), Attestation.leafValue(other))))

    it(`is ${contradicting.has(what) ? "" : "not "}contradicted by one with another ${what}`, () => {
      assert.strictEqual(Attestation.contradict(attestation, other), contradicting.has(what))
      assert.strictEqual(Attestation.contradict(other, attestation), contradicting.has(what))
    })
  }

  it("is not contradicted by itself, whoever says it again", () => {
    assert.isFalse(Attestation.contradict(attestation, structuredClone(attestation)))
  })

  it("tells start and end apart", () => {
    const turned = { ...attestation, from: attestation.to, to: attestation.from }
    assert.isFalse(Bytes.equal(Attestation.leafValue(attestation), Attestation.leafValue(turned)))
  })

  it("starts before slot 0 from a point that is no slot's", () => {
    const zero = { ...Attestation.origin, slot: 0 }
    const leaf = (from: Attestation.Point) => Bytes.toHex(Attestation.leafValue({ ...attestation, from }))
    assert.strictEqual(Attestation.origin.slot, -1)
    assert.notStrictEqual(leaf(Attestation.origin), leaf(zero))
  })

  it("opens to the root that was signed, and to another when anything in it is another", () => {
    const all = ["a", "b", "c"].map((name) => ({ ...attestation, process: id(name) }))
    const tree = Attestation.tree(all)
    const root = Bytes.toHex(tree.root)
    const rootOf = (index: number, of: Attestation.Attestation, place = index) =>
      Bytes.toHex(Attestation.rootOf({ attestation: of, index: place, path: Merkle.path(tree, index) }))
    for (const [index, one] of all.entries()) {
      assert.strictEqual(rootOf(index, one), root)
      assert.notStrictEqual(rootOf(index, { ...one, term: 1 }), root)
      assert.notStrictEqual(rootOf(index, one, index + 1), root)
    }
    assert.strictEqual(Attestation.signingBytes(tree.root).length, 58)
  })
})

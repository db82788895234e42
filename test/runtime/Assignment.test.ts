import { assert, describe, it } from "@effect/vitest"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import { hash, id } from "../support/Unsigned.ts"

const fields = {
  process: id("process"),
  term: 0,
  slot: 5,
  timestamp: 1_700_000_000_000,
  entryHash: hash("entry"),
  previous: hash("previous"),
}

const changes: Readonly<Record<string, Partial<typeof fields>>> = {
  process: { process: id("other") },
  term: { term: 1 },
  slot: { slot: 6 },
  timestamp: { timestamp: fields.timestamp + 1 },
  "entry hash": { entryHash: hash("other") },
  "previous head": { previous: hash("other") },
}

describe("Assignment", () => {
  it("has the head of the spec's example", () => {
    const spawn = Id.fromBytes(new Uint8Array(32).fill(0x33))
    const entryHash = Bytes.fromHex("8d9288edc3db4e6dd03de4cf4b91395c54cc1f41db93daab5328e83e423d5506")!
    const previous = Assignment.emptyHead
    const made = Assignment.make({ ...fields, process: spawn, slot: 0, entryHash, previous })
    assert.strictEqual(
      Bytes.toHex(made.head),
      "f259bef9e66887e37e560c221b852456c6626146b5981f6a8f851c9ba41effec",
    )
    assert.strictEqual(
      Bytes.toHex(Assignment.leafValue(made)),
      "4bdde5a1e05fd086fc48d47298f5184263b6dea5a7663ec66dac8c35bb09aba4",
    )
  })

  for (const [what, change] of Object.entries(changes))
    it(`has another head and another leaf with another ${what}`, () => {
      const [one, other] = [Assignment.make(fields), Assignment.make({ ...fields, ...change })]
      assert.isFalse(Bytes.equal(one.head, other.head))
      assert.isFalse(Bytes.equal(Assignment.leafValue(one), Assignment.leafValue(other)))
    })

  it("has a leaf that commits to the head as well", () => {
    const one = Assignment.make(fields)
    assert.isFalse(
      Bytes.equal(Assignment.leafValue(one), Assignment.leafValue({ ...one, head: hash("forged") })),
    )
  })

  it("has an entry hash that commits to item and proof, and to where one ends and the other begins", () => {
    const [a, b] = [Bytes.fromText("item"), Bytes.fromText("proof")]
    const all = [
      Assignment.entryHash(a),
      Assignment.entryHash(a, b),
      Assignment.entryHash(b, a),
      Assignment.entryHash(Bytes.fromText("itemproof")),
      Assignment.entryHash(Bytes.fromText("itemp"), Bytes.fromText("roof")),
    ]
    assert.strictEqual(new Set(all.map(Bytes.toHex)).size, 5)
    assert.isTrue(Bytes.equal(Assignment.entryHash(a), Assignment.entryHash(a, Bytes.empty)))
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import { hash, id } from "../support/Unsigned.ts"

/** The assignments of one chain, each bent as it is told. */
const assignment = (
  slot: number,
  change: Partial<Omit<Assignment.Assignment, "head">> = {},
): Assignment.Assignment =>
  Assignment.make({
    process: id("process"),
    term: 0,
    slot,
    timestamp: 1_000 + slot,
    entryHash: hash(`entry ${slot}`),
    previous: slot === 0 ? Assignment.emptyHead : assignment(slot - 1).head,
    ...change,
  })

/** Receipts of a batch that nobody signed. */
const receipts = (
  number: number,
  assignments: ReadonlyArray<Assignment.Assignment>,
  owner = "scheduler",
): ReadonlyArray<Batch.Receipt> => {
  const tree = Batch.tree(assignments)
  const link: Batch.SignedLink = {
    number,
    previousRoot: hash(`root ${number - 1}`),
    root: tree.root,
    signatureType: 1065,
    owner: hash(owner),
    signature: hash(`signature ${number}`),
  }
  return assignments.map((one, index) => Batch.receipt(link, tree, one, index))
}

const [first, second, third] = receipts(3, [assignment(0), assignment(1), assignment(2)]) as [
  Batch.Receipt,
  Batch.Receipt,
  Batch.Receipt,
]

describe("a receipt", () => {
  it("holds for each assignment of its batch", () => {
    assert.deepStrictEqual([first, second, third].map(Batch.receiptHolds), [true, true, true])
  })

  const changed = (change: Partial<Assignment.Assignment>): Batch.Receipt => ({
    ...second,
    assignment: { ...second.assignment, ...change },
  })
  const flipped = (bytes: Uint8Array) => bytes.map((byte, i) => (i === 31 ? byte ^ 1 : byte))
  const bent: Readonly<Record<string, Batch.Receipt>> = {
    "another process": changed({ process: id("other") }),
    "another term": changed({ term: 1 }),
    "another slot": changed({ slot: 7 }),
    "another timestamp": changed({ timestamp: 7 }),
    "another entry hash": changed({ entryHash: hash("other") }),
    "another previous head": changed({ previous: hash("other") }),
    "another head": changed({ head: hash("other") }),
    "a whole other assignment": { ...second, assignment: assignment(9) },
    "another place": { ...second, index: 0 },
    "the same place spelled a tree further": { ...second, index: 1 + Merkle.leavesMax },
    "a place before the first": { ...second, index: 1 - Merkle.leavesMax },
    "a place between two": { ...second, index: 1.5 },
    "another root": { ...second, link: { ...second.link, root: hash("other") } },
    "a sibling flipped": { ...second, path: second.path.with(15, flipped(second.path[15]!)) },
    "a path that is longer": { ...second, path: [...second.path, hash("more")] },
    "a path that is shorter": { ...second, path: second.path.slice(0, 15) },
  }
  for (const [what, receipt] of Object.entries(bent))
    it(`does not hold with ${what}`, () => assert.isFalse(Batch.receiptHolds(receipt)))
})

describe("a receipt of a batch that was made to deceive", () => {
  it("does not hold where the head does not follow from the fields, though the leaf is in the tree", () => {
    const [forged] = receipts(3, [{ ...assignment(0), head: hash("forged") }])
    assert.isTrue(
      Bytes.equal(
        Merkle.rootOf(0, Assignment.leafValue(forged!.assignment), forged!.path),
        forged!.link.root,
      ),
    )
    assert.isFalse(Batch.receiptHolds(forged!))
  })
})

describe("what a scheduler signs", () => {
  it("is another for every other number, previous root and root, and has 99 bytes", () => {
    const link = { number: 1, previousRoot: hash("a"), root: hash("b") }
    const all = [
      link,
      { ...link, number: 2 },
      { ...link, previousRoot: hash("c") },
      { ...link, root: hash("c") },
      { ...link, previousRoot: link.root, root: link.previousRoot },
    ].map(Batch.signingBytes)
    assert.strictEqual(new Set(all.map(Bytes.toHex)).size, 5)
    assert.strictEqual(all[0]!.length, 99)
  })
})

describe("an equivocation", () => {
  const one = (...args: Parameters<typeof receipts>) => receipts(...args)[0]!

  it("is one slot with two heads, in whatever batches", () => {
    const other = one(4, [assignment(1, { entryHash: hash("another message") })])
    assert.deepInclude(Batch.equivocation(second, other), { kind: "slot", first: second, second: other })
    assert.strictEqual(Batch.equivocation(other, second)?.kind, "slot")
    const later = one(4, [assignment(1, { timestamp: 9 })])
    assert.strictEqual(Batch.equivocation(second, later)?.kind, "slot")
  })

  it("is a slot that follows another head than the one that the slot before it has", () => {
    const after = one(4, [assignment(2, { previous: hash("another head of slot 1") })])
    assert.strictEqual(Batch.equivocation(second, after)?.kind, "slot")
    assert.strictEqual(Batch.equivocation(after, second)?.kind, "slot")
    assert.strictEqual(Batch.equivocation(first, after), undefined, "slot 0 says nothing of slot 1")
  })

  it("is one batch number with two roots, or with two roots before it, whatever they are about", () => {
    const other = one(3, [assignment(8, { process: id("other") })])
    assert.strictEqual(Batch.equivocation(first, other)?.kind, "batch")
    assert.strictEqual(Batch.equivocation(other, first)?.kind, "batch")
    const after = { ...first, link: { ...first.link, previousRoot: hash("another chain") } }
    assert.strictEqual(Batch.equivocation(first, after)?.kind, "batch")
  })

  const none: Readonly<Record<string, readonly [Batch.Receipt, Batch.Receipt]>> = {
    "a receipt with itself": [first, first],
    "two leaves of one batch": [first, second],
    "one assignment in two batches": [first, one(4, [first.assignment])],
    "one batch signed twice": [first, { ...first, link: { ...first.link, signature: hash("again") } }],
    "one slot of two processes": [first, one(4, [assignment(0, { process: id("other") })])],
    "one slot of two terms": [first, one(4, [assignment(0, { term: 1 })])],
    "two slots, of which one follows the other": [first, one(4, [assignment(1)])],
    "two slots that are further apart": [first, one(4, [assignment(2, { previous: hash("x") })])],
    "a slot that follows another head, of another term": [
      first,
      one(4, [assignment(1, { term: 1, previous: hash("x") })]),
    ],
    "two owners": [first, one(3, [assignment(0, { timestamp: 9 })], "another scheduler")],
    "a receipt that does not hold": [
      first,
      { ...one(4, [assignment(0, { timestamp: 9 })]), path: first.path },
    ],
  }
  for (const [what, [a, b]] of Object.entries(none))
    it(`is not ${what}`, () => {
      assert.strictEqual(Batch.equivocation(a, b), undefined)
      assert.strictEqual(Batch.equivocation(b, a), undefined)
    })
})

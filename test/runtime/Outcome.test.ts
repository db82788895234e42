import { assert, describe, it } from "@effect/vitest"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import { hash, id } from "../support/Unsigned.ts"

const entry = { kind: "message", item: hash("item"), pair: 1, due: 0 } as const

const outcome: Outcome.Outcome = {
  slot: 4,
  message: id("message"),
  error: undefined,
  fuelUsed: 1_000n,
  replies: [{ to: id("message"), value: "5" }],
  views: [{ name: "count", value: "5" }],
  outbox: [entry],
}

const changes: ReadonlyArray<readonly [what: string, Partial<Outcome.Outcome>]> = [
  ["slot", { slot: 5 }],
  ["message", { message: id("other") }],
  ["error", { error: { reason: "threw", message: "" } }],
  ["fuel", { fuelUsed: 1_001n }],
  ["no replies", { replies: [] }],
  ["replies twice", { replies: [...outcome.replies, ...outcome.replies] }],
  ["reply to another", { replies: [{ to: id("other"), value: "5" }] }],
  ["reply with another value", { replies: [{ to: id("message"), value: "6" }] }],
  ["reply that is an error of the same text", { replies: [{ to: id("message"), error: "5" }] }],
  ["view of another name", { views: [{ name: "other", value: "5" }] }],
  ["view of another value", { views: [{ name: "count", value: "6" }] }],
  ["view taken away", { views: [{ name: "count", value: null }] }],
  ["view that is empty", { views: [{ name: "count", value: "" }] }],
  ["no outbox", { outbox: [] }],
  ["entry of another kind", { outbox: [{ ...entry, kind: "timer" }] }],
  ["entry with another pair number", { outbox: [{ ...entry, pair: 2 }] }],
  ["entry with another due time", { outbox: [{ ...entry, due: 1 }] }],
  ["entry of another item", { outbox: [{ ...entry, item: hash("other") }] }],
  ["entry twice", { outbox: [entry, entry] }],
]

describe("Outcome", () => {
  it("has another hash with anything else in it", () => {
    const hashes = [outcome, ...changes.map(([, change]) => ({ ...outcome, ...change }))].map((one) =>
      Bytes.toHex(Outcome.hash(one)),
    )
    assert.strictEqual(new Set(hashes).size, changes.length + 1)
  })

  it("has another hash for every reason and text of an error", () => {
    const errors = [
      { reason: "threw", message: "a" },
      { reason: "threw", message: "b" },
      { reason: "out of fuel", message: "a" },
    ] as const
    const hashes = errors.map((error) => Bytes.toHex(Outcome.hash({ ...outcome, error })))
    assert.strictEqual(new Set(hashes).size, 3)
  })

  it("has a body hash that leaves the outbox out, and an outbox that opens entry by entry", () => {
    const outbox = [
      entry,
      { ...entry, kind: "spawn", pair: 0 } as const,
      { ...entry, kind: "timer", due: 9 } as const,
    ]
    const whole = { ...outcome, outbox }
    assert.isTrue(Bytes.equal(Outcome.bodyHash(whole), Outcome.bodyHash(outcome)))
    const tree = Outcome.outboxTree(outbox)
    for (const [index, one] of outbox.entries()) {
      const value = Outcome.entryValue(one, Hash.sha256(one.item))
      const root = Merkle.rootOf(index, value, Merkle.path(tree, index))
      assert.isTrue(
        Bytes.equal(Outcome.hashOf(Outcome.bodyHash(whole), root), Outcome.hash(whole)),
        `entry ${index}`,
      )
    }
  })
})

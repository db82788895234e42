import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Drop from "../../runtime/Drop.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as Process from "../../runtime/Process.ts"
import * as Caller from "../support/Caller.ts"
import * as Emitted from "../support/Emitted.ts"
import * as Unsigned from "../support/Unsigned.ts"

const { id } = Unsigned
const unit = Caller.caller("unit").identity
const spawn = Unsigned.spawn({ tags: [["Compute", unit.address]] })
const process = Result.getOrThrow(Process.fromSpawn(spawn))
const target = id("target")

const emissions: ReadonlyArray<Emitted.Emission> = [
  { kind: "message", target, pair: 7, tags: [["Reference", "3"]], data: "do" },
  { kind: "message", target, pair: 8 },
  { kind: "timer", target: process.id, due: 5 },
  { kind: "spawn" },
  { kind: "void", target, pair: 6 },
]
const [entry, other, timer, child, empty] = Emitted.emit({ source: process.id, slot: 4, emissions }, [unit])

interface Said {
  readonly of?: Emitted.Emitted
  readonly entry?: string
  readonly reason?: string | undefined
  readonly data?: Uint8Array
  readonly process?: Id.ProcessId
  readonly action?: string
}

const said = ({ of = entry!, reason, ...more }: Said = {}) =>
  Unsigned.message(more.process ?? process.id, {
    tags: [
      ["Action", more.action ?? "Drop"],
      ["Entry", more.entry ?? of.item.id],
      ...(reason === undefined ? [] : [["Reason", reason] as const]),
    ],
    data: more.data ?? Drop.data(of.item.bytes, OutboxProof.encode(of.proof)),
  })

const why = (more: Said) => {
  const message = said(more)
  assert.isTrue(Drop.is(message))
  const opened = Drop.open(message)
  return Result.isFailure(opened) ? opened.failure.message : "opened"
}

describe("a drop", () => {
  it("gives up the message that its tag names and its data prove", () => {
    const { claims, ...dropped } = Result.getOrThrow(Drop.open(said({ reason: "nobody is there" })))
    assert.deepStrictEqual(dropped, {
      entry: entry!.item.id,
      contentHash: Item.contentHash(entry!.item),
      target,
      pair: 7,
      reference: "3",
      reason: "nobody is there",
    })
    assert.deepStrictEqual(
      claims.map(({ owner }) => owner),
      [unit.owner],
    )
    const second = Result.getOrThrow(Drop.open(said({ of: other! })))
    assert.deepInclude(second, { pair: 8, reference: undefined, reason: "dropped by the owner" })
  })

  it("is one only as a signed message of its action to the source, with the tag that names the entry", () => {
    assert.isTrue(Drop.is(said()))
    assert.isFalse(Drop.is(said({ action: "drop" })))
    assert.isFalse(Drop.is(Unsigned.message(process.id, { tags: [["Action", "Drop"]] })))
    assert.isFalse(Drop.is({ ...said(), fromProcess: true }))
    assert.isFalse(Drop.is({ ...said(), kind: "Process" }))
    assert.isFalse(Drop.is({ ...said(), target: id("where it was said to") }), "as an assigned item")
  })

  it("is the owner's word, and nobody else's", () => {
    assert.isTrue(Drop.isBy(process, said()))
    assert.isFalse(Drop.isBy({ ...process, owner: id("eve") }, said()))
  })

  it("is nothing where tag, item and proof do not fit each other, and says what does not", () => {
    const [item, proof] = [entry!.item.bytes, OutboxProof.encode(entry!.proof)]
    const elsewhere = { ...entry!.proof, attestation: { ...entry!.proof.attestation, term: 1 } }
    const bad: ReadonlyArray<readonly [Said, string]> = [
      [{ entry: "nothing" }, "takes the 43 characters"],
      [{ data: Bytes.empty }, "are not an item and its proof"],
      [{ data: Bytes.block(item) }, "are not an item and its proof"],
      [{ data: Bytes.concat([Drop.data(item, proof), Bytes.u8(0)]) }, "are not an item and its proof"],
      [{ data: Drop.data(item.subarray(1), proof) }, "begin with no item"],
      [{ entry: other!.item.id }, "and the tag names"],
      [{ data: Drop.data(item, proof.subarray(1)) }, "can't be read"],
      [{ data: Drop.data(item, OutboxProof.encode(other!.proof)) }, "does not hold"],
      [{ data: Drop.data(item, OutboxProof.encode({ ...entry!.proof, pair: 8 })) }, "does not hold"],
      [{ process: id("another source") }, "its owner drops it there"],
    ]
    for (const [some, words] of bad) assert.include(why(some), words)
    assert.strictEqual(
      why({ data: Drop.data(item, OutboxProof.encode(elsewhere)) }),
      "opened",
      "unsigned so far",
    )
  })

  it("gives up messages alone", () => {
    assert.include(why({ of: timer! }), "it is a timer, and only a message can be dropped")
    assert.include(why({ of: child! }), "it is a spawn")
    assert.include(why({ of: empty! }), "it is a void")
  })

  it("has a reason of at most as many units as an error that a process is answered", () => {
    const of = (length: number) => why({ reason: "x".repeat(length) })
    assert.strictEqual(of(Limit.dropReasonLengthMax), "opened")
    assert.include(of(Limit.dropReasonLengthMax + 1), "1001 units; at most 1000 are allowed")
  })

  it("needs one of the units that run the process behind its proof", () => {
    const { claims: _, ...dropped } = Result.getOrThrow(Drop.open(said()))
    const fault = (...attestors: ReadonlyArray<Id.Address>) =>
      Drop.fault(process, Result.succeed({ ...dropped, attestors }))
    assert.strictEqual(fault(id("stranger"), unit.address), undefined)
    assert.include(fault(id("stranger")), unit.address)
    assert.include(fault(), "needs the word")
    const none = Drop.open(said({ of: timer! }))
    assert.include(
      Drop.fault(process, Result.isFailure(none) ? Result.fail(none.failure) : assert.fail()),
      "a timer",
    )
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Identity from "../../identity/Identity.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import * as Quorum from "../../messenger-unit/Quorum.ts"
import * as Attestation from "../../runtime/Attestation.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import * as Message from "../../runtime/Message.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import * as Attested from "../support/Attested.ts"
import * as Caller from "../support/Caller.ts"
import { hash, id } from "../support/Unsigned.ts"

const { signed, unitOf } = Attested
const [a, b, c, stranger] = [unitOf("a"), unitOf("b"), unitOf("c"), unitOf("stranger")]

const spawn = Effect.runSync(
  Effect.orDie(
    SignedItem.sign(Caller.caller("ada").signer, {
      tags: [
        ...Message.protocolTags("Process"),
        { name: "Module", value: id("module") },
        { name: "Scheduler", value: id("scheduler") },
        ...[a, b, c].map(({ address }) => ({ name: "Compute", value: address })),
      ],
      data: Bytes.empty,
    }),
  ),
)
const message = id("message")

const outcome = (slot: number, change: Partial<Outcome.Outcome> = {}): Outcome.Outcome => ({
  slot,
  message: id(`message ${slot}`),
  error: undefined,
  fuelUsed: 7n,
  replies: [],
  views: [],
  outbox: [],
  ...change,
})

/** Slots 5 to 7, of which slot 6 answers. */
const outcomes = [outcome(5), outcome(6, { replies: [{ to: message, value: "3" }] }), outcome(7)]

const attestation = (
  of: ReadonlyArray<Outcome.Outcome> = outcomes,
  change: Partial<Attestation.Attestation> = {},
): Attestation.Attestation => ({
  engine: hash("engine"),
  process: spawn.id,
  term: 0,
  from: { slot: 4, head: hash("head 4"), stateRoot: hash("state 4") },
  to: { slot: 7, head: hash("head 7"), stateRoot: hash("state 7") },
  outcomeRoot: Merkle.root(of.map(Outcome.hash)),
  ...change,
})

const says = (by: Identity.Identity, one = attestation(), of = outcomes): Quorum.Statement => ({
  signed: signed(by, one),
  outcomes: of,
})

const question = (want: number): Quorum.Question => ({
  process: spawn.id,
  spawn: spawn.bytes,
  message,
  slot: 6,
  want,
})

const asking = (asked: Quorum.Question, ...statements: ReadonlyArray<Quorum.Statement>) =>
  Quorum.decide(
    asked,
    statements.map((one) => Quorum.read(asked, one)),
  )

const decide = (want: number, ...statements: ReadonlyArray<Quorum.Statement>) =>
  asking(question(want), ...statements)

const missing = (want: number, ...statements: ReadonlyArray<Quorum.Statement>) => {
  const found = Result.getOrThrow(Result.flip(decide(want, ...statements)))
  assert.strictEqual(found._tag, "QuorumMissing")
  return found as Quorum.QuorumMissing // asserted above
}

describe("a quorum", () => {
  it("is as many units as were wanted that lead to one state by these outcomes, and has the answer from them", () => {
    const agreed = Result.getOrThrow(decide(2, says(a), says(b)))
    assert.deepStrictEqual(agreed.units, [a.address, b.address])
    assert.deepStrictEqual(agreed.answered, { fuelUsed: 7n, result: { value: "3" } })
    assert.strictEqual(agreed.attestation.to.slot, 7)
    assert.strictEqual(Result.getOrThrow(decide(3, says(a), says(b), says(c))).units.length, 3)
    assert.strictEqual(Result.getOrThrow(decide(1, says(c))).units.length, 1)
  })

  it("has an error for an answer where that is what is attested", () => {
    const failed = [
      outcome(5),
      outcome(6, { message, error: { reason: "threw", message: "no" } }),
      outcome(7, { replies: [{ to: message, error: "too late" }] }),
    ]
    const [one, two] = [says(a, attestation(failed), failed), says(b, attestation(failed), failed)]
    assert.deepStrictEqual(Result.getOrThrow(decide(2, one, two)).answered.result, {
      error: "no",
      reason: "threw",
    })
    const later = asking({ ...question(2), slot: 7 }, one, two)
    assert.deepStrictEqual(Result.getOrThrow(later).answered.result, { error: "too late", reason: "replied" })
  })

  it("is not made of one unit less, nor of one unit twice", () => {
    assert.deepInclude(missing(2, says(a)), { have: [a.address], want: 2 })
    assert.deepInclude(missing(2, says(a), says(a)), { have: [a.address] })
    assert.deepInclude(missing(3, says(a), says(b)), { have: [a.address, b.address], want: 3 })
    assert.include(missing(3, says(a), says(b)).message, "2 of 3 units agree on slot 6")
    assert.deepInclude(missing(1), { have: [] })
  })

  it("counts no statement that is not what it should be, and says why", () => {
    const good = says(b)
    const cut = outcomes.slice(0, 2)
    const other = [outcome(5), outcome(6, { replies: [{ to: message, value: "4" }] }), outcome(7)]
    const long = { ...attestation(), from: { ...attestation().from, slot: 6 } }
    const bad: ReadonlyArray<readonly [Quorum.Statement, string]> = [
      [says(stranger), `${stranger.address} is none that the process names`],
      [{ ...good, signed: { ...good.signed, owner: c.owner } }, `that of ${c.address} is not good`],
      [
        { ...good, signed: { ...good.signed, attestation: attestation(outcomes, { engine: hash("x") }) } },
        `that of ${b.address} is not good`,
      ],
      [says(b, attestation(outcomes, { process: id("other") })), "an attestation about"],
      [says(b, long), `unit ${b.address} attests slots 7 to 7`],
      [says(b, attestation(), cut), "are of other slots"],
      [says(b, attestation(), [outcomes[1]!, outcomes[0]!, outcomes[2]!]), "are of other slots"],
      [says(b, attestation(), other), "are not those attested"],
    ]
    for (const [statement, why] of bad) {
      const found = missing(2, says(a), statement)
      assert.deepStrictEqual(found.have, [a.address], why)
      assert.include(found.message, why)
    }
  })

  it("names no unit where the spawn is not that of the process", () => {
    const found = asking({ ...question(1), process: id("another") }, says(a))
    assert.deepInclude(Result.getOrThrow(Result.flip(found)), { _tag: "QuorumMissing", have: [] })
  })

  it("is none where the units agree on outcomes that do not answer, whatever a node said", () => {
    const silent = [outcome(5), outcome(6), outcome(7)]
    const found = missing(2, says(a, attestation(silent), silent), says(b, attestation(silent), silent))
    assert.include(found.message, "does not answer")
  })

  it("is none where units follow different logs", () => {
    const to = { slot: 7, head: hash("forked head"), stateRoot: hash("state 7") }
    const found = missing(2, says(a), says(b, attestation(outcomes, { to })))
    assert.deepStrictEqual(found.have, [a.address])
    assert.include(found.message, "different logs")
  })
})

describe("units that differ", () => {
  it("are told of, with what each signed, though enough others agree", () => {
    const other = [outcome(5), outcome(6, { replies: [{ to: message, value: "4" }] }), outcome(7)]
    const { to } = attestation()
    const lies = [
      says(c, attestation(other), other),
      says(c, attestation(outcomes, { to: { ...to, stateRoot: hash("another state") } })),
    ]
    for (const lie of lies) {
      const found = Result.getOrThrow(Result.flip(decide(2, says(a), says(b), lie)))
      assert.strictEqual(found._tag, "UnitsDiffer")
      if (found._tag !== "UnitsDiffer") continue
      assert.deepStrictEqual(found.units, [a.address, c.address])
      assert.deepStrictEqual(found.second, lie.signed)
      assert.isTrue(Attestation.contradict(found.first.attestation, found.second.attestation))
      assert.include(found.message, c.address)
    }
  })
})

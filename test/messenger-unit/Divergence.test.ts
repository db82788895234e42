import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Divergence from "../../messenger-unit/Divergence.ts"
import type * as Attestation from "../../runtime/Attestation.ts"
import * as Attested from "../support/Attested.ts"
import { hash, id } from "../support/Unsigned.ts"

const [a, b] = [Attested.unitOf("a"), Attested.unitOf("b")]

const attestation = (change: Partial<Attestation.Attestation> = {}): Attestation.Attestation => ({
  engine: hash("engine"),
  process: id("process"),
  term: 0,
  from: { slot: 4, head: hash("head 4"), stateRoot: hash("state 4") },
  to: { slot: 7, head: hash("head 7"), stateRoot: hash("state 7") },
  outcomeRoot: hash("outcomes"),
  ...change,
})
const wrong = { to: { ...attestation().to, stateRoot: hash("wrong") } }
const first = Attested.signed(a, attestation())
const second = Attested.signed(b, attestation(wrong))

const why = (proof: Divergence.Proof): string => {
  const found = Divergence.check(proof)
  return Result.isFailure(found) ? found.failure.message : "it is one"
}

describe("a proof of divergence", () => {
  it("shows which units contradict each other about which turns, and comes back from its file", () => {
    const units = [a.address, b.address] as const
    const shown: Divergence.Shown = { process: id("process"), units, from: 5, to: 7 }
    assert.deepStrictEqual(Divergence.check({ first, second }), Result.succeed(shown))
    const text = Divergence.encode({ first, second })
    assert.include(text, '"heddle/divergence/1"')
    assert.deepStrictEqual(
      Divergence.check(Result.getOrThrow(Divergence.decode(text))),
      Divergence.check({ first, second }),
    )
  })

  it("is refused where it is none, and says why", () => {
    const outcomes = Attested.signed(b, attestation({ outcomeRoot: hash("other outcomes") }))
    assert.strictEqual(why({ first, second: outcomes }), "it is one")
    const bad: ReadonlyArray<readonly [Divergence.Proof, string]> = [
      [{ first, second: first }, "do not contradict"],
      [
        { first, second: Attested.signed(b, attestation({ ...wrong, engine: hash("x") })) },
        "do not contradict",
      ],
      [{ first, second: { ...second, owner: a.owner } }, "signature of the second"],
      [{ first: { ...first, attestation: attestation(wrong) }, second }, "signature of the first"],
      [{ first: { ...first, index: 1 }, second }, "signature of the first"],
    ]
    for (const [proof, detail] of bad) assert.include(why(proof), detail)
  })

  it("is not read from a text that is not one", () => {
    const good = JSON.parse(Divergence.encode({ first, second })) as Record<string, unknown>
    const texts = [
      "",
      "[]",
      JSON.stringify({ ...good, format: "heddle/divergence/2" }),
      JSON.stringify({ ...good, more: 1 }),
      JSON.stringify({ ...good, second: undefined }),
      JSON.stringify({ ...good, second: { ...(good["second"] as object), path: [] } }),
    ]
    for (const text of texts) assert.isTrue(Result.isFailure(Divergence.decode(text)), text.slice(0, 40))
  })
})

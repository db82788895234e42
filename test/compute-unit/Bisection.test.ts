import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Bisection from "../../compute-unit/Bisection.ts"
import * as Attestation from "../../runtime/Attestation.ts"
import * as Attested from "../support/Attested.ts"
import { hash, id } from "../support/Unsigned.ts"

const [honest, liar] = [Attested.unitOf("honest"), Attested.unitOf("liar")]

/** The attestations of a log in groups of `size`; from slot `wrong` on the states are other ones. */
const chain = (by: typeof honest, slots: number, size: number, wrong = Infinity, fork = Infinity) => {
  const after = (slot: number): Attestation.Point =>
    slot < 0
      ? Attestation.origin
      : {
          slot,
          head: hash(`head ${slot}${slot >= fork ? " forked" : ""}`),
          stateRoot: hash(`state ${slot}${slot >= wrong ? " wrong" : ""}`),
        }
  const groups: Array<Attestation.SignedAttestation> = []
  for (let from = -1; from < slots - 1; from += size) {
    const to = Math.min(from + size, slots - 1)
    groups.push(
      Attested.signed(by, {
        engine: hash("engine"),
        process: id("process"),
        term: 0,
        from: after(from),
        to: after(to),
        outcomeRoot: hash(`outcomes to ${to}`),
      }),
    )
  }
  return (slot: number) => groups.find(({ attestation }) => attestation.to.slot >= slot)
}

/** What comes of comparing two chains, and how many slots were asked for. */
const compared = (newest: number, one: ReturnType<typeof chain>, two: ReturnType<typeof chain>) => {
  let asked = 0
  const found = Effect.runSync(
    Bisection.bisect(newest, (slot) =>
      Effect.sync(() => {
        asked += 1
        const [first, second] = [one(slot), two(slot)]
        return first === undefined || second === undefined ? undefined : ([first, second] as const)
      }),
    ),
  )
  return { found, asked }
}

describe("a bisection", () => {
  it("finds the first attestations that contradict each other, wherever they are", () => {
    for (const wrong of [0, 1, 2, 3, 17, 38, 39]) {
      const { found, asked } = compared(39, chain(honest, 40, 3), chain(liar, 40, 3, wrong))
      assert.strictEqual(found._tag, "Apart")
      if (found._tag !== "Apart") continue
      const { from, to } = found.first.attestation
      assert.isTrue(
        from.slot < wrong && wrong <= to.slot,
        `slot ${wrong} is in ${from.slot + 1} to ${to.slot}`,
      )
      assert.isTrue(Attestation.contradict(found.first.attestation, found.second.attestation))
      assert.isAtMost(asked, 7)
    }
  })

  it("says up to where units agree", () => {
    assert.deepStrictEqual(compared(9, chain(honest, 10, 4), chain(liar, 10, 4)).found, {
      _tag: "Equal",
      slot: 9,
    })
  })

  it("compares nothing that is not about the same turns, and says why", () => {
    const why = (one: ReturnType<typeof chain>, newest = 9) => {
      const { found } = compared(newest, chain(honest, 10, 4), one)
      return found._tag === "Incomparable" ? found.detail : found._tag
    }
    assert.include(why(chain(liar, 10, 3)), "one is about slots 8 to 9, the other about 9 to 9")
    assert.include(why(chain(liar, 10, 4, 10, 2)), "different logs")
    assert.include(why(chain(liar, 5, 4)), "attests nothing")
    const other = chain(liar, 10, 4, 2)
    const torn = (slot: number) => (slot >= 4 ? other(slot) : chain(liar, 10, 4)(slot))
    assert.include(why(torn), "two states after one slot")
  })
})

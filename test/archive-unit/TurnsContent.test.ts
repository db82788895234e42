import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as Content from "../../archive-unit/Content.ts"
import * as ContentChecks from "../../archive-unit/ContentChecks.ts"
import * as TurnsContent from "../../archive-unit/TurnsContent.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import { id } from "../support/Unsigned.ts"
import { anyReleases, compute, groupOf, nothing, releaseOf } from "./Arbitraries.ts"

const verifier = VerifierLocal.make()
const check = (bytes: Uint8Array) =>
  ContentChecks.turns(compute.address, bytes).pipe(
    Effect.provideService(Verifier, verifier),
    Effect.result,
    Effect.runSync,
  )

const why = (result: Result.Result<unknown, { readonly reason: string }>) =>
  Result.isFailure(result) ? result.failure.reason : undefined

const process = id("process")
const turns = (from: number, outcomes: ReadonlyArray<typeof nothing>, out = false) =>
  groupOf({ process, from, outcomes, out })

const speaking = {
  ...nothing,
  error: { reason: "threw", message: "no" } as const,
  replies: [{ to: id("message"), value: "5" }],
  views: [
    { name: "count", value: "5" },
    { name: "gone", value: null },
  ],
  outbox: [{ kind: "message", item: Bytes.fromText("an item"), pair: 1, due: 0 } as const],
}
const encode = (...releases: ReadonlyArray<TurnsContent.ArchivedRelease>) => TurnsContent.encode(releases)

describe("TurnsContent", () => {
  it("reads what it wrote, whatever is in the releases", () => {
    let ran = 0
    fc.assert(
      fc.property(anyReleases, (releases) => {
        const bytes = Result.getOrThrow(TurnsContent.encode(releases))
        assert.deepEqual(Result.getOrThrow(TurnsContent.decode(bytes)), releases)
        assert.deepEqual(Result.getOrThrow(check(bytes)), releases)
        const sum = releases.reduce((all, release) => all + TurnsContent.releaseBytes(release), 0)
        assert.isAtMost(bytes.length, TurnsContent.headBytesMax + sum)
        ran += 1
      }),
      { numRuns: 60 },
    )
    assert.strictEqual(ran, 60)
  })

  it("names the slots of each process", () => {
    const releases = [releaseOf(0, [turns(-1, [nothing])]), releaseOf(1, [turns(0, [nothing, nothing])])]
    assert.deepStrictEqual(TurnsContent.slots(releases), [{ process, first: 0, last: 2 }])
  })

  it.each([
    ["with outcomes", turns(3, [speaking])],
    ["without outcomes", turns(3, [speaking, nothing], true)],
  ])("detects every bit that is another, but for the number, which nobody signs: %s", (_, group) => {
    const release = releaseOf(0, [group])
    const small = Result.getOrThrow(encode(release))
    const numberAt = 8 * (26 + 2 + release.owner.length)
    const signatureAt = numberAt + 8 * (8 + 4)
    const signatureBits = 8 * release.signature.length
    let [detected, numbers] = [0, 0]
    for (let bit = 0; bit < small.length * 8; bit++) {
      // Each of them takes a verification; those of a link, which are checked in the same way, are all tried.
      if (bit > signatureAt && bit < signatureAt + signatureBits - 1) continue
      const bent = small.slice()
      bent[bit >> 3]! ^= 1 << (bit & 7)
      const checked = check(bent)
      if (Result.isFailure(checked)) detected += 1
      else {
        assert.isTrue(bit >= numberAt && bit < numberAt + 53, `bit ${bit}`)
        assert.deepEqual(checked.success, [{ ...release, number: 2 ** (bit - numberAt) }])
        numbers += 1
      }
    }
    assert.deepStrictEqual([detected, numbers], [small.length * 8 - signatureBits + 2 - 53, 53])
    assert.isAbove(detected, 10_000)
  })

  it("refuses a content that ends early, wherever it does", () => {
    const whole = Result.getOrThrow(
      encode(
        releaseOf(0, [turns(3, [speaking, nothing]), turns(9, [nothing], true)]),
        releaseOf(1, [turns(5, [speaking])]),
      ),
    )
    let ran = 0
    for (let length = 0; length < whole.length; length++) {
      assert.strictEqual(why(TurnsContent.decode(whole.subarray(0, length))), "truncated", `${length} bytes`)
      ran += 1
    }
    assert.strictEqual(ran, whole.length)
    assert.isAbove(ran, 6_000)
  })

  it("names the release whose signature is another", () => {
    const [one, two] = [releaseOf(8, [turns(0, [nothing])]), releaseOf(9, [turns(1, [nothing])])]
    const refused = check(Result.getOrThrow(encode(one, { ...two, signature: one.signature })))
    assert.deepInclude(Result.isFailure(refused) ? refused.failure : {}, {
      _tag: "ContentRefused",
      type: "Turns",
      reason: "bad signature",
      number: 9,
    })
  })

  it("writes nothing that would not read back", () => {
    const good = releaseOf(3, [turns(0, [nothing, speaking])])
    const group = good.groups[0]!
    const bend = (change: object) => encode({ ...good, groups: [{ ...group, ...change }] })
    const cases: ReadonlyArray<readonly [ReturnType<typeof encode>, string]> = [
      [encode(), "not canonical"],
      [encode({ ...good, signatureType: 2_044 }), "not canonical"],
      [encode({ ...good, owner: good.owner.slice(1) }), "not canonical"],
      [encode({ ...good, signature: good.signature.slice(1) }), "not canonical"],
      [encode(good, { ...good, number: 5 }), "not canonical"],
      [encode(good, { ...good, number: 4, owner: good.owner.with(0, 0).with(1, 0) }), "not canonical"],
      [encode({ ...good, groups: [] }), "not canonical"],
      [bend({ outcomes: [] }), "other root"],
      [bend({ outcomes: group.outcomes!.slice(1) }), "other root"],
      [bend({ outcomes: group.outcomes!.toReversed() }), "other root"],
      [bend({ outcomes: group.outcomes!.map((of) => ({ ...of, fuelUsed: 1n })) }), "other root"],
      [bend({ attestation: { ...group.attestation, to: group.attestation.from } }), "other root"],
      [bend({ attestation: { ...group.attestation, outcomeRoot: group.attestation.engine } }), "other root"],
    ]
    for (const [found, reason] of cases) assert.strictEqual(why(found), reason)
    assert.isUndefined(why(encode(good)))
  })

  it("takes as many outbox entries and turns as there may be, and not one more", () => {
    const entry = speaking.outbox[0]!
    const sent = (count: number) => ({ ...nothing, outbox: Array.from({ length: count }, () => entry) })
    const full = Result.getOrThrow(encode(releaseOf(0, [turns(0, [sent(Limit.outboxEntriesPerTurnMax)])])))
    assert.isTrue(Result.isSuccess(check(full)))
    assert.strictEqual(
      why(encode(releaseOf(0, [turns(0, [sent(Limit.outboxEntriesPerTurnMax + 1)])]))),
      "other root",
    )
    const { attestation } = turns(0, [nothing], true)
    const long = (count: number) =>
      encode(
        releaseOf(0, [
          { attestation: { ...attestation, to: { ...attestation.to, slot: count } }, outcomes: undefined },
        ]),
      )
    assert.isTrue(Result.isSuccess(check(Result.getOrThrow(long(Merkle.leavesMax)))))
    assert.strictEqual(why(long(Merkle.leavesMax + 1)), "other root")
  })

  it("takes as many bytes as there may be, and not one more; without its outcomes it is small", () => {
    const sized = (bytes: number, out = false) => {
      const group = turns(0, [
        { ...nothing, outbox: [{ ...speaking.outbox[0]!, item: new Uint8Array(bytes) }] },
      ])
      return encode(releaseOf(0, [out ? { ...group, outcomes: undefined } : group]))
    }
    const most = Content.bytesMax.Turns - Result.getOrThrow(sized(0)).length
    const bytes = Result.getOrThrow(sized(most))
    assert.strictEqual(bytes.length, Limit.archiveContentBytesMax)
    assert.isTrue(Result.isSuccess(TurnsContent.decode(bytes)))
    assert.strictEqual(why(sized(most + 1)), "too large")
    assert.isBelow(Result.getOrThrow(sized(most + 1, true)).length, 10_000)
    assert.strictEqual(why(TurnsContent.decode(new Uint8Array(Content.bytesMax.Turns + 1))), "too large")
  })
})

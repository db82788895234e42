import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Identity from "../../identity/Identity.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Voucher from "../../identity/Voucher.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import * as Emitted from "../support/Emitted.ts"
import { hash, id } from "../support/Unsigned.ts"

const unit = Identity.fromSeed(hash("unit"), SignatureType.mlDsa44)
const [source, target] = [id("source"), id("target")]

/** A turn in the middle of those attested, with an entry of each kind. */
const turn: Emitted.Turn = {
  source,
  slot: 6,
  from: 4,
  to: 8,
  emissions: [
    { kind: "message", target, pair: 3, data: "hello" },
    { kind: "spawn" },
    { kind: "timer", target: source, due: 1_000 },
  ],
}

const emitted = Emitted.emit(turn, [unit])
const one = emitted[0]!
const last = Emitted.emit({ ...turn, to: 6 }, [unit])[0]!

type Proof = OutboxProof.OutboxProof
type Opened = ReturnType<typeof OutboxProof.open>

const why = (opened: Result.Result<unknown, string>) =>
  Result.isFailure(opened) ? opened.failure : "it opens"
const encoded = (proof: Proof) => OutboxProof.encode(proof)
const flip = (bytes: Uint8Array, at: number) => bytes.with(at, bytes[at]! ^ 1)

describe("OutboxProof", () => {
  it("opens for each entry of a turn, to what the entry is", () => {
    const opened = emitted.map(({ item, proof }) => Result.getOrThrow(OutboxProof.open(item, proof)))
    assert.deepStrictEqual(
      opened.map(({ source, slot, kind, pair, due, claims }) => [
        source,
        slot,
        kind,
        pair,
        due,
        claims.length,
      ]),
      [
        [source, 6, "message", 3, 0, 1],
        [source, 6, "spawn", 0, 0, 1],
        [source, 6, "timer", 0, 1_000, 1],
      ],
    )
    assert.isTrue(Result.isSuccess(OutboxProof.open(last.item, last.proof)), "at the last slot attested")
  })

  it("is the same after it was written and read, and has the size that the spec says", () => {
    for (const { item, proof } of emitted) {
      const bytes = encoded(proof)
      const read = Result.getOrThrow(OutboxProof.decode(bytes))
      assert.deepEqual(encoded(read), bytes)
      assert.isTrue(Result.isSuccess(OutboxProof.open(item, read)))
      const { ownerBytes, signatureBytes } = SignatureType.mlDsa44
      assert.strictEqual(bytes.length, 1_335 + 2 + 512 + 2 + 4 + ownerBytes + 4 + signatureBytes)
    }
    assert.strictEqual(encoded({ ...one.proof, witnesses: [] }).length, 1_335)
  })

  const { proof } = one
  const { attestation } = proof
  const other = hash("other")
  const bent: ReadonlyArray<readonly [what: string, Opened, words: string]> = [
    [
      "an item that a key would sign",
      OutboxProof.open({ ...one.item, type: SignatureType.ed25519 }, proof),
      "field",
    ],
    ["an item with other data", OutboxProof.open({ ...one.item, data: other }, proof), "field"],
    [
      "a proof of another process",
      OutboxProof.open(one.item, { ...proof, attestation: { ...attestation, process: target } }),
      "another process",
    ],
    ["a proof of another entry", OutboxProof.open(one.item, emitted[1]!.proof), "another place"],
    ["a slot before those attested", OutboxProof.open(one.item, { ...proof, slot: 4 }), "outside the slots"],
    ["a slot after those attested", OutboxProof.open(one.item, { ...proof, slot: 9 }), "outside the slots"],
    [
      "another slot among those attested",
      OutboxProof.open(one.item, { ...proof, slot: 5 }),
      "not in the outcomes",
    ],
    [
      "another head at the last slot",
      OutboxProof.open(last.item, {
        ...last.proof,
        attestation: { ...last.proof.attestation, to: { ...last.proof.attestation.to, head: other } },
      }),
      "another head",
    ],
    ["another kind", OutboxProof.open(one.item, { ...proof, kind: "timer" }), "not in the outcomes"],
    ["another pair number", OutboxProof.open(one.item, { ...proof, pair: 4 }), "not in the outcomes"],
    ["another due time", OutboxProof.open(one.item, { ...proof, due: 1 }), "not in the outcomes"],
    ["another outcome", OutboxProof.open(one.item, { ...proof, bodyHash: other }), "not in the outcomes"],
    [
      "a sibling of the entry bent",
      OutboxProof.open(one.item, { ...proof, entryPath: proof.entryPath.with(15, other) }),
      "not in the outcomes",
    ],
    [
      "a sibling of the outcome bent",
      OutboxProof.open(one.item, { ...proof, outcomePath: proof.outcomePath.with(15, other) }),
      "not in the outcomes",
    ],
    [
      "another outcome root",
      OutboxProof.open(one.item, { ...proof, attestation: { ...attestation, outcomeRoot: other } }),
      "not in the outcomes",
    ],
  ]
  for (const [what, opened, words] of bent)
    it(`does not open with ${what}, and says so`, () => assert.include(why(opened), words))

  it("does not open at a place outside its tree", () => {
    const far = { ...attestation, from: { ...attestation.from, slot: 6 - 1 - Merkle.leavesMax } }
    assert.include(why(OutboxProof.open(one.item, { ...proof, attestation: far })), "outside its tree")
    const index = Merkle.leavesMax
    const { item } = {
      item: Result.getOrThrow(
        OutboxItem.make({ source, head: hash("head"), index }, { tags: [], data: Bytes.empty }),
      ),
    }
    assert.include(why(OutboxProof.open(item, { ...proof, index })), "outside its tree")
  })

  it("shows the root that each witness signed, which is another with anything else attested", () => {
    const rootOf = (opened: Opened) => Bytes.toHex(Result.getOrThrow(opened).claims[0]!.root)
    const [witness] = proof.witnesses
    const changes: ReadonlyArray<Partial<Proof>> = [
      {},
      { attestation: { ...attestation, engine: other } },
      { attestation: { ...attestation, term: 1 } },
      { attestation: { ...attestation, from: { ...attestation.from, head: other } } },
      { attestation: { ...attestation, from: { ...attestation.from, stateRoot: other } } },
      { attestation: { ...attestation, to: { ...attestation.to, stateRoot: other } } },
      { attestation: { ...attestation, to: { ...attestation.to, slot: 9 } } },
      { witnesses: [{ ...witness!, index: 0 }] },
      { witnesses: [{ ...witness!, path: witness!.path.with(0, other) }] },
    ]
    const roots = changes.map((change) => rootOf(OutboxProof.open(one.item, { ...proof, ...change })))
    assert.strictEqual(new Set(roots).size, changes.length)
  })

  it("can't be read when it is short, long, of another version or kind, or counts too far", () => {
    const bytes = encoded(proof)
    const numbers = (at: number) =>
      Bytes.concat([bytes.subarray(0, at), Bytes.u64(2n ** 53n), bytes.subarray(at + 8)])
    const bad: ReadonlyArray<readonly [Uint8Array, string]> = [
      [Bytes.empty, "ends early"],
      [Bytes.concat([bytes, Bytes.u8(0)]), "1 bytes follow"],
      [bytes.with(0, 2), "version 2"],
      [bytes.with(13, 4), "a message, a spawn, a timer or a void"],
      [numbers(1), "2^53"],
      [numbers(14), "2^53"],
      [numbers(22), "2^53"],
    ]
    for (const [some, words] of bad) assert.include(why(OutboxProof.decode(some)), words)
    let cut = 0
    for (let length = 0; length < bytes.length; length += 7) {
      assert.include(why(OutboxProof.decode(bytes.subarray(0, length))), "ends early")
      cut += 1
    }
    assert.isAbove(cut, 500)
  })

  it(`carries ${Limit.witnessesPerProofMax} witnesses and not one more`, () => {
    const witnesses = (count: number) => Array.from({ length: count }, () => proof.witnesses[0]!)
    const many = (count: number) => OutboxProof.decode(encoded({ ...proof, witnesses: witnesses(count) }))
    assert.strictEqual(
      Result.getOrThrow(many(Limit.witnessesPerProofMax)).witnesses.length,
      Limit.witnessesPerProofMax,
    )
    assert.include(why(many(Limit.witnessesPerProofMax + 1)), "65 witnesses; at most 64")
  })

  it(`has ${Limit.proofBytesMax} bytes at most, so that nobody fills a log with witnesses of no known type`, () => {
    const padded = (length: number) => {
      const witness = { ...proof.witnesses[0]!, signatureType: 9, signature: Bytes.empty, owner: Bytes.empty }
      const bare = encoded({ ...proof, witnesses: [witness] }).length
      return encoded({ ...proof, witnesses: [{ ...witness, owner: new Uint8Array(length - bare) }] })
    }
    assert.strictEqual(padded(Limit.proofBytesMax).length, Limit.proofBytesMax)
    assert.strictEqual(why(OutboxProof.decode(padded(Limit.proofBytesMax))), "it opens")
    assert.include(why(OutboxProof.decode(padded(Limit.proofBytesMax + 1))), `at most ${Limit.proofBytesMax}`)
    const whole = Array.from({ length: Limit.witnessesPerProofMax }, () => ({
      ...proof.witnesses[0]!,
      owner: new Uint8Array(SignatureType.mlDsa87.ownerBytes),
      signature: new Uint8Array(SignatureType.mlDsa87.signatureBytes),
    }))
    assert.isAtMost(encoded({ ...proof, witnesses: whole }).length, Limit.proofBytesMax)
  })
})

describe("proofs that are merged", () => {
  const units = ["a", "b", "c"].map((name) => Identity.fromSeed(hash(name), SignatureType.mlDsa44))
  const of = (...some: ReadonlyArray<Identity.Identity>) => Emitted.emit(turn, some)[0]!
  const proofs = units.map((unit) => of(unit).proof)
  const merged = (...some: ReadonlyArray<Proof>) =>
    Bytes.toHex(encoded(Result.getOrThrow(OutboxProof.merge(some))))
  const refused = (...some: ReadonlyArray<Proof>) => Result.getOrThrow(Result.flip(OutboxProof.merge(some)))

  it("have the witnesses of all, and are believed for each of them", () => {
    const all = Result.getOrThrow(OutboxProof.merge(proofs))
    assert.strictEqual(all.witnesses.length, 3)
    const { message } = of(units[0]!)
    const voucher = Effect.runSync(Voucher.ofMessage(VerifierLocal.make(), message, encoded(all)))
    if (!("proven" in voucher)) throw new Error("it is not proven")
    assert.sameMembers(
      [...voucher.proven.attestors],
      units.map(({ address }) => address),
    )
  })

  it("are the same in whatever order and grouping they come, and whatever comes twice", () => {
    const [a, b, c] = proofs as [Proof, Proof, Proof]
    const all = merged(a, b, c)
    for (const order of [
      [a, c, b],
      [b, a, c],
      [b, c, a],
      [c, a, b],
      [c, b, a],
    ])
      assert.strictEqual(merged(...order), all)
    const both = Result.getOrThrow(OutboxProof.merge([a, b]))
    assert.strictEqual(merged(both, c), all)
    assert.strictEqual(merged(c, both, a, both, b), all)
    assert.strictEqual(merged(a, a), Bytes.toHex(encoded(a)))
  })

  it("keep both of two signatures of one unit: which of them is good is not looked at here", () => {
    const [a] = proofs as [Proof]
    const forged = {
      ...a,
      witnesses: a.witnesses.map((one) => ({ ...one, signature: flip(one.signature, 0) })),
    }
    assert.strictEqual(Result.getOrThrow(OutboxProof.merge([forged, a])).witnesses.length, 2)
  })

  it("have to say the same of the same entry, in every field, and the first that does not is named", () => {
    const [a, b] = proofs as [Proof, Proof]
    const others: ReadonlyArray<Partial<Proof>> = [
      { slot: 7 },
      { index: 1 },
      { kind: "timer" },
      { pair: 4 },
      { due: 1 },
      { entryPath: a.entryPath.with(0, hash("other")) },
      { bodyHash: hash("other") },
      { outcomePath: a.outcomePath.with(15, hash("other")) },
      { attestation: { ...a.attestation, outcomeRoot: hash("other") } },
      { attestation: { ...a.attestation, engine: hash("other") } },
      { attestation: { ...a.attestation, to: { ...a.attestation.to, stateRoot: hash("other") } } },
    ]
    for (const other of others)
      assert.deepInclude(refused(a, b, { ...b, ...other }, b), {
        _tag: "NotMerged",
        reason: "other claim",
        index: 2,
      })
    assert.deepInclude(refused(), { reason: "no proof", index: 0 })
  })

  it(`have ${Limit.witnessesPerProofMax} witnesses at most`, () => {
    const [a] = proofs as [Proof]
    const [witness] = a.witnesses
    const many = Array.from({ length: Limit.witnessesPerProofMax + 1 }, (_, index) => ({
      ...a,
      witnesses: [{ ...witness!, index }],
    }))
    const most = Result.getOrThrow(OutboxProof.merge(many.slice(1)))
    assert.strictEqual(most.witnesses.length, Limit.witnessesPerProofMax)
    assert.deepInclude(refused(...many), {
      reason: "too many witnesses",
      index: Limit.witnessesPerProofMax,
    })
  })
})

describe("an outbox item with its proof", () => {
  const verifier = VerifierLocal.make()
  const examine = (item: Item.Item, proof: Uint8Array) =>
    Effect.runSync(Effect.result(Voucher.examine(verifier, item, proof)))

  /** Whether a reader who believes the unit alone takes it for what it was. */
  const believed = (item: Item.Item, proof: Uint8Array): boolean => {
    const found = examine(item, proof)
    if (Result.isFailure(found) || !("proven" in found.success)) return false
    const { attestors, source, kind, pair, due } = found.success.proven
    return (
      attestors.includes(unit.address) &&
      source === one.proof.attestation.process &&
      kind === "message" &&
      pair === 3 &&
      due === 0
    )
  }

  it("is believed as it is", () => {
    assert.isTrue(believed(one.item, encoded(one.proof)))
    assert.isTrue(believed(last.item, encoded(last.proof)))
  })

  it("is not believed with any byte of the item flipped", () => {
    const bytes = encoded(one.proof)
    let readable = 0
    for (let at = 0; at < one.item.bytes.length; at++) {
      const item = Item.decode(flip(one.item.bytes, at))
      if (Result.isFailure(item)) continue
      readable += 1
      assert.isFalse(believed(item.success, bytes), `byte ${at}`)
    }
    assert.isAbove(readable, 150)
  })

  it("is not believed with any byte of the proof flipped", () => {
    const bytes = encoded(one.proof)
    let flipped = 0
    // All of the hashes and numbers; of owner and signature, which the verifier answers for, every 40th byte.
    const signed = bytes.length - SignatureType.mlDsa44.ownerBytes - SignatureType.mlDsa44.signatureBytes - 4
    for (let at = 0; at < bytes.length; at += at < signed ? 1 : 40) {
      assert.isFalse(believed(one.item, flip(bytes, at)), `byte ${at}`)
      flipped += 1
    }
    assert.isAbove(flipped, 1_900)
  })

  it("names each unit that attests once, however often it signed, and none whose signature is not good", () => {
    const second = Identity.fromSeed(hash("second unit"), SignatureType.mlDsa44)
    const { item, proof } = Emitted.emit(turn, [unit, second, unit])[0]!
    const attestors = (change: (witness: OutboxProof.Witness, i: number) => OutboxProof.Witness) => {
      const found = examine(item, encoded({ ...proof, witnesses: proof.witnesses.map(change) }))
      return Result.isSuccess(found) && "proven" in found.success ? found.success.proven.attestors : undefined
    }
    assert.deepStrictEqual(
      attestors((witness) => witness),
      [unit.address, second.address],
    )
    assert.deepStrictEqual(
      attestors((witness, i) => (i === 1 ? { ...witness, signature: flip(witness.signature, 9) } : witness)),
      [unit.address],
    )
    assert.deepStrictEqual(
      attestors((witness) => ({ ...witness, signatureType: SignatureType.batch44.number })),
      [],
    )
    assert.deepStrictEqual(
      attestors((witness) => ({ ...witness, owner: second.owner })),
      [second.address],
    )
  })

  it("has no verdict without a proof but that nothing speaks for it, and none with a proof beside a signature", () => {
    assert.deepStrictEqual(Result.getOrThrow(examine(one.item, Bytes.empty)), { none: true })
    const forged = { ...one.item, data: hash("other") }
    for (const found of [examine(forged, Bytes.empty), examine(one.item, Bytes.u8(1))])
      assert.strictEqual(Result.isFailure(found) && found.failure.reason, "bad proof")
  })
})

import { assert, describe, it } from "@effect/vitest"
import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js"
import * as MlDsa from "../../identity/MlDsa.ts"
import * as SigningContext from "../../identity/SigningContext.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import { describeShared } from "../vectors/shared.ts"

const sets = {
  "ML-DSA-44": { type: SignatureType.mlDsa44, noble: ml_dsa44 },
  "ML-DSA-65": { type: SignatureType.mlDsa65, noble: ml_dsa65 },
  "ML-DSA-87": { type: SignatureType.mlDsa87, noble: ml_dsa87 },
}

const hex = (text: string): Uint8Array => Bytes.fromHex(text)!

interface Acvp {
  readonly keyGen: ReadonlyArray<{ parameterSet: keyof typeof sets; seed: string; pk: string }>
  readonly sigGen: ReadonlyArray<{
    parameterSet: keyof typeof sets
    sk: string
    message: string
    context: string
    signature: string
  }>
  readonly sigVer: ReadonlyArray<{
    parameterSet: keyof typeof sets
    pk: string
    message: string
    context: string
    signature: string
    testPassed: boolean
  }>
}

describeShared("ML-DSA, NIST ACVP", "vectors/ml-dsa-acvp.json", ({ keyGen, sigGen, sigVer }: Acvp) => {
  it("keyGen: 24 seeds give the public keys of the standard", () => {
    assert.strictEqual(keyGen.length, 24)
    for (const { parameterSet, seed, pk } of keyGen) {
      const { owner } = MlDsa.fromSeed(sets[parameterSet].type, hex(seed))
      assert.strictEqual(Bytes.toHex(owner), pk.toLowerCase())
    }
  })

  it("sigGen: noble signs 12 messages as the standard does, and node:crypto verifies each", () => {
    assert.strictEqual(sigGen.length, 12)
    for (const { parameterSet, sk, message, context, signature } of sigGen) {
      const { type, noble } = sets[parameterSet]
      const under = { context: hex(context), extraEntropy: false } as const
      assert.strictEqual(Bytes.toHex(noble.sign(hex(message), hex(sk), under)), signature.toLowerCase())
      const owner = noble.getPublicKey(hex(sk))
      assert.isTrue(MlDsa.verifyUnder(type, owner, hex(context), hex(message), hex(signature)))
    }
  })

  it("sigVer: 20 signatures of which 3 are good", () => {
    assert.strictEqual(sigVer.length, 20)
    let good = 0
    for (const { parameterSet, pk, message, context, signature, testPassed } of sigVer) {
      const { type } = sets[parameterSet]
      const verdict = MlDsa.verifyUnder(type, hex(pk), hex(context), hex(message), hex(signature))
      assert.strictEqual(verdict, testPassed)
      if (verdict) good += 1
    }
    assert.strictEqual(good, 3)
  })
})

interface WycheproofMlDsa {
  readonly testGroups: ReadonlyArray<{
    readonly publicKey: string
    readonly tests: ReadonlyArray<{ tcId: number; msg: string; ctx?: string; sig: string; result: string }>
  }>
}

describeShared(
  "ML-DSA-65, Wycheproof",
  "vectors/wycheproof-mldsa_65_verify_test.json",
  ({ testGroups }: WycheproofMlDsa) => {
    it("accepts 79 valid signatures and refuses 131 others", () => {
      const count = { valid: 0, invalid: 0 }
      for (const { publicKey, tests } of testGroups)
        for (const { tcId, msg, ctx, sig, result } of tests) {
          const context = hex(ctx ?? "")
          const verdict = MlDsa.verifyUnder(
            SignatureType.mlDsa65,
            hex(publicKey),
            context,
            hex(msg),
            hex(sig),
          )
          assert.strictEqual(verdict, result === "valid", `test ${tcId}`)
          count[verdict ? "valid" : "invalid"] += 1
        }
      assert.deepStrictEqual(count, { valid: 79, invalid: 131 })
    })
  },
)

describe("MlDsa", () => {
  const seed = new Uint8Array(32).fill(7)
  const bytes = Bytes.fromText("what is signed")

  for (const [name, { type, noble }] of Object.entries(sets)) {
    it(`${name}: signs what noble verifies and verifies what noble signs`, () => {
      const key = MlDsa.fromSeed(type, seed)
      const pair = noble.keygen(seed)
      assert.isTrue(Bytes.equal(key.owner, pair.publicKey))
      assert.strictEqual(key.owner.length, type.ownerBytes)
      const context = SigningContext.toBytes("heddle/batch/1")
      const signature = key.sign("heddle/batch/1", bytes)
      assert.strictEqual(signature.length, type.signatureBytes)
      assert.isTrue(noble.verify(signature, bytes, pair.publicKey, { context }))
      const theirs = noble.sign(bytes, pair.secretKey, { context })
      assert.isTrue(MlDsa.verify(type, key.owner, "heddle/batch/1", bytes, theirs))
    })
  }

  it("makes a signature that is good for its own context and for no other", () => {
    const key = MlDsa.fromSeed(SignatureType.mlDsa44, seed)
    for (const used of SigningContext.all) {
      const signature = key.sign(used, bytes)
      for (const asked of SigningContext.all)
        assert.strictEqual(MlDsa.verify(key.type, key.owner, asked, bytes, signature), used === asked)
    }
    assert.isAtLeast(SigningContext.all.length, 7)
  })

  it("gives a new signature each time, all of them good", () => {
    const key = MlDsa.fromSeed(SignatureType.mlDsa44, seed)
    const signatures = Array.from({ length: 4 }, () => key.sign("heddle/item/1", bytes))
    assert.strictEqual(new Set(signatures.map(Bytes.toHex)).size, 4)
    for (const signature of signatures)
      assert.isTrue(MlDsa.verify(key.type, key.owner, "heddle/item/1", bytes, signature))
  })

  it("finds a key only under the type it was read as", () => {
    const key = MlDsa.fromSeed(SignatureType.mlDsa44, seed)
    const signature = key.sign("heddle/item/1", bytes)
    assert.isTrue(MlDsa.verify(SignatureType.mlDsa44, key.owner, "heddle/item/1", bytes, signature))
    for (const type of [
      SignatureType.mlDsa65,
      SignatureType.mlDsa87,
      SignatureType.batch44,
      SignatureType.ed25519,
    ])
      assert.isFalse(MlDsa.verify(type, key.owner, "heddle/item/1", bytes, signature))
  })

  it("refuses every length but the right one", () => {
    const { type, owner, sign } = MlDsa.fromSeed(SignatureType.mlDsa44, seed)
    const signature = sign("heddle/item/1", bytes)
    const longer = (of: Uint8Array) => Bytes.concat([of, Bytes.u8(0)])
    assert.isTrue(MlDsa.verify(type, owner, "heddle/item/1", bytes, signature))
    for (const other of [longer(signature), signature.subarray(1), signature.subarray(0, -1), Bytes.empty])
      assert.isFalse(MlDsa.verify(type, owner, "heddle/item/1", bytes, other))
    for (const other of [longer(owner), owner.subarray(1), Bytes.empty])
      assert.isFalse(MlDsa.verify(type, other, "heddle/item/1", bytes, signature))
    assert.isFalse(MlDsa.verifyUnder(type, owner, new Uint8Array(256), bytes, signature))
  })

  it("asserts an ML-DSA type and a seed of 32 bytes", () => {
    assert.throws(() => MlDsa.fromSeed(SignatureType.mlDsa65, new Uint8Array(31)), RangeError)
    assert.throws(() => MlDsa.fromSeed(SignatureType.batch65, seed), RangeError)
    assert.throws(() => MlDsa.fromSeed(SignatureType.ed25519, seed), RangeError)
  })

  it("verifies owners old and new after more owners than it keeps ready", () => {
    const make = (fill: number) => {
      const key = MlDsa.fromSeed(SignatureType.mlDsa44, new Uint8Array(32).fill(fill))
      const signature = key.sign("heddle/item/1", bytes)
      return () => MlDsa.verify(key.type, key.owner, "heddle/item/1", bytes, signature)
    }
    const [before, after] = [make(101), make(102)]
    assert.isTrue(before())
    const garbage = new Uint8Array(SignatureType.mlDsa44.signatureBytes)
    const owner = new Uint8Array(SignatureType.mlDsa44.ownerBytes)
    for (let i = 0; i <= Limit.publicKeysMax; i++) {
      owner.set(Bytes.u32(i))
      assert.isFalse(MlDsa.verify(SignatureType.mlDsa44, Bytes.copy(owner), "heddle/item/1", bytes, garbage))
    }
    assert.isTrue(before())
    assert.isTrue(after())
  })
})

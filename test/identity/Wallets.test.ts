/**
 * The three schemes of existing wallets: vectors made by others, then the places where heddle is stricter.
 */
import crypto from "node:crypto"
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { assert, describe, it } from "@effect/vitest"
import * as ArweaveRsa from "../../identity/ArweaveRsa.ts"
import * as Ed25519 from "../../identity/Ed25519.ts"
import * as Ethereum from "../../identity/Ethereum.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import { describeShared } from "../vectors/shared.ts"

const hex = (text: string): Uint8Array => Bytes.fromHex(text)!
const sha256 = (bytes: Uint8Array): Uint8Array => crypto.hash("sha256", bytes, "buffer")

interface Test {
  readonly tcId: number
  readonly comment: string
  readonly msg: string
  readonly sig: string
  readonly result: "valid" | "invalid"
}

describeShared(
  "type 1, RSA-PSS 4096, Wycheproof",
  "vectors/wycheproof-rsa_pss_4096_sha256_mgf1_32_test.json",
  (vectors: {
    testGroups: ReadonlyArray<{ publicKey: { modulus: string }; tests: ReadonlyArray<Test> }>
  }) => {
    it("agrees on 108 signatures but for the 6 that are invalid by salt length alone", () => {
      const agreed = { valid: 0, invalid: 0 }
      const accepted: Array<string> = []
      for (const { publicKey, tests } of vectors.testGroups)
        for (const { comment, msg, sig, result } of tests) {
          const owner = hex(publicKey.modulus.replace(/^00/, ""))
          const verdict = ArweaveRsa.verify(owner, hex(msg), hex(sig)) ? "valid" : "invalid"
          if (verdict === result) agreed[verdict] += 1
          else accepted.push(`${verdict}: ${comment}`)
        }
      assert.deepStrictEqual(agreed, { valid: 63, invalid: 39 })
      assert.deepStrictEqual(
        accepted,
        [0, 1, 20, 31, 33, 478].map((length) => `valid: s_len changed to ${length}`),
      )
    })
  },
)

describeShared(
  "type 2, Ed25519, Wycheproof",
  "vectors/wycheproof-ed25519_test.json",
  (vectors: { testGroups: ReadonlyArray<{ publicKey: { pk: string }; tests: ReadonlyArray<Test> }> }) => {
    it("agrees on all 151 signatures", () => {
      const agreed = { valid: 0, invalid: 0 }
      for (const { publicKey, tests } of vectors.testGroups)
        for (const { tcId, msg, sig, result } of tests) {
          const verdict = Ed25519.verify(hex(publicKey.pk), hex(msg), hex(sig)) ? "valid" : "invalid"
          assert.strictEqual(verdict, result, `test ${tcId}`)
          agreed[verdict] += 1
        }
      assert.deepStrictEqual(agreed, { valid: 88, invalid: 63 })
    })
  },
)

describeShared(
  "type 3, ECDSA secp256k1, Wycheproof",
  "vectors/wycheproof-ecdsa_secp256k1_sha256_p1363_test.json",
  (vectors: {
    testGroups: ReadonlyArray<{ publicKey: { uncompressed: string }; tests: ReadonlyArray<Test> }>
  }) => {
    it("agrees on 252 signatures but for those with high s or an x of R not below n, which it refuses", () => {
      const agreed = { valid: 0, invalid: 0 }
      const stricter = { "high s": 0, "x of R not below n": 0 }
      for (const { publicKey, tests } of vectors.testGroups)
        for (const { tcId, msg, sig, result } of tests) {
          const owner = hex(publicKey.uncompressed)
          // Wycheproof has no recovery byte: a signature is good if it is good with one of the two.
          const accepts = (signature: Uint8Array) =>
            [27, 28].some((v) =>
              Ethereum.verifyDigest(owner, sha256(hex(msg)), Bytes.concat([signature, Bytes.u8(v)])),
            )
          if (accepts(hex(sig)) === (result === "valid")) agreed[result] += 1
          else {
            assert.strictEqual(result, "valid", `test ${tcId} is invalid and was accepted`)
            const rs = secp256k1.Signature.fromBytes(hex(sig))
            assert.isTrue(
              secp256k1.verify(hex(sig), sha256(hex(msg)), owner, { prehash: false, lowS: false }),
            )
            const low = new secp256k1.Signature(rs.r, secp256k1.Point.Fn.neg(rs.s)).toBytes()
            if (rs.hasHighS() && accepts(low)) stricter["high s"] += 1
            else stricter["x of R not below n"] += 1
          }
        }
      assert.deepStrictEqual(agreed, { valid: 95, invalid: 85 })
      assert.deepStrictEqual(stricter, { "high s": 70, "x of R not below n": 2 })
    })
  },
)

describe("type 1, Arweave RSA", () => {
  const bytes = Bytes.fromText("what is signed")
  const padding = crypto.constants.RSA_PKCS1_PSS_PADDING
  const make = (modulusLength: number, publicExponent = 65537) => {
    const { privateKey, publicKey } = crypto.generateKeyPairSync("rsa", { modulusLength, publicExponent })
    const owner = Bytes.fromBase64Url(publicKey.export({ format: "jwk" }).n!)!
    const sign = (saltLength: number, hash = "sha256"): Uint8Array =>
      crypto.sign(hash, bytes, { key: privateKey, padding, saltLength })
    return { owner, sign }
  }
  const big = (value: Uint8Array) => BigInt(`0x${Bytes.toHex(value)}`)
  const key = make(4096)

  it("takes a salt of any length, from none to the longest that fits", () => {
    for (const saltLength of [0, 20, 32, 477, 478])
      assert.isTrue(ArweaveRsa.verify(key.owner, bytes, key.sign(saltLength)))
  })

  it("refuses another hash, another message, another key", () => {
    assert.isFalse(ArweaveRsa.verify(key.owner, bytes, key.sign(32, "sha512")))
    assert.isFalse(ArweaveRsa.verify(key.owner, Bytes.fromText("what is singed"), key.sign(32)))
    const other = Bytes.copy(key.owner)
    other[256]! ^= 1
    assert.isFalse(ArweaveRsa.verify(other, bytes, key.sign(32)))
  })

  it("refuses a modulus that does not have exactly 4,096 bits or is even", () => {
    const padded = (value: Uint8Array) => Bytes.concat([new Uint8Array(512 - value.length), value])
    for (const bits of [2048, 4095]) {
      const small = make(bits)
      assert.isFalse(ArweaveRsa.verify(padded(small.owner), bytes, padded(small.sign(32))))
      assert.isFalse(ArweaveRsa.verify(small.owner, bytes, small.sign(32)))
    }
    const even = Bytes.copy(key.owner)
    even[511]! &= 0xfe
    assert.isFalse(ArweaveRsa.isAdmissible(even, key.sign(32)))
  })

  it("refuses another exponent than 65537", () => {
    const three = make(4096, 3)
    assert.isFalse(ArweaveRsa.verify(three.owner, bytes, three.sign(32)))
  })

  it("refuses s + n as a second spelling of s, and s = n", () => {
    let tried = 0
    for (let i = 0; i < 200 && tried === 0; i++) {
      const s = key.sign(32)
      const sum = big(s) + big(key.owner)
      if (sum >> 4096n !== 0n) continue
      assert.isFalse(ArweaveRsa.isAdmissible(key.owner, hex(sum.toString(16).padStart(1024, "0"))))
      tried += 1
    }
    // With the highest moduli s + n never fits in 4,096 bits; then there is no second spelling to refuse.
    if (tried === 0) assert.isAbove(key.owner[0]!, 0xf0)
    const below = Bytes.copy(key.owner)
    below[511]! -= 1 // n is odd
    assert.isFalse(ArweaveRsa.isAdmissible(key.owner, key.owner))
    assert.isTrue(ArweaveRsa.isAdmissible(key.owner, below))
  })
})

describe("type 2, Ed25519", () => {
  const bytes = Bytes.fromText("what is signed")
  const secret = new Uint8Array(32).fill(9)
  const owner = ed25519.getPublicKey(secret)
  const signature = ed25519.sign(bytes, secret)
  const { Point } = ed25519
  const p = 2n ** 255n - 19n
  const little = (value: bigint) => hex(value.toString(16).padStart(64, "0")).toReversed()

  it("takes what noble signs", () => assert.isTrue(Ed25519.verify(owner, bytes, signature)))

  it("refuses S + L, the same signature spelled again", () => {
    const S = BigInt(`0x${Bytes.toHex(signature.slice(32).toReversed())}`)
    const again = Bytes.concat([signature.slice(0, 32), little(S + Point.Fn.ORDER)])
    assert.isFalse(Ed25519.isAdmissible(owner, again))
    assert.isTrue(Ed25519.isAdmissible(owner, signature))
    const last = Bytes.concat([signature.slice(0, 32), little(Point.Fn.ORDER - 1n)])
    assert.isTrue(Ed25519.isAdmissible(owner, last))
    assert.isFalse(
      Ed25519.isAdmissible(owner, Bytes.concat([signature.slice(0, 32), little(Point.Fn.ORDER)])),
    )
  })

  it("refuses every small-order owner, in each spelling, whatever R and S are", () => {
    // A point of order 8, made by noble: any point times L.
    let order8 = Point.ZERO
    for (let i = 1n; order8.multiplyUnsafe(4n).is0(); i++) {
      const y = little(i)
      try {
        const point = Point.fromBytes(y, true)
        order8 = point.multiplyUnsafe(Point.Fn.ORDER - 1n).add(point)
      } catch {
        // not the y of a point
      }
    }
    const torsion = Array.from({ length: 8 }, (_, i) =>
      i === 0 ? Point.ZERO : order8.multiplyUnsafe(BigInt(i)),
    )
    const spellings = new Set<string>()
    for (const point of torsion) {
      const canonical = point.toBytes()
      spellings.add(Bytes.toHex(canonical))
      const flipped = Bytes.copy(canonical)
      flipped[31]! ^= 0x80
      spellings.add(Bytes.toHex(flipped))
      const y = BigInt(`0x${Bytes.toHex(canonical.toReversed())}`) & (2n ** 255n - 1n)
      if (y + p < 2n ** 255n)
        for (const sign of [0n, 2n ** 255n]) spellings.add(Bytes.toHex(little(y + p + sign)))
    }
    assert.strictEqual(spellings.size, 14)
    let forgeries = 0
    for (const spelling of spellings)
      for (const R of torsion)
        for (const message of [bytes, Bytes.fromText("another message")]) {
          const forged = Bytes.concat([R.toBytes(), new Uint8Array(32)])
          assert.isFalse(Ed25519.verify(hex(spelling), message, forged))
          // The refusal is ours: other versions of node:crypto take some of these.
          assert.isFalse(Ed25519.isAdmissible(hex(spelling), signature))
          assert.isFalse(Ed25519.isAdmissible(owner, Bytes.concat([hex(spelling), signature.slice(32)])))
          if (ed25519.verify(forged, message, hex(spelling), { zip215: true })) forgeries += 1
        }
    assert.strictEqual(forgeries, 224) // the rule is needed: under ZIP-215 each of these is good for any message
  })

  it("refuses an owner or an R whose y is not below p", () => {
    // y = 3 has a point; y + p fits in 255 bits, so it has a second spelling.
    const y = [2n, 3n, 4n, 5n, 6n, 7n].find((y) => {
      try {
        Point.fromBytes(little(y), true)
        return true
      } catch {
        return false
      }
    })!
    assert.isTrue(Ed25519.isAdmissible(little(y), signature))
    assert.isFalse(Ed25519.isAdmissible(little(y + p), signature))
    assert.isFalse(Ed25519.isAdmissible(owner, Bytes.concat([little(y + p), signature.slice(32)])))
    // R = identity with S = k·a solves the equation (and gives the key away); it is refused by the rule for R.
    const { scalar } = ed25519.utils.getExtendedPublicKey(secret)
    for (const R of [little(1n), little(1n + p), little(1n + 2n ** 255n)]) {
      const digest = new Uint8Array(crypto.hash("sha512", Bytes.concat([R, owner, bytes]), "buffer"))
      const k = Point.Fn.create(BigInt(`0x${Bytes.toHex(digest.toReversed())}`))
      const solved = Bytes.concat([R, little(Point.Fn.mul(k, scalar))])
      assert.isFalse(Ed25519.verify(owner, bytes, solved))
      assert.strictEqual(ed25519.verify(solved, bytes, owner, { zip215: true }), true)
    }
  })

  it("decides by the equation without the cofactor where the two would differ", () => {
    const order8 = Point.fromBytes(
      hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
      true,
    )
    const { scalar } = ed25519.utils.getExtendedPublicKey(secret)
    const mixed = Point.fromBytes(owner).add(order8).toBytes()
    const count = { good: 0, cofactorOnly: 0 }
    for (let r = 1n; r <= 64n; r++) {
      const R = Point.BASE.multiply(r).toBytes()
      const digest = new Uint8Array(crypto.hash("sha512", Bytes.concat([R, mixed, bytes]), "buffer"))
      const k = Point.Fn.create(BigInt(`0x${Bytes.toHex(digest.toReversed())}`))
      const signed = Bytes.concat([R, little(Point.Fn.add(r, Point.Fn.mul(k, scalar)))])
      assert.isTrue(ed25519.verify(signed, bytes, mixed, { zip215: true }))
      // [k] of the order-8 part vanishes for k divisible by 8 alone.
      assert.strictEqual(Ed25519.verify(mixed, bytes, signed), k % 8n === 0n)
      count[k % 8n === 0n ? "good" : "cofactorOnly"] += 1
    }
    assert.isAbove(count.good, 2)
    assert.isAbove(count.cofactorOnly, 40)
  })

  it("refuses wrong lengths and what is no point", () => {
    assert.isFalse(Ed25519.verify(owner.slice(1), bytes, signature))
    assert.isFalse(Ed25519.verify(owner, bytes, signature.slice(1)))
    assert.isFalse(Ed25519.verify(owner, bytes, Bytes.concat([signature, Bytes.u8(0)])))
    assert.isFalse(Ed25519.verify(little(2n), bytes, signature))
  })
})

describe("type 3, Ethereum", () => {
  const bytes = new Uint8Array(48).fill(5)
  const secret = new Uint8Array(32).fill(11)
  const owner = secp256k1.getPublicKey(secret, false)
  const digest = Ethereum.personalDigest(bytes)
  const recovered = secp256k1.sign(digest, secret, { prehash: false, format: "recovered" })
  const rs = recovered.slice(1)
  const v = 27 + recovered[0]!
  const field = (last: number, first = rs) => Bytes.concat([first, Bytes.u8(last)])

  it("takes v 27 or 28, the one that recovers the owner", () => {
    assert.isTrue(Ethereum.verify(owner, bytes, field(v)))
    assert.isFalse(Ethereum.verify(owner, bytes, field(v === 27 ? 28 : 27)))
  })

  it("refuses every other v: the bare recovery bit, EIP-155 forms, a set high bit", () => {
    let refused = 0
    for (let other = 0; other < 256; other++)
      if (other !== v) {
        assert.isFalse(Ethereum.verify(owner, bytes, field(other)))
        refused += 1
      }
    assert.strictEqual(refused, 255)
  })

  it("refuses n - s, the same signature spelled again", () => {
    const { r, s } = secp256k1.Signature.fromBytes(rs)
    const high = new secp256k1.Signature(r, secp256k1.Point.Fn.neg(s))
    assert.isTrue(secp256k1.verify(high.toBytes(), digest, owner, { prehash: false, lowS: false }))
    for (const last of [27, 28]) assert.isFalse(Ethereum.verify(owner, bytes, field(last, high.toBytes())))
  })

  it("refuses r or s of 0 or not below n, and an owner in another form", () => {
    const n = hex(secp256k1.Point.Fn.ORDER.toString(16))
    const zero = new Uint8Array(32)
    const [r, s] = [rs.slice(0, 32), rs.slice(32)]
    for (const bad of [
      [zero, s],
      [r, zero],
      [n, s],
      [r, n],
      [new Uint8Array(32).fill(255), s],
    ])
      for (const last of [27, 28])
        assert.isFalse(Ethereum.verify(owner, bytes, field(last, Bytes.concat(bad))))
    const hybrid = Bytes.concat([Bytes.u8(6 + (owner[64]! & 1)), owner.slice(1)])
    const padded = Bytes.concat([secp256k1.getPublicKey(secret, true), new Uint8Array(32)])
    for (const other of [hybrid, padded, owner.slice(1), new Uint8Array(65)])
      assert.isFalse(Ethereum.verify(other, bytes, field(v)))
  })

  it("signs the personal message of EIP-191, with the length in it", () => {
    const plain = secp256k1.sign(bytes.slice(0, 32), secret, { prehash: false, format: "recovered" })
    assert.isFalse(Ethereum.verify(owner, bytes, field(27 + plain[0]!, plain.slice(1))))
    assert.isFalse(Ethereum.verify(owner, bytes.slice(1), field(v)))
  })
})

import util from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Entropy } from "../../identity/Entropy.ts"
import * as Identity from "../../identity/Identity.ts"
import * as SigningContext from "../../identity/SigningContext.ts"
import * as VerifiedClaims from "../../identity/VerifiedClaims.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"

describe("Identity", () => {
  it("follows from its seed: owner, and address as the owner's SHA-256", () => {
    const seed = new Uint8Array(32).fill(3)
    const identity = Identity.fromSeed(seed)
    assert.strictEqual(identity.type, SignatureType.mlDsa65)
    assert.strictEqual(identity.address, Id.fromBytes(Hash.sha256(identity.owner)))
    assert.isTrue(Bytes.equal(identity.owner, Identity.fromSeed(Bytes.copy(seed)).owner))
    assert.notStrictEqual(Identity.fromSeed(seed, SignatureType.mlDsa44).address, identity.address)
  })

  it("keeps its own copy of the seed", () => {
    const seed = new Uint8Array(32).fill(3)
    const identity = Identity.fromSeed(seed)
    seed.fill(0)
    assert.strictEqual(Bytes.toHex(identity.seed), "03".repeat(32))
  })

  it("does not show its seed when printed or written as JSON", () => {
    const identity = Identity.fromSeed(new Uint8Array(32).fill(0xa7))
    for (const shown of [util.inspect(identity, { depth: 9, showHidden: true }), JSON.stringify(identity)]) {
      assert.notInclude(shown, "a7a7a7a7")
      assert.notInclude(shown, "167,167,167,167")
      assert.notInclude(shown, "167, 167, 167, 167")
    }
    assert.notInclude(Object.keys(identity), "seed")
  })

  it.effect("is made from the operating system's randomness, or from what stands in its place", () =>
    Effect.gen(function* () {
      const [a, b] = [yield* Identity.generate(), yield* Identity.generate()]
      assert.notStrictEqual(a.address, b.address)
      const seeded = { bytes: (length: number) => new Uint8Array(length).fill(9) }
      const c = yield* Identity.generate(SignatureType.mlDsa87).pipe(Effect.provideService(Entropy, seeded))
      assert.strictEqual(
        c.address,
        Identity.fromSeed(new Uint8Array(32).fill(9), SignatureType.mlDsa87).address,
      )
    }),
  )
})

describe("SigningContext", () => {
  it("is a closed list of distinct names that FIPS 204 takes", () => {
    const bytes = SigningContext.all.map((context) => Bytes.toText(SigningContext.toBytes(context)))
    assert.deepStrictEqual(bytes, [...SigningContext.all])
    assert.strictEqual(new Set(bytes).size, bytes.length)
    for (const context of SigningContext.all) assert.match(context, /^heddle\/[a-z]+\/1$/)
    for (const needed of ["item", "items", "batch", "attestation", "link", "descriptor", "channel"])
      assert.include([...SigningContext.all], `heddle/${needed}/1`)
  })
})

describe("VerifiedClaims", () => {
  it("knows as many as its limit and forgets the one unused for longest", () => {
    const claims = VerifiedClaims.make(3)
    for (const name of ["a", "b", "c"]) claims.add(name)
    assert.isTrue(claims.has("a")) // used again: "b" is now the oldest
    claims.add("d")
    assert.deepStrictEqual(
      ["a", "b", "c", "d"].map((name) => claims.has(name)),
      [true, false, true, true],
    )
    claims.add("d")
    assert.deepStrictEqual(
      ["a", "c", "d"].map((name) => claims.has(name)),
      [true, true, true],
    )
  })
})

/** Signatures as a process verifies them: `verify`, by the rules of `identity/`. */
import crypto from "node:crypto"
import * as curve from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js"
import { describe, expect, it } from "vitest"
import * as SignatureScheme from "../../compute-unit/SignatureScheme.ts"
import * as Ethereum from "../../identity/Ethereum.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import { describeShared } from "../vectors/shared.ts"
import { Stage } from "./Stage.ts"

interface Signed {
  readonly type: string
  readonly key: Uint8Array
  readonly message: Uint8Array | string
  readonly signature: Uint8Array
  readonly context?: Uint8Array | string
}

const limits = { fuel: 1_000_000_000n, memoryPagesMax: 256 }
const verifying = `
  const read = (value) => typeof value === "string" ? value : value && heddle.fromBase64Url(value.bytes)
  const asked = (m) => { const { type, key, message, signature, context } = m.json()
    return { type, key: read(key), message: read(message), signature: read(signature), context: read(context) } }
  heddle.on("Verify", (m) => heddle.verify(asked(m)))
  heddle.on("Read", (m) => { asked(m) })`
const stage = new Stage(verifying, { limits })

const written = (signed: Signed): string =>
  JSON.stringify(signed, (_, value: unknown) =>
    value instanceof Uint8Array ? { bytes: Bytes.toBase64Url(value) } : value,
  )
const sent = (signed: Signed) => ({ action: "Verify", data: written(signed) })
const verified = (signed: Signed): unknown => stage.value(sent(signed))

const message = Bytes.fromText("what was signed")
const seed = Bytes.fromHex("5e".repeat(32))!
const flipped = (bytes: Uint8Array, at = 0): Uint8Array => bytes.with(at, bytes[at]! ^ 1)

const noble = { "ML-DSA-44": ml_dsa44, "ML-DSA-65": ml_dsa65, "ML-DSA-87": ml_dsa87 } as const
const mlDsa = (type: keyof typeof noble, bytes: Uint8Array, context: Uint8Array): Signed => {
  const { secretKey, publicKey } = noble[type].keygen(seed)
  const signature = noble[type].sign(bytes, secretKey, { context, extraEntropy: false })
  return { type, key: publicKey, message: bytes, signature, context }
}

const ed25519 = (): Signed => {
  const key = curve.ed25519.getPublicKey(seed)
  return { type: "Ed25519", key, message, signature: curve.ed25519.sign(message, seed) }
}

const rsa = (): Signed => {
  const { privateKey, publicKey } = crypto.generateKeyPairSync("rsa", { modulusLength: 4_096 })
  const padding = crypto.constants.RSA_PKCS1_PSS_PADDING
  return {
    type: "RSA-PSS-4096",
    key: Bytes.fromBase64Url(publicKey.export({ format: "jwk" }).n!)!,
    message,
    signature: new Uint8Array(crypto.sign("sha256", message, { key: privateKey, padding, saltLength: 32 })),
  }
}

const ethereum = (): Signed => {
  const digest = Ethereum.personalDigest(message)
  const [recovery, ...rs] = secp256k1.sign(digest, seed, { prehash: false, format: "recovered" })
  const signature = Uint8Array.from([...rs, 27 + recovery!])
  return { type: "Ethereum", key: secp256k1.getPublicKey(seed, false), message, signature }
}

const all: ReadonlyArray<Signed> = [
  mlDsa("ML-DSA-44", message, Bytes.fromText("use")),
  mlDsa("ML-DSA-65", message, Bytes.fromText("use")),
  mlDsa("ML-DSA-87", message, Bytes.fromText("use")),
  ed25519(),
  rsa(),
  ethereum(),
]
const [, signed65] = all as readonly [Signed, Signed] // the first two of the six above

describe.each(all)("a signature of $type", (signed) => {
  const { type, key, signature } = signed

  it("is good for its key, message and context", () => {
    expect(verified(signed)).toBe(true)
    expect(verified({ ...signed, message: "what was signed" })).toBe(true)
  })

  it("is not good for anything else", () => {
    expect(verified({ ...signed, message: flipped(message) })).toBe(false)
    expect(verified({ ...signed, message: "" })).toBe(false)
    expect(verified({ ...signed, signature: flipped(signature, 40) })).toBe(false)
    expect(verified({ ...signed, key: flipped(key, key.length - 1) })).toBe(false)
    const [other] = all.filter((one) => one.type !== type)
    expect(verified({ ...signed, key: other!.key })).toBe(false)
  })

  it("is not good where it or the key has another length", () => {
    const lengths = (bytes: Uint8Array) => [
      new Uint8Array(0),
      bytes.subarray(0, -1),
      Bytes.concat([bytes, Bytes.u8(0)]),
      new Uint8Array(70_000),
    ]
    for (const cut of lengths(signature)) expect(verified({ ...signed, signature: cut })).toBe(false)
    for (const cut of lengths(key)) expect(verified({ ...signed, key: cut })).toBe(false)
  })

  it("costs the same fuel and leads to the same memory on a second run", () => {
    const run = () => {
      const s = new Stage(verifying, { limits })
      return [signed, { ...signed, signature: flipped(signature, 40) }].map((one) => [
        s.done(sent(one)).fuelUsed,
        s.root,
      ])
    }
    expect(run()).toEqual(run())
  })
})

describe("the context of ML-DSA", () => {
  it("is part of what was signed", () => {
    for (const context of ["", "us", "use ", Bytes.fromText("other")])
      expect(verified({ ...signed65, context })).toBe(false)
    expect(verified({ ...signed65, context: "use" })).toBe(true)
  })

  it("is empty where none is given", () => {
    const { context: _, ...bare } = mlDsa("ML-DSA-65", message, new Uint8Array(0))
    expect(verified(bare)).toBe(true)
    const { context: __, ...bound } = signed65
    expect(verified(bound)).toBe(false)
  })

  it("has at most 255 bytes", () => {
    const context = new Uint8Array(255).fill(7)
    expect(verified(mlDsa("ML-DSA-44", message, context))).toBe(true)
    expect(verified({ ...mlDsa("ML-DSA-44", message, context), context: new Uint8Array(256).fill(7) })).toBe(
      false,
    )
  })

  it("is refused for the schemes that bind none, so that nobody relies on it", () => {
    for (const type of ["Ed25519", "RSA-PSS-4096", "Ethereum"]) {
      const [signed] = all.filter((one) => one.type === type)
      expect(stage.failed(sent({ ...signed!, context: "use" })).message).toBe(
        `TypeError: ${type} has no context`,
      )
    }
  })
})

describe("a message to verify", () => {
  it("has at most 57,344 bytes, with the longest of keys, signatures and contexts", () => {
    const context = new Uint8Array(255).fill(7)
    const most = new Uint8Array(57_344).fill(1)
    expect(verified(mlDsa("ML-DSA-87", most, context))).toBe(true)
    const tooLong = "RangeError: a message to verify has at most 57344 bytes: sign and verify its hash"
    for (const message of [
      new Uint8Array(57_345),
      "a".repeat(57_345),
      "é".repeat(28_673),
      "a".repeat(70_000),
    ])
      expect(stage.failed(sent({ ...signed65, message })).message).toBe(tooLong)
  })

  it.each([
    [`{}`, `RangeError: there is no type of signature "undefined"`],
    [`{ type: "ML-DSA-65-batch" }`, `RangeError: there is no type of signature "ML-DSA-65-batch"`],
    [`{ type: "constructor" }`, `RangeError: there is no type of signature "constructor"`],
    [`{ type: 1065 }`, `RangeError: there is no type of signature "1065"`],
    [`{ type: "Ed25519", key: "text" }`, "TypeError: the key is a Uint8Array, not a string"],
    [`{ type: "Ed25519", key: bytes }`, "TypeError: the signature is a Uint8Array, not a undefined"],
    [
      `{ type: "Ed25519", key: bytes, signature: bytes }`,
      "TypeError: the message is a Uint8Array, not a undefined",
    ],
    [
      `{ type: "ML-DSA-65", key: bytes, signature: bytes, message: "", context: 1 }`,
      "TypeError: the context is a Uint8Array, not a number",
    ],
    [`undefined`, "TypeError"],
  ])("refuses in the author's face: %s", (given, message) => {
    const s = new Stage(`const bytes = new Uint8Array(32); heddle.on("X", () => heddle.verify(${given}))`)
    expect(s.failed("X").message).toContain(message)
  })
})

describe("the price of a verification", () => {
  it("is that of its scheme, whatever comes of it", () => {
    const cost = (signed: Signed): bigint =>
      stage.done(sent(signed)).fuelUsed - stage.done({ ...sent(signed), action: "Read" }).fuelUsed
    const numbers = [1_044, 1_065, 1_087, 2, 1, 3]
    for (const [i, signed] of all.entries()) {
      const { start } = SignatureScheme.table[numbers[i]!]!
      for (const one of [signed, { ...signed, signature: flipped(signed.signature, 40) }]) {
        expect(cost(one)).toBeGreaterThan(start - 100_000n)
        expect(cost(one)).toBeLessThan(start + 100_000n)
      }
    }
  })

  it("ends a turn that can't pay it", () => {
    const s = new Stage(verifying, { limits: { ...limits, fuel: 20_000_000n } })
    expect(s.failed(sent(all[5]!))).toMatchObject({ reason: "out of fuel" })
  })
})

interface Acvp {
  readonly sigVer: ReadonlyArray<{
    readonly parameterSet: string
    readonly pk: string
    readonly message: string
    readonly context: string
    readonly signature: string
    readonly testPassed: boolean
  }>
}

describeShared("ML-DSA in a process, NIST ACVP", "vectors/ml-dsa-acvp.json", ({ sigVer }: Acvp) => {
  const hex = (text: string): Uint8Array => Bytes.fromHex(text)!

  it("agrees on 20 signatures of which 3 are good", () => {
    const verdicts = sigVer.map(({ parameterSet, pk, message, context, signature }) =>
      verified({
        type: parameterSet,
        key: hex(pk),
        message: hex(message),
        signature: hex(signature),
        context: hex(context),
      }),
    )
    expect(verdicts).toEqual(sigVer.map(({ testPassed }) => testPassed))
    expect(verdicts.filter(Boolean)).toHaveLength(3)
  })
})

interface Wycheproof {
  readonly testGroups: ReadonlyArray<{
    readonly publicKey: { readonly pk: string }
    readonly tests: ReadonlyArray<{ readonly msg: string; readonly sig: string; readonly result: string }>
  }>
}

describeShared(
  "Ed25519 in a process, Wycheproof",
  "vectors/wycheproof-ed25519_test.json",
  (vectors: Wycheproof) => {
    it("agrees on all 151 signatures", () => {
      const agreed = { valid: 0, invalid: 0 }
      for (const { publicKey, tests } of vectors.testGroups)
        for (const { msg, sig, result } of tests) {
          const [key, message, signature] = [publicKey.pk, msg, sig].map((text) => Bytes.fromHex(text)!)
          const good = verified({ type: "Ed25519", key: key!, message: message!, signature: signature! })
          expect(good ? "valid" : "invalid").toBe(result)
          agreed[good ? "valid" : "invalid"] += 1
        }
      expect(agreed).toEqual({ valid: 88, invalid: 63 })
    })
  },
)

/** Hashes as a process asks for them: `hash`, over the host's table, and over its turn's output where data is long. */
import crypto from "node:crypto"
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js"
import { sha3_256, sha3_384, sha3_512, shake128, shake256 } from "@noble/hashes/sha3.js"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as HashAlgorithm from "../../compute-unit/HashAlgorithm.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import { id, Stage } from "./Stage.ts"

const limits = { fuel: 10_000_000_000n, memoryPagesMax: 1_024 }

const hashing = `
  const asked = (m) => heddle.hash(m.tags.Hash, m.tags.As === "text" ? m.data : m.bytes(), m.tags.Size && Number(m.tags.Size))
  heddle.on("Hash", (m) => heddle.toBase64Url(asked(m)))
  heddle.on("Between", (m) => {
    heddle.send(m.from, { data: "before" })
    const digest = heddle.toBase64Url(asked(m))
    heddle.send(m.from, { data: "after" })
    return digest
  })`
const stage = new Stage(hashing, { limits })

const ask = (name: string, data: string | Uint8Array, size?: number) => ({
  action: "Hash",
  data,
  tags: [
    ["Hash", name],
    ["As", typeof data === "string" ? "text" : "bytes"],
    ...(size === undefined ? [] : [["Size", String(size)] as const]),
  ] as ReadonlyArray<readonly [string, string]>,
})
const digest = (name: string, data: string | Uint8Array, size?: number): string =>
  Bytes.toHex(Bytes.fromBase64Url(stage.value(ask(name, data, size)) as string)!) // answered in base64url

/** The same by a library that shares no code with the host's. */
const others: Readonly<Record<string, (data: Uint8Array, size: number) => Uint8Array>> = {
  sha256: (data) => sha256(data),
  sha384: (data) => sha384(data),
  sha512: (data) => sha512(data),
  "sha3-256": (data) => sha3_256(data),
  "sha3-384": (data) => sha3_384(data),
  "sha3-512": (data) => sha3_512(data),
  shake128: (data, dkLen) => shake128(data, { dkLen }),
  shake256: (data, dkLen) => shake256(data, { dkLen }),
}
const names = Object.keys(others)
const isShake = (name: string) => name.startsWith("shake")

/** By the host's own library, which is fast enough for what is long. */
const ofNode = (name: string, data: Uint8Array, size?: number): string =>
  crypto
    .createHash(name, size === undefined ? {} : { outputLength: size })
    .update(data)
    .digest("hex")

/** Bytes without a pattern, the same on every run. */
const filler = (length: number): Uint8Array =>
  new Uint8Array(crypto.createHash("shake128", { outputLength: length }).update("filler").digest())

describe("a hash", () => {
  it.each([
    ["sha256", "abc", undefined, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "sha384",
      "abc",
      undefined,
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    ],
    [
      "sha512",
      "abc",
      undefined,
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ],
    ["sha3-256", "abc", undefined, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"],
    [
      "sha3-384",
      "abc",
      undefined,
      "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25",
    ],
    [
      "sha3-512",
      "abc",
      undefined,
      "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
    ],
    ["shake128", "", 32, "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26"],
    [
      "shake256",
      "",
      64,
      "46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762fd75dc4ddd8c0f200cb05019d67b592f6fc821c49479ab48640292eacb3b7c4be",
    ],
  ])("is that of the standard: %s", (name, data, size, expected) => {
    expect(digest(name, data, size)).toBe(expected)
    expect(digest(name, Bytes.fromText(data), size)).toBe(expected)
  })

  it("is right on both sides of every block of every algorithm", () => {
    const blocks = [64, 72, 104, 128, 136, 144, 168]
    const lengths = [
      0,
      1,
      ...blocks.flatMap((block) => [block - 17, block - 9, block - 8, block - 1, block, block + 1]),
    ]
    const all = filler(200)
    for (const name of names)
      for (const length of lengths) {
        const data = new Uint8Array(all.subarray(0, length))
        const size = isShake(name) ? length + 1 : undefined
        expect(digest(name, data, size), `${name} of ${length}`).toBe(
          Bytes.toHex(others[name]!(data, length + 1)),
        )
      }
  })

  it("is right for bytes of any length, in one piece and in several", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.oneof(
          fc.nat(500),
          fc.integer({ min: 65_490, max: 65_560 }),
          fc.integer({ min: 65_560, max: 300_000 }),
        ),
        fc.integer({ min: 1, max: 400 }),
        (name, length, bytes) => {
          const data = filler(length)
          const size = isShake(name) ? bytes : undefined
          expect(digest(name, data, size)).toBe(ofNode(name, data, size))
        },
      ),
      { numRuns: 60, seed: 3 },
    )
  })

  it("of a text is that of its UTF-8, in one piece and in several", () => {
    for (const text of [
      "",
      "é€😀\0",
      "a".repeat(65_504),
      "a".repeat(65_505),
      "é".repeat(32_753),
      "😀€a".repeat(40_000),
    ])
      expect(digest("sha3-256", text)).toBe(ofNode("sha3-256", Bytes.fromText(text)))
  })

  it("of SHAKE has as many bytes as are asked for, up to 65,536", () => {
    const data = Bytes.fromText("seed")
    for (const size of [1, 31, 168, 169, 65_536])
      expect(digest("shake128", data, size)).toBe(ofNode("shake128", data, size))
  })

  it("leaves what the turn sends before and after it as it was", () => {
    for (const length of [10, 200_000]) {
      const data = filler(length)
      const { outbox, replies } = stage.done({ ...ask("sha512", data), action: "Between" }).emission
      expect(outbox.map((entry) => Bytes.toText(entry.data))).toEqual(["before", "after"])
      const value = JSON.stringify(Buffer.from(ofNode("sha512", data), "hex").toString("base64url"))
      expect(replies).toMatchObject([{ value }])
    }
  })

  it("is of at most 10 MiB, however much the turn sends", () => {
    const sized = (length: number) =>
      new Stage(
        `heddle.on("X", (m) => {
          heddle.send(m.from, { data: new Uint8Array(10 * 1024 * 1024 - 6000) })
          return heddle.toBase64Url(heddle.hash("sha256", new Uint8Array(${length}))) })`,
        { limits },
      )
    const most = 10 * 1024 * 1024
    const expected = Buffer.from(ofNode("sha256", new Uint8Array(most)), "hex").toString("base64url")
    expect(sized(most).value("X")).toBe(expected)
    expect(sized(most + 1).failed("X").message).toBe(
      "RangeError: a hash is of at most 10485760 bytes of data",
    )
  })

  it("that was refused halfway leaves the turn whole for who catches it", () => {
    const s = new Stage(
      `heddle.on("X", (m) => {
        heddle.send(m.from, { data: "before" })
        try { heddle.hash("sha256", new Uint8Array(11e6)) } catch (error) { heddle.send(m.from, { data: error.name }) } })`,
      { limits },
    )
    const { outbox } = s.done("X").emission
    expect(outbox.map((entry) => Bytes.toText(entry.data))).toEqual(["before", "RangeError"])
  })

  it.each([
    [`"md5", ""`, `RangeError: there is no hash "md5"`],
    [`"__proto__", ""`, `RangeError: there is no hash "__proto__"`],
    [`{}, ""`, `RangeError: there is no hash "[object Object]"`],
    [`"sha256", "", 20`, "RangeError: sha256 gives 32 bytes, not 20"],
    [`"shake128", ""`, "RangeError: shake128 takes the number of bytes that it shall give, 1 to 65536"],
    [`"shake256", "", 0`, "RangeError: shake256 takes the number of bytes"],
    [`"shake256", "", 65537`, "RangeError: shake256 takes the number of bytes"],
    [`"shake256", "", 1.5`, "RangeError: shake256 takes the number of bytes"],
    [`"sha256", [1]`, "TypeError: a hash is of a text or a Uint8Array, not of a object"],
    [`"sha256", new Uint16Array(1)`, "TypeError: a hash is of a text or a Uint8Array, not of a object"],
    [`"sha256"`, "TypeError: a hash is of a text or a Uint8Array, not of a undefined"],
  ])("refuses in the author's face: %s", (args, message) => {
    expect(new Stage(`heddle.on("X", () => heddle.hash(${args}))`).failed("X").message).toContain(message)
  })

  it("can be asked for while the module loads", () => {
    const s = new Stage(
      `const digest = heddle.toBase64Url(heddle.hash("sha256", new Uint8Array(100000))); heddle.on("X", () => digest)`,
    )
    expect(s.value("X")).toBe(crypto.createHash("sha256").update(new Uint8Array(100_000)).digest("base64url"))
  })

  it("costs the same fuel and leads to the same memory on a second run", () => {
    const run = () => {
      const s = new Stage(hashing, { limits })
      return names.flatMap((name) =>
        [100, 100_000].map((length) => {
          const { fuelUsed } = s.done(
            ask(name, new Uint8Array(length).fill(7), isShake(name) ? 50 : undefined),
          )
          return [name, length, fuelUsed, s.root]
        }),
      )
    }
    expect(run()).toEqual(run())
  })

  it("is paid for by the byte before it is made, and ends a turn that can't pay", () => {
    const s = new Stage(
      `heddle.on("X", (m) => { heddle.hash(m.tags.Hash, m.bytes().fill(1), m.tags.Hash.startsWith("shake") ? 1 : undefined) })`,
    )
    s.spawn()
    const cost = (name: string, length: number) =>
      s.done({ action: "X", data: new Uint8Array(length).fill(255), tags: [["Hash", name]] }).fuelUsed
    for (const { name, perByte } of Object.values(HashAlgorithm.table)) {
      const base = cost("sha256", 60_000)
      const expected = (perByte - 8n) * 60_000n
      expect(Number(cost(name, 60_000) - base - expected)).toBeLessThan(60_000)
      expect(Number(cost(name, 60_000) - base - expected)).toBeGreaterThan(-60_000)
    }
    s.limits = { ...s.limits, fuel: 3_000_000n }
    const long = {
      action: "X",
      data: new Uint8Array(60_000).fill(255),
      tags: [["Hash", "sha3-512"]] as const,
    }
    expect(s.failed(long)).toMatchObject({ reason: "out of fuel", fuelUsed: 3_000_000n })
  })
})

describe("base64url", () => {
  const s = new Stage(
    `heddle.on("To", (m) => heddle.toBase64Url(m.bytes()))
     heddle.on("From", (m) => { const bytes = heddle.fromBase64Url(m.data); return [heddle.toBase64Url(bytes), bytes.length] })`,
    { limits },
  )

  it("is what Node makes of the same bytes, and reads back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (data) => {
        const text = Buffer.from(data).toString("base64url")
        expect(s.value({ action: "To", data })).toBe(text)
        expect(s.value({ action: "From", data: text })).toEqual([text, data.length])
      }),
      { numRuns: 60, seed: 5 },
    )
  })

  it("reads an id as its 32 bytes", () => {
    expect(s.value({ action: "From", data: id("ada") })).toEqual([id("ada"), 32])
  })

  it.each(["A", "AB", "AAB", "AA==", "A+A=", "A/AA", "AA A", "AAé", "AAAAA"])(
    "refuses another spelling: %s",
    (data) => {
      expect(s.failed({ action: "From", data }).message).toBe(
        "TypeError: the text is not base64url without padding",
      )
    },
  )

  it("is of bytes and texts only", () => {
    const failing = (code: string) => new Stage(`heddle.on("X", () => ${code})`).failed("X").message
    expect(failing(`heddle.toBase64Url("text")`)).toBe("TypeError: the value is a Uint8Array, not a string")
    expect(failing(`heddle.fromBase64Url(1)`)).toBe("TypeError: the text is not base64url without padding")
  })
})

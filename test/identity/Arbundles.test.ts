/** heddle and arbundles read, verify and write each other's items. */
import crypto from "node:crypto"
import { ed25519 } from "@noble/curves/ed25519.js"
import { afterEach, assert, beforeAll, beforeEach, describe, it, vi } from "@effect/vitest"
import * as Result from "effect/Result"
import * as ItemSignature from "../../identity/ItemSignature.ts"
import * as Bundle from "../../runtime/Bundle.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import * as Tag from "../../runtime/Tag.ts"
import * as Oracle from "../oracle/arbundles.ts"

let oracle: Oracle.Arbundles
beforeAll(() => {
  const loaded = Oracle.load()
  if (loaded !== undefined) oracle = loaded
}, 300_000)

beforeEach(({ skip }) => {
  skip(oracle === undefined, "the oracle is not installed")
  // arweave-js writes a warning for each signature that does not verify.
  vi.spyOn(console, "warn").mockImplementation(() => undefined)
})
afterEach(() => void vi.restoreAllMocks())

const seed = new Uint8Array(32).fill(7)
const jwk = crypto.generateKeyPairSync("rsa", { modulusLength: 4096 }).privateKey.export({ format: "jwk" })

const wallets = [
  { type: SignatureType.arweave, signer: () => new oracle.ArweaveSigner(jwk) },
  {
    type: SignatureType.ed25519,
    signer: () => new oracle.SolanaSigner(oracle.base58(Bytes.concat([seed, ed25519.getPublicKey(seed)]))),
  },
  { type: SignatureType.ethereum, signer: () => new oracle.EthereumSigner(Bytes.toHex(seed)) },
]

const target = new Uint8Array(32).fill(3)
const anchor = new Uint8Array(32).fill(4)
const tags = [
  { name: "Data-Protocol", value: "ao" },
  { name: "Größe", value: "🧵".repeat(30) },
]
const data = Bytes.fromText("some data")

const shapes = [
  { target: undefined, anchor: undefined, tags: [], data: Bytes.empty },
  { target, anchor: undefined, tags: [], data },
  { target: undefined, anchor, tags, data },
  { target, anchor, tags, data },
]

describe("arbundles", () => {
  for (const { type, signer } of wallets) {
    it(`${type.name}: what arbundles writes and signs, heddle reads and verifies`, async () => {
      for (const shape of shapes) {
        const theirs = oracle.createData(shape.data, signer(), {
          tags: shape.tags,
          ...(shape.target === undefined ? {} : { target: Bytes.toBase64Url(shape.target) }),
          ...(shape.anchor === undefined ? {} : { anchor: shape.anchor }),
        })
        await theirs.sign(signer())
        const ours = Result.getOrThrow(Item.decode(new Uint8Array(theirs.getRaw())))
        assert.strictEqual(ours.type, type)
        assert.strictEqual(ours.id, theirs.id)
        assert.deepStrictEqual(ours.tags, shape.tags)
        assert.isTrue(Bytes.equal(ours.target, shape.target ?? Bytes.empty))
        assert.isTrue(Bytes.equal(ours.anchor, shape.anchor ?? Bytes.empty))
        assert.isTrue(Bytes.equal(ours.data, shape.data))
        assert.isTrue(Bytes.equal(Item.signingHash(ours), await theirs.getSignatureData()))
        assert.strictEqual(ItemSignature.check(ours), true)
        assert.isTrue(
          Bytes.equal(Result.getOrThrow(Item.encode(ours, ours.signature)).bytes, theirs.getRaw()),
        )
      }
    })

    it(`${type.name}: what heddle writes, arbundles reads and verifies, and both refuse it bent`, async () => {
      for (const shape of shapes) {
        const owner = new Uint8Array(signer().publicKey)
        const content = Result.getOrThrow(Item.content({ ...shape, type, owner }))
        const signature = new Uint8Array(await signer().sign(Item.signingHash(content)))
        const ours = Result.getOrThrow(Item.encode(content, signature))
        const theirs = new oracle.DataItem(Buffer.from(ours.bytes))
        assert.strictEqual(theirs.id, ours.id)
        assert.deepStrictEqual(theirs.tags, shape.tags)
        assert.isTrue(Bytes.equal(theirs.rawData, shape.data))
        assert.isTrue(Bytes.equal(theirs.rawTarget, ours.target))
        assert.isTrue(Bytes.equal(theirs.rawAnchor, ours.anchor))
        assert.isTrue(Bytes.equal(theirs.rawOwner, owner))
        assert.isTrue(await theirs.isValid())
        assert.strictEqual(ItemSignature.check(ours), true)

        const bent = Bytes.copy(ours.bytes)
        bent[10]! ^= 1
        assert.isFalse(await oracle.DataItem.verify(Buffer.from(bent)).catch(() => false))
        assert.strictEqual(ItemSignature.check(Result.getOrThrow(Item.decode(bent))), "bad signature")
      }
    })
  }

  it("bundles as heddle does, and each reads the other's", async () => {
    const signer = wallets[1]!.signer()
    const theirs = await oracle.bundleAndSignData(
      [1, 2, 3].map((n) => oracle.createData(new Uint8Array(n), signer, { tags })),
      signer,
    )
    const items = Result.getOrThrow(Bundle.decode(new Uint8Array(theirs.getRaw())))
    assert.strictEqual(items.length, 3)
    const written = Bundle.encode(items)
    assert.isTrue(Bytes.equal(written, theirs.getRaw()))
    const again = new oracle.Bundle(Buffer.from(written))
    assert.deepStrictEqual(
      again.items.map(({ id }) => id),
      items.map(({ id }) => id as string),
    )
    assert.isTrue(await again.verify())
  })

  it("writes tags as heddle does, with the same limit of 4,096 bytes", () => {
    const filling = (length: number) => [{ name: "n", value: "v".repeat(length - 6) }]
    for (const some of [tags, filling(64), filling(Limit.tagsBytesMax)])
      assert.isTrue(Bytes.equal(Result.getOrThrow(Tag.encode(some)), oracle.serializeTags(some)))
    assert.throws(() => oracle.serializeTags(filling(Limit.tagsBytesMax + 1)))
    assert.isTrue(Result.isFailure(Tag.encode(filling(Limit.tagsBytesMax + 1))))
  })

  it("refuses an item of 4,097 bytes of tags as heddle does; heddle alone counts to 128 and wants them filled", async () => {
    const [{ type, signer }] = [wallets[1]!]
    /** An item whose tag bytes are put in as they are. */
    const item = async (tagBytes: Uint8Array, count: number) => {
      const owner = new Uint8Array(signer().publicKey)
      const content = { type, owner, target: Bytes.empty, anchor: Bytes.empty, tagBytes, data, tags: [] }
      const signature = new Uint8Array(await signer().sign(Item.signingHash(content)))
      const bytes = Bytes.copy(Result.getOrThrow(Item.encode(content, signature)).bytes)
      bytes.set(Bytes.u64(count), 2 + 64 + 32 + 2)
      return bytes
    }
    const verdicts = async (tagBytes: Uint8Array, count: number) => {
      const bytes = await item(tagBytes, count)
      return [Result.isSuccess(Item.decode(bytes)), await oracle.DataItem.verify(Buffer.from(bytes))]
    }
    const many = (count: number) => {
      const one = Uint8Array.of(2, 97, 2, 98)
      const head = Uint8Array.of(((count * 2) & 0x7f) | 0x80, (count * 2) >> 7)
      return Bytes.concat([head, ...Array.from({ length: count }, () => one), Bytes.u8(0)])
    }
    const long = (length: number) =>
      Bytes.concat([
        Uint8Array.of(2, 2, 110, ((length * 2) & 0x7f) | 0x80, (length * 2) >> 7),
        new Uint8Array(length).fill(118),
        Bytes.u8(0),
      ])
    assert.deepStrictEqual(await verdicts(long(4_090), 1), [true, true])
    assert.deepStrictEqual(await verdicts(long(4_091), 1), [false, false])
    assert.deepStrictEqual(await verdicts(many(128), 128), [true, true])
    assert.deepStrictEqual(await verdicts(many(128), 127), [false, false])
    assert.deepStrictEqual(await verdicts(many(129), 129), [false, true])
    assert.deepStrictEqual(await verdicts(Uint8Array.of(2, 2, 97, 0, 0), 1), [false, true])
  })
})

import crypto from "node:crypto"
import { assert, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as ItemSignature from "../../identity/ItemSignature.ts"
import * as Bundle from "../../runtime/Bundle.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Item from "../../runtime/Item.ts"
import * as Tag from "../../runtime/Tag.ts"
import { describeShared } from "../vectors/shared.ts"

interface Schedule {
  readonly process: string
  readonly entries: ReadonlyArray<{
    readonly nonce: number
    readonly timestamp: number
    readonly hashChain: string
    readonly assignment: string
    readonly message?: string
    readonly item: string
  }>
}

const sha256 = (...parts: ReadonlyArray<Uint8Array>) =>
  new Uint8Array(crypto.createHash("sha256").update(Buffer.concat(parts)).digest())

describeShared("a real AO schedule", "ao-schedule.json", ({ process, entries }: Schedule) => {
  const read = entries.map((entry) => {
    const item = Result.getOrThrow(Item.decode(Bytes.fromBase64Url(entry.item)!))
    return { entry, item, inner: Result.getOrThrow(Bundle.decode(item.data)) }
  })

  it("has 31 entries, of which 16 carry their message and 15 name one that stands elsewhere", () => {
    assert.strictEqual(read.length, 31)
    assert.strictEqual(read.filter(({ inner }) => inner.length === 2).length, 16)
    assert.strictEqual(read.filter(({ inner }) => inner.length === 1).length, 15)
  })

  it("gives each item, assignment and message the id that was recorded", () => {
    for (const { entry, inner } of read) {
      assert.strictEqual(inner[0]!.id, entry.assignment)
      assert.strictEqual(inner[1]?.id, entry.message)
      // The spawn's assignment names no message; every other one does, carried or not.
      const named = Tag.value(inner[0]!.tags, "Message")
      assert.strictEqual(named === undefined, entry.nonce === 0)
      if (named !== undefined && inner.length === 2) assert.strictEqual(named, entry.message)
      assert.strictEqual(Tag.value(inner[0]!.tags, "Nonce"), String(entry.nonce))
      assert.strictEqual(Tag.value(inner[0]!.tags, "Timestamp"), String(entry.timestamp))
    }
  })

  it("carries 78 RSA signatures, all good", () => {
    const items = read.flatMap(({ item, inner }) => [item, ...inner])
    assert.strictEqual(items.length, 78)
    for (const item of items) assert.strictEqual(ItemSignature.check(item), true)
  })

  it("gives the hash chain that was recorded", () => {
    let chain = sha256(Bytes.fromBase64Url(process)!)
    for (const [n, { entry, inner }] of read.entries()) {
      if (n > 0) chain = sha256(Bytes.fromBase64Url(read[n - 1]!.entry.assignment)!, chain)
      assert.strictEqual(Bytes.toBase64Url(chain), entry.hashChain)
      assert.strictEqual(Tag.value(inner[0]!.tags, "Hash-Chain"), entry.hashChain)
    }
  })

  it("comes out as the same bytes when written again", () => {
    for (const { item, inner } of read) {
      for (const each of [item, ...inner]) {
        const { type, owner, target, anchor, tags, data } = each
        const content = Result.getOrThrow(Item.content({ type, owner, target, anchor, tags, data }))
        const written = Result.getOrThrow(Item.encode(content, each.signature))
        assert.isTrue(Bytes.equal(written.bytes, each.bytes))
        assert.strictEqual(written.id, each.id)
      }
      assert.isTrue(Bytes.equal(Bundle.encode(inner), item.data))
    }
  })

  it("is refused as soon as one byte of a signature, owner, tag or data is another", () => {
    let refused = 0
    for (const { item } of read.slice(0, 3)) {
      for (const at of [2, 513, 514, 1025, item.bytes.length - 1]) {
        const bytes = Bytes.copy(item.bytes)
        bytes[at]! ^= 1
        assert.strictEqual(ItemSignature.check(Result.getOrThrow(Item.decode(bytes))), "bad signature")
        refused += 1
      }
    }
    assert.strictEqual(refused, 15)
  })
})

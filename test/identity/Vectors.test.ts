/**
 * Our own vectors, read in place; the second implementation that made them is `test/vectors/reference.ts`.
 */
import fs from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Claim from "../../identity/Claim.ts"
import * as ItemSignature from "../../identity/ItemSignature.ts"
import * as MlDsa from "../../identity/MlDsa.ts"
import type * as SigningContext from "../../identity/SigningContext.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import { files, write } from "../vectors/generate.ts"
import type * as Make from "../vectors/make.ts"
import type { signature } from "../vectors/makeSignatures.ts"
import { own } from "../vectors/shared.ts"

const hex = (text: string): Uint8Array => Bytes.fromHex(text)!
const base64 = (text: string): Uint8Array => Bytes.fromBase64Url(text)!

/** As many invalid cases as valid ones, and not few. */
const isBalanced = (cases: ReadonlyArray<{ readonly valid: boolean }>, least: number): boolean => {
  const valid = cases.filter((each) => each.valid).length
  return valid >= least && cases.length - valid >= valid
}

describe("spec/vectors", () => {
  for (const [name, make] of Object.entries(files))
    it(`${name} is what the generator writes`, () => {
      const file = fileURLToPath(new URL(`../../spec/vectors/${name}`, import.meta.url))
      assert.strictEqual(fs.readFileSync(file, "utf8"), write(make()))
    })
})

describe("spec/vectors/id.json", () => {
  const { cases } = own<ReturnType<typeof Make.id>>("id.json")
  it("has as many invalid as valid cases", () => assert.isTrue(isBalanced(cases, 8)))
  for (const each of cases)
    it(`${each.valid ? "reads" : "refuses"}: ${each.name}`, () => {
      const id = Id.parse(each.text)
      assert.strictEqual(id !== undefined, each.valid)
      if (id !== undefined && "bytes" in each) {
        assert.strictEqual(Bytes.toHex(Id.toBytes(id)), each.bytes)
        assert.strictEqual(Id.fromBytes(hex(each.bytes)), each.text)
      }
    })
})

describe("spec/vectors/merkle.json", () => {
  const { roots, cases } = own<ReturnType<typeof Make.merkle>>("merkle.json")
  const values = (count: number) => Array.from({ length: count }, (_, i) => Hash.sha256(Bytes.u32(i)))
  it("has as many invalid as valid cases", () => assert.isTrue(isBalanced(cases, 5)))
  for (const { count, root } of roots)
    it(`root of ${count} leaves`, () => assert.strictEqual(Bytes.toHex(Merkle.root(values(count))), root))
  for (const { name, count, index, value, path, root, valid } of cases)
    it(`${valid ? "opens" : "does not open"}: ${name}`, () => {
      const found = Bytes.toHex(Merkle.rootOf(index, hex(value), path.map(hex)))
      assert.strictEqual(found === root, valid)
      if (valid) assert.deepStrictEqual(Merkle.path(Merkle.tree(values(count)), index).map(Bytes.toHex), path)
    })
})

describe("spec/vectors/item.json", () => {
  const { cases } = own<ReturnType<typeof Make.item>>("item.json")
  it("has as many invalid as valid cases", () => assert.isTrue(isBalanced(cases, 10)))
  for (const each of cases)
    it(`${each.valid ? "reads" : "refuses"}: ${each.name}`, () => {
      const read = Item.decode(hex(each.bytes))
      if (!("fields" in each)) {
        assert.strictEqual(Result.isFailure(read) ? read.failure.reason : "read", each.refusal)
        return
      }
      const { owner, target, anchor, tags, data } = each.fields
      const type = SignatureType.find(each.fields.type)!
      const content = Result.getOrThrow(
        Item.content({
          type,
          owner: hex(owner),
          target: hex(target),
          anchor: hex(anchor),
          tags,
          data: hex(data),
        }),
      )
      const written = Result.getOrThrow(Item.encode(content, hex(each.signature)))
      assert.strictEqual(Bytes.toHex(written.bytes), each.bytes)
      for (const item of [written, Result.getOrThrow(read)]) {
        assert.strictEqual(item.id, each.id)
        assert.deepStrictEqual(item.tags, tags)
        assert.strictEqual(Bytes.toHex(item.target), target)
        assert.strictEqual(Bytes.toHex(item.anchor), anchor)
        assert.strictEqual(Bytes.toHex(item.data), data)
        assert.strictEqual(Bytes.toHex(Item.signingHash(item)), each.signingHash)
        assert.strictEqual(Bytes.toHex(Item.contentHash(item)), each.contentHash)
      }
    })
})

describe("spec/vectors/signature.json", () => {
  const { secrets, owners, items, outbox, claims } = own<ReturnType<typeof signature>>("signature.json")

  it("has as many invalid as valid cases", () => {
    assert.isTrue(isBalanced(items, 13))
    assert.isTrue(isBalanced(outbox, 2))
    assert.isTrue(isBalanced(claims, 2))
    const types = new Set(
      items.filter((each) => each.valid).map((each) => new Bytes.Reader(base64(each.item)).u16()),
    )
    assert.deepStrictEqual([...types], [1, 2, 3, 1044, 1065, 1087, 2044, 2065, 2087])
  })

  for (const type of [SignatureType.mlDsa44, SignatureType.mlDsa65, SignatureType.mlDsa87])
    it(`the seed of ${type.number} gives its owner and address`, () => {
      const { owner } = MlDsa.fromSeed(type, hex(secrets[`${type.number}` as keyof typeof secrets] as string))
      assert.strictEqual(Bytes.toBase64Url(owner), owners[`${type.number}`]!.owner)
      assert.strictEqual(Id.fromBytes(Hash.sha256(owner)), owners[`${type.number}`]!.address)
    })

  for (const each of items)
    it(`${each.valid ? "takes" : "refuses"}: ${each.name}`, () => {
      const item = Result.getOrThrow(Item.decode(base64(each.item)))
      assert.strictEqual(ItemSignature.check(item), each.valid ? true : each.refusal)
    })

  for (const { name, item, index, source, head, valid } of outbox)
    it(`outbox ${valid ? "fits" : "does not fit"}: ${name}`, () => {
      const read = Result.getOrThrow(Item.decode(base64(item)))
      assert.strictEqual(ItemSignature.check(read), "outbox item without proof")
      const origin = OutboxItem.origin(read)
      assert.strictEqual(origin !== undefined, valid)
      if (origin === undefined) return
      assert.deepStrictEqual(
        [Bytes.toHex(Id.toBytes(origin.source)), Bytes.toHex(origin.head), origin.index],
        [source, head, index],
      )
      const target = read.target.length === 0 ? undefined : read.target
      const made = Result.getOrThrow(OutboxItem.make(origin, { target, tags: read.tags, data: read.data }))
      assert.strictEqual(Bytes.toBase64Url(made.bytes), item)
    })

  for (const { name, type, owner, context, bytes, signature, valid } of claims)
    it(`claim ${valid ? "holds" : "does not hold"}: ${name}`, () => {
      const claim = {
        type: SignatureType.find(type)!,
        owner: base64(owner),
        context: context as SigningContext.SigningContext, // the vectors name contexts of the closed list
        bytes: hex(bytes),
        signature: base64(signature),
      }
      assert.strictEqual(Claim.holds(claim), valid)
    })
})

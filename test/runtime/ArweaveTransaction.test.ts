import crypto from "node:crypto"
import { createRequire } from "node:module"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ArweaveData from "../../runtime/ArweaveData.ts"
import * as ArweaveTransaction from "../../runtime/ArweaveTransaction.ts"
import * as ArweaveWallet from "../../runtime/ArweaveWallet.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Limit from "../../runtime/Limit.ts"
import { noise } from "../compliance/archive.ts"
import { text, wallet } from "../support/ArweaveWallet.ts"

interface Theirs {
  data_root: string
  readonly getSignatureData: () => Promise<Uint8Array>
  readonly prepareChunks: (data: Uint8Array) => Promise<void>
  readonly getChunk: (index: number, data: Uint8Array) => Readonly<Record<string, string>>
}

const require = createRequire(import.meta.url)
const { default: Transaction } = require("arweave/node/lib/transaction.js") as {
  readonly default: new (json: object) => Theirs
}
const { default: Driver } = require("arweave/node/lib/crypto/node-driver.js") as {
  readonly default: new () => {
    readonly sign: (jwk: unknown, data: Uint8Array) => Promise<Uint8Array>
    readonly verify: (n: string, data: Uint8Array, signature: Uint8Array) => Promise<boolean>
  }
}

const kib = 1024
const data = noise("data", 300 * kib)

const signed = Effect.gen(function* () {
  const { root } = yield* ArweaveData.tree(data)
  return yield* ArweaveTransaction.sign(wallet, {
    anchor: noise("block", 48),
    tags: [
      { name: "Data-Protocol", value: "heddle" },
      { name: "Grüße", value: "♥" },
    ],
    dataBytes: data.length,
    dataRoot: root,
    reward: 123_456_789_012n,
  })
})

describe("ArweaveTransaction", () => {
  it.effect("is to arweave-js what it is to us: hash, signature, chunks", () =>
    Effect.gen(function* () {
      const ours = yield* signed
      const json = JSON.parse(ArweaveTransaction.toJson(ours)) as { readonly owner: string }
      const theirs = new Transaction(json)
      const hash = yield* Effect.promise(() => theirs.getSignatureData())
      assert.isTrue(Bytes.equal(hash, ArweaveTransaction.signingHash(ours)))
      assert.isTrue(yield* Effect.promise(() => new Driver().verify(json.owner, hash, ours.signature)))
      const salted = yield* Effect.promise(() => new Driver().sign(JSON.parse(text), hash))
      assert.isTrue(ArweaveWallet.verify(wallet.owner, hash, salted))
    }),
  )

  it.effect("reads what it writes", () =>
    Effect.gen(function* () {
      const ours = yield* signed
      const read = Result.getOrThrow(ArweaveTransaction.fromJson(ArweaveTransaction.toJson(ours)))
      assert.deepStrictEqual(ArweaveTransaction.toJson(read), ArweaveTransaction.toJson(ours))
      assert.isTrue(ArweaveTransaction.verify(read))
    }),
  )

  it.effect("refuses what is no transaction, and verifies none of which a field was changed", () =>
    Effect.gen(function* () {
      const json = ArweaveTransaction.toJson(yield* signed)
      const change = (fields: object) => JSON.stringify({ ...(JSON.parse(json) as object), ...fields })
      const over = Limit.archiveTransactionBytesMax + 1
      const refused: ReadonlyArray<readonly [string, string]> = [
        ["no", "JSON"],
        ["7", "object"],
        ["null", "object"],
        [change({ format: 1 }), "format"],
        [change({ target: "AAAA" }), "pays"],
        [change({ quantity: "1" }), "pays"],
        [change({ data_size: String(over) }), `${over} bytes`],
        [change({ data_size: "07" }), "digits"],
        [change({ reward: 7 }), "digits"],
        [change({ owner: "A" }), "base64url"],
        [change({ tags: [{ name: "AAAA" }] }), "base64url"],
        [change({ tags: [7] }), "name"],
        [change({ tags: [{ name: "_w", value: "AAAA" }] }), "UTF-8"],
        [change({ signature: "AAAA" }), "hash"],
        [change({ id: "A".repeat(43) }), "hash"],
      ]
      for (const [bad, why] of refused) {
        const read = ArweaveTransaction.fromJson(bad)
        assert.include(Result.isFailure(read) ? read.failure : "", why, bad.slice(0, 40))
      }
      const unsigned = [
        { data_size: "1" },
        { reward: "1" },
        { tags: [] },
        { last_tx: "AAAA" },
        { data_root: "AAAA" },
        { owner: "AAAA" },
      ]
      for (const fields of unsigned)
        assert.isFalse(
          ArweaveTransaction.verify(Result.getOrThrow(ArweaveTransaction.fromJson(change(fields)))),
        )
    }),
  )
})

describe("ArweaveWallet", () => {
  it("takes RSA keys of 4,096 bits, and says nothing of one that it refuses", () => {
    assert.strictEqual(wallet.owner.length, 512)
    assert.strictEqual(wallet.address.length, 43)
    const jwk = (type: "rsa" | "ed25519", options: object) => {
      // The overloads are told apart by the type alone.
      const { privateKey } = crypto.generateKeyPairSync(type as "rsa", options as { modulusLength: number })
      return JSON.stringify(privateKey.export({ format: "jwk" }))
    }
    const { d: _, ...open } = JSON.parse(text) as { readonly d: string }
    const small = jwk("rsa", { modulusLength: 2_048 })
    for (const bad of ["", "7", "{}", "secret", small, jwk("ed25519", {}), JSON.stringify(open)]) {
      const read = ArweaveWallet.read(bad)
      assert.isTrue(Result.isFailure(read))
      if (Result.isFailure(read)) assert.notInclude(read.failure, "secret")
    }
  })

  it.effect("verifies salts of any length, and nothing else", () =>
    Effect.gen(function* () {
      const message = Bytes.fromText("message")
      const own = yield* ArweaveWallet.sign(wallet, message)
      assert.isTrue(ArweaveWallet.verify(wallet.owner, message, own))
      const { RSA_PKCS1_PSS_PADDING, RSA_PKCS1_PADDING } = crypto.constants
      const sign = (padding: number, saltLength: number) =>
        new Uint8Array(crypto.sign("sha256", message, { key: wallet.key, padding, saltLength }))
      for (const salt of [0, 32, 478])
        assert.isTrue(ArweaveWallet.verify(wallet.owner, message, sign(RSA_PKCS1_PSS_PADDING, salt)))
      assert.isFalse(ArweaveWallet.verify(wallet.owner, message, sign(RSA_PKCS1_PADDING, 0)))
      assert.isFalse(ArweaveWallet.verify(wallet.owner, Bytes.fromText("massage"), own))
      const even = Uint8Array.from(wallet.owner)
      even[511]! ^= 1
      for (const owner of [even, wallet.owner.subarray(1), new Uint8Array(512), Bytes.empty])
        assert.isFalse(ArweaveWallet.verify(owner, message, own))
      for (const signature of [own.subarray(1), Bytes.concat([own, Bytes.u8(0)]), wallet.owner, Bytes.empty])
        assert.isFalse(ArweaveWallet.verify(wallet.owner, message, signature))
    }),
  )
})

describe("ArweaveData", () => {
  it.effect("cuts data as arweave-js does, at every border, and each chunk proves its place alone", () =>
    Effect.gen(function* () {
      let chunks = 0
      for (const length of [
        1,
        32 * kib,
        256 * kib - 1,
        256 * kib,
        256 * kib + 1,
        288 * kib,
        512 * kib,
        900_000,
      ]) {
        const some = noise(`${length}`, length)
        const tree = yield* ArweaveData.tree(some)
        const theirs = new Transaction({ data_size: String(length) })
        yield* Effect.promise(() => theirs.prepareChunks(some))
        assert.strictEqual(Bytes.toBase64Url(tree.root), theirs.data_root)
        assert.strictEqual(tree.chunks.at(-1)!.to, length)
        for (const [index, chunk] of tree.chunks.entries()) {
          const { from, to, path } = chunk
          const json: unknown = JSON.parse(ArweaveData.chunkJson(some, tree, chunk))
          assert.deepStrictEqual(json, { ...theirs.getChunk(index, some) })
          const bytes = some.subarray(from, to)
          for (const at of [from, to - 1])
            assert.deepStrictEqual(yield* ArweaveData.place(tree.root, length, at, bytes, path), { from, to })
          chunks += 1
        }
      }
      assert.strictEqual(chunks, 1 + 1 + 1 + 1 + 2 + 2 + 2 + 4)
    }),
  )

  it.effect("takes no chunk that is shorter or longer than the tree says, whoever made the tree", () =>
    Effect.gen(function* () {
      const [bytes, end] = [noise("short", 50), new Uint8Array(32)]
      end[31] = 100
      const path = Bytes.concat([Hash.sha256(bytes), end])
      const root = Hash.sha256(Bytes.concat([Hash.sha256(path.subarray(0, 32)), Hash.sha256(end)]))
      const place = (length: number) => ArweaveData.place(root, length, 0, bytes, path)
      assert.deepStrictEqual(yield* place(50), { from: 0, to: 50 })
      assert.isUndefined(yield* place(100))
      assert.isUndefined(yield* place(49))
    }),
  )

  it.effect("proves nothing else", () =>
    Effect.gen(function* () {
      const tree = yield* ArweaveData.tree(data)
      const [first, second] = [tree.chunks[0]!, tree.chunks[1]!]
      const bytes = data.subarray(first.from, first.to)
      const place = (
        at: number,
        bytes: Uint8Array,
        path: Uint8Array,
        root = tree.root,
        length = data.length,
      ) => ArweaveData.place(root, length, at, bytes, path)
      const bent = (bytes: Uint8Array, at: number) => {
        const copy = Uint8Array.from(bytes)
        copy[at]! ^= 1
        return copy
      }
      assert.isDefined(yield* place(0, bytes, first.path))
      let refused = 0
      const wrong = [
        place(first.to, bytes, first.path),
        place(0, data.subarray(second.from, second.to), second.path),
        place(0, bytes, second.path),
        place(0, bytes.subarray(1), first.path),
        place(0, bent(bytes, 5), first.path),
        place(0, bytes, first.path.subarray(1)),
        place(0, bytes, first.path.subarray(96)),
        place(0, bytes, Bytes.empty),
        place(0, bytes, new Uint8Array(96 * 40 + 64)),
        place(0, bytes, first.path, bent(tree.root, 0)),
        place(0, bytes, first.path, Bytes.empty),
        ...Array.from(first.path, (_, at) => place(0, bytes, bent(first.path, at))),
      ]
      for (const one of wrong) {
        assert.isUndefined(yield* one)
        refused += 1
      }
      assert.strictEqual(refused, 11 + 160)
    }),
  )
})

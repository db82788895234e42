import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ArweaveRsa from "../../identity/ArweaveRsa.ts"
import * as Archive from "../../runtime/Archive.ts"
import * as ArweaveTransaction from "../../runtime/ArweaveTransaction.ts"
import * as Bundle from "../../runtime/Bundle.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Carrier from "../../runtime/Carrier.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import { piece } from "../compliance/archive.ts"
import { wallet } from "../support/ArweaveWallet.ts"
import { id } from "../support/Unsigned.ts"

const values = (tags: ReadonlyArray<{ readonly name: string; readonly value: string }>, name: string) =>
  tags.filter((tag) => tag.name === name).map(({ value }) => value)

describe("Carrier", () => {
  it.effect("carries a piece under the piece's own tags and the wallet's good signature", () =>
    Effect.gen(function* () {
      const pieces = [
        piece("one", [["Type", "Data"]]),
        piece("two", [
          ["Type", "Turns"],
          ["Process", id("p")],
        ]),
      ]
      const signatures = yield* Carrier.sign(wallet, Archive.bundle(pieces))
      const data = Result.getOrThrow(Carrier.data(wallet.owner, pieces, signatures))
      const carriers = Result.getOrThrow(Bundle.decode(data))
      for (const [index, carrier] of carriers.entries()) {
        assert.strictEqual(carrier.type.number, 1)
        assert.deepStrictEqual(carrier.tags, pieces[index]!.tags)
        assert.isTrue(ArweaveRsa.verify(carrier.owner, Item.signingHash(carrier), carrier.signature))
        const inside = Result.getOrThrow(Carrier.piece(Id.toBytes(carrier.id), carrier.bytes))
        assert.isTrue(Bytes.equal(inside.bytes, pieces[index]!.bytes))
      }
      assert.strictEqual(carriers.length, 2)
      const [one, two] = [carriers[0]!, carriers[1]!]
      const other = Result.getOrThrow(Item.content({ ...one, tags: two.tags }))
      const relabelled = Result.getOrThrow(Item.encode(other, one.signature))
      const why = (id: Id.Id, bytes: Uint8Array) => {
        const read = Carrier.piece(Id.toBytes(id), bytes)
        return Result.isFailure(read) ? read.failure : ""
      }
      assert.include(why(two.id, one.bytes), two.id)
      assert.include(why(one.id, one.bytes.subarray(0, 500)), "truncated")
      assert.include(why(one.id, one.bytes.subarray(0, -1_000)), "truncated")
      assert.include(why(one.id, relabelled.bytes), "different tags")
    }),
  )

  it("gives a transaction the values of its pieces' tags, each once, while there is room", () => {
    const tags = Carrier.transactionTags([
      piece("a", [
        ["Type", "Batches"],
        ["Process", id("p")],
        ["Slots", "0-9"],
        ["Process", id("q")],
      ]),
      piece("b", [
        ["Type", "Turns"],
        ["Process", id("p")],
        ["Scheduler", id("s")],
      ]),
    ])
    assert.deepStrictEqual(
      tags.map(({ name, value }) => `${name} ${value}`),
      [
        "Bundle-Format binary",
        "Bundle-Version 2.0.0",
        "Data-Protocol heddle",
        "Type Batches",
        "Type Turns",
        `Scheduler ${id("s")}`,
        `Process ${id("p")}`,
        `Process ${id("q")}`,
      ],
    )
  })

  it("says what was left out, and never takes more than a transaction's tags may", () => {
    const process = (n: number) =>
      piece(`${n}`, [
        ["Type", "Batches"],
        ["Process", id(`${n}`)],
      ])
    const of = (count: number) => Carrier.transactionTags(Array.from({ length: count }, (_, n) => process(n)))
    let [full, over] = [0, 0]
    for (let count = 1; count <= 60; count++) {
      const tags = of(count)
      const found = values(tags, "Process")
      assert.isAtMost(ArweaveTransaction.tagBytes(tags), Limit.transactionTagsBytesMax)
      if (found.includes("*")) {
        over += 1
        assert.strictEqual(found.at(-1), "*")
        assert.isAbove(ArweaveTransaction.tagBytes(tags), Limit.transactionTagsBytesMax - 58)
      } else {
        full = count
        assert.strictEqual(found.length, count)
      }
    }
    // 86 bytes of other tags, 50 each.
    assert.deepStrictEqual([full, over], [39, 21])
  })

  it("has room for every name, however many values each has and however long they are", () => {
    const names = Carrier.indexed.slice(1)
    const long = (name: string, n: number) => [name, `${n}`.padEnd(n % 7 === 0 ? 3_000 : 40, "x")] as const
    for (const count of [1, 7, 8, 40, 200]) {
      const pieces = Array.from({ length: count }, (_, n) => ({
        tags: names.map((name) => {
          const [, value] = long(name, n)
          return { name, value }
        }),
      }))
      const tags = Carrier.transactionTags(pieces)
      assert.isAtMost(ArweaveTransaction.tagBytes(tags), Limit.transactionTagsBytesMax)
      assert.isAtMost(tags.length, Limit.tagsMax)
      for (const name of names) assert.isAbove(values(tags, name).length, 0)
    }
    const short = Array.from({ length: 200 }, (_, n) => ({ tags: [{ name: "Type", value: String(n) }] }))
    const tags = Carrier.transactionTags([...short, { tags: [{ name: "Process", value: "p" }] }])
    assert.isAtMost(tags.length, Limit.tagsMax)
    assert.deepStrictEqual([values(tags, "Type").at(-1), values(tags, "Process")], ["*", ["p"]])
  })

  it("asks transactions for the value or for what was left out, by names that they are known by", () => {
    const query = {
      tags: [
        { name: "Type", values: ["Turns"] },
        { name: "Slots", values: ["0-9"] },
      ],
      heightMin: 7,
    }
    assert.deepStrictEqual(Carrier.transactionQuery(query), {
      tags: [
        { name: "Bundle-Format", values: ["binary"] },
        { name: "Bundle-Version", values: ["2.0.0"] },
        { name: "Type", values: ["Turns", "*"] },
      ],
      heightMin: 7,
    })
  })
})

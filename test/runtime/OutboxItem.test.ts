import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Message from "../../runtime/Message.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import { hash, id, item as unsigned } from "../support/Unsigned.ts"

const origin = { source: id("source"), head: hash("head"), index: 3 }
const fields = {
  target: hash("target"),
  tags: [{ name: "Action", value: "Hi" }],
  data: Bytes.fromText("hello"),
}
const make = (of = origin, change: Partial<typeof fields> = {}) =>
  Result.getOrThrow(OutboxItem.make(of, { ...fields, ...change }))

const shown = (found: OutboxItem.Origin | undefined) =>
  found && [found.source, Bytes.toHex(found.head), found.index]

describe("OutboxItem", () => {
  it("says where it comes from, also after it was read again", () => {
    const item = make()
    const read = Result.getOrThrow(Item.decode(item.bytes))
    for (const one of [item, read])
      assert.deepStrictEqual(shown(OutboxItem.origin(one)), [
        origin.source,
        Bytes.toHex(origin.head),
        origin.index,
      ])
    assert.strictEqual(item.type, SignatureType.outbox)
    assert.strictEqual(Id.fromBytes(item.owner), origin.source)
    assert.strictEqual(item.signature.length, 115)
  })

  it("has an id that follows from source, head, index and content, and from nothing else", () => {
    const all = [
      make(),
      make({ ...origin, source: id("other") }),
      make({ ...origin, head: hash("other") }),
      make({ ...origin, index: 4 }),
      make(origin, { target: hash("other") }),
      make(origin, { tags: [] }),
      make(origin, { data: Bytes.empty }),
    ]
    assert.strictEqual(new Set(all.map(({ id }) => id)).size, all.length)
    assert.strictEqual(make().id, make().id)
  })

  it("is refused with any byte of it flipped", () => {
    const { bytes } = make()
    let readable = 0
    for (let at = 0; at < bytes.length; at++) {
      const read = Item.decode(bytes.with(at, bytes[at]! ^ 1))
      if (Result.isFailure(read)) continue
      readable += 1
      // The head and index are the turn's: those the proof checks.
      const [headFrom, indexTo] = [2 + 15 + 32, 2 + 15 + 32 + 32 + 4]
      const isOrigin = at >= headFrom && at < indexTo
      assert.strictEqual(OutboxItem.origin(read.success) !== undefined, isOrigin, `byte ${at}`)
    }
    assert.isAbove(readable, 150)
  })

  it("is no item with an anchor, since its id is unique already", () => {
    const content = Result.getOrThrow(
      Item.content({
        type: SignatureType.outbox,
        owner: Id.toBytes(origin.source),
        anchor: hash("anchor"),
        ...fields,
      }),
    )
    const field = Bytes.concat([
      Bytes.fromText(SignatureType.outboxDomain),
      Id.toBytes(origin.source),
      origin.head,
      Bytes.u32(origin.index),
      Item.contentHash(content),
    ])
    const item = Result.getOrThrow(Item.encode(content, field))
    assert.strictEqual(OutboxItem.origin(item), undefined)
    const without = Result.getOrThrow(Item.encode({ ...content, anchor: Bytes.empty }, field))
    assert.strictEqual(OutboxItem.origin(without), undefined, "the field is for the content with the anchor")
  })

  it("is not what a key signed", () => assert.strictEqual(OutboxItem.origin(unsigned({})), undefined))

  it("can't be made with what no item can hold", () => {
    const made = OutboxItem.make(origin, { ...fields, tags: [{ name: "", value: "a" }] })
    assert.isTrue(Result.isFailure(made))
    assert.isTrue(Result.isFailure(OutboxItem.make(origin, { ...fields, target: new Uint8Array(31) })))
  })
})

describe("a cron message", () => {
  const process = Id.fromBytes(new Uint8Array(32).fill(0x33))

  it("is the spec's example", () => {
    const item = OutboxItem.cron(process, "10-seconds", 1)
    assert.strictEqual(item.id, "moSm8sJJ7XsT7f1Q02PGMFGaN0pepqrwarOE7tg9eM4")
    const found = OutboxItem.origin(item)!
    assert.strictEqual(
      Bytes.toHex(found.head),
      "c78c92d68349e189e61ded4c39438069fbff178eddac333a3a3dea34915a7fb9",
    )
    assert.isTrue(Bytes.equal(found.head, Hash.tagged("heddle/cron/1", Bytes.fromText("10-seconds"))))
  })

  it("comes from the process, goes to it, and says which it is", () => {
    const message = Result.getOrThrow(Message.parse(OutboxItem.cron(process, "1-hour", 7)))
    assert.deepInclude(message, {
      process,
      from: process,
      fromProcess: true,
      action: "Cron",
      kind: "Message",
    })
    assert.deepStrictEqual(
      message.item.tags.slice(4).map(({ name, value }) => [name, value]),
      [
        ["Cron-Name", "1-hour"],
        ["Cron-Count", "7"],
      ],
    )
  })

  it("is another for every process, name and count", () => {
    const all = [
      OutboxItem.cron(process, "1-hour", 1),
      OutboxItem.cron(process, "1-hour", 2),
      OutboxItem.cron(process, "1-hours", 1),
      OutboxItem.cron(id("other"), "1-hour", 1),
    ]
    assert.strictEqual(new Set(all.map(({ id }) => id)).size, 4)
  })

  it("is due a whole number of intervals after the spawn", () => {
    const cron = { name: "10-seconds", intervalMs: 10_000 }
    assert.strictEqual(OutboxItem.cronDue(1_700_000_000_000, cron, 1), 1_700_000_010_000)
    assert.strictEqual(OutboxItem.cronDue(1_700_000_000_000, cron, 360), 1_700_003_600_000)
  })
})

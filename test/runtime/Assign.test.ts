import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Assign from "../../runtime/Assign.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Message from "../../runtime/Message.ts"
import * as Process from "../../runtime/Process.ts"
import * as Upgrade from "../../runtime/Upgrade.ts"
import * as Emitted from "../support/Emitted.ts"
import * as Unsigned from "../support/Unsigned.ts"

const { id } = Unsigned
const [process, elsewhere] = [id("process"), id("elsewhere")]

const item = Unsigned.item({
  owner: "ada",
  target: Id.toBytes(elsewhere),
  tags: [
    ["Action", "Say"],
    ["Colour", "red"],
  ],
  data: "hello",
})

/** Why nothing is assigned, in a word or two of it. */
const refused = (message: Message.Message): string => {
  assert.isTrue(Assign.is(message))
  const opened = Assign.open(message)
  if (Result.isSuccess(opened)) return "opened"
  const asItself = Result.getOrThrow(Assign.read(message.item.bytes))
  assert.deepStrictEqual(asItself, message)
  return opened.failure.detail
}

describe("an assign", () => {
  it("is read as the item that it brings, said to the process by who signed it", () => {
    const assign = Unsigned.assign(process, item)
    const { carrier, item: said, ...message } = Result.getOrThrow(Assign.read(assign.item.bytes))
    assert.deepStrictEqual(message, {
      id: item.id,
      kind: "Message",
      from: Message.from(item),
      fromProcess: false,
      process,
      target: elsewhere,
      action: "Say",
    })
    assert.isTrue(Bytes.equal(said.bytes, item.bytes))
    assert.isTrue(Bytes.equal(carrier!.bytes, assign.item.bytes))
    assert.notStrictEqual(message.from, assign.from)
  })

  it("brings an item of no protocol and without a target", () => {
    const { target, action, kind } = Unsigned.assigned(process, Unsigned.item({ data: "a picture" }))
    assert.deepStrictEqual({ target, action, kind }, { target: "", action: undefined, kind: "Message" })
  })

  it("is known as a repeat by the item, not by who assigns it", () => {
    const key = (by: string, of = item) => Message.repeatKey(Unsigned.assigned(process, of, { owner: by }))
    assert.deepStrictEqual(key("bob"), key("eve"))
    assert.notDeepEqual(key("bob"), key("bob", Unsigned.item({ data: "another" })))
    const sent = Unsigned.message(process, { owner: "ada" })
    assert.deepStrictEqual(key("bob", sent.item), Message.repeatKey(sent))
  })

  it("brings nothing where the tag is no id, the data no item or another one", () => {
    const other = Unsigned.item({ data: "other" })
    const named = (value: string, data: string | Uint8Array) =>
      refused(Unsigned.message(process, { tags: [["Assign", value]], data }))
    assert.include(named("x", item.bytes), "43 characters")
    assert.include(named(item.id, "hello"), "no item")
    assert.include(named(item.id, item.bytes.subarray(0, 90)), "no item")
    assert.include(named(other.id, item.bytes), `the tag names ${other.id}`)
  })

  it("brings neither another assign nor what a process emitted", () => {
    const nested = Unsigned.assign(process, item).item
    assert.include(refused(Unsigned.assign(process, nested)), "assigns another")
    const emission = { kind: "message", target: process, pair: 1 } as const
    const [emitted] = Emitted.emit({ source: id("source"), slot: 1, emissions: [emission] }, [])
    assert.include(refused(Unsigned.assign(process, emitted!.item)), "a process emitted it")
  })

  it("is neither a spawn nor what a process emitted, whatever their tags say", () => {
    const tags = [["Assign", item.id]] as const
    const spawn = Unsigned.spawn({ tags })
    const emission = { kind: "message", target: process, pair: 1, tags } as const
    const [emitted] = Emitted.emit({ source: id("source"), slot: 1, emissions: [emission] }, [])
    for (const message of [spawn, emitted!.message]) {
      assert.strictEqual(Message.logged(message), message.item)
      assert.isFalse(Assign.is(message))
      assert.deepStrictEqual(Result.getOrThrow(Assign.read(message.item.bytes)), message)
    }
  })

  it("upgrades a process only where the owner said so to that process", () => {
    const made = Result.getOrThrow(Process.fromSpawn(Unsigned.spawn({ tags: [["Assignable", "any"]] })))
    const tags = [
      ["Action", "Upgrade"],
      ["Module", id("module")],
    ] as const
    const word = (target: Id.Id | undefined) =>
      Unsigned.item({ owner: "ada", target: target && Id.toBytes(target), tags })
    const upgrade = (target: Id.Id | undefined) =>
      Upgrade.read(made, Unsigned.assigned(made.id, word(target)))
    assert.strictEqual(upgrade(made.id)?.module, id("module"))
    assert.isUndefined(upgrade(elsewhere))
    assert.isUndefined(upgrade(undefined))
  })
})

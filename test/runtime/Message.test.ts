import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Message from "../../runtime/Message.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as Tag from "../../runtime/Tag.ts"
import { type Fields, hash, id, item } from "../support/Unsigned.ts"

const parse = (fields: Fields) => Message.parse(item(fields))
const good = (fields: Fields) => Result.getOrThrow(parse(fields))
const refusal = (fields: Fields): string => {
  const found = parse(fields)
  return Result.isFailure(found) ? found.failure.message : "it is one"
}

const message: Fields = {
  target: hash("process"),
  tags: [
    ["Data-Protocol", "ao"],
    ["Type", "Message"],
  ],
}
const spawn: Fields = {
  tags: [
    ["Data-Protocol", "ao"],
    ["Type", "Process"],
  ],
}

describe("Message", () => {
  it("is for its target, from the address of its owner, with its action", () => {
    const read = good({ ...message, owner: "ada", tags: [...message.tags!, ["Action", "Hi"]] })
    assert.deepInclude(read, { kind: "Message", process: id("process"), action: "Hi", fromProcess: false })
    assert.strictEqual(read.from, Id.fromBytes(Hash.sha256(hash("ada"))))
    assert.strictEqual(read.id, read.item.id)
    assert.strictEqual(good(message).action, undefined)
  })

  it("that spawns is for the process that it names by its own id", () => {
    const read = good(spawn)
    assert.deepInclude(read, { kind: "Process", process: read.id })
  })

  it("that a process emitted is from that process", () => {
    const tags = Message.protocolTags("Message")
    const origin = { source: id("source"), head: hash("head"), index: 0 }
    const made = OutboxItem.make(origin, { target: hash("process"), tags, data: Bytes.empty })
    const read = Result.getOrThrow(Message.parse(Result.getOrThrow(made)))
    assert.deepInclude(read, { from: id("source"), fromProcess: true })
  })

  it("is named by what it lacks where it is none", () => {
    assert.include(refusal({ ...message, tags: [["Type", "Message"]] }), '"Data-Protocol: ao"')
    assert.include(
      refusal({
        ...message,
        tags: [
          ["Data-Protocol", "AO"],
          ["Type", "Message"],
        ],
      }),
      '"Data-Protocol: ao"',
    )
    assert.include(refusal({ ...message, tags: [["Data-Protocol", "ao"]] }), '"Type" is missing')
    assert.include(
      refusal({
        ...message,
        tags: [
          ["Data-Protocol", "ao"],
          ["Type", "message"],
        ],
      }),
      '"Type" is message',
    )
    assert.include(refusal({ ...spawn, tags: message.tags! }), "needs a target")
    assert.include(refusal({ ...message, tags: spawn.tags! }), "a spawn has no target")
  })

  it("goes by the first of several tags of one name", () => {
    assert.include(refusal({ ...message, tags: [["Type", "Other"], ...message.tags!] }), '"Type" is Other')
    assert.strictEqual(good({ ...message, tags: [...message.tags!, ["Type", "Other"]] }).kind, "Message")
  })

  it("opens with the tags of the protocol, which say the variant", () => {
    assert.strictEqual(Tag.value(Message.protocolTags("Message"), "Variant"), "heddle.1")
    assert.strictEqual(Tag.value(Message.protocolTags("Process"), "Type"), "Process")
  })
})

describe("what makes a repeat", () => {
  const key = (fields: Fields) => Bytes.toHex(Message.repeatKey(good({ ...message, ...fields })))

  it("is owner and anchor where there is an anchor, whatever is said and however it is signed", () => {
    const anchored = key({ anchor: "one" })
    assert.strictEqual(key({ anchor: "one", data: "other" }), anchored)
    assert.strictEqual(key({ anchor: "one", signature: "again" }), anchored)
    assert.notStrictEqual(key({ anchor: "two" }), anchored)
    assert.notStrictEqual(key({ anchor: "one", owner: "bob" }), anchored)
  })

  it("is the id where there is none", () => {
    assert.strictEqual(key({}), key({}))
    assert.notStrictEqual(key({ signature: "again" }), key({}))
    assert.notStrictEqual(key({ data: "other" }), key({}))
  })

  it("of one kind is none of the other, though the bytes are the same", () => {
    const { id: name } = good(message)
    const anchored = Message.repeatKey({
      ...good(message),
      item: { ...good(message).item, owner: Id.toBytes(name), anchor: hash("x") },
    })
    assert.notStrictEqual(Bytes.toHex(anchored), key({}))
  })
})

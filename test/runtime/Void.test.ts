import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Drop from "../../runtime/Drop.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as Void from "../../runtime/Void.ts"
import * as Emitted from "../support/Emitted.ts"
import { hash, id } from "../support/Unsigned.ts"

const [source, target] = [id("source"), id("target")]
const [given] = Emitted.emit({ source, slot: 4, emissions: [{ kind: "message", target, pair: 7 }] }, [])

const dropped: Drop.Dropped = {
  entry: given!.item.id,
  contentHash: Item.contentHash(given!.item),
  target,
  pair: 7,
  reference: undefined,
  reason: "nobody is there",
}
const origin = { source, head: hash("head"), index: 2 }
const made = (more: Partial<Drop.Dropped> = {}): Message.Message =>
  Result.getOrThrow(Message.parse(Void.make(origin, { ...dropped, ...more })))

/** The same tags in an entry of a kind that is proven. */
const proven = (kind: "message" | "void", tags = made().item.tags.slice(3)) => {
  const emission = { kind, target, pair: 7, tags: tags.map(({ name, value }) => [name, value] as const) }
  const [one] = Emitted.emit({ source, slot: 9, emissions: [emission] }, [])
  return { message: one!.message, proof: OutboxProof.encode(one!.proof) }
}

const shown = ({ repeatKey, contentHash }: Void.Identity) => [repeatKey, contentHash].map(Bytes.toHex)

const own = ({ message }: ReturnType<typeof proven>) =>
  shown({ repeatKey: Message.repeatKey(message), contentHash: Item.contentHash(message.item) })

describe("a void", () => {
  it("is an item of the source to the target of what it stands for, which it names", () => {
    const message = made()
    assert.deepInclude(message, { from: source, target, process: target, action: "Void", fromProcess: true })
    assert.deepStrictEqual(OutboxItem.origin(message.item), origin)
    assert.deepStrictEqual(Void.read(message), {
      entry: dropped.entry,
      contentHash: dropped.contentHash,
      reason: "nobody is there",
    })
  })

  it("has room for the longest reason, in the longest characters", () => {
    const reason = "€".repeat(Limit.dropReasonLengthMax)
    assert.strictEqual(Void.read(made({ reason }))?.reason, reason)
  })

  it("is the same as the message for which it stands to whoever looks for repeats", () => {
    const { message, proof } = proven("void")
    const [a, b] = [
      Void.identity(message, proof),
      Void.identity(given!.message, OutboxProof.encode(given!.proof)),
    ]
    assert.deepStrictEqual(shown(a), shown(b))
  })

  it("is one by the kind in its proof alone, and says so by its tags alone", () => {
    const message = proven("message")
    assert.deepStrictEqual(shown(Void.identity(message.message, message.proof)), own(message))
    const silent = proven("void", [{ name: "Entry", value: dropped.entry }])
    assert.isUndefined(Void.read(silent.message))
    assert.deepStrictEqual(shown(Void.identity(silent.message, silent.proof)), own(silent))
    const signed = { ...proven("void").message, fromProcess: false }
    assert.deepStrictEqual(
      shown(Void.identity(signed, proven("void").proof)),
      own({ ...proven("void"), message: signed }),
    )
  })
})

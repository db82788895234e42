/** Items that were made elsewhere, assigned to a process here: what it sees of them, and what becomes of its answer. */
import crypto from "node:crypto"
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AoSchedule from "../../identity/AoSchedule.ts"
import * as Ethereum from "../../identity/Ethereum.ts"
import * as Identity from "../../identity/Identity.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import * as Client from "../../messenger-unit/Client.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as PromiseClient from "../../messenger-unit/PromiseClient.ts"
import * as Recompute from "../../node/Recompute.ts"
import type { Refused } from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Message from "../../runtime/Message.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"
import { hash, id } from "../support/Unsigned.ts"
import { describeShared } from "../vectors/shared.ts"

const ada = Caller.caller("ada")
const bob = Caller.caller("bob")

/** Answers every message with what it sees of it. */
const witness = `
  let seen = 0
  const tell = ({ id, from, target, action, tagList, data }) => ({ id, from, target, action, tagList, data, seen: ++seen })
  heddle.onMessage(tell)
  heddle.on("Emit", ({ tags, data }) => void heddle.send(tags.To, { action: "Hear", tags: { Assign: tags.Of }, data }))`

const begin = Effect.fnUntraced(function* (tags: Record<string, string> = { Assignable: "any" }) {
  const node = yield* SmallNode.make()
  const process = yield* SmallNode.spawn(node, ada, witness, tags)
  const { messenger } = node
  const assign = (item: Pick<Item.Item, "bytes">, as = bob.identity) =>
    Effect.provideService(Client.assign(process, item.bytes, { as }), MessengerUnit, messenger)
  const answer = Effect.fnUntraced(function* (slot: number) {
    const { result } = yield* messenger.answer(process, slot)
    return "value" in result ? (JSON.parse(result.value) as unknown) : result
  })
  return { node, process, messenger, assign, answer }
})

/** What a process should see of an item. */
const sight = (item: Item.Item, seen: number) => ({
  id: item.id,
  from: Message.from(item),
  target: item.target.length === 0 ? "" : Bytes.toBase64Url(item.target),
  action: "",
  tagList: item.tags.map(({ name, value }) => [name, value]),
  data: Bytes.toText(item.data)!,
  seen,
})

describeShared("items of a real AO schedule", "ao-schedule.json", (file: unknown) => {
  const { slots, process: aoProcess } = Result.getOrThrow(AoSchedule.read(JSON.stringify(file)))
  const items = slots.flatMap(({ item }) => (item === undefined ? [] : [item]))

  it.live("are seen as who signed them said them, in the order in which they are assigned, each once", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { process, messenger, assign, answer } = yield* begin()
        assert.strictEqual(items.length, 16)
        for (const [i, item] of items.entries()) {
          const accepted = yield* assign(item)
          assert.deepInclude(accepted, { id: item.id, process, slot: i + 1, repeat: false })
          assert.deepStrictEqual(yield* answer(accepted.slot), sight(item, i + 1))
        }
        assert.strictEqual(items[1]!.type, SignatureType.arweave)
        assert.strictEqual(Bytes.toBase64Url(items[1]!.target), aoProcess)
        for (const as of [bob.identity, ada.identity])
          assert.deepInclude(yield* assign(items[3]!, as), { id: items[3]!.id, slot: 4, repeat: true })
        const { slots } = yield* messenger.process(process)
        assert.strictEqual(slots, 17)
        const report = yield* Recompute.verify(messenger, process)
        assert.deepInclude(report, { slots: 17, inadmissible: 0, finding: undefined })
        const logged = Client.entryOf((yield* messenger.log(process, 4, 1))[0]!)
        assert.deepInclude(logged, { id: items[3]!.id, from: Message.from(items[3]!), action: undefined })
        const timeline = yield* Recompute.timeline(messenger, process)
        assert.strictEqual((yield* timeline.seek(4)).message.id, items[3]!.id)
      }),
    ),
  )

  it.live("that were said to a process of AO are not taken by a process that does not say so", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { assign, messenger, process } = yield* begin({})
        const refused = (yield* Effect.flip(assign(items[1]!))) as Refused
        assert.deepInclude(refused, { _tag: "Refused", reason: "not assignable" })
        assert.include(refused.detail, "Assignable: any")
        assert.strictEqual((yield* messenger.process(process)).slots, 1)
        // The spawn message has no target: it was said to anyone.
        assert.deepInclude(yield* assign(items[0]!), { id: items[0]!.id, slot: 1 })
      }),
    ),
  )
})

/** An item of a wallet: who signs is given the content. */
const wallet = (
  type: SignatureType.SignatureType,
  owner: Uint8Array,
  sign: (hash: Uint8Array) => Uint8Array,
): Item.Item => {
  const tags = [{ name: "App-Name", value: type.name }]
  const content = Result.getOrThrow(Item.content({ type, owner, tags, data: Bytes.fromText("a picture") }))
  return Result.getOrThrow(Item.encode(content, sign(Item.signingHash(content))))
}

const seed = hash("wallet")
const rsa = crypto.generateKeyPairSync("rsa", { modulusLength: 4096, publicExponent: 65_537 })
const modulus = new Uint8Array(Buffer.from(rsa.publicKey.export({ format: "jwk" }).n!, "base64url"))
const padding = { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }

const wallets: ReadonlyArray<Item.Item> = [
  wallet(SignatureType.arweave, modulus, (bytes) =>
    crypto.sign("sha256", bytes, { key: rsa.privateKey, ...padding }),
  ),
  wallet(SignatureType.ed25519, ed25519.getPublicKey(seed), (bytes) => ed25519.sign(bytes, seed)),
  wallet(SignatureType.ethereum, secp256k1.getPublicKey(seed, false), (bytes) => {
    const recovered = secp256k1.sign(Ethereum.personalDigest(bytes), seed, {
      prehash: false,
      format: "recovered",
    })
    return Bytes.concat([recovered.subarray(1), Bytes.u8(27 + recovered[0]!)])
  }),
]

const quantum = Effect.forEach(
  [SignatureType.mlDsa44, SignatureType.mlDsa65, SignatureType.mlDsa87],
  Effect.fnUntraced(function* (type) {
    const signer = SignerLocal.make(Identity.fromSeed(seed, type))
    const fields = { tags: [{ name: "App-Name", value: type.name }], data: Bytes.fromText("text") }
    return [yield* SignedItem.sign(signer, fields), ...(yield* SignedItem.signMany(signer, [fields]))]
  }),
)

describe("an item", () => {
  it.live("of each type that a key signs can be assigned, and one bent bit of it is refused", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { assign, answer } = yield* begin({})
        const items = [...wallets, ...(yield* quantum).flat()]
        assert.deepStrictEqual(
          items.map(({ type }) => type.number),
          [1, 2, 3, 1044, 2044, 1065, 2065, 1087, 2087],
        )
        for (const [i, item] of items.entries()) {
          const bytes = Bytes.copy(item.bytes)
          bytes[bytes.length - 1]! ^= 1
          assert.deepInclude(yield* Effect.flip(assign({ bytes })), { reason: "bad assigned item" })
          const { slot } = yield* assign(item)
          assert.deepStrictEqual(yield* answer(slot), sight(item, i + 1))
        }
      }),
    ),
  )

  it.live("is one and the same whether it is sent or assigned", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { assign, messenger, process } = yield* begin({})
        const item = yield* Effect.promise(() => ada.message(process, "Say"))
        const first = yield* messenger.send(item.bytes)
        assert.deepInclude(yield* assign(item), { id: item.id, slot: first.slot, repeat: true })
      }),
    ),
  )

  it.live("is assigned through the promise client too, which names what is none", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { messenger, process } = yield* begin({})
        const noBundler = () => Effect.die("unused")
        const client = PromiseClient.make(messenger, { as: bob.identity }, noBundler, async () => {})
        const [item] = wallets
        const { slot } = yield* Effect.promise(() => client.assign(process, item!.bytes))
        assert.deepStrictEqual(yield* Effect.promise(() => client.answer(process, slot)), sight(item!, 1))
        const none = yield* Effect.promise(() =>
          client.assign(process, Bytes.fromText("none")).catch((e) => e),
        )
        assert.deepInclude(none, { _tag: "Refused", reason: "bad assigned item" })
      }),
    ),
  )
})

describe("the tag in what a process emits", () => {
  it.live("says nothing: it is a message like any other, and the pair goes on", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { node, process, messenger } = yield* begin({})
        const listener: Id.ProcessId = yield* SmallNode.spawn(node, ada, witness)
        for (const of of [id("anything"), wallets[0]!.id])
          yield* SmallNode.ask(node, ada, process, "Emit", { To: listener, Of: of }, "hello")
        const slots = Effect.map(messenger.process(listener), (info) => info.computed)
        yield* SmallNode.until(
          "both are heard",
          Effect.map(slots, (computed) => computed === 3),
        )
        const heard = yield* Effect.forEach([1, 2], (slot) => messenger.turn(listener, slot))
        assert.deepStrictEqual(
          heard.map(({ outcome }) => outcome.error),
          [undefined, undefined],
        )
        const entries = (yield* messenger.log(listener, 1, 2)).map(Client.entryOf)
        assert.deepStrictEqual(
          entries.map(({ from, fromProcess, action }) => ({ from, fromProcess, action })),
          [1, 2].map(() => ({ from: process, fromProcess: true, action: "Hear" })),
        )
        assert.deepStrictEqual(yield* messenger.outbox, [])
      }),
    ),
  )
})

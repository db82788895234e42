/**
 * Signed item: makes items in the name of a signer. Each gets 32 random bytes as anchor unless one is given,
 * because an anchor is what makes a repeat of the same submission known as such (spec 03 §4).
 */
import * as Effect from "effect/Effect"
import * as Hash from "../runtime/Hash.ts"
import * as Item from "../runtime/Item.ts"
import * as Merkle from "../runtime/Merkle.ts"
import type * as SignatureType from "../runtime/SignatureType.ts"
import type * as Tag from "../runtime/Tag.ts"
import * as BatchSignature from "./BatchSignature.ts"
import { Entropy } from "./Entropy.ts"
import type { Signer, SigningFailed } from "./Signer.ts"

export interface Fields {
  /** 32 bytes, or none for an item that is addressed to nobody, such as a spawn. */
  readonly target?: Uint8Array | undefined
  /** 32 bytes; random where none is given. */
  readonly anchor?: Uint8Array | undefined
  readonly tags: ReadonlyArray<Tag.Tag>
  readonly data: Uint8Array
}

/** Contents hashed between two looks at what else the thread has to do. */
const contentsPerTurn = 64

const content = (type: SignatureType.SignatureType, owner: Uint8Array, fields: Fields) =>
  Effect.flatMap(Entropy, (entropy) =>
    Effect.fromResult(
      Item.content({ ...fields, type, owner, anchor: fields.anchor ?? entropy.bytes(Hash.length) }),
    ),
  )

/** One item under a signature of its own. */
export const sign = Effect.fnUntraced(function* (
  signer: Signer["Service"],
  fields: Fields,
): Effect.fn.Return<Item.Item, Item.ItemInvalid | SigningFailed> {
  const unsigned = yield* content(signer.type, signer.owner, fields)
  const signature = yield* signer.sign("heddle/item/1", Item.signingHash(unsigned))
  return yield* Effect.fromResult(Item.encode(unsigned, signature))
})

/** Many items, in order, under one signature (batch types): all of them or none. */
export const signMany = Effect.fnUntraced(function* (
  signer: Signer["Service"],
  many: ReadonlyArray<Fields>,
): Effect.fn.Return<ReadonlyArray<Item.Item>, Item.ItemInvalid | SigningFailed> {
  if (many.length === 0) return []
  if (many.length > BatchSignature.itemsMax)
    return yield* new Item.ItemInvalid({
      reason: "too large",
      detail: `${many.length} items; one signature covers at most ${BatchSignature.itemsMax}`,
    })
  const type = BatchSignature.typeOf(signer.type)
  const contents: Array<Item.Content> = []
  const hashes: Array<Uint8Array> = []
  for (const fields of many) {
    const unsigned = yield* content(type, signer.owner, fields)
    contents.push(unsigned)
    hashes.push(Item.signingHash(unsigned))
    if (contents.length % contentsPerTurn === 0) yield* Effect.yieldNow
  }
  const tree = Merkle.tree(hashes)
  const signature = yield* signer.sign(
    "heddle/items/1",
    BatchSignature.signingBytes(type, signer.owner, tree.root),
  )
  const items: Array<Item.Item> = []
  for (const [index, unsigned] of contents.entries()) {
    items.push(yield* Effect.fromResult(Item.encode(unsigned, BatchSignature.field(signature, tree, index))))
    if (items.length % contentsPerTurn === 0) yield* Effect.yieldNow
  }
  return items
})

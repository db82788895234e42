/**
 * Outbox item: what a process emitted, as an item of signature type 3001 (spec 01 §5). No key signs it:
 *
 *     signature field = "heddle/outbox/1" | source process | head(slot) | index u32 | content hash
 *     owner           = source process
 *
 * So its id follows from the turn alone, does not depend on who attests it, and a parent knows its child's id within
 * the turn. It is believed only beside a proof that the turn produced it (`OutboxProof.ts`).
 */
import * as Result from "effect/Result"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import * as Item from "./Item.ts"
import * as Message from "./Message.ts"
import type * as Process from "./Process.ts"
import * as SignatureType from "./SignatureType.ts"
import type * as Tag from "./Tag.ts"

const DOMAIN = Bytes.fromText(SignatureType.outboxDomain)

/** Where an outbox item says it comes from. */
export interface Origin {
  readonly source: Id.ProcessId
  readonly head: Uint8Array
  readonly index: number
}

const signatureField = (origin: Origin, contentHash: Uint8Array): Uint8Array =>
  Bytes.concat([DOMAIN, Id.toBytes(origin.source), origin.head, Bytes.u32(origin.index), contentHash])

/** Makes the item that stands at `index` of the outbox of the turn with this head. */
export const make = (
  origin: Origin,
  fields: {
    readonly target?: Uint8Array | undefined
    readonly tags: ReadonlyArray<Tag.Tag>
    readonly data: Uint8Array
  },
): Result.Result<Item.Item, Item.ItemInvalid> =>
  Result.flatMap(
    Item.content({ type: SignatureType.outbox, owner: Id.toBytes(origin.source), ...fields }),
    (content) => Item.encode(content, signatureField(origin, Item.contentHash(content))),
  )

/** The origin that an outbox item names, or `undefined` where its field does not fit its owner and content. */
export const origin = (item: Item.Item): Origin | undefined => {
  if (item.type !== SignatureType.outbox || item.anchor.length > 0) return undefined // no anchor: its id is unique
  const reader = new Bytes.Reader(item.signature)
  reader.take(DOMAIN.length)
  const found = { source: Id.fromBytes(reader.take(32)), head: reader.take(32), index: reader.u32() }
  const expected = signatureField({ ...found, source: Id.fromBytes(item.owner) }, Item.contentHash(item))
  return Bytes.equal(expected, item.signature) ? found : undefined
}

/** When entry `n` (1, 2, 3...) of a cron is due, in ms since 1970. */
export const cronDue = (spawnedAt: number, cron: Process.Cron, n: number): number =>
  spawnedAt + n * cron.intervalMs

/**
 * The message of a cron: it follows from the spawn tags alone, so it needs no proof; whoever doubts it makes it
 * again. The hash of the cron's name stands where a turn's head would.
 */
export const cron = (process: Id.ProcessId, name: string, n: number): Item.Item => {
  const head = Hash.tagged("heddle/cron/1", Bytes.fromText(name))
  const tags = [
    ...Message.protocolTags("Message"),
    { name: "Action", value: "Cron" },
    { name: "Cron-Name", value: name },
    { name: "Cron-Count", value: String(n) },
  ]
  const made = make(
    { source: process, head, index: n },
    { target: Id.toBytes(process), tags, data: Bytes.empty },
  )
  return Result.getOrThrow(made) // five short tags and no data break no limit
}

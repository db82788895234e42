/**
 * Bytes that the archive takes of a message, with everything that is stored because of it: its batch, its turn, the
 * items around them. Held against the bytes of the signed message itself.
 *
 * Signatures and data are random bytes, which is what they are to a compressor; everything else is as a node makes it:
 * anchors, the trees of batch signatures, heads, outcomes with a reply and a view.
 */
import crypto from "node:crypto"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as BatchesContent from "../../../archive-unit/BatchesContent.ts"
import * as Compression from "../../../archive-unit/Compression.ts"
import * as Piece from "../../../archive-unit/Piece.ts"
import type { Head } from "../../../archive-unit/PieceTags.ts"
import * as TurnsContent from "../../../archive-unit/TurnsContent.ts"
import * as BatchSignature from "../../../identity/BatchSignature.ts"
import * as Assignment from "../../../runtime/Assignment.ts"
import * as Attestation from "../../../runtime/Attestation.ts"
import * as Batch from "../../../runtime/Batch.ts"
import * as Bytes from "../../../runtime/Bytes.ts"
import * as Hash from "../../../runtime/Hash.ts"
import * as Id from "../../../runtime/Id.ts"
import * as Item from "../../../runtime/Item.ts"
import * as Merkle from "../../../runtime/Merkle.ts"
import * as Message from "../../../runtime/Message.ts"
import type * as Outcome from "../../../runtime/Outcome.ts"
import * as SignatureType from "../../../runtime/SignatureType.ts"
import type { CommittedBatch } from "../../../scheduler-unit/SchedulerUnit.ts"
import { against, type Figure, kib, type Row } from "../Figure.ts"

const random = (bytes: number): Uint8Array => new Uint8Array(crypto.randomBytes(bytes))

const key = SignatureType.mlDsa65
const signed = (owner: Uint8Array): Batch.Signed => ({
  signatureType: key.number,
  owner,
  signature: random(key.signatureBytes),
})

const dataBytes = 200
const process = Id.fromBytes(random(Hash.length))
const [scheduler, compute, engine] = [random(key.ownerBytes), random(key.ownerBytes), random(Hash.length)]

const content = (type: SignatureType.SignatureType, owner: Uint8Array): Item.Content =>
  Result.getOrThrow(
    Item.content({
      type,
      owner,
      target: Id.toBytes(process),
      anchor: random(Hash.length),
      tags: [...Message.protocolTags("Message"), { name: "Action", value: "Increment" }],
      data: random(dataBytes),
    }),
  )

const encode = (of: Item.Content, signature: Uint8Array): Uint8Array =>
  Result.getOrThrow(Item.encode(of, signature)).bytes

/** Messages of one sender under as few signatures as they fit. */
const bulk = (count: number): ReadonlyArray<Uint8Array> => {
  const owner = random(key.ownerBytes)
  const contents = Array.from({ length: count }, () => content(BatchSignature.typeOf(key), owner))
  const tree = Merkle.tree(contents.map(Item.signingHash))
  const signature = random(key.signatureBytes)
  return contents.map((one, i) => encode(one, BatchSignature.field(signature, tree, i)))
}

/** Messages of so many senders in turn, each under a signature of its own. */
const single = (count: number, senders: number): ReadonlyArray<Uint8Array> => {
  const owners = Array.from({ length: senders }, () => random(key.ownerBytes))
  return Array.from({ length: count }, (_, i) =>
    encode(content(key, owners[i % senders]!), random(key.signatureBytes)),
  )
}

/** A log of these messages, so many a batch. */
const batchesOf = (items: ReadonlyArray<Uint8Array>, perBatch: number): ReadonlyArray<CommittedBatch> => {
  const batches: Array<CommittedBatch> = []
  let previous = Assignment.emptyHead
  let previousRoot: Uint8Array = new Uint8Array(Hash.length)
  for (let from = 0; from < items.length; from += perBatch) {
    const number = batches.length
    const entries = items.slice(from, from + perBatch).map((item, index) => {
      const entryHash = Assignment.entryHash(item)
      const slot = from + index
      const timestamp = 1_700_000_000_000 + slot
      const assignment = Assignment.make({ process, term: 0, slot, timestamp, entryHash, previous })
      previous = assignment.head
      return { assignment, batch: number, index, item, proof: Bytes.empty }
    })
    const { root } = Batch.tree(entries.map(({ assignment }) => assignment))
    batches.push({ link: { number, previousRoot, root, ...signed(scheduler) }, entries })
    previousRoot = root
  }
  return batches
}

const outcomeOf = (slot: number, item: Uint8Array): Outcome.Outcome => {
  const { id } = Result.getOrThrow(Item.decode(item))
  const value = String(slot)
  return {
    slot,
    message: id,
    error: undefined,
    fuelUsed: 300_000n + BigInt(crypto.randomInt(50_000)),
    replies: [{ to: id, value }],
    views: [{ name: "count", value }],
    outbox: [],
  }
}

/** What the archive has of a log's turns: attested batch by batch, under one signature. */
const releasesOf = (batches: ReadonlyArray<CommittedBatch>): ReadonlyArray<TurnsContent.ArchivedRelease> => {
  let from = Attestation.origin
  const groups = batches.map(({ entries }) => {
    const outcomes = entries.map(({ assignment, item }) => outcomeOf(assignment.slot, item))
    const { slot, head } = entries.at(-1)!.assignment
    const to = { slot, head, stateRoot: random(Hash.length) }
    const outcomeRoot = TurnsContent.outcomeRoot(outcomes)
    const attestation = { engine, process, term: 0, from, to, outcomeRoot }
    from = to
    return { attestation, outcomes }
  })
  return TurnsContent.joined([{ groups }]).map((all, number) => ({ number, ...signed(compute), groups: all }))
}

/** Each piece as an item of the node, and the item of a wallet that carries it. */
const aroundBytes = ({ tags, data }: Piece.Unsigned): number => {
  const around = (type: SignatureType.SignatureType, held: Uint8Array) =>
    encode(
      Result.getOrThrow(
        Item.content({ type, owner: random(type.ownerBytes), anchor: random(Hash.length), tags, data: held }),
      ),
      random(type.signatureBytes),
    )
  return around(SignatureType.arweave, around(key, data)).length - data.length
}

interface Stored {
  readonly batches: number
  readonly turns: number
}

const sizes = async (batches: ReadonlyArray<CommittedBatch>, longDistance: boolean): Promise<Stored> => {
  const [first, last] = [batches[0]!.link, batches.at(-1)!.link]
  const stored = async (head: Head, bytes: Uint8Array): Promise<number> => {
    const compressed = await Effect.runPromise(Compression.compress(bytes, longDistance))
    const pieces = Piece.cut(head, BatchesContent.slots(batches), compressed)
    return pieces.reduce((sum, piece) => sum + aroundBytes(piece) + piece.data.length, 0)
  }
  const address = (owner: Uint8Array) => Id.fromBytes(Hash.sha256(owner))
  const [firstBatch, lastBatch] = [first.number, last.number]
  const { previousRoot } = first
  return {
    batches: await stored(
      {
        type: "Batches",
        scheduler: address(scheduler),
        firstBatch,
        lastBatch,
        previousRoot,
        root: last.root,
      },
      Result.getOrThrow(BatchesContent.encode(batches)),
    ),
    turns: await stored(
      { type: "Turns", compute: address(compute), firstRelease: firstBatch, lastRelease: lastBatch },
      Result.getOrThrow(TurnsContent.encode(releasesOf(batches))),
    ),
  }
}

interface Case {
  readonly name: string
  readonly items: (count: number) => ReadonlyArray<Uint8Array>
  readonly perBatch: number
  /** Bytes stored that are wanted, as a multiple of the message's. */
  readonly goal: number
}

const cases: ReadonlyArray<Case> = [
  ...[64, 250, 1_000].map((perBatch) => ({
    name: `bulk sender, batches of ${perBatch}`,
    items: bulk,
    perBatch,
    goal: 1.15,
  })),
  {
    name: "64 senders, batches of 64",
    items: (count) => single(count, 64),
    perBatch: 64,
    goal: 1.3,
  },
  {
    name: "2,000 senders, batches of 1,000",
    items: (count) => single(count, 2_000),
    perBatch: 1_000,
    goal: 1.3,
  },
  { name: "one at a time", items: (count) => single(count, 1), perBatch: 1, goal: 1.3 },
]

export const figure: Figure = async ({ quick, progress }) => {
  const count = quick ? 128 : 4_000
  const rows: Array<Row> = []
  const reckoning: Array<string> = []
  for (const { name, items, perBatch, goal } of cases) {
    progress(`${count} messages, ${name}`)
    const messages = items(count)
    const batches = batchesOf(messages, perBatch)
    const message = messages.reduce((sum, item) => sum + item.length, 0) / count
    const far = await sizes(batches, true)
    const near = await sizes(batches, false)
    const each = (far.batches + far.turns) / count
    const limit = `${goal} x the signed message`
    rows.push(against(`stored of ${name}`, kib(each / 1_024), limit, (goal * message) / 1_024, 1))
    const b = (bytes: number) => (bytes / count).toFixed(0)
    const ratio = (stored: Stored) => ((stored.batches + stored.turns) / count / message).toFixed(3)
    reckoning.push(
      `${name}: ${message.toFixed(0)} B signed, ${b(far.batches)} B as batches, ${b(far.turns)} B as turns: ${ratio(far)} of it; ${ratio(near)} without long-distance matching`,
    )
  }
  return {
    _tag: "Measured",
    rows,
    reckoning: [
      ...reckoning,
      `what can't be less, each: a signature of ${key.signatureBytes} B a message and a batch, or a share of one; ${dataBytes} B of data, 32 B of anchor; of a bulk sender's tree, 64 B of hashes`,
    ],
  }
}

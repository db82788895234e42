/**
 * Second implementation of what chapters 03 to 05 hash: heads, batches, outcomes, attestations, outbox items and
 * proofs. From the spec's text, on noble alone, like `reference.ts`.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import * as Reference from "./reference.ts"

const { join, layout, number, unhex, utf8 } = Reference
type Bytes = Reference.Bytes

export const zero32: Bytes = new Uint8Array(32)
export const tagged = (domain: string, ...parts: ReadonlyArray<Bytes>): Bytes =>
  sha256(layout(domain, ...parts))
export const id = (text: string): Bytes => new Uint8Array(Buffer.from(text, "base64url"))

/** 03 §2. */
export interface Assignment {
  readonly process: Bytes
  readonly term: number
  readonly slot: number
  readonly timestamp: number
  readonly entryHash: Bytes
  readonly previous: Bytes
}

export const entryHash = (item: Bytes, proof: Bytes): Bytes => tagged("heddle/entry/1", item, proof)

export const head = ({ process, term, slot, timestamp, entryHash, previous }: Assignment): Bytes =>
  tagged(
    "heddle/head/1",
    process,
    number(term, 8),
    previous,
    number(slot, 8),
    number(timestamp, 8),
    entryHash,
  )

export const leaf = (of: Assignment, withHead = head(of)): Bytes =>
  tagged(
    "heddle/assignment/1",
    of.process,
    number(of.term, 8),
    number(of.slot, 8),
    number(of.timestamp, 8),
    of.entryHash,
    of.previous,
    withHead,
  )

/** 03 §3. */
export const link = (batch: number, previousRoot: Bytes, root: Bytes): Bytes =>
  layout("heddle/batch/1", number(batch, 8), previousRoot, root)

/** 01 §5. */
export const outboxItem = (
  source: Bytes,
  head: Bytes,
  index: number,
  fields: Omit<Reference.Fields, "type" | "owner">,
): Bytes => {
  const whole = { ...fields, type: 3001, owner: source }
  const field = join(utf8("heddle/outbox/1"), source, head, number(index, 4), Reference.contentHash(whole))
  return Reference.item(whole, field)
}

/** Signature fields of types 2 and 3001 have 64 and 115 bytes. */
export const itemId = (item: Bytes): Bytes => sha256(item.slice(2, 2 + (item[0] === 2 ? 64 : 115)))

export const cronItem = (process: Bytes, name: string, count: number): Bytes =>
  outboxItem(process, tagged("heddle/cron/1", utf8(name)), count, {
    target: process,
    tags: [
      ["Data-Protocol", "ao"],
      ["Type", "Message"],
      ["Variant", "heddle.1"],
      ["Action", "Cron"],
      ["Cron-Name", name],
      ["Cron-Count", String(count)],
    ],
    data: new Uint8Array(0),
  })

/** 04 §3. */
export interface Entry {
  readonly kind: "message" | "spawn" | "timer" | "void"
  readonly pair: number
  readonly due: number
  readonly item: Bytes
}

export interface Outcome {
  readonly slot: number
  readonly message: Bytes
  readonly error?: { readonly reason: string; readonly message: string }
  readonly fuelUsed: bigint
  readonly replies: ReadonlyArray<{ readonly to: Bytes; readonly value?: string; readonly error?: string }>
  readonly views: ReadonlyArray<{ readonly name: string; readonly value: string | null }>
  readonly outbox: ReadonlyArray<Entry>
}

/** By their byte. */
export const kinds = ["message", "spawn", "timer", "void"]

export const entryValue = ({ kind, pair, due, item }: Entry): Bytes =>
  tagged(
    "heddle/outbox-entry/1",
    number(kinds.indexOf(kind), 1),
    number(pair, 8),
    number(due, 8),
    sha256(item),
  )

export const outboxRoot = (outbox: ReadonlyArray<Entry>): Bytes =>
  Reference.merkle(outbox.map(entryValue), 0).root

export const bodyHash = ({ slot, message, error, fuelUsed, replies, views }: Outcome): Bytes =>
  tagged(
    "heddle/outcome-body/1",
    number(slot, 8),
    message,
    error === undefined ? number(0, 1) : layout("error", utf8(error.reason), utf8(error.message)),
    number(fuelUsed, 8),
    layout(
      "replies",
      ...replies.map(({ to, value, error }) =>
        error === undefined ? layout("value", to, utf8(value!)) : layout("error", to, utf8(error)),
      ),
    ),
    layout(
      "views",
      ...views.map(({ name, value }) =>
        layout("view", utf8(name), value === null ? number(0, 1) : join(number(1, 1), utf8(value))),
      ),
    ),
  )

export const outcomeHash = (outcome: Outcome): Bytes =>
  tagged("heddle/outcome/1", bodyHash(outcome), outboxRoot(outcome.outbox))

/** 04 §6. */
export interface Point {
  readonly slot: number
  readonly head: Bytes
  readonly stateRoot: Bytes
}

export interface Attestation {
  readonly engine: Bytes
  readonly process: Bytes
  readonly term: number
  readonly from: Point
  readonly to: Point
  readonly outcomeRoot: Bytes
}

export const origin: Point = { slot: -1, head: zero32, stateRoot: zero32 }

const point = ({ slot, head, stateRoot }: Point): Bytes =>
  layout("point", number(slot + 1, 8), head, stateRoot)

export const attestationLeaf = ({ engine, process, term, from, to, outcomeRoot }: Attestation): Bytes =>
  tagged("heddle/attestation/1", engine, process, number(term, 8), point(from), point(to), outcomeRoot)

export const attestationsSigned = (root: Bytes): Bytes => layout("heddle/attestations/1", root)

/** 05 §2. */
export interface Witness {
  readonly index: number
  readonly path: ReadonlyArray<Bytes>
  readonly type: number
  readonly owner: Bytes
  readonly signature: Bytes
}

export interface Proof {
  readonly version: number
  readonly slot: number
  readonly index: number
  readonly kind: number
  readonly pair: number
  readonly due: number
  readonly entryPath: ReadonlyArray<Bytes>
  readonly bodyHash: Bytes
  readonly outcomePath: ReadonlyArray<Bytes>
  readonly attestation: Attestation
  readonly witnesses: ReadonlyArray<Witness>
}

const block = (bytes: Bytes): Bytes => join(number(bytes.length, 4), bytes)
const flatPoint = ({ slot, head, stateRoot }: Point): Bytes => join(number(slot + 1, 8), head, stateRoot)

export const proof = (of: Proof): Bytes =>
  join(
    number(of.version, 1),
    number(of.slot, 8),
    number(of.index, 4),
    number(of.kind, 1),
    number(of.pair, 8),
    number(of.due, 8),
    ...of.entryPath,
    of.bodyHash,
    ...of.outcomePath,
    of.attestation.engine,
    of.attestation.process,
    number(of.attestation.term, 8),
    flatPoint(of.attestation.from),
    flatPoint(of.attestation.to),
    of.attestation.outcomeRoot,
    number(of.witnesses.length, 1),
    ...of.witnesses.flatMap(({ index, path, type, owner, signature }) => [
      number(index, 2),
      ...path,
      number(type, 2),
      block(owner),
      block(signature),
    ]),
  )

/** The worked examples of the spec: bytes of one value. */
export const all = (byte: string): Bytes => unhex(byte.repeat(32))

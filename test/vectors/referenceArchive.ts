/** Second implementation of the layouts of chapter 07, from the spec's text, like `reference.ts`. */
import { sha256 } from "@noble/hashes/sha2.js"
import * as Reference from "./reference.ts"
import * as Log from "./referenceLog.ts"

const { base64, join, number, utf8 } = Reference
type Bytes = Reference.Bytes
type Key = ReturnType<typeof Reference.mlDsaKey>

export const block = (bytes: Bytes): Bytes => join(number(bytes.length, 4), bytes)

// 07 §2: batches.

export interface Entry {
  readonly process: Bytes
  readonly term?: number | bigint
  readonly slot: number
  readonly timestamp: number
  readonly item: Bytes
  readonly proof?: Bytes
  /** Given where the entry before is not in the content. */
  readonly previous?: Bytes
  /** Stands for 0 or 1. */
  readonly flag?: number
}

const none = new Uint8Array(0)

export const entry = (of: Entry): Bytes =>
  join(
    of.process,
    number(of.term ?? 0, 8),
    number(of.slot, 8),
    number(of.timestamp, 8),
    number(of.flag ?? (of.previous === undefined ? 0 : 1), 1),
    of.previous ?? none,
    block(of.item),
    block(of.proof ?? none),
  )

/** Roots of a run of batches, which follow from their entries. */
export const roots = (batches: ReadonlyArray<ReadonlyArray<Entry>>): ReadonlyArray<Bytes> => {
  const heads = new Map<string, Bytes>()
  return batches.map((entries) => {
    const leaves = entries.map((of) => {
      const name = base64(of.process)
      const assignment = {
        process: of.process,
        term: Number(of.term ?? 0),
        slot: of.slot,
        timestamp: of.timestamp,
        entryHash: Log.entryHash(of.item, of.proof ?? none),
        previous: of.previous ?? heads.get(name) ?? Log.zero32,
      }
      heads.set(name, Log.head(assignment))
      return Log.leaf(assignment)
    })
    return Reference.merkle(leaves, 0).root
  })
}

export interface Run<A> {
  readonly domain?: string
  readonly type?: number
  readonly first: number | bigint
  readonly count?: number
  readonly parts: ReadonlyArray<ReadonlyArray<A>>
  /** Stands for the count in each. */
  readonly inEach?: number
}

export const batches = (key: Key, previousRoot: Bytes, run: Run<Entry>): Bytes => {
  const found = roots(run.parts)
  return join(
    block(utf8(run.domain ?? "heddle/archive/batches/1")),
    number(run.type ?? key.type, 2),
    key.owner,
    number(run.first, 8),
    previousRoot,
    number(run.count ?? run.parts.length, 4),
    ...run.parts.flatMap((entries, i) => [
      key.sign("heddle/batch/1", Log.link(Number(run.first) + i, found[i - 1] ?? previousRoot, found[i]!)),
      number(run.inEach ?? entries.length, 4),
      ...entries.map(entry),
    ]),
  )
}

// 07 §3: turns.

export interface Group {
  readonly engine: Bytes
  readonly process: Bytes
  readonly from: Log.Point
  readonly to: Log.Point
  readonly outcomes: ReadonlyArray<Log.Outcome> | undefined
  /** Where the outcomes are left out. */
  readonly outcomeRoot?: Bytes
  readonly flag?: number
  /** Stands for the kind of every outbox entry. */
  readonly kind?: number
  /** Stands for the count of every outbox. */
  readonly entries?: number
}

const text = (of: string): Bytes => block(utf8(of))
const point = ({ slot, head, stateRoot }: Log.Point): Bytes => join(number(slot + 1, 8), head, stateRoot)

const outcome = (of: Log.Outcome, { kind, entries }: Group): Bytes =>
  join(
    of.message,
    of.error === undefined ? number(0, 1) : join(number(1, 1), text(of.error.reason), text(of.error.message)),
    number(of.fuelUsed, 8),
    number(of.replies.length, 4),
    ...of.replies.flatMap(({ to, value, error }) => [
      to,
      number(error === undefined ? 0 : 1, 1),
      text(error ?? value!),
    ]),
    number(of.views.length, 4),
    ...of.views.flatMap(({ name, value }) => [
      text(name),
      value === null ? number(0, 1) : join(number(1, 1), text(value)),
    ]),
    number(entries ?? of.outbox.length, 4),
    ...of.outbox.flatMap((one) => [
      number(kind ?? Log.kinds.indexOf(one.kind), 1),
      number(one.pair, 8),
      number(one.due, 8),
      block(one.item),
    ]),
  )

export const outcomeRoot = (outcomes: ReadonlyArray<Log.Outcome>): Bytes =>
  Reference.merkle(outcomes.map(Log.outcomeHash), 0).root

const attestation = ({ engine, process, from, to, outcomes, outcomeRoot: root }: Group) => ({
  engine,
  process,
  term: 0,
  from,
  to,
  outcomeRoot: root ?? outcomeRoot(outcomes!),
})

const group = (of: Group): Bytes =>
  join(
    of.engine,
    of.process,
    number(0, 8),
    point(of.from),
    point(of.to),
    number(of.flag ?? (of.outcomes === undefined ? 0 : 1), 1),
    ...(of.outcomes?.map((one) => outcome(one, of)) ?? [of.outcomeRoot!]),
  )

export const turns = (key: Key, run: Run<Group>): Bytes =>
  join(
    block(utf8(run.domain ?? "heddle/archive/turns/1")),
    number(run.type ?? key.type, 2),
    key.owner,
    number(run.first, 8),
    number(run.count ?? run.parts.length, 4),
    ...run.parts.flatMap((groups) => [
      key.sign(
        "heddle/attestation/1",
        Log.attestationsSigned(
          Reference.merkle(
            groups.map((of) => Log.attestationLeaf(attestation(of))),
            0,
          ).root,
        ),
      ),
      number(run.inEach ?? groups.length, 4),
      ...groups.map(group),
    ]),
  )

// RFC 8878: a frame that compresses nothing, which is the same whoever writes it.

export interface Frame {
  readonly descriptor?: number
  /** What stands between descriptor and blocks. */
  readonly head?: Bytes
  /** 0 raw, 1 one byte repeated, 3 is reserved. */
  readonly kind?: number
}

export const frame = (content: Bytes, { descriptor = 0xa0, head, kind = 0 }: Frame = {}): Bytes => {
  if (content.length > 128 * 1024) throw new RangeError("more than one block")
  const size = kind === 1 ? content.slice(0, 1) : content
  return join(
    Reference.unhex("28b52ffd"),
    number(descriptor, 1),
    head ?? number(content.length, 4),
    number(1 | (kind << 1) | (content.length << 3), 3),
    size,
  )
}

// 07 §6: pieces.

export type Tags = ReadonlyArray<readonly [name: string, value: string]>

export const partTags = (type: string, data: Bytes, rest: Tags, part = 0, parts = 1): Tags => [
  ["Data-Protocol", "heddle"],
  ["Variant", "heddle.1"],
  ["Type", type],
  ["Content-Type", "application/zstd"],
  ["Content", base64(sha256(data))],
  ["Part", String(part)],
  ["Parts", String(parts)],
  ...rest,
]

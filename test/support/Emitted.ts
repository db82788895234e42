/** What a process emitted, with the proof of it, as a compute unit would make it: a turn of which nothing else is known. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Identity from "../../identity/Identity.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import * as Attestation from "../../runtime/Attestation.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import type * as Item from "../../runtime/Item.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import * as Message from "../../runtime/Message.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"

export interface Emission {
  readonly kind: Outcome.OutboxEntry["kind"]
  readonly target?: Id.ProcessId
  readonly tags?: ReadonlyArray<readonly [name: string, value: string]>
  readonly data?: string
  readonly pair?: number
  readonly due?: number
}

export interface Turn {
  readonly source: Id.ProcessId
  readonly slot: number
  readonly emissions: ReadonlyArray<Emission>
  /** Slots that the attestation covers: after `from`, up to `to`. The turn's own alone unless said. */
  readonly from?: number
  readonly to?: number
}

export interface Emitted {
  readonly item: Item.Item
  readonly message: Message.Message
  readonly proof: OutboxProof.OutboxProof
}

const name = (text: string) => Hash.sha256(Bytes.fromText(text))

/** The head that a slot has in these turns. */
export const headOf = (source: Id.ProcessId, slot: number): Uint8Array => name(`head of ${source} ${slot}`)

const point = (source: Id.ProcessId, slot: number): Attestation.Point =>
  slot < 0
    ? Attestation.origin
    : { slot, head: headOf(source, slot), stateRoot: name(`state of ${source} ${slot}`) }

const itemOf = ({ source, slot }: Turn, emission: Emission, index: number): Item.Item =>
  Result.getOrThrow(
    OutboxItem.make(
      { source, head: headOf(source, slot), index },
      {
        target: emission.target && Id.toBytes(emission.target),
        tags: [
          ...Message.protocolTags(emission.kind === "spawn" ? "Process" : "Message"),
          ...(emission.tags ?? []).map(([name, value]) => ({ name, value })),
        ],
        data: Bytes.fromText(emission.data ?? ""),
      },
    ),
  )

const outcome = (slot: number, outbox: ReadonlyArray<Outcome.OutboxEntry>): Outcome.Outcome => ({
  slot,
  message: Id.fromBytes(name(`message ${slot}`)),
  error: undefined,
  fuelUsed: 1_000n,
  replies: [],
  views: [],
  outbox,
})

/** A unit's signature over a tree in which the attestation stands second. */
const witness = (unit: Identity.Identity, attestation: Attestation.Attestation): OutboxProof.Witness => {
  const tree = Attestation.tree([{ ...attestation, engine: name("another engine") }, attestation])
  const signed = SignerLocal.make(unit).sign("heddle/attestation/1", Attestation.signingBytes(tree.root))
  return {
    index: 1,
    path: Merkle.path(tree, 1),
    signatureType: unit.type.number,
    owner: unit.owner,
    signature: Effect.runSync(signed),
  }
}

/** Every emission of a turn as an item, with the proof that `units` attested it. */
export const emit = (turn: Turn, units: ReadonlyArray<Identity.Identity>): ReadonlyArray<Emitted> => {
  const { source, slot, emissions, from = slot - 1, to = slot } = turn
  const items = emissions.map((emission, index) => itemOf(turn, emission, index))
  const entries = emissions.map(({ kind, pair = 0, due = 0 }, i) => ({
    kind,
    pair,
    due,
    item: items[i]!.bytes,
  }))
  const outcomes = Array.from({ length: to - from }, (_, i) =>
    outcome(from + 1 + i, from + 1 + i === slot ? entries : []),
  )
  const own = outcomes[slot - from - 1]!
  const [outbox, all] = [Outcome.outboxTree(entries), Merkle.tree(outcomes.map(Outcome.hash))]
  const attestation: Attestation.Attestation = {
    engine: name("engine"),
    process: source,
    term: 0,
    from: point(source, from),
    to: point(source, to),
    outcomeRoot: all.root,
  }
  const witnesses = units.map((unit) => witness(unit, attestation))
  return items.map((item, index) => ({
    item,
    message: Result.getOrThrow(Message.parse(item)),
    proof: {
      slot,
      index,
      kind: entries[index]!.kind,
      pair: entries[index]!.pair,
      due: entries[index]!.due,
      entryPath: Merkle.path(outbox, index),
      bodyHash: Outcome.bodyHash(own),
      outcomePath: Merkle.path(all, slot - from - 1),
      attestation,
      witnesses,
    },
  }))
}

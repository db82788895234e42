/**
 * OutcomeLog: where a compute unit keeps what turns did: outcomes, views, attestations and what has left, in one
 * transaction per commit, so that nothing is known outside before all of it is durable.
 */
import * as Effect from "effect/Effect"
import * as Attestation from "../runtime/Attestation.ts"
import type * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Merkle from "../runtime/Merkle.ts"
import * as Outcome from "../runtime/Outcome.ts"
import * as OutboxProof from "../runtime/OutboxProof.ts"
import { Recent } from "../runtime/Recent.ts"
import { type Put, putBytes, Store, type StoreFailed } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"
import type { Committed, Emitted, Release, Turn, View } from "./ComputeUnit.ts"

/** The turns of one process in one batch of its scheduler, and where they lead. */
export interface Group {
  readonly attestation: Attestation.Attestation
  readonly turns: ReadonlyArray<Turn>
  /** Engines that came into force with these turns: that of the process with slot 0, another with an upgrade. */
  readonly engines: ReadonlyArray<EngineSince>
  /** How a repeat of each turn's message is found; unset where it was not admitted. */
  readonly seen: ReadonlyArray<{ readonly key: Uint8Array; readonly contentHash: Uint8Array } | undefined>
}

/** The engine that a process has from a slot on. */
export interface EngineSince {
  readonly slot: number
  readonly engine: Uint8Array
}

/** Where a content stood first, as this unit saw it. */
export interface Seen {
  readonly slot: number
  readonly contentHash: Uint8Array
}

interface StoredAttestation extends Attestation.Attestation {
  readonly release: number
  readonly index: number
}

interface StoredRelease extends Batch.Signed {
  readonly number: number
  readonly places: ReadonlyArray<readonly [process: Uint8Array, slot: number]>
  /** Whether any turn in it emitted something: most did not, and a reader can pass over them. */
  readonly emits: boolean
  /** What stands in its tree, where not all of its groups are here; `index` of an attestation is its place there. */
  readonly leaves?: ReadonlyArray<Uint8Array>
}

/** A release that was signed before: groups of it that are to be here, with all that stands in its tree. */
export interface Restored extends Batch.Signed {
  readonly groups: ReadonlyArray<{ readonly index: number; readonly group: Group }>
  /** Unset where all of its groups are here. */
  readonly leaves: ReadonlyArray<Uint8Array> | undefined
}

const turns = Table.make<[process: Uint8Array, slot: number], Turn>("turn")
const attestations = Table.make<[process: Uint8Array, slot: number], StoredAttestation>("attestation")
const releases = Table.make<[number: number], StoredRelease>("release")
const views = Table.make<[process: Uint8Array, name: Uint8Array], View>("view")
const replies = Table.make<[process: Uint8Array, message: Uint8Array], Outcome.Reply>("reply")
const engines = Table.make<[process: Uint8Array, slot: number], EngineSince>("engine-since")
const seen = Table.make<[process: Uint8Array, key: Uint8Array], Seen>("evaluated")

export interface OutcomeLog {
  readonly turn: (process: Id.ProcessId, slot: number) => Turn | undefined
  readonly turns: (process: Id.ProcessId, from: number, limit: number) => ReadonlyArray<Turn>
  readonly reply: (process: Id.ProcessId, message: Id.Id) => Outcome.Reply | undefined
  readonly view: (process: Id.ProcessId, name: string) => View | undefined
  readonly seen: (process: Id.ProcessId, key: Uint8Array) => Seen | undefined
  /** The process as last attested here. */
  readonly point: (process: Id.ProcessId) => Attestation.Point
  /** By the slots with which they came into force. */
  readonly engines: (process: Id.ProcessId) => ReadonlyMap<number, Uint8Array>
  /** What is attested of the turns that reach `slot`. */
  readonly attested: (process: Id.ProcessId, slot: number) => Attestation.Attestation | undefined
  /** The same, signed. */
  readonly attestation: (process: Id.ProcessId, slot: number) => Attestation.SignedAttestation | undefined
  readonly release: (number: number) => Release | undefined
  /** A release with everything that was written with it. */
  readonly committed: (number: number) => Committed | undefined
  readonly nextRelease: () => number
  /** Writes groups under one signature. */
  readonly append: (signed: Batch.Signed, groups: ReadonlyArray<Group>) => Effect.Effect<void, StoreFailed>
  /** Writes releases under their own signatures in one commit. Numbers they get here, the next ones. */
  readonly restore: (releases: ReadonlyArray<Restored>) => Effect.Effect<void, StoreFailed>
}

const outcomeTree = (of: ReadonlyArray<Turn>): Merkle.Tree =>
  Merkle.tree(of.map(({ outcome }) => Outcome.hash(outcome)))

/** Root that an attestation of these turns commits to. */
export const outcomeRoot = (of: ReadonlyArray<Turn>): Uint8Array => outcomeTree(of).root

const groupPuts = (
  number: number,
  index: number,
  { attestation, engines: since, turns: done, seen: keys }: Group,
): Array<Put> => {
  const process = Id.toBytes(attestation.process)
  const puts = [
    attestations.put([process, attestation.to.slot], { ...attestation, release: number, index }),
    ...since.map((one) => engines.put([process, one.slot], one)),
  ]
  done.forEach((turn, i) => {
    const { outcome } = turn
    puts.push(turns.put([process, outcome.slot], turn))
    const first = keys[i]
    if (first)
      puts.push(seen.put([process, first.key], { slot: outcome.slot, contentHash: first.contentHash }))
    for (const reply of outcome.replies) puts.push(replies.put([process, Id.toBytes(reply.to)], reply))
    for (const { name, value } of outcome.views) {
      const at: [Uint8Array, Uint8Array] = [process, Hash.sha256(Bytes.fromText(name))]
      puts.push(value === null ? views.remove(at) : views.put(at, { value, slot: outcome.slot }))
    }
  })
  return puts
}

const attestationOf = ({ engine, process, term, from, to, outcomeRoot: root }: StoredAttestation) => ({
  engine,
  process,
  term,
  from,
  to,
  outcomeRoot: root,
})

/** Every outbox entry of one attested group, with its proof. */
const emittedBy = (
  of: ReadonlyArray<Turn>,
  attestation: Attestation.Attestation,
  witness: OutboxProof.Witness,
): Array<Emitted> => {
  if (of.every(({ outcome }) => outcome.outbox.length === 0)) return []
  const outcomes = outcomeTree(of)
  return of.flatMap(({ outcome }, place) => {
    const outbox = Outcome.outboxTree(outcome.outbox)
    const bodyHash = Outcome.bodyHash(outcome)
    const outcomePath = Merkle.path(outcomes, place)
    return outcome.outbox.map((entry, index): Emitted => {
      const { kind, pair, due } = entry
      const entryPath = Merkle.path(outbox, index)
      const proof = {
        slot: outcome.slot,
        index,
        kind,
        pair,
        due,
        entryPath,
        bodyHash,
        outcomePath,
        attestation,
        witnesses: [witness],
      }
      return {
        source: attestation.process,
        slot: outcome.slot,
        index,
        entry,
        proof: OutboxProof.encode(proof),
      }
    })
  })
}

export const make = Effect.gen(function* () {
  const store = yield* Store
  const newest = releases.list(store, [], { reverse: true, limit: 1 })[0]
  let next = newest === undefined ? 0 : newest.number + 1

  const turnsOf = (process: Id.ProcessId, from: number, limit: number): ReadonlyArray<Turn> => [
    ...turns.list(store, [Id.toBytes(process)], { from, limit }),
  ]

  const storedAt = (process: Id.ProcessId, slot: number): StoredAttestation | undefined =>
    attestations.list(store, [Id.toBytes(process)], { from: slot, limit: 1 })[0]

  const witnessOf = (number: number) => {
    const release = releases.get(store, number)!
    const stored = release.places.map(([process, slot]) => attestations.get(store, process, slot)!)
    const tree = release.leaves === undefined ? Attestation.tree(stored) : Merkle.tree(release.leaves)
    const { signatureType, owner, signature } = release
    const witness = (index: number): OutboxProof.Witness => ({
      index,
      path: Merkle.path(tree, index),
      signatureType,
      owner,
      signature,
    })
    return { release, stored, witness }
  }

  // Who follows closely reads what was just written, and need not decode it.
  const recent = new Recent<number, Committed>(Limit.recentCommitsMax)
  const remember = (number: number, signed: Batch.Signed, groups: ReadonlyArray<Group>): void => {
    const written = groups.map(({ attestation, turns: done }) => ({
      attestation,
      outcomes: done.map(({ outcome }) => outcome),
    }))
    recent.set(number, { number, ...signed, groups: written })
  }

  const putsOf = (
    number: number,
    { groups, leaves, signatureType, owner, signature }: Restored,
  ): ReadonlyArray<Put> => {
    const places = groups.map(
      ({ group: { attestation } }) => [Id.toBytes(attestation.process), attestation.to.slot] as const,
    )
    const emits = groups.some(({ group }) => group.turns.some(({ outcome }) => outcome.outbox.length > 0))
    const rest = leaves === undefined ? {} : { leaves }
    return [
      releases.put([number], { signatureType, owner, signature, number, places, emits, ...rest }),
      ...groups.flatMap(({ index, group }) => groupPuts(number, index, group)),
    ]
  }

  const log: OutcomeLog = {
    turn: (process, slot) => turns.get(store, Id.toBytes(process), slot),
    turns: turnsOf,
    reply: (process, message) => replies.get(store, Id.toBytes(process), Id.toBytes(message)),
    view: (process, name) => views.get(store, Id.toBytes(process), Hash.sha256(Bytes.fromText(name))),
    seen: (process, key) => seen.get(store, Id.toBytes(process), key),
    point: (process) =>
      attestations.list(store, [Id.toBytes(process)], { reverse: true, limit: 1 })[0]?.to ??
      Attestation.origin,
    engines: (process) =>
      new Map(engines.list(store, [Id.toBytes(process)]).map(({ slot, engine }) => [slot, engine])),
    attested: (process, slot) => {
      const found = storedAt(process, slot)
      return found && attestationOf(found)
    },
    attestation: (process, slot) => {
      const found = storedAt(process, slot)
      return found && { attestation: attestationOf(found), ...witnessOf(found.release).witness(found.index) }
    },
    release: (number) => {
      if (number >= next) return undefined
      if (releases.get(store, number)?.emits !== true) return { number, emitted: [] }
      const { stored, witness } = witnessOf(number)
      const emitted = stored.flatMap((one) => {
        const { process, from, to, index } = one
        const done = turnsOf(process, from.slot + 1, to.slot - from.slot)
        return emittedBy(done, attestationOf(one), witness(index))
      })
      return { number, emitted }
    },
    committed: (number) => {
      const known = recent.get(number)
      if (known !== undefined) return known
      if (number >= next) return undefined
      const { release, stored } = witnessOf(number)
      const { signatureType, owner, signature } = release
      const groups = stored.map((one) => {
        const done = turnsOf(one.process, one.from.slot + 1, one.to.slot - one.from.slot)
        return { attestation: attestationOf(one), outcomes: done.map(({ outcome }) => outcome) }
      })
      return { number, signatureType, owner, signature, groups }
    },
    nextRelease: () => next,
    append: Effect.fnUntraced(function* (signed, groups) {
      const number = next
      const all = groups.map((group, index) => ({ index, group }))
      const puts = putsOf(number, { ...signed, groups: all, leaves: undefined })
      yield* store.commit(puts)
      next = number + 1
      if (putBytes(puts) <= Limit.recentCommitBytesMax) remember(number, signed, groups)
    }),
    restore: Effect.fnUntraced(function* (all) {
      const first = next
      yield* store.commit(all.flatMap((one, i) => putsOf(first + i, one)))
      next = first + all.length
    }),
  }
  return log
})

/**
 * AssignmentLog on the store. A public key is longer than most messages, so each owner stands there once and items
 * refer to it.
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Address from "../runtime/Address.ts"
import * as Admission from "../runtime/Admission.ts"
import * as Assignment from "../runtime/Assignment.ts"
import type * as Authority from "../runtime/Authority.ts"
import type * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Message from "../runtime/Message.ts"
import * as Process from "../runtime/Process.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import { Recent } from "../runtime/Recent.ts"
import { type Put, putBytes, Store, type StoreFailed } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"
import * as Adoption from "./Adoption.ts"
import { AssignmentLog, type Given, type Seen } from "./AssignmentLog.ts"
import * as Cron from "./Cron.ts"
import type { CommittedBatch, LogEntry, ProcessHead } from "./SchedulerUnit.ts"

interface StoredEntry {
  readonly term: number
  readonly timestamp: number
  readonly entryHash: Uint8Array
  readonly previous: Uint8Array
  readonly head: Uint8Array
  readonly batch: number
  readonly index: number
  /** Whose the batch is, where it is foreign, and the way to its root. */
  readonly foreign?: { readonly scheduler: Uint8Array; readonly path: ReadonlyArray<Uint8Array> }
  /** Item bytes before and after the owner, and the hash by which the owner is found. */
  readonly before: Uint8Array
  readonly owner: Uint8Array
  readonly after: Uint8Array
  readonly proof: Uint8Array
}

interface StoredBatch extends Batch.SignedLink {
  readonly places: ReadonlyArray<readonly [process: Uint8Array, slot: number]>
  /** What stands in its tree, where not all of its entries are here. */
  readonly leaves?: ReadonlyArray<Uint8Array>
}

/** A batch that somebody signed before: what is to be here of it, with all that stands in its tree. */
export interface Restored {
  readonly link: Batch.SignedLink
  readonly entries: ReadonlyArray<Given>
  /** Unset where all of its entries are here. */
  readonly leaves: ReadonlyArray<Uint8Array> | undefined
}

/** The log with what only a restore does to it. */
export interface Log {
  readonly log: AssignmentLog["Service"]
  /**
   * Puts batches into the chain in one commit, in ascending order. `states` are those after the last of them. Where the
   * log is only to be read, nothing falls due in it.
   */
  readonly restore: (
    batches: ReadonlyArray<Restored>,
    states: ReadonlyMap<Id.ProcessId, Admission.LogState>,
    readOnly: boolean,
  ) => Effect.Effect<void, StoreFailed>
}

interface StoredState {
  readonly term: number
  /** Unset where it is the one that the spawn names and the row was written before it stood here. */
  readonly scheduler: Uint8Array | undefined
  readonly nextSlot: number
  readonly head: Uint8Array
  readonly timestamp: number
  readonly spawnedAt: number
}

interface StoredAuthority extends Pick<Authority.InForce, "since" | "quorum"> {
  readonly units: ReadonlyArray<Uint8Array>
}

const entries = Table.make<[process: Uint8Array, slot: number], StoredEntry>("assignment")
const batches = Table.make<[number: number], StoredBatch>("batch")
const foreign = Table.make<[scheduler: Uint8Array, number: number], Batch.SignedLink>("foreign-batch")
const owners = Table.make<[hash: Uint8Array], Uint8Array>("owner")
const states = Table.make<[process: Uint8Array], StoredState & { readonly process: Uint8Array }>("log")
const pairs = Table.make<[process: Uint8Array, source: Uint8Array], readonly [Uint8Array, number]>("pair")
const crons = Table.make<[process: Uint8Array, name: Uint8Array], readonly [string, number]>("cron")
const cronTimes = Table.make<[at: number, process: Uint8Array], readonly [number, Uint8Array]>("cron-time")
/** Of processes whose owner has changed it; the others have that of their spawn. */
const authorities = Table.make<[process: Uint8Array], StoredAuthority>("authority")
const seen = Table.make<[process: Uint8Array, key: Uint8Array], Seen>("seen")

/** Where the owner stands in the bytes of an item. */
const ownerWindow = (item: Uint8Array) => {
  const type = SignatureType.find(new Bytes.Reader(item).u16())!
  const from = 2 + type.signatureBytes
  return { from, to: from + type.ownerBytes }
}

/** The process that a spawn item makes; the log holds only items that were admitted as such. */
const processOf = (spawn: Uint8Array): Process.Process =>
  Result.getOrThrow(
    Result.flatMap(Item.decode(spawn), (item) => Result.flatMap(Message.parse(item), Process.fromSpawn)),
  )

export const open = Effect.gen(function* () {
  const store = yield* Store
  const knownOwners = new Set<Id.Address>()

  const readEntry = (process: Id.ProcessId, slot: number, stored: StoredEntry): LogEntry => {
    const { term, timestamp, entryHash, previous, head, batch, index, proof } = stored
    const owner = owners.get(store, stored.owner)!
    const item = Bytes.concat([stored.before, owner, stored.after])
    return {
      assignment: { process, slot, term, timestamp, entryHash, previous, head },
      batch,
      index,
      item,
      proof,
    }
  }

  const entry = (process: Id.ProcessId, slot: number): LogEntry | undefined => {
    const stored = entries.get(store, Id.toBytes(process), slot)
    return stored && readEntry(process, slot, stored)
  }

  const writeEntry = (
    { assignment, batch, index, item, proof, repeatKey, contentHash }: Given,
    foreignPlace?: StoredEntry["foreign"],
  ): Array<Put> => {
    const { term, timestamp, entryHash, previous, head } = assignment
    const window = ownerWindow(item)
    const ownerBytes = item.subarray(window.from, window.to)
    const { bytes: owner, text } = Address.of(ownerBytes)
    const process = Id.toBytes(assignment.process)
    const before = item.subarray(0, window.from)
    const after = item.subarray(window.to)
    const stored = { term, timestamp, entryHash, previous, head, batch, index, before, owner, after, proof }
    const put = foreignPlace === undefined ? stored : { ...stored, foreign: foreignPlace }
    const puts = [entries.put([process, assignment.slot], put)]
    if (repeatKey !== undefined)
      puts.push(seen.put([process, repeatKey], { slot: assignment.slot, contentHash }))
    if (!knownOwners.has(text)) puts.push(owners.put([owner], ownerBytes))
    return puts
  }

  const writeState = (
    process: Id.ProcessId,
    state: Admission.LogState,
    before: Admission.LogState,
    isScheduled: boolean,
  ): Array<Put> => {
    const { term, nextSlot, head, timestamp, spawnedAt } = state
    const key = Id.toBytes(process)
    const scheduler = state.scheduler && Id.toBytes(state.scheduler)
    const puts = [states.put([key], { process: key, term, scheduler, nextSlot, head, timestamp, spawnedAt })]
    const was = Cron.next(before, before.timestamp)
    const is = isScheduled ? Cron.next(state, timestamp) : undefined
    if (was?.at === is?.at) return puts
    if (was !== undefined) puts.push(cronTimes.remove([was.at, key]))
    if (is !== undefined) puts.push(cronTimes.put([is.at, key], [is.at, key]))
    return puts
  }

  const readAuthority = (key: Uint8Array, { authority }: Process.Process): Authority.InForce => {
    const stored = authorities.get(store, key)
    return stored === undefined
      ? { ...authority, since: 0 }
      : { ...stored, units: stored.units.map(Id.fromBytes) }
  }

  const readState = (process: Id.ProcessId): Admission.LogState => {
    const key = Id.toBytes(process)
    const stored = states.get(store, key)
    if (stored === undefined) return Admission.emptyLog
    const { term, scheduler, nextSlot, head, timestamp, spawnedAt } = stored
    const sources = Array.from(
      pairs.list(store, [key]),
      ([source, last]) => [Id.fromBytes(source), last] as const,
    )
    const made = processOf(entry(process, 0)!.item)
    return {
      process: made,
      term,
      scheduler: scheduler === undefined ? made.scheduler : Id.fromBytes(scheduler),
      nextSlot,
      head,
      timestamp,
      spawnedAt,
      authority: readAuthority(key, made),
      pairs: HashMap.fromIterable(sources),
      cron: HashMap.fromIterable(crons.list(store, [key])),
    }
  }

  // What was read or appended last.
  const cached = new Map<Id.ProcessId, Admission.LogState>()
  const keep = (process: Id.ProcessId, state: Admission.LogState): void => {
    cached.delete(process)
    if (cached.size >= Limit.logStatesMax) cached.delete(cached.keys().next().value!)
    cached.set(process, state)
  }
  const state = (process: Id.ProcessId): Admission.LogState => {
    const found = cached.get(process) ?? readState(process)
    if (found.nextSlot > 0) keep(process, found)
    return found
  }

  /** Counters that the batch moved: only those are written. */
  const changed = <K>(after: HashMap.HashMap<K, number>, before: HashMap.HashMap<K, number>) =>
    after === before
      ? []
      : HashMap.toEntries(
          HashMap.filter(
            after,
            (last, key) => !HashMap.has(before, key) || HashMap.getUnsafe(before, key) !== last,
          ),
        )

  const batchPut = ({ link, entries: of, leaves }: Restored): Put => {
    const places = of.map(({ assignment }) => [Id.toBytes(assignment.process), assignment.slot] as const)
    return batches.put([link.number], { ...link, places, ...(leaves === undefined ? {} : { leaves }) })
  }

  // Who follows closely reads what was just written, and need not decode it.
  const recent = new Recent<number, CommittedBatch>(Limit.recentCommitsMax)
  /** Of the last batch, where it was appended. */
  let newest: Batch.SignedLink | undefined
  const remember = ({ link, entries: of }: Restored): void => {
    const written = of.map(({ assignment, batch, index, item, proof }): LogEntry => ({
      assignment,
      batch,
      index,
      item,
      proof,
    }))
    recent.set(link.number, { link, entries: written })
  }

  const commit = (
    written: ReadonlyArray<Put>,
    items: ReadonlyArray<Pick<LogEntry, "item">>,
    after: ReadonlyMap<Id.ProcessId, Admission.LogState>,
    isScheduled: (state: Admission.LogState) => boolean,
  ) => {
    const puts = [...written]
    for (const [process, next] of after) {
      const before = state(process)
      const key = Id.toBytes(process)
      puts.push(...writeState(process, next, before, isScheduled(next)))
      if (next.authority !== before.authority && next.authority !== undefined && next.authority.since > 0)
        puts.push(authorities.put([key], { ...next.authority, units: next.authority.units.map(Id.toBytes) }))
      for (const [source, last] of changed(next.pairs, before.pairs))
        puts.push(pairs.put([key, Id.toBytes(source)], [Id.toBytes(source), last]))
      for (const [name, last] of changed(next.cron, before.cron))
        puts.push(crons.put([key, Hash.sha256(Bytes.fromText(name))], [name, last]))
    }
    return store.commit(puts).pipe(
      Effect.map(() => {
        newest = undefined
        for (const [process, next] of after) keep(process, next)
        if (knownOwners.size > Limit.ownersKnownMax) knownOwners.clear()
        for (const { item } of items) {
          const window = ownerWindow(item)
          knownOwners.add(Address.of(item.subarray(window.from, window.to)).text)
        }
        return puts
      }),
    )
  }

  const commitChained = (
    restored: ReadonlyArray<Restored>,
    after: ReadonlyMap<Id.ProcessId, Admission.LogState>,
    isScheduled: (state: Admission.LogState) => boolean,
  ) => {
    const appended = restored.flatMap((batch) => batch.entries)
    const puts = [...restored.map(batchPut), ...appended.flatMap((one) => writeEntry(one))]
    return commit(puts, appended, after, isScheduled)
  }

  const readBatch = ({ places, leaves: _, ...link }: StoredBatch) => ({
    link,
    entries: places.map(([process, slot]) => entry(Id.fromBytes(process), slot)!),
  })

  const log = AssignmentLog.of({
    last: () => {
      if (newest !== undefined) return newest
      const stored = batches.list(store, [], { reverse: true, limit: 1 })[0]
      return stored && readBatch({ ...stored, places: [] }).link
    },
    state,
    seen: (process, key) => seen.get(store, Id.toBytes(process), key),
    entry: (process, slot) => {
      const stored = entries.get(store, Id.toBytes(process), slot)
      const by = stored?.foreign
      const place = by && { scheduler: Id.fromBytes(by.scheduler), path: by.path }
      return stored && { ...readEntry(process, slot, stored), foreign: place }
    },
    entries: (process, from, limit) =>
      Array.from(entries.list(store, [Id.toBytes(process)], { from, limit }), (stored, i) =>
        readEntry(process, from + i, stored),
      ),
    batch: (number) => {
      const known = recent.get(number)
      if (known !== undefined) return known
      const stored = batches.get(store, number)
      return stored && readBatch(stored)
    },
    batchFrom: (number) => {
      const known = recent.get(number)
      if (known !== undefined) return known
      const stored = batches.list(store, [], { from: number, limit: 1 })[0]
      return stored && readBatch(stored)
    },
    leaves: (number) => {
      const stored = batches.get(store, number)
      if (stored === undefined) return undefined
      const { link, entries: here } = readBatch(stored)
      const leaves = stored.leaves ?? here.map(({ assignment }) => Assignment.leafValue(assignment))
      return { link, leaves }
    },
    foreignLink: (scheduler, number) => foreign.get(store, Id.toBytes(scheduler), number),
    newestForeign: (scheduler) =>
      foreign.list(store, [Id.toBytes(scheduler)], { reverse: true, limit: 1 })[0],
    processes: () =>
      Array.from(states.list(store, []), ({ process, nextSlot, timestamp }): ProcessHead => ({
        process: Id.fromBytes(process),
        nextSlot,
        timestamp,
      })),
    elsewhere: (own) =>
      Array.from(states.list(store, [])).flatMap(({ process, scheduler }) => {
        const by = scheduler && Id.fromBytes(scheduler)
        return by === undefined || by === own ? [] : [{ process: Id.fromBytes(process), scheduler: by }]
      }),
    knows: (address) => {
      const owner = owners.get(store, Id.toBytes(address))
      // What a process emitted names the process where a key would stand.
      const isProcess = owner?.length === Hash.length && state(Id.fromBytes(owner)).nextSlot > 0
      return owner !== undefined && !isProcess
    },
    cronDue: (limit) =>
      Array.from(cronTimes.list(store, [], { limit }), ([at, process]) => ({
        process: Id.fromBytes(process),
        at,
      })),
    append: (link, appended, after) => {
      const batch: Restored = { link, entries: appended, leaves: undefined }
      const { text: own } = Address.of(link.owner)
      const isScheduled = ({ scheduler }: Admission.LogState) => scheduler === own
      return Effect.map(commitChained([batch], after, isScheduled), (puts) => {
        newest = link
        if (putBytes(puts) <= Limit.recentCommitBytesMax) remember(batch)
      })
    },
    adopt: (adopted, after, own) =>
      Effect.suspend(() => {
        const { slots, states: moved } = Adoption.fresh(state, { slots: adopted, states: after })
        if (slots.length === 0) return Effect.void
        const links = new Map(slots.map(({ link }) => [`${Bytes.toHex(link.root)} ${link.number}`, link]))
        const ofLink = (link: Batch.SignedLink) => Address.of(link.owner).bytes
        const puts = [
          ...Array.from(links.values(), (link) => foreign.put([ofLink(link), link.number], link)),
          ...slots.flatMap((one) => writeEntry(one, { scheduler: ofLink(one.link), path: one.path })),
        ]
        return Effect.asVoid(commit(puts, slots, moved, ({ scheduler }) => scheduler === own))
      }),
  })
  const opened: Log = {
    log,
    restore: (restored, after, readOnly) => Effect.asVoid(commitChained(restored, after, () => !readOnly)),
  }
  return opened
})

export const make = Effect.map(open, ({ log }) => log)

export const layer = Layer.effect(AssignmentLog, make)

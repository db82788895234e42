/**
 * Metadata: what decides a process's future besides its memory (spec 04 §4). It is part of the state root, so two
 * units that differ in it differ visibly.
 */
import type { OutboxEntry } from "../runtime/Outcome.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Merkle from "../runtime/Merkle.ts"
import * as ViewProof from "../runtime/ViewProof.ts"

export interface Metadata {
  /** Commits to the spawn message, and so to owner, Authority and limits. */
  readonly spawn: Uint8Array
  /** The module in force: that of the spawn, until an upgrade. */
  module: Id.Id
  term: number
  /** Last pair number given to each target. */
  readonly sent: Map<Id.ProcessId, number>
  /** Last pair number admitted from each source. */
  readonly received: Map<Id.ProcessId, number>
  /** Last count admitted of each cron. */
  readonly cron: Map<string, number>
  /** Timers set and not yet gone off: item id to due time in ms. */
  readonly timers: Map<Id.Id, number>
  /** Published views: name to JSON text. */
  readonly views: Map<string, string>
}

export const initial = (spawn: Uint8Array, module: Id.Id, term: number): Metadata => ({
  spawn,
  module,
  term,
  sent: new Map(),
  received: new Map(),
  cron: new Map(),
  timers: new Map(),
  views: new Map(),
})

const inOrder = <V>(map: ReadonlyMap<string, V>): Array<readonly [key: Uint8Array, value: V]> =>
  [...map]
    .map(([key, value]) => [Bytes.fromText(key), value] as const)
    .toSorted(([a], [b]) => Bytes.compare(a, b))

const counts = (map: ReadonlyMap<string, number>): Uint8Array =>
  Hash.sha256(Hash.layout("map", ...inOrder(map).flatMap(([key, value]) => [key, Bytes.u64(value)])))

interface SortedViews {
  readonly sorted: ReadonlyArray<readonly [name: string, value: Uint8Array]>
  readonly tree: Merkle.Tree
}

/** Of views as they stand: most turns publish nothing, and the texts are long. `apply` lets go of what it changes. */
const sortedViews = new WeakMap<Metadata["views"], SortedViews>()

/** Views in the order of their names' bytes, each with the hash of its text, and the tree over them. */
const viewsOf = ({ views }: Metadata): SortedViews => {
  const kept = sortedViews.get(views)
  if (kept !== undefined) return kept
  const sorted = [...views.entries()]
    .map(([name, json]) => [name, Hash.sha256(Bytes.fromText(json))] as const)
    .toSorted(([a], [b]) => Bytes.compare(Bytes.fromText(a), Bytes.fromText(b)))
  const made = { sorted, tree: Merkle.tree(sorted.map(([name, value]) => ViewProof.viewValue(name, value))) }
  sortedViews.set(views, made)
  return made
}

/** `handles` are the places in guest memory where the engine keeps its roots: fixed at boot, part of the state. */
const headOf = (metadata: Metadata, handles: Uint8Array): ViewProof.MetadataHead => ({
  spawn: metadata.spawn,
  module: Id.toBytes(metadata.module),
  term: metadata.term,
  handles,
  sent: counts(metadata.sent),
  received: counts(metadata.received),
  cron: counts(metadata.cron),
  timers: counts(metadata.timers),
})

export const hash = (metadata: Metadata, handles: Uint8Array): Uint8Array =>
  ViewProof.metadataHash(headOf(metadata, handles), metadata.views.size, viewsOf(metadata).tree.root)

/** Opens the state at a view. */
export const openView = (
  metadata: Metadata,
  handles: Uint8Array,
  engine: Uint8Array,
  memory: ViewProof.MemoryHead | undefined,
  name: string,
): ViewProof.Opening => {
  const { sorted, tree } = viewsOf(metadata)
  return ViewProof.open({ engine, metadata: headOf(metadata, handles), memory }, sorted, tree, name)
}

/** What the guest asked to change. */
export interface Change {
  readonly outbox: ReadonlyArray<
    Omit<OutboxEntry, "pair"> & { readonly id: Id.Id; readonly target: Id.ProcessId | undefined }
  >
  readonly views: ReadonlyArray<{ readonly name: string; readonly value: string | null }>
}

/** Which bound a change would break, in words for the author; `undefined` where it breaks none. */
export const broken = (metadata: Metadata, change: Change): string | undefined => {
  const timers = metadata.timers.size + change.outbox.filter((entry) => entry.kind === "timer").length
  if (timers > Limit.timersPendingMax)
    return `${timers} timers pending; at most ${Limit.timersPendingMax} are allowed`
  const names = new Set(metadata.views.keys())
  for (const { name, value } of change.views) {
    if (value === null) names.delete(name)
    else names.add(name)
    const bytes = value === null ? 0 : Bytes.fromText(value).length
    if (bytes > Limit.viewBytesMax)
      return `view "${name}" takes ${bytes} bytes; at most ${Limit.viewBytesMax} are allowed`
  }
  if (names.size > Limit.viewsMax) return `${names.size} views; at most ${Limit.viewsMax} are allowed`
  return undefined
}

/** Applies a change that breaks no bound, and numbers the outbox. */
export const apply = (metadata: Metadata, change: Change): ReadonlyArray<OutboxEntry> => {
  if (change.views.length > 0) sortedViews.delete(metadata.views)
  for (const { name, value } of change.views) {
    if (value === null) metadata.views.delete(name)
    else metadata.views.set(name, value)
  }
  return change.outbox.map(({ id, target, ...entry }) => {
    if (entry.kind === "timer") metadata.timers.set(id, entry.due)
    if (entry.kind !== "message" || target === undefined) return { ...entry, pair: 0 }
    const pair = (metadata.sent.get(target) ?? 0) + 1
    metadata.sent.set(target, pair)
    return { ...entry, pair }
  })
}

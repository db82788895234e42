/**
 * Metadata: what decides a process's future besides its memory (spec 04 §4). It is part of the state root, so two
 * units that differ in it differ visibly.
 */
import * as Authority from "../runtime/Authority.ts"
import type { OutboxEntry } from "../runtime/Outcome.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type * as Move from "../runtime/Move.ts"
import * as ViewProof from "../runtime/ViewProof.ts"
import * as Counts from "./Counts.ts"
import { ViewTree } from "./ViewTree.ts"

export interface Metadata {
  /** Commits to the spawn message, and so to owner, first Authority and limits. */
  readonly spawn: Uint8Array
  /** The module in force: that of the spawn, until an upgrade. */
  module: Id.Id
  /** Term of the next slot, and who gives its slots. */
  term: number
  scheduler: Id.Address
  /** Last pair number given to each target. */
  readonly sent: Map<Id.ProcessId, number>
  /** Last pair number admitted from each source. */
  readonly received: Map<Id.ProcessId, number>
  /** Last count admitted of each cron. */
  readonly cron: Map<string, number>
  /** Timers set and not yet gone off: item id to due time in ms. */
  readonly timers: Map<Id.Id, number>
  /** Whom it believes from the next slot on. */
  authority: Authority.InForce
  /** Published views: name to JSON text. */
  readonly views: Map<string, string>
}

export const initial = (
  spawn: Uint8Array,
  module: Id.Id,
  { term, scheduler }: Move.Tenure,
  authority: Authority.Authority,
): Metadata => ({
  spawn,
  module,
  term,
  scheduler,
  sent: new Map(),
  received: new Map(),
  cron: new Map(),
  timers: new Map(),
  authority: { ...authority, since: 0 },
  views: new Map(),
})

const viewTrees = new WeakMap<Metadata["views"], ViewTree>()
/** Views that `apply` has changed since their tree was made. */
const viewsChanged = new WeakSet<Metadata["views"]>()

const viewTreeOf = ({ views }: Metadata): ViewTree => {
  const kept = viewTrees.get(views)
  if (kept !== undefined) {
    if (viewsChanged.delete(views)) kept.update(views)
    return kept
  }
  const made = new ViewTree(views)
  viewTrees.set(views, made)
  return made
}

/** `handles` are the places in guest memory where the engine keeps its roots: fixed at boot, part of the state. */
const headOf = (metadata: Metadata, handles: Uint8Array): ViewProof.MetadataHead => ({
  spawn: metadata.spawn,
  module: Id.toBytes(metadata.module),
  term: metadata.term,
  scheduler: Id.toBytes(metadata.scheduler),
  handles,
  sent: Counts.hash(metadata.sent),
  received: Counts.hash(metadata.received),
  cron: Counts.hash(metadata.cron),
  timers: Counts.hash(metadata.timers),
  authority: Authority.hash(metadata.authority),
})

export const hash = (metadata: Metadata, handles: Uint8Array): Uint8Array =>
  ViewProof.metadataHash(headOf(metadata, handles), metadata.views.size, viewTreeOf(metadata).root)

/** Opens the state at a view. */
export const openView = (
  metadata: Metadata,
  handles: Uint8Array,
  engine: Uint8Array,
  memory: ViewProof.MemoryHead | undefined,
  name: string,
): ViewProof.Opening => {
  const { sorted, whole } = viewTreeOf(metadata)
  return ViewProof.open({ engine, metadata: headOf(metadata, handles), memory }, sorted, whole, name)
}

/** What the guest asked to change. */
export interface Change {
  readonly outbox: ReadonlyArray<
    Omit<OutboxEntry, "pair"> & { readonly id: Id.Id; readonly target: Id.ProcessId | undefined }
  >
  readonly views: ReadonlyArray<{ readonly name: string; readonly value: string | null }>
}

/** How many views there would be; no more than there are and come where those are few enough. */
const viewsAfter = ({ views }: Metadata, change: Change): number => {
  const most = views.size + change.views.length
  if (most <= Limit.viewsMax) return most
  const names = new Set(views.keys())
  for (const { name, value } of change.views) {
    if (value === null) names.delete(name)
    else names.add(name)
  }
  return names.size
}

/** Which bound a change would break, in words for the author; `undefined` where it breaks none. */
export const broken = (metadata: Metadata, change: Change): string | undefined => {
  const timers = metadata.timers.size + change.outbox.filter((entry) => entry.kind === "timer").length
  if (timers > Limit.timersPendingMax)
    return `${timers} timers pending; at most ${Limit.timersPendingMax} are allowed`
  for (const { name, value } of change.views) {
    const bytes = value === null ? 0 : Buffer.byteLength(value)
    if (bytes > Limit.viewBytesMax)
      return `view "${name}" takes ${bytes} bytes; at most ${Limit.viewBytesMax} are allowed`
  }
  const views = viewsAfter(metadata, change)
  if (views > Limit.viewsMax) return `${views} views; at most ${Limit.viewsMax} are allowed`
  return undefined
}

/** Applies a change that breaks no bound, and numbers the outbox. */
export const apply = (metadata: Metadata, change: Change): ReadonlyArray<OutboxEntry> => {
  if (change.views.length > 0) viewsChanged.add(metadata.views)
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

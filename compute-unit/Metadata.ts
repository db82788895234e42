/**
 * Metadata: what decides a process's future besides its memory (spec 04 §4). It is part of the state root, so two
 * units that differ in it differ visibly.
 */
import type { OutboxEntry } from "../runtime/Outcome.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"

export interface Metadata {
  /** Commits to the spawn message, and so to owner, module, Authority and limits. */
  readonly spawn: Uint8Array
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

export const initial = (spawn: Uint8Array, term: number): Metadata => ({
  spawn,
  term,
  sent: new Map(),
  received: new Map(),
  cron: new Map(),
  timers: new Map(),
  views: new Map(),
})

const sorted = <V>(map: ReadonlyMap<string, V>, write: (value: V) => Uint8Array): Uint8Array =>
  Hash.layout(
    "map",
    ...[...map]
      .map(([key, value]) => [Bytes.fromText(key), write(value)] as const)
      .toSorted(([a], [b]) => Bytes.compare(a, b))
      .flat(),
  )

/** `handles` are the places in guest memory where the engine keeps its roots: fixed at boot, part of the state. */
export const hash = (metadata: Metadata, handles: Uint8Array): Uint8Array =>
  Hash.tagged(
    "heddle/metadata/1",
    metadata.spawn,
    Bytes.u64(metadata.term),
    handles,
    sorted(metadata.sent, Bytes.u64),
    sorted(metadata.received, Bytes.u64),
    sorted(metadata.cron, Bytes.u64),
    sorted(metadata.timers, Bytes.u64),
    sorted(metadata.views, (json) => Hash.sha256(Bytes.fromText(json))),
  )

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

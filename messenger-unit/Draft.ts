/**
 * Draft: what a caller wants to say, before it is signed. Data is JSON unless it is text or bytes already; tags are a
 * plain object, or a list of pairs where a name has to stand twice; the tags of the protocol come first, so that no tag
 * of the caller's takes their place.
 */
import type { Fields } from "../identity/SignedItem.ts"
import * as Assign from "../runtime/Assign.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as DataReference from "../runtime/DataReference.ts"
import * as Drop from "../runtime/Drop.ts"
import * as Id from "../runtime/Id.ts"
import type * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Message from "../runtime/Message.ts"
import type * as Tag from "../runtime/Tag.ts"
import type { NodeInfo } from "./MessengerUnit.ts"

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [name: string]: Json }

export type Tags = Readonly<Record<string, string>> | ReadonlyArray<readonly [name: string, value: string]>

export interface Draft {
  /** Text and bytes go as they are; anything else as JSON, with the tag `Content-Type: application/json`. */
  readonly data?: Json | Uint8Array | undefined
  readonly tags?: Tags | undefined
  /** Whether the data goes beside the message, however short it is; where no item takes it, it does in any case. */
  readonly byReference?: boolean | undefined
}

/** A message as it is signed, and the bytes that it refers to, where it refers to any. */
export interface Drafted extends Fields {
  readonly referenced: Uint8Array | undefined
}

const isList = (tags: Tags): tags is Extract<Tags, ReadonlyArray<unknown>> => Array.isArray(tags)

const pairs = (tags: Tags = {}): ReadonlyArray<Tag.Tag> =>
  (isList(tags) ? tags : Object.entries(tags)).map(([name, value]) => ({ name, value }))

/** Data as bytes, with the tag that says what they are where they were made here. */
export const content = ({
  data,
  tags,
}: Draft): { readonly data: Uint8Array; readonly tags: ReadonlyArray<Tag.Tag> } => {
  if (data === undefined) return { data: Bytes.empty, tags: pairs(tags) }
  if (typeof data === "string") return { data: Bytes.fromText(data), tags: pairs(tags) }
  if (data instanceof Uint8Array) return { data, tags: pairs(tags) }
  return {
    data: Bytes.fromText(JSON.stringify(data)),
    tags: [{ name: "Content-Type", value: "application/json" }, ...pairs(tags)],
  }
}

/** The content as it goes into an item. */
const inItem = (draft: Draft): Pick<Drafted, "data" | "tags" | "referenced"> => {
  const { data, tags } = content(draft)
  const refers = data.length > Limit.inlineDataBytesMax || (draft.byReference === true && data.length > 0)
  if (!refers) return { data, tags, referenced: undefined }
  const reference = DataReference.of(data)
  return { data: Bytes.empty, tags: [...DataReference.tags(reference), ...tags], referenced: data }
}

/** A message to a process. */
export const message = (process: Id.ProcessId, action: string, draft: Draft): Drafted => {
  const { tags, ...said } = inItem(draft)
  return {
    target: Id.toBytes(process),
    tags: [...Message.protocolTags("Message"), { name: "Action", value: action }, ...tags],
    ...said,
  }
}

/** A message that brings an existing item into the log of a process. */
export const assign = (process: Id.ProcessId, item: Item.Item, { tags }: Pick<Draft, "tags">): Fields => ({
  target: Id.toBytes(process),
  tags: [...Message.protocolTags("Message"), ...Assign.tags(item.id), ...pairs(tags)],
  data: item.bytes,
})

/** What a spawn fixes for the life of its process, beside what every draft says. */
export interface Spawn extends Draft {
  /** A name for people to read. */
  readonly name?: string | undefined
  /** Memory that the process may take, in MiB. */
  readonly memoryMiB?: number | undefined
  /** Fuel that one turn may take. */
  readonly fuelPerTurnMax?: number | bigint | undefined
  /** The engine that is to run it; without one, that of the unit's version. */
  readonly engine?: Id.Id | undefined
}

/** The tag where there is a value for it. */
const given = (name: string, value: string | number | bigint | undefined): ReadonlyArray<Tag.Tag> =>
  value === undefined ? [] : [{ name, value: String(value) }]

/** The tag counts pages of 64 KiB. */
const pagesPerMiB = 16

/** The spawn of a process that `node` schedules and computes. */
export const spawn = (
  module: Id.Id,
  node: Pick<NodeInfo, "scheduler" | "compute">,
  draft: Spawn,
): Drafted => {
  const { tags, ...said } = inItem(draft)
  const { name, memoryMiB, fuelPerTurnMax, engine } = draft
  return {
    tags: [
      ...Message.protocolTags("Process"),
      { name: "Module", value: module },
      { name: "Scheduler", value: node.scheduler },
      { name: "Compute", value: node.compute },
      ...given("Name", name),
      ...given("Memory-Limit", memoryMiB === undefined ? undefined : Math.floor(memoryMiB * pagesPerMiB)),
      ...given("Compute-Limit", fuelPerTurnMax),
      ...given("Engine", engine),
      ...tags,
    ],
    ...said,
  }
}

/** Its owner's word that a process gives up a message that it emitted (spec 05 §7). */
export const drop = (
  process: Id.ProcessId,
  entry: Id.Id,
  data: Uint8Array,
  reason: string | undefined,
): Drafted => ({
  target: Id.toBytes(process),
  tags: [...Message.protocolTags("Message"), { name: "Action", value: "Drop" }, ...Drop.tags(entry, reason)],
  data,
  referenced: undefined,
})

/** Its owner's word that a process goes on as another program (spec 04 §9). */
export const upgrade = (
  process: Id.ProcessId,
  module: Id.Id,
  engine: Id.Id | undefined,
  draft: Draft,
): Drafted => {
  const { tags, ...said } = inItem(draft)
  const own = [
    { name: "Action", value: "Upgrade" },
    { name: "Module", value: module },
  ]
  return {
    target: Id.toBytes(process),
    tags: [...Message.protocolTags("Message"), ...own, ...given("Engine", engine), ...tags],
    ...said,
  }
}

/** Whom a process is to believe: at least `quorum` of `units`, by default more than half. */
export interface Authority {
  readonly units: ReadonlyArray<string>
  readonly quorum?: number | undefined
}

/** Its owner's word whom a process believes (spec 03 §4). */
export const authority = (process: Id.ProcessId, { units, quorum }: Authority): Drafted => ({
  target: Id.toBytes(process),
  tags: [
    ...Message.protocolTags("Message"),
    { name: "Action", value: "Authority" },
    ...units.map((value) => ({ name: "Authority", value })),
    ...given("Authority-Quorum", quorum),
  ],
  data: Bytes.empty,
  referenced: undefined,
})

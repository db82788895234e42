/**
 * The slots of one process as a sandbox gets them, examined and with a root wanted after each. Items have filler where
 * a signature would be: that they are good was decided before they come here.
 */
import * as Result from "effect/Result"
import type { Entry, Opening } from "../../compute-unit/Sandbox.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Message from "../../runtime/Message.ts"
import * as Module from "../../runtime/Module.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as Unsigned from "./Unsigned.ts"

export interface Said extends Partial<Omit<Entry, "slot" | "item" | "head" | "data">> {
  /** What its message refers to. */
  readonly referenced?: Uint8Array
  readonly action?: string
  readonly tags?: Unsigned.Tags
  readonly data?: string | Uint8Array
  /** A process that says it, where it is none of a key. */
  readonly source?: Id.ProcessId
  /** The whole item, instead of one that says the above. */
  readonly item?: Uint8Array
}

export interface Life {
  readonly process: Id.ProcessId
  readonly opening: Opening
  /** The next slot; the first is the spawn, whatever is said. */
  readonly next: (said?: Said | string) => Entry
  /** The spawn and one slot for each message. */
  readonly all: (...said: ReadonlyArray<Said | string>) => ReadonlyArray<Entry>
}

let lives = 0

export const make = (
  source: string | Uint8Array,
  tags: Unsigned.Tags = [],
  name = `life ${lives++}`,
): Life => {
  const code = typeof source === "string" ? Bytes.fromText(source) : source
  const spawn = Unsigned.spawn({ anchor: name, tags: [["Module", Module.id(code)], ...tags] })
  const process = spawn.id
  let slot = -1
  let timestamp = 1_000

  const itemOf = ({ action = "", tags = [], data = "", source, item }: Said): Uint8Array => {
    if (item !== undefined) return item
    const tagged: Unsigned.Tags = action === "" ? tags : [["Action", action], ...tags]
    const [target, bytes] = [Id.toBytes(process), typeof data === "string" ? Bytes.fromText(data) : data]
    if (source === undefined && typeof data === "string")
      return Unsigned.message(process, { tags: tagged, data, anchor: `${name} ${slot}` }).item.bytes
    const protocol = Message.protocolTags("Message")
    const origin = {
      source: source ?? Unsigned.id("bytes"),
      head: Unsigned.hash(`${name} ${slot}`),
      index: 0,
    }
    const all = [...protocol, ...tagged.map(([name, value]) => ({ name, value }))]
    return Result.getOrThrow(OutboxItem.make(origin, { target, tags: all, data: bytes })).bytes
  }

  const next = (said: Said | string = {}): Entry => {
    slot++
    const given = typeof said === "string" ? { action: said } : said
    const {
      timestamp: at = timestamp + 1_000,
      inadmissible,
      pair,
      cron,
      authority,
      upgrade,
      root = true,
    } = given
    const { referenced, drop, void: voided, move } = given
    timestamp = at
    const head = Unsigned.hash(`${name} head ${slot}`)
    const item = slot === 0 ? spawn.item.bytes : itemOf(given)
    const noted = { inadmissible, pair, cron, authority, move, upgrade, drop, void: voided }
    return { slot, timestamp, head, item, data: referenced, ...noted, root }
  }
  return {
    process,
    opening: { process, spawn: spawn.item.bytes, term: 0, source: code, engine: undefined },
    next,
    all: (...said) => [next(), ...said.map((one) => next(one))],
  }
}

/** What a life came to: a line a slot. */
export const shown = (root: Uint8Array | undefined): string =>
  root === undefined ? "no root" : Bytes.toHex(root)

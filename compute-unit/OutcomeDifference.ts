/**
 * OutcomeDifference: two outcomes of one slot side by side, field by field, in words for a person: the one that was
 * recorded, and the one that came out now.
 */
import * as Result from "effect/Result"
import * as Bytes from "../runtime/Bytes.ts"
import * as Item from "../runtime/Item.ts"
import * as Outcome from "../runtime/Outcome.ts"

/** One field. What is missing on a side is `nothing`. */
export interface Difference {
  readonly what: string
  readonly recorded: string
  readonly now: string
}

const nothing = "nothing"

/** Characters of a long text that are shown, and how many of them stand before the first that differs. */
const shownMax = 200
const shownBefore = 40

const excerpt = (text: string, from: number): string => {
  const end = from + shownMax
  return `${from > 0 ? "…" : ""}${text.slice(from, end)}${end < text.length ? "…" : ""}`
}

/** Long texts are cut to where they part. */
const differ = (
  what: string,
  recorded: string | undefined,
  now: string | undefined,
): ReadonlyArray<Difference> => {
  if (recorded === now) return []
  const [a, b] = [recorded ?? nothing, now ?? nothing]
  let same = 0
  while (same < a.length && a[same] === b[same]) same++
  const from = Math.max(a.length, b.length) > shownMax ? Math.max(0, same - shownBefore) : 0
  return [{ what, recorded: excerpt(a, from), now: excerpt(b, from) }]
}

const keys = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>) =>
  new Set([...a.keys(), ...b.keys()])

const differMaps = (
  name: (key: string) => string,
  recorded: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
) => [...keys(recorded, now)].flatMap((key) => differ(name(key), recorded.get(key), now.get(key)))

const errorText = ({ error }: Outcome.Outcome) => error && `${error.reason}: ${error.message}`

/** What a reply's value says is JSON, so it can't be taken for an error. */
const repliesOf = ({ replies }: Outcome.Outcome) =>
  new Map(replies.map((reply) => [reply.to, "error" in reply ? `error: ${reply.error}` : reply.value]))

const viewsOf = ({ views }: Outcome.Outcome) =>
  new Map(views.map(({ name, value }) => [name, value ?? "taken away"]))

const bytesText = (bytes: Uint8Array): string => Bytes.toText(bytes) ?? `0x${Bytes.toHex(bytes)}`

const entryFields = ({ kind, due, item }: Outcome.OutboxEntry): ReadonlyMap<string, string> => {
  const decoded = Result.getOrUndefined(Item.decode(item))
  if (decoded === undefined) return new Map([["item", `0x${Bytes.toHex(item)}`]])
  return new Map([
    ["kind", kind],
    ["target", decoded.target.length === 0 ? nothing : Bytes.toBase64Url(decoded.target)],
    ["tags", JSON.stringify(decoded.tags.map(({ name, value }) => [name, value]))],
    ["data", bytesText(decoded.data)],
    ["due", String(due)],
  ])
}

const entryText = (entry: Outcome.OutboxEntry | undefined) =>
  entry && [...entryFields(entry)].map(([field, value]) => `${field} ${value}`).join(", ")

const sameEntry = (a: Outcome.OutboxEntry, b: Outcome.OutboxEntry): boolean =>
  a.kind === b.kind && a.pair === b.pair && a.due === b.due && Bytes.equal(a.item, b.item)

const differOutbox = (recorded: Outcome.Outcome["outbox"], now: Outcome.Outcome["outbox"]) =>
  Array.from({ length: Math.max(recorded.length, now.length) }, (_, i) => {
    const [a, b] = [recorded[i], now[i]]
    if (a === undefined || b === undefined) return differ(`outbox ${i}`, entryText(a), entryText(b))
    if (sameEntry(a, b)) return []
    return differMaps((field) => `outbox ${i}: ${field}`, entryFields(a), entryFields(b))
  }).flat()

/** What a turn did, without what it took: what another program is held against. */
export const ofEffects = (recorded: Outcome.Outcome, now: Outcome.Outcome): ReadonlyArray<Difference> => [
  ...differ("error", errorText(recorded), errorText(now)),
  ...differMaps((to) => `reply to ${to}`, repliesOf(recorded), repliesOf(now)),
  ...differMaps((name) => `view ${JSON.stringify(name)}`, viewsOf(recorded), viewsOf(now)),
  ...differOutbox(recorded.outbox, now.outbox),
]

const sameList = <A>(a: ReadonlyArray<A>, b: ReadonlyArray<A>, same: (a: A, b: A) => boolean): boolean =>
  a.length === b.length && a.every((one, i) => same(one, b[i]!))

const sameReply = (a: Outcome.Reply, b: Outcome.Reply): boolean =>
  a.to === b.to && ("error" in a ? "error" in b && a.error === b.error : "value" in b && a.value === b.value)

/** Equal in all fields, and so in the hash, which costs many times as much. */
const sameFields = (a: Outcome.Outcome, b: Outcome.Outcome): boolean =>
  a.slot === b.slot &&
  a.message === b.message &&
  a.fuelUsed === b.fuelUsed &&
  errorText(a) === errorText(b) &&
  a.error?.reason === b.error?.reason &&
  sameList(a.replies, b.replies, sameReply) &&
  sameList(a.views, b.views, (x, y) => x.name === y.name && x.value === y.value) &&
  sameList(a.outbox, b.outbox, sameEntry)

/** Everything that the outcome hash commits to; empty where the hashes are equal. */
export const ofAll = (recorded: Outcome.Outcome, now: Outcome.Outcome): ReadonlyArray<Difference> => {
  if (sameFields(recorded, now)) return []
  const hashes = [Outcome.hash(recorded), Outcome.hash(now)].map(Bytes.toHex)
  if (hashes[0] === hashes[1]) return []
  const found = [
    ...differ("slot", String(recorded.slot), String(now.slot)),
    ...differ("message", recorded.message, now.message),
    ...differ("fuel", String(recorded.fuelUsed), String(now.fuelUsed)),
    ...ofEffects(recorded, now),
  ]
  // Left over are pair numbers and the order of things: rare, and not worth words of their own.
  return found.length > 0 ? found : differ("outcome hash", hashes[0], hashes[1])
}

/** On one line. */
export const inWords = (differences: ReadonlyArray<Difference>): string =>
  differences.map(({ what, recorded, now }) => `${what}: recorded ${recorded}, computed ${now}`).join("; ")

/**
 * SchedulerCalls: what can be asked of a scheduler unit over a network, and how it stands in frames (spec 06 §3).
 *
 * What follows from the rest of a batch is not in its frame: entry hash, head and leaf of each entry, and its root. So a
 * batch can't contradict itself, and the signature of its link covers every byte of it.
 */
import type * as Admission from "../runtime/Admission.ts"
import * as Assignment from "../runtime/Assignment.ts"
import * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Codec from "../runtime/Codec.ts"
import * as Exchange from "../runtime/Exchange.ts"
import * as FramedNouns from "../runtime/FramedNouns.ts"
import * as Limit from "../runtime/Limit.ts"
import {
  type Accepted,
  type CommittedBatch,
  type LogEntry,
  LogUnknown,
  type Receipted,
} from "./SchedulerUnit.ts"

export const protocol = "/heddle/scheduler/1"

const accepted: Codec.Codec<Accepted> = Codec.struct({
  id: Codec.id,
  process: Codec.id,
  slot: Codec.count,
  timestamp: Codec.count,
  head: Codec.hash,
  repeat: Codec.boolean,
})

const logUnknown: Codec.Codec<LogUnknown> = Codec.mapped(
  Codec.struct({ process: Codec.id, slot: Codec.count }),
  ({ process, slot }: LogUnknown) => ({ process, slot }),
  (fields) => new LogUnknown(fields),
)

const given = Codec.struct({
  process: Codec.id,
  term: Codec.count,
  slot: Codec.count,
  timestamp: Codec.count,
  previous: Codec.hash,
  item: Codec.block,
  proof: Codec.block,
})

type Given = Codec.Of<typeof given>

const give = ({ assignment, item, proof }: LogEntry): Given => {
  const { process, term, slot, timestamp, previous } = assignment
  return { process, term, slot, timestamp, previous, item, proof }
}

const taken = ({ item, proof, ...fields }: Given, batch: number, index: number): LogEntry => ({
  assignment: Assignment.make({ ...fields, entryHash: Assignment.entryHash(item, proof) }),
  batch,
  index,
  item,
  proof,
})

const logEntry: Codec.Codec<LogEntry> = Codec.mapped(
  Codec.struct({ given, batch: Codec.count, index: Codec.u16 }),
  (entry: LogEntry) => ({ given: give(entry), batch: entry.batch, index: entry.index }),
  ({ given: fields, batch, index }) => taken(fields, batch, index),
)

export const batch: Codec.Codec<CommittedBatch> = Codec.mapped(
  Codec.struct({
    number: Codec.count,
    previousRoot: Codec.hash,
    signed: FramedNouns.signature,
    entries: Codec.list(given, Limit.assignmentsPerCommitMax),
  }),
  ({ link: { number, previousRoot, signatureType, owner, signature }, entries }: CommittedBatch) => ({
    number,
    previousRoot,
    signed: { signatureType, owner, signature },
    entries: entries.map(give),
  }),
  ({ number, previousRoot, signed, entries: fields }): CommittedBatch => {
    const entries = fields.map((one, index) => taken(one, number, index))
    const { root } = Batch.tree(entries.map(({ assignment }) => assignment))
    return { link: { number, previousRoot, root, ...signed }, entries }
  },
)

/** Each link stands there once, before the slots that were given under it. */
const receiptedPage: Codec.Codec<ReadonlyArray<Receipted>> = Codec.mapped(
  Codec.struct({
    links: Codec.list(FramedNouns.link, Limit.answerPageMax),
    slots: Codec.list(Codec.struct({ link: Codec.u16, given, ...FramedNouns.place }), Limit.answerPageMax),
  }),
  (page: ReadonlyArray<Receipted>) => {
    const keyOf = ({ number, root }: Batch.SignedLink) => `${number} ${Bytes.toHex(root)}`
    const links = new Map(page.map(({ receipt: { link } }) => [keyOf(link), link]))
    const places = new Map(Array.from(links.keys(), (key, place) => [key, place]))
    const slots = page.map(({ entry, receipt: { link, index, path } }) => ({
      link: places.get(keyOf(link))!,
      given: give(entry),
      index,
      path,
    }))
    return { links: [...links.values()], slots }
  },
  ({ links, slots }): ReadonlyArray<Receipted> =>
    slots.map(({ link: at, given: fields, index, path }): Receipted => {
      const link = links[at]
      if (link === undefined) throw new RangeError(`there is no link ${at}`)
      const entry = taken(fields, link.number, index)
      return { entry, receipt: { link, assignment: entry.assignment, index, path } }
    }),
)

const slotOf = Codec.struct({ process: Codec.id, slot: Codec.count })

export const submit = Exchange.call(
  0,
  Codec.struct({ item: Codec.block, proof: Codec.block }),
  Codec.result<Accepted, Admission.Refused>(accepted, FramedNouns.refused),
)
export const addData = Exchange.call(1, Codec.block, Codec.result(Codec.id, FramedNouns.refused))
export const data = Exchange.call(2, Codec.id, Codec.optional(Codec.block))
export const receipt = Exchange.call(3, slotOf, Codec.result(FramedNouns.receipt, logUnknown))

/**
 * A page of a log, and the receipt of its last slot: by the chain of heads it speaks for all of them. `more` where the
 * page has fewer slots than were asked for and are there, because of their bytes.
 */
export const log = Exchange.call(
  4,
  Codec.struct({ process: Codec.id, from: Codec.count, limit: Codec.u32 }),
  Codec.result(
    Codec.struct({
      entries: Codec.list(logEntry, Limit.logPageMax),
      last: Codec.optional(FramedNouns.receipt),
      more: Codec.boolean,
    }),
    logUnknown,
  ),
)
export const processes = Exchange.call(
  5,
  Codec.nothing,
  Codec.list(
    Codec.struct({ process: Codec.id, nextSlot: Codec.count, timestamp: Codec.count }),
    Limit.processesListedMax,
  ),
)
export const nextBatch = Exchange.call(6, Codec.nothing, Codec.count)

/** One batch at least; there is no answer while there is none. */
export const batches = Exchange.call(7, Codec.count, Codec.list(batch, Limit.answerPageMax))

/** Whom a process believes. It follows from the log and nobody signs it alone: it is for who wants to see it. */
export const authority = Exchange.call(
  8,
  Codec.id,
  Codec.result(
    Codec.struct({
      units: Codec.list(Codec.id, Limit.tagsMax),
      quorum: Codec.count,
      since: Codec.count,
    }),
    logUnknown,
  ),
)

/** Who gives the next slot of a process. */
export const tenure = Exchange.call(
  10,
  Codec.id,
  Codec.result(Codec.struct({ term: Codec.count, scheduler: Codec.id }), logUnknown),
)

/** One slot at least, with its receipt; there is no answer while there is none. */
export const slots = Exchange.call(
  11,
  Codec.struct({ process: Codec.id, from: Codec.count }),
  Codec.result(receiptedPage, logUnknown),
)
export const module = Exchange.call(12, Codec.id, Codec.optional(Codec.block))

/** Whether a key with this address has signed what stands in a log. */
export const knows = Exchange.call(9, Codec.id, Codec.boolean)

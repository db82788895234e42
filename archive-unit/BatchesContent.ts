/**
 * Batches content: a run of one scheduler's batches (spec 07 §2).
 *
 *     content = block "heddle/archive/batches/1" | u16 signature type | owner | u64 number | previous root 32
 *             | u32 count | batch...
 *     batch   = signature | u32 count | entry...
 *     entry   = process 32 | u64 term | u64 slot | u64 timestamp | 0, or 1 and previous head 32
 *             | block item | block proof
 *
 * What follows from the rest is not stored: entry hash, head and leaf of each entry, the root of each batch, number and
 * previous root of all but the first, and the previous head of an entry whose predecessor stands before it. So nothing
 * in a content can contradict itself, and the signature of each link covers all bytes of its batch.
 */
import * as Result from "effect/Result"
import * as Assignment from "../runtime/Assignment.ts"
import * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type { CommittedBatch, LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import * as Content from "./Content.ts"
import * as SlotRanges from "./SlotRanges.ts"

const domain = Bytes.block(Bytes.fromText("heddle/archive/batches/1"))

const zero = new Uint8Array(Hash.length)

/** An entry without previous head, item and proof. */
const entryBytesMin = Hash.length + 3 * 8 + 1 + 2 * 4

/** The heads that entries of one content follow: of each process the one before. */
type Heads = Map<Id.ProcessId, Uint8Array>

const entryParts = ({ assignment, item, proof }: LogEntry, heads: Heads): ReadonlyArray<Uint8Array> => {
  const { process, term, slot, timestamp, previous, head } = assignment
  const before = heads.get(process)
  const follows = before !== undefined && Bytes.equal(before, previous)
  heads.set(process, head)
  return [
    Id.toBytes(process),
    Bytes.u64(term),
    Bytes.u64(slot),
    Bytes.u64(timestamp),
    Bytes.u8(follows ? 0 : 1),
    follows ? Bytes.empty : previous,
    Bytes.u32(item.length),
    item,
    Bytes.u32(proof.length),
    proof,
  ]
}

/** At most this many bytes does a batch add to a content. */
export const batchBytes = ({ link, entries }: CommittedBatch): number =>
  entries.reduce(
    (sum, { item, proof }) => sum + entryBytesMin + Hash.length + item.length + proof.length,
    link.signature.length + 4,
  )

/** Bytes of a content beside its batches, at most. */
export const headBytesMax = domain.length + 2 + 2_592 + 8 + Hash.length + 4

/** Whether everything that a reader computes comes out as it stands in the batch. */
function* follows({ link, entries }: CommittedBatch): Content.Steps<boolean> {
  const made: Array<Assignment.Assignment> = []
  for (const { assignment, batch, index, item, proof } of entries) {
    const one = Assignment.make({ ...assignment, entryHash: Assignment.entryHash(item, proof) })
    const stands = batch === link.number && index === made.length
    if (!stands || !Bytes.equal(one.head, assignment.head)) return false
    made.push(one)
    yield
  }
  return Bytes.equal(Batch.tree(made).root, link.root)
}

const invalid = (reason: Content.ContentInvalid["reason"], detail: string) =>
  Result.fail(new Content.ContentInvalid({ type: "Batches", reason, offset: undefined, detail }))

/**
 * Writes a run of batches, in the order of their numbers, an entry a step. It refuses what would not read back as it was:
 * what is stored is stored for good.
 */
export function* encoding(
  batches: ReadonlyArray<CommittedBatch>,
): Content.Steps<Result.Result<Uint8Array, Content.ContentInvalid>> {
  const first = batches[0]?.link
  if (first === undefined) return invalid("not canonical", "there is no batch in it")
  const type = Content.plainType(first.signatureType)
  if (type === undefined || first.owner.length !== type.ownerBytes)
    return invalid("not canonical", `signature type ${first.signatureType} is not plain ML-DSA`)
  if (first.number === 0 && !Bytes.equal(first.previousRoot, zero))
    return invalid("not canonical", "batch 0 follows a root")
  const heads: Heads = new Map()
  const parts = [
    domain,
    Bytes.u16(first.signatureType),
    first.owner,
    Bytes.u64(first.number),
    first.previousRoot,
    Bytes.u32(batches.length),
  ]
  for (const [place, batch] of batches.entries()) {
    const { link, entries } = batch
    const before = batches[place - 1]?.link
    if (link.signatureType !== type.number || !Bytes.equal(link.owner, first.owner))
      return invalid("not canonical", `batch ${link.number} is signed by another key`)
    if (link.signature.length !== type.signatureBytes)
      return invalid("not canonical", `the signature of batch ${link.number} has another size`)
    if (before !== undefined && link.number !== before.number + 1)
      return invalid("not canonical", `batch ${link.number} follows batch ${before.number}`)
    if (before !== undefined && !Bytes.equal(link.previousRoot, before.root))
      return invalid("other root", `batch ${link.number} follows another root than the batch before has`)
    if (entries.length === 0 || entries.length > Limit.assignmentsPerBatchMax)
      return invalid("not canonical", `batch ${link.number} has ${entries.length} entries`)
    if (!(yield* follows(batch)))
      return invalid("other root", `batch ${link.number} is not what its root commits to`)
    parts.push(link.signature, Bytes.u32(entries.length))
    for (const entry of entries) parts.push(...entryParts(entry, heads))
  }
  const bytes = Bytes.concat(parts)
  return bytes.length > Content.bytesMax.Batches
    ? invalid("too large", `${bytes.length} bytes; at most ${Content.bytesMax.Batches} are allowed`)
    : Result.succeed(bytes)
}

/** The same at once. */
export const encode = (batches: ReadonlyArray<CommittedBatch>) => Content.atOnce(encoding(batches))

const readEntry = (reader: Bytes.Reader, heads: Heads, batch: number, index: number): LogEntry => {
  const process = Id.fromBytes(reader.take(Hash.length))
  const [term, slot, timestamp] = [reader.count(), reader.count(), reader.count()]
  const before = heads.get(process)
  const given = Content.readFlag(reader, "whether a previous head is given")
    ? reader.take(Hash.length)
    : undefined
  const previous = given ?? before
  if (previous === undefined) throw new RangeError(`no entry of ${process} stands before its slot ${slot}`)
  if (given !== undefined && before !== undefined && Bytes.equal(given, before))
    throw new RangeError(`the previous head of slot ${slot} of ${process} is given though it follows`)
  const [item, proof] = [reader.block(), reader.block()]
  const entryHash = Assignment.entryHash(item, proof)
  const assignment = Assignment.make({ process, term, slot, timestamp, entryHash, previous })
  heads.set(process, assignment.head)
  return { assignment, batch, index, item, proof }
}

const read = (reader: Bytes.Reader): ReadonlyArray<CommittedBatch> => {
  Content.readDomain(reader, domain)
  const { type, owner } = Content.readSignedBy(reader)
  const first = reader.count()
  let previousRoot = reader.take(Hash.length)
  if (first === 0 && !Bytes.equal(previousRoot, zero)) throw new RangeError("batch 0 follows a root")
  const batchBytesMin = type.signatureBytes + 4 + entryBytesMin
  const count = Content.readCount(reader, "batches", 1, 0xffff_ffff, batchBytesMin)
  if (!Number.isSafeInteger(first + (count - 1))) throw new RangeError("a batch number is over 2^53 - 1")
  const heads: Heads = new Map()
  const batches: Array<CommittedBatch> = []
  for (let place = 0; place < count; place++) {
    const number = first + place
    const signature = reader.take(type.signatureBytes)
    const n = Content.readCount(reader, "entries in a batch", 1, Limit.assignmentsPerBatchMax, entryBytesMin)
    const entries: Array<LogEntry> = []
    for (let index = 0; index < n; index++) entries.push(readEntry(reader, heads, number, index))
    const { root } = Batch.tree(entries.map(({ assignment }) => assignment))
    const link = { number, previousRoot, root, signatureType: type.number, owner, signature }
    batches.push({ link, entries })
    previousRoot = root
  }
  return batches
}

/**
 * Reads a content as windows on its bytes. Total: every byte string is a run of batches or a named refusal. Roots are
 * those of the bytes that are there; whether the scheduler signed them is asked by `ContentChecks.batches`.
 */
export const decode = (
  bytes: Uint8Array,
): Result.Result<ReadonlyArray<CommittedBatch>, Content.ContentInvalid> =>
  Content.decode("Batches", bytes, read)

/** The slots of each process in these batches. */
export const slots = (batches: ReadonlyArray<CommittedBatch>): ReadonlyArray<SlotRanges.SlotRange> =>
  SlotRanges.of(
    batches.flatMap(({ entries }) =>
      entries.map(({ assignment: { process, slot } }) => ({ process, first: slot, last: slot })),
    ),
  )

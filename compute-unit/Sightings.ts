/**
 * Sightings: what a compute unit has seen its scheduler sign, so that it notices when that signs something else (spec 03
 * §6). A receipt is kept of each slot, durably, before anything is made of it; whatever comes later for the same slot, the
 * one before or the one after, or for the same batch, is held against it. What another scheduler signed, in whose time a log
 * began, is held against what was seen of that one and not kept: anyone can make a key, and contradict himself with it.
 *
 *     seen:   slot 4, head A        slot 5, previous A, head B
 *     comes:  slot 6, previous C    two heads of slot 5, both signed: an equivocation
 */
import * as Address from "../runtime/Address.ts"
import * as Batch from "../runtime/Batch.ts"
import * as Id from "../runtime/Id.ts"
import type { Put, Store } from "../runtime/Store.ts"
import * as Table from "../runtime/Table.ts"

/** A link with a slot that stands under it. */
interface StoredLink {
  readonly link: Batch.SignedLink
  readonly process: Id.ProcessId
  readonly slot: number
}

interface StoredReceipt extends Omit<Batch.Receipt, "link"> {
  readonly number: number
}

interface StoredEquivocation {
  readonly process: Id.ProcessId
  readonly equivocation: Batch.Equivocation
}

const links = Table.make<[scheduler: Uint8Array, number: number], StoredLink>("sighted-link")
const receipts = Table.make<[process: Uint8Array, scheduler: Uint8Array, slot: number], StoredReceipt>(
  "sighted-slot",
)
const equivocations = Table.make<[process: Uint8Array], StoredEquivocation>("equivocation")

export interface Found {
  readonly process: Id.ProcessId
  readonly equivocation: Batch.Equivocation
}

/** What receipts come to: what is to be written, and what they contradict. */
export interface Sighted {
  readonly puts: ReadonlyArray<Put>
  readonly found: ReadonlyArray<Found>
}

export interface Sightings {
  /** Holds receipts against all that was seen before, and against each other. */
  readonly sight: (receipts: ReadonlyArray<Batch.Receipt>) => Sighted
  /** What was found and written. */
  readonly equivocation: (process: Id.ProcessId) => Batch.Equivocation | undefined
  readonly equivocations: () => ReadonlyArray<Found>
}

/** Of a unit that follows `scheduler`. */
export const make = (store: Store["Service"], scheduler: Id.Address): Sightings => {
  const stored = (by: Uint8Array, process: Id.ProcessId, slot: number): Batch.Receipt | undefined => {
    const found = slot < 0 ? undefined : receipts.get(store, Id.toBytes(process), by, slot)
    if (found === undefined) return undefined
    const { number, ...rest } = found
    return { link: links.get(store, by, number)!.link, ...rest }
  }
  const ofBatch = (by: Uint8Array, number: number): Batch.Receipt | undefined => {
    const found = links.get(store, by, number)
    return found && stored(by, found.process, found.slot)
  }
  return {
    sight: (all) => {
      const puts: Array<Put> = []
      const found: Array<Found> = []
      const fresh = new Map<string, Batch.Receipt>()
      // One link stands behind many receipts: it is read, and written, once.
      const batches = new Map<string, Batch.Receipt | undefined>()
      const seenOf = (by: Address.Address, number: number) => {
        const key = `${by.text} ${number}`
        if (!batches.has(key)) batches.set(key, ofBatch(by.bytes, number))
        return batches.get(key)
      }
      for (const receipt of all) {
        const { link, ...rest } = receipt
        const { process, slot } = receipt.assignment
        const by = Address.of(link.owner)
        const seen = (at: number) => fresh.get(`${process} ${by.text} ${at}`) ?? stored(by.bytes, process, at)
        const before = [seenOf(by, link.number), seen(slot), seen(slot - 1), seen(slot + 1)]
        const equivocation = before
          .map((one) => one && Batch.equivocation(one, receipt))
          .find((one) => one !== undefined)
        if (equivocation !== undefined) {
          found.push({ process, equivocation })
          puts.push(equivocations.put([Id.toBytes(process)], { process, equivocation }))
          continue
        }
        if (by.text !== scheduler || seen(slot) !== undefined) continue
        fresh.set(`${process} ${by.text} ${slot}`, receipt)
        if (seenOf(by, link.number) === undefined) {
          batches.set(`${by.text} ${link.number}`, receipt)
          puts.push(links.put([by.bytes, link.number], { link, process, slot }))
        }
        puts.push(receipts.put([Id.toBytes(process), by.bytes, slot], { ...rest, number: link.number }))
      }
      return { puts, found }
    },
    equivocation: (process) => equivocations.get(store, Id.toBytes(process))?.equivocation,
    equivocations: () => equivocations.list(store, []),
  }
}

/** Each leaf of a batch, opened. */
export const receiptsOf = (
  link: Batch.SignedLink,
  assignments: ReadonlyArray<Batch.Receipt["assignment"]>,
): ReadonlyArray<Batch.Receipt> => {
  const tree = Batch.tree(assignments)
  return assignments.map((assignment, index) => Batch.receipt(link, tree, assignment, index))
}

/** Why a process is followed no further, in words for its operator. */
export const reason = ({ kind, first, second }: Batch.Equivocation): string =>
  kind === "slot"
    ? `scheduler equivocated: it signed two heads of slot ${Batch.slotGivenTwice({ first, second })}`
    : `scheduler equivocated: it signed batch ${first.link.number} twice`

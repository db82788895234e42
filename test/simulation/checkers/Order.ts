/**
 * Order: a log is one chain without a gap, in batches that are one chain; time does not go back in it; and what anyone
 * was told of it stays so.
 */
import * as Effect from "effect/Effect"
import * as SignatureType from "../../../runtime/SignatureType.ts"
import * as Assignment from "../../../runtime/Assignment.ts"
import * as Batch from "../../../runtime/Batch.ts"
import * as Bytes from "../../../runtime/Bytes.ts"
import type { CommittedBatch } from "../../../scheduler-unit/SchedulerUnit.ts"
import type { Make, Place } from "../Checker.ts"

export const make: Make = ({ places, keys, now }, fail) => {
  const scheduler = places.find(({ schedules }) => schedules)!
  /** Heads that anyone was told of, by process and slot. */
  const told = new Map<string, Uint8Array>()
  const receipts: Array<Batch.Receipt> = []
  const tell = (process: string, slot: number, head: Uint8Array) => {
    const place = `${process} ${slot}`
    const before = told.get(place)
    if (before !== undefined && !Bytes.equal(before, head)) fail(`slot ${place} was given twice`)
    told.set(place, head)
  }

  const checkBatches = ({ durable }: Place) => {
    const { log } = durable()
    const newest = log.last()?.number ?? -1
    let root: Uint8Array = new Uint8Array(32)
    for (let number = 0; number <= newest; number++) {
      const batch = log.batch(number)
      if (batch === undefined) return fail(`batch ${number} is missing, and there is ${newest}`)
      const { link, entries } = batch
      if (!Bytes.equal(link.previousRoot, root)) fail(`batch ${number} does not follow the one before`)
      root = Batch.tree(entries.map(({ assignment }) => assignment)).root
      if (!Bytes.equal(root, link.root)) fail(`batch ${number} is not what was signed`)
      const type = SignatureType.find(link.signatureType)!
      const bytes = Batch.signingBytes(link)
      const good = keys.verifier.verify(type, link.owner, "heddle/batch/1", bytes, link.signature)
      if (!Effect.runSync(Effect.orDie(good))) fail(`the signature of batch ${number} is not good`)
    }
  }

  const checkLogs = ({ durable }: Place) => {
    const read = durable()
    const batches = new Map<number, CommittedBatch | undefined>()
    const batchOf = (number: number) => {
      if (!batches.has(number)) batches.set(number, read.log.batch(number))
      return batches.get(number)
    }
    for (const { process, nextSlot } of read.log.processes()) {
      const entries = read.entries(process)
      if (entries.length !== nextSlot) fail(`process ${process} has ${entries.length} slots, not ${nextSlot}`)
      let [previous, timestamp] = [Assignment.emptyHead, 0]
      for (const [slot, { assignment, item, proof, batch, index }] of entries.entries()) {
        const where = `process ${process} slot ${slot}`
        if (assignment.slot !== slot) fail(`${where}: there stands ${assignment.slot}`)
        if (!Bytes.equal(assignment.previous, previous)) fail(`${where} does not follow the slot before`)
        if (!Bytes.equal(Assignment.make(assignment).head, assignment.head)) fail(`${where}: another head`)
        if (!Bytes.equal(Assignment.entryHash(item, proof), assignment.entryHash))
          fail(`${where}: another item`)
        if (assignment.timestamp < timestamp) fail(`${where}: time goes back`)
        const leaf = batchOf(batch)?.entries[index]?.assignment
        if (leaf === undefined || !Bytes.equal(leaf.head, assignment.head))
          fail(`${where} is not in its batch`)
        ;({ head: previous, timestamp } = assignment)
        tell(process, slot, assignment.head)
      }
      // The scheduler's clock was ahead of the world's by as much at most.
      if (timestamp > now() + 100_000) fail(`process ${process}: the last slot is of a time to come`)
    }
    for (const place of told.keys()) {
      const [process, slot] = place.split(" ") as [Parameters<typeof read.log.entry>[0], string]
      if (read.log.entry(process, Number(slot)) === undefined) fail(`slot ${place} was given and is gone`)
    }
  }

  const check = (place: Place) => {
    if (!place.schedules) return
    checkBatches(place)
    checkLogs(place)
  }

  return {
    name: "order",
    seen: (seen) => {
      if (seen.kind === "accepted") {
        const { process, slot, head } = seen.accepted
        tell(process, slot, head)
      }
      if (seen.kind === "receipt") {
        const { assignment } = seen.receipt
        if (!Batch.receiptHolds(seen.receipt)) fail(`a receipt does not open its batch`)
        tell(assignment.process, assignment.slot, assignment.head)
        const other = receipts.find((one) => Batch.equivocation(one, seen.receipt) !== undefined)
        if (other !== undefined)
          fail(`receipts of batches ${other.link.number} and ${seen.receipt.link.number} contradict`)
        receipts.push(seen.receipt)
      }
    },
    crashed: check,
    end: () => check(scheduler),
  }
}

/**
 * SchedulerUnitRemote: a scheduler unit at an address of the network. Nobody on the way is believed, nor is the scheduler
 * beyond what it signed: a batch is passed on once its link's signature, its previous root and the tree over its leaves
 * hold, a page of a log once a receipt speaks for its last slot and its heads lead there.
 *
 * That a slot was given is shown so, by whoever signed its receipt: slots of a process that came from another scheduler have
 * that one's. That it was theirs to give, and that it is admissible, is for the compute unit to say. What no signature covers
 * (`processes`, `knows`, `nextBatch`, `authority`, `tenure`, in which batch an entry of a log stands) says only where to look.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Verifier } from "../identity/Verifier.ts"
import { Refused } from "../runtime/Admission.ts"
import * as Address from "../runtime/Address.ts"
import * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as DataReference from "../runtime/DataReference.ts"
import * as Exchange from "../runtime/Exchange.ts"
import * as Hash from "../runtime/Hash.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"
import { Network } from "../runtime/Network.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import * as SchedulerCalls from "./SchedulerCalls.ts"
import {
  BatchInvalid,
  type CommittedBatch,
  type LogEntry,
  type Receipted,
  SchedulerUnit,
} from "./SchedulerUnit.ts"

const zeroRoot: Uint8Array = new Uint8Array(Hash.length)

/** Why entries are not what stands before a head in one process's log, or `undefined`. */
const chainFault = (
  process: Id.ProcessId,
  from: number,
  entries: ReadonlyArray<LogEntry>,
): string | undefined => {
  const wrong = entries.findIndex(({ assignment: { process: of, slot, previous } }, i) => {
    const before = entries[i - 1]?.assignment.head
    return of !== process || slot !== from + i || (before !== undefined && !Bytes.equal(before, previous))
  })
  return wrong < 0 ? undefined : `slot ${from + wrong} of ${process} does not follow the one before it`
}

/** A scheduler at `address`. */
export const make = Effect.fnUntraced(function* (address: Id.Address) {
  const network = yield* Network
  const verifier = yield* Verifier
  const peer: Exchange.Server = { network, address, protocol: SchedulerCalls.protocol }

  /** Whether the owner of a link signed it. A verifier that has no time is asked again. */
  const signed = ({ signatureType, owner, signature, ...link }: Batch.SignedLink): Effect.Effect<boolean> => {
    const type = SignatureType.find(signatureType)
    if (type === undefined) return Effect.succeed(false)
    const verdict = Effect.suspend(() =>
      verifier.verify(type, owner, "heddle/batch/1", Batch.signingBytes(link), signature),
    )
    // It is asked without end, so nothing comes out of this.
    return Effect.orDie(Effect.retry(verdict, Schedule.spaced(Limit.askRetryMsMin)))
  }

  const receiptFault = (process: Id.ProcessId, slot: number, receipt: Batch.Receipt) =>
    Effect.gen(function* () {
      const { assignment, link } = receipt
      if (assignment.process !== process || assignment.slot !== slot) return "a receipt of another slot"
      if (!Batch.receiptHolds(receipt)) return "a receipt that does not open its batch"
      return (yield* signed(link)) ? undefined : "a receipt that its owner did not sign"
    })

  const receipt = (process: Id.ProcessId, slot: number) =>
    Effect.flatMap(
      Exchange.ask(peer, SchedulerCalls.receipt, { process, slot }, (answer) =>
        Result.isFailure(answer) ? Effect.undefined : receiptFault(process, slot, answer.success),
      ),
      Effect.fromResult,
    )

  type Page = {
    readonly entries: ReadonlyArray<LogEntry>
    readonly last: Batch.Receipt | undefined
    readonly more: boolean
  }
  const pageFault = (process: Id.ProcessId, from: number, limit: number, { entries, last, more }: Page) => {
    const end = entries.at(-1)
    if (end === undefined) return Effect.succeed(more ? "a page that has nothing and is not all" : undefined)
    if (entries.length > limit) return Effect.succeed("more slots than were asked for")
    const fault = chainFault(process, from, entries)
    if (fault !== undefined) return Effect.succeed(fault)
    if (last === undefined || !Bytes.equal(last.assignment.head, end.assignment.head))
      return Effect.succeed("a page without the receipt of its last slot")
    return receiptFault(process, end.assignment.slot, last)
  }

  const log = Effect.fnUntraced(function* (process: Id.ProcessId, from: number, limit: number) {
    const entries: Array<LogEntry> = []
    for (let more = true; more;) {
      const asked = { process, from: from + entries.length, limit: limit - entries.length }
      const answer = yield* Exchange.ask(peer, SchedulerCalls.log, asked, (page) =>
        Result.isFailure(page) ? Effect.undefined : pageFault(process, asked.from, asked.limit, page.success),
      )
      const page = yield* Effect.fromResult(answer)
      for (const entry of page.entries) entries.push(entry)
      more = page.more && entries.length < limit
    }
    return entries
  })

  /** Whether a batch is the one that was asked for, as it was signed. `before` is the root that it follows, if known. */
  const checked = Effect.fnUntraced(function* (
    batch: CommittedBatch,
    number: number,
    before: Uint8Array | undefined,
  ) {
    const { link, entries } = batch
    const fail = (detail: string) => new BatchInvalid({ scheduler: address, number, detail })
    if (link.number !== number) return yield* fail(`batch ${link.number} came in its place`)
    if (entries.length === 0) return yield* fail("there is no entry in it")
    if (before !== undefined && !Bytes.equal(link.previousRoot, before))
      return yield* fail("it follows another root than that of the batch before")
    if (Address.of(link.owner).text !== address || !(yield* signed(link)))
      return yield* fail("the scheduler did not sign it as it came")
    return batch
  })

  const nextPage = (next: number) =>
    Effect.map(
      Exchange.ask(peer, SchedulerCalls.batches, next, (answer) =>
        Effect.succeed(answer.length === 0 ? "an answer without a batch" : undefined),
      ),
      (batches) => [batches, next + batches.length] as const,
    )

  const batchesFrom = (from: number) =>
    Stream.suspend(() => {
      let [number, before] = [from, from === 0 ? zeroRoot : undefined]
      return Stream.unfold(from, nextPage).pipe(
        Stream.flatMap(Stream.fromIterable),
        Stream.mapEffect((batch) =>
          Effect.tap(
            Effect.suspend(() => checked(batch, number, before)),
            ({ link }) => Effect.sync(() => void ([number, before] = [number + 1, link.root])),
          ),
        ),
      )
    })

  const slotsFault = Effect.fnUntraced(function* (
    process: Id.ProcessId,
    from: number,
    before: Uint8Array | undefined,
    page: ReadonlyArray<Receipted>,
  ) {
    const [first] = page
    if (first === undefined) return "an answer without a slot"
    const entries = page.map(({ entry }) => entry)
    const fault = chainFault(process, from, entries)
    if (fault !== undefined) return fault
    if (before !== undefined && !Bytes.equal(first.entry.assignment.previous, before))
      return `slot ${from} of ${process} does not follow the one before it`
    const links = new Set<Batch.SignedLink>()
    for (const { receipt } of page) {
      if (!Batch.receiptHolds(receipt)) return "a receipt that does not open its batch"
      if (links.has(receipt.link)) continue
      if (!(yield* signed(receipt.link))) return "a receipt that its owner did not sign"
      links.add(receipt.link)
    }
    return undefined
  })

  const slots = (process: Id.ProcessId, first: number) =>
    Stream.suspend(() => {
      let before: Uint8Array | undefined
      const nextSlots = (from: number) =>
        Exchange.ask(peer, SchedulerCalls.slots, { process, from }, (answer) =>
          Result.isFailure(answer) ? Effect.undefined : slotsFault(process, from, before, answer.success),
        ).pipe(
          Effect.flatMap(Effect.fromResult),
          Effect.map((page) => {
            before = page.at(-1)!.entry.assignment.head
            return [page, from + page.length] as const
          }),
        )
      return Stream.flatMap(Stream.unfold(first, nextSlots), Stream.fromIterable)
    })

  const refused = (detail: string) => Effect.fail(new Refused({ reason: "too large", detail }))
  const tooLarge = (bytes: number, max: number) => refused(`${bytes} bytes; at most ${max} are allowed`)

  return SchedulerUnit.of({
    address,
    submit: (item, proof) => {
      if (item.length > Limit.itemBytesMax) return tooLarge(item.length, Limit.itemBytesMax)
      if (proof.length > Limit.proofBytesMax)
        return Effect.fail(
          new Refused({
            reason: "bad proof",
            detail: `the proof has ${proof.length} bytes; at most ${Limit.proofBytesMax} are allowed`,
          }),
        )
      return Effect.flatMap(Exchange.ask(peer, SchedulerCalls.submit, { item, proof }), Effect.fromResult)
    },
    addData: (bytes) =>
      bytes.length > Limit.referencedBytesMax
        ? tooLarge(bytes.length, Limit.referencedBytesMax)
        : Effect.flatMap(Exchange.ask(peer, SchedulerCalls.addData, bytes), Effect.fromResult),
    data: (hash) =>
      Exchange.ask(peer, SchedulerCalls.data, hash, (bytes) =>
        Effect.succeed(
          bytes === undefined || DataReference.hashOf(bytes) === hash
            ? undefined
            : `data that are not ${hash}`,
        ),
      ),
    receipt,
    log: (process, from, limit) => log(process, from, Math.min(limit, Limit.logPageMax)),
    authority: (process) =>
      Effect.flatMap(Exchange.ask(peer, SchedulerCalls.authority, process), Effect.fromResult),
    tenure: (process) =>
      Effect.flatMap(Exchange.ask(peer, SchedulerCalls.tenure, process), Effect.fromResult),
    slots,
    grown: Stream.never,
    module: (id) =>
      Exchange.ask(peer, SchedulerCalls.module, id, (source) =>
        Effect.succeed(
          source === undefined || Module.id(source) === id ? undefined : `code that is not module ${id}`,
        ),
      ),
    processes: Exchange.ask(peer, SchedulerCalls.processes, undefined),
    knows: (of) => Exchange.ask(peer, SchedulerCalls.knows, of),
    nextBatch: Exchange.ask(peer, SchedulerCalls.nextBatch, undefined),
    batches: batchesFrom,
  })
})

export const layer = (address: Id.Address) => Layer.effect(SchedulerUnit, make(address))

/**
 * Spawn: finds out from an archive who a process is: its spawn message, by which its scheduler and its compute units are
 * known. Here nobody can be believed yet; the message speaks for itself.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Verifier } from "../identity/Verifier.ts"
import type { Archive } from "../runtime/Archive.ts"
import type * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import * as Message from "../runtime/Message.ts"
import * as OutboxItem from "../runtime/OutboxItem.ts"
import * as Process from "../runtime/Process.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import * as BatchesContent from "./BatchesContent.ts"
import type * as Catalog from "./Catalog.ts"
import * as ContentReader from "./ContentReader.ts"
import type * as Contents from "./Contents.ts"
import type * as Shelf from "./Shelf.ts"

/** Nothing in the archive shows who the process is: no piece has its spawn message. */
export class ProcessNotArchived extends Data.TaggedError("ProcessNotArchived")<{
  readonly process: Id.ProcessId
  readonly archive: string
  /** Contents that should have it and are of no use. */
  readonly transactions: ReadonlyArray<string>
}> {
  override get message(): string {
    const where = this.transactions.length === 0 ? "" : `; it should be in ${this.transactions.join(", ")}`
    return `archive ${this.archive} does not give the spawn message of process ${this.process}${where}`
  }
}

/** The claims of contents on slots of a process. */
export const claimsOf = (
  all: ReadonlyArray<Catalog.Listed>,
  process: Id.ProcessId,
): ReadonlyArray<Shelf.Claim> =>
  all.flatMap((listed) =>
    listed.slots.flatMap((range) =>
      range.process === process ? [{ listed, first: range.first, last: range.last }] : [],
    ),
  )

/** Those whose head has the address that is looked for come first: a tag is a hint. */
export const likelyFirst = (
  all: ReadonlyArray<Catalog.Listed>,
  isLikely: (listed: Catalog.Listed) => boolean,
) => [...all.filter(isLikely), ...all.filter((listed) => !isLikely(listed))]

/** The process that an item makes, if it is its spawn message and speaks for itself. */
const spawnedBy = Effect.fnUntraced(function* (process: Id.ProcessId, bytes: Uint8Array) {
  const item = Result.getOrUndefined(Item.decode(bytes))
  if (item === undefined || item.id !== process) return undefined
  const verifier = yield* Verifier
  // The id commits to a signature, and that to the content only where it is good.
  const good =
    item.type === SignatureType.outbox
      ? OutboxItem.origin(item) !== undefined
      : Result.isSuccess(yield* Effect.result(verifier.verifyItem(item)))
  const message = Result.getOrUndefined(Message.parse(item))
  return good && message !== undefined ? Result.getOrUndefined(Process.fromSpawn(message)) : undefined
})

/** Finds the spawn message of a process, before anybody is known to believe. */
export const find = Effect.fnUntraced(function* (
  archive: Archive["Service"],
  process: Id.ProcessId,
  listed: ReadonlyArray<Catalog.Listed>,
  { report, onBytes }: Contents.Watch,
) {
  const asked: Array<Catalog.Listed> = []
  for (const { listed: one } of claimsOf(listed, process).toSorted((a, b) => a.first - b.first)) {
    asked.push(one)
    const bytes = yield* ContentReader.read(archive, one, report, onBytes)
    if (typeof bytes === "string") continue
    const batches = BatchesContent.decode(bytes)
    if (Result.isFailure(batches)) {
      report(ContentReader.problemOf(one, "damaged", batches.failure.message))
      continue
    }
    for (const { entries } of batches.success)
      for (const { assignment, item } of entries) {
        if (assignment.process !== process || assignment.slot !== 0) continue
        const spawned = yield* spawnedBy(process, item)
        if (spawned !== undefined) return spawned
        report(ContentReader.problemOf(one, "not true", `slot 0 of ${process} is not its spawn message`))
      }
  }
  const transactions = [
    ...new Set(asked.flatMap(({ copies }) => copies.flat().map(ContentReader.transactionOf))),
  ]
  return yield* new ProcessNotArchived({ process, archive: archive.name, transactions })
})

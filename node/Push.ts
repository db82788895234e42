/**
 * Push: the bundles of a folder, to an archive that is paid for. It can be ended at any moment and begun again: each
 * bundle goes by the transfer that the journal has of it, and gets another only where that one can never arrive.
 */
import fs from "node:fs/promises"
import path from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type Archive, type Bundle, type Progress, readBundle, type Status } from "../runtime/Archive.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as PushJournal from "./PushJournal.ts"

/** The folder to be pushed can't be read. */
export class FolderUnreadable extends Data.TaggedError("FolderUnreadable")<{
  readonly folder: string
  readonly detail: string
}> {
  override get message(): string {
    return `folder ${this.folder} can't be read: ${this.detail}`
  }
}

export interface Pushed {
  readonly bundle: Id.Id
  readonly bytes: number
  /**
   * `waiting` for the spending limit to be raised, `sent` and in no block, `in a block` of few confirmations,
   * `confirmed` for good, or `damaged`: the file is not the bundle that it is named after.
   */
  readonly state: "waiting" | "sent" | "in a block" | "confirmed" | "damaged"
  readonly transaction: Id.Id | undefined
  readonly cost: bigint | undefined
  readonly height: number | undefined
}

export interface Report {
  readonly folder: string
  readonly archive: string
  /** Oldest first. */
  readonly bundles: ReadonlyArray<Pushed>
  /** Winston, in all pushes of this folder. */
  readonly spent: bigint
  readonly spendingLimit: bigint
}

export interface Options {
  readonly folder: string
  readonly archive: Archive["Service"]
  readonly spendingLimit: bigint
  /** Which of how many bundles, and how far it is. */
  readonly onProgress?: (index: number, of: number, progress: Progress) => void
}

interface File {
  readonly bundle: Id.Id
  readonly file: string
  readonly bytes: number
  readonly timeMs: number
}

const suffix = ".bundle"

const list = (folder: string) =>
  Effect.tryPromise({
    try: async () => {
      const files: Array<File> = []
      for (const name of await fs.readdir(folder)) {
        const bundle = name.endsWith(suffix) ? Id.parse(name.slice(0, -suffix.length)) : undefined
        if (bundle === undefined) continue
        const file = path.join(folder, name)
        const { size, mtimeMs } = await fs.stat(file)
        files.push({ bundle, file, bytes: size, timeMs: mtimeMs })
      }
      return files.toSorted((a, b) => a.timeMs - b.timeMs || (a.bundle < b.bundle ? -1 : 1))
    },
    catch: (error) =>
      new FolderUnreadable({ folder, detail: error instanceof Error ? error.message : String(error) }),
  })

/** The bundle in a file, where it is the one that the file is named after. */
const read = ({ file, bytes, bundle }: File): Effect.Effect<Bundle | undefined, FolderUnreadable> =>
  bytes > Limit.archiveBundleBytesMax
    ? Effect.undefined
    : Effect.tryPromise({
        try: async () => {
          const found = Result.getOrUndefined(readBundle(new Uint8Array(await fs.readFile(file))))
          return found?.id === bundle ? found : undefined
        },
        catch: (error) =>
          new FolderUnreadable({
            folder: file,
            detail: error instanceof Error ? error.message : String(error),
          }),
      })

const stateOf = (status: Status): Pushed["state"] => {
  if (status._tag !== "confirmed") return "sent"
  return status.confirmations >= Limit.archiveConfirmations ? "confirmed" : "in a block"
}

/** Sends what is not sent, up to the limit, and says where each bundle stands. */
export const run = Effect.fnUntraced(function* (options: Options) {
  const { folder, archive, spendingLimit, onProgress = () => {} } = options
  const files = yield* list(folder)
  const journal = yield* PushJournal.open(folder)
  const spent = Effect.map(journal.entries, (entries) =>
    [...entries.values()].reduce((sum, { transfer }) => sum + transfer.cost, 0n),
  )
  /** What was begun before this push: of what it begins itself it asks the journal again. */
  const before = yield* journal.entries
  let stopped = false

  /** A transfer for the bundle, in the journal; undefined where the limit is reached. */
  const begin = Effect.fnUntraced(function* (bundle: Bundle, attempt: number) {
    if (stopped) return undefined
    const prepared = yield* Effect.result(archive.prepare(bundle))
    if (Result.isFailure(prepared)) {
      stopped = prepared.failure._tag === "ArchiveRefused" && prepared.failure.reason === "too dear"
      return stopped ? undefined : yield* prepared.failure
    }
    const entry = { bundle: bundle.id, attempt, transfer: prepared.success, sent: false }
    if (!(yield* journal.add(entry))) return (yield* journal.entries).get(bundle.id)
    // Asked once it counts, so that two pushes at the same time don't both take the last of it.
    stopped = (yield* spent) > spendingLimit
    if (!stopped) return entry
    yield* journal.remove(entry)
    return undefined
  })

  /** Sends a bundle by its entry, however often that turns out to be void. */
  const send = Effect.fnUntraced(function* (index: number, file: File) {
    const { bundle: id, bytes } = file
    const say = (state: Pushed["state"], entry?: PushJournal.Entry, height?: number): Pushed => ({
      bundle: id,
      bytes,
      state,
      transaction: entry?.transfer.id,
      cost: entry?.transfer.cost,
      height,
    })
    const standing = (entry: PushJournal.Entry, status: Status) =>
      say(stateOf(status), entry, status._tag === "confirmed" ? status.height : undefined)

    let entry = before.get(id)
    let status = entry && (yield* archive.status(entry.transfer))
    if (entry?.sent === true && (status?._tag === "pending" || status?._tag === "confirmed"))
      return standing(entry, status)
    const bundle = yield* read(file)
    if (bundle === undefined) return say("damaged", entry)
    for (;;) {
      if (entry === undefined || status?._tag === "void")
        entry = yield* begin(bundle, (entry?.attempt ?? -1) + 1)
      if (entry === undefined) return say("waiting")
      // One that was begun and not taken back, or before the limit was lowered.
      if ((yield* spent) > spendingLimit) return say("waiting", entry)
      const { transfer } = entry
      const uploaded = yield* Effect.result(
        archive.upload(transfer, bundle.bytes, (progress) => onProgress(index, files.length, progress), 0),
      )
      if (Result.isSuccess(uploaded)) {
        yield* journal.markSent(entry)
        return standing(entry, yield* archive.status(transfer))
      }
      if (uploaded.failure._tag !== "TransferVoid") return yield* uploaded.failure
      status = { _tag: "void" }
    }
  })

  const bundles = yield* Effect.forEach(files, (file, index) => send(index, file))
  const report: Report = { folder, archive: archive.name, bundles, spent: yield* spent, spendingLimit }
  return report
})

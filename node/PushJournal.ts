/**
 * PushJournal: what a push of a folder has begun, beside the folder, so that nothing is paid for twice (spec 07 §11).
 *
 *     <folder>.push/<bundle>.<n>.json     the n-th transfer of a bundle, there before its first byte leaves
 *     <folder>.push/<bundle>.<n>.sent     all its bytes have left
 *
 * A file comes into being whole and once: of two pushes that make one at the same time, one is told to take the other's.
 */
import crypto from "node:crypto"
import fs from "node:fs/promises"
import path from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Transfer } from "../runtime/Archive.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Id from "../runtime/Id.ts"

/** The journal can't be read or written. Nothing is sent without it. */
export class JournalUnusable extends Data.TaggedError("JournalUnusable")<{
  readonly file: string
  readonly detail: string
}> {
  override get message(): string {
    return `push journal ${this.file}: ${this.detail}; nothing was sent beyond what it says`
  }
}

/** The transfer by which a bundle goes. */
export interface Entry {
  readonly bundle: Id.Id
  readonly attempt: number
  readonly transfer: Transfer
  readonly sent: boolean
}

export interface PushJournal {
  /** The last of each bundle. */
  readonly entries: Effect.Effect<ReadonlyMap<Id.Id, Entry>, JournalUnusable>
  /** Makes an entry durable; false where there is one of this number. */
  readonly add: (entry: Entry) => Effect.Effect<boolean, JournalUnusable>
  /** Takes back one of which no byte has left. */
  readonly remove: (entry: Entry) => Effect.Effect<void, JournalUnusable>
  readonly markSent: (entry: Entry) => Effect.Effect<void, JournalUnusable>
}

const name = /^([\w-]{43})\.(\d{1,9})\.(json|sent)$/

const encode = ({ transfer }: Entry): string => {
  const { cost, record, ...rest } = transfer
  return JSON.stringify({ ...rest, cost: String(cost), record: Bytes.toBase64Url(record) })
}

const decode = (bundle: Id.Id, text: string): Transfer | undefined => {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof read !== "object" || read === null) return undefined
  const { id, bundle: of, bytes, cost, record } = read as Readonly<Record<string, unknown>> // an object
  const [transfer, opaque] = [Id.parse(String(id)), Bytes.fromBase64Url(String(record))]
  const whole = typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 0
  if (transfer === undefined || opaque === undefined || of !== bundle || !whole) return undefined
  if (typeof cost !== "string" || !/^\d{1,30}$/.test(cost)) return undefined
  return { id: transfer, bundle, bytes, cost: BigInt(cost), record: opaque }
}

const flush = async (folder: string): Promise<void> => {
  const handle = await fs.open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a file whole and durable, or not at all; false where it is there. */
const create = async (file: string, text: string): Promise<boolean> => {
  const part = path.join(path.dirname(file), `.${path.basename(file)}.${crypto.randomUUID()}`)
  const handle = await fs.open(part, "w", 0o644)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  try {
    await fs.link(part, file)
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false
    throw error
  } finally {
    await fs.rm(part, { force: true })
  }
  await flush(path.dirname(file))
  return true
}

/** The journal of a folder, made where there is none. */
export const open = Effect.fnUntraced(function* (archive: string) {
  const folder = `${archive}.push`
  const io = <A>(file: string, run: () => Promise<A>) =>
    Effect.tryPromise({
      try: run,
      catch: (error) =>
        error instanceof JournalUnusable
          ? error
          : new JournalUnusable({ file, detail: error instanceof Error ? error.message : String(error) }),
    })
  const fileOf = ({ bundle, attempt }: Entry, kind: "json" | "sent") =>
    path.join(folder, `${bundle}.${attempt}.${kind}`)

  yield* io(folder, async () => {
    await fs.mkdir(folder, { recursive: true })
    await flush(path.dirname(folder))
  })

  const entries = io(folder, async () => {
    const last = new Map<Id.Id, Entry>()
    const files = await fs.readdir(folder)
    const sent = new Set(files.filter((one) => one.endsWith(".sent")))
    for (const file of files) {
      const [, id = "", number = "", kind] = name.exec(file) ?? []
      const bundle = kind === "json" ? Id.parse(id) : undefined
      if (bundle === undefined) continue
      const attempt = Number(number)
      if ((last.get(bundle)?.attempt ?? -1) > attempt) continue
      const at = path.join(folder, file)
      const transfer = decode(bundle, await fs.readFile(at, "utf8"))
      if (transfer === undefined) throw new JournalUnusable({ file: at, detail: "it is damaged" })
      last.set(bundle, { bundle, attempt, transfer, sent: sent.has(`${bundle}.${attempt}.sent`) })
    }
    return last
  })

  const journal: PushJournal = {
    entries,
    add: (entry) => io(folder, () => create(fileOf(entry, "json"), encode(entry))),
    remove: (entry) =>
      io(folder, async () => {
        await fs.rm(fileOf(entry, "json"))
        await flush(folder)
      }),
    markSent: (entry) => Effect.asVoid(io(folder, () => create(fileOf(entry, "sent"), ""))),
  }
  return journal
})

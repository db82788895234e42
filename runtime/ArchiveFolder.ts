/**
 * Archive in a folder: one file a bundle, written whole or not at all, and the same bytes that go to Arweave.
 *
 *     <folder>/<bundle id>.bundle        .<bundle id>.<process>.part while it is written
 *
 * Files come in the order of their times, which this archive keeps apart: the n-th has height n. Nothing else is kept:
 * the index is what the heads of the pieces say, read again at each start. Copied with their times the files are the
 * same archive elsewhere. A file that is no bundle is no part of it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import fs from "node:fs/promises"
import path from "node:path"
import {
  Archive,
  ArchiveRefused,
  ArchiveUnavailable,
  type Found,
  matches,
  PieceDamaged,
  type Query,
  refusal,
  type Transfer,
} from "./Archive.ts"
import * as Bundle from "./Bundle.ts"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import * as Item from "./Item.ts"
import * as Limit from "./Limit.ts"

const suffix = ".bundle"

/** Bytes in which every item's tags have ended: the largest signature and owner, and tags at their limit. */
const headBytesMax = 16 * 1024

interface File {
  readonly id: Id.Id
  readonly bytes: number
  readonly timeMs: number
  /** Without their heights: the n-th file has height n. */
  readonly pieces: ReadonlyArray<Omit<Found, "height">>
}

/** What a file's head says, or undefined where it is no bundle. */
const readFile = async (folder: string, id: Id.Id): Promise<File | undefined> => {
  const file = await fs.open(path.join(folder, id + suffix), "r")
  try {
    const { size, mtimeMs } = await file.stat()
    if (size > Limit.archiveBundleBytesMax) return undefined
    const window = async (from: number, to: number): Promise<Uint8Array> => {
      const bytes = new Uint8Array(Math.max(0, Math.min(to, size) - from))
      const { bytesRead } = await file.read(bytes, 0, bytes.length, from)
      return bytes.subarray(0, bytesRead)
    }
    const table = Bundle.tableBytes(await window(0, 32))
    if (Result.isFailure(table) || table.success > 32 + 64 * Limit.archivePiecesMax) return undefined
    const places = Bundle.places(await window(0, table.success), size)
    if (Result.isFailure(places)) return undefined
    const pieces: Array<Omit<Found, "height">> = []
    for (const { id: piece, from, to } of places.success) {
      const head = Item.decode(await window(from, Math.min(to, from + headBytesMax)))
      if (Result.isFailure(head)) return undefined
      const location = `${id}/${Bytes.toBase64Url(piece)}`
      pieces.push({ location, tags: head.success.tags, size: to - from })
    }
    return { id, bytes: size, timeMs: mtimeMs, pieces }
  } finally {
    await file.close()
  }
}

const flushFolder = async (folder: string): Promise<void> => {
  const handle = await fs.open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes a file whole or not at all, later than `after` ms; returns when a power cut can't take it any more. */
const writeFile = async (folder: string, id: Id.Id, bytes: Uint8Array, after: number): Promise<void> => {
  const [part, whole] = [path.join(folder, `.${id}.${process.pid}.part`), path.join(folder, id + suffix)]
  const file = await fs.open(part, "w", 0o644)
  try {
    await file.writeFile(bytes)
    // A disk's clock ticks slowly: two bundles of one tick would have no order.
    const { mtimeMs } = await file.stat()
    const at = Math.max(mtimeMs, Math.floor(after) + 1) / 1000
    await file.utimes(at, at)
    await file.sync()
    await file.close()
    await fs.rename(part, whole)
  } catch (error) {
    await file.close().catch(() => undefined)
    await fs.rm(part, { force: true })
    throw error
  }
  await flushFolder(folder)
  // What a process left behind that died while it wrote the same bundle.
  for (const name of await fs.readdir(folder))
    if (name.startsWith(`.${id}.`)) await fs.rm(path.join(folder, name), { force: true })
}

/** The archive in `folder`, which is made where it is not there. */
export const make = Effect.fnUntraced(function* (folder: string) {
  const unavailable = (error: unknown, transaction?: string): ArchiveUnavailable => {
    const detail = error instanceof Error ? error.message : String(error)
    const reason = /ENOSPC|EDQUOT|EFBIG/.test(detail) ? "full" : "io"
    return new ArchiveUnavailable({ gateway: folder, transaction, reason, detail })
  }
  const io = <A>(run: () => Promise<A>, transaction?: string): Effect.Effect<A, ArchiveUnavailable> =>
    Effect.tryPromise({ try: run, catch: (error) => unavailable(error, transaction) })

  yield* io(() => fs.mkdir(folder, { recursive: true }))
  const files: Array<File> = []
  const known = new Set<string>()

  /** Reads what has come since the last look, from whomever. */
  const lookAround = async (): Promise<void> => {
    const fresh: Array<File> = []
    const names = await fs.readdir(folder)
    const there = new Set(names)
    for (const { id } of files) if (!there.has(id + suffix)) known.delete(id)
    files.splice(0, files.length, ...files.filter(({ id }) => known.has(id)))
    for (const name of names) {
      const id = name.endsWith(suffix) ? Id.parse(name.slice(0, -suffix.length)) : undefined
      if (id === undefined || known.has(id)) continue
      const file = await readFile(folder, id)
      if (file !== undefined) fresh.push(file)
    }
    fresh.sort((a, b) => a.timeMs - b.timeMs || (a.id < b.id ? -1 : 1))
    for (const file of fresh) {
      if (known.has(file.id)) continue
      known.add(file.id)
      files.push(file)
    }
  }
  let looking: Promise<void> = Promise.resolve()
  /** One look or write at a time: heights are given in turn. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const mine = looking.then(work)
    looking = mine.catch(() => undefined)
    return mine
  }
  const refresh = io(() => inTurn(lookAround))

  const check = (transfer: Transfer): Effect.Effect<void, ArchiveRefused> =>
    transfer.id === transfer.bundle && transfer.record.length === 0
      ? Effect.void
      : Effect.fail(new ArchiveRefused({ reason: "transfer", detail: "it is not one to a folder" }))

  const upload = (id: Id.Id, bytes: Uint8Array) =>
    inTurn(async () => {
      const there = await fs.readFile(path.join(folder, id + suffix)).catch(() => undefined)
      if (there !== undefined && Bytes.equal(there, bytes)) return
      await lookAround()
      await writeFile(folder, id, bytes, files.at(-1)?.timeMs ?? 0)
      await lookAround()
    })

  const find = (query: Query) =>
    Stream.fromIterableEffect(
      Effect.map(refresh, function* () {
        for (const [index, { pieces }] of files.entries()) {
          const height = index + 1
          if (height < (query.heightMin ?? 0)) continue
          for (const piece of pieces) if (matches(query, piece.tags)) yield { ...piece, height }
        }
      }),
    )

  const read = Effect.fnUntraced(function* (location: string) {
    const damaged = (reason: PieceDamaged["reason"], detail: string) =>
      new PieceDamaged({ location, gateway: folder, reason, detail })
    const [bundle, piece, ...more] = location.split("/").map(Id.parse)
    if (bundle === undefined || piece === undefined || more.length > 0)
      return yield* damaged("not here", "it is no place in a folder")
    const bytes = yield* Effect.tryPromise({
      try: () => fs.readFile(path.join(folder, bundle + suffix)),
      catch: (error) =>
        error instanceof Error && "code" in error && error.code === "ENOENT"
          ? damaged("not here", `the folder has no file ${bundle}${suffix}`)
          : unavailable(error, bundle),
    })
    if (Id.fromBytes(Hash.sha256(bytes)) !== bundle)
      return yield* damaged(
        "wrong bytes",
        `the file's ${bytes.length} bytes are not those that it is named after`,
      )
    const entries = Bundle.entries(bytes)
    if (Result.isFailure(entries)) return yield* damaged("not a piece", entries.failure.message)
    const entry = entries.success.find(({ id }) => Bytes.equal(id, Id.toBytes(piece)))
    if (entry === undefined) return yield* damaged("not here", "the bundle has no such piece")
    return Bytes.copy(entry.bytes)
  })

  return Archive.of({
    name: folder,
    price: () => Effect.succeed(0n),
    prepare: (bundle) => {
      const refused = refusal(bundle)
      if (refused !== undefined) return Effect.fail(refused)
      const { id, bytes } = bundle
      return Effect.succeed({ id, bundle: id, bytes: bytes.length, cost: 0n, record: Bytes.empty })
    },
    upload: Effect.fnUntraced(function* (transfer, bytes, onProgress) {
      yield* check(transfer)
      if (Id.fromBytes(Hash.sha256(bytes)) !== transfer.bundle)
        return yield* new ArchiveRefused({ reason: "transfer", detail: "the bytes are another bundle's" })
      yield* Effect.uninterruptible(io(() => upload(transfer.bundle, bytes), transfer.bundle))
      onProgress?.({ sent: bytes.length, total: bytes.length })
    }),
    holds: Effect.fnUntraced(function* (transfer) {
      yield* check(transfer)
      const bytes = yield* io(
        () => fs.readFile(path.join(folder, transfer.bundle + suffix)).catch(() => undefined),
        transfer.bundle,
      )
      return bytes !== undefined && Id.fromBytes(Hash.sha256(bytes)) === transfer.bundle
    }),
    status: Effect.fnUntraced(function* (transfer) {
      yield* check(transfer)
      yield* refresh
      const index = files.findIndex(({ id }) => id === transfer.bundle)
      const size =
        index < 0 ? 0 : (yield* io(() => fs.stat(path.join(folder, transfer.bundle + suffix)))).size
      return size !== transfer.bytes
        ? { _tag: "absent" as const }
        : { _tag: "confirmed" as const, height: index + 1, confirmations: files.length - index }
    }),
    height: Effect.map(refresh, () => files.length),
    find,
    read: ({ location }) => read(location),
  })
})

export const layer = (folder: string) => Layer.effect(Archive, make(folder))

/**
 * Store on LMDB: memory-mapped reads, group commit.
 *
 * One transaction at a time: commits asked for while one is flushed share the next. lmdb would let flushes overlap
 * (`overlappingSync`), but then a write can be read before it is on disk, and shown to somebody.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as lmdb from "lmdb"
import net from "node:net"
import fs from "node:fs"
import path from "node:path"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Limit from "./Limit.ts"
import { assertKeys, type Put, putBytes, Store, StoreFailed, StoreUnavailable } from "./Store.ts"

/** Version of what this program writes into a data folder. */
export const formatVersion = 1

const FORMAT = Bytes.fromText("!format")

/**
 * Holds a name that the system gives to one process at a time and takes back when it dies, however it dies: a socket
 * in Linux's abstract namespace, elsewhere a socket file whose owner no longer answers may be taken over.
 */
const lock = (folder: string): Effect.Effect<net.Server, StoreUnavailable> => {
  const name = `heddle-${Bytes.toHex(Hash.sha256(Bytes.fromText(fs.realpathSync(folder)))).slice(0, 32)}`
  const address =
    process.platform === "linux"
      ? `\0${name}`
      : process.platform === "win32"
        ? `\\\\.\\pipe\\${name}`
        : `/tmp/${name}.sock`
  const inUse = new StoreUnavailable({
    folder,
    reason: "in use",
    detail: "another node is running on it; stop that node, or start this one with another --data folder",
  })
  return Effect.callback<net.Server, StoreUnavailable>((resume) => {
    const listen = (lastTry: boolean) => {
      const server = net.createServer((socket) => socket.destroy())
      server.once("error", (error: NodeJS.ErrnoException) => {
        if (error.code !== "EADDRINUSE") {
          resume(Effect.fail(new StoreUnavailable({ folder, reason: "io", detail: error.message })))
          return
        }
        if (lastTry || !address.startsWith("/")) {
          resume(Effect.fail(inUse))
          return
        }
        const probe = net.connect(address)
        probe.once("connect", () => {
          probe.destroy()
          resume(Effect.fail(inUse))
        })
        probe.once("error", () => {
          fs.rmSync(address, { force: true })
          listen(true)
        })
      })
      server.listen(address, () => {
        server.unref()
        resume(Effect.succeed(server))
      })
    }
    listen(false)
  })
}

const fileOf = (folder: string): string => path.join(folder, "store.mdb")

const says = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** ENOSPC, EFBIG and EDQUOT, as Node and as lmdb spell them. */
const isFull = (error: unknown): boolean =>
  /ENOSPC|EFBIG|EDQUOT|No space left|File too large|quota exceeded/i.test(says(error))

/** Whether the disk has no room for the store's file to grow: found out by trying, since quotas count too. */
const hasNoRoom = (folder: string): boolean => {
  const probe = path.join(folder, "probe")
  try {
    const at = fs.statSync(fileOf(folder), { throwIfNoEntry: false })?.size ?? 0
    const file = fs.openSync(probe, "w", 0o600)
    try {
      return fs.writeSync(file, new Uint8Array(probeBytes), 0, probeBytes, at) < probeBytes
    } finally {
      fs.closeSync(file)
    }
  } catch (error) {
    return isFull(error)
  } finally {
    fs.rmSync(probe, { force: true })
  }
}

/** A dozen pages: what the smallest commit may need. */
const probeBytes = 64 * 1024

const full = (detail: string): string => `the disk of the data folder is full (${detail}); free some space`

/** Why a transaction failed. LMDB calls a write that the disk cut short "Input/output error", so the disk is asked. */
const failure = (folder: string, error: unknown): StoreFailed => {
  const detail = says(error)
  return isFull(error) || hasNoRoom(folder)
    ? new StoreFailed({ reason: "full", detail: full(detail) })
    : new StoreFailed({ reason: "io", detail })
}

type Database = lmdb.RootDatabase<Buffer, Uint8Array>

const unavailable = (folder: string) => (error: unknown) =>
  new StoreUnavailable({ folder, reason: "io", detail: isFull(error) ? full(says(error)) : says(error) })

const checkFormat = Effect.fnUntraced(function* (db: Database, folder: string) {
  const written = db.getBinary(FORMAT)
  if (written === undefined)
    return yield* Effect.try({
      try: () => db.putSync(FORMAT, Buffer.from(Bytes.u32(formatVersion))),
      catch: (error) => new StoreUnavailable({ folder, reason: "io", detail: failure(folder, error).detail }),
    })
  const version = new Bytes.Reader(written).u32()
  if (version > formatVersion)
    return yield* new StoreUnavailable({
      folder,
      reason: "newer version",
      detail: `written by a newer heddle (format ${version}, this one knows ${formatVersion}); update heddle`,
    })
})

const open = (folder: string): Effect.Effect<Database, StoreUnavailable> =>
  Effect.try({
    try: () => {
      // LMDB maps its lock file, and a page that the disk has no room for ends the process.
      if (!fs.existsSync(`${fileOf(folder)}-lock`) && hasNoRoom(folder)) throw new Error("ENOSPC")
      return lmdb.open<Buffer, Uint8Array>({
        path: fileOf(folder),
        encoding: "binary",
        keyEncoding: "binary",
        noSubdir: true,
        overlappingSync: false,
        // Grouping is done below; lmdb's own leaves a promise that nobody holds, and its rejection ends the process.
        eventTurnBatching: false,
      })
    },
    catch: unavailable(folder),
  })

/** Lets those speak who were woken by the last flush, or are in the same turn of the event loop. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** A commit that waits for the flush before its own. */
interface Waiting {
  readonly puts: ReadonlyArray<Put>
  readonly done: (result: Effect.Effect<void, StoreFailed>) => void
}

/** Takes the commits that share the next flush; one that is larger than the limit goes alone. */
const takeGroup = (waiting: Array<Waiting>): ReadonlyArray<Waiting> => {
  let count = 0
  let bytes = 0
  do bytes += putBytes(waiting[count++]!.puts)
  while (count < waiting.length && bytes + putBytes(waiting[count]!.puts) <= Limit.flushBytesMax)
  return waiting.splice(0, count)
}

/** Writes all of `puts` in one transaction; returns when it is on disk. */
const transact = async (db: Database, puts: ReadonlyArray<Put>): Promise<void> => {
  try {
    await db.batch(() => {
      for (const { key, value } of puts)
        void (value === undefined ? db.remove(key) : db.put(key, value as Buffer)) // lmdb takes any Uint8Array
    })
  } catch (error) {
    // lmdb rejects with "see commitError", which is a promise that rejects with the cause.
    if (error instanceof Error && "commitError" in error) await error.commitError
    throw error
  }
}

/** Opens the store of a data folder for as long as the scope lives. One process at a time. */
export const make = Effect.fnUntraced(function* (folder: string) {
  yield* Effect.try({
    try: () => fs.mkdirSync(folder, { recursive: true, mode: 0o700 }),
    catch: unavailable(folder),
  })
  yield* Effect.acquireRelease(lock(folder), (server) => Effect.sync(() => server.close()))
  const db = yield* Effect.acquireRelease(open(folder), (opened) => Effect.promise(() => opened.close()))
  yield* checkFormat(db, folder)

  const waiting: Array<Waiting> = []
  let flushing: Promise<void> | undefined
  let commits = 0
  let closed = false

  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      await turn()
      const group = takeGroup(waiting)
      const result = await transact(
        db,
        group.flatMap(({ puts }) => puts),
      ).then(
        () => Effect.void,
        (error: unknown) => Effect.fail(failure(folder, error)),
      )
      if (result === Effect.void) commits++
      for (const { done } of group) done(result)
    }
    flushing = undefined
  }
  const commit = (puts: ReadonlyArray<Put>) =>
    Effect.callback<void, StoreFailed>((done) => {
      waiting.push({ puts, done })
      flushing ??= flush()
    })

  yield* Effect.addFinalizer(() =>
    Effect.promise(async () => {
      closed = true
      await flushing
    }),
  )
  return Store.of({
    get: (key) => db.getBinary(key),
    // Read to its end at once: an iterator that is left open would hold its read transaction, and they are few.
    range: ({ from, to, reverse = false, limit }) => {
      const bounds = reverse
        ? { start: to, end: from, reverse, exclusiveStart: true, inclusiveEnd: true }
        : { start: from, end: to }
      const found = db.getRange({ ...bounds, ...(limit === undefined ? {} : { limit }) })
      return Array.from(found, ({ key, value }) => [key, value] as const)
    },
    commit: (puts) =>
      Effect.suspend(() => {
        assertKeys(puts)
        return closed
          ? Effect.fail(new StoreFailed({ reason: "closed", detail: "the node is stopping" }))
          : Effect.uninterruptible(commit(puts))
      }),
    commits: () => commits,
  })
})

export const layer = (folder: string) => Layer.effect(Store, make(folder))

import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import fs from "node:fs"
import path from "node:path"
import readline from "node:readline"
import { setImmediate } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as StoreLmdb from "../../runtime/StoreLmdb.ts"
import { storeSuite } from "../compliance/store.ts"
import * as Folder from "../support/Folder.ts"

const fresh = Effect.flatMap(Folder.make, StoreLmdb.make)

storeSuite("LMDB", fresh, 30)

const program = fileURLToPath(new URL("StoreChild.ts", import.meta.url))
const linux = process.platform === "linux"

/** A child process; `line` gives what it prints next. */
const start = (args: ReadonlyArray<string>, wrap: ReadonlyArray<string> = []) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const [file, ...before] = [...wrap, process.execPath]
      const child = spawn(file, [...before, program, ...args], { stdio: ["pipe", "pipe", "ignore"] })
      const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const line = Effect.promise(async (): Promise<unknown> => {
        const { value, done } = await lines.next()
        return done === true ? undefined : JSON.parse(value)
      })
      return { child, line }
    }),
    ({ child }) => Effect.promise(() => ended(child, "SIGKILL")),
  )

const ended = async (child: ChildProcess, signal?: NodeJS.Signals): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, "exit")
  if (signal !== undefined) child.kill(signal)
  await exited
}

/** Runs a child to its end and gives what it printed first. */
const ask = (...args: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { child, line } = yield* start(args)
      const first = yield* line
      yield* Effect.promise(() => ended(child))
      return first
    }),
  )

const put = (key: string, value: string) => ({ key: Bytes.fromText(key), value: Bytes.fromText(value) })

/** Transactions that a file has seen, as its newer meta page says (LMDB, `MDB_meta.mm_txnid`). */
const transactions = (folder: string): number => {
  const file = fs.readFileSync(path.join(folder, "store.mdb"))
  return Math.max(...[0, 4_096].map((page) => Number(file.readBigUInt64LE(page + 152))))
}

describe("StoreLmdb", () => {
  it.effect("has what was committed when it is opened again", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      yield* ask("put", folder, "key", "value")
      assert.strictEqual(yield* ask("get", folder, "key"), "value")
      assert.strictEqual(yield* ask("get", folder, "other"), null)
    }),
  )

  it.effect("is refused to a second process, which is told what to do", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const { child, line } = yield* start(["hold", folder])
      assert.strictEqual(yield* line, "open")
      const refused = yield* Effect.flip(StoreLmdb.make(folder))
      assert.strictEqual(refused.reason, "in use")
      assert.include(refused.message, folder)
      assert.include(refused.message, "stop that node, or start this one with another --data folder")
      yield* Effect.promise(() => ended(child, "SIGTERM"))
      assert.strictEqual(yield* ask("get", folder, "key"), null)
    }),
  )

  it.effect("is refused by its other spellings too", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const { line } = yield* start(["hold", folder])
      yield* line
      const link = `${folder}-link`
      fs.symlinkSync(folder, link)
      for (const spelling of [link, `${folder}/.`, path.relative(process.cwd(), folder)])
        assert.strictEqual((yield* Effect.flip(StoreLmdb.make(spelling))).reason, "in use")
      fs.rmSync(link)
    }),
  )

  it.effect("is not blocked by a process that was killed", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const { child, line } = yield* start(["hold", folder])
      yield* line
      yield* Effect.promise(() => ended(child, "SIGKILL"))
      assert.strictEqual(yield* ask("get", folder, "key"), null)
    }),
  )

  it.effect("refuses a folder that a newer version wrote", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const scope = yield* Scope.make()
      const store = yield* StoreLmdb.make(folder).pipe(Scope.provide(scope))
      const newer = Bytes.u32(StoreLmdb.formatVersion + 1)
      yield* store.commit([{ key: Bytes.fromText("!format"), value: newer }])
      yield* Scope.close(scope, Exit.void)
      const refused = yield* ask("get", folder, "key")
      assert.deepInclude(refused as object, { unavailable: "newer version" })
      assert.match(JSON.stringify(refused), /format 2, this one knows 1.*update heddle/)
    }),
  )

  it.effect("says why a folder can't be one", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      fs.writeFileSync(path.join(folder, "file"), "")
      const refused = yield* Effect.flip(StoreLmdb.make(path.join(folder, "file")))
      assert.strictEqual(refused.reason, "io")
      assert.include(refused.message, "EEXIST")
    }),
  )

  it.effect("keeps its folder from others", () =>
    Effect.gen(function* () {
      const folder = path.join(yield* Folder.make, "data")
      yield* StoreLmdb.make(folder)
      assert.strictEqual(fs.statSync(folder).mode & 0o777, 0o700)
    }),
  )

  it.effect("shares one flush among commits that are asked for together, and counts it once", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const store = yield* StoreLmdb.make(folder)
      yield* store.commit([put("first", "")])
      const [flushes, before] = [store.commits(), transactions(folder)]
      const commit = (n: number) => store.commit([put(`k${n}`, `${n}`)])
      yield* Effect.forEach(Array.from({ length: 300 }).keys(), commit, { concurrency: "unbounded" })
      const together = store.commits() - flushes
      assert.strictEqual(together, 1)
      assert.strictEqual(transactions(folder) - before, together)
      for (let n = 0; n < 5; n++) yield* commit(n)
      assert.strictEqual(store.commits() - flushes - together, 5)
      assert.strictEqual(transactions(folder) - before, together + 5)
    }),
  )

  it.effect("lets commits share a flush up to a limit of bytes, and one that is larger go alone", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const store = yield* StoreLmdb.make(folder)
      const bytes = new Uint8Array(Limit.flushBytesMax + 1)
      const flushes = (...sizes: ReadonlyArray<number>) =>
        Effect.gen(function* () {
          const before = store.commits()
          yield* Effect.forEach(
            sizes,
            (size, n) => store.commit([{ key: Uint8Array.of(1, n), value: bytes.subarray(2, size) }]),
            { concurrency: "unbounded" },
          )
          return store.commits() - before
        })
      const half = Limit.flushBytesMax / 2
      assert.strictEqual(yield* flushes(half, half), 1)
      assert.strictEqual(yield* flushes(half, half + 1, 10), 2)
      assert.strictEqual(yield* flushes(10, Limit.flushBytesMax + 1, 10), 3)
    }),
  )

  it.effect("finishes what was asked for before it closes, and refuses what comes after", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const scope = yield* Scope.make()
      const store = yield* StoreLmdb.make(folder).pipe(Scope.provide(scope))
      const ask20 = (wave: string) =>
        Effect.runPromise(
          Effect.forEach(
            Array.from({ length: 20 }).keys(),
            (n) => store.commit([put(`${wave}${n}`, "there")]),
            {
              concurrency: "unbounded",
            },
          ),
        )
      const first = ask20("a")
      yield* Effect.promise(() => setImmediate()) // the flush of the first has begun
      const second = ask20("b")
      yield* Scope.close(scope, Exit.void)
      for (const asked of [first, second]) assert.strictEqual((yield* Effect.promise(() => asked)).length, 20)
      const refused = yield* Effect.flip(store.commit([put("late", "")]))
      assert.strictEqual(refused.reason, "closed")
      assert.strictEqual(yield* ask("get", folder, "b19"), "there")
    }),
  )

  it.effect("loses no acknowledged commit and tears none when it is killed, twelve times", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      let acknowledged = -1
      let seed = 1
      for (let kill = 0; kill <= 12; kill++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { child, line } = yield* start(["count", folder])
            const { there, torn } = (yield* line) as { readonly there: number; readonly torn: number }
            assert.strictEqual(torn, -1, `after kill ${kill} with seed ${seed}`)
            assert.isTrue(Number.isInteger(there), `${there} batches`)
            assert.isAbove(there, acknowledged)
            seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
            for (let left = 1 + (seed % 60); left > 0; left--) {
              const said = (yield* line) as { readonly acknowledged: number }
              acknowledged = Math.max(acknowledged, said.acknowledged)
            }
            yield* Effect.promise(() => ended(child, "SIGKILL"))
            for (let rest = yield* line; rest !== undefined; rest = yield* line)
              acknowledged = Math.max(acknowledged, (rest as { readonly acknowledged: number }).acknowledged)
          }),
        )
      }
      assert.isAbove(acknowledged, 100)
    }),
  )
})

interface Filled {
  readonly committed: number
  readonly lost: ReadonlyArray<number>
  readonly reason: string
  readonly message: string
  readonly half: ReadonlyArray<boolean | null>
  readonly again: string
}

const checkFull = ({ committed, lost, reason, message, half, again }: Filled): void => {
  assert.isAbove(committed, 10)
  assert.deepStrictEqual(lost, [])
  assert.strictEqual(reason, "full")
  assert.match(message, /disk of the data folder is full .*; free some space/)
  assert.deepStrictEqual(half, [null, null])
  assert.strictEqual(again, "Failure")
}

const run = (command: string, ...args: ReadonlyArray<string>): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0

/** A disk of its own size, where this machine lets us have one. */
const disk = Effect.acquireRelease(
  Effect.flatMap(Folder.make, (folder) =>
    run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder)
      ? Effect.succeed(folder)
      : Effect.die("no mount"),
  ),
  (folder) => Effect.sync(() => void run("umount", folder)),
)

const canMount = linux && Exit.isSuccess(Effect.runSyncExit(Effect.scoped(disk)))

/** Takes all that is left of a disk but `spare` bytes. */
const ballast = (folder: string, spare: number): string => {
  const { bavail, bsize } = fs.statfsSync(folder)
  const file = path.join(folder, "ballast")
  fs.writeFileSync(file, new Uint8Array(Math.max(bavail * bsize - spare, 0)))
  return file
}

describe.skipIf(!canMount)("StoreLmdb on a full disk", () => {
  it.effect("refuses commits as `full`, loses nothing, and works again once there is space", () =>
    Effect.gen(function* () {
      const folder = yield* disk
      const file = ballast(folder, 2 * 1024 * 1024)
      const { child, line } = yield* start(["fill", folder])
      checkFull((yield* line) as Filled)
      fs.rmSync(file)
      child.stdin.write("\n")
      assert.deepStrictEqual(yield* line, { after: "Success", whole: [true, true] })
      yield* Effect.promise(() => ended(child))
      assert.strictEqual(child.exitCode, 0)
    }),
  )

  it.effect("says so where it can't be made, whatever is left of the disk", () =>
    Effect.gen(function* () {
      const folder = yield* disk
      let told = 0
      for (const spare of [0, 4, 8, 12, 16, 32]) {
        const file = ballast(folder, spare * 1024)
        const refused = yield* ask("get", path.join(folder, `data${spare}`), "key")
        assert.deepInclude(refused as object, { unavailable: "io" }, `${spare} KiB left`)
        assert.include(JSON.stringify(refused), "free some space")
        fs.rmSync(file)
        told += 1
      }
      assert.strictEqual(told, 6)
    }),
  )

  it.effect("opens what is there and reads it", () =>
    Effect.gen(function* () {
      const folder = yield* disk
      yield* ask("put", path.join(folder, "data"), "key", "value")
      ballast(folder, 0)
      assert.strictEqual(yield* ask("get", path.join(folder, "data"), "key"), "value")
    }),
  )
})

describe.skipIf(!linux)("StoreLmdb at the limit of a file's size", () => {
  it.effect("refuses commits as `full` and loses nothing", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const limited = ["sh", "-c", 'ulimit -f 2000; exec "$@"', "sh"]
      const filled = (yield* Effect.scoped(
        Effect.flatMap(start(["fill", folder], limited), ({ line }) => line),
      )) as Filled
      checkFull(filled)
      const last = `a${String(filled.committed - 1).padStart(6, "0")}`
      assert.strictEqual(((yield* ask("get", folder, last)) as string | null)?.length, 20_000)
    }),
  )
})

/**
 * Restores a node from its archive as `heddle restore` does, in a process of its own, and prints what that took.
 *
 *     node RestoreRun.ts <archive> <node's old data folder> <new data folder>
 *
 * Snapshots are not found in the archive: every turn is run again.
 */
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as SandboxWorkers from "../../compute-unit/SandboxWorkers.ts"
import * as SignaturePool from "../../identity/SignaturePool.ts"
import { Signer } from "../../identity/Signer.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import * as VerifierPool from "../../identity/VerifierPool.ts"
import * as NodeKey from "../../node/NodeKey.ts"
import * as Restore from "../../node/Restore.ts"
import { Archive } from "../../runtime/Archive.ts"
import * as ArchiveFolder from "../../runtime/ArchiveFolder.ts"
import * as StoreLmdb from "../../runtime/StoreLmdb.ts"
import * as Meter from "./Meter.ts"

export interface Spent {
  readonly wallMs: number
  /** Of all threads. */
  readonly cpuMs: number
}

export interface Restored {
  readonly slots: number
  readonly all: Spent
  readonly phases: Readonly<Partial<Record<Restore.Progress["phase"], Spent>>>
  /** Bytes that the process had at most, those of the store's file left out where the system tells them apart. */
  readonly memoryMax: number
}

const memory = (): number => {
  const [, kib] =
    process.platform === "linux"
      ? (/^RssAnon:\s+(\d+) kB/m.exec(fs.readFileSync("/proc/self/status", "utf8")) ?? [])
      : []
  return kib === undefined ? process.memoryUsage.rss() : Number(kib) * 1_024
}

const now = (): Spent => ({ wallMs: performance.now(), cpuMs: Meter.cpuMsOfAll() })
const since = (from: Spent): Spent => {
  const { wallMs, cpuMs } = now()
  return { wallMs: wallMs - from.wallMs, cpuMs: cpuMs - from.cpuMs }
}

const [from = "", before = "", into = ""] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const folder = yield* ArchiveFolder.make(from)
  const archive = Archive.of({
    ...folder,
    find: (query) =>
      Stream.filter(
        folder.find(query),
        ({ tags }) => !tags.some(({ name, value }) => name === "Type" && value === "Snapshot"),
      ),
  })
  const identity = (yield* NodeKey.find(before))!
  const services = Layer.mergeAll(
    StoreLmdb.layer(into),
    Layer.succeed(Archive, archive),
    SandboxWorkers.layer(1),
    VerifierPool.layer.pipe(Layer.provide(SignaturePool.layer({ size: 1 }))),
  )
  const begun = now()
  const phases: Partial<Record<Restore.Progress["phase"], Spent>> = {}
  let [phase, phaseBegun] = ["looking" as Restore.Progress["phase"], begun] as const
  let memoryMax = 0
  const watch = setInterval(() => (memoryMax = Math.max(memoryMax, memory())), 20)
  const end = (next: Restore.Progress["phase"]) => {
    phases[phase] = since(phaseBegun)
    ;[phase, phaseBegun] = [next, now()]
  }
  const { processes, problems, missing } = yield* Restore.run({
    scheduler: identity.address,
    processes: [],
    full: false,
    signer: Signer.of(SignerLocal.make(identity)),
    residentBytesMax: 256 * 1024 * 1024,
    onProgress: (progress) => {
      if (progress.phase !== phase) end(progress.phase)
    },
  }).pipe(Effect.scoped, Effect.provide(services))
  end("running")
  clearInterval(watch)
  memoryMax = Math.max(memoryMax, memory())
  const wrong = processes.find(({ equal, detail }) => equal !== true || detail !== undefined)
  if (wrong !== undefined || problems.length > 0 || missing.length > 0)
    throw new Error(JSON.stringify({ wrong, problems, missing }))
  const slots = processes.reduce((sum, one) => sum + one.computed, 0)
  return { slots, all: since(begun), phases, memoryMax } satisfies Restored
})

process.stdout.write(JSON.stringify(await Effect.runPromise(program)))

/**
 * Waking a process that was evicted, against putting its pages back and nothing else.
 *
 *     query of one that sleeps: read snapshot -> decompress -> pages -> state root -> run
 *     query of one that is open:                                                      run
 *
 * The wake is what the first takes longer than the second. The unit is a real one, over a store on disk and a sandbox
 * in a thread; it has room for a third of the processes, so that the one asked next was always evicted.
 */
import zlib from "node:zlib"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Query } from "../../../compute-unit/ComputeUnit.ts"
import * as Snapshot from "../../../compute-unit/Snapshot.ts"
import * as Bytes from "../../../runtime/Bytes.ts"
import type * as Id from "../../../runtime/Id.ts"
import * as StoreLmdb from "../../../runtime/StoreLmdb.ts"
import * as Caller from "../../support/Caller.ts"
import * as SandboxProbe from "../../support/SandboxProbe.ts"
import * as SmallNode from "../../support/SmallNode.ts"
import { against, type Figure, ms } from "../Figure.ts"
import * as Meter from "../Meter.ts"
import * as Threads from "../Threads.ts"

/** What a wake may take over putting the pages back, in ms. */
const overMsMax = 2

const processes = 12
const residentBytesMax = 4 * 1024 * 1024

/** Some kilobytes of its own on each of about two hundred pages. */
const source = `const kept = []
  heddle.on("Keep", () => { for (let i = 0; i < 200; i++) kept.push(String(i).padEnd(4000, "x")) })
  heddle.on("Size", () => kept.length)`

const size: Query = { action: "Size", tags: [], data: Bytes.empty, from: "" }

/** Opens a store on disk; gives it, and what closes it. */
const opened = async (folder: string) => {
  const scope = Effect.runSync(Scope.make())
  const store = await Effect.runPromise(Scope.provide(StoreLmdb.make(folder), scope))
  return { store, [Symbol.asyncDispose]: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

export const figure: Figure = async ({ folder, quick, progress }) => {
  const rounds = quick ? 24 : 360
  const caller = Caller.caller("benchmark wake")
  await using disk = await opened(folder)
  await using threads = await Threads.start(1)
  const probe = SandboxProbe.make(threads.sandbox)
  const { node, stop } = await Effect.runPromise(
    SmallNode.open({ store: disk.store, sandbox: probe.sandbox }, residentBytesMax),
  )
  progress(`making ${processes} processes`)
  const all: Array<Id.ProcessId> = []
  for (let i = 0; i < processes; i++) {
    const process = await Effect.runPromise(SmallNode.spawn(node, caller, source, { Name: `sleeper ${i}` }))
    await Effect.runPromise(SmallNode.ask(node, caller, process, "Keep"))
    all.push(process)
  }
  const asked = (process: Id.ProcessId) =>
    Meter.timed(async () => {
      const { result } = await Effect.runPromise(node.compute.query(process, size))
      if (!("value" in result) || result.value !== "200") throw new Error(JSON.stringify(result))
    })
  for (const process of all) await asked(process)

  const [first] = all as [Id.ProcessId, ...Array<Id.ProcessId>] // there are twelve
  const [snapshot] = await Effect.runPromise(node.compute.snapshots(first))
  const bytes = (await Effect.runPromise(node.compute.snapshot(first, snapshot!.slot)))!
  const { pages } = Result.getOrThrow(Snapshot.decode(bytes)).memory!
  const putBack = () => {
    const all = zlib.zstdDecompressSync(bytes)
    const memory = Buffer.alloc(pages.length * 4_096)
    for (const [at, [, page]] of pages.entries()) memory.set(page, at * 4_096)
    return all.length + memory.length
  }

  progress(`${rounds} wakes`)
  const [asleep, awake, back]: [Array<number>, Array<number>, Array<number>] = [[], [], []]
  const before = probe.count("restore")
  for (let i = 0; i < rounds; i++) {
    const process = all[i % processes]!
    asleep.push(await asked(process))
    awake.push(await asked(process))
    back.push(await Meter.timed(putBack))
  }
  const restored = probe.count("restore") - before
  if (restored !== rounds) throw new Error(`${restored} of ${rounds} were restored: the others never slept`)
  await Effect.runPromise(stop)

  const bare = Math.min(...back)
  const wake = Meter.median(asleep) - Meter.median(awake)
  const best = Math.min(...asleep) - Math.min(...awake)
  return {
    _tag: "Measured",
    rows: [
      against(
        `wake of a process of ${pages.length} pages`,
        ms(wake),
        `restoring its pages, and ${overMsMax} ms`,
        bare + overMsMax,
        1,
      ),
    ],
    reckoning: [
      `a query of a process that sleeps takes ${Meter.median(asleep).toFixed(2)} ms, of one that is open ${Meter.median(awake).toFixed(2)}: its wake ${wake.toFixed(2)}, at best ${best.toFixed(2)}; putting its pages back takes ${bare.toFixed(2)} of it`,
      `the rest: its log's end and its snapshot out of the store, SHA-256 of ${(bytes.length / 1_024).toFixed(0)} KiB, its state root from every page, two ways between threads`,
    ],
  }
}

/**
 * Sandbox in worker threads. A process lives in one thread; a guest that burns its whole fuel holds up the others of
 * its thread and never the node. A thread that dies is replaced, and what it held is `SandboxLost`: the log has it all.
 *
 * Threads have a stack of 16 MB, because a guest's depth limit is counted in words of it and must be reached before
 * the stack ends (spec 04 §2).
 */
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Id from "../runtime/Id.ts"
import * as Engine from "./Engine.ts"
import { Sandbox } from "./Sandbox.ts"
import * as SandboxThread from "./SandboxThread.ts"

const entry = new URL(
  import.meta.url.endsWith(".ts") ? "./SandboxWorker.ts" : "./SandboxWorker.js",
  import.meta.url,
)

/** One thread and who waits for it. */
interface Thread {
  readonly ask: (request: SandboxThread.Request, done: (reply: SandboxThread.Reply) => void) => void
  readonly stop: () => Promise<unknown>
}

const start = (): Thread => {
  const waiting = new Map<number, (reply: SandboxThread.Reply) => void>()
  let worker: Worker | undefined
  let stopped = false
  let last = 0

  const fail = (detail: string) => {
    worker = undefined
    const left = [...waiting.values()]
    waiting.clear()
    // A thread goes through its requests in order: it was at the first of them.
    for (const [i, done] of left.entries()) done({ kind: "lost", detail, own: i === 0 })
  }
  const boot = (): Worker => {
    const made = new Worker(entry, { workerData: Engine.load(), resourceLimits: { stackSizeMb: 16 } })
    made.on("message", ({ number, body }: SandboxThread.Numbered<SandboxThread.Reply>) => {
      const done = waiting.get(number)
      waiting.delete(number)
      done?.(body)
    })
    made.on(
      "error",
      (error) => made === worker && fail(error instanceof Error ? error.message : String(error)),
    )
    made.on("exit", (code) => made === worker && fail(`its thread ended with code ${code}`))
    return made
  }
  return {
    ask: (body, done) => {
      if (stopped) {
        done({ kind: "lost", detail: "the node is stopping", own: false })
        return
      }
      worker ??= boot()
      waiting.set(++last, done)
      worker.postMessage({ number: last, body } satisfies SandboxThread.Numbered<SandboxThread.Request>)
    },
    stop: () => {
      stopped = true
      const running = worker
      fail("the node is stopping")
      return running === undefined ? Promise.resolve() : running.terminate()
    },
  }
}

/** A sandbox over `size` threads, which end with the scope. */
export const make = Effect.fnUntraced(function* (size: number) {
  const threads = yield* Effect.acquireRelease(
    Effect.sync(() => Array.from({ length: Math.max(1, size) }, start)),
    (started) => Effect.promise(() => Promise.all(started.map((thread) => thread.stop()))),
  )
  const threadOf = (process: Id.ProcessId | undefined): Thread =>
    threads[process === undefined ? 0 : Id.toBytes(process)[0]! % threads.length]!
  return SandboxThread.sandboxOver(Engine.load().id, (process, request) =>
    Effect.callback((resume) => threadOf(process).ask(request, (reply) => resume(Effect.succeed(reply)))),
  )
})

export const layer = (size: number) => Layer.effect(Sandbox, make(size))

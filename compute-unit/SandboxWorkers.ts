/**
 * Sandbox in worker threads. A process lives in one thread; a guest that burns its whole fuel holds up the others of
 * its thread and never the node. A thread that dies is replaced, and what it held is `SandboxLost`: the log has it all.
 *
 * Threads have a stack of 16 MB, because a guest's depth limit is counted in words of it and must be reached before
 * the stack ends (spec 04 §2).
 */
import v8 from "node:v8"
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Engine from "./Engine.ts"
import * as Frame from "./Frame.ts"
import { Sandbox } from "./Sandbox.ts"
import * as SandboxThread from "./SandboxThread.ts"
import type { Start } from "./SandboxWorker.ts"

// Threads share the code through which WASM calls JavaScript, and V8 13.6 (Node 24) may free a piece of it twice where one
// thread collects it while another takes it up again: the process ends (nodejs/node#66366). Without this collector, code
// goes with its module, and of the shared pieces there is one for each signature. Before any thread starts.
v8.setFlagsFromString("--no-wasm-code-gc")

/** Looks at a thread that may hang, in the time after which it does. */
const looksPerHang = 100

const entry = new URL(
  import.meta.url.endsWith(".ts") ? "./SandboxWorker.ts" : "./SandboxWorker.js",
  import.meta.url,
)

/** One thread and who waits for it. */
interface Thread {
  readonly ask: (request: SandboxThread.Request, done: (reply: SandboxThread.Reply) => void) => void
  readonly stop: () => Promise<unknown>
}

/** A thread of this engine. `engines` are the others that it is given when it starts again. */
const start = (
  engine: Engine.ScriptEngine,
  engines: ReadonlyArray<SandboxThread.Request>,
  { hangMs, script }: Options,
): Thread => {
  const waiting = new Map<number, (reply: SandboxThread.Reply) => void>()
  /** Asked for in this round of the event loop: they cross together. */
  let frame: Array<SandboxThread.Numbered<SandboxThread.Request>> = []
  let worker: Worker | undefined
  let watch: NodeJS.Timeout | undefined
  let stopped = false
  let last = 0

  const fail = (detail: string) => {
    worker = undefined
    clearInterval(watch)
    frame = []
    const left = [...waiting.values()]
    waiting.clear()
    // A thread goes through its requests in order: it was at the first of them.
    for (const [i, done] of left.entries()) done({ kind: "lost", detail, own: i === 0 })
  }

  /** Ends a thread that is busy and has come no further for as long as no turn can take. */
  const watchOver = (running: Worker, turns: Int32Array) => {
    let seen = -1
    let looks = 0
    watch = setInterval(() => {
      const now = Atomics.load(turns, 0)
      looks = now === seen && waiting.size > 0 ? looks + 1 : 0
      seen = now
      if (looks < looksPerHang) return
      fail(`its thread has come no further for ${hangMs} ms`)
      void running.terminate()
    }, hangMs / looksPerHang)
    watch.unref()
  }

  const boot = (): Worker => {
    const turns = new Int32Array(new SharedArrayBuffer(4))
    const workerData: Start = { engine, turns }
    const made = new Worker(script, { workerData, resourceLimits: { stackSizeMb: 16 } })
    watchOver(made, turns)
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
    post(
      made,
      engines.map((body) => ({ number: 0, body })),
    )
    return made
  }

  const flush = () => {
    const full = frame
    frame = []
    if (full.length > 0 && !stopped) post((worker ??= boot()), full)
  }

  return {
    ask: (body, done) => {
      if (stopped) {
        done({ kind: "lost", detail: "the node is stopping", own: false })
        return
      }
      waiting.set(++last, done)
      if (frame.push({ number: last, body }) === 1) setImmediate(flush)
    },
    stop: () => {
      stopped = true
      const running = worker
      fail("the node is stopping")
      return running === undefined ? Promise.resolve() : running.terminate()
    },
  }
}

const post = (worker: Worker, requests: ReadonlyArray<SandboxThread.Numbered<SandboxThread.Request>>) => {
  if (requests.length === 0) return
  const { value, buffer } = Frame.pack(requests)
  worker.postMessage(value, [buffer])
}

export interface Options {
  /** ms after which a thread that is busy and has done no turn is replaced. */
  readonly hangMs: number
  /** What a thread runs. */
  readonly script: URL
}

/** A sandbox over `size` threads, which end with the scope. */
export const make = Effect.fnUntraced(function* (size: number, options: Partial<Options> = {}) {
  const engine = Engine.load()
  const engines: Array<SandboxThread.Request> = []
  const threads = yield* Effect.acquireRelease(
    Effect.sync(() =>
      Array.from({ length: Math.max(1, size) }, () =>
        start(engine, engines, { hangMs: Limit.turnMsMax, script: entry, ...options }),
      ),
    ),
    (started) => Effect.promise(() => Promise.all(started.map((thread) => thread.stop()))),
  )
  const threadOf = (process: Id.ProcessId | undefined): Thread =>
    threads[process === undefined ? 0 : Id.toBytes(process)[0]! % threads.length]!
  const ask = (thread: Thread, request: SandboxThread.Request) =>
    Effect.callback<SandboxThread.Reply>((resume) =>
      thread.ask(request, (reply) => resume(Effect.succeed(reply))),
    )
  return SandboxThread.sandboxOver(engine, {
    ask: (process, request) => ask(threadOf(process), request),
    askAll: (request) =>
      Effect.tap(
        Effect.forEach(threads, (thread) => ask(thread, request), { concurrency: "unbounded" }),
        (replies) =>
          Effect.sync(() => {
            if (replies.every(({ kind }) => kind === "done")) engines.push(request)
          }),
      ),
  })
})

export const layer = (size: number) => Layer.effect(Sandbox, make(size))

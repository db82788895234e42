/**
 * Signature pool: worker threads that make and check signatures, shared by the signers and verifiers of a
 * node, so that the event loop never waits for one.
 *
 *     submit -> waiting (bounded) -> frame of a few requests -> worker -> frame of answers -> submitter
 *
 * Requests that arrive in one turn of the event loop cross together. A worker holds two short frames at most:
 * one at work, one at hand; what is urgent (a signature that a whole batch waits for) is never far behind. A
 * worker that dies is replaced when there is work again, and its requests are tried once more, each alone, so
 * that one which kills its worker fails by itself.
 */
import os from "node:os"
import { Worker } from "node:worker_threads"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Limit from "../runtime/Limit.ts"
import type * as SignatureType from "../runtime/SignatureType.ts"
import * as SignatureFrame from "./SignatureFrame.ts"

/** No worker answered. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{
  readonly reason: "queue full" | "worker died" | "stopped"
}> {}

export interface Options {
  /** Threads; one less than the cores where not given. */
  readonly size?: number | undefined
  /** Requests that may wait. */
  readonly waitingMax?: number | undefined
  /** Entry of the workers; only tests put another one. */
  readonly entry?: URL | undefined
}

export class SignaturePool extends Context.Service<
  SignaturePool,
  {
    /** Asks a worker. Interrupted before its turn, a request is not sent. */
    readonly ask: (
      request: SignatureFrame.Request,
      priority?: "urgent" | "normal",
    ) => Effect.Effect<Uint8Array, NoAnswer>
    /** Gives a secret key to every worker, present and future; its number is what `sign` requests name. */
    readonly addKey: (type: SignatureType.SignatureType, seed: Uint8Array) => number
    readonly waitingMax: number
  }
>()("heddle/SignaturePool") {}

interface Pending {
  readonly request: SignatureFrame.Request
  readonly done: (answer: Uint8Array | NoAnswer["reason"]) => void
  /** A worker died over it. */
  retried: boolean
}

interface Thread {
  readonly worker: Worker
  /** Frames sent and not answered, oldest first: the worker is at the first of them. */
  readonly frames: Array<ReadonlyArray<Pending>>
  /** Whether it ever came up. */
  ready: boolean
}

const entryDefault = new URL(
  import.meta.url.endsWith(".ts") ? "./SignatureWorker.ts" : "./SignatureWorker.js",
  import.meta.url,
)

class Pool {
  readonly waitingMax: number
  readonly #size: number
  readonly #entry: URL
  readonly #threads = new Set<Thread>()
  readonly #keys: Array<SignatureFrame.Request> = []
  /** What waits, in order: to be tried again, urgent, normal. */
  readonly #queues = { again: new Set<Pending>(), urgent: new Set<Pending>(), normal: new Set<Pending>() }
  #flushing = false
  #stopped = false

  constructor({ size, waitingMax, entry }: Options) {
    this.#size = size ?? Math.max(1, os.availableParallelism() - 1)
    this.waitingMax = waitingMax ?? Limit.cryptoQueueMax
    this.#entry = entry ?? entryDefault
    this.#start()
  }

  submit(pending: Pending, priority: "urgent" | "normal"): void {
    const { urgent, normal } = this.#queues
    if (this.#stopped) return pending.done("stopped")
    if (urgent.size + normal.size >= this.waitingMax) return pending.done("queue full")
    this.#queues[priority].add(pending)
    this.#flushSoon()
  }

  /** Gives up a request that is not sent yet. */
  withdraw(pending: Pending): void {
    for (const queue of Object.values(this.#queues)) queue.delete(pending)
  }

  addKey(type: SignatureType.SignatureType, seed: Uint8Array): number {
    const request = { kind: "key", key: this.#keys.length, type, seed } as const
    this.#keys.push(request)
    for (const thread of this.#threads) this.#sendKey(thread, request)
    return request.key
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const threads = [...this.#threads]
    this.#threads.clear()
    for (const pending of threads.flatMap(({ frames }) => frames.splice(0).flat())) pending.done("stopped")
    this.#failWaiting("stopped")
    await Promise.all(threads.map((thread) => thread.worker.terminate()))
  }

  #failWaiting(reason: NoAnswer["reason"]): void {
    for (const queue of Object.values(this.#queues)) {
      const waiting = [...queue]
      queue.clear()
      for (const pending of waiting) pending.done(reason)
    }
  }

  /** `setImmediate`: after all that this turn of the event loop brought in. */
  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  #flush(): void {
    const queues = Object.values(this.#queues)
    while (!this.#stopped && queues.some((queue) => queue.size > 0)) {
      while (this.#threads.size < this.#size) this.#start()
      const [idlest] = [...this.#threads].toSorted((a, b) => a.frames.length - b.frames.length)
      if (idlest === undefined || idlest.frames.length >= Limit.cryptoFramesInFlightMax) return
      this.#send(idlest, this.#take())
    }
  }

  /** The next frame: its share of the first queue in which something waits, bounded in number and bytes. */
  #take(): ReadonlyArray<Pending> {
    const { again, urgent, normal } = this.#queues
    const queue = [again, urgent].find((first) => first.size > 0) ?? normal
    const share =
      queue === again ? 1 : Math.min(Limit.cryptoFrameRequestsMax, Math.ceil(queue.size / this.#size))
    const frame: Array<Pending> = []
    let bytes = 0
    for (const pending of queue) {
      queue.delete(pending)
      frame.push(pending)
      if (pending.request.kind === "item") bytes += pending.request.bytes.length
      if (frame.length === share || bytes >= Limit.cryptoFrameBytesMax) break
    }
    return frame
  }

  #send(thread: Thread, pending: ReadonlyArray<Pending>): void {
    const frame = SignatureFrame.encode(pending.map(({ request }) => request))
    if (thread.frames.length === 0) thread.worker.ref() // who waits for an answer keeps the program alive
    thread.frames.push(pending)
    thread.worker.postMessage(frame, [frame.buffer])
  }

  #sendKey(thread: Thread, request: SignatureFrame.Request): void {
    this.#send(thread, [{ request, done: () => undefined, retried: true }])
  }

  #start(): void {
    const worker = new Worker(this.#entry, { name: "heddle-signatures" })
    const thread: Thread = { worker, frames: [], ready: false }
    this.#threads.add(thread)
    worker.unref()
    worker.on("message", (frame: Uint8Array) => this.#receive(thread, frame))
    worker.on("error", () => this.#died(thread))
    worker.on("exit", () => this.#died(thread))
    for (const request of this.#keys) this.#sendKey(thread, request)
  }

  #receive(thread: Thread, frame: Uint8Array): void {
    if (!thread.ready) {
      thread.ready = true // its first message says just that
      return
    }
    const pending = thread.frames.shift()
    if (pending === undefined) return // stopped meanwhile
    if (thread.frames.length === 0) thread.worker.unref()
    const answers = SignatureFrame.decodeAnswers(frame)
    for (const [index, { done }] of pending.entries()) done(answers[index]!)
    this.#flush()
  }

  #died(thread: Thread): void {
    if (!this.#threads.delete(thread)) return // stopped, or told twice
    const { again } = this.#queues
    const [current = [], ...untouched] = thread.frames
    for (const pending of current) {
      if (pending.retried) pending.done("worker died")
      else again.add(pending)
      pending.retried = true
    }
    for (const pending of untouched.flat()) if (pending.request.kind !== "key") again.add(pending)
    // A worker that never came up is no accident of one request: the next would not come up either.
    if (!thread.ready) this.#failWaiting("worker died")
    this.#flushSoon()
  }
}

export const make = (options: Options = {}): Effect.Effect<SignaturePool["Service"], never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new Pool(options)),
      (pool) => Effect.promise(() => pool.stop()),
    ),
    (pool) => ({
      ask: (request, priority = "normal") =>
        Effect.callback<Uint8Array, NoAnswer>((resume) => {
          const done: Pending["done"] = (answer) =>
            resume(
              typeof answer === "string"
                ? Effect.fail(new NoAnswer({ reason: answer }))
                : Effect.succeed(answer),
            )
          const pending: Pending = { request, done, retried: false }
          pool.submit(pending, priority)
          return Effect.sync(() => pool.withdraw(pending))
        }),
      addKey: (type, seed) => pool.addKey(type, seed),
      waitingMax: pool.waitingMax,
    }),
  )

/** A pool that ends with the layer's scope. */
export const layer = (options: Options = {}): Layer.Layer<SignaturePool> =>
  Layer.effect(SignaturePool, make(options))

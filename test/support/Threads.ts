/** The worker threads that this process starts, so that a test can kill one. */
import type { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"

/** Threads started from now on, in order, while the scope lives. */
export const started = Effect.acquireRelease(
  Effect.sync(() => {
    const workers: Array<Worker> = []
    const note = (worker: Worker) => void workers.push(worker)
    process.on("worker", note)
    return { workers, note }
  }),
  ({ note }) => Effect.sync(() => process.off("worker", note)),
).pipe(Effect.map(({ workers }): ReadonlyArray<Worker> => workers))

/** Ends the newest thread, as a fault of the machine would. */
export const kill = (workers: ReadonlyArray<Worker>) => Effect.promise(() => workers.at(-1)!.terminate())

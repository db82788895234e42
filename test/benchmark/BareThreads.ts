/** BareThreads: threads of bare engines, what the machine makes of threads without heddle. */
import { once } from "node:events"
import { Worker } from "node:worker_threads"
import type { Reply, Request } from "./BareThread.ts"

export interface BareThreads extends AsyncDisposable {
  /** Lets one be busy for `ms`, or make one call where that is 0; gives the calls that it made. */
  readonly call: (thread: number, ms: number) => Promise<number>
}

export const start = (size: number): BareThreads => {
  const threads = Array.from(
    { length: size },
    () => new Worker(new URL("./BareThread.ts", import.meta.url), { resourceLimits: { stackSizeMb: 16 } }),
  )
  return {
    call: async (thread, ms) => {
      threads[thread]!.postMessage(ms satisfies Request)
      const [count] = (await once(threads[thread]!, "message")) as [Reply] // all that it says
      return count
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(threads.map((thread) => thread.terminate()))
    },
  }
}

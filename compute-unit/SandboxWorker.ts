/** Entry of a sandbox thread: frames of requests in, frames of replies out, in order. */
import { parentPort, workerData } from "node:worker_threads"
import type { ScriptEngine } from "./Engine.ts"
import * as Engine from "./Engine.ts"
import * as Frame from "./Frame.ts"
import * as SandboxHost from "./SandboxHost.ts"
import type { Numbered, Reply, Request } from "./SandboxThread.ts"

/** What `SandboxWorkers` starts a thread with. */
export interface Start {
  readonly engine: ScriptEngine
  /** Counts turns: a thread that is busy and does not count on hangs. */
  readonly turns: Int32Array
}

const { engine, turns } = workerData as Start
Engine.adopt(engine)
const handle = SandboxHost.make(() => void Atomics.add(turns, 0, 1))

parentPort!.on("message", (requests: ReadonlyArray<Numbered<Request>>) => {
  for (const { number, body } of requests) {
    const reply: Numbered<Reply> = { number, body: handle(body) }
    Atomics.add(turns, 0, 1)
    const { value, buffer } = Frame.pack(reply)
    parentPort!.postMessage(value, [buffer])
  }
})

/** Entry of a sandbox thread: requests in, replies out, one at a time. */
import { parentPort, workerData } from "node:worker_threads"
import * as Engine from "./Engine.ts"
import * as SandboxHost from "./SandboxHost.ts"
import type { Numbered, Reply, Request } from "./SandboxThread.ts"

Engine.adopt(workerData as Engine.Engine) // what `SandboxWorkers` starts it with
const handle = SandboxHost.make()

parentPort!.on("message", ({ number, body }: Numbered<Request>) => {
  parentPort!.postMessage({ number, body: handle(body) } satisfies Numbered<Reply>)
})

/** A thread that calls the bare engine and does nothing else: once, or for as long as it is told. */
import { parentPort } from "node:worker_threads"
import * as BareEngine from "./BareEngine.ts"

/** ms that it is to be busy for; 0 is one call. */
export type Request = number
/** Calls that it made. */
export type Reply = number

const call = BareEngine.caller("published")

parentPort!.on("message", (ms: Request) => {
  const until = performance.now() + ms
  let count: Reply = 0
  do {
    call()
    count++
  } while (performance.now() < until)
  parentPort!.postMessage(count)
})

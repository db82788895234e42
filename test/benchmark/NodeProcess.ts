/** NodeProcess: a node that serves HTTP in a process of its own, as callers find it: they share no event loop with it. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Memory, Reply, Request } from "./ServedNode.ts"

export interface NodeProcess extends AsyncDisposable {
  readonly url: string
  /** ms of CPU that all threads of the node have used so far. No load of other programs is in it. */
  readonly cpuMs: () => Promise<number>
  /** Memory in use, after garbage was collected. */
  readonly memory: () => Promise<Memory>
}

/**
 * Runs a node on a data folder until it is disposed of. With `profile` it leaves a CPU profile there. Its open
 * processes may take `memory` MiB.
 */
export const start = async (
  dataFolder: string,
  profile: string | undefined,
  memory?: number,
): Promise<NodeProcess> => {
  const args = [dataFolder, ...(memory === undefined ? [] : [String(memory)])]
  const child = fork(fileURLToPath(new URL("./ServedNode.ts", import.meta.url)), args, {
    execArgv: ["--expose-gc", ...(profile === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", profile])],
  })
  const told = async (): Promise<Reply> => {
    const stop = new AbortController()
    try {
      const ended = once(child, "exit", stop).then(([code]) => {
        throw new Error(`the node ended with code ${String(code)}`)
      })
      const [reply] = (await Promise.race([once(child, "message", stop), ended])) as [Reply] // all that it says
      return reply
    } finally {
      stop.abort()
    }
  }
  const ask = (request: Request): Promise<Reply> => {
    child.send(request)
    return told()
  }
  const { url } = await told()
  return {
    url,
    cpuMs: async () => (await ask("cpu")).cpuMs,
    memory: async () => (await ask("memory")).memory,
    [Symbol.asyncDispose]: async () => {
      child.send("stop" satisfies Request)
      await once(child, "exit")
    },
  }
}

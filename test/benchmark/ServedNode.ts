/** A node with its HTTP API on a free port, for its parent: tells where it listens, and how it is each time it is asked. */
import fs from "node:fs"
import { setTimeout } from "node:timers/promises"
import { start } from "../../node/index.ts"

export type Request = "cpu" | "memory" | "stop"

export interface Memory {
  /** Bytes of the process, with those of the store's file that it has looked at. */
  readonly resident: number
  /** Without them, where the system tells them apart. */
  readonly anonymous: number | undefined
}

export interface Reply {
  readonly url: string
  readonly cpuMs: number
  readonly memory: Memory
}

const anonymous = (): number | undefined => {
  if (process.platform !== "linux") return undefined
  const [, kib] = /^RssAnon:\s+(\d+) kB/m.exec(fs.readFileSync("/proc/self/status", "utf8")) ?? []
  return kib === undefined ? undefined : Number(kib) * 1_024
}

const [dataFolder = "", memory] = process.argv.slice(2)
const node = await start({ dataFolder, port: 0, memory: memory === undefined ? undefined : Number(memory) })

const tell = () => {
  const { user, system } = process.cpuUsage()
  const memory = { resident: process.memoryUsage.rss(), anonymous: anonymous() }
  process.send?.({ url: node.url!, cpuMs: (user + system) / 1_000, memory } satisfies Reply)
}

/** Freed memory goes back to the system a while after it was collected. */
const settle = async () => {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await setTimeout(200)
  }
}

const stop = async () => {
  await node.close()
  process.exit(0)
}

process.on("message", (request: Request) => {
  if (request === "cpu") tell()
  else if (request === "memory") void settle().then(tell)
  else void stop()
})
process.on("disconnect", () => process.exit(0))

tell()

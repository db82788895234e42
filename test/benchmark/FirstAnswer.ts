/**
 * Starts a node and asks a counter what it counts. Prints what it said, and how many ms after its own beginning it was
 * loaded, had started, and was answered.
 *
 *     node FirstAnswer.ts <folder> <process>
 */
import { start } from "../../node/index.ts"

export interface Answered {
  readonly value: unknown
  readonly loadedMs: number
  readonly startedMs: number
  readonly answeredMs: number
  /** Slots after the newest snapshot: turns that had to be run again. */
  readonly replayed: number
}

const [dataFolder = "", counter = ""] = process.argv.slice(2)
const loadedMs = performance.now()
await using node = await start({ dataFolder })
const startedMs = performance.now()
const { value, slot } = await node.query(counter, "Get")
const answeredMs = performance.now()
const newest = (await node.snapshots(counter)).findLast(({ kept }) => kept)
const replayed = slot - (newest?.slot ?? -1)
process.stdout.write(JSON.stringify({ value, loadedMs, startedMs, answeredMs, replayed } satisfies Answered))

/**
 * Starts a node and asks a counter what it counts. Prints what it said, and how long after its own beginning it was
 * loaded, had started, and was answered.
 *
 *     node FirstAnswer.ts <folder> <process>
 */
import { start } from "../../node/index.ts"

/** Since the process began. */
export interface Since {
  readonly wallMs: number
  /** Of all threads. */
  readonly cpuMs: number
}

export interface Answered {
  readonly value: unknown
  readonly loaded: Since
  readonly started: Since
  readonly answered: Since
  /** Slots after the newest snapshot: turns that had to be run again. */
  readonly replayed: number
}

const since = (): Since => {
  const { user, system } = process.cpuUsage()
  return { wallMs: performance.now(), cpuMs: (user + system) / 1_000 }
}

const [dataFolder = "", counter = ""] = process.argv.slice(2)
const loaded = since()
await using node = await start({ dataFolder })
const started = since()
const { value, slot } = await node.query(counter, "Get")
const answered = since()
const newest = (await node.snapshots(counter)).findLast(({ kept }) => kept)
const replayed = slot - (newest?.slot ?? -1)
process.stdout.write(JSON.stringify({ value, loaded, started, answered, replayed } satisfies Answered))

/**
 * Starts a node and asks a counter what it counts. Prints what it said and after how many ms.
 *
 *     node FirstAnswer.ts <folder> <process>
 */
import { start } from "../../node/index.ts"

export interface Answered {
  readonly value: unknown
  readonly ms: number
}

const [dataFolder = "", counter = ""] = process.argv.slice(2)
const from = performance.now()
await using node = await start({ dataFolder })
const { value } = await node.query(counter, "Get")
const answered: Answered = { value, ms: performance.now() - from }
process.stdout.write(JSON.stringify(answered))

/**
 * A node whose processes send to one another without end, and wait to be killed. Started again on the same folder it
 * first lets everything arrive that is under way and looks whether each message took effect once and in order; then it
 * goes on. Prints one line an event:
 *
 *     effects <number>              so many messages between processes took effect in all its lives
 *     ready                         each of them did once, in order
 *     ack <process> <slot> <id>     a message of the caller was acknowledged
 */
import fs from "node:fs"
import { setTimeout } from "node:timers/promises"
import type * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Node from "../../node/Node.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"

const [dataFolder = "", acknowledgedFile = ""] = process.argv.slice(2)
const pairs = 2
const outstanding = 4
const settleMsMax = 60_000

/** Of so many `Add`s one sets a timer. */
const addsPerTimer = 5

const guest = `
let other = null, sent = 0, received = 0, echoed = 0, fired = 0
const wrong = []
const next = (what, number, before) => { if (number !== before + 1) wrong.push(what + " " + number + " after " + before) }
heddle.on("Meet", (message) => { other = message.json() })
heddle.on("Add", () => {
  heddle.send(other, { action: "Forward", data: ++sent })
  if (sent % ${addsPerTimer} === 0) heddle.sleep(1).then(() => { fired++ })
  return sent
})
heddle.on("Forward", (message) => {
  next("forward", message.json(), received)
  received = message.json()
  heddle.send(message.from, { action: "Echo", data: received })
})
heddle.on("Echo", (message) => {
  next("echo", message.json(), echoed)
  echoed = message.json()
})
heddle.on("Get", () => ({ other, sent, received, echoed, fired, wrong }))
`

interface Counted {
  readonly other: Id.ProcessId
  readonly sent: number
  readonly received: number
  readonly echoed: number
  readonly fired: number
  readonly wrong: ReadonlyArray<string>
}

const caller = Caller.caller("killed pairs caller")
const runtime = ManagedRuntime.make(
  Node.layer({ dataFolder, identity: SmallNode.identity, sandboxWorkers: 1, cryptoWorkers: 1 }),
)
const messenger = await runtime.runPromise(MessengerUnit)
const run = <A, E>(effect: Effect.Effect<A, E>) => runtime.runPromise(effect)

const fail = (why: string): never => {
  process.stdout.write(`fault ${why}\n`)
  process.exit(1)
}

const counted = async (pid: Id.ProcessId): Promise<Counted> => {
  const { result } = await run(messenger.query(pid, { action: "Get", tags: [], data: Bytes.empty, from: "" }))
  return "value" in result ? (JSON.parse(result.value ?? "null") as Counted) : fail(result.error.message)
}

/** Whether all that `one` sends has arrived, and come back. */
const rests = (one: Counted, other: Counted): boolean =>
  one.sent === other.received && one.sent === one.echoed && one.fired === Math.floor(one.sent / addsPerTimer)

/** Looks until a process has nothing under way; gives how many messages it sent. */
const settled = async (pid: Id.ProcessId): Promise<number> => {
  const until = performance.now() + settleMsMax
  for (;;) {
    const one = await counted(pid)
    const other = await counted(one.other)
    const wrong = [...one.wrong, ...other.wrong]
    if (wrong.length > 0) fail(`between ${pid} and ${one.other}: ${wrong.join(", ")}`)
    if (rests(one, other)) return one.sent
    if (performance.now() > until)
      fail(`${pid} waits for what never comes: ${JSON.stringify({ one, other })}`)
    await setTimeout(10)
  }
}

const acknowledged = fs.readFileSync(acknowledgedFile, "utf8").split("\n").filter(Boolean)
const known = await run(messenger.processes)
for (const { process: pid, slots } of known) await run(messenger.turn(pid, slots - 1))
const pids = known.map((one) => one.process)
let effects = 0
for (const pid of pids) {
  const sent = await settled(pid)
  const least = acknowledged.filter((line) => line.startsWith(`${pid} `)).length
  if (sent < least) fail(`${pid} counted ${sent} of ${least} acknowledged messages`)
  effects += 2 * sent
}
process.stdout.write(`effects ${effects}\n`)

// Killed only after it was ready, a node has all of them or none.
for (let pair = pids.length / 2; pair < pairs; pair++) {
  const spawn = SmallNode.spawn({ messenger }, caller, guest)
  const [one, other] = [await run(spawn), await run(spawn)]
  await run(SmallNode.ask({ messenger }, caller, one, "Meet", {}, JSON.stringify(other)))
  await run(SmallNode.ask({ messenger }, caller, other, "Meet", {}, JSON.stringify(one)))
  pids.push(one, other)
}
process.stdout.write("ready\n")

let next = 0
const load = async (): Promise<never> => {
  for (;;) {
    const {
      process: pid,
      slot,
      id,
    } = await run(SmallNode.send({ messenger }, caller, pids[next++ % pids.length]!, "Add"))
    process.stdout.write(`ack ${pid} ${slot} ${id}\n`)
  }
}
await Promise.all(Array.from({ length: outstanding }, load))

/**
 * A node under load that waits to be killed, with room for less than half of its processes, so that it is always about
 * to evict one and to wake another. Started again on the same folder it first checks what it is told was acknowledged,
 * then goes on. Prints one line an event:
 *
 *     snapshots <number>            so many were written in all its lives
 *     ready                         the log is whole and the counters have counted it
 *     ack <process> <slot> <id>     a message was acknowledged
 */
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Result from "effect/Result"
import * as Bundle from "../../compute-unit/Bundle.ts"
import { ComputeUnit } from "../../compute-unit/ComputeUnit.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Node from "../../node/Node.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Caller from "../support/Caller.ts"

const [dataFolder = "", acknowledgedFile = ""] = process.argv.slice(2)
const processes = 12
const memory = 0.4
const outstanding = 8

const caller = Caller.caller("killed node caller")
const node = Caller.caller("killed node").identity
const runtime = ManagedRuntime.make(
  Node.layer({ dataFolder, identity: node, sandboxWorkers: 1, cryptoWorkers: 1, memory }),
)
const messenger = await runtime.runPromise(MessengerUnit)
const compute = await runtime.runPromise(ComputeUnit)
const run = <A, E>(effect: Effect.Effect<A, E>) => runtime.runPromise(effect)

const fail = (why: string): never => {
  process.stdout.write(`fault ${why}\n`)
  process.exit(1)
}

/** Every acknowledged message is in its slot. */
for (const line of fs.readFileSync(acknowledgedFile, "utf8").split("\n").filter(Boolean)) {
  const [pid, slot, id] = line.split(" ") as [Id.ProcessId, string, Id.Id]
  const [entry] = await run(messenger.log(pid, Number(slot), 1))
  if (entry === undefined) fail(`slot ${slot} of ${pid} is lost`)
  else if (Result.getOrThrow(Item.decode(entry.item)).id !== id)
    fail(`slot ${slot} of ${pid} holds another message`)
}

/** No gap, and every counter counted each of its messages once. */
const known = await run(messenger.processes)
for (const { process: pid, slots } of known) {
  const last = await run(messenger.turn(pid, slots - 1))
  if (last.outcome.slot !== slots - 1) fail(`slot ${slots - 1} of ${pid} has another's outcome`)
  for (let from = 0; from < slots; from += 1_000) {
    const entries = await run(messenger.log(pid, from, 1_000))
    entries.forEach(
      ({ assignment }, i) => assignment.slot === from + i || fail(`slot ${from + i} of ${pid} is missing`),
    )
  }
  const answer = await run(
    messenger.query(pid, { action: "Get", tags: [], data: new Uint8Array(0), from: "" }),
  )
  const counted = "value" in answer.result ? answer.result.value : answer.result.error.message
  if (counted !== String(slots - 1)) fail(`${pid} counted ${counted} of ${slots - 1}`)
}
const taken = await Promise.all(known.map((one) => run(compute.snapshots(one.process))))
process.stdout.write(`snapshots ${taken.flat().length}\n`)

const pids = known.map((one) => one.process)
if (pids.length < processes) {
  const bundled = await Bundle.bundle(new URL("../../examples/counter/counter.ts", import.meta.url).pathname)
  if (bundled._tag === "BundleFailed") throw new Error(bundled.message)
  const module = await run(messenger.addModule(bundled.source))
  while (pids.length < processes) {
    const spawn = await caller.spawn(module, node.address)
    await run(messenger.send(spawn.bytes))
    pids.push(spawn.id)
  }
}
process.stdout.write("ready\n")

let next = 0
const load = async (): Promise<never> => {
  for (;;) {
    const pid = pids[next++ % pids.length]!
    const item = await caller.message(pid, "Increment")
    const { slot, id } = await run(messenger.send(item.bytes))
    process.stdout.write(`ack ${pid} ${slot} ${id}\n`)
  }
}
await Promise.all(Array.from({ length: outstanding }, load))

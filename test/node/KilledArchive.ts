/**
 * A node under load that archives as often as it can, and waits to be killed. Told to finish, it computes what waits,
 * brings everything into its archive and stops. Prints one line an event:
 *
 *     ready                                   it takes messages
 *     ack                                     one was acknowledged
 *     done <batches> <commits> <bundles>      so many there are, and they are confirmed in so many bundles
 */
import path from "node:path"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { ArchiveUnit } from "../../archive-unit/ArchiveUnit.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Node from "../../node/Node.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"

const [folder = "", task] = process.argv.slice(2)
const outstanding = 4

const caller = Caller.caller("killed archive caller")
const runtime = ManagedRuntime.make(
  Node.layer({
    dataFolder: path.join(folder, "data"),
    identity: SmallNode.identity,
    sandboxWorkers: 1,
    cryptoWorkers: 1,
    archiving: { folder: path.join(folder, "archive") },
    archiveUnit: { gatherBytes: 30_000, gatherMs: 10, pollMs: 10 },
  }),
)
const messenger = await runtime.runPromise(MessengerUnit)
const unit = await runtime.runPromise(ArchiveUnit)
const run = <A, E>(effect: Effect.Effect<A, E>) => runtime.runPromise(effect)

if (task === "finish") {
  for (const { process: pid, slots } of await run(messenger.processes))
    await run(messenger.turn(pid, slots - 1))
  await run(unit.flush)
  const { batches, turns, bundles } = await run(unit.status)
  process.stdout.write(`done ${batches.confirmed} ${turns.confirmed} ${bundles}\n`)
  await runtime.dispose()
} else {
  const pid = await run(SmallNode.spawn({ messenger }, caller, "let n = 0; heddle.on('Add', () => ++n)"))
  process.stdout.write("ready\n")
  const load = async (): Promise<never> => {
    for (;;) {
      await run(SmallNode.ask({ messenger }, caller, pid, "Add"))
      process.stdout.write("ack\n")
    }
  }
  await Promise.all(Array.from({ length: outstanding }, load))
}

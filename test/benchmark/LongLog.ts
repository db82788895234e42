/**
 * Makes a data folder in which one counter has a long log, and prints the process's id.
 *
 *     node LongLog.ts <folder> <messages>
 *
 * One signature covers all messages, as a sender with many would have it: signing is not what the folder is for.
 */
import * as Effect from "effect/Effect"
import * as SignedItem from "../../identity/SignedItem.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import { nodeLayer } from "../../node/index.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Message from "../../runtime/Message.ts"
import * as Caller from "../support/Caller.ts"
import * as Bare from "./Bare.ts"

const [folder = "", count = "0"] = process.argv.slice(2)
const caller = Caller.caller("benchmark long log")
const source = await Bare.bundled(Bare.counterFile)

const program = Effect.gen(function* () {
  const messenger = yield* MessengerUnit
  const { scheduler } = yield* messenger.info
  const module = yield* messenger.addModule(source)
  const spawn = yield* Effect.promise(() => caller.spawn(module, scheduler))
  yield* messenger.send(spawn.bytes)
  const items = yield* SignedItem.signMany(
    caller.signer,
    Array.from({ length: Number(count) }, (_, i) => ({
      target: Id.toBytes(spawn.id),
      anchor: Hash.sha256(Bytes.fromText(`benchmark message ${i}`)),
      tags: [...Message.protocolTags("Message"), { name: "Action", value: "Increment" }],
      data: Bytes.empty,
    })),
  )
  yield* Effect.forEach(items, (item) => messenger.send(item.bytes), { concurrency: 500, discard: true })
  yield* messenger.turn(spawn.id, items.length)
  return spawn.id
})

const layer = nodeLayer({ data: folder, sandboxWorkers: 1, cryptoWorkers: 1 })
process.stdout.write(await Effect.runPromise(Effect.provide(program, layer)))

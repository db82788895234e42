/** The command that brings an item which somebody signed before into the log of a process. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AoSchedule from "../../identity/AoSchedule.ts"
import * as Client from "../../messenger-unit/Client.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import { readFile } from "./AoCommand.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

/** A file without the item that was asked for. */
export class ItemUnknown extends Data.TaggedError("ItemUnknown")<{
  readonly file: string
  readonly id: Id.Id
}> {
  override get message(): string {
    return `${this.file} has no item ${this.id}`
  }
}

export interface AssignInput extends Caller.Input {
  readonly as: string | undefined
  readonly process: Id.ProcessId
  readonly file: string
  readonly id: Id.Id | undefined
}

/** A schedule is JSON, and its first byte is of no signature type. */
const isSchedule = (bytes: Uint8Array): boolean => bytes[0] === "{".charCodeAt(0)

const itemIn = Effect.fnUntraced(function* (file: string, id: Id.Id | undefined) {
  const bytes = yield* readFile(file)
  if (!isSchedule(bytes)) {
    const item = Result.getOrUndefined(Item.decode(bytes))
    if (id !== undefined && item?.id !== id) return yield* new ItemUnknown({ file, id })
    return bytes
  }
  if (id === undefined)
    return yield* new Caller.WrongUsage({
      detail: "a schedule has many items: say which with --id; heddle import-ao lists them",
      help: "heddle assign --help",
    })
  const found = yield* Effect.fromResult(AoSchedule.find(Bytes.toText(bytes) ?? "", id))
  return found === undefined ? yield* new ItemUnknown({ file, id }) : found.bytes
})

export const assign = (input: AssignInput) =>
  Effect.gen(function* () {
    const item = yield* itemIn(input.file, input.id)
    const as = yield* Caller.identity(input, input.as)
    const accepted = yield* Caller.connected(input, () =>
      Client.assign(input.process, item, { as, retries: Caller.retries }),
    )
    yield* Screen.show(input.json, accepted, () => {
      const { id, slot, timestamp, repeat } = accepted
      return `${id} has slot ${slot} at ${Screen.time(timestamp)}${repeat ? ", from before" : ""}`
    })
  })

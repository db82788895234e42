/**
 * Upgrade: an owner's word that its process goes on as another program (spec 04 §9). The scheduler asks whether its
 * module is there before it gives the message a slot; whoever runs the slot needs the module's code.
 */
import * as Id from "./Id.ts"
import type * as Message from "./Message.ts"
import type * as Process from "./Process.ts"
import * as Tag from "./Tag.ts"

export interface Upgrade {
  readonly module: Id.Id
  /** Engine that is to run it; without one, the engine in force or the one of the unit's version. */
  readonly engine: Uint8Array | undefined
}

/** The upgrade that a message to a process is, if it is one. */
export const read = (process: Process.Process, message: Message.Message): Upgrade | undefined => {
  const { tags } = message.item
  // What its owner said to another process can be assigned to this one, and is no word about it.
  if (
    message.kind !== "Message" ||
    message.target !== process.id ||
    message.from !== process.owner ||
    message.action !== "Upgrade"
  )
    return undefined
  const module = Id.parse(Tag.value(tags, "Module") ?? "")
  const named = Tag.value(tags, "Engine")
  const engine = named === undefined ? undefined : Id.parse(named)
  if (module === undefined || (named !== undefined && engine === undefined)) return undefined
  return { module, engine: engine && Id.toBytes(engine) }
}

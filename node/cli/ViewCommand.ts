/** The command that prints what a process has published: as the node says, or checked here. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Client from "../../messenger-unit/Client.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

/** A process publishes nothing under this name. */
export class ViewUnknown extends Data.TaggedError("ViewUnknown")<{
  readonly process: Id.ProcessId
  readonly name: string
  /** Where this is proven, what it is proven of. */
  readonly slot?: number
  readonly timestamp?: number
  readonly unit?: Id.Address
}> {
  override get message(): string {
    const proven = this.slot === undefined ? "" : `, proven at slot ${this.slot}`
    return `process ${this.process} publishes nothing under "${this.name}"${proven}`
  }
}

export interface ViewInput extends Caller.Input {
  readonly process: Id.ProcessId
  readonly name: string
  readonly proof: boolean
  readonly maxAgeSeconds: number | undefined
}

const readable = (value: unknown): string => JSON.stringify(value, null, 2)

const told = Effect.fnUntraced(function* (input: ViewInput) {
  const { process, name } = input
  const found = yield* Caller.connected(input, (messenger) => messenger.view(process, name))
  if (found === undefined) return yield* new ViewUnknown({ process, name })
  const value: unknown = JSON.parse(found.value)
  yield* Screen.show(input.json, { value, slot: found.slot }, () => readable(value))
  if (Screen.isTerminal() && !input.json) yield* Screen.note(`published in slot ${found.slot}, not proven`)
})

const proven = Effect.fnUntraced(function* (input: ViewInput) {
  const { process, name, maxAgeSeconds } = input
  const maxAgeMs = maxAgeSeconds === undefined ? undefined : maxAgeSeconds * 1_000
  const shown = yield* Caller.connected(input, () => Client.provenView(process, name, maxAgeMs))
  const { slot, timestamp, stateRoot, unit } = shown
  if (shown.value === undefined) return yield* new ViewUnknown({ process, name, slot, timestamp, unit })
  const value: unknown = JSON.parse(shown.value)
  yield* Screen.show(input.json, { ...shown, value }, () => readable(value))
  if (input.json) return
  yield* Screen.note(`proven after slot ${slot}, ${Screen.time(timestamp)}`)
  yield* Screen.note(`state root ${Bytes.toHex(stateRoot)}, attested by ${unit}`)
})

export const view = (input: ViewInput) =>
  Effect.gen(function* () {
    if (input.proof) return yield* proven(input)
    if (input.maxAgeSeconds === undefined) return yield* told(input)
    return yield* new Caller.WrongUsage({
      detail: "--max-age goes with --proof: without one nobody says how old a view is",
      help: "heddle view --help",
    })
  })

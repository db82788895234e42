/** `heddle outbox --drop`: an owner gives up a message that its process emitted and that is not delivered. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Client from "../../messenger-unit/Client.ts"
import * as Id from "../../runtime/Id.ts"
import * as Caller from "./Caller.ts"
import type { Place } from "./Inputs.ts"
import * as Screen from "./Screen.ts"

/** No entry that waits is at this place, or more than one. */
export class EntryNotFound extends Data.TaggedError("EntryNotFound")<{
  readonly place: Place
  readonly found: number
}> {
  override get message(): string {
    const { source, slot, index } = this.place
    return this.found === 0
      ? `nothing waits at ${source}.${slot}.${index}; heddle outbox shows what does`
      : `${this.found} entries begin with ${source} at ${slot}.${index}; give more characters of the source`
  }
}

export interface DropInput extends Caller.Input {
  readonly as: string | undefined
  readonly place: Place
  readonly reason: string | undefined
}

export const drop = (input: DropInput) =>
  Effect.gen(function* () {
    const { place, reason } = input
    const as = yield* Caller.identity(input, input.as)
    const dropped = yield* Caller.connected(input, (messenger) =>
      Effect.gen(function* () {
        const options = { as, reason, retries: Caller.retries }
        const source = Id.parse(place.source)
        // The list stops somewhere; who gives the whole source needs none.
        if (source !== undefined) return yield* Client.drop({ ...place, source }, options)
        const waiting = (yield* messenger.outbox).filter(
          (one) =>
            one.source.startsWith(place.source) && one.slot === place.slot && one.index === place.index,
        )
        const [entry] = waiting
        if (entry === undefined || waiting.length > 1)
          return yield* new EntryNotFound({ place, found: waiting.length })
        return yield* Client.drop(entry, options)
      }),
    )
    const { accepted, entry, target, result } = dropped
    yield* Screen.show(input.json, dropped, () => {
      const lines = [
        `${Screen.styled("green", "dropped")} message ${entry} in slot ${accepted.slot}; a void to ${target} takes its number`,
      ]
      if ("error" in result)
        lines.push(`what went on there then: ${result.reason}: ${Screen.plain(result.error)}`)
      return lines.join("\n")
    })
  })

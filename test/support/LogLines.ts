/** What was logged, as a test reads it: level and text, a line a message. */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"

export interface LogLines {
  readonly lines: ReadonlyArray<string>
  /** Runs an effect so that what it and all that it starts log is kept. */
  readonly during: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export const make = (): LogLines => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel} ${Array.isArray(message) ? message.map(String).join(" ") : String(message)}`)
  })
  return { lines, during: (effect) => Effect.provide(effect, Logger.layer([logger])) }
}

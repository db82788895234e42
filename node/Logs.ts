/** Logs: on the error stream, for people on a terminal, one JSON object a line for machines. */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type { LogLevel as EffectLevel } from "effect/LogLevel"
import * as References from "effect/References"
import type { LogLevel } from "./Settings.ts"

const levels: Readonly<Record<LogLevel, EffectLevel>> = {
  debug: "Debug",
  info: "Info",
  warning: "Warn",
  error: "Error",
  none: "None",
}

/** `pretty` is for people; colours are left out where `NO_COLOR` says so. */
export const layer = (level: LogLevel, pretty: boolean) =>
  Layer.mergeAll(
    Logger.layer([pretty ? Logger.consolePretty() : Logger.withConsoleError(Logger.formatJson)]),
    Layer.succeed(Logger.LogToStderr)(true),
    Layer.succeed(References.MinimumLogLevel)(levels[level]),
  )

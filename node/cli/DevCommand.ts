/** The command that runs a node: everything in one process, until it is told to stop. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Archiving from "../Archiving.ts"
import * as HttpServer from "../HttpServer.ts"
import * as Logs from "../Logs.ts"
import * as Node from "../Node.ts"
import * as NodeKey from "../NodeKey.ts"
import * as Settings from "../Settings.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

/** The first signal stops the node in order; a second one at once. */
const stopSignal = Effect.callback<NodeJS.Signals>((resume) => {
  const heard = (signal: NodeJS.Signals) => {
    process.once("SIGINT", () => process.exit(130)).once("SIGTERM", () => process.exit(143))
    resume(Effect.succeed(signal))
  }
  process.once("SIGINT", heard).once("SIGTERM", heard)
})

export const dev = (input: Caller.Input) =>
  Effect.gen(function* () {
    const { settings } = yield* Caller.settings(input)
    const { data: dataFolder, host, port, logLevel, sandboxWorkers, cryptoWorkers, memory } = settings
    const archiving = yield* Archiving.choose(settings)
    const stop = yield* Effect.forkChild(stopSignal, { startImmediately: true })
    const logs = Logs.layer(logLevel, process.stderr.isTTY)
    const identity = yield* NodeKey.open(dataFolder)
    const node = HttpServer.layer({ host, port }).pipe(
      Layer.provideMerge(
        Node.layer({
          dataFolder,
          identity,
          sandboxWorkers,
          cryptoWorkers,
          memory,
          rates: Settings.ratesOf(settings),
          archiving,
        }),
      ),
      Layer.provide(logs),
    )
    yield* Effect.gen(function* () {
      const messenger = yield* MessengerUnit
      const [url, info] = yield* Effect.all([HttpServer.url, messenger.info])
      const { archive, problem } = yield* messenger.archive
      yield* Screen.show(input.json, { url, dataFolder, archive, ...info }, () =>
        [
          `${Screen.styled("bold", "heddle")} ${info.version} runs at ${Screen.styled("cyan", url)}`,
          `  API      ${url}/docs`,
          `  data     ${dataFolder}`,
          `  node     ${info.scheduler}`,
          `  archive  ${archive}${problem === undefined ? "" : `, which waits: ${problem}`}`,
          ...(Screen.isTerminal() ? ["Ctrl-C stops it."] : []),
        ].join("\n"),
      )
      const signal = yield* Fiber.join(stop)
      yield* Effect.logInfo("stopping").pipe(Effect.annotateLogs({ signal }))
    }).pipe(Effect.provide(node), Effect.provide(logs))
  })

/**
 * main: the entry of the command line. Reads the arguments, runs the command and sets the exit code: 0 for success, 1
 * for refused or failed, 2 for wrong usage.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Id from "../../runtime/Id.ts"
import { version } from "../Version.ts"
import { heddle } from "./Commands.ts"
import * as Failure from "./Failure.ts"
import { idPrefix } from "./Inputs.ts"

const given = process.argv.slice(2)
const asJson = given.includes("--json")

/** One id in 64 begins with a dash and would be taken for a flag; so does what begins with an id and a dot. */
const args = given.map((argument) =>
  argument.startsWith("-") && Id.parse(argument.split(".", 1)[0] ?? "") !== undefined
    ? `${idPrefix}${argument}`
    : argument,
)

/** Wrong usage is told in a line or two, with the way to the help; the help itself would push it off the screen. */
const presenter: CliOutput.Presenter = {
  present: (event) => {
    if (event._tag !== "InvalidInvocation") return CliOutput.defaultPresenter.present(event)
    return Effect.sync(() => {
      const detail = event.errors.map(({ message }) => message).join("; ")
      const help = `${event.commandPath.join(" ")} --help`
      if (asJson) process.stderr.write(`${JSON.stringify({ _tag: "WrongUsage", message: detail, help })}\n`)
      else process.stderr.write(`${detail}\nsee: ${help}\n`)
    })
  },
}

const unused = Effect.die("the command line reads no files and asks nothing")

/** Parsing needs none of the machine, so none of it is loaded. */
const nothing = Layer.mergeAll(
  FileSystem.layerNoop({}),
  Path.layer,
  Stdio.layerTest({}),
  Layer.succeed(
    Terminal.Terminal,
    Terminal.make({
      columns: Effect.succeed(process.stdout.columns ?? 80),
      rows: Effect.succeed(process.stdout.rows ?? 24),
      size: Effect.die("unused"),
      readInput: unused,
      readLine: unused,
      display: () => unused,
    }),
  ),
  Layer.succeed(
    ChildProcessSpawner.ChildProcessSpawner,
    ChildProcessSpawner.make(() => unused),
  ),
  CliOutput.layerPresenter(presenter),
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
)

// The reader of a pipe may have seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))

const exit = await Effect.runPromiseExit(
  Command.runWith(heddle, { version })(args).pipe(Effect.provide(nothing)),
)

if (Exit.isFailure(exit)) {
  const error = Cause.squash(exit.cause)
  if (CliError.isCliError(error))
    process.exitCode = error._tag === "ShowHelp" && error.errors.length === 0 ? 0 : 2
  else {
    Failure.tell(error, asJson)
    process.exitCode = Failure.exitCode(error)
  }
}

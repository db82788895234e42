/** The command that opens a debugging session on a process's past. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Recompute from "../Recompute.ts"
import * as Caller from "./Caller.ts"
import * as DebugLine from "./DebugLine.ts"
import * as DebugSession from "./DebugSession.ts"
import * as DebugTerminal from "./DebugTerminal.ts"
import * as DebugText from "./DebugText.ts"
import * as DebugValue from "./DebugValue.ts"
import * as LogLines from "./LogLines.ts"
import * as Screen from "./Screen.ts"

export interface DebugInput extends Caller.Input {
  readonly process: Id.ProcessId
  readonly slot: number | undefined
}

/** Some commands that came through a pipe could not be done; each said why. */
export class CommandsFailed extends Data.TaggedError("CommandsFailed")<{ readonly count: number }> {
  override get message(): string {
    return this.count === 1 ? "one command could not be done" : `${this.count} commands could not be done`
  }
}

const promptOf = (session: DebugSession.Session): string => {
  const moment = session.moment()
  return `slot ${moment.slot} ${Screen.plain(LogLines.actionOf(DebugValue.entry(moment)))}> `
}

type Outcome = Result.Result<DebugSession.Answer, { readonly _tag: string; readonly message: string }>

/** Tells what a command came to: one line of JSON for machines, an error beside the results for people. */
const tell = (json: boolean, command: string, slot: number, outcome: Outcome) => {
  if (Result.isSuccess(outcome)) {
    const { value, text } = outcome.success
    return Screen.print(json ? Screen.json({ command, slot, result: value }) : text())
  }
  const { _tag, message } = outcome.failure
  return json
    ? Screen.print(Screen.json({ command, slot, error: { _tag, message } }))
    : Screen.complain(message)
}

const interrupted = new DebugSession.CommandRefused({ detail: "interrupted; nothing has changed" })

const session = Effect.fnUntraced(function* (input: DebugInput, messenger: MessengerUnit["Service"]) {
  const { process, json, slot } = input
  // Whatever runs at the moment hears how far it is.
  let say: (text: string) => void = () => {}
  const timeline = yield* Recompute.timeline(messenger, process, {
    onProgress: (reached) => say(`slot ${reached}`),
  })
  const watched = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Screen.progress("computing", (report) => {
      say = report
      return effect
    })
  const opened = yield* watched(DebugSession.open(messenger, process, timeline, slot))
  const terminal = yield* DebugTerminal.open(DebugLine.names)
  const interactive = terminal.interactive && !json
  if (interactive) yield* Screen.print(DebugText.place(opened.moment()))
  let failed = 0
  for (;;) {
    const line = yield* terminal.next(promptOf(opened))
    if (line === undefined) break
    if (line.trim() === "") continue
    const command = DebugLine.parse(line)
    if (Result.isSuccess(command) && command.success.name === "quit") break
    const run = Result.isSuccess(command)
      ? opened.run(command.success)
      : new DebugSession.CommandRefused({ detail: command.failure })
    const outcome = yield* Effect.result(terminal.interruptible(watched(run)))
    const known = Result.flatMap(outcome, (answer) =>
      answer === undefined ? Result.fail(interrupted) : Result.succeed(answer),
    )
    if (Result.isFailure(known)) failed++
    const name = Result.isSuccess(command) ? command.success.name : line.trim()
    yield* tell(json, name, opened.moment().slot, known)
  }
  if (failed > 0 && !interactive) return yield* new CommandsFailed({ count: failed })
})

export const debug = (input: DebugInput) =>
  Caller.connected(input, (messenger) => Effect.scoped(session(input, messenger)))

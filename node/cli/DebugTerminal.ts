/**
 * Debug terminal: where the lines of a debugging session come from. At a terminal they are asked for, with a history, and
 * Ctrl-C ends what runs and not the session; from a pipe they are read as they come.
 */
import readline from "node:readline"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Terminal {
  readonly interactive: boolean
  /** The next line; `undefined` where there is none any more. */
  readonly next: (prompt: string) => Effect.Effect<string | undefined>
  /** Runs `effect`; gives `undefined` where Ctrl-C came before its end. */
  readonly interruptible: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A | undefined, E, R>
}

/** Clears what is typed so far. */
const clearLine = { ctrl: true, name: "u" }

const make = (names: ReadonlyArray<string>): Terminal & { readonly close: () => void } => {
  const { stdin, stdout } = process
  const interactive = stdin.isTTY && stdout.isTTY
  const complete = (typed: string): [string[], string] => [
    names.filter((name) => name.startsWith(typed)).map((name) => `${name} `),
    typed,
  ]
  const reader = readline.createInterface({
    input: stdin,
    ...(interactive ? { output: stdout, completer: complete } : {}),
    terminal: interactive,
  })
  const lines = reader[Symbol.asyncIterator]()
  let stop: (() => void) | undefined
  let closed = false
  /** From the end of a line to when the next is asked for; Ctrl-C in between is meant for what was typed. */
  let busy = false
  let stopped = false
  reader.on("close", () => (closed = true))
  reader.on("line", () => (busy = true))
  reader.on("SIGINT", () => {
    if (busy) {
      stopped = true
      return stop?.()
    }
    reader.write(null, clearLine)
    stdout.write("\n(Ctrl-D or quit leaves)\n")
    reader.prompt()
  })
  return {
    interactive,
    next: (prompt) =>
      Effect.promise(async () => {
        busy = false
        stopped = false
        // Ctrl-D may have come while a command ran.
        if (interactive && !closed) {
          reader.setPrompt(prompt)
          reader.prompt()
        }
        const { value, done } = await lines.next()
        if (done !== true) return value
        if (interactive) stdout.write("\n")
        return undefined
      }),
    interruptible: (effect) => {
      const stopping = Effect.callback<undefined>((resume) => {
        stop = () => resume(Effect.undefined)
        if (stopped) stop()
      })
      const over = Effect.sync(() => void (stop = undefined))
      return Effect.ensuring(Effect.raceFirst(stopping, effect), over)
    },
    close: () => reader.close(),
  }
}

/** Reads from the standard input for as long as the scope lives. `names` are completed with the tabulator. */
export const open = (names: ReadonlyArray<string>): Effect.Effect<Terminal, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => make(names)),
    (terminal) => Effect.sync(terminal.close),
  )

/** Passphrase: from `HEDDLE_PASSPHRASE`, or typed at a terminal that does not show it. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** There is nobody to ask. */
export class NoPassphrase extends Data.TaggedError("NoPassphrase")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

const enter = "\r\n"
/** Ctrl-C and Ctrl-D: a terminal in raw mode leaves them to us. */
const leave = "\u0003\u0004"
const backspace = "\u007f\b"

/** Asks for one line. What was typed ahead is in `ahead`, and what was typed too far goes there. */
const typed = (question: string, ahead: { text: string }) =>
  Effect.callback<string, NoPassphrase>((resume) => {
    const { stdin, stderr } = process
    let line = ""
    const hear = (chunk: Buffer | string) => {
      ahead.text += chunk.toString()
      while (ahead.text !== "") {
        const character = String.fromCodePoint(ahead.text.codePointAt(0) ?? 0)
        ahead.text = ahead.text.slice(character.length)
        if (enter.includes(character)) return end(Effect.succeed(line))
        if (leave.includes(character))
          return end(Effect.fail(new NoPassphrase({ detail: "no passphrase was given" })))
        line = backspace.includes(character) ? line.replace(/.$/su, "") : line + character
      }
    }
    const end = (result: Effect.Effect<string, NoPassphrase>) => {
      stdin.off("data", hear)
      stderr.write("\n")
      resume(result)
    }
    stderr.write(question)
    stdin.on("data", hear)
    hear("")
  })

/** From before the first question to after the last, nothing that is typed is shown. */
const hidden = <A, E>(use: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => void process.stdin.setRawMode(true).resume()),
    () => use,
    () => Effect.sync(() => void process.stdin.setRawMode(false).pause()),
  )

/** Asks once; twice where a slip of the finger would lock a new key for ever. */
export const ask = Effect.fnUntraced(function* (
  question: string,
  twice: boolean,
): Effect.fn.Return<string, NoPassphrase> {
  const given = process.env["HEDDLE_PASSPHRASE"]
  if (given !== undefined) return given
  if (!process.stdin.isTTY)
    return yield* new NoPassphrase({
      detail: "there is no terminal to ask for the passphrase; set HEDDLE_PASSPHRASE",
    })
  const ahead = { text: "" }
  const asked = Effect.gen(function* () {
    const first = yield* typed(question, ahead)
    if (twice && (yield* typed("Again: ", ahead)) !== first)
      return yield* new NoPassphrase({ detail: "the two passphrases differ; nothing was written" })
    return first
  })
  return yield* hidden(asked)
})

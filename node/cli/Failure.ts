/** Failure: what went wrong, as a person reads it on the error stream or a program reads it with `--json`. */
import { styleText } from "node:util"

/** 0 is success, 1 refused or failed, 2 wrong usage. */
export type ExitCode = 0 | 1 | 2

/** Errors that come of how the command was called. */
const usage = new Set(["SettingsInvalid", "KeyNotChosen", "WrongUsage"])

/** What to do about an error, where its own words do not say. */
const hints: Readonly<Record<string, string>> = {
  Unreachable: "is a node running there? start one with: heddle dev",
}

interface Tagged extends Error {
  readonly _tag: string
}

const isTagged = (error: unknown): error is Tagged =>
  error instanceof Error && "_tag" in error && typeof error._tag === "string"

export const exitCode = (error: unknown): ExitCode => (isTagged(error) && usage.has(error._tag) ? 2 : 1)

const fields = (error: Tagged): object =>
  Object.fromEntries(
    Object.entries(error).filter(([, value]) => typeof value !== "object" && typeof value !== "bigint"),
  )

const helpOf = (error: Tagged): string | undefined =>
  "help" in error && typeof error.help === "string" ? `see: ${error.help}` : undefined

export const tell = (error: unknown, asJson: boolean): void => {
  if (asJson) {
    const told = isTagged(error)
      ? { ...fields(error), _tag: error._tag, message: error.message }
      : { _tag: "Defect", message: String(error) }
    process.stderr.write(`${JSON.stringify(told)}\n`)
    return
  }
  const style = (name: "red" | "dim", text: string) => styleText(name, text, { stream: process.stderr })
  // An error without a tag is a mistake of ours: its stack is what we will be asked for.
  const text = isTagged(error)
    ? error.message
    : error instanceof Error
      ? (error.stack ?? error.message)
      : String(error)
  process.stderr.write(`${style("red", "error")} ${text}\n`)
  const hint = isTagged(error) ? (hints[error._tag] ?? helpOf(error)) : undefined
  if (hint !== undefined) process.stderr.write(`${style("dim", hint)}\n`)
}

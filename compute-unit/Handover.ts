/**
 * Handover: what a program leaves to the one after it (spec 04 §9), as text between the two halves of an upgrade:
 *
 *     {"references":1024,"entries":0,"dataBytes":0,"views":0,"exported":true,"value":<any JSON>}
 *
 * A script numbers its waits above the first number. A plain module gives its messages numbers of its own, so that is
 * one above all that scripts before it can have given: a turn has 1,024 entries, and a wait takes one. What a plain
 * module exports says nothing else, so the other three are 0.
 *
 * A plain module that takes over is told, after the fields of a turn's input, `"exported"` and `"state"`, the value.
 */
import * as Limit from "../runtime/Limit.ts"
import { BadOutput } from "./Emission.ts"
import { type Counts, reader } from "./PlainOutput.ts"

/** The text for JSON that a plain module gives, or for nothing; `input` is that of the turn. Throws `BadOutput`. */
export const write = (json: string | undefined, input: string): string => {
  const { slot } = JSON.parse(input) as { readonly slot: number } // as `TurnInput.toWords` writes it
  const references = (slot + 1) * Limit.outboxEntriesPerTurnMax
  const value = json === undefined ? "null" : reader(json).raw()
  const counts = `"references":${references},"entries":0,"dataBytes":0,"views":0`
  return `{${counts},"exported":${json !== undefined},"value":${value}}`
}

export interface Taken {
  /** Whether there is anything to take over. */
  readonly exported: boolean
  /** What the first half said. */
  readonly counts: Counts
  /** The input of the second half as a plain module is told it. */
  readonly words: string
}

/** Reads the input of the second half, whose last field is the text that the first half gave. Throws `BadOutput`. */
export const read = (input: string): Taken => {
  const { state, ...rest } = JSON.parse(input) as { readonly state: string } // as `TurnInput.toWords` writes it
  const fields = new Map<string, string>()
  const json = reader(state)
  if (json.kind === "object") json.object((name) => void fields.set(name, json.raw()))
  const count = (name: string): number => {
    const digits = fields.get(name) ?? ""
    return /^[0-9]{1,8}$/.test(digits) ? Number(digits) : unreadable()
  }
  const [exported, value] = [fields.get("exported"), fields.get("value")]
  if ((exported !== "true" && exported !== "false") || value === undefined) return unreadable()
  return {
    exported: exported === "true",
    counts: { entries: count("entries"), dataBytes: count("dataBytes"), views: count("views") },
    words: `${JSON.stringify(rest).slice(0, -1)},"exported":${exported},"state":${value}}`,
  }
}

/** A script that got around its prelude can leave any text. */
const unreadable = (): never => {
  throw new BadOutput("what is handed over is no state")
}

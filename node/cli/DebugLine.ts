/** Debug line: what somebody types at the debugger, read as a command. */
import * as Result from "effect/Result"

/** Commands that take nothing behind their name. */
type Alone = "message" | "outcome" | "console" | "pages" | "where" | "list" | "help" | "quit"

export type Command =
  | { readonly name: "next" | "back"; readonly count: number }
  | { readonly name: "go"; readonly slot: number }
  | { readonly name: "find"; readonly action: string }
  | { readonly name: "eval" | "before"; readonly expression: string }
  | { readonly name: "views"; readonly view: string | undefined }
  | { readonly name: "diff"; readonly from: number; readonly to: number | undefined }
  | { readonly name: Alone }

export type Name = Command["name"]

interface Definition {
  readonly letter: string
  /** What is typed behind the name. */
  readonly takes: string
  readonly says: string
  /** Reads what is typed behind the name; where it is not right, says so. */
  readonly read: (rest: string) => Command | string
}

const maxDigits = 15

const number = (text: string): number | undefined =>
  /^\d+$/.test(text) && text.length <= maxDigits ? Number(text) : undefined

const step =
  (name: "next" | "back"): Definition["read"] =>
  (rest) => {
    const count = rest === "" ? 1 : number(rest)
    return count === undefined || count < 1
      ? `${name} takes a number of turns, not "${rest}"`
      : { name, count }
  }

const alone =
  (name: Alone): Definition["read"] =>
  (rest) =>
    rest === "" ? { name } : `${name} takes nothing behind it`

const expression =
  (name: "eval" | "before"): Definition["read"] =>
  (rest) =>
    rest === "" ? `${name} takes an expression of JavaScript` : { name, expression: rest }

export const definitions: Readonly<Record<Name, Definition>> = {
  next: { letter: "n", takes: "[k]", says: "go k turns forward", read: step("next") },
  back: { letter: "b", takes: "[k]", says: "go k turns back", read: step("back") },
  go: {
    letter: "g",
    takes: "N",
    says: "go to slot N",
    read: (rest) => {
      const slot = number(rest)
      return slot === undefined ? "go takes the number of a slot" : { name: "go", slot }
    },
  },
  find: {
    letter: "f",
    takes: "action",
    says: "go to the next slot with this action",
    read: (rest) => (rest === "" ? "find takes an action" : { name: "find", action: rest }),
  },
  list: { letter: "l", takes: "", says: "the slots around this one", read: alone("list") },
  where: { letter: "w", takes: "", says: "slot, time, fuel, state root", read: alone("where") },
  message: { letter: "m", takes: "", says: "what the process was told", read: alone("message") },
  outcome: {
    letter: "o",
    takes: "",
    says: "replies, views, what was sent, the error",
    read: alone("outcome"),
  },
  console: { letter: "c", takes: "", says: "what the turn printed", read: alone("console") },
  eval: {
    letter: "e",
    takes: "expression",
    says: "evaluate on a copy of the state after the turn",
    read: expression("eval"),
  },
  before: { letter: "", takes: "expression", says: "the same before the turn", read: expression("before") },
  views: {
    letter: "v",
    takes: "[name]",
    says: "what is published after the turn",
    read: (rest) => ({ name: "views", view: rest === "" ? undefined : rest }),
  },
  pages: { letter: "p", takes: "", says: "the memory that the turn changed", read: alone("pages") },
  diff: {
    letter: "d",
    takes: "A [B]",
    says: "the state after slot A against that after B, or this one",
    read: (rest) => {
      const [from, to, ...more] = rest.split(/\s+/).map(number)
      const fits = from !== undefined && more.length === 0 && (to !== undefined || !/\s/.test(rest))
      return fits ? { name: "diff", from, to } : "diff takes the numbers of one slot or two"
    },
  },
  help: { letter: "h", takes: "", says: "this", read: alone("help") },
  quit: { letter: "q", takes: "", says: "leave; so does Ctrl-D", read: alone("quit") },
}

export const names = Object.keys(definitions) as ReadonlyArray<Name> // the keys of the line above

/** Changes of one character that lead from one word to the other. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++)
      next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (a[i] === b[j] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}

/** Longer words are nobody's slip of the finger. */
const wordLengthMax = 64

const nearest = (word: string): Name => {
  const far = (name: Name): number => (name.startsWith(word) ? 0 : distance(word, name))
  return names.toSorted((a, b) => far(a) - far(b))[0]!
}

/** Reads a line; where it is no command, says what would be one. */
export const parse = (line: string): Result.Result<Command, string> => {
  const [, word = "", rest = ""] = /^\s*(\S*)\s*(.*?)\s*$/s.exec(line) ?? []
  const name = names.find((one) => one === word || definitions[one].letter === word)
  if (word === "" || name === undefined) {
    const slip = word.slice(0, wordLengthMax).toLowerCase()
    return Result.fail(`there is no command "${word}"; did you mean ${nearest(slip)}? help shows them all`)
  }
  const command = definitions[name].read(rest)
  return typeof command === "string" ? Result.fail(command) : Result.succeed(command)
}

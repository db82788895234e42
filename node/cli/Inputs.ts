/**
 * Inputs: the arguments and flags that commands share. It is loaded with every start, help included, so it and what it
 * imports must stay light.
 */
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Id from "../../runtime/Id.ts"
import * as Settings from "../Settings.ts"

/** Runs what `load` gives once it is there. Its errors are told in `main.ts`. */
export const later = (load: () => Promise<Effect.Effect<void, unknown>>) =>
  Effect.flatten(Effect.promise(load))

export const given = <A>(flag: Flag.Flag<A>) => Flag.map(Flag.optional(flag), Option.getOrUndefined)

export const yes = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))

export const text = (name: string, description: string, metavar: string) =>
  given(Flag.String(name).pipe(Flag.withDescription(description), Flag.withMetavar(metavar)))

const setting = (name: Settings.Name) => {
  const { flag, description, form } = Settings.definitions[name]
  return text(flag, description, form)
}

/** Settings as flags, and what every command has. */
export const input = <const Names extends ReadonlyArray<Settings.Name>>(...names: Names) => ({
  json: yes("json", "print JSON for machines"),
  config: text("config", `configuration file, in place of ./${Settings.fileName}`, "file"),
  flags: Object.fromEntries(names.map((name) => [name, setting(name)])) as Record<
    Names[number],
    Flag.Flag<string | undefined>
  >, // one of each name
})

export const talking = input("url")
export const speaking = {
  ...input("url", "keys"),
  as: text("as", "name of the key that signs; not needed where there is one only", "key"),
}

/** Ids can begin with a dash; `main.ts` puts this before those, so that they are not taken for flags. */
export const idPrefix = "id:"

const withoutPrefix = (value: string): string =>
  value.startsWith(idPrefix) ? value.slice(idPrefix.length) : value

export const readId = (value: string): Option.Option<Id.Id> =>
  Option.fromUndefinedOr(Id.parse(withoutPrefix(value)))

export const processId = Argument.String("process").pipe(
  Argument.withDescription("id of a process: 43 characters, as heddle ps shows it"),
  Argument.filterMap(
    readId,
    (value) => `"${value}" is no id of a process: it has 43 characters of A-Z a-z 0-9 - _`,
  ),
)

export const action = Argument.String("action").pipe(
  Argument.withDescription("what to do, in the words of the process"),
)

const pair = (value: string): Option.Option<readonly [string, string]> => {
  const at = value.indexOf("=")
  return at < 1 || at === value.length - 1
    ? Option.none()
    : Option.some([value.slice(0, at), value.slice(at + 1)])
}

export const content = {
  tags: Flag.String("tag").pipe(
    Flag.withDescription("a tag of the message, such as --tag By=3; can be given many times"),
    Flag.withMetavar("name=value"),
    Flag.filterMap(pair, (value) => `"${value}" is no tag: it takes a name and a value, such as By=3`),
    Flag.atLeast(0),
  ),
  data: text(
    "data",
    "the data of the message: text, @file for the bytes of a file, - for the standard input",
    "text",
  ),
}

/** Data that can be more than a message carries. */
export const attached = {
  dataFile: text(
    "data-file",
    "a file whose bytes are the data; one that no message takes is uploaded, and the message refers to it",
    "file",
  ),
  byReference: yes("by-reference", "upload the data and let the message refer to it, however short it is"),
}

export const whole = (name: string, description: string, min: number, max: number) =>
  Flag.Int(name).pipe(
    Flag.withDescription(description),
    Flag.filter(
      (value) => value >= min && value <= max,
      (value) => `${value} is not from ${min} to ${max}`,
    ),
  )

/** A command with its description and examples. */
export const said =
  (description: string, ...examples: ReadonlyArray<readonly [command: string, description: string]>) =>
  <Name extends string, Input, ContextInput, E, R>(
    command: Command.Command<Name, Input, ContextInput, E, R>,
  ) =>
    command.pipe(
      Command.withDescription(description),
      Command.withExamples(examples.map(([command, description]) => ({ command, description }))),
    )

/** Guest code: a file, or a module that the node holds. */
export type Code = { readonly file: string } | { readonly module: Id.Id }

export const readCode = (value: string): Option.Option<Code> => {
  if (fs.existsSync(value)) return Option.some({ file: value })
  return Option.map(readId(value), (module) => ({ module }))
}

export const code = Argument.String("code").pipe(
  Argument.withDescription("a TypeScript, JavaScript or .wasm file, or the id of a module"),
  Argument.filterMap(readCode, (value) => `there is no file ${value}, and it is no id of a module`),
)

export const engine = given(
  Flag.String("engine").pipe(
    Flag.withDescription("id of the engine that is to run it; without one, that of the node's version"),
    Flag.withMetavar("id"),
    Flag.filterMap(readId, (value) => `"${value}" is no id of an engine: it has 43 characters`),
  ),
)

const isSlot = (slot: number): boolean => Number.isSafeInteger(slot) && slot >= 0

export const slot = (name: string, description: string) =>
  Argument.Int(name).pipe(
    Argument.withDescription(description),
    Argument.filter(isSlot, (value) => `${value} is no slot: they count from 0`),
  )

export const slotFlag = (name: string, description: string) =>
  Flag.Int(name).pipe(
    Flag.withDescription(description),
    Flag.withMetavar("slot"),
    Flag.filter(isSlot, (value) => `${value} is no slot: they count from 0`),
  )

/** An outbox entry as `heddle outbox` shows it: its source may be cut short. */
export interface Place {
  readonly source: string
  readonly slot: number
  readonly index: number
}

export const readPlace = (value: string): Option.Option<Place> => {
  const [, source, slot, index] = /^([\w-]{4,43})\.(\d{1,15})\.(\d{1,4})$/.exec(withoutPrefix(value)) ?? []
  return source === undefined
    ? Option.none()
    : Option.some({ source, slot: Number(slot), index: Number(index) })
}

export const outboxPlace = (name: string, description: string) =>
  given(
    Flag.String(name).pipe(
      Flag.withDescription(description),
      Flag.withMetavar("source.slot.index"),
      Flag.filterMap(
        readPlace,
        (value) => `"${value}" is no place in an outbox: it takes source.slot.index, as the list shows them`,
      ),
    ),
  )

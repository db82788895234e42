/**
 * Commands: what `heddle` can be told, as data. What a command does is loaded when it is run, so that help and wrong
 * usage are answered at once: this file and what it imports must stay light.
 */
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Settings from "../Settings.ts"

/** Runs what `load` gives once it is there. Its errors are told in `main.ts`. */
const later = (load: () => Promise<Effect.Effect<void, unknown>>) => Effect.flatten(Effect.promise(load))

const given = <A>(flag: Flag.Flag<A>) => Flag.map(Flag.optional(flag), Option.getOrUndefined)

const yes = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))

const text = (name: string, description: string, metavar: string) =>
  given(Flag.String(name).pipe(Flag.withDescription(description), Flag.withMetavar(metavar)))

const setting = (name: Settings.Name) => {
  const { flag, description, form } = Settings.definitions[name]
  return text(flag, description, form)
}

/** Settings as flags, and what every command has. */
const input = <const Names extends ReadonlyArray<Settings.Name>>(...names: Names) => ({
  json: yes("json", "print JSON for machines"),
  config: text("config", `configuration file, in place of ./${Settings.fileName}`, "file"),
  flags: Object.fromEntries(names.map((name) => [name, setting(name)])) as Record<
    Names[number],
    Flag.Flag<string | undefined>
  >, // one of each name
})

const talking = input("url")
const speaking = {
  ...input("url", "keys"),
  as: text("as", "name of the key that signs; not needed where there is one only", "key"),
}

/** Ids can begin with a dash; `main.ts` puts this before those, so that they are not taken for flags. */
export const idPrefix = "id:"

const readId = (value: string): Option.Option<Id.Id> =>
  Option.fromUndefinedOr(Id.parse(value.startsWith(idPrefix) ? value.slice(idPrefix.length) : value))

const processId = Argument.String("process").pipe(
  Argument.withDescription("id of a process: 43 characters, as heddle ps shows it"),
  Argument.filterMap(
    readId,
    (value) => `"${value}" is no id of a process: it has 43 characters of A-Z a-z 0-9 - _`,
  ),
)

const action = Argument.String("action").pipe(
  Argument.withDescription("what to do, in the words of the process"),
)

const pair = (value: string): Option.Option<readonly [string, string]> => {
  const at = value.indexOf("=")
  return at < 1 || at === value.length - 1
    ? Option.none()
    : Option.some([value.slice(0, at), value.slice(at + 1)])
}

const content = {
  tags: Flag.String("tag").pipe(
    Flag.withDescription("a tag of the message, such as --tag By=3; can be given many times"),
    Flag.withMetavar("name=value"),
    Flag.filterMap(pair, (value) => `"${value}" is no tag: it takes a name and a value, such as By=3`),
    Flag.atLeast(0),
    Flag.map((pairs): Record<string, string> => Object.fromEntries(pairs)),
  ),
  data: text(
    "data",
    "the data of the message: text, @file for the bytes of a file, - for the standard input",
    "text",
  ),
}

const whole = (name: string, description: string, min: number, max: number) =>
  Flag.Int(name).pipe(
    Flag.withDescription(description),
    Flag.filter(
      (value) => value >= min && value <= max,
      (value) => `${value} is not from ${min} to ${max}`,
    ),
  )

const from = whole("from", "the first slot", 0, Number.MAX_SAFE_INTEGER).pipe(Flag.withDefault(0))

/** A command with its description and examples. */
const said =
  (description: string, ...examples: ReadonlyArray<readonly [command: string, description: string]>) =>
  <Name extends string, Input, ContextInput, E, R>(
    command: Command.Command<Name, Input, ContextInput, E, R>,
  ) =>
    command.pipe(
      Command.withDescription(description),
      Command.withExamples(examples.map(([command, description]) => ({ command, description }))),
    )

const dev = Command.make(
  "dev",
  input("data", "host", "port", "logLevel", "sandboxWorkers", "cryptoWorkers"),
  (given) => later(async () => (await import("./DevCommand.ts")).dev(given)),
).pipe(
  said(
    "Run a node on this machine: scheduler, compute and messenger in one process, with an HTTP API.",
    ["heddle dev", "run a node on ./.heddle, at http://127.0.0.1:7734"],
    ["heddle dev --data /tmp/try --port 8000", "another folder, another port"],
  ),
)

const keyName = Argument.String("name").pipe(Argument.withDescription("name of the key: a-z, 0-9, - and _"))
const keyInput = input("keys")

const keys = Command.make("keys").pipe(
  Command.withSubcommands([
    Command.make(
      "new",
      {
        ...keyInput,
        name: keyName,
        type: Flag.Literals("type", ["ml-dsa-65", "ml-dsa-44", "ml-dsa-87"]).pipe(
          Flag.withDescription("parameter set of FIPS 204"),
          Flag.withDefault("ml-dsa-65"),
        ),
        unsealed: yes(
          "unsealed",
          "keep the key without a passphrase; its file's mode is then all that protects it",
        ),
      },
      (given) => later(async () => (await import("./KeyCommands.ts")).create(given)),
    ).pipe(
      said(
        "Make a key and print its address.",
        ["heddle keys new ada", "asks for a passphrase, twice"],
        ["HEDDLE_PASSPHRASE=secret heddle keys new ada", "takes it from the environment"],
      ),
    ),
    Command.make("list", keyInput, (given) =>
      later(async () => (await import("./KeyCommands.ts")).list(given)),
    ).pipe(
      said("List your keys.", ["heddle keys list", "name, address, type, and whether a passphrase seals it"]),
    ),
    Command.make("show", { ...keyInput, name: keyName }, (given) =>
      later(async () => (await import("./KeyCommands.ts")).show(given)),
    ).pipe(said("Show one key, without its secret.", ["heddle keys show ada", "its address, type and file"])),
  ]),
  said("Make and list the keys with which you sign.", ["heddle keys new ada", "make one"]),
)

const spawn = Command.make(
  "spawn",
  {
    ...speaking,
    ...content,
    code: Argument.String("code").pipe(
      Argument.withDescription("a TypeScript or JavaScript file, or the id of a module"),
      Argument.filterMap(
        (value): Option.Option<{ readonly file: string } | { readonly module: Id.Id }> => {
          if (fs.existsSync(value)) return Option.some({ file: value })
          return Option.map(readId(value), (module) => ({ module }))
        },
        (value) => `there is no file ${value}, and it is no id of a module`,
      ),
    ),
    name: text("name", "a name for people to read", "name"),
  },
  (given) => later(async () => (await import("./MessageCommands.ts")).spawn(given)),
).pipe(
  said(
    "Make a process of a file and print its id.",
    ["heddle spawn counter.ts --as ada --name counter", "bundle the file, upload it, spawn a process of it"],
    [
      "heddle spawn token.ts --tag Ticker=TKN --tag Supply=1000",
      "tags that the process reads when it starts",
    ],
  ),
)

const send = Command.make(
  "send",
  {
    ...speaking,
    ...content,
    process: processId,
    action,
    receipt: yes("receipt", "get the scheduler's signed receipt too"),
  },
  (given) => later(async () => (await import("./MessageCommands.ts")).send(given)),
).pipe(
  said("Send a message and print the slot that it got.", [
    "heddle send <process> Increment --as ada --tag By=3",
    "does not wait for what the process makes of it",
  ]),
)

const secondsMax = 24 * 60 * 60

const ask = Command.make(
  "ask",
  {
    ...speaking,
    ...content,
    process: processId,
    action,
    timeoutSeconds: given(
      whole("timeout", "seconds after which not to wait any longer", 1, secondsMax).pipe(
        Flag.withMetavar("seconds"),
      ),
    ),
  },
  (given) => later(async () => (await import("./MessageCommands.ts")).ask(given)),
).pipe(
  said(
    "Send a message, wait for the answer and print it.",
    ["heddle ask <process> Get --as ada", "the message is in the log for good, as with send"],
    ["heddle ask <process> Transfer --as ada --tag Recipient=<address> --tag Quantity=5 --timeout 10", ""],
  ),
)

const query = Command.make("query", { ...talking, ...content, process: processId, action }, (given) =>
  later(async () => (await import("./MessageCommands.ts")).query(given)),
).pipe(
  said(
    "Run a message on a copy of the newest state and print the answer: a dry run, without a key or a trace.",
    ["heddle query <process> Get", "what the process would answer now"],
  ),
)

const log = Command.make(
  "log",
  {
    ...talking,
    process: processId,
    from,
    limit: whole("limit", "at most this many slots", 1, Limit.logPageMax).pipe(Flag.withDefault(50)),
  },
  (given) => later(async () => (await import("./ReadCommands.ts")).log(given)),
).pipe(
  said("Show what a process was told and what became of it.", [
    "heddle log <process> --from 100 --limit 20",
    "slots 100 to 119",
  ]),
)

const follow = Command.make("follow", { ...talking, process: processId, from }, (given) =>
  later(async () => (await import("./ReadCommands.ts")).follow(given)),
).pipe(
  said("Show every turn of a process as it happens, with what it prints.", [
    "heddle follow <process> --json | jq .outcome",
    "one JSON object a line",
  ]),
)

const view = Command.make(
  "view",
  {
    ...talking,
    process: processId,
    name: Argument.String("name").pipe(Argument.withDescription("the name that the process publishes under")),
  },
  (given) => later(async () => (await import("./ReadCommands.ts")).view(given)),
).pipe(
  said("Print what a process has published.", ["heddle view <process> count", "the JSON under this name"]),
)

const receipt = Command.make(
  "receipt",
  {
    ...talking,
    process: processId,
    slot: Argument.Int("slot").pipe(
      Argument.withDescription("the slot"),
      Argument.filter(
        (slot) => slot >= 0,
        (slot) => `${slot} is no slot: they count from 0`,
      ),
    ),
  },
  (given) => later(async () => (await import("./ReadCommands.ts")).receipt(given)),
).pipe(
  said("Show the scheduler's signed statement that a slot was given.", [
    "heddle receipt <process> 3 --json > receipt.json",
    "it convinces anyone, without the node",
  ]),
)

const ps = Command.make("ps", talking, (given) =>
  later(async () => (await import("./ReadCommands.ts")).ps(given)),
).pipe(said("List the processes of the node.", ["heddle ps", "id, name, slots, state"]))

const outbox = Command.make("outbox", talking, (given) =>
  later(async () => (await import("./ReadCommands.ts")).outbox(given)),
).pipe(said("List messages between processes that are not delivered, and why.", ["heddle outbox", ""]))

const replay = Command.make("replay", { ...talking, process: processId }, (given) =>
  later(async () => (await import("./AuditCommands.ts")).replay(given)),
).pipe(
  said("Run a process's whole log again, here, and compare every outcome and state root.", [
    "heddle replay <process>",
    "names the first slot that differs",
  ]),
)

const verify = Command.make("verify", { ...talking, process: processId }, (given) =>
  later(async () => (await import("./AuditCommands.ts")).verify(given)),
).pipe(
  said("Check everything about a process: signatures, chain, receipts, outcomes and roots.", [
    "heddle verify <process>",
    "names the first slot that does not hold",
  ]),
)

const config = Command.make("config", input(...Settings.names), (given) =>
  later(async () => (await import("./SettingsCommand.ts")).config(given)),
).pipe(
  said("Show the settings in force and where each comes from: flag, environment, file or default.", [
    "HEDDLE_PORT=8000 heddle config",
    "the port comes from the environment",
  ]),
)

export const heddle = Command.make("heddle").pipe(
  Command.withSubcommands([
    { group: "Run", commands: [dev, config] },
    { group: "Speak", commands: [keys, spawn, send, ask, query] },
    { group: "Read", commands: [ps, log, follow, view, receipt, outbox] },
    { group: "Check", commands: [replay, verify] },
  ]),
  said(
    "Actors whose ordered, signed message logs are permanent.",
    ["heddle dev", "run a node; then, in a second terminal:"],
    ["heddle keys new ada", "make a key"],
    ["heddle spawn counter.ts --as ada", "make a process"],
    ["heddle ask <process> Increment --as ada", "talk to it"],
  ),
)

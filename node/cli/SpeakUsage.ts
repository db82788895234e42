/** Usage of the commands that speak: keys, spawn, upgrade, authority, send, assign, ask, query. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import {
  action,
  attached,
  code,
  content,
  engine,
  given,
  input,
  later,
  processId,
  readId,
  said,
  speaking,
  talking,
  text,
  whole,
  yes,
} from "./Inputs.ts"

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

/** Memory is counted in pages of 64 KiB. */
const pagesPerMiB = 16

const spawn = Command.make(
  "spawn",
  {
    ...speaking,
    ...content,
    code,
    name: text("name", "a name for people to read", "name"),
    memoryMiB: given(
      whole(
        "memory",
        `memory that the process may take, in MiB; ${Limit.memoryPagesDefault / pagesPerMiB} where it is left out`,
        Math.ceil(Limit.memoryPagesMin / pagesPerMiB),
        Limit.memoryPagesMax / pagesPerMiB,
      ).pipe(Flag.withMetavar("MiB")),
    ),
    fuelPerTurnMax: given(
      whole(
        "fuel",
        `fuel that one turn may take; ${Limit.fuelPerTurnDefault} where it is left out`,
        Number(Limit.fuelPerTurnMin),
        Number(Limit.fuelPerTurnMax),
      ),
    ),
    engine,
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
    ["heddle spawn tally.wasm --memory 16 --fuel 50000000", "a WebAssembly module, within limits of its own"],
  ),
)

const upgrade = Command.make(
  "upgrade",
  { ...speaking, ...content, process: processId, code, engine },
  (given) => later(async () => (await import("./MessageCommands.ts")).upgrade(given)),
).pipe(
  said(
    "Let a process that you own go on as another program, and wait until it does.",
    [
      "heddle upgrade <process> counter-2.ts --as ada",
      "what the old program's onExport gives, the new one's onImport gets",
    ],
    ["heddle upgrade <process> <module> --as ada", "a module that the node holds"],
  ),
)

const believedUnits: Flag.Flag<ReadonlyArray<Id.Address>> = Flag.String("unit").pipe(
  Flag.withDescription("address of a compute unit that the process is to believe; one flag a unit"),
  Flag.withMetavar("address"),
  Flag.filterMap(readId, (value) => `"${value}" is no address: it has 43 characters`),
  Flag.atLeast(0),
)

const authority = Command.make(
  "authority",
  {
    ...speaking,
    process: processId,
    units: believedUnits,
    quorum: given(
      whole(
        "quorum",
        "how many of them have to attest; more than half, which is also what holds where it is left out",
        1,
        Limit.tagsMax,
      ),
    ),
  },
  (given) => later(async () => (await import("./AuthorityCommand.ts")).authority(given)),
).pipe(
  said(
    "Show whom a process believes about other processes; or say whom it is to believe, if you own it.",
    ["heddle authority <process>", "units, how many it takes, and the slot since which that holds"],
    [
      "heddle authority <process> --unit <address> --unit <address> --quorum 2 --as ada",
      "in force from the slot after the message on",
    ],
  ),
)

const send = Command.make(
  "send",
  {
    ...speaking,
    ...content,
    ...attached,
    process: processId,
    action,
    receipt: yes("receipt", "get the scheduler's signed receipt too"),
  },
  (given) => later(async () => (await import("./MessageCommands.ts")).send(given)),
).pipe(
  said(
    "Send a message and print the slot that it got.",
    ["heddle send <process> Increment --as ada --tag By=3", "does not wait for what the process makes of it"],
    ["heddle send <process> Store --as ada --data-file picture.png", "the bytes of a file, up to 24 MiB"],
  ),
)

const assign = Command.make(
  "assign",
  {
    ...speaking,
    process: processId,
    file: Argument.String("file").pipe(
      Argument.withDescription("the bytes of a signed item, or an AO schedule as heddle import-ao reads it"),
    ),
    id: given(
      Flag.String("id").pipe(
        Flag.withDescription("id of the item; of an AO schedule, which one"),
        Flag.withMetavar("id"),
        Flag.filterMap(readId, (value) => `"${value}" is no id of an item: it has 43 characters`),
      ),
    ),
  },
  (given) => later(async () => (await import("./AssignCommand.ts")).assign(given)),
).pipe(
  said(
    "Bring an item that somebody signed before into a process's log, where it speaks for who signed it.",
    [
      "heddle assign <process> picture.item --as ada",
      "an item as bundlers and wallets make it, in its bytes",
    ],
    ["heddle assign <process> schedule.json --id <message>", "a message of a process of AO"],
  ),
)

const secondsMax = 24 * 60 * 60

const ask = Command.make(
  "ask",
  {
    ...input("url", "keys", "peers"),
    as: speaking.as,
    ...content,
    ...attached,
    process: processId,
    action,
    timeoutSeconds: given(
      whole("timeout", "seconds after which not to wait any longer", 1, secondsMax).pipe(
        Flag.withMetavar("seconds"),
      ),
    ),
    quorum: given(
      whole(
        "quorum",
        "units of the process that have to attest the answer",
        1,
        Limit.witnessesPerProofMax,
      ).pipe(Flag.withMetavar("units")),
    ),
  },
  (given) => later(async () => (await import("./MessageCommands.ts")).ask(given)),
).pipe(
  said(
    "Send a message, wait for the answer and print it.",
    ["heddle ask <process> Get --as ada", "the message is in the log for good, as with send"],
    ["heddle ask <process> Transfer --as ada --tag Recipient=<address> --tag Quantity=5 --timeout 10", ""],
    [
      "heddle ask <process> Get --quorum 2 --unit-url https://other.example",
      "believes an answer that two of the process's units attest, whoever brings it",
    ],
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

export const group = {
  group: "Speak",
  commands: [keys, spawn, upgrade, authority, send, assign, ask, query],
} as const

/** Usage of the commands that read: ps, log, follow, view, receipt, snapshots, outbox, inbox. */
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Limit from "../../runtime/Limit.ts"
import * as Id from "../../runtime/Id.ts"
import {
  given,
  later,
  outboxPlace,
  processId,
  readId,
  readPlace,
  said,
  slot,
  slotFlag,
  speaking,
  talking,
  text,
  whole,
  yes,
} from "./Inputs.ts"

const from = slotFlag("from", "the first slot").pipe(Flag.withDefault(0))

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
    name: Argument.String("name").pipe(
      Argument.withDescription("the name that the process publishes under"),
      Argument.filter(
        (name) => name !== "",
        () => "a name that is not empty; heddle debug shows those that there are, with: views",
      ),
    ),
    proof: yes("proof", "check here that it is so, whatever the node says"),
    maxAgeSeconds: given(
      whole(
        "max-age",
        "seconds that the newest message of the process may be old; goes with --proof",
        1,
        Number.MAX_SAFE_INTEGER / 1000,
      ).pipe(Flag.withMetavar("seconds")),
    ),
  },
  (given) => later(async () => (await import("./ViewCommand.ts")).view(given)),
).pipe(
  said(
    "Print what a process has published.",
    ["heddle view <process> count", "the JSON under this name, as the node says"],
    [
      "heddle view <process> count --proof --max-age 60",
      "checked: signed by a compute unit that the process names, and of the last minute",
    ],
  ),
)

const receipt = Command.make(
  "receipt",
  {
    ...talking,
    process: processId,
    slot: slot("slot", "the slot"),
  },
  (given) => later(async () => (await import("./ReadCommands.ts")).receipt(given)),
).pipe(
  said("Show the scheduler's signed statement that a slot was given, and whether the archive has the slot.", [
    "heddle receipt <process> 3 --json > receipt.json",
    "it convinces anyone, without the node",
  ]),
)

const snapshots = Command.make("snapshots", { ...talking, process: processId }, (given) =>
  later(async () => (await import("./ReadCommands.ts")).snapshots(given)),
).pipe(
  said("List the snapshots that the node took of a process.", [
    "heddle snapshots <process>",
    "slot, state root, size, and whether its bytes are still kept",
  ]),
)

const ps = Command.make("ps", talking, (given) =>
  later(async () => (await import("./ReadCommands.ts")).ps(given)),
).pipe(said("List the processes of the node.", ["heddle ps", "id, name, slots, state"]))

const readEntry = (value: string) =>
  Option.flatMap(readPlace(value), ({ source, slot: at, index }) =>
    Option.map(Option.fromUndefinedOr(Id.parse(source)), (id) => ({ source: id, slot: at, index })),
  )

const outbox = Command.make(
  "outbox",
  {
    ...speaking,
    drop: outboxPlace("drop", "give up this message, as the owner of its source; a void takes its number"),
    reason: text("reason", "why it is given up; goes with --drop", "text"),
    retry: yes("retry", "try what waits again at once, whatever it waits for"),
    entry: Argument.String("entry").pipe(
      Argument.withDescription("source.slot.index, as heddle outbox shows it; all where it is left out"),
      Argument.filterMap(
        readEntry,
        (value) =>
          `"${value}" is no entry: it is the id of its process, a slot and an index, with dots between`,
      ),
      Argument.optional,
      Argument.map(Option.getOrUndefined),
    ),
  },
  ({ drop: place, ...given }) =>
    later(async () =>
      place === undefined
        ? (await import("./OutboxCommand.ts")).outbox(given)
        : (await import("./DropCommand.ts")).drop({ ...given, place }),
    ),
).pipe(
  said(
    "List messages between processes that are not delivered: why, since when, and when they are tried next.",
    ["heddle outbox", "the oldest first"],
    ["heddle outbox --retry", "try all of them again now"],
    ["heddle outbox --retry <source>.<slot>.<index>", "the pair of this one alone"],
    [
      'heddle outbox --drop <source>.12.0 --as ada --reason "nobody is there"',
      "who waits for the answer hears that there is none",
    ],
  ),
)

const inbox = Command.make(
  "inbox",
  {
    ...speaking,
    address: Argument.String("address").pipe(
      Argument.withDescription("whose inbox, as heddle keys list shows it; one's own where it is left out"),
      Argument.filterMap(
        readId,
        (value) => `"${value}" is no address: it has 43 characters of A-Z a-z 0-9 - _`,
      ),
      Argument.optional,
      Argument.map(Option.getOrUndefined),
    ),
    from: whole("from", "the first letter, counted from 0", 0, Number.MAX_SAFE_INTEGER).pipe(
      Flag.withMetavar("number"),
      Flag.withDefault(0),
    ),
    follow: yes("follow", "show letters as they come, until it is stopped"),
  },
  (given) => later(async () => (await import("./InboxCommand.ts")).inbox(given)),
).pipe(
  said(
    "Show what processes said to a person, each letter checked here before it is said whom it is from.",
    ["heddle inbox --as ada", "Ada's letters; the node hears of her key where it does not know it"],
    ["heddle inbox --as ada --from 12 --follow --json", "from letter 12 on, one JSON object a line"],
  ),
)

export const group = {
  group: "Read",
  commands: [ps, log, follow, view, receipt, snapshots, outbox, inbox],
} as const

/** Usage of the commands that read: ps, log, follow, view, receipt, snapshots, outbox. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Limit from "../../runtime/Limit.ts"
import {
  given,
  later,
  outboxPlace,
  processId,
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

const outbox = Command.make(
  "outbox",
  {
    ...speaking,
    drop: outboxPlace("drop", "give up this message, as the owner of its source; a void takes its number"),
    reason: text("reason", "why it is given up; goes with --drop", "text"),
  },
  ({ drop: place, ...given }) =>
    later(async () =>
      place === undefined
        ? (await import("./ReadCommands.ts")).outbox(given)
        : (await import("./DropCommand.ts")).drop({ ...given, place }),
    ),
).pipe(
  said(
    "List messages between processes that are not delivered, and why, or give one up.",
    ["heddle outbox", ""],
    [
      'heddle outbox --drop <source>.12.0 --as ada --reason "nobody is there"',
      "who waits for the answer hears that there is none",
    ],
  ),
)

export const group = { group: "Read", commands: [ps, log, follow, view, receipt, snapshots, outbox] } as const

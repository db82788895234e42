/** Usage of the commands that believe nothing and compute for themselves: replay, verify, prove, diff, debug, import-ao. */
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as ProveAgainstUsage from "./ProveAgainstUsage.ts"
import { given, later, processId, readCode, said, slot, slotFlag, talking, yes } from "./Inputs.ts"

const readStart = (value: string): Option.Option<number | "newest"> => {
  if (value === "newest") return Option.some(value)
  const slot = /^\d{1,15}$/.test(value) ? Number(value) : undefined
  return Option.fromUndefinedOr(slot)
}

const fromSnapshot = given(
  Flag.String("from-snapshot").pipe(
    Flag.withDescription("start from the snapshot after this slot, or from the newest one that is kept"),
    Flag.withMetavar("slot|newest"),
    Flag.filterMap(readStart, (value) => `"${value}" is no slot and not "newest"`),
  ),
)

const replay = Command.make(
  "replay",
  {
    ...talking,
    process: processId,
    fromSnapshot,
    program: given(
      Flag.String("with").pipe(
        Flag.withDescription("another program to run the log through: a file, or the id of a module"),
        Flag.withMetavar("code"),
        Flag.filterMap(readCode, (value) => `there is no file ${value}, and it is no id of a module`),
      ),
    ),
    from: given(slotFlag("from", "with --with: the first slot that it runs")),
    to: given(slotFlag("to", "with --with: the last slot that it runs")),
  },
  (given) => later(async () => (await import("./AuditCommands.ts")).replay(given)),
).pipe(
  said(
    "Run a process's log again, here, and compare every outcome and state root.",
    ["heddle replay <process>", "names the first slot that differs"],
    ["heddle replay <process> --from-snapshot newest", "only what came after the newest snapshot"],
    [
      "heddle replay <process> --from 100 --to 200 --with counter-2.ts",
      "what a changed program would have made of these messages",
    ],
  ),
)

const verify = Command.make("verify", { ...talking, process: processId, fromSnapshot }, (given) =>
  later(async () => (await import("./AuditCommands.ts")).verify(given)),
).pipe(
  said(
    "Check everything about a process: signatures, chain, receipts, outcomes and roots.",
    ["heddle verify <process>", "names the first slot that does not hold"],
    ["heddle verify <process> --from-snapshot newest", "takes what came before as attested"],
  ),
)

const diff = Command.make(
  "diff",
  {
    ...talking,
    process: processId,
    from: slot("from", "the slot after which to look first"),
    to: slot("to", "the slot after which to look again"),
  },
  (given) => later(async () => (await import("./DiffCommand.ts")).diff(given)),
).pipe(
  said("Show what changed in a process's state from after one slot to after another.", [
    "heddle diff <process> 10 12",
    "views, counters, timers, and pages of memory",
  ]),
)

const debug = Command.make(
  "debug",
  {
    ...talking,
    process: processId,
    slot: given(slotFlag("slot", "where to begin; the newest turn where it is left out")),
  },
  (given) => later(async () => (await import("./DebugCommand.ts")).debug(given)),
).pipe(
  said(
    "Step through a process's life, turn by turn, and look at its state. Nothing on the node is changed.",
    ["heddle debug <process> --slot 12", "then: help"],
    ["echo 'go 12; eval count; pages' | tr ';' '\\n' | heddle debug <process>", "the same from a script"],
  ),
)

const importAo = Command.make(
  "import-ao",
  {
    json: yes("json", "print JSON for machines"),
    file: Argument.String("file").pipe(
      Argument.withDescription("a JSON file of the items that AO's scheduler unit wrote, in order"),
    ),
  },
  (given) => later(async () => (await import("./AoCommand.ts")).importAo(given)),
).pipe(
  said(
    "Read the log of a process of AO and check it: signatures, ids, order and hash chain.",
    ["heddle import-ao schedule.json", "its slots, or the first thing that does not fit"],
    ["heddle assign <process> schedule.json --id <message>", "brings one of its messages to a process here"],
  ),
)

export const group = {
  group: "Check",
  commands: [replay, verify, ProveAgainstUsage.prove, diff, debug, importAo],
} as const

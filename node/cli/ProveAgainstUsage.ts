/** Usage of heddle prove. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import { given, later, processId, said, slotFlag, talking, text, yes } from "./Inputs.ts"

const check = Command.make(
  "check",
  {
    json: yes("json", "print JSON for machines"),
    file: Argument.String("file").pipe(Argument.withDescription("a proof, as heddle prove writes it")),
  },
  (given) => later(async () => (await import("./ProofCheck.ts")).check(given)),
).pipe(
  said("Check a proof with nothing but its file, and say who did what.", [
    "heddle prove check proof.json",
    "a slot given twice, a slot that is inadmissible, or two units that differ",
  ]),
)

export const prove = Command.make(
  "prove",
  {
    ...talking,
    process: processId,
    against: text("against", "URL of another node that has the process", "url"),
    slot: given(slotFlag("slot", "a slot that should not be in the log")),
    out: text("out", "file that the proof goes to", "file"),
  },
  ({ slot, ...given }) =>
    later(async () =>
      slot === undefined
        ? (await import("./ProveAgainst.ts")).prove(given)
        : (await import("./ProveInadmissible.ts")).prove({ ...given, slot }),
    ),
).pipe(
  Command.withSubcommands([check]),
  said(
    "Write the proof of what was signed about a process and can't all be true.",
    ["heddle prove <process>", "what the node saw its scheduler sign twice, where heddle ps says so"],
    [
      "heddle prove <process> --against https://other.example",
      "compares two nodes: a scheduler that gave a slot twice, or two compute units that differ",
    ],
    ["heddle prove <process> --slot 4", "that the scheduler gave slot 4 to what should not be in the log"],
    ["heddle prove check proof.json", "checks such a file"],
  ),
)

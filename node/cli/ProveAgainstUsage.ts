/** Usage of heddle prove --against. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { later, processId, said, talking, text } from "./Inputs.ts"

export const prove = Command.make(
  "prove",
  {
    ...talking,
    process: processId,
    against: Flag.String("against").pipe(
      Flag.withDescription("URL of another node that has the process"),
      Flag.withMetavar("url"),
    ),
    out: text("out", "file that the proof goes to", "file"),
  },
  (given) => later(async () => (await import("./ProveAgainst.ts")).proveAgainst(given)),
).pipe(
  said("Compare what two nodes signed about a process, and write the proof where it can't all be true.", [
    "heddle prove <process> --against https://other.example",
    "a scheduler that gave a slot twice, or two compute units that differ",
  ]),
)

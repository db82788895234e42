/** Usage of heddle prove. */
import * as Command from "effect/cli/Command"
import { later, processId, said, talking, text } from "./Inputs.ts"

export const prove = Command.make(
  "prove",
  {
    ...talking,
    process: processId,
    against: text("against", "URL of another node that has the process", "url"),
    out: text("out", "file that the proof goes to", "file"),
  },
  (given) => later(async () => (await import("./ProveAgainst.ts")).prove(given)),
).pipe(
  said(
    "Write the proof of what was signed about a process and can't all be true.",
    ["heddle prove <process>", "what the node saw its scheduler sign twice, where heddle ps says so"],
    [
      "heddle prove <process> --against https://other.example",
      "compares two nodes: a scheduler that gave a slot twice, or two compute units that differ",
    ],
  ),
)

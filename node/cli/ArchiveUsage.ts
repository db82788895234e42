/** Usage of the commands about the permanent log: restore, archive status, cost, push, fetch. */
import * as Command from "effect/cli/Command"
import { input, later, processId, said, talking, text } from "./Inputs.ts"
import * as RestoreUsage from "./RestoreUsage.ts"

const status = Command.make("status", talking, (given) =>
  later(async () => (await import("./ArchiveCommands.ts")).status(given)),
).pipe(
  said("Show how far the archive of the node is, what it took, and what waits.", [
    "heddle archive status",
    "what is made, bundled and confirmed; spent of the limit; bundles on their way",
  ]),
)

const cost = Command.make("cost", { ...talking, process: processId }, (given) =>
  later(async () => (await import("./ArchiveCommands.ts")).cost(given)),
).pipe(
  said("Estimate what archiving a process takes. Nothing is spent.", [
    "heddle archive cost <process>",
    "slots, bytes as signed and as stored, and AR",
  ]),
)

const push = Command.make(
  "push",
  {
    ...input("data", "archive", "arweave", "wallet", "spendingLimit"),
    folder: text("folder", "the folder of bundles; that of the node where it is left out", "folder"),
  },
  (given) => later(async () => (await import("./PushCommand.ts")).push(given)),
).pipe(
  said(
    "Send the bundles of a folder to Arweave. Ended at any moment it goes on where it was, and pays for nothing twice.",
    [
      "heddle archive push --arweave https://arweave.net --wallet wallet.json --spending-limit 0.5",
      "the archive of ./.heddle, for half an AR at most",
    ],
    [
      "heddle archive push --folder /mnt/archive",
      "another folder, as configured; again: shows what is confirmed",
    ],
  ),
)

const archive = Command.make("archive").pipe(
  Command.withSubcommands([status, cost, push, RestoreUsage.fetch]),
  said("The permanent log: how far it is, what it costs, moving it to Arweave, reading it back.", [
    "heddle archive status",
    "what is stored, sent and confirmed",
  ]),
)

export const group = { group: "Keep", commands: [RestoreUsage.restore, archive] } as const

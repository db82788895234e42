/** Usage of the commands that read from an archive: restore, archive fetch. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { given, input, later, processId, readId, said, text, yes } from "./Inputs.ts"

const from = Flag.String("from").pipe(
  Flag.withDescription("the archive: a folder of bundles, or URLs of Arweave gateways with commas between"),
  Flag.withMetavar("folder|url"),
)

export const restore = Command.make(
  "restore",
  {
    ...input("data", "sandboxWorkers", "cryptoWorkers", "memory"),
    processes: Argument.String("process").pipe(
      Argument.withDescription("ids of the processes; all of the node's scheduler where none is given"),
      Argument.filterMap(
        readId,
        (value) => `"${value}" is no id of a process: it has 43 characters of A-Z a-z 0-9 - _`,
      ),
      Argument.variadic(),
    ),
    from,
    full: yes("full", "run every turn again, from slot 0; without it, outcomes and snapshots are taken"),
    nodeKey: text("node-key", "the key file of the node that is restored; kept in the data folder", "file"),
    scheduler: given(
      Flag.String("scheduler").pipe(
        Flag.withDescription("address of the scheduler, where its key is not there: to read only"),
        Flag.withMetavar("address"),
        Flag.filterMap(readId, (value) => `"${value}" is no address: it has 43 characters`),
      ),
    ),
  },
  (given) => later(async () => (await import("./RestoreCommands.ts")).restore(given)),
).pipe(
  said(
    "Make an empty data folder what it was, out of an archive: log, programs, outcomes, snapshots.",
    ["heddle restore --from ./archive --node-key node.json", "all that the node had; then: heddle dev"],
    ["heddle restore <process> --from https://arweave.net --full", "one process, run again from slot 0"],
  ),
)

export const fetch = Command.make(
  "fetch",
  { json: yes("json", "print JSON for machines"), process: processId, from },
  (given) => later(async () => (await import("./RestoreCommands.ts")).fetch(given)),
).pipe(
  said("Read a process out of an archive and check everything about it. Nothing is kept.", [
    "heddle archive fetch <process> --from https://arweave.net",
    "its state root, and what was wrong with which piece",
  ]),
)

/**
 * Commands: what `heddle` can be told, as data. What a command does is loaded when it is run, so that help and wrong
 * usage are answered at once: the files of usage and what they import must stay light.
 */
import * as Command from "effect/cli/Command"
import * as Settings from "../Settings.ts"
import * as ArchiveUsage from "./ArchiveUsage.ts"
import * as CheckUsage from "./CheckUsage.ts"
import { input, later, said } from "./Inputs.ts"
import * as ReadUsage from "./ReadUsage.ts"
import * as SpeakUsage from "./SpeakUsage.ts"

const dev = Command.make(
  "dev",
  input(
    "data",
    "host",
    "port",
    "logLevel",
    "sandboxWorkers",
    "cryptoWorkers",
    "memory",
    "ratePeer",
    "rateIdentity",
    "rateProcess",
    "archive",
    "arweave",
    "wallet",
    "spendingLimit",
  ),
  (given) => later(async () => (await import("./DevCommand.ts")).dev(given)),
).pipe(
  said(
    "Run a node on this machine: scheduler, compute and messenger in one process, with an HTTP API.",
    ["heddle dev", "run a node on ./.heddle, at http://127.0.0.1:7734"],
    ["heddle dev --data /tmp/try --port 8000", "another folder, another port"],
    [
      "heddle dev --host 0.0.0.0 --rate-peer 50",
      "for others too, each of whom may send 50 messages a second",
    ],
    [
      "heddle dev --arweave https://arweave.net --wallet wallet.json --spending-limit 0.5",
      "its log goes to Arweave, for half an AR at most",
    ],
  ),
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
    SpeakUsage.group,
    ReadUsage.group,
    CheckUsage.group,
    ArchiveUsage.group,
  ]),
  said(
    "Actors whose ordered, signed message logs are permanent.",
    ["heddle dev", "run a node; then, in a second terminal:"],
    ["heddle keys new ada", "make a key"],
    ["heddle spawn counter.ts --as ada", "make a process"],
    ["heddle ask <process> Increment --as ada", "talk to it"],
  ),
)

/**
 * The public entry: `import { connect, start, createIdentity } from "heddle"`.
 *
 * First what works with Promises, then the same as typed Effect services. What is heavy (the store, the sandboxes, the
 * bundler) is loaded when it is first used.
 */
import os from "node:os"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import type * as Audit from "../compute-unit/Audit.ts"
import type { StateDifference } from "../compute-unit/StateDifference.ts"
import type { Trial } from "../compute-unit/Trial.ts"
import * as Identity from "../identity/Identity.ts"
import * as KeyFolder from "../identity/KeyFolder.ts"
import type { Code } from "../messenger-unit/Client.ts"
import * as GuestCode from "../messenger-unit/Code.ts"
import { MessengerUnit } from "../messenger-unit/MessengerUnit.ts"
import * as PromiseClient from "../messenger-unit/PromiseClient.ts"
import { Refused } from "../runtime/Admission.ts"
import * as Id from "../runtime/Id.ts"
import { bundler } from "./Bundler.ts"
import * as Logs from "./Logs.ts"
import type * as Recompute from "./Recompute.ts"
import * as Settings from "./Settings.ts"

const settingsOf = (flags: Settings.Sources["flags"]) =>
  Settings.load({
    flags,
    environment: process.env,
    folder: process.cwd(),
    home: os.homedir(),
    file: undefined,
  })

/**
 * Connects to a node: the one at `url`, else the one that `HEDDLE_URL` or `heddle.config.json` names, else the one of
 * this machine. Rejects with `Unreachable` where none answers.
 */
export const connect = async (url?: string, options: PromiseClient.Options = {}): Promise<Client> => {
  const { settings } = await Effect.runPromise(settingsOf(url === undefined ? {} : { url }))
  const runtime = ManagedRuntime.make(connectionLayer(settings.url))
  const client = clientOver(await runtime.runPromise(MessengerUnit), options, () => runtime.dispose())
  try {
    await client.info()
    return client
  } catch (error) {
    await client.close()
    throw error
  }
}

export interface StartOptions extends PromiseClient.Options {
  /** Where the node keeps its log and state; made where it is not there. */
  readonly dataFolder: string
  /** Serves the HTTP API too, on this port of this machine; 0 takes a free one. */
  readonly port?: number | undefined
  readonly logLevel?: Settings.LogLevel | undefined
  /** Threads that run processes, and threads that sign and verify. */
  readonly sandboxWorkers?: number | undefined
  readonly cryptoWorkers?: number | undefined
  /** MiB of memory that open processes may take together; those used longest ago wait on disk. */
  readonly memory?: number | undefined
  /** Messages a second that an address, a key, a process may send; as many as they like where nothing is said. */
  readonly ratePeer?: number | undefined
  readonly rateIdentity?: number | undefined
  readonly rateProcess?: number | undefined
  /** Folder that the log is archived to; `archive` in the data folder where nothing is said. */
  readonly archive?: string | undefined
  /** Gateways to Arweave, with commas between; goes with `wallet` (a file) and `spendingLimit` (AR as text). */
  readonly arweave?: string | undefined
  readonly wallet?: string | undefined
  readonly spendingLimit?: string | undefined
}

/** What programs use: the calls of the messenger, and the recomputation of what it serves. */
export interface Client extends PromiseClient.PromiseClient {
  /**
   * Runs a process's log again in a fresh sandbox, from slot 0 or from a snapshot; the report says what the first
   * difference is, if there is one.
   */
  readonly replay: (
    process: string,
    onProgress?: Recompute.Progress,
    from?: Audit.Start,
  ) => Promise<Audit.Report>
  /** As `replay`, and checks every signature, link, receipt and attestation. */
  readonly verify: (
    process: string,
    onProgress?: Recompute.Progress,
    from?: Audit.Start,
  ) => Promise<Audit.Report>
  /** Runs a process's log through another program; says which outcomes differ, and how the first does. */
  readonly trial: (
    process: string,
    code: Code,
    slots?: { readonly from?: number | undefined; readonly to?: number | undefined },
    onProgress?: Recompute.Progress,
  ) => Promise<Trial>
  /** What changed in a process's state from after one slot to after another; -1 is before the spawn. */
  readonly difference: (process: string, from: number, to: number) => Promise<StateDifference>
}

const clientOver = (
  messenger: MessengerUnit["Service"],
  options: PromiseClient.Options,
  close: () => Promise<void>,
): Client => {
  const recompute = async <A, E>(
    process: string,
    how: (recomputing: typeof Recompute, process: Id.ProcessId) => Effect.Effect<A, E>,
  ): Promise<A> => {
    const id = Id.parse(process)
    if (id === undefined)
      throw new Refused({ reason: "unknown process", detail: `"${process}" is no id: it has 43 characters` })
    return Effect.runPromise(how(await import("./Recompute.ts"), id))
  }
  return {
    ...PromiseClient.make(messenger, options, bundler, close),
    replay: (process, onProgress, from) =>
      recompute(process, ({ replay }, id) => replay(messenger, id, onProgress, from)),
    verify: (process, onProgress, from) =>
      recompute(process, ({ verify }, id) => verify(messenger, id, onProgress, from)),
    trial: (process, given, { from = 0, to } = {}, onProgress) =>
      recompute(process, ({ trial }, id) =>
        Effect.provideService(GuestCode.read(given, bundler), MessengerUnit, messenger).pipe(
          Effect.flatMap(({ source, locate }) =>
            Effect.mapError(
              trial(messenger, id, { from, to, program: source }, onProgress),
              GuestCode.inAuthorsFile(locate),
            ),
          ),
        ),
      ),
    difference: (process, from, to) =>
      recompute(process, ({ difference }, id) => difference(messenger, id, from, to)),
  }
}

/** A client with its node in this process. */
export interface EmbeddedNode extends Client {
  /** Where the node serves its HTTP API, if it does. */
  readonly url: string | undefined
}

/** Runs a node in this process and gives a client that talks to it without HTTP. Closing the client stops the node. */
export const start = async ({
  dataFolder,
  port,
  logLevel = "warning",
  ...options
}: StartOptions): Promise<EmbeddedNode> => {
  const { archive, arweave, wallet, spendingLimit } = options
  const numbers = [
    "sandboxWorkers",
    "cryptoWorkers",
    "memory",
    "ratePeer",
    "rateIdentity",
    "rateProcess",
  ] as const
  const { settings } = await Effect.runPromise(
    settingsOf({
      data: dataFolder,
      archive,
      arweave,
      wallet,
      spendingLimit,
      ...Object.fromEntries(
        numbers.flatMap((name) => (options[name] === undefined ? [] : [[name, String(options[name])]])),
      ),
    }),
  )
  const node = nodeLayer(settings).pipe(Layer.provide(Logs.layer(logLevel, process.stderr.isTTY)))
  if (port === undefined) {
    const runtime = ManagedRuntime.make(node)
    const messenger = await runtime.runPromise(MessengerUnit)
    return { ...clientOver(messenger, options, () => runtime.dispose()), url: undefined }
  }
  const HttpServer = await import("./HttpServer.ts")
  const runtime = ManagedRuntime.make(
    HttpServer.layer({ host: "127.0.0.1", port }).pipe(Layer.provideMerge(node)),
  )
  const [messenger, url] = await runtime.runPromise(Effect.all([MessengerUnit, HttpServer.url]))
  return { ...clientOver(messenger, options, () => runtime.dispose()), url }
}

/** A new identity with a key of ML-DSA-65. It is in memory only: `heddle keys new` makes one that is kept. */
export const createIdentity = (): Promise<Identity.Identity> => Effect.runPromise(Identity.generate())

/** An identity that `heddle keys new` made, from the folder that `HEDDLE_KEYS` or `heddle.config.json` names. */
export const openIdentity = (name: string, passphrase: string): Promise<Identity.Identity> =>
  Effect.runPromise(
    Effect.flatMap(settingsOf({}), ({ settings }) => KeyFolder.at(settings.keys).open(name, passphrase)),
  )

/** All units of a node on a data folder, for programs that use Effect. */
export const nodeLayer = ({
  data,
  sandboxWorkers,
  cryptoWorkers,
  memory,
  archive = Settings.archiveOf(data),
  arweave = "",
  wallet = "",
  spendingLimit = "",
  ...others
}: Pick<Settings.Settings, "data" | "sandboxWorkers" | "cryptoWorkers"> &
  Partial<Omit<Settings.Settings, "data" | "sandboxWorkers" | "cryptoWorkers">>) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const Node = yield* Effect.promise(() => import("./Node.ts"))
      const NodeKey = yield* Effect.promise(() => import("./NodeKey.ts"))
      const Archiving = yield* Effect.promise(() => import("./Archiving.ts"))
      const archiving = yield* Archiving.choose({ archive, arweave, wallet, spendingLimit })
      const identity = yield* NodeKey.open(data)
      const rates = Settings.ratesOf(others)
      return Node.layer({
        dataFolder: data,
        identity,
        sandboxWorkers,
        cryptoWorkers,
        memory,
        rates,
        archiving,
      })
    }),
  )

/** A messenger at a URL, for programs that use Effect. */
export const connectionLayer = (url: string) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./Connection.ts")),
      ({ layer }) => layer(url),
    ),
  )

/** The calls of the client as Effects that need a `MessengerUnit`. */
export * as Effects from "../messenger-unit/Client.ts"

export { ComputeUnit, ComputeUnknown, ModuleInvalid } from "../compute-unit/ComputeUnit.ts"
export { Entropy } from "../identity/Entropy.ts"
export { Identity } from "../identity/Identity.ts"
export { KeyUnknown } from "../identity/KeyFolder.ts"
export { KeyFileDamaged, WrongPassphrase } from "../identity/KeyFile.ts"
export { Signer, SigningFailed } from "../identity/Signer.ts"
export { Verifier } from "../identity/Verifier.ts"
export { AskFailed, EngineMissing, NotOwner, SourceInvalid } from "../messenger-unit/Client.ts"
export {
  EntryUnknown,
  InboxRefused,
  InboxUnknown,
  MessengerUnit,
  Unreachable,
} from "../messenger-unit/MessengerUnit.ts"
export { NobodySpeaks, QueryFailed } from "../messenger-unit/PromiseClient.ts"
export { LetterInvalid } from "../messenger-unit/ProvenLetter.ts"
export { ProofInvalid } from "../messenger-unit/ProvenView.ts"
export { Refused } from "../runtime/Admission.ts"
export { ArchiveUnavailable } from "../runtime/Archive.ts"
export { ItemInvalid } from "../runtime/Item.ts"
export { Store, StoreFailed, StoreUnavailable } from "../runtime/Store.ts"
export { LogUnknown, SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
export { SettingsInvalid } from "./Settings.ts"

export type { Anchor, Cost as ArchiveCost, Status as ArchiveStatus } from "../archive-unit/ArchiveUnit.ts"
export type { Answer, Query, SnapshotInfo, Turn, View, ViewProven } from "../compute-unit/ComputeUnit.ts"
export type { StateDifference } from "../compute-unit/StateDifference.ts"
export type { Trial } from "../compute-unit/Trial.ts"
export type { Code, Dropped, Entry } from "../messenger-unit/Client.ts"
export type { InboxPage, Received } from "../messenger-unit/InboxReader.ts"
export type { Draft, Json } from "../messenger-unit/Draft.ts"
export type {
  Letter,
  NodeInfo,
  OutboxPlace,
  ProcessInfo,
  Retried,
  Undelivered,
} from "../messenger-unit/MessengerUnit.ts"
export type {
  AuthorityChanged,
  Call,
  Drop,
  Message,
  Options,
  Page,
  Proof,
  ProvenView,
  QueryAnswer,
  Spawn,
  Upgrade,
  Upgraded,
} from "../messenger-unit/PromiseClient.ts"
export type { ProvenLetter } from "../messenger-unit/ProvenLetter.ts"
export type { Attestation, SignedAttestation } from "../runtime/Attestation.ts"
export type { InForce as Authority } from "../runtime/Authority.ts"
export type { Receipt } from "../runtime/Batch.ts"
export type { Address, ProcessId } from "../runtime/Id.ts"
export type { Outcome, Reply, TurnError } from "../runtime/Outcome.ts"
export type { Accepted, LogEntry } from "../scheduler-unit/SchedulerUnit.ts"

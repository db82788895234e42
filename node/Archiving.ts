/**
 * Archiving: where a node archives what it has done: in a folder, or on Arweave, where somebody has said who pays and how
 * much. An operator says so in three settings:
 *
 *     {"arweave": "https://arweave.net", "wallet": "wallet.json", "spendingLimit": "0.5"}
 */
import fs from "node:fs/promises"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type * as ArchiveUnitLocal from "../archive-unit/ArchiveUnitLocal.ts"
import { Archive, type ArchiveUnavailable } from "../runtime/Archive.ts"
import * as ArchiveArweave from "../runtime/ArchiveArweave.ts"
import * as ArchiveFolder from "../runtime/ArchiveFolder.ts"
import * as ArweaveWallet from "../runtime/ArweaveWallet.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Winston from "../runtime/Winston.ts"
import * as Settings from "./Settings.ts"

export interface InFolder {
  readonly folder: string
}

export interface OnArweave {
  readonly gateways: ReadonlyArray<string>
  readonly wallet: ArweaveWallet.Wallet
  /** Winston that may be spent in all. */
  readonly spendingLimit: bigint
}

export type Archiving = InFolder | OnArweave

/** A wallet that can't pay. What the file holds is in no word of it. */
export class WalletUnreadable extends Data.TaggedError("WalletUnreadable")<{
  readonly file: string
  readonly detail: string
}> {
  override get message(): string {
    return `wallet ${this.file}: ${this.detail}`
  }
}

const readWallet = Effect.fnUntraced(function* (file: string) {
  const text = yield* Effect.tryPromise({
    try: () => fs.readFile(file, "utf8"),
    catch: (error) => {
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error"
      return new WalletUnreadable({ file, detail: `the file can't be read (${code})` })
    },
  })
  return yield* Effect.mapError(
    Effect.fromResult(ArweaveWallet.read(text)),
    (detail) => new WalletUnreadable({ file, detail }),
  )
})

type Chosen = Pick<Settings.Settings, "arweave" | "wallet" | "spendingLimit">

const lacking = (name: "arweave" | "wallet" | "spendingLimit"): Settings.SettingsInvalid => {
  const { flag, variable, description } = Settings.definitions[name]
  return new Settings.SettingsInvalid({
    source: `setting "${name}"`,
    detail: `is missing (${description}): nothing is sent to Arweave without a gateway, a wallet and a spending limit; set it with --${flag}, ${variable} or "${name}" in ${Settings.fileName}`,
  })
}

/** Arweave as the settings name it. The wallet's file is read here and never again. */
export const onArweave = Effect.fnUntraced(function* ({
  arweave,
  wallet,
  spendingLimit,
}: Chosen): Effect.fn.Return<OnArweave, Settings.SettingsInvalid | WalletUnreadable> {
  if (arweave === "") return yield* lacking("arweave")
  if (wallet === "") return yield* lacking("wallet")
  const winston = Winston.fromAr(spendingLimit)
  if (winston === undefined) return yield* lacking("spendingLimit")
  return { gateways: arweave.split(","), wallet: yield* readWallet(wallet), spendingLimit: winston }
})

/** Where the settings say that a node archives. */
export const choose = (
  settings: Chosen & Pick<Settings.Settings, "archive">,
): Effect.Effect<Archiving, Settings.SettingsInvalid | WalletUnreadable> =>
  settings.arweave === "" ? Effect.succeed({ folder: settings.archive }) : onArweave(settings)

/** The archive in a folder that can't be made yet, perhaps: whoever asks for it tries again, and is told why not. */
const inFolder = (folder: string): Archive["Service"] => {
  let made: Archive["Service"] | undefined
  const open = Effect.suspend(() =>
    made === undefined
      ? Effect.tap(ArchiveFolder.make(folder), (archive) => Effect.sync(() => void (made = archive)))
      : Effect.succeed(made),
  )
  const using = <A, E>(use: (archive: Archive["Service"]) => Effect.Effect<A, E>) =>
    Effect.flatMap<Archive["Service"], ArchiveUnavailable, never, A, E, never>(open, use)
  return Archive.of({
    name: folder,
    price: (bytes) => using((archive) => archive.price(bytes)),
    prepare: (bundle) => using((archive) => archive.prepare(bundle)),
    upload: (...all) => using((archive) => archive.upload(...all)),
    holds: (transfer) => using((archive) => archive.holds(transfer)),
    status: (transfer) => using((archive) => archive.status(transfer)),
    height: using(({ height }) => height),
    find: (query) => Stream.unwrap(Effect.map(open, (archive) => archive.find(query))),
    read: (found) => using((archive) => archive.read(found)),
  })
}

export const layer = (archiving: Archiving) =>
  "folder" in archiving
    ? Layer.sync(Archive, () => inFolder(archiving.folder))
    : ArchiveArweave.layer({ ...archiving, costMax: archiving.spendingLimit })

/** What the archive unit has to know of it. */
export const unit = (archiving: Archiving): ArchiveUnitLocal.Options =>
  "folder" in archiving
    ? { confirmations: 1, folder: true }
    : {
        confirmations: Limit.archiveConfirmations,
        folder: false,
        spendingLimit: archiving.spendingLimit,
      }

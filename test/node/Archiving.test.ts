/** Where a node archives, as its operator says it, and what it says where that can't be. */
import fs from "node:fs"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import { Archive } from "../../runtime/Archive.ts"
import { ArchiveUnit } from "../../archive-unit/ArchiveUnit.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Archiving from "../../node/Archiving.ts"
import * as Node from "../../node/Node.ts"
import * as Caller from "../support/Caller.ts"
import * as Folder from "../support/Folder.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as Wallet from "../support/ArweaveWallet.ts"

const none = { archive: "/a", arweave: "", wallet: "", spendingLimit: "" }
const whole = (folder: string) => ({
  archive: "/a",
  arweave: "https://one.example,https://two.example",
  wallet: path.join(folder, "wallet.json"),
  spendingLimit: "0.000000000002",
})

describe("where a node archives", () => {
  it.effect("is its folder, until somebody configures Arweave in three lines", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      assert.deepStrictEqual(yield* Archiving.choose(none), { folder: "/a" })
      const alone = { ...none, wallet: "/nothing", spendingLimit: "1" }
      assert.deepStrictEqual(yield* Archiving.choose(alone), { folder: "/a" })
      fs.writeFileSync(path.join(folder, "wallet.json"), Wallet.text)
      const chosen = yield* Archiving.choose(whole(folder))
      if ("folder" in chosen) throw new Error("it is no folder")
      assert.deepStrictEqual(chosen.gateways, ["https://one.example", "https://two.example"])
      assert.strictEqual(chosen.wallet.address, Wallet.wallet.address)
      assert.strictEqual(chosen.spendingLimit, 2n)
      assert.deepInclude(Archiving.unit(chosen), { confirmations: 10, spendingLimit: 2n, folder: false })
      assert.deepStrictEqual(Archiving.unit({ folder: "/a" }), { confirmations: 1, folder: true })
    }),
  )

  it.effect.each(["wallet", "spendingLimit"] as const)("is nowhere on Arweave without %s", (missing) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Archiving.choose({ ...whole("/"), wallet: "/w", [missing]: "" }))
      if (missing === "wallet") {
        assert.deepInclude(error, { _tag: "SettingsInvalid", source: 'setting "wallet"' })
        assert.include(error.message, "--wallet, HEDDLE_WALLET")
      } else {
        assert.deepInclude(error, { _tag: "SettingsInvalid", source: 'setting "spendingLimit"' })
        assert.include(error.message, "--spending-limit, HEDDLE_SPENDING_LIMIT")
      }
    }),
  )

  it.effect("is not paid from a file that is no wallet, and nothing of it is told", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const settings = whole(folder)
      const missing = yield* Effect.flip(Archiving.choose(settings))
      assert.deepInclude(missing, { _tag: "WalletUnreadable", file: settings.wallet })
      assert.include(missing.message, "ENOENT")
      const key = JSON.parse(Wallet.text) as Record<string, string>
      for (const text of ["secret", '{"secret": 1}', JSON.stringify({ ...key, kty: "secret" }), "{secret"]) {
        fs.writeFileSync(settings.wallet, text)
        const error = yield* Effect.flip(Archiving.choose(settings))
        assert.deepInclude(error, { _tag: "WalletUnreadable", file: settings.wallet })
        assert.notInclude(`${error.message} ${JSON.stringify(error)}`, "secret")
      }
    }),
  )
})

describe("a folder that can't be made", () => {
  it.live("fails nothing but what needs it, and is found once it can", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const file = path.join(folder, "file")
      fs.writeFileSync(file, "")
      const at = path.join(file, "archive")
      yield* Effect.gen(function* () {
        const archive = yield* Archive
        assert.strictEqual(archive.name, at)
        assert.deepInclude(yield* Effect.flip(archive.height), { _tag: "ArchiveUnavailable", gateway: at })
        fs.rmSync(file)
        assert.strictEqual(yield* archive.height, 0)
      }).pipe(Effect.provide(Archiving.layer({ folder: at })))
    }),
  )

  it.live("keeps no node from starting, which says so, and from answering", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      fs.writeFileSync(path.join(folder, "file"), "")
      const node = Node.layer({
        dataFolder: path.join(folder, "data"),
        identity: SmallNode.identity,
        sandboxWorkers: 1,
        cryptoWorkers: 1,
        archiving: { folder: path.join(folder, "file", "archive") },
        archiveUnit: { gatherMs: 0 },
      })
      yield* Effect.gen(function* () {
        const messenger = yield* MessengerUnit
        yield* SmallNode.until(
          "it says so",
          Effect.map(messenger.archive, ({ problem }) => problem?.includes("ENOTDIR") ?? false),
        )
        const ada = Caller.caller("ada")
        const process = yield* SmallNode.spawn({ messenger }, ada, "heddle.on('Get', () => 1)")
        assert.strictEqual(yield* SmallNode.ask({ messenger }, ada, process, "Get"), 1)
        fs.rmSync(path.join(folder, "file"))
        yield* (yield* ArchiveUnit).flush
        assert.strictEqual((yield* messenger.archive).problem, undefined)
        assert.strictEqual((yield* messenger.anchor(process))?.slot, 1)
      }).pipe(Effect.provide(node))
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
  )
})

describe("a node that stops", () => {
  it.live("has all it gathered in its archive folder, in one bundle that is confirmed", () =>
    Effect.gen(function* () {
      const dataFolder = yield* Folder.make
      const node = Layer.fresh(
        Node.layer({ dataFolder, identity: SmallNode.identity, sandboxWorkers: 1, cryptoWorkers: 1 }),
      )
      const ada = Caller.caller("ada")
      const files = () =>
        fs.readdirSync(path.join(dataFolder, "archive")).filter((name) => name.endsWith(".bundle"))
      const process = yield* Effect.gen(function* () {
        const messenger = yield* MessengerUnit
        const pid = yield* SmallNode.spawn({ messenger }, ada, "heddle.on('Get', () => 1)")
        yield* SmallNode.ask({ messenger }, ada, pid, "Get")
        assert.strictEqual((yield* messenger.archive).batches.bundled, 0)
        return pid
      }).pipe(Effect.provide(node))
      assert.strictEqual(files().length, 1)
      yield* Effect.gen(function* () {
        const { batches, turns, waiting } = yield* MessengerUnit.use(({ archive }) => archive)
        assert.deepStrictEqual([batches.bundled, turns.bundled], [batches.made, turns.made])
        assert.deepStrictEqual(waiting, [])
        const unit = yield* ArchiveUnit
        assert.strictEqual((yield* unit.anchor(process))?.slot, 1)
        assert.strictEqual(files().length, 1)
      }).pipe(Effect.provide(node))
    }),
  )
})

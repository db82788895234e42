/** Where each setting comes from, and what is said where it can't be. */
import fs from "node:fs"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Settings from "../../node/Settings.ts"
import * as Folder from "../support/Folder.ts"

const load = (folder: string, sources: Partial<Settings.Sources> = {}) =>
  Settings.load({ flags: {}, environment: {}, folder, home: "/home/ada", file: undefined, ...sources })

const write = (folder: string, content: unknown, name = Settings.fileName): string => {
  const file = path.join(folder, name)
  fs.writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content))
  return file
}

/** For each setting a value as text, and as it comes out. */
const examples: Readonly<Record<Settings.Name, readonly [text: string, value: string | number]>> = {
  data: ["/var/heddle", "/var/heddle"],
  keys: ["/etc/keys", "/etc/keys"],
  url: ["https://node.example/", "https://node.example"],
  host: ["0.0.0.0", "0.0.0.0"],
  port: ["8123", 8123],
  logLevel: ["debug", "debug"],
  sandboxWorkers: ["3", 3],
  cryptoWorkers: ["2", 2],
  memory: ["64", 64],
  ratePeer: ["100000", 100_000],
  rateIdentity: ["0", 0],
  rateProcess: ["50", 50],
  archive: ["/mnt/archive", "/mnt/archive"],
  arweave: ["https://arweave.net/, http://127.0.0.1:1984", "https://arweave.net,http://127.0.0.1:1984"],
  wallet: ["/etc/wallet.json", "/etc/wallet.json"],
  spendingLimit: ["0.5", "0.5"],
  peers: ["https://one.example/, http://127.0.0.1:8000", "https://one.example,http://127.0.0.1:8000"],
}

describe("Settings", () => {
  it.effect("has a default for each", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const { settings, list } = yield* load(folder)
      assert.deepInclude(settings, {
        data: path.join(folder, ".heddle"),
        keys: "/home/ada/.heddle/keys",
        url: "http://127.0.0.1:7734",
        host: "127.0.0.1",
        port: 7734,
        logLevel: "info",
        ratePeer: 0,
        rateIdentity: 0,
        rateProcess: 0,
        archive: path.join(folder, ".heddle", "archive"),
        peers: "",
        arweave: "",
        wallet: "",
        spendingLimit: "",
      })
      assert.isAtLeast(settings.sandboxWorkers, 1)
      assert.isAtLeast(settings.cryptoWorkers, 1)
      assert.deepStrictEqual(
        list.map(({ name }) => name),
        [...Settings.names],
      )
      assert.deepStrictEqual(new Set(list.map(({ source }) => source)), new Set(["default"]))
    }),
  )

  it.effect.each(Settings.names)(
    "takes %s from a flag before the environment before the file, and says which",
    (name) =>
      Effect.gen(function* () {
        const folder = yield* Folder.make
        const [text, value] = examples[name]
        const { flag, variable } = Settings.definitions[name]
        const inForce = (sources: Partial<Settings.Sources>) =>
          Effect.map(load(folder, sources), ({ list }) => {
            const { value, source } = list.find((setting) => setting.name === name)!
            return { value, source }
          })
        const before = yield* inForce({})
        assert.strictEqual(before.source, "default")
        const file = write(folder, { [name]: value })
        assert.deepStrictEqual(yield* inForce({}), { value, source: `file ${file}, "${name}"` })
        write(folder, { [name]: before.value })
        const environment = { [variable]: text }
        assert.deepStrictEqual(yield* inForce({ environment }), { value, source: `environment ${variable}` })
        const outvoted = { [variable]: String(before.value) }
        assert.deepStrictEqual(yield* inForce({ environment: outvoted, flags: { [name]: text } }), {
          value,
          source: `flag --${flag}`,
        })
      }),
  )

  it.effect("takes an empty variable for none", () =>
    Effect.gen(function* () {
      const { list } = yield* load(yield* Folder.make, { environment: { HEDDLE_PORT: "" } })
      assert.isTrue(list.every(({ source }) => source === "default"))
    }),
  )

  it.effect("looks for the node where the node is told to listen", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const { settings, list } = yield* load(folder, { environment: { HEDDLE_PORT: "9000" } })
      assert.strictEqual(settings.url, "http://127.0.0.1:9000")
      assert.include(list.find(({ name }) => name === "url")?.source, "HEDDLE_PORT")
    }),
  )

  it.effect("archives into the data folder, wherever that is", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const { settings, list } = yield* load(folder, { flags: { data: "/var/heddle" } })
      assert.strictEqual(settings.archive, "/var/heddle/archive")
      assert.include(list.find(({ name }) => name === "archive")?.source, "flag --data")
    }),
  )

  it.effect("starts relative paths at the working directory, and those of a file where the file lies", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      fs.mkdirSync(path.join(folder, "etc"))
      const file = write(path.join(folder, "etc"), { data: "../data", keys: "~/keys" }, "node.json")
      const { settings } = yield* load(folder, { file: "etc/node.json" })
      assert.strictEqual(settings.data, path.join(folder, "data"))
      assert.strictEqual(settings.keys, "/home/ada/keys")
      assert.strictEqual(
        (yield* load(folder, { file, flags: { data: "here" } })).settings.data,
        path.join(folder, "here"),
      )
    }),
  )

  const bad: ReadonlyArray<readonly [Settings.Name, unknown]> = [
    ["port", "eighty"],
    ["port", "65536"],
    ["port", "-1"],
    ["port", 1.5],
    ["port", null],
    ["sandboxWorkers", "0"],
    ["memory", "0"],
    ["ratePeer", "-1"],
    ["rateIdentity", 0.5],
    ["rateProcess", "100001"],
    ["cryptoWorkers", 1000],
    ["logLevel", "loud"],
    ["url", "ftp://node.example"],
    ["url", "node.example"],
    ["data", 5],
    ["keys", ["a"]],
    ["host", {}],
    ["archive", ""],
    ["arweave", "arweave.net"],
    ["peers", "other.example"],
    ["arweave", "https://arweave.net,"],
    ["wallet", 1],
    ["spendingLimit", "half"],
    ["spendingLimit", "0.0000000000001"],
    ["spendingLimit", 0.5],
  ]
  it.effect.each(bad)("refuses %s = %j, by its place", ([name, value]) =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const file = write(folder, { [name]: value })
      const inFile = yield* Effect.flip(load(folder))
      assert.deepInclude(inFile, { _tag: "SettingsInvalid", source: `file ${file}, "${name}"` })
      assert.include(inFile.detail, "takes ")
      if (typeof value !== "string" || value === "") return
      write(folder, {})
      const { flag, variable } = Settings.definitions[name]
      const inFlag = yield* Effect.flip(load(folder, { flags: { [name]: value } }))
      assert.strictEqual(inFlag.source, `flag --${flag}`)
      const inEnvironment = yield* Effect.flip(load(folder, { environment: { [variable]: value } }))
      assert.strictEqual(inEnvironment.source, `environment ${variable}`)
    }),
  )

  it.effect("refuses a file that is no object of settings, and names what is no setting", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      for (const [content, detail] of [
        ["{", "is not JSON"],
        ["[]", "one JSON object"],
        ['"port"', "one JSON object"],
        ['{"prot": 1}', '"prot" is no setting; there are data, keys,'],
      ] as const) {
        const file = write(folder, content)
        const error = yield* Effect.flip(load(folder))
        assert.strictEqual(error.source, file)
        assert.include(error.detail, detail)
      }
      write(folder, { $schema: "./schema.json" })
      yield* load(folder)
    }),
  )

  it.effect("refuses a named file that is not there", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const error = yield* Effect.flip(load(folder, { file: "nothing.json" }))
      assert.strictEqual(error.source, path.join(folder, "nothing.json"))
      assert.include(error.detail, "ENOENT")
    }),
  )
})

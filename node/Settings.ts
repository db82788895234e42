/**
 * Settings: what an operator or a caller can choose, and where each value in force comes from.
 *
 *     flag  >  environment  >  heddle.config.json  >  default
 *
 * Example: with `{"port": 8000}` in the file and `HEDDLE_PORT=9000` in the environment, the port is 9000, from the
 * environment. Relative paths start at the working directory; those of a file start where the file lies.
 */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Limit from "../runtime/Limit.ts"
import * as Winston from "../runtime/Winston.ts"

export const logLevels = ["debug", "info", "warning", "error", "none"] as const
export type LogLevel = (typeof logLevels)[number]

export interface Settings {
  readonly data: string
  readonly keys: string
  readonly url: string
  /** URLs of other nodes whose units can be asked, with commas between; empty where there are none. */
  readonly peers: string
  readonly host: string
  readonly port: number
  readonly logLevel: LogLevel
  readonly sandboxWorkers: number
  readonly cryptoWorkers: number
  /** MiB. */
  readonly memory: number
  /** Messages a second; 0 where there is no rate. */
  readonly ratePeer: number
  readonly rateIdentity: number
  readonly rateProcess: number
  /** Folder of the archive, where none on Arweave is configured. */
  readonly archive: string
  /** URLs of gateways with commas between; empty switches Arweave off. */
  readonly arweave: string
  /** Path of the key file that pays; empty where there is none. */
  readonly wallet: string
  /** AR that may be spent, as decimal text; empty where nothing may. */
  readonly spendingLimit: string
}

export type Name = keyof Settings

/** A value in force and who set it, as `heddle config` shows it. */
export interface Setting {
  readonly name: Name
  readonly value: string | number
  readonly source: string
}

/** A setting that can't be. `source` is where it stands. */
export class SettingsInvalid extends Data.TaggedError("SettingsInvalid")<{
  readonly source: string
  readonly detail: string
}> {
  override get message(): string {
    return `${this.source}: ${this.detail}`
  }
}

/** Where values come from. Flags are named as settings are. */
export interface Sources {
  readonly flags: Readonly<Partial<Record<Name, string | undefined>>>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly folder: string
  readonly home: string
  /** The file named by `--config`; without it `heddle.config.json` in the folder is read if it is there. */
  readonly file: string | undefined
}

export const fileName = "heddle.config.json"

/** A value of a file is JSON; of a flag or a variable, text. `base` is where relative paths start. */
type Read = (value: unknown, base: string, home: string) => Result.Result<string | number, string>

const text = (value: unknown, form: string): Result.Result<string, string> =>
  typeof value === "string" && value !== "" ? Result.succeed(value) : Result.fail(`takes ${form}`)

const at =
  (form: string): Read =>
  (value, base, home) =>
    Result.map(text(value, form), (at) =>
      path.resolve(base, at === "~" || at.startsWith("~/") ? path.join(home, at.slice(1)) : at),
    )

const folder = at("the path of a folder")

const whole =
  (min: number, max: number): Read =>
  (value) => {
    const number = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value
    return typeof number === "number" && Number.isSafeInteger(number) && number >= min && number <= max
      ? Result.succeed(number)
      : Result.fail(`takes a whole number from ${min} to ${max}, not ${JSON.stringify(value)}`)
  }

const url: Read = (value) =>
  Result.flatMap(text(value, "a URL such as http://127.0.0.1:7734"), (at) =>
    URL.canParse(at) && /^https?:$/.test(new URL(at).protocol)
      ? Result.succeed(at.replace(/\/+$/, ""))
      : Result.fail(`takes a URL such as http://127.0.0.1:7734, not ${JSON.stringify(at)}`),
  )

/** An empty text switches it off. */
const optional =
  (read: Read): Read =>
  (value, base, home) =>
    value === "" ? Result.succeed("") : read(value, base, home)

const urls: Read = (value, base, home) =>
  Result.flatMap(
    text(value, "URLs with commas between, such as https://one.example,https://two.example"),
    (all) =>
      all
        .split(",")
        .map((one) => url(one.trim(), base, home))
        .reduce((done, next) =>
          Result.flatMap(done, (before) => Result.map(next, (one) => `${before},${one}`)),
        ),
  )

const amount: Read = (value) =>
  typeof value === "string" && Winston.fromAr(value) !== undefined
    ? Result.succeed(value)
    : Result.fail(`takes an amount of AR as text, such as "0.5", not ${JSON.stringify(value)}`)

const logLevel: Read = (value) =>
  logLevels.some((level) => level === value)
    ? Result.succeed(String(value))
    : Result.fail(`takes one of ${logLevels.join(", ")}, not ${JSON.stringify(value)}`)

interface Definition {
  readonly flag: string
  readonly variable: string
  readonly description: string
  /** What it takes, in a word. */
  readonly form: string
  readonly read: Read
}

/** Threads that a machine can have: more of ours than that only wait for each other. */
const workersMax = 256

/** More than any machine has. */
const memoryMibMax = 64 * 1024 * 1024

const rate = whole(0, Limit.ratePerSecondMax)

export const definitions: Readonly<Record<Name, Definition>> = {
  data: {
    flag: "data",
    variable: "HEDDLE_DATA",
    description: "folder of the node's log and state",
    form: "folder",
    read: folder,
  },
  keys: {
    flag: "keys",
    variable: "HEDDLE_KEYS",
    description: "folder of your key files",
    form: "folder",
    read: folder,
  },
  url: { flag: "url", variable: "HEDDLE_URL", description: "the node to talk to", form: "url", read: url },
  peers: {
    flag: "unit-url",
    variable: "HEDDLE_PEERS",
    description: "other nodes whose units can be asked, with commas between",
    form: "urls",
    read: optional(urls),
  },
  host: {
    flag: "host",
    variable: "HEDDLE_HOST",
    description: "address that the node listens on",
    form: "address",
    read: (value) => text(value, "an address or name of this machine"),
  },
  port: {
    flag: "port",
    variable: "HEDDLE_PORT",
    description: "port that the node listens on; 0 takes a free one",
    form: "number",
    read: whole(0, 65_535),
  },
  logLevel: {
    flag: "log-level",
    variable: "HEDDLE_LOG_LEVEL",
    description: `least of what is logged: ${logLevels.join(", ")}`,
    form: "level",
    read: logLevel,
  },
  sandboxWorkers: {
    flag: "sandbox-workers",
    variable: "HEDDLE_SANDBOX_WORKERS",
    description: "threads that run processes",
    form: "number",
    read: whole(1, workersMax),
  },
  cryptoWorkers: {
    flag: "crypto-workers",
    variable: "HEDDLE_CRYPTO_WORKERS",
    description: "threads that sign and verify",
    form: "number",
    read: whole(1, workersMax),
  },
  memory: {
    flag: "memory",
    variable: "HEDDLE_MEMORY",
    description: "MiB that open processes may take; those used longest ago wait on disk",
    form: "number",
    read: whole(1, memoryMibMax),
  },
  ratePeer: {
    flag: "rate-peer",
    variable: "HEDDLE_RATE_PEER",
    description: "requests a second that one address may post; 0: as many as it likes",
    form: "number",
    read: rate,
  },
  rateIdentity: {
    flag: "rate-identity",
    variable: "HEDDLE_RATE_IDENTITY",
    description: "messages a second that one key may send; 0: as many as it likes",
    form: "number",
    read: rate,
  },
  rateProcess: {
    flag: "rate-process",
    variable: "HEDDLE_RATE_PROCESS",
    description: "messages a second to one process, and from it; 0: as many as there are",
    form: "number",
    read: rate,
  },
  archive: {
    flag: "archive",
    variable: "HEDDLE_ARCHIVE",
    description: "folder that the node's log is archived to, where no Arweave is configured",
    form: "folder",
    read: folder,
  },
  arweave: {
    flag: "arweave",
    variable: "HEDDLE_ARWEAVE",
    description: "gateways to Arweave, with commas between; needs wallet and spendingLimit too",
    form: "urls",
    read: optional(urls),
  },
  wallet: {
    flag: "wallet",
    variable: "HEDDLE_WALLET",
    description: "file of the Arweave key that pays",
    form: "file",
    read: optional(at("the path of an Arweave key file")),
  },
  spendingLimit: {
    flag: "spending-limit",
    variable: "HEDDLE_SPENDING_LIMIT",
    description: "AR that may be spent in all, such as 0.5",
    form: "AR",
    read: optional(amount),
  },
}

export const names = Object.keys(definitions) as ReadonlyArray<Name> // the keys of the line above

/** One core is left to the thread that all others work for. */
const workersDefault = Math.max(1, os.availableParallelism() - 1)

const defaults = (folder: string, home: string): Omit<Settings, "url" | "archive"> => ({
  data: path.join(folder, ".heddle"),
  keys: path.join(home, ".heddle", "keys"),
  peers: "",
  host: "127.0.0.1",
  port: 7734,
  logLevel: "info",
  sandboxWorkers: workersDefault,
  cryptoWorkers: workersDefault,
  memory: Limit.residentMibDefault,
  // Nobody knows what a machine can carry, and by default only this one reaches its node; bounds and shares always hold.
  ratePeer: 0,
  rateIdentity: 0,
  rateProcess: 0,
  arweave: "",
  wallet: "",
  spendingLimit: "",
})

/** The rates in force, as a node takes them. */
export const ratesOf = ({
  ratePeer = 0,
  rateIdentity = 0,
  rateProcess = 0,
}: Partial<Pick<Settings, "ratePeer" | "rateIdentity" | "rateProcess">>) => ({
  peer: ratePeer,
  identity: rateIdentity,
  process: rateProcess,
})

/** Where the archive of a data folder is that no other place is named for. */
export const archiveOf = (data: string): string => path.join(data, "archive")

interface File {
  readonly path: string
  readonly values: Readonly<Record<string, unknown>>
}

const invalid = (source: string, detail: string) => Result.fail(new SettingsInvalid({ source, detail }))

const parseFile = (file: string, content: string): Result.Result<File, SettingsInvalid> => {
  let values: unknown
  try {
    values = JSON.parse(content)
  } catch (error) {
    return invalid(file, `is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (typeof values !== "object" || values === null || Array.isArray(values))
    return invalid(file, 'holds one JSON object, such as {"port": 7734}')
  const unknown = Object.keys(values).find((key) => key !== "$schema" && !names.some((name) => name === key))
  if (unknown !== undefined) return invalid(file, `"${unknown}" is no setting; there are ${names.join(", ")}`)
  return Result.succeed({ path: file, values: values as Record<string, unknown> }) // an object, checked above
}

/** Every setting with its source, in the order of `names`. The file has been read. */
export const resolve = (
  { flags, environment, folder, home }: Sources,
  file: File | undefined,
): Result.Result<ReadonlyArray<Setting>, SettingsInvalid> => {
  const settings: Array<Setting> = []
  const found = (
    name: Name,
  ): { readonly value: unknown; readonly source: string; readonly base: string } | undefined => {
    const { flag, variable } = definitions[name]
    if (flags[name] !== undefined) return { value: flags[name], source: `flag --${flag}`, base: folder }
    const set = environment[variable]
    if (set !== undefined && set !== "")
      return { value: set, source: `environment ${variable}`, base: folder }
    if (file !== undefined && Object.hasOwn(file.values, name))
      return {
        value: file.values[name],
        source: `file ${file.path}, "${name}"`,
        base: path.dirname(file.path),
      }
    return undefined
  }
  const standard = defaults(folder, home)
  /** A default that follows from another setting. */
  const following = (of: Name, what: string, make: (value: string | number) => string) => {
    const { value, source } = settings.find(({ name }) => name === of)!
    const from = source === "default" ? source : `default, ${what} of: ${source}`
    return { value: make(value), source: from }
  }
  for (const name of names) {
    const given = found(name)
    if (given === undefined) {
      if (name === "archive")
        settings.push({ name, ...following("data", "in the folder", (data) => archiveOf(String(data))) })
      else if (name !== "url") settings.push({ name, value: standard[name], source: "default" })
      continue
    }
    const value = definitions[name].read(given.value, given.base, home)
    if (Result.isFailure(value)) return invalid(given.source, value.failure)
    settings.push({ name, value: value.success, source: given.source })
  }
  if (!settings.some(({ name }) => name === "url"))
    // A caller on the node's machine finds it where it was told to listen.
    settings.splice(names.indexOf("url"), 0, {
      name: "url",
      ...following("port", "with the port", (port) => `http://127.0.0.1:${port}`),
    })
  return Result.succeed(settings)
}

/** The settings in force, and each with its source. */
export const load = Effect.fnUntraced(function* (
  sources: Sources,
): Effect.fn.Return<{ readonly settings: Settings; readonly list: ReadonlyArray<Setting> }, SettingsInvalid> {
  const file = path.resolve(sources.folder, sources.file ?? fileName)
  const content = yield* Effect.try({
    try: () =>
      sources.file === undefined && !fs.existsSync(file) ? undefined : fs.readFileSync(file, "utf8"),
    catch: (error) => new SettingsInvalid({ source: file, detail: `can't be read: ${String(error)}` }),
  })
  const parsed = content === undefined ? undefined : yield* Effect.fromResult(parseFile(file, content))
  const list = yield* Effect.fromResult(resolve(sources, parsed))
  const settings = Object.fromEntries(list.map(({ name, value }) => [name, value]))
  return { settings: settings as unknown as Settings, list } // one of each name, read by its own definition
})

/** Caller: who a command acts for: the settings in force, the node it talks to, the key it signs with. */
import os from "node:os"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as KeyFolder from "../../identity/KeyFolder.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Connection from "../Connection.ts"
import * as Settings from "../Settings.ts"
import * as Passphrase from "./Passphrase.ts"

/** What every command takes. */
export interface Input {
  readonly json: boolean
  readonly config: string | undefined
  /** Settings given as flags. */
  readonly flags: Settings.Sources["flags"]
}

/** A command that needs a key and can't tell which. */
export class KeyNotChosen extends Data.TaggedError("KeyNotChosen")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** Flags that do not go together; `help` is what tells how they do. */
export class WrongUsage extends Data.TaggedError("WrongUsage")<{
  readonly detail: string
  readonly help: string
}> {
  override get message(): string {
    return this.detail
  }
}

/** Times that a message is sent again at once: somebody at a terminal would rather be told. */
export const retries = 2

export const settings = ({ config, flags }: Input) =>
  Settings.load({
    flags,
    environment: process.env,
    folder: process.cwd(),
    home: os.homedir(),
    file: config,
  })

/** Runs against the node that the settings name. */
export const connected = <A, E>(
  input: Input,
  use: (messenger: MessengerUnit["Service"]) => Effect.Effect<A, E, MessengerUnit>,
) =>
  Effect.flatMap(settings(input), ({ settings: { url } }) =>
    Effect.provide(MessengerUnit.use(use), Connection.layer(url)),
  )

/** The messengers of other nodes that the settings name, by their URLs. */
export const peers = Effect.fnUntraced(function* (input: Input) {
  const { settings: of } = yield* settings(input)
  const urls = of.peers === "" ? [] : of.peers.split(",")
  return yield* Effect.forEach(urls, (url) =>
    Effect.map(Layer.build(Connection.layer(url)), (context) => ({
      name: url,
      messenger: Context.get(context, MessengerUnit),
    })),
  )
})

const described = Effect.fnUntraced(function* (input: Input, as: string | undefined) {
  const { keys } = (yield* settings(input)).settings
  const folder = KeyFolder.at(keys)
  return { folder, ...(yield* folder.show(as ?? (yield* onlyName(keys)))) }
})

/** The address of the identity named with `--as`, or of the only one there is: no passphrase is needed to know it. */
export const address = (input: Input, as: string | undefined) =>
  Effect.map(described(input, as), (key) => key.address)

/** The identity named with `--as`, or the only one there is. */
export const identity = Effect.fnUntraced(function* (input: Input, as: string | undefined) {
  const { folder, name, sealed } = yield* described(input, as)
  const passphrase = sealed ? yield* Passphrase.ask(`Passphrase for ${name}: `, false) : ""
  return yield* folder.open(name, passphrase)
})

const onlyName = Effect.fnUntraced(function* (keys: string) {
  const names = (yield* KeyFolder.at(keys).list()).filter(Result.isSuccess).map(({ success }) => success.name)
  const [only] = names
  if (only !== undefined && names.length === 1) return only
  const detail =
    names.length === 0
      ? `there is no key in ${keys}; make one with: heddle keys new ada`
      : `say who speaks: ${names.map((name) => `--as ${name}`).join(", ")}`
  return yield* new KeyNotChosen({ detail })
})

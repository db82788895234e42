/** Commands for keys: new, list, show. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as KeyFolder from "../../identity/KeyFolder.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import * as Caller from "./Caller.ts"
import * as Passphrase from "./Passphrase.ts"
import * as Screen from "./Screen.ts"

const folderOf = (input: Caller.Input) =>
  Effect.map(Caller.settings(input), ({ settings }) => KeyFolder.at(settings.keys))

export const types = {
  "ml-dsa-44": SignatureType.mlDsa44,
  "ml-dsa-65": SignatureType.mlDsa65,
  "ml-dsa-87": SignatureType.mlDsa87,
} as const

export interface NewInput extends Caller.Input {
  readonly name: string
  readonly type: keyof typeof types
  readonly unsealed: boolean
}

const value = ({ name, address, type, sealed, file }: KeyFolder.Described) => ({
  name,
  address,
  type: type.name,
  sealed,
  file,
})

export const create = (input: NewInput) =>
  Effect.gen(function* () {
    const { name, type, unsealed } = input
    const folder = yield* folderOf(input)
    const protection = unsealed
      ? ("unsealed" as const)
      : { passphrase: yield* Passphrase.ask(`Passphrase for ${name}: `, true) }
    yield* Screen.progress("sealing", () => folder.create(name, protection, types[type]))
    const made = yield* folder.show(name)
    yield* Screen.show(input.json, value(made), () => made.address)
    if (Screen.isTerminal() && !input.json)
      yield* Screen.note(
        `kept in ${made.file}; without that file and its passphrase nobody can speak as ${name} again`,
      )
  })

export const list = (input: Caller.Input) =>
  Effect.gen(function* () {
    const keys = yield* (yield* folderOf(input)).list()
    const values = keys.map((key) =>
      Result.isSuccess(key) ? value(key.success) : { file: key.failure.file, error: key.failure.message },
    )
    yield* Screen.show(input.json, values, () => {
      if (values.length === 0) return "no key yet; make one with: heddle keys new ada"
      const rows = values.map((key) =>
        "error" in key
          ? [key.file, key.error, "", ""]
          : [key.name, key.address, key.type, key.sealed ? "sealed" : "unsealed"],
      )
      return Screen.table(
        ["name", "address", "type", "passphrase"].map((title) => ({ title })),
        rows,
      )
    })
  })

export const show = (input: Caller.Input & { readonly name: string }) =>
  Effect.gen(function* () {
    const key = value(yield* (yield* folderOf(input)).show(input.name))
    yield* Screen.show(input.json, key, () =>
      Object.entries(key)
        .map(([name, text]) => `${Screen.styled("dim", name.padEnd(8))}  ${String(text)}`)
        .join("\n"),
    )
  })

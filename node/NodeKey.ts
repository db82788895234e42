/**
 * NodeKey: the key with which a node signs its batches and attestations. It lies in the data folder without a
 * passphrase, because a node starts unattended; the mode of the file, 0600, is what protects it.
 */
import fs from "node:fs"
import path from "node:path"
import * as Effect from "effect/Effect"
import * as KeyFolder from "../identity/KeyFolder.ts"

const name = "node"

const folderOf = (dataFolder: string) => KeyFolder.at(path.join(dataFolder, "keys"))

/** The key of the node in `dataFolder`, made on its first start. */
export const open = (dataFolder: string) => {
  const folder = folderOf(dataFolder)
  return folder.open(name, "").pipe(
    Effect.catchTag("KeyUnknown", () => folder.create(name, "unsealed")),
    // Another start made it between the two looks.
    Effect.catchTag("KeyExists", () => folder.open(name, "")),
  )
}

/** The key of the node in `dataFolder`, where there is one. */
export const find = (dataFolder: string) =>
  folderOf(dataFolder)
    .open(name, "")
    .pipe(Effect.catchTag("KeyUnknown", () => Effect.succeed(undefined)))

/** Takes a copy of an unsealed key file as the key of the node in `dataFolder`, which has none or that one. */
export const adopt = Effect.fnUntraced(function* (dataFolder: string, file: string) {
  const from = path.parse(path.resolve(file))
  const identity = yield* KeyFolder.at(from.dir).open(from.name, "")
  const folder = path.join(dataFolder, "keys")
  const to = path.join(folder, `${name}.json`)
  const there = yield* find(dataFolder)
  if (there?.address === identity.address) return identity
  if (there !== undefined) return yield* new KeyFolder.KeyExists({ name, file: to })
  yield* Effect.try({
    try: () => {
      fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
      fs.copyFileSync(file, to, fs.constants.COPYFILE_EXCL)
      fs.chmodSync(to, 0o600)
    },
    catch: (error) => new KeyFolder.KeyFolderFailed({ folder, detail: String(error) }),
  })
  return identity
})

/**
 * NodeKey: the key with which a node signs its batches and attestations. It lies in the data folder without a
 * passphrase, because a node starts unattended; the mode of the file, 0600, is what protects it.
 */
import path from "node:path"
import * as Effect from "effect/Effect"
import * as KeyFolder from "../identity/KeyFolder.ts"

const name = "node"

/** The key of the node in `dataFolder`, made on its first start. */
export const open = (dataFolder: string) => {
  const folder = KeyFolder.at(path.join(dataFolder, "keys"))
  return folder.open(name, "").pipe(
    Effect.catchTag("KeyUnknown", () => folder.create(name, "unsealed")),
    // Another start made it between the two looks.
    Effect.catchTag("KeyExists", () => folder.open(name, "")),
  )
}

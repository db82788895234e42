/** A folder of its own for as long as the scope lives. lmdb can't open one path twice in a process. */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import * as Effect from "effect/Effect"

export const make = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "heddle-test-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true })),
)

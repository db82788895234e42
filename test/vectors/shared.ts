/**
 * Vectors made by others, read in place from the folder that `HEDDLE_VECTORS` names. A machine without that
 * folder is told so in one line and skips the suite; where CI=true a missing file is a failure.
 */
import fs from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"
import { describe } from "@effect/vitest"

const projectRoot = fileURLToPath(new URL("../../", import.meta.url))

const text = (at: string): string =>
  (at.endsWith(".gz") ? gunzipSync(fs.readFileSync(at)) : fs.readFileSync(at)).toString("utf8")

export const folder = path.resolve(projectRoot, process.env["HEDDLE_VECTORS"] ?? "../shared/data")

/** Runs `suite` with the parsed file. The shape is asserted by the tests that read it. */
export const describeShared = <A>(title: string, file: string, suite: (vectors: A) => void): void => {
  const at = path.join(folder, file)
  const missing = !fs.existsSync(at)
  if (missing && process.env["CI"] === "true")
    throw new Error(`${at} is missing; set HEDDLE_VECTORS to the folder of vectors`)
  if (missing) console.log(`skipped: ${title}: ${at} is not there (set HEDDLE_VECTORS)`)
  describe.skipIf(missing)(title, () => {
    if (!missing) suite(JSON.parse(text(at)) as A) // others' file, read as described
  })
}

/** Our own vectors: one copy, in `spec/vectors`. */
export const own = <A>(file: string): A =>
  JSON.parse(fs.readFileSync(path.join(projectRoot, "spec/vectors", file), "utf8")) as A

/** Bundler: an author's file as one script, with the way back from a place in it to the author's line. */
import { SourceMap } from "node:module"
import path from "node:path"
import * as Effect from "effect/Effect"
import { type Bundler, SourceInvalid } from "../messenger-unit/Client.ts"

/** Loads the bundler itself only when something is bundled: it is the heaviest part of a client. */
export const bundler: Bundler = Effect.fnUntraced(function* (file) {
  const { bundle } = yield* Effect.promise(() => import("../compute-unit/Bundle.ts"))
  const bundled = yield* Effect.promise(() => bundle(file))
  if (bundled._tag === "BundleFailed") {
    const { file, line, column, message } = bundled
    return yield* new SourceInvalid({ file, line, column, detail: message })
  }
  const map = new SourceMap(JSON.parse(bundled.map))
  return {
    source: bundled.source,
    locate: (line, column) => {
      const entry = map.findEntry(line - 1, column - 1)
      if (!("originalSource" in entry)) return undefined
      const { originalSource, originalLine, originalColumn } = entry
      const from = path.resolve(path.dirname(file), originalSource)
      return { file: path.relative(process.cwd(), from), line: originalLine + 1, column: originalColumn + 1 }
    },
  }
})

/**
 * Bundler: an author's file as a module, with the way back from a place in it to the author's line. Scripts are bundled;
 * a WebAssembly module is sent as it is.
 */
import fs from "node:fs/promises"
import path from "node:path"
import * as Effect from "effect/Effect"
import { type Bundle, type Bundler, SourceInvalid } from "../messenger-unit/Client.ts"
import * as Module from "../runtime/Module.ts"

const refuse = (file: string, detail: string) =>
  Effect.fail(new SourceInvalid({ file, line: 0, column: 0, detail }))

/** A module in the binary format: no place in it is one that an author has written. */
const binary = Effect.fnUntraced(function* (file: string): Effect.fn.Return<Bundle, SourceInvalid> {
  const source = yield* Effect.tryPromise({
    try: async () => new Uint8Array(await fs.readFile(file)),
    catch: (error) =>
      new SourceInvalid({ file, line: 0, column: 0, detail: `it can't be read: ${String(error)}` }),
  })
  if (Module.format(source) !== "webassembly")
    return yield* refuse(file, "it is no WebAssembly module: those begin with the bytes 00 61 73 6d")
  return { source, locate: () => ({ file, line: 0, column: 0 }) }
})

/** Loads the bundler itself only when something is bundled: it is the heaviest part of a client. */
const script = Effect.fnUntraced(function* (file: string): Effect.fn.Return<Bundle, SourceInvalid> {
  const { bundle } = yield* Effect.promise(() => import("../compute-unit/Bundle.ts"))
  const SourcePositions = yield* Effect.promise(() => import("../compute-unit/SourcePositions.ts"))
  const bundled = yield* Effect.promise(() => bundle(file))
  if (bundled._tag === "BundleFailed") {
    const { file, line, column, message } = bundled
    return yield* new SourceInvalid({ file, line, column, detail: message })
  }
  const { source, folder } = bundled
  return {
    source,
    locate: (line, column, named) => {
      if (line === 0) return { file, line, column }
      // A node that has read the map has said where; its word is only shown.
      const isOurs = named === SourcePositions.moduleFile
      const place = isOurs ? SourcePositions.place(source, line, column) : { file: named, line, column }
      return place && { ...place, file: path.relative(process.cwd(), path.resolve(folder, place.file)) }
    },
  }
})

export const bundler: Bundler = (file) => {
  switch (path.extname(file).toLowerCase()) {
    case ".wasm":
      return binary(file)
    case ".wat": {
      const to = `${path.basename(file, path.extname(file))}.wasm`
      return refuse(
        file,
        `it is WebAssembly as text; compile it first: npx -p wabt wat2wasm ${file} -o ${to}`,
      )
    }
    default:
      return script(file)
  }
}

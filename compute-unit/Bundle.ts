/**
 * Bundle: from an author's file and what it imports to the one script that is a module.
 *
 * Its bytes name the module, so they must come out equal for whoever bundles the same files: they depend neither on
 * the working directory nor on where the files lie, no `tsconfig.json` above them is read, and no path is in them.
 * Positions are in a source map beside the script.
 */
import { builtinModules } from "node:module"
import path from "node:path"
import { fileURLToPath } from "node:url"
import type { Message, Plugin } from "esbuild"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"

export interface Bundled {
  readonly _tag: "Bundled"
  readonly source: Uint8Array
  readonly moduleId: Id.Id
  /** Source map (JSON) from the script to the author's files, which are named relative to the entry's folder. */
  readonly map: string
}

/** The first thing that is wrong. Lines and columns count from 1; 0 where there is no place. */
export interface BundleFailed {
  readonly _tag: "BundleFailed"
  readonly file: string
  readonly line: number
  readonly column: number
  readonly message: string
}

/** What an author imports as `heddle/guest`. */
const guest = fileURLToPath(new URL("./guest/index.js", import.meta.url))

/** Our file, and builtins refused by name: the bundler would only say that it can't find them. */
const resolving: Plugin = {
  name: "heddle",
  setup(build) {
    build.onResolve({ filter: /^heddle\/guest$/ }, () => ({ path: guest, sideEffects: false }))
    build.onResolve({ filter: /^(node:|[a-z])/ }, ({ path: specifier }) => {
      if (!specifier.startsWith("node:") && !builtinModules.includes(specifier)) return undefined
      const text = `"${specifier}" belongs to Node.js; a process has what "heddle/guest" gives, and packages that need no platform`
      return { errors: [{ text }] }
    })
  },
}

const failed = (
  entry: string,
  message: Pick<Message, "text"> & Partial<Pick<Message, "location">>,
): BundleFailed => {
  const { location } = message
  const folder = path.dirname(entry)
  const text = message.text.replaceAll(path.relative(folder, guest), "heddle/guest")
  const file = location ? path.join(folder, location.file) : entry
  return {
    _tag: "BundleFailed",
    file,
    line: location?.line ?? 0,
    column: location ? location.column + 1 : 0,
    message: text,
  }
}

const isFailure = (error: unknown): error is { readonly errors: ReadonlyArray<Message> } =>
  error instanceof Error && "errors" in error && Array.isArray(error.errors)

/** Bundles the TypeScript or JavaScript file `entry`. Types are taken off, not checked. */
export const bundle = async (entry: string): Promise<Bundled | BundleFailed> => {
  const { build } = await import("esbuild")
  try {
    const { outputFiles } = await build({
      entryPoints: [path.resolve(entry)],
      absWorkingDir: path.resolve(path.dirname(entry)),
      bundle: true,
      write: false,
      outfile: "module.js",
      format: "iife",
      platform: "neutral",
      mainFields: ["module", "main"],
      conditions: ["import", "default"],
      target: "es2023",
      charset: "utf8",
      minifyWhitespace: true, // with it go the comments that name files
      legalComments: "none",
      sourcemap: "external",
      tsconfigRaw: {},
      define: { "process.env.NODE_ENV": '"production"' },
      plugins: [resolving],
      logLevel: "silent",
    })
    const [source, map] = [".js", ".map"].map((end) => outputFiles.find((file) => file.path.endsWith(end))!)
    const { contents } = source!
    if (contents.length > Limit.moduleBytesMax) {
      const text = `the module has ${contents.length} bytes; at most ${Limit.moduleBytesMax} are allowed`
      return failed(entry, { text })
    }
    return { _tag: "Bundled", source: Bytes.copy(contents), moduleId: Module.id(contents), map: map!.text }
  } catch (error) {
    if (!isFailure(error)) throw error
    return failed(entry, error.errors[0] ?? { text: "the bundler failed" })
  }
}

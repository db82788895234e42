/**
 * Bundle: from an author's file and what it imports to the one script that is a module.
 *
 * Its bytes name the module, so they must come out equal for whoever bundles the same files: they depend neither on
 * the working directory nor on where the files lie, no `tsconfig.json` above them is read, and paths are in them only
 * as files lie to each other.
 *
 * The script has two lines besides the author's: one that lets a debugger evaluate expressions among the author's
 * variables, and at its end the source map that `SourcePositions` reads.
 */
import fs from "node:fs/promises"
import { builtinModules, SourceMap } from "node:module"
import path from "node:path"
import type { Message, Plugin } from "esbuild"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"
import { mapStart } from "./SourcePositions.ts"

export interface Bundled {
  readonly _tag: "Bundled"
  readonly source: Uint8Array
  readonly moduleId: Id.Id
  /** Absolute. The map's files are named relative to it. */
  readonly folder: string
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
const guest = new URL("./guest/index.js", import.meta.url)
/** It lies elsewhere on each machine, so in the module it goes by a name that is no path. */
const guestName = "heddle:guest"

/** Our file, and builtins refused by name: the bundler would only say that it can't find them. */
const resolving: Plugin = {
  name: "heddle",
  setup(build) {
    const [namespace, name] = guestName.split(":") as [string, string] // one colon
    build.onResolve({ filter: /^heddle\/guest$/ }, () => ({ path: name, namespace, sideEffects: false }))
    build.onLoad({ filter: /./, namespace }, async () => ({ contents: await fs.readFile(guest) }))
    build.onResolve({ filter: /^(node:|[a-z])/ }, ({ path: specifier }) => {
      if (!specifier.startsWith("node:") && !builtinModules.includes(specifier)) return undefined
      const text = `"${specifier}" belongs to Node.js; a process has what "heddle/guest" gives, and packages that need no platform`
      return { errors: [{ text }] }
    })
  },
}

/** A script, with its source map in pieces. */
interface Script {
  readonly text: string
  readonly mappings: string
  readonly sources: ReadonlyArray<string>
  /** Which of the sources is the author's entry, and whether that is a module of the language. */
  readonly entry: number
  readonly isModule: boolean
  /** The author's names for what is called otherwise in the script. */
  readonly names: ReadonlyArray<string>
}

/** Makes a script of what the file `entry` imports and of itself, with `ending` after its last line. */
const build = async (entry: string, ending: string): Promise<Script> => {
  const esbuild = await import("esbuild")
  let first: string | undefined
  const ended: Plugin = {
    name: "ending",
    setup(building) {
      building.onLoad({ filter: /./, namespace: "file" }, async ({ path: file }) => {
        // The entry comes first: all others are known from it.
        if (first !== undefined) return undefined
        first = file
        return { contents: Buffer.concat([await fs.readFile(file), Buffer.from(ending)]), loader: "default" }
      })
    },
  }
  const folder = path.dirname(entry)
  const { outputFiles, metafile } = await esbuild.build({
    entryPoints: [entry],
    absWorkingDir: folder,
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
    sourcesContent: false,
    metafile: true,
    tsconfigRaw: {},
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [resolving, ended],
    logLevel: "silent",
  })
  const [text, map] = [".js", ".map"].map((end) => outputFiles.find((file) => file.path.endsWith(end))!.text)
  const { mappings, sources, names } = JSON.parse(map!) as Pick<Script, "mappings" | "sources" | "names"> // a source map
  const isEntry = (source: string) => path.resolve(folder, decodeURIComponent(source)) === first
  const { entryPoint = "" } = metafile.outputs["module.js"]!
  const isModule = metafile.inputs[entryPoint]?.format === "esm"
  return { text: text!, mappings, sources, names, entry: sources.findIndex(isEntry), isModule }
}

const inspectWith = ".heddle.inspectWith?.("

/**
 * The line that gives whoever inspects the process a way to evaluate code in the entry's scope. The direct `eval` in it
 * keeps all that the entry declares. It hands in what the bundler calls otherwise than the author, under the author's
 * `names`; they stand in a text so that the bundler does not take them from others for it. An `eval` makes an old module
 * of a file that does not say with an `export` that it is none.
 */
const inspecting = ({ isModule }: Script, names: ReadonlyArray<string> = []): string => {
  const list = names.join()
  const evaluate =
    list === "" ? "eval(arguments[0])" : `eval(${JSON.stringify(`(${list})=>eval(arguments[0])`)})(${list})`
  return `\n;${isModule ? "export{};" : ""}globalThis${inspectWith}function(){return ${evaluate}})`
}

/** What a map says of a place; nothing where it says nothing. */
interface Segment {
  readonly generatedColumn?: number
  readonly originalSource?: string
  readonly name?: string
}

const segmentsOf = ({ mappings, sources, names }: Script): ((row: number, column: number) => Segment) => {
  const rest = { version: 3, file: "", sourceRoot: "", sourcesContent: [] }
  const map = new SourceMap({ ...rest, mappings, sources: [...sources], names: [...names] })
  return (row, column) => map.findEntry(row, column)
}

/** Where the line for inspecting stands in a script; what is behind it is the bundler's. */
const endingOf = ({ text }: Script): number => text.lastIndexOf(inspectWith)

/** Names of the entry that are others in the script, from a place of it on. */
const renamed = (script: Script, from: number): ReadonlyArray<string> => {
  if (script.names.length === 0) return []
  const segmentAt = segmentsOf(script)
  const entry = script.sources[script.entry]
  const found = new Set<string>()
  let [row, start] = [0, 0]
  for (const { 0: word, index } of script.text.matchAll(/\n|[\p{ID_Start}$_][\p{ID_Continue}$]*/gu)) {
    if (word === "\n") [row, start] = [row + 1, index + 1]
    if (word === "\n" || index < from) continue
    const { name, generatedColumn, originalSource } = segmentAt(row, index - start)
    if (name !== undefined && generatedColumn === index - start && originalSource === entry) found.add(name)
  }
  return [...found].toSorted()
}

/** A number in a map: digits that say that another follows, and one that does not. */
const number = "[g-z0-9+/]*[A-Za-f]"
const nameOfSegment = new RegExp(`(?<=(?:^|[,;])(?:${number}){4})${number}`, "g")

/** Mappings without names, and of what is the author's alone: the rest is one segment that leads nowhere. */
const authorMappings = (script: Script): string => {
  const segmentAt = segmentsOf(script)
  const rows = script.text.slice(0, endingOf(script)).split("\n")
  const [row, start] = [rows.length - 1, rows.at(-1)!.length]
  const columns = new Set<number>()
  for (let column = start; column <= start + script.text.length - endingOf(script); column++)
    columns.add(segmentAt(row, column).generatedColumn ?? 0)
  const rest = [...columns].filter((column) => column >= start).length
  const segments = script.mappings.split(",")
  const [nowhere = ""] = new RegExp(number).exec(segments.at(-rest) ?? "") ?? []
  return `${[...segments.slice(0, -rest), nowhere].join().replaceAll(nameOfSegment, "")};`
}

/** A script that can be inspected by all the names that its entry has at its top. */
const inspectable = async (entry: string, plain: Script): Promise<Script> => {
  let script = await build(entry, inspecting(plain))
  const inside = renamed(script, 0)
  if (inside.length > 0) {
    // Some are of variables in functions. Of those that the line for inspecting sees, the bundler says so there.
    const tried = await build(entry, inspecting(plain, inside))
    const names = renamed(tried, endingOf(tried))
    if (names.length > 0) script = await build(entry, inspecting(plain, names))
  }
  return { ...script, mappings: authorMappings(script) }
}

/** Packages are named by what is the same wherever they are installed. */
const sourceName = (source: string): string =>
  source === guestName ? "heddle/guest" : source.replace(/^.*(?=node_modules\/)/, "")

const moduleOf = ({ text, sources, mappings }: Script): Uint8Array => {
  const map = { version: 3, sources: sources.map(sourceName), names: [], mappings }
  return Bytes.fromText(`${text}${mapStart}${Buffer.from(JSON.stringify(map)).toString("base64")}\n`)
}

const failed = (
  folder: string,
  entry: string,
  message: Pick<Message, "text"> & Partial<Pick<Message, "location">>,
): BundleFailed => {
  const { location } = message
  return {
    _tag: "BundleFailed",
    file: location ? path.join(folder, location.file) : entry,
    line: location?.line ?? 0,
    column: location ? location.column + 1 : 0,
    message: message.text.replaceAll(guestName, "heddle/guest"),
  }
}

const isFailure = (error: unknown): error is { readonly errors: ReadonlyArray<Message> } =>
  error instanceof Error && "errors" in error && Array.isArray(error.errors)

/** Bundles the TypeScript or JavaScript file `entry`. Types are taken off, not checked. */
export const bundle = async (entry: string): Promise<Bundled | BundleFailed> => {
  const file = await fs.realpath(entry).catch(() => path.resolve(entry)) // a file that is not there is told as such below
  const folder = path.dirname(file)
  try {
    const plain = await build(file, "")
    // What is no code, such as JSON, has no variables to be inspected.
    const source = moduleOf(
      await inspectable(file, plain).catch((error: unknown) => {
        if (isFailure(error)) return plain
        throw error
      }),
    )
    const text = `the module has ${source.length} bytes; at most ${Limit.moduleBytesMax} are allowed`
    if (source.length > Limit.moduleBytesMax) return failed(folder, entry, { text })
    return { _tag: "Bundled", source, moduleId: Module.id(source), folder }
  } catch (error) {
    if (!isFailure(error)) throw error
    const written = path.dirname(entry)
    const isLink = (await fs.realpath(written).catch(() => folder)) !== folder
    return failed(isLink ? folder : written, entry, error.errors[0] ?? { text: "the bundler failed" })
  }
}

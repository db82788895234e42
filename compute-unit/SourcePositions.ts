/**
 * SourcePositions: from places in a module to places in its author's files.
 *
 * A module says itself where it comes from: its last line may be a source map, so whoever has the module can read its
 * stacks, also out of the archive and years later. The map is a stranger's word. It decides which names and numbers a
 * person is shown and nothing else, no outcome has any of it, and one that is broken leaves places as they are.
 *
 *     at handler (module.js:1:234)    becomes    at handler (counter.ts:12:7)
 */
import { SourceMap } from "node:module"
import { posix } from "node:path"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"
import { Recent } from "../runtime/Recent.ts"

/** Lines and columns count from 1, columns in units of UTF-16, as editors do. */
export interface Place {
  /** Relative to the folder of the author's entry file. To be shown, never opened: whoever made the module chose it. */
  readonly file: string
  readonly line: number
  readonly column: number
}

/** Name of the module in the engine's stacks. */
export const moduleFile = "module.js"

/** What stands before a map in the last line of a module. */
export const mapStart = "//# sourceMappingURL=data:application/json;base64,"

/** The largest module that our bundler makes has some 400,000. One takes about 100 bytes. */
const segmentsMax = 524_288
const sourcesMax = 16_384
const pathLengthMax = 1_024
/** Modules whose maps a thread keeps. */
const modulesMax = 4

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

interface Written {
  readonly sources: ReadonlyArray<unknown>
  readonly mappings: string
}

const mapOf = (text: string): Written | undefined => {
  const end = text.endsWith("\n") ? text.length - 1 : text.length
  const start = text.lastIndexOf("\n", end - 1) + 1
  if (!text.startsWith(mapStart, start)) return undefined
  let map: unknown
  try {
    map = JSON.parse(Buffer.from(text.slice(start + mapStart.length, end), "base64").toString())
  } catch {
    return undefined
  }
  if (!isRecord(map)) return undefined
  const { sources, mappings } = map
  if (!Array.isArray(sources) || sources.length > sourcesMax || typeof mappings !== "string") return undefined
  return (mappings.match(/[,;]/g)?.length ?? 0) < segmentsMax ? { sources, mappings } : undefined
}

/** Sources are relative URLs. */
const decoded = (source: string): string => {
  try {
    return decodeURIComponent(source)
  } catch {
    return source // by a bundler that writes names as they are
  }
}

/** What shows nothing itself, or turns what stands around it about: controls, formats, line ends, halves of pairs. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/** A source as the path of a file beside the entry, below or above it. */
const fileOf = (source: unknown): string | undefined => {
  if (typeof source !== "string" || source.length > pathLengthMax) return undefined
  const file = posix.normalize(decoded(source))
  const absolute = /^\/|^[^/]*:|\\/.test(file)
  const folder = /(^|\/)(\.{1,2})?$/.test(file)
  return absolute || folder || unprintable.test(file) ? undefined : file
}

/**
 * How many characters of two units of UTF-16 stand in a line before a column. The engine counts such a character as one
 * column, a map as two.
 */
const pairsBefore = (text: string): ((line: number, column: number) => number) => {
  // No module has a line or a column of more than 22 bits.
  const key = (line: number, column: number): number => line * 2 ** 23 + Math.min(column, 2 ** 23 - 1)
  const keys: Array<number> = []
  let [line, start, inLine] = [0, 0, 0]
  for (const { 0: found, index } of text.matchAll(/\n|[\u{10000}-\u{10ffff}]/gu)) {
    if (found === "\n") [line, start, inLine] = [line + 1, index + 1, 0]
    else keys.push(key(line, index - start - inLine++))
  }
  const below = (wanted: number): number => {
    let [low, high] = [0, keys.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (keys[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
  return (line, column) => below(key(line, column)) - below(key(line, 0))
}

const isNumber = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

/** A place of the author's; or that it is of none of the author's files; or undefined where that is not known. */
type Origin = Place | "bundler" | undefined

type Find = (line: number, column: number) => Origin

const origins = (text: string, { sources, mappings }: Written): Find => {
  // Sources are named by their numbers, so that whatever is in a name does nothing to the reader of the map.
  const numbers = [...sources.keys()].map(String)
  const rest = { version: 3, file: "", sourcesContent: [], names: [], sourceRoot: "" }
  const map = new SourceMap({ ...rest, sources: numbers, mappings })
  const pairs = pairsBefore(text)
  return (line, column) => {
    const row = line - 1
    const found: object = map.findEntry(row, column - 1 + pairs(row, column - 1))
    if (!("originalSource" in found && found.originalSource !== undefined)) return "bundler"
    const file = fileOf(sources[Number(found.originalSource)])
    if (file === undefined || !("originalLine" in found && "originalColumn" in found)) return undefined
    const { originalLine, originalColumn } = found
    if (!isNumber(originalLine) || !isNumber(originalColumn)) return undefined
    return { file, line: originalLine + 1, column: originalColumn + 1 }
  }
}

const read = (source: Uint8Array): Find => {
  const text = source.length > Limit.moduleBytesMax ? undefined : Bytes.toText(source)
  const written = text === undefined ? undefined : mapOf(text)
  return text === undefined || written === undefined ? () => undefined : origins(text, written)
}

const ids = new WeakMap<Uint8Array, Id.Id>()
const finds = new Recent<Id.Id, Find>(modulesMax)

const findIn = (source: Uint8Array): Find => {
  const id = ids.get(source) ?? Module.id(source)
  ids.set(source, id)
  const find = finds.get(id) ?? read(source)
  finds.set(id, find)
  return find
}

/** What the engine's line and column of a module come from, where that is known. */
export const place = (source: Uint8Array, line: number, column: number): Place | undefined => {
  const found = findIn(source)(line, column)
  return found === "bundler" ? undefined : found
}

/** `    at name (module.js:1:234)`, or without name and brackets. */
const frame = /^([^\S\n]*at .*?)module\.js:(\d{1,10}):(\d{1,10})(\)?(?:\n|$))/gm

/** A text, such as a stack, with the author's places in its lines that name a place of the module. */
export const rewrite = (source: Uint8Array, text: string): string => {
  if (!text.includes(`${moduleFile}:`)) return text
  const find = findIn(source)
  let known = false
  const rewritten = text.replace(
    frame,
    (all, before: string, line: string, column: string, after: string) => {
      const found = find(Number(line), Number(column))
      if (found === undefined) return all
      if (found === "bundler") return ""
      known = true
      return `${before}${found.file}:${found.line}:${found.column}${after}`
    },
  )
  // Where no line is the author's, what the bundler added is all that there is to read.
  return known ? rewritten : text
}

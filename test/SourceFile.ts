/** The project's own files as data, for the tests that hold the house rules. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, posix } from "node:path"
import { parseAst } from "vitest/node"

export const root = dirname(import.meta.dirname)

/** A node of the syntax tree. Its `type` says which other fields it has, so every field is looked at before use. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly [field: string]: unknown
}

export interface SourceFile {
  /** From the root, with forward slashes: `runtime/Store.ts`. */
  readonly path: string
  readonly text: string
  /** Every node of the file's syntax tree, outer before inner. */
  readonly nodes: ReadonlyArray<Node>
}

export interface Import {
  /** As written: `./Store.ts`, `effect/Effect`, `node:fs`. */
  readonly specifier: string
  /** What it leads to from the root where it is relative, else undefined. */
  readonly path: string | undefined
  /** `url` names a file that another thread starts with: `new URL("./Worker.ts", import.meta.url)`. */
  readonly kind: "import" | "url"
  /** Where in the text. */
  readonly at: number
}

export const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

const collect = (value: unknown, into: Array<Node>): void => {
  if (Array.isArray(value)) for (const element of value) collect(element, into)
  else if (isNode(value)) {
    into.push(value)
    for (const field of Object.values(value)) collect(field, into)
  }
}

export const parse = (path: string, text: string): SourceFile => {
  const lang = path.endsWith(".d.ts") ? "dts" : path.endsWith(".ts") ? "ts" : "js"
  const nodes: Array<Node> = []
  collect(parseAst(text, { lang }, path), nodes)
  return { path, text, nodes }
}

export const lineOf = (file: SourceFile, at: number): number => file.text.slice(0, at).split("\n").length

const literal = (value: unknown): string | undefined =>
  isNode(value) && value.type === "Literal" && typeof value["value"] === "string" ? value["value"] : undefined

const importTypes = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "ImportExpression",
  "TSImportType",
])

/** `new URL("./Worker.ts", import.meta.url)`: the name it gives. */
const urlOf = (node: Node): string | undefined => {
  const [name, base] = Array.isArray(node["arguments"]) ? node["arguments"] : []
  const callee = node["callee"]
  const isUrl = node.type === "NewExpression" && isNode(callee) && callee["name"] === "URL"
  const fromHere =
    isNode(base) &&
    base.type === "MemberExpression" &&
    isNode(base["object"]) &&
    base["object"].type === "MetaProperty"
  return isUrl && fromHere ? literal(name) : undefined
}

export const imports = (file: SourceFile): ReadonlyArray<Import> =>
  file.nodes.flatMap((node): ReadonlyArray<Import> => {
    const url = urlOf(node)
    const specifier = url ?? (importTypes.has(node.type) ? literal(node["source"]) : undefined)
    if (specifier === undefined) return []
    const path = specifier.startsWith(".") ? posix.join(posix.dirname(file.path), specifier) : undefined
    return [{ specifier, path, kind: url === undefined ? "import" : "url", at: node.start }]
  })

const notOurs = new Set(["node_modules", "dist", ".git"])

/** Paths from the root of all files under `folder` whose name ends with one of `endings`. */
export const list = (folder: string, endings: ReadonlyArray<string>): ReadonlyArray<string> => {
  const at = join(root, folder)
  if (!existsSync(at)) return []
  return readdirSync(at, { withFileTypes: true })
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name)
      if (entry.isDirectory()) return notOurs.has(entry.name) ? [] : list(path, endings)
      return endings.some((ending) => entry.name.endsWith(ending)) ? [path] : []
    })
    .toSorted()
}

export const read = (path: string): SourceFile => parse(path, readFileSync(join(root, path), "utf8"))

/**
 * `npm run build [folder]`: the publishable package, from sources that run as they are to JavaScript and types.
 *
 * It is a folder with a package.json of its own (`npm publish ./dist`), so that the checkout's package.json can
 * point at sources. What lies in a source folder and is neither TypeScript nor Markdown is copied as it is.
 */
import { spawnSync } from "node:child_process"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import project from "./package.json" with { type: "json" }
import build from "./tsconfig.build.json" with { type: "json" }

const root = import.meta.dirname
const standard = join(root, "dist")
const target = resolve(process.argv[2] ?? standard)

const filesIn = (folder: string): ReadonlyArray<string> =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : []

const copy = (source: string): void => {
  const to = join(target, relative(root, source))
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(source, to)
}

const compile = (): void => {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc")
  const args = [compiler, "--project", join(root, "tsconfig.build.json"), "--outDir", target]
  if (spawnSync(process.execPath, args, { stdio: "inherit" }).status !== 0) process.exit(1)
}

const isAsset = (file: string): boolean =>
  !file.endsWith(".md") && (file.endsWith(".d.ts") || !file.endsWith(".ts"))

/** Workers are named by URL, which the compiler leaves alone: `new URL("./Worker.ts", import.meta.url)`. */
const url = /(?<=new URL\(\s*)"(\.{1,2}\/[^"]+)\.ts"(?=\s*,\s*import\.meta\.url\s*,?\s*\))/g
/** Imports within declarations, which it leaves alone too. */
const typeImport = /(?<=(?:from|import)\s*\(?\s*)"(\.{1,2}\/[^"]+)\.ts"/g

const pointAtJavaScript = (): void => {
  for (const file of filesIn(target)) {
    if (!/\.(js|d\.ts)$/.test(file)) continue
    const text = readFileSync(file, "utf8")
    const pointed = text.replaceAll(file.endsWith(".js") ? url : typeImport, (_, stem: string) => {
      if (!existsSync(join(dirname(file), `${stem}.js`)))
        throw new Error(`${file} names ${stem}.ts, which was not built`)
      return `"${stem}.js"`
    })
    if (pointed !== text) writeFileSync(file, pointed)
  }
}

/** What `exports` says of a source, said of what is built from it. */
const built = (entry: string | { readonly types: string; readonly default: string }): object | string => {
  if (typeof entry !== "string" || !entry.endsWith(".ts")) return entry
  const stem = entry.slice(0, -".ts".length)
  return { types: `${stem}.d.ts`, default: `${stem}.js` }
}

/** The checkout brings a Node of its own and so works with any; the package takes the one it finds. */
const engines = { node: ">=24" }

const manifest = (): object => {
  const {
    private: _private,
    scripts: _scripts,
    devDependencies: _tools,
    allowScripts: _allowed,
    ...kept
  } = project
  const exports = Object.fromEntries(
    Object.entries(project.exports).map(([name, entry]) => [name, built(entry)]),
  )
  return { ...kept, exports, engines }
}

if (target === standard) rmSync(target, { recursive: true, force: true })
// Only our own folder is emptied: a slip of the keyboard must not cost anybody a home directory.
else if (existsSync(target)) throw new Error(`${target} exists: name a folder that does not`)
compile()
pointAtJavaScript()
for (const folder of build.include) for (const file of filesIn(join(root, folder)).filter(isAsset)) copy(file)
for (const file of filesIn(join(root, "bin"))) copy(file)
for (const name of ["README.md", "CHANGELOG.md", "LICENSE"])
  if (existsSync(join(root, name))) copy(join(root, name))
writeFileSync(join(target, "package.json"), `${JSON.stringify(manifest(), null, 2)}\n`)
console.log(`built ${project.name} ${project.version} into ${relative(process.cwd(), target) || "."}`)

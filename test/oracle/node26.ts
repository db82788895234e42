/**
 * Oracle: Node 26, whose V8 is another than Node 24's, installed beside this file when a test first asks for it.
 *
 * The packages are those that npm's `node` fetches in its install script. Named one by one, the lockfile pins the
 * executable itself, and no script runs.
 */
import child from "node:child_process"
import fs from "node:fs"
import path from "node:path"

const folder = path.join(import.meta.dirname, "node26")
const modules = path.join(folder, "node_modules")

const system = process.platform === "win32" ? "win" : process.platform
const prefix = system === "darwin" && process.arch === "arm64" ? "node-bin" : "node"
const name = `${prefix}-${system}-${process.arch}`
const executable = system === "win" ? "bin/node.exe" : "bin/node"

/** What npm said where it could not install. */
const install = (): string | undefined => {
  console.log(`installing the oracle ${name} into test/oracle/node26, once, some seconds`)
  fs.mkdirSync(modules, { recursive: true })
  // Aside and then moved, which is one step: two test files may ask at once, and one may be cut off.
  const aside = fs.mkdtempSync(path.join(modules, ".install-"))
  try {
    for (const file of ["package.json", "package-lock.json", ".npmrc"])
      fs.copyFileSync(path.join(folder, file), path.join(aside, file))
    const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    const npm = child.spawnSync("npm", ["install", "--prefix", aside, ...options], {
      cwd: aside,
      encoding: "utf8",
      shell: system === "win",
    })
    if (npm.status !== 0) return npm.error?.message ?? npm.stderr
    const made = path.join(aside, "node_modules", name)
    if (!fs.existsSync(path.join(made, executable))) return `npm brought no ${name}`
    try {
      fs.renameSync(made, path.join(modules, name))
    } catch (error) {
      if (!fs.existsSync(path.join(modules, name, executable))) throw error
    }
    return undefined
  } finally {
    fs.rmSync(aside, { recursive: true, force: true })
  }
}

/** Path of the executable; `undefined` where it can't be installed and need not be: in CI it must be. */
export const load = (): string | undefined => {
  const file = path.join(modules, name, executable)
  const detail = fs.existsSync(file) ? undefined : install()
  if (detail === undefined) return file
  if (process.env["CI"] === "true") throw new Error(`Node 26 could not be installed: ${detail}`)
  console.log(`skipped: Node 26 could not be installed: ${detail.trim().split("\n").at(-1)}`)
  return undefined
}

/**
 * Oracle: `arlocal`, a gateway to an Arweave of one machine, installed beside this file when a test first asks for it.
 *
 * It unpacks bundles with arbundles and mines none whose items are badly signed. No install script runs and nothing is
 * compiled: in place of npm's `sqlite3` stands Node's own (`arlocal/sqlite3`).
 */
import child from "node:child_process"
import { once } from "node:events"
import fs from "node:fs"
import net from "node:net"
import os from "node:os"
import path from "node:path"
import * as Effect from "effect/Effect"

const folder = path.join(import.meta.dirname, "arlocal")

/** Installs on first use. False where npm can't, which CI takes for a failure. */
export const install = (): boolean => {
  if (fs.existsSync(path.join(folder, "node_modules", ".package-lock.json"))) return true
  console.log("installing the oracle arlocal into test/oracle/arlocal, once, half a minute")
  const options = ["--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--prefer-offline"]
  const npm = child.spawnSync("npm", ["install", "--prefix", folder, ...options], {
    cwd: folder,
    encoding: "utf8",
    shell: process.platform === "win32",
  })
  if (npm.status === 0) return true
  const detail = npm.error?.message ?? npm.stderr
  if (process.env["CI"] === "true") throw new Error(`npm install in test/oracle/arlocal failed: ${detail}`)
  console.log(`skipped: arlocal: npm install failed: ${detail.trim().split("\n").at(-1)}`)
  return false
}

/** A port that was free a moment ago: arlocal takes none by itself. */
const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  return typeof address === "object" && address !== null ? address.port : 0
}

const start = async () => {
  const port = await freePort()
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "heddle-arlocal-"))
  const program = path.join(folder, "node_modules", "arlocal", "bin", "index.js")
  const running = child.spawn(
    process.execPath,
    ["--no-warnings", program, String(port), "--hidelogs", "--dbpath", "db"],
    { cwd: home, stdio: ["ignore", "pipe", "ignore"] },
  )
  const ended = once(running, "exit")
  for await (const line of running.stdout)
    if (String(line).includes("arlocal started")) {
      running.stdout.resume()
      return { home, running, ended, url: `http://127.0.0.1:${port}` }
    }
  throw new Error("arlocal ended before it began")
}

/** A fresh arlocal for as long as the scope lives. */
export const make = Effect.map(
  Effect.acquireRelease(Effect.promise(start), ({ home, running, ended }) =>
    Effect.promise(async () => {
      running.kill("SIGKILL")
      await ended
      fs.rmSync(home, { recursive: true, force: true })
    }),
  ),
  ({ url }) => {
    const get = async (at: string): Promise<boolean> => {
      const response = await fetch(url + at)
      await response.arrayBuffer()
      return response.ok
    }
    /** It unpacks what was posted while it answers, and mines nothing when it meets itself there. */
    const mine = async (blocks: number): Promise<void> => {
      for (let attempt = 0; attempt < 20; attempt++) if (await get(`/mine/${blocks}`)) return
      throw new Error("arlocal does not mine")
    }
    return {
      url,
      mint: (address: string, winston: bigint) => Effect.promise(() => get(`/mint/${address}/${winston}`)),
      mine: (blocks: number) => Effect.promise(() => mine(blocks)),
    }
  },
)

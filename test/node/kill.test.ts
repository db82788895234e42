/** `kill -9` at any moment loses no acknowledged message and leaves no gap (spec 03 §3). */
import { type ChildProcess, spawn } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import readline from "node:readline"
import { assert, test } from "vitest"

const kills = 50
const script = new URL("./KilledNode.ts", import.meta.url).pathname

/** Acknowledgements after which to kill, drawn from the number of the kill so that a failing run can be made again. */
const acknowledgementsBefore = (kill: number): number => {
  let z = (kill + 1) * 0x6d2b79f5 // mulberry32
  z = Math.imul(z ^ (z >>> 15), z | 1)
  z ^= z + Math.imul(z ^ (z >>> 7), z | 61)
  return ((z ^ (z >>> 14)) >>> 0) % 32
}

interface Killed {
  readonly acks: ReadonlyArray<string>
  readonly fault: string | undefined
  /** Snapshots that were there when it started. */
  readonly snapshots: number
}

/** Runs the node until it has acknowledged so many, kills it; gives all it acknowledged and whether it was well. */
const runAndKill = (folder: string, acknowledgedFile: string, acknowledgements: number) =>
  new Promise<Killed>((resolve) => {
    const child: ChildProcess = spawn(process.execPath, [script, folder, acknowledgedFile], {
      stdio: ["ignore", "pipe", "pipe"],
    })
    const acks: Array<string> = []
    let fault: string | undefined
    let ready = false
    let snapshots = 0
    let errors = ""
    child.stderr!.on("data", (chunk: Buffer) => (errors += chunk.toString()))
    readline.createInterface({ input: child.stdout! }).on("line", (line) => {
      if (line === "ready") ready = true
      if (line.startsWith("snapshots ")) snapshots = Number(line.slice(10))
      if (line.startsWith("ack ")) acks.push(line.slice(4))
      if (ready && acks.length >= acknowledgements) child.kill("SIGKILL")
      if (line.startsWith("fault ")) fault = line.slice(6)
    })
    child.on("close", () =>
      resolve({
        acks,
        snapshots,
        fault: fault ?? (ready ? undefined : `it ended before it was ready: ${errors}`),
      }),
    )
  })

test(
  `${kills} kills under load, amid evictions and snapshots, lose no acknowledged message and leave no gap`,
  { timeout: 600_000 },
  async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "heddle-kill-"))
    const acknowledgedFile = path.join(folder, "acknowledged")
    fs.writeFileSync(acknowledgedFile, "")
    let [acknowledged, expected, written] = [0, 0, 0]
    try {
      for (let kill = 0; kill < kills; kill++) {
        const { acks, fault, snapshots } = await runAndKill(
          path.join(folder, "data"),
          acknowledgedFile,
          acknowledgementsBefore(kill),
        )
        assert.isUndefined(fault, `after kill ${kill}`)
        fs.appendFileSync(acknowledgedFile, acks.map((ack) => `${ack}\n`).join(""))
        acknowledged += acks.length
        assert.isAtLeast(snapshots, written, `after kill ${kill}`)
        written = snapshots
        expected += acknowledgementsBefore(kill)
      }
      assert.isAbove(expected, 10 * kills)
      assert.isAtLeast(acknowledged, expected, "the node was under load when it was killed")
      assert.isAbove(written, 5 * kills, "processes were written down all the time")
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  },
)

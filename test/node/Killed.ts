/**
 * Killed: runs a node that is made to be killed, and kills it. It says what happens a line an event: `ready` once it has
 * found itself well, `ack ...` of each message that it acknowledged, `fault ...` of what is wrong, and what it counts.
 */
import { spawn } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import readline from "node:readline"
import { assert } from "vitest"

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
  /** What it counted when it started. */
  readonly count: number
}

/** Runs the node until it has acknowledged so many, kills it; gives all it acknowledged and whether it was well. */
const runAndKill = (args: ReadonlyArray<string>, counted: string, acknowledgements: number) =>
  new Promise<Killed>((resolve) => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
    const acks: Array<string> = []
    let fault: string | undefined
    let ready = false
    let count = 0
    let errors = ""
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()))
    readline.createInterface({ input: child.stdout }).on("line", (line) => {
      if (line === "ready") ready = true
      if (line.startsWith(`${counted} `)) count = Number(line.slice(counted.length))
      if (line.startsWith("ack ")) acks.push(line.slice(4))
      if (ready && acks.length >= acknowledgements) child.kill("SIGKILL")
      if (line.startsWith("fault ")) fault = line.slice(6)
    })
    child.on("close", () =>
      resolve({
        acks,
        count,
        fault: fault ?? (ready ? undefined : `it ended before it was ready: ${errors}`),
      }),
    )
  })

/**
 * Kills the node of `script` so often, each time under load, and demands that it was well again every time; gives what it
 * counted at last. The script is given its data folder and a file of all that was acknowledged.
 */
export const often = async (script: URL, kills: number, counted: string): Promise<number> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "heddle-kill-"))
  const acknowledgedFile = path.join(folder, "acknowledged")
  fs.writeFileSync(acknowledgedFile, "")
  let [acknowledged, expected, before] = [0, 0, 0]
  try {
    for (let kill = 0; kill < kills; kill++) {
      const { acks, fault, count } = await runAndKill(
        [script.pathname, path.join(folder, "data"), acknowledgedFile],
        counted,
        acknowledgementsBefore(kill),
      )
      assert.isUndefined(fault, `after kill ${kill}`)
      fs.appendFileSync(acknowledgedFile, acks.map((ack) => `${ack}\n`).join(""))
      acknowledged += acks.length
      assert.isAtLeast(count, before, `after kill ${kill}`)
      before = count
      expected += acknowledgementsBefore(kill)
    }
    assert.isAbove(expected, 10 * kills)
    assert.isAtLeast(acknowledged, expected, "the node was under load when it was killed")
    return before
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

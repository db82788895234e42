/** The start of the command line, as who types `heddle --help` waits for it. */
import { spawnSync } from "node:child_process"
import fs from "node:fs"
import { fileURLToPath } from "node:url"
import { against, type Figure, ms } from "../Figure.ts"
import * as Meter from "../Meter.ts"

const commandLine = fileURLToPath(new URL("../../../node/cli/main.ts", import.meta.url))
const door = fileURLToPath(new URL("../../../bin/heddle.js", import.meta.url))

/** ms of wall time of a Node with these arguments, from its start to its end. */
const wall = (args: ReadonlyArray<string>): number => {
  const from = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  })
  if (status !== 0) throw new Error(`${args.join(" ")} ends with ${status}: ${stderr}`)
  return performance.now() - from
}

export const figure: Figure = async ({ quick, progress }) => {
  if (!fs.existsSync(commandLine))
    return { _tag: "Unavailable", why: "there is no command line: node/cli/main.ts" }
  const times = quick ? 5 : 25
  progress(`${times} starts of each`)
  const help: Array<number> = []
  const nothing: Array<number> = []
  for (let i = -2; i < times; i++) {
    const [one, other] = [wall([door, "--help"]), wall(["-e", "0"])]
    if (i < 0) continue // fills the compile cache
    help.push(one)
    nothing.push(other)
  }
  const [measured, limit] = [Meter.median(help), Meter.median(nothing)]
  return {
    _tag: "Measured",
    rows: [against("heddle --help", ms(measured), "node -e 0", limit)],
    reckoning: [
      `Node itself takes ${limit.toFixed(0)} ms; ${(measured - limit).toFixed(0)} ms are ours: modules loaded and run`,
    ],
  }
}

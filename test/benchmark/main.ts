/**
 * `npm run bench`: every figure with the limit that it is held against, each in a fresh process, one after another.
 *
 *     npm run bench                             all of them, in a few minutes
 *     npm run bench -- --quick                  smaller sizes: to see that they run
 *     npm run bench -- --only replay --only help
 *     npm run bench -- --json                   for programs
 *     npm run bench -- --only load --profile profiles
 */
import { fork } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { type Broken, isName, type Name, names, type Result } from "./Figure.ts"
import type { Request, Said } from "./FigureRun.ts"
import * as ResultTable from "./ResultTable.ts"

const usage = `npm run bench -- [options]

  --only <name>      runs this figure; may be given more than once: ${names.join(", ")}
  --quick            smaller sizes
  --json             prints JSON
  --profile <folder> leaves CPU profiles of figures and nodes there
  --help             prints this

The data folders lie where TMPDIR says: the disk below it is what is measured.
`

/** A figure that takes longer hangs. */
const figureMsMax = 15 * 60_000

/** The environment without settings of heddle, which would reach the nodes that are measured. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("HEDDLE_")),
)

const script = fileURLToPath(new URL("./FigureRun.ts", import.meta.url))

const measure = (request: Request): Promise<Result | Broken> =>
  new Promise((resolve) => {
    const { name, folder, profile } = request
    const child = fork(script, {
      cwd: folder,
      env: environment,
      timeout: figureMsMax,
      execArgv: profile === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", profile],
    })
    let result: Result | undefined
    child.on("message", (said: Said) => {
      if ("progress" in said) process.stderr.write(`${name}: ${said.progress}\n`)
      else result = said.result
    })
    child.on("exit", (code, signal) =>
      resolve(result ?? { _tag: "Broken", why: `it ended with ${signal ?? `code ${code}`}` }),
    )
    child.send(request)
  })

const options = (() => {
  try {
    return parseArgs({
      options: {
        only: { type: "string", multiple: true },
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        profile: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }).values
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
})()

/** Names of the figures to run, or what is wrong with them. */
const chosen = (only: ReadonlyArray<string> | undefined): ReadonlyArray<Name> | string => {
  if (only === undefined) return names
  const unknown = only.find((name) => !isName(name))
  return unknown === undefined
    ? names.filter((name) => only.includes(name))
    : `there is no figure "${unknown}"`
}

const wanted = typeof options === "string" ? options : chosen(options.only)

if (typeof options === "string" || typeof wanted === "string") {
  process.stderr.write(`${String(wanted)}\n\n${usage}`)
  process.exitCode = 2
} else if (options.help) {
  process.stdout.write(usage)
} else {
  const { quick, json } = options
  const profile = options.profile === undefined ? undefined : path.resolve(options.profile)
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "heddle-bench-"))
  const clear = () => fs.rmSync(root, { recursive: true, force: true })
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      clear()
      process.exit(1)
    })
  const load = os.loadavg()[0]!
  const results: Array<ResultTable.Named> = []
  try {
    for (const name of wanted) {
      const folder = path.join(root, name)
      fs.mkdirSync(folder)
      results.push({ name, result: await measure({ name, folder, quick, profile }) })
      fs.rmSync(folder, { recursive: true, force: true })
    }
  } finally {
    clear()
  }
  const machine = {
    node: process.version,
    platform: process.platform,
    cpu: os.cpus()[0]?.model ?? "",
    cores: os.availableParallelism(),
    load,
  }
  if (json) process.stdout.write(`${JSON.stringify({ machine, quick, figures: results }, null, 2)}\n`)
  else {
    const { node, cpu, cores } = machine
    const remark = quick ? "; quick: sizes too small to believe" : ""
    process.stdout.write(
      `\nNode ${node}, ${cores} cores of ${cpu}, load ${load.toFixed(1)} before the start${remark}\n\n`,
    )
    process.stdout.write(ResultTable.format(results))
  }
  if (results.some(({ result }) => result._tag === "Broken")) process.exitCode = 1
}

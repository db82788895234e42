/** The command line as its users have it: arguments in; exit code, output and errors out. Each in a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import readline from "node:readline"
import { text } from "node:stream/consumers"
import { assert } from "vitest"

export const root = path.join(import.meta.dirname, "..", "..")
export const bin = path.join(root, "bin", "heddle.js")
export const counter = path.join(root, "examples", "counter", "counter.ts")

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly errors: string
}

export type Environment = Readonly<Record<string, string>>
export type Json = Readonly<Record<string, unknown>>
type Args = ReadonlyArray<string>

export const stop = async (
  child: ChildProcess,
  signal: NodeJS.Signals = "SIGTERM",
): Promise<number | null> => {
  const closed = once(child, "close")
  child.kill(signal)
  return (await closed)[0] as number | null
}

export const make = (name: string) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `heddle-${name}-`))
  let url = "http://127.0.0.1:1"

  const environment = (env: Environment): Environment => ({
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    HEDDLE_KEYS: path.join(folder, "keys"),
    HEDDLE_PASSPHRASE: "correct horse",
    HEDDLE_URL: url,
    ...env,
  })

  const start = (args: Args, env: Environment = {}): ChildProcess =>
    spawn(process.execPath, [bin, ...args], {
      cwd: folder,
      env: environment(env),
      stdio: ["ignore", "pipe", "pipe"],
    })

  const ended = async (child: ChildProcess): Promise<Ran> => {
    const [[code], out, errors] = await Promise.all([
      once(child, "close"),
      text(child.stdout!),
      text(child.stderr!),
    ])
    return { code: code as number | null, out, errors }
  }

  const run = (args: Args, env: Environment = {}): Promise<Ran> => ended(start(args, env))

  /** Runs a command that reads `input` from a pipe. */
  const feed = (args: Args, input: string): Promise<Ran> => {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: folder,
      env: environment({}),
      stdio: ["pipe", "pipe", "pipe"],
    })
    child.stdin.end(input)
    return ended(child)
  }

  /** Runs a command that must succeed; gives what it prints as JSON. */
  const printed = async <A>(...args: Args): Promise<A> => {
    const { code, out, errors } = await run([...args, "--json"])
    assert.strictEqual(code, 0, errors)
    assert.strictEqual(errors, "")
    return JSON.parse(out) as A
  }

  /** Runs a command that must fail; gives what it says. */
  const failure = async (code: 1 | 2, args: Args, env: Environment = {}): Promise<string> => {
    const told = await run(args, env)
    assert.strictEqual(told.code, code, told.errors)
    assert.strictEqual(told.out, "")
    assert.notInclude(told.errors, "    at ", "a stack is for mistakes of ours")
    return told.errors
  }

  /** Writes a file into the folder; gives its path. */
  const write = (file: string, content: string | Uint8Array): string => {
    const at = path.join(folder, file)
    fs.writeFileSync(at, content)
    return at
  }

  return {
    folder,
    /** Where the node is that commands speak to. */
    url: () => url,
    environment,
    start,
    run,
    feed,
    failure,
    write,
    json: (...args: Args) => printed<Json>(...args),
    list: (...args: Args) => printed<ReadonlyArray<Json>>(...args),
    /** Starts a node; from then on commands speak to it. */
    dev: async (...args: Args) => {
      const child = start(["dev", "--port", "0", "--json", ...args])
      const [line] = (await once(readline.createInterface({ input: child.stdout! }), "line")) as [string]
      const info = JSON.parse(line) as { readonly url: string; readonly scheduler: string }
      ;({ url } = info)
      return { child, info }
    },
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  }
}

export type CommandLine = ReturnType<typeof make>

/** Gives a command a terminal of its own. */
const script = "/usr/bin/script"

export const hasTerminal = process.platform === "linux" && fs.existsSync(script)

/** Runs a command at a terminal and answers each question once it is asked; gives all that the terminal showed. */
export const talk = async (
  args: Args,
  answers: ReadonlyArray<readonly [question: string, answer: string]>,
  env: Environment,
): Promise<{ readonly code: number | null; readonly shown: string }> => {
  const child = spawn(script, ["-qec", [process.execPath, bin, ...args].join(" "), "/dev/null"], {
    env: { TERM: "xterm", ...env },
    stdio: ["pipe", "pipe", "ignore"],
  })
  const left = [...answers]
  let shown = ""
  let read = 0
  const answer = () => {
    const [question, typed] = left[0] ?? []
    const at = question === undefined ? -1 : shown.indexOf(question, read)
    if (at < 0) return
    read = at + 1
    left.shift()
    child.stdin.write(typed)
    answer()
  }
  child.stdout.on("data", (chunk: Buffer) => {
    shown += chunk.toString()
    answer()
  })
  const [code] = (await once(child, "close")) as [number | null]
  return { code, shown }
}

/** The door: which Node it takes, and what it passes on. Stands in a folder of its own, with a command line that says what it hears. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { afterAll, beforeAll, expect, it } from "vitest"
import { root } from "../SourceFile.ts"

let folder: string

const main = `
const say = (text: string): void => { process.stdout.write(text + "\\n") }
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => { say(signal); process.exit(7) })
say(process.versions.node.split(".")[0] + " " + process.argv.slice(2).join(" "))
if (process.argv[2] === "wait") setInterval(() => {}, 1000)
else process.exitCode = Number(process.argv[2])
`

/** Makes this Node say that it is an older one. */
const older = `
const version = process.env.HEDDLE_NODE_STARTED === undefined || process.env.ALWAYS_OLDER ? "20.1.0" : process.versions.node
Object.defineProperty(process, "versions", { value: { ...process.versions, node: version } })
`

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-bin-"))
  await mkdir(join(folder, "checkout", "node", "cli"), { recursive: true })
  await cp(join(root, "bin"), join(folder, "checkout", "bin"), { recursive: true })
  await cp(join(folder, "checkout", "bin"), join(folder, "alone", "bin"), { recursive: true })
  for (const name of ["checkout", "alone"])
    await writeFile(join(folder, name, "package.json"), '{ "type": "module" }')
  await writeFile(join(folder, "checkout", "node", "cli", "main.ts"), main)
  await writeFile(join(folder, "older.cjs"), older)
  await mkdir(join(folder, "checkout", "node_modules"))
  await symlink(join(root, "node_modules", "node"), join(folder, "checkout", "node_modules", "node"))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const start = (
  env: Readonly<Record<string, string>>,
  place: string,
  ...args: ReadonlyArray<string>
): ChildProcess =>
  spawn(process.execPath, [join(folder, place, "bin", "heddle.js"), ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  })

const asOlder = (): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--require ${join(folder, "older.cjs")}`,
})

const end = async (child: ChildProcess): Promise<{ code: number; out: string; error: string }> => {
  const [[code], out, error] = await Promise.all([
    once(child, "exit"),
    text(child.stdout!),
    text(child.stderr!),
  ])
  return { code, out, error }
}

it("runs the command line and passes its exit code on", async () => {
  expect(await end(start({}, "checkout", "3", "a b"))).toEqual({ code: 3, out: "24 3 a b\n", error: "" })
})

it("starts the Node of the checkout where the present one is too old", async () => {
  expect(await end(start(asOlder(), "checkout", "3", "a b"))).toEqual({
    code: 3,
    out: "24 3 a b\n",
    error: "",
  })
})

it.each(["SIGINT", "SIGTERM"] as const)("passes %s on to it and waits for its end", async (signal) => {
  const child = start(asOlder(), "checkout", "wait")
  const ended = end(child)
  await once(child.stdout!, "data")
  child.kill(signal)
  expect(await ended).toMatchObject({ code: 7, out: expect.stringContaining(signal) })
})

it("says which Node is needed where there is none", async () => {
  const { code, out, error } = await end(start(asOlder(), "alone", "3"))
  expect({ code, out }).toEqual({ code: 1, out: "" })
  expect(error).toMatch(/^heddle needs Node 24 or later; this is Node 20\.1\.0\. .*\n$/)
})

it("starts no third Node where the second is too old as well", async () => {
  const { code, error } = await end(start({ ...asOlder(), ALWAYS_OLDER: "1" }, "checkout", "3"))
  expect(code).toBe(1)
  expect(error).toMatch(/^heddle needs Node 24 or later/)
})

/** The benchmark runs. What it measures is no test's business. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { type Broken, names, type Result } from "./Figure.ts"

const script = fileURLToPath(new URL("./main.ts", import.meta.url))

const bench = async (...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "pipe"] })
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ])
  return { stdout, stderr, status: status as number | null } // as Node has it
}

interface Report {
  readonly figures: ReadonlyArray<{ readonly name: string; readonly result: Result | Broken }>
}

it("measures the figure that it is asked for and no other", async () => {
  const { status, stdout } = await bench("--quick", "--json", "--only", "help")
  const { figures } = JSON.parse(stdout) as Report
  expect(figures).toMatchObject([
    { name: "help", result: { _tag: "Measured", rows: [{ limit: { name: "node -e 0" } }] } },
  ])
  expect(status).toBe(0)
})

it("measures every figure and holds it against a limit of the same run", { timeout: 900_000 }, async () => {
  const { status, stdout, stderr } = await bench("--quick", "--json")
  const { figures } = JSON.parse(stdout) as Report
  expect(figures.map(({ name }) => name)).toEqual(names)
  const broken = figures.flatMap(({ name, result }) =>
    result._tag === "Measured" ? [] : [`${name}: ${result.why}\n${stderr}`],
  )
  expect(broken).toEqual([])
  const rows = figures.map(({ result }) => (result._tag === "Measured" ? result.rows : []))
  const held = rows.map((all) => all.some(({ limit }) => limit !== undefined))
  expect(held).toEqual(names.map(() => true))
  const numbers = rows
    .flat()
    .flatMap(({ measured, limit, ratio = 1 }) => [measured.value, limit?.value ?? 1, ratio])
  expect(numbers.filter((value) => !(value > 0 && Number.isFinite(value)))).toEqual([])
  expect(status).toBe(0)
})

it("names the figures that there are to who asks for another", async () => {
  const { status, stdout, stderr } = await bench("--only", "speed")
  expect(stderr).toContain('there is no figure "speed"')
  for (const name of names) expect(stderr).toContain(name)
  expect([status, stdout]).toEqual([2, ""])
})

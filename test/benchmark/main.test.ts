/** The benchmark runs. What it measures is no test's business. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { names } from "./Figure.ts"

const script = fileURLToPath(new URL("./main.ts", import.meta.url))

const bench = (...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [script, ...args], { encoding: "utf8" })

it("measures the figure that it is asked for and no other", () => {
  const { status, stdout } = bench("--quick", "--json", "--only", "help")
  const { figures } = JSON.parse(stdout) as { readonly figures: ReadonlyArray<unknown> }
  expect(figures).toMatchObject([
    { name: "help", result: { _tag: "Measured", rows: [{ limit: { name: "node -e 0" } }] } },
  ])
  expect(status).toBe(0)
})

it("names the figures that there are to who asks for another", () => {
  const { status, stdout, stderr } = bench("--only", "speed")
  expect(stderr).toContain('there is no figure "speed"')
  for (const name of names) expect(stderr).toContain(name)
  expect([status, stdout]).toEqual([2, ""])
})

/** `npm run verify`: everything that must hold before a change lands, cheapest first, stopping at the first failure. */
import { spawnSync } from "node:child_process"
import { delimiter, join } from "node:path"

const steps: ReadonlyArray<{ readonly name: string; readonly command: ReadonlyArray<string> }> = [
  { name: "format", command: ["oxfmt", "--check"] },
  { name: "lint", command: ["oxlint"] },
  { name: "types", command: ["tsc"] },
  { name: "tests", command: ["vitest", "run"] },
]

// The tools start with `#!/usr/bin/env node`, and that has to be the Node of this project.
const tools = join(import.meta.dirname, "node_modules", ".bin")
const env = { ...process.env, PATH: `${tools}${delimiter}${process.env["PATH"] ?? ""}` }

for (const [index, { name, command }] of steps.entries()) {
  console.log(`\n== ${index + 1}/${steps.length} ${name}: ${command.join(" ")}`)
  const [tool = "", ...args] = command
  const { status, error } = spawnSync(tool, args, {
    cwd: import.meta.dirname,
    env,
    stdio: "inherit",
    shell: process.platform === "win32",
  })
  if (status !== 0) {
    console.error(`\n== ${name} failed${error === undefined ? "" : `: ${error.message}`}`)
    process.exit(1)
  }
}

// Said last, where it is seen: the tests leave the model out where its checker is missing.
if (spawnSync("spin", ["-V"]).error !== undefined)
  console.warn(
    "\n== spec/model was NOT CHECKED: install its checker (Debian: apt-get install spin gcc libc6-dev)",
  )

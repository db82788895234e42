/** Drives the parent: it spawns three children in its first turn, and has them add up 1 to 1,000 side by side. */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { createIdentity, start } from "heddle"

const file = (name: string) => ({ file: path.join(import.meta.dirname, name) })
const dataFolder = fs.mkdtempSync(path.join(os.tmpdir(), "heddle-parent-"))
await using heddle = await start({ dataFolder, as: await createIdentity() })

const child = await heddle.addModule(file("child.ts"))
const parent = await heddle.spawn(file("parent.ts"), {
  name: "Parent",
  tags: { "Child-Module": child, Children: "3" },
})
console.log("children:", ((await heddle.ask(parent, "Children")) as ReadonlyArray<string>).length)
console.log("sum:     ", await heddle.ask(parent, "Sum", { tags: { To: "1000" } }))
console.log("slept:   ", await heddle.ask(parent, "Later", { tags: { Ms: "100" } }))

const [first] = (await heddle.ask(parent, "Children")) as ReadonlyArray<string>
try {
  await heddle.ask(first ?? "", "Sum", { tags: { From: "1", To: "2" } })
} catch (error) {
  console.log("refused: ", error instanceof Error ? error.message : error)
}

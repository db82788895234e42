/** Drives the hand-written counter: spawns it on a node of its own in a temporary folder, counts, and reads it in three ways. */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { createIdentity, start } from "heddle"

const dataFolder = fs.mkdtempSync(path.join(os.tmpdir(), "heddle-wat-counter-"))
await using heddle = await start({ dataFolder, as: await createIdentity() })

const counter = await heddle.spawn(
  { file: path.join(import.meta.dirname, "counter.wasm") },
  { name: "Counter" },
)
console.log(`counter ${counter}`)

await heddle.send(counter, "Increment")
await heddle.send(counter, "Increment", { tags: { By: "40" } })
console.log("asked:  ", await heddle.ask(counter, "Get"))
console.log("queried:", (await heddle.query(counter, "Get")).value)
console.log("viewed: ", (await heddle.view(counter, "count"))?.value)

for (const by of ["much", "1234567890"])
  try {
    await heddle.ask(counter, "Increment", { tags: { By: by } })
  } catch (error) {
    console.log("refused:", error instanceof Error ? error.message : error)
  }
console.log("still:  ", await heddle.ask(counter, "Get"))

const [, turn] = await heddle.turns(counter)
console.log("fuel:   ", turn?.outcome.fuelUsed)

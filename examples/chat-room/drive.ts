/** Drives the chat room: two people join and talk, a third reads along. */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { createIdentity, start } from "heddle"

const dataFolder = fs.mkdtempSync(path.join(os.tmpdir(), "heddle-chat-"))
const [ada, grace] = [await createIdentity(), await createIdentity()]
await using heddle = await start({ dataFolder, as: ada })

const room = await heddle.spawn({ file: path.join(import.meta.dirname, "chat-room.ts") }, { name: "Weavers" })
await heddle.ask(room, "Join", { tags: { Name: "Ada" } })
await heddle.ask(room, "Join", { as: grace, tags: { Name: "Grace" } })
try {
  await heddle.ask(room, "Join", { as: await createIdentity(), tags: { Name: "Ada" } })
} catch (error) {
  console.log("refused:", error instanceof Error ? error.message : error)
}
await heddle.send(room, "Say", { data: "Is the warp threaded?" })
await heddle.ask(room, "Say", { as: grace, data: "Through every heddle." })

console.log("members:", (await heddle.view(room, "members"))?.value)
const said = (await heddle.query(room, "History")).value as ReadonlyArray<{
  readonly name: string
  readonly text: string
}>
for (const { name, text } of said) console.log(`${name}: ${text}`)

/** Drives the token: a supply, transfers by two people, one that fails, an auditor that it spawns, and a shop. */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { createIdentity, start } from "heddle"

const file = (name: string) => ({ file: path.join(import.meta.dirname, name) })
const dataFolder = fs.mkdtempSync(path.join(os.tmpdir(), "heddle-token-"))
const [ada, grace] = [await createIdentity(), await createIdentity()]
await using heddle = await start({ dataFolder, as: ada })

const token = await heddle.spawn(file("token.ts"), {
  name: "Tokens of Ada",
  tags: { Ticker: "ADA", Supply: "1000" },
})
const shop = await heddle.spawn(file("shop.ts"), { name: "Shop", tags: { Token: token } })
console.log("info:    ", await heddle.ask(token, "Info"))

console.log(
  "transfer:",
  await heddle.ask(token, "Transfer", { tags: { Recipient: grace.address, Quantity: "300" } }),
)
const back = { Recipient: ada.address, Quantity: "50" }
console.log("back:    ", await heddle.ask(token, "Transfer", { as: grace, tags: back }))
try {
  await heddle.ask(token, "Transfer", { as: grace, tags: { Recipient: ada.address, Quantity: "999" } })
} catch (error) {
  console.log("refused: ", error instanceof Error ? error.message : error)
}
console.log("balances:", await heddle.ask(token, "Balances"))
console.log("afford:  ", await heddle.ask(shop, "Can-Afford", { as: grace, tags: { Price: "200" } }))

const module = await heddle.addModule(file("auditor.ts"))
console.log("audit:   ", await heddle.ask(token, "Audit", { tags: { "Auditor-Module": module } }))

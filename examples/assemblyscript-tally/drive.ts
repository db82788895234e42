/** Drives the tally: three people vote, one thinks again, and the counter written in WAT counts those who came. */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { createIdentity, start } from "heddle"

const file = (name: string) => ({ file: path.join(import.meta.dirname, name) })
const dataFolder = fs.mkdtempSync(path.join(os.tmpdir(), "heddle-tally-"))
const [ada, grace, edsger] = [await createIdentity(), await createIdentity(), await createIdentity()]
await using heddle = await start({ dataFolder, as: ada })

const turnout = await heddle.spawn(file("../wat-counter/counter.wasm"), { name: "Turnout" })
const tally = await heddle.spawn(file("tally.wasm"), { name: "Tally", tags: { Turnout: turnout } })

const vote = (as: typeof ada, choice: string) => heddle.ask(tally, "Vote", { as, tags: { Choice: choice } })
await vote(ada, "tea")
await vote(grace, "coffee")
await vote(edsger, "coffee")
console.log("first:  ", await heddle.ask(tally, "Result"))
await vote(edsger, "tea")
console.log("then:   ", (await heddle.view(tally, "result"))?.value)

const refused = async (asked: Promise<unknown>) =>
  console.log(
    "refused:",
    await asked.catch((error: unknown) => (error instanceof Error ? error.message : error)),
  )
await refused(heddle.ask(tally, "Close", { as: grace }))
console.log("closed: ", await heddle.ask(tally, "Close"))
await refused(vote(grace, "tea"))

// The tally has told the counter; its messages are in the counter's log, proven to be the tally's.
for await (const { outcome } of heddle.follow(turnout)) if (outcome.slot === 3) break
console.log("turnout:", await heddle.ask(turnout, "Get"))
for (const { from, action } of (await heddle.log(turnout)).slice(1, 4))
  console.log(from === tally ? "  the tally said" : "  somebody said", action)

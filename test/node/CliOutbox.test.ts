/** The commands that show what is not delivered and what came to a person: outbox, inbox. */
import type { ChildProcess } from "node:child_process"
import readline from "node:readline"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type Client, connect, createIdentity } from "../../node/index.ts"
import * as Caller from "../support/Caller.ts"
import * as CommandLine from "../support/CommandLine.ts"

type Json = CommandLine.Json

const line = CommandLine.make("outbox")
const { run, json, list, failure, start, write } = line
const nobody = "A".repeat(43)

const teller = write(
  "teller.ts",
  `import { on, send } from "heddle/guest"
on("Tell", (message) => {
  send(String(message.tags["Whom"]), { action: "Notice", data: String(message.tags["What"] ?? "") })
})
`,
)

let node: ChildProcess
let client: Client
let process: string
/** Of the keys in the key folder. */
const addresses: Record<string, string> = {}

const tell = (whom: string, what = "nothing") =>
  json("send", process, "Tell", "--as", "ada", "--tag", `Whom=${whom}`, "--tag", `What=${what}`)

/** Asks until it is so: delivery goes on behind the command that caused it. */
const until = async <A>(ask: () => Promise<A>, holds: (found: A) => boolean): Promise<A> => {
  for (let rounds = 0; rounds < 100; rounds++) {
    const found = await ask()
    if (holds(found)) return found
  }
  throw new Error("it never came to this")
}

beforeAll(async () => {
  node = (await line.dev()).child
  for (const name of ["ada", "grace"])
    addresses[name] = String((await json("keys", "new", name, "--unsealed"))["address"])
  process = (await run(["spawn", teller, "--as", "ada"])).out.trim()
  client = await connect(line.url(), { as: await createIdentity() })
})

afterAll(async () => {
  await client.close()
  await CommandLine.stop(node)
  line.remove()
})

describe("heddle outbox", () => {
  it("shows why an entry waits, how often it was tried and when it is tried next; --retry tries it", async () => {
    const { slot } = await tell(nobody)
    const entry = `${process}.${String(slot)}.0`
    const [waiting] = await until(
      () => list("outbox"),
      ([first]) => first?.["attempts"] === 1,
    )
    assert.deepInclude(waiting, { source: process, slot, index: 0, target: nobody, next: null })
    const { out } = await run(["outbox"])
    for (const text of [entry, "unknown process", "attempts", "next"]) assert.include(out, text)

    for (const [i, args] of [["--retry"], ["--retry", entry]].entries()) {
      const retried = await json("outbox", ...args)
      assert.deepInclude(retried, { tried: 1, delivered: 0 })
      assert.deepInclude((retried["waiting"] as ReadonlyArray<Json>)[0], { slot, attempts: i + 2 })
    }
    const { out: told } = await run(["outbox", "--retry"])
    assert.include(told, "1 tried again, 0 delivered, 1 not yet")
    assert.include(told, entry)
    assert.deepInclude(await client.retry({ source: process, slot: Number(slot), index: 0 }), {
      tried: 1,
    })
  })

  it("names an entry that does not wait, and an argument that is none", async () => {
    const unknown = await failure(1, ["outbox", "--retry", `${process}.0.7`])
    assert.include(unknown, `${process}.0.7 does not wait here`)
    assert.include(await failure(2, ["outbox", "--retry", "a.b.c"]), "no entry")
    assert.include(await failure(2, ["outbox", `${process}.0.7`]), "--retry")
    // One process in 64 has an id that begins with a dash.
    assert.include(await failure(1, ["outbox", "--retry", `-${"A".repeat(42)}.0.7`]), "does not wait here")
  })
})

describe("heddle inbox", () => {
  it("shows whom each letter is from once it has checked it, and says what it checked", async () => {
    await tell(addresses["ada"]!, "one")
    await tell(addresses["ada"]!, "two")
    await until(
      () => list("inbox", "--as", "ada"),
      ({ length }) => length === 2,
    )
    const { out, errors } = await run(["inbox", addresses["ada"]!])
    assert.match(out, new RegExp(`0 .*From ${process}  Notice  one\n +1 .*From ${process}  Notice  two`))
    assert.include(errors, "2 checked here")
    const [second] = await list("inbox", "--as", "ada", "--from", "1")
    assert.deepInclude(second, {
      number: 1,
      proven: true,
      problem: null,
      from: process,
      pair: 2,
      action: "Notice",
    })
    assert.strictEqual(Buffer.from(String(second!["data"]), "base64url").toString(), "two")
    assert.include((await run(["inbox", "--as", "ada", "--from", "7"])).out, "no letter from 7 on")
    const [letter] = await client.inbox(addresses["ada"]!, { from: 1 })
    assert.deepInclude(letter, { number: 1, problem: undefined })
    assert.deepStrictEqual([String(letter!.letter?.from), letter!.letter?.action], [process, "Notice"])
  })

  it("tells the node of a key that it does not know, and gets what was held for it", async () => {
    await tell(addresses["grace"]!, "held")
    assert.include(await failure(1, ["inbox", addresses["grace"]!]), "no key of")
    const [letter] = await until(
      () => list("inbox", "--as", "grace"),
      ({ length }) => length === 1,
    )
    assert.deepInclude(letter, { number: 0, from: process })
    const mine = await client.openInbox()
    assert.deepStrictEqual(await client.inbox(mine), [])
  })

  it("shows letters as they come", async () => {
    const child = start(["inbox", "--as", "ada", "--from", "1", "--follow", "--json"])
    const lines = readline.createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    const next = async () => JSON.parse((await lines.next()).value as string) as Json
    assert.deepInclude(await next(), { number: 1 })
    await tell(addresses["ada"]!, "three")
    assert.deepInclude(await next(), { number: 2, proven: true, from: process })
    assert.strictEqual(await CommandLine.stop(child, "SIGINT"), null)
  })

  it("says whose inbox in one way, and nobody's where there is no such address", async () => {
    assert.include(await failure(2, ["inbox", addresses["ada"]!, "--as", "ada"]), "not both")
    assert.include(await failure(2, ["inbox"]), "--as")
    assert.include(await failure(1, ["inbox", Caller.caller("nobody").identity.address]), "no key of")
  })
})

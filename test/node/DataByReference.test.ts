/** Data that goes beside its message, from the command line and the client to a node's disk and back. */
import type { ChildProcess } from "node:child_process"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Bytes from "../../runtime/Bytes.ts"
import * as DataReference from "../../runtime/DataReference.ts"
import * as Limit from "../../runtime/Limit.ts"
import { connect, createIdentity } from "../../node/index.ts"
import * as CommandLine from "../support/CommandLine.ts"

const { run, json, failure, write, dev, remove, url } = CommandLine.make("data")

const large = new Uint8Array(Limit.itemBytesMax + 1).fill(0xfd)

let node: ChildProcess | undefined
let process = ""
beforeAll(async () => {
  node = (await dev("--data", "data")).child
  await run(["keys", "new", "ada"])
  const code = write(
    "store.ts",
    `import { onMessage, hash } from "heddle/guest"
     onMessage((message) => [message.bytes().length, message.data ?? null])\n`,
  )
  process = (await run(["spawn", code])).out.trim()
})
afterAll(async () => {
  if (node !== undefined) await CommandLine.stop(node)
  remove()
})

describe("--data-file", () => {
  it("sends a file that no message takes by reference, and any other in the message", async () => {
    const asked = await json("ask", process, "Store", "--data-file", write("large.bin", large))
    assert.deepStrictEqual(asked["value"], [large.length, null])
    const small = await json("ask", process, "Store", "--data-file", write("small.txt", "small"))
    assert.deepStrictEqual(small["value"], [5, "small"])
    const referred = await json(
      "ask",
      process,
      "Store",
      "--data-file",
      write("small.txt", "small"),
      "--by-reference",
    )
    assert.deepStrictEqual(referred["value"], [5, "small"])
    const sent = await json("send", process, "Store", "--data", "text", "--by-reference")
    assert.deepInclude(sent, { repeat: false })
    const log = (await run(["log", process, "--json"])).out
    assert.strictEqual(log.split('"Data-Hash"').length - 1, 3)
  })

  it("says what is wrong with it", async () => {
    const both = await failure(2, ["send", process, "Store", "--data", "x", "--data-file", "y"])
    assert.include(both, "give one of them")
    assert.include(
      await failure(1, ["send", process, "Store", "--data-file", "nowhere"]),
      "data can't be read",
    )
    const over = write("over.bin", new Uint8Array(Limit.referencedBytesMax + 1))
    assert.include(await failure(1, ["send", process, "Store", "--data-file", over]), "too large")
  })
})

describe("a client", () => {
  it("sends by reference by itself, and reads what messages refer to", async () => {
    await using client = await connect(url(), { as: await createIdentity() })
    assert.deepStrictEqual(await client.ask(process, "Store", { data: large }), [large.length, null])
    const text = Bytes.fromText("by hand")
    const hash = await client.addData(text)
    assert.deepStrictEqual(await client.ask(process, "Store", { data: "by hand", byReference: true }), [
      7,
      "by hand",
    ])
    assert.strictEqual(hash, DataReference.hashOf(text))
    assert.isTrue(Bytes.equal((await client.data(hash))!, text))
    assert.isUndefined(await client.data("no hash"))
  })
})

describe("verify, replay and a restart", () => {
  it("come to the same by what the node has kept", async () => {
    assert.deepInclude(await json("verify", process), { inadmissible: 0, finding: null })
    assert.deepInclude(await json("replay", process), { finding: null })
    await CommandLine.stop(node!)
    node = (await dev("--data", "data")).child
    assert.deepInclude(await json("verify", process), { inadmissible: 0, finding: null })
    const again = await json("ask", process, "Store", "--data-file", write("large.bin", large))
    assert.deepStrictEqual(again["value"], [large.length, null])
  })
})

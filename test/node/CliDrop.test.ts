/** `heddle outbox --drop`: an owner gives up a message from the command line. */
import type { ChildProcess } from "node:child_process"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as CommandLine from "../support/CommandLine.ts"

const line = CommandLine.make("drop")
const { run, failure, json, list, write } = line
const nobody = `a${"A".repeat(42)}`

const asker = `import { ask, on, send } from "heddle/guest"

on("Ask", async () => {
  const asked = ask("${nobody}", { action: "Hello" })
  send("${nobody}", { action: "Behind" })
  try {
    return await asked
  } catch (error) {
    return "caught " + (error as Error).message
  }
})
`

let node: ChildProcess
let process: string

beforeAll(async () => {
  node = (await line.dev("--data", "data")).child
  for (const name of ["ada", "eve"]) await json("keys", "new", name, "--unsealed")
  process = String((await json("spawn", write("asker.ts", asker), "--as", "ada"))["process"])
})

afterAll(async () => {
  await CommandLine.stop(node)
  line.remove()
})

describe("outbox --drop", () => {
  it("gives up a message that waits, as its source's owner, and says what took its place", async () => {
    const asked = run(["ask", process, "Ask", "--as", "ada"])
    let waiting: ReadonlyArray<CommandLine.Json> = []
    while (waiting.length < 2) waiting = await list("outbox")
    assert.deepStrictEqual(
      waiting.map(({ source, slot, index, kind }) => [source, slot, index, kind]),
      [0, 1].map((index) => [process, 1, index, "message"]),
    )
    // So much of the source as the list for people shows.
    const drop = `--drop=${process.slice(0, 12)}.1.0`
    assert.include(await failure(1, ["outbox", drop, "--as", "eve"]), "can't speak for it")

    const { code, out, errors } = await run(["outbox", drop, "--as", "ada", "--reason", "nobody is there"])
    assert.strictEqual(code, 0, errors)
    assert.match(
      out,
      new RegExp(`^dropped message [\\w-]{43} in slot 2; a void to ${nobody} takes its number\n$`),
    )
    assert.strictEqual((await asked).out, "caught undelivered: nobody is there\n")
    const left = await list("outbox")
    assert.deepStrictEqual(
      left.map(({ slot, kind }) => [slot, kind]),
      [
        [1, "message"],
        [2, "void"],
      ],
    )
    const { finding } = await json("verify", process)
    assert.isNull(finding)
  })

  it("says so where nothing waits at the place, or where it is no place at all", async () => {
    const gone = await failure(1, ["outbox", `--drop=${process}.1.0`, "--as", "ada"])
    assert.include(gone, "heddle outbox shows those that do")
    const short = await failure(1, ["outbox", `--drop=${process.slice(0, 12)}.1.0`, "--as", "ada"])
    assert.include(short, "heddle outbox shows what does")
    // A source that begins with a dash is not taken for a flag.
    const dashed = await failure(1, ["outbox", "--drop", `-${"A".repeat(42)}.1.0`, "--as", "ada"])
    assert.include(dashed, `process -${"A".repeat(42)}`)
    const many = await failure(1, ["outbox", `--drop=${process}.2.0`, "--as", "ada"])
    assert.include(many, "bad drop: it is a void")
    for (const place of ["everything", `${process}.1`, `${process}.1.x`, "abc.1.0"])
      assert.include(await failure(2, ["outbox", `--drop=${place}`, "--as", "ada"]), "source.slot.index")
  })
})

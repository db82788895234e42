/** What comes from AO, at the command line. */
import type { ChildProcess } from "node:child_process"
import path from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import * as CommandLine from "../support/CommandLine.ts"
import { describeShared, folder as vectors } from "../vectors/shared.ts"

const { run, json, failure, write, dev, remove } = CommandLine.make("ao")

let node: ChildProcess | undefined
afterAll(async () => {
  if (node !== undefined) await CommandLine.stop(node)
  remove()
})

interface File {
  readonly process: string
  readonly entries: ReadonlyArray<Readonly<Record<string, unknown>>>
}

describeShared("import-ao", "ao-schedule.json", ({ process, entries }: File) => {
  const file = path.join(vectors, "ao-schedule.json")

  it("shows the slots, how many signatures were checked, and where the chain ends", async () => {
    const { code, out, errors } = await run(["import-ao", file])
    assert.strictEqual(code, 0, errors)
    const lines = out.trimEnd().split("\n")
    assert.strictEqual(lines.length, 1 + 31 + 3)
    assert.match(lines[0]!, /^slot +time +block +from +action +message$/)
    assert.match(
      lines[1]!,
      new RegExp(`^ +0  2024-10-08 18:38:20  1522898  TZ7o7SIZ\\S+ +Spawn +${process}$`),
    )
    assert.match(lines[2]!, /^ +1 .* \(elsewhere\) +clvz3ehb\S{35}$/)
    assert.include(
      out,
      `verified 31 slots, 78 signatures good, hash chain as recorded up to ${String(entries[30]!["hashChain"])}`,
    )
  })

  it("gives the same to machines", async () => {
    const shown = await json("import-ao", file)
    assert.deepInclude(shown, { process, signatures: 78, chain: entries[30]!["hashChain"] })
    const slots = shown["slots"] as ReadonlyArray<CommandLine.Json>
    assert.strictEqual(slots.length, 31)
    assert.deepInclude(slots[3], { slot: 3, message: entries[3]!["message"], data: "7TXMSdnKOw" })
    assert.deepInclude(slots[1], { from: null, tags: null, data: null })
  })

  it("names the first thing that does not fit", async () => {
    const bad = entries.with(2, { ...entries[2], timestamp: 1 })
    const told = await failure(1, ["import-ao", write("bad.json", JSON.stringify({ process, entries: bad }))])
    assert.include(told, "slot 2, timestamp: recorded as 1, and its bytes say 1728412707255")
  })
})

describeShared("assign", "ao-schedule.json", ({ entries }: File) => {
  const file = path.join(vectors, "ao-schedule.json")
  const ids = entries.map(({ message }) => String(message))

  it("brings a message of AO, or any item in its bytes, to a process, once", async () => {
    node = (await dev("--data", "data")).child
    await run(["keys", "new", "ada"])
    const code = write(
      "witness.ts",
      "import { onMessage } from 'heddle/guest'\nonMessage(({ id, from, data }) => [id, from, data])\n",
    )
    const any = (await run(["spawn", code, "--tag", "Assignable=any"])).out.trim()
    const brought = await json("assign", any, file, "--id", ids[3]!)
    assert.deepInclude(brought, { id: ids[3], process: any, slot: 1, repeat: false })
    const again = await run(["assign", any, file, "--id", ids[3]!])
    assert.match(again.out, new RegExp(`^${ids[3]} has slot 1 at .*, from before\n$`))
    const shown = (await run(["log", any])).out
    assert.include(shown, `["${ids[3]}","TZ7o7SIZ06ZEJ14lXwVtng1EtSx60QkPy-kh-kdAXog","7TXMSdnKOw"]`)
    assert.deepInclude(await json("verify", any), { slots: 2, inadmissible: 0, finding: null })

    const wrapper = write("wrapper.item", Buffer.from(String(entries[5]!["item"]), "base64url"))
    assert.match((await run(["assign", any, wrapper])).out, /^\S{43} has slot 2 at [^,]*\n$/)

    const own = (await run(["spawn", code])).out.trim()
    const refused = await failure(1, ["assign", own, file, "--id", ids[3]!])
    assert.include(refused, "not assignable: it was said to")
    assert.include(await failure(1, ["assign", any, file, "--id", any]), `${file} has no item ${any}`)
    assert.include(await failure(2, ["assign", any, file]), "--id")
    assert.include(await failure(1, ["assign", any, wrapper, "--id", any]), `${wrapper} has no item ${any}`)
    assert.include(await failure(1, ["assign", any, code]), "bad assigned item")
    assert.include(await failure(1, ["assign", any, "nothing"]), "nothing can't be read")
    assert.include(await failure(2, ["assign", any, file, "--id", "x"]), "43 characters")
  })
})

describe("import-ao of something else", () => {
  it("says what is wrong with the file", async () => {
    assert.include(await failure(1, ["import-ao", "nothing.json"]), "nothing.json can't be read")
    assert.include(await failure(1, ["import-ao", write("text", "text")]), "it is no JSON object")
    assert.include(await failure(2, ["import-ao"]), "file")
  })
})

/** Each example's driver, run as a reader would run it. */
import { execFileSync } from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import { assert, describe, test } from "vitest"
import wabt from "wabt"
import * as AssemblyScript from "../support/AssemblyScript.ts"

const root = path.join(import.meta.dirname, "..", "..")

/** Runs a driver from another folder, in another locale and time zone: neither may matter. */
const drive = (file: string): string =>
  execFileSync(process.execPath, [path.join(root, "examples", file)], {
    cwd: "/",
    encoding: "utf8",
    env: { ...process.env, TZ: "Pacific/Chatham", LANG: "tr_TR.UTF-8", NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  })

/** The lines that are not in the output in this order; none where it says what it should. */
const missing = (output: string, lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  let from = 0
  return lines.filter((line) => {
    const at = output.indexOf(line, from)
    if (at >= 0) from = at + line.length
    return at < 0
  })
}

describe("examples", () => {
  test("the counter counts, and a failed increment leaves no trace", () => {
    const lines = [
      "asked:   41",
      "queried: 41",
      "viewed:  41",
      "refused: threw: RangeError: By takes a whole number, not much",
      "still:   41",
    ]
    assert.deepStrictEqual(missing(drive("counter/drive.ts"), lines), [])
  })

  test("the token transfers as a whole or not at all, is audited by its child and answers a shop", () => {
    const lines = [
      "Supply: '1000'",
      "Balance: '700'",
      "Balance: '250'",
      "refused:  threw: RangeError: Insufficient balance",
      "afford:   { affordable: true, balance: '250', ticker: 'ADA' }",
      "verdict: { accounts: 2, sum: '1000', balanced: true }",
    ]
    assert.deepStrictEqual(missing(drive("token/drive.ts"), lines), [])
  })

  test("the chat room knows who speaks", () => {
    const lines = [
      "refused: threw: Ada is taken",
      "members: [ 'Ada', 'Grace' ]",
      "Ada: Is the warp threaded?",
      "Grace: Through every heddle.",
    ]
    assert.deepStrictEqual(missing(drive("chat-room/drive.ts"), lines), [])
  })

  test("the parent adds up what its children answer, and sleeps", () => {
    const lines = [
      "children: 3",
      "total: 500500",
      "slept:    later",
      "refused:  threw: I work for my parent only",
    ]
    assert.deepStrictEqual(missing(drive("parent-and-children/drive.ts"), lines), [])
  })

  test("the counter in WAT counts, and a failed increment leaves no trace", () => {
    const lines = [
      "asked:   41",
      "queried: 41",
      "viewed:  41",
      "refused: threw: By takes a whole number of 1 to 9 digits",
      "refused: threw: By takes a whole number of 1 to 9 digits",
      "still:   41",
      "fuel:",
    ]
    assert.deepStrictEqual(missing(drive("wat-counter/drive.ts"), lines), [])
  })

  test("the tally in AssemblyScript counts voices, and has another process count voters", () => {
    const lines = [
      "first:   { tea: 1, coffee: 2 }",
      "then:    { tea: 2, coffee: 1 }",
      "refused: threw: only the owner closes the vote",
      "closed:  { tea: 2, coffee: 1 }",
      "refused: threw: the vote is closed",
      "turnout: 3",
      ...Array.from({ length: 3 }, () => "the tally said Increment"),
    ]
    assert.deepStrictEqual(missing(drive("assemblyscript-tally/drive.ts"), lines), [])
  })

  test("the demo replays every log to equal state roots", () => {
    const lines = [
      "✗ RangeError: Insufficient balance: Grace has 250",
      "✓ equal",
      "✓ equal",
      "✓ equal",
      "all state roots are equal",
    ]
    assert.deepStrictEqual(missing(drive("demo.ts"), lines), [])
  })
})

describe("modules beside their sources", () => {
  const folder = (name: string) => path.join(root, "examples", name)
  const committed = (file: string) => fs.readFileSync(folder(file)).toString("hex")

  /** The words after a command in a README's line of code, which is the one that a reader would type. */
  const wordsAfter = (example: string, command: string): ReadonlyArray<string> => {
    const line = new RegExp(`^ {4}npx .*\\b${command} (.*)$`, "m").exec(
      fs.readFileSync(path.join(folder(example), "README.md"), "utf8"),
    )
    return line?.[1]?.split(" ") ?? []
  }

  test("the counter's are what its text is assembled to", async () => {
    assert.deepStrictEqual(wordsAfter("wat-counter", "wat2wasm"), ["counter.wat", "-o", "counter.wasm"])
    const tools = await wabt()
    const text = fs.readFileSync(folder("wat-counter/counter.wat"), "utf8")
    const { buffer } = tools.parseWat("counter.wat", text).toBinary({})
    assert.strictEqual(Buffer.from(buffer).toString("hex"), committed("wat-counter/counter.wasm"))
  })

  test("the tally's are what its sources are compiled to", async () => {
    const words = wordsAfter("assemblyscript-tally", "asc")
    assert.deepStrictEqual(words.slice(0, 3), ["assembly/index.ts", "-o", "tally.wasm"])
    const written = new Map<string, Uint8Array>()
    const { main } = await AssemblyScript.load()
    const { error } = await main([...words, "--baseDir", folder("assemblyscript-tally")], {
      writeFile: (name, contents) =>
        void written.set(name, typeof contents === "string" ? Buffer.from(contents) : contents),
    })
    assert.strictEqual(error, null)
    assert.strictEqual(
      Buffer.from(written.get("tally.wasm") ?? []).toString("hex"),
      committed("assemblyscript-tally/tally.wasm"),
    )
  })
})

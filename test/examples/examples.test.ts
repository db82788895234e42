/** Each example's driver, run as a reader would run it. */
import { execFileSync } from "node:child_process"
import path from "node:path"
import { assert, describe, test } from "vitest"

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

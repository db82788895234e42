/** The debugger as an author has it: a real node, a real process, commands through a pipe and at a terminal. */
import type { ChildProcess } from "node:child_process"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Client } from "../../node/index.ts"
import { connect, createIdentity } from "../../node/index.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as CommandLine from "../support/CommandLine.ts"

const line = CommandLine.make("debug")
type Json = CommandLine.Json

const source = `import { on, publish } from "heddle/guest"

let count = 0
const history: Array<number> = []

on("Increment", (message) => {
  count += Number(message.tags["By"] ?? 1)
  history.push(count)
  console.log("count is", count)
  publish("count", count)
  if (count > 12) publish("big", { by: message.tags["By"] })
  return count
})

const fail = (nothing: { a: { b: number } }) => nothing.a.b

on("Fail", () => {
  count = 1_000
  return fail({} as never)
})
`

/** Line and column of what fails above, and of who called it. */
const thrownAt = ["counter.ts:15:57", "counter.ts:19:3"]

let node: ChildProcess
let client: Client
let process: string

beforeAll(async () => {
  node = (await line.dev("--data", "data")).child
  client = await connect(line.url(), { as: await createIdentity() })
  process = await client.spawn({ file: line.write("counter.ts", source) })
  for (const By of ["1", "2", "7"]) await client.send(process, "Increment", { tags: { By } })
  await client.send(process, "Fail", { data: "for nothing" })
  const { slot } = await client.send(process, "Increment", { tags: { By: "5" } })
  await client.turn(process, slot)
})

afterAll(async () => {
  await client.close()
  await CommandLine.stop(node)
  line.remove()
})

interface Said {
  readonly command: string
  readonly slot: number
  readonly result?: unknown
  readonly error?: { readonly _tag: string; readonly message: string }
}

/** Runs commands in one session from `slot` on; gives what each came to. */
const session = async (slot: number, commands: ReadonlyArray<string>, code = 0) => {
  const args = ["debug", process, "--slot", String(slot), "--json"]
  const ran = await line.feed(args, `${commands.join("\n")}\n`)
  assert.strictEqual(ran.code, code, ran.errors)
  return ran.out
    .split("\n")
    .filter((text) => text !== "")
    .map((text) => JSON.parse(text) as Said)
}

describe("a debugging session", () => {
  it("steps forward and back, and shows what the process was told, did, printed and held there", async () => {
    const said = await session(2, [
      "where",
      "next",
      "b 2",
      "go 3",
      "message",
      "outcome",
      "console",
      "eval count",
      "before count",
      "e history.map((n) => n * 2)",
      "eval count = 50",
      "eval count",
      "views",
      "views count",
      "quit",
      "go 1",
    ])
    const results = said.map(({ result }) => result as Json)
    assert.deepStrictEqual(
      said.map(({ command, slot }) => [command, slot]),
      [
        ["where", 2],
        ["next", 3],
        ["back", 1],
        ["go", 3],
        ["message", 3],
        ["outcome", 3],
        ["console", 3],
        ["eval", 3],
        ["before", 3],
        ["eval", 3],
        ["eval", 3],
        ["eval", 3],
        ["views", 3],
        ["views", 3],
      ],
    )
    const attested = async (slot: number) => (await client.attestation(process, slot))!.attestation
    const [entry] = await client.log(process, { from: 3, limit: 1 })
    const { outcome } = await client.turn(process, 3)
    assert.deepInclude(results[0], {
      slot: 2,
      action: "Increment",
      fuelUsed: String((await client.turn(process, 2)).outcome.fuelUsed),
      stateRoot: Bytes.toBase64Url((await attested(2)).to.stateRoot),
      differences: [],
    })
    assert.deepInclude(results[4], {
      id: entry!.id,
      from: entry!.from,
      timestamp: entry!.timestamp,
      action: "Increment",
      data: "",
    })
    assert.deepInclude(results[4]!["tags"], ["By", "7"])
    assert.deepInclude(results[5], {
      error: null,
      fuelUsed: String(outcome.fuelUsed),
      replies: [{ to: entry!.id, value: "10" }],
      views: [{ name: "count", value: "10" }],
      outbox: [],
      differences: [],
    })
    assert.deepStrictEqual(said[6]!.result, [["log", "count is 10"]])
    assert.deepStrictEqual(
      results.slice(7, 12).map((one) => one["text"]),
      ["10", "3", "[2, 6, 20]", "50", "10"],
    )
    assert.deepStrictEqual(results[12], { count: 10 })
    assert.strictEqual(said[13]!.result, 10)
  })

  it("names the line of the author's file where a turn threw, and has the state of before after it", async () => {
    const said = await session(0, ["find Fail", "outcome", "eval count", "next", "eval [count, ...history]"])
    const results = said.map(({ result }) => result as Json)
    assert.deepInclude(results[0], { slot: 4, action: "Fail" })
    assert.deepInclude(results[1]!["error"], { reason: "threw" })
    const stack = String(results[1]!["stack"]).trim().split("\n")
    assert.lengthOf(stack, thrownAt.length)
    for (const [i, place] of thrownAt.entries()) assert.include(stack[i], place)
    assert.strictEqual(results[2]!["text"], "10")
    assert.strictEqual(results[4]!["text"], "[15, 1, 3, 10, 15]")
  })

  it("shows the memory that a turn changed, and what differs between two slots", async () => {
    const said = await session(5, ["pages", "diff 1", "diff 4 3", "list"])
    const [pages, diff, none, list] = said.map(({ result }) => result as Json)
    const changed = pages!["pages"] as ReadonlyArray<Json>
    assert.isAbove(changed.length, 3)
    assert.strictEqual(
      changed.reduce((sum, page) => sum + Number(page["bytes"]), 0),
      pages!["bytes"],
    )
    assert.includeMembers(
      changed.map((page) => page["kind"]),
      ["heap", "static data"],
    )
    assert.deepInclude(diff, {
      views: [
        { key: "big", before: null, after: '{"by":"5"}' },
        { key: "count", before: "1", after: "15" },
      ],
      sent: [],
      timers: [],
    })
    assert.deepInclude(diff!["before"], { slot: 1 })
    assert.deepInclude(diff!["after"], { slot: 5 })
    // The turn that threw changed nothing that the process can see: counters of the engine itself do change.
    assert.deepInclude(none, { views: [] })
    assert.deepStrictEqual(
      (list as unknown as ReadonlyArray<Json>).map(({ slot, action }) => [slot, action]),
      [
        [0, null],
        [1, "Increment"],
        [2, "Increment"],
        [3, "Increment"],
        [4, "Fail"],
        [5, "Increment"],
      ],
    )
  })

  it("says what can't be done and goes on, and ends with 1 where anything could not", async () => {
    const said = await session(
      5,
      ["next", "go 99", "nxt", "views nothing", "find Nonsense", "diff 0 6", "back 9", "b"],
      1,
    )
    const errors = said.map(({ error }) => error?.message ?? "")
    for (const [i, says] of [
      "slot 5 is the newest",
      "slot 99 has no turn; those of process",
      "did you mean next?",
      'nothing is published under "nothing"; there is big, count',
      'no slot from 6 to 5 has the action "Nonsense"',
      "slot 6 has no turn",
    ].entries())
      assert.include(errors[i], says)
    assert.deepInclude(said[6], { command: "back", slot: 0 })
    assert.include(errors[7], "slot 0 is the first")
  })

  it("prints plain text, one command after the other, and errors beside it", async () => {
    const commands = "where\nnext 2\no\nc\ne count\nwhree\nv\nl\nd 4 5\np\nm\nhelp\n"
    const { code, out, errors } = await line.feed(["debug", process, "--slot", "2"], commands)
    assert.strictEqual(code, 1)
    assert.match(
      errors,
      /^there is no command "whree"; did you mean where\?.*\nerror one command could not be done\n$/,
    )
    for (const expected of [
      /^slot +2$/m,
      /^state root +[0-9a-f]{64}$/m,
      /^ +4 +\S+ \S+ +\S+ +Fail +threw: TypeError.* \d+ fuel$/m,
      /^error +threw: TypeError: cannot read property 'b' of undefined$/m,
      /^ +at fail \(counter\.ts:15:57\)$/m,
      /^fuel +\d+$/m,
      /^it printed nothing$/m,
      /^10$/m,
      /^count +10$/m,
      /^ *> 4 +\S+ \S+ +\S+ +Fail/m,
      /^view big +- +\{"by":"5"\}$/m,
      /^\d+ pages? of 4 KiB changed, \d+ bytes in them; \d+ pages of 64 KiB$/m,
      /^data +for nothing$/m,
      /^n {2}next \[k\] +go k turns forward$/m,
    ])
      assert.match(out, expected)
    assert.notMatch(out, /> $/m, "a pipe has no prompt")
    // oxlint-disable-next-line no-control-regex -- colours are what is looked for
    assert.notMatch(out, /\u001b/)
  })

  it("changes nothing on the node", async () => {
    const before = JSON.stringify(await client.process(process), (_, value: unknown) =>
      value instanceof Uint8Array ? Bytes.toHex(value) : value,
    )
    await session(1, ["eval publish", "eval count = 3", "before (history.length = 0)", "next", "pages"])
    const after = JSON.stringify(await client.process(process), (_, value: unknown) =>
      value instanceof Uint8Array ? Bytes.toHex(value) : value,
    )
    assert.strictEqual(after, before)
    assert.strictEqual(await client.ask(process, "Increment", { tags: { By: "0" } }), 15)
  })

  it("begins nowhere else than at a turn of a process that is there", async () => {
    const nobody = "A".repeat(43)
    assert.include(await line.failure(1, ["debug", process, "--slot", "99"]), "slot 99 has no turn; those of")
    assert.include(await line.failure(1, ["debug", nobody]), nobody)
  })
})

describe.skipIf(!CommandLine.hasTerminal)("a debugging session at a terminal", () => {
  it("asks with slot and action, ends what runs on Ctrl-C and itself on Ctrl-D", async () => {
    const long = await client.spawn(
      { file: line.write("long.ts", source) },
      { fuelPerTurnMax: 10_000_000_000n },
    )
    await client.ask(long, "Increment")
    const { code, shown } = await CommandLine.talk(
      ["debug", long],
      [
        ["slot 1 Increment> ", "back\r"],
        // What takes the most time for its fuel: it must not end by itself first.
        ["slot 0 Spawn> ", "eval for (const a = new Uint8Array(3e7); ; ) a.copyWithin(0, 1)\r"],
        ["copyWithin(0, 1)", "\u0003"],
        ["slot 0 Spawn> ", "half a li\u0003"],
        ["Ctrl-D or quit leaves", "eval count + 5\r"],
        ["fuel, nothing is kept", "\u0004"],
      ],
      line.environment({}),
    )
    assert.strictEqual(code, 0, shown)
    assert.include(shown, "interrupted; nothing has changed")
    assert.notInclude(shown, "out of fuel")
    assert.include(shown, "5\r\n\u001b[2m", "what was evaluated last")
  })
})

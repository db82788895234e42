/** The command line as its users have it: arguments in; exit code, output and errors out. */
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import fs from "node:fs"
import net from "node:net"
import path from "node:path"
import readline from "node:readline"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as CommandLine from "../support/CommandLine.ts"

const { counter, stop } = CommandLine
const line = CommandLine.make("cli")
const { folder, start, run, failure, json, list, dev } = line
const nobody = `-${"A".repeat(42)}` // an id, and it begins with a dash

type Json = CommandLine.Json

afterAll(line.remove)

const commands = [
  "dev",
  "config",
  "keys",
  "keys new",
  "keys list",
  "keys show",
  "spawn",
  "upgrade",
  "authority",
  "send",
  "assign",
  "ask",
  "query",
  "ps",
  "log",
  "follow",
  "view",
  "receipt",
  "snapshots",
  "outbox",
  "inbox",
  "replay",
  "verify",
  "diff",
  "debug",
  "prove",
  "prove check",
  "import-ao",
  "restore",
  "archive",
  "archive status",
  "archive cost",
  "archive push",
  "archive fetch",
]

describe("help", () => {
  it.concurrent.each(commands)("of %s says what it does, with an example", async (command) => {
    const { code, out, errors } = await run([...command.split(" "), "--help"])
    assert.strictEqual(code, 0)
    assert.strictEqual(errors, "")
    assert.match(out, /DESCRIPTION\n {2}\S/)
    assert.match(out, new RegExp(`EXAMPLES[\\s\\S]*heddle ${command.split(" ")[0]}`))
  })

  it("of all lists every command", async () => {
    const { code, out } = await run(["--help"])
    assert.strictEqual(code, 0)
    for (const command of commands.filter((name) => !name.includes(" "))) assert.include(out, `  ${command} `)
    assert.strictEqual((await run([])).out, out)
  })

  const loaded = async (...args: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
    const file = path.join(folder, "loaded")
    fs.rmSync(file, { force: true })
    const hook = path.join(import.meta.dirname, "LoadedModules.js")
    await run(args, { NODE_OPTIONS: `--import ${hook}`, LOADED_MODULES_FILE: file })
    return fs.readFileSync(file, "utf8").split("\n")
  }
  const heavy =
    /lmdb|msgpackr|esbuild|undici|@effect\/platform-node|node:http|worker_threads|compute-unit|messenger-unit|http-api/

  it("and wrong usage load nothing that only a command needs", async () => {
    for (const args of [["--help"], ["send", "--help"], ["--version"], ["nonsense"], ["send"]]) {
      const modules = await loaded(...args)
      assert.isAbove(modules.length, 50, "the hook sees what is loaded")
      assert.deepStrictEqual(
        modules.filter((module) => heavy.test(module)),
        [],
      )
    }
    assert.isAbove(
      (await loaded("ps")).filter((module) => heavy.test(module)).length,
      0,
      "a command loads some of it",
    )
  })
})

describe("wrong usage", () => {
  it.concurrent.each([
    [["nonsense"], "nonsense"],
    [["snd"], "send"],
    [["ask", nobody], "action"],
    [["ps", "--nonsense"], "nonsense"],
    [["send", "abc", "Add"], "43 characters"],
    [["send", nobody, "Add", "--tag", "By"], "By=3"],
    [["log", nobody, "--limit", "1001"], "1000"],
    [["log", nobody, "--from", "-1"], "-1"],
    [["receipt", nobody, "x"], "x"],
    [["authority", nobody, "--quorum", "2"], "--unit"],
    [["authority", nobody, "--as", "ada"], "--unit"],
    [["authority", nobody, "--unit", "abc"], "43 characters"],
    [["spawn", "nothing.ts"], "nothing.ts"],
    [["keys", "new", "ada", "--type", "rsa"], "rsa"],
    [["dev", "--port", "eighty"], "flag --port"],
    [["ps", "--config", "nothing.json"], "nothing.json"],
  ] as const)("%j exits with 2 and says what is wrong", async (args, says) =>
    assert.include(await failure(2, args), says),
  )

  it("of a setting in the environment or the file is told with its place", async () => {
    assert.include(await failure(2, ["ps"], { HEDDLE_PORT: "x" }), "environment HEDDLE_PORT")
    fs.writeFileSync(path.join(folder, "bad.json"), '{"prot": 1}')
    assert.include(await failure(2, ["ps", "--config", "bad.json"]), '"prot" is no setting')
  })
})

describe("config", () => {
  it("shows what is in force and where it comes from", async () => {
    fs.writeFileSync(path.join(folder, "heddle.config.json"), '{"logLevel": "error"}')
    try {
      const settings = await list("config", "--port", "1234")
      const file = path.join(fs.realpathSync(folder), "heddle.config.json")
      assert.deepInclude(settings, { name: "port", value: 1234, source: "flag --port" })
      assert.deepInclude(settings, { name: "logLevel", value: "error", source: `file ${file}, "logLevel"` })
      assert.deepInclude(settings, { name: "host", value: "127.0.0.1", source: "default" })
      assert.match((await run(["config"])).out, /^setting +value +from/)
    } finally {
      fs.rmSync(path.join(folder, "heddle.config.json"))
    }
  })
})

describe("keys", () => {
  it("are made once, shown without their secret, and opened with their passphrase", async () => {
    const keys = path.join(folder, "other-keys")
    const at = ["--keys", keys]
    assert.match((await run(["keys", "list", ...at])).out, /heddle keys new/)
    assert.include(await failure(2, ["send", nobody, "Add", ...at]), "heddle keys new")
    const { out } = await run(["keys", "new", "ada", ...at])
    assert.match(out, /^[\w-]{43}\n$/)
    const shown = await json("keys", "show", "ada", ...at)
    assert.deepInclude(shown, { name: "ada", address: out.trim(), type: "ML-DSA-65", sealed: true })
    assert.include(await failure(1, ["keys", "new", "ada", ...at]), "choose another name")
    assert.include(await failure(1, ["keys", "new", "Ada!", ...at]), "no name for a key")
    assert.include(await failure(1, ["keys", "new", "eve", ...at], { HEDDLE_PASSPHRASE: "" }), "passphrase")
    assert.include(await failure(1, ["keys", "show", "eve", ...at]), "there is ada")
    await json("keys", "new", "bob", "--unsealed", "--type", "ml-dsa-44", ...at)
    const listed = await list("keys", "list", ...at)
    assert.deepInclude(listed[1]!, { name: "bob", type: "ML-DSA-44", sealed: false })
    assert.include(
      await failure(1, ["spawn", counter, "--as", "ada", ...at], {
        HEDDLE_PASSPHRASE: "battery",
      }),
      "wrong passphrase",
    )
    assert.include(await failure(2, ["spawn", counter, ...at]), "--as ada, --as bob")
    fs.chmodSync(path.join(keys, "bob.json"), 0o644)
    assert.include(await failure(1, ["spawn", counter, "--as", "bob", ...at]), "chmod 600")
    assert.match((await run(["keys", "list", ...at])).out, /bob\.json .*mode 0644/)
  })
})

describe.skipIf(!CommandLine.hasTerminal)("at a terminal", () => {
  const talk = (args: ReadonlyArray<string>, answers: Parameters<typeof CommandLine.talk>[1]) =>
    CommandLine.talk(args, answers, {
      PATH: process.env["PATH"] ?? "",
      HOME: folder,
      HEDDLE_KEYS: path.join(folder, "typed-keys"),
    })

  it("a passphrase is asked for, twice for a new key, and never shown", async () => {
    const made = await talk(
      ["keys", "new", "ada"],
      [
        ["Passphrase for ada: ", "sécretx\u007f\r"],
        ["Again: ", "sécret\r"],
      ],
    )
    assert.strictEqual(made.code, 0, made.shown)
    assert.notInclude(made.shown, "cret")
    assert.include(made.shown, "\u001b[2m", "it is coloured")
    const speak = ["spawn", counter, "--url", "http://127.0.0.1:1"]
    const wrong = await talk(speak, [["Passphrase for ada: ", "secret\r"]])
    assert.strictEqual(wrong.code, 1)
    assert.include(wrong.shown, "wrong passphrase")
    assert.include((await talk(speak, [["Passphrase for ada: ", "sécret\r"]])).shown, "no answer from")
  })

  it("two that differ make no key, nor does Ctrl-C", async () => {
    const differing = await talk(
      ["keys", "new", "bob"],
      [
        ["Passphrase for bob: ", "one\r"],
        ["Again: ", "two\r"],
      ],
    )
    assert.strictEqual(differing.code, 1)
    assert.include(differing.shown, "differ")
    assert.strictEqual((await talk(["keys", "new", "bob"], [["Passphrase for bob: ", "\u0003"]])).code, 1)
    assert.isFalse(fs.existsSync(path.join(folder, "typed-keys", "bob.json")))
  })
})

describe("a node", () => {
  let node: ChildProcess
  let scheduler: string

  beforeAll(async () => {
    const started = await dev("--data", "data")
    node = started.child
    ;({ scheduler } = started.info)
    await json("keys", "new", "ada", "--unsealed")
  })

  afterAll(async () => {
    if (node.exitCode === null) await stop(node)
  })

  it("is spoken to with every command", async () => {
    const spawned = await json("spawn", counter, "--name", "counter", "--data", "hello")
    const process = String(spawned["process"])
    assert.strictEqual((await run(["spawn", String(spawned["module"])])).out.length, 44)
    assert.deepInclude(await json("send", process, "Increment", "--tag", "By=3"), {
      process,
      slot: 1,
      repeat: false,
    })
    const receipt = await json("send", process, "Increment", "--receipt")
    assert.property(receipt["receipt"], "link")
    assert.deepInclude(await json("ask", process, "Get"), { slot: 3, value: 4 })
    assert.strictEqual((await run(["ask", process, "Get"])).out, "4\n")
    assert.deepInclude(await json("query", process, "Increment"), { slot: 4, value: 5 })
    assert.strictEqual((await run(["query", process, "Get"])).out, "4\n")
    assert.deepInclude(await json("view", process, "count"), { value: 4, slot: 2 })
    const log = await list("log", process, "--from", "1", "--limit", "2")
    assert.deepStrictEqual(
      log.map((line) => line["action"]),
      ["Increment", "Increment"],
    )
    assert.match((await run(["log", process])).out, /slot +time +from +action[\s\S]+Increment[\s\S]+= 4/)
    const all = await list("ps")
    assert.deepInclude(
      all.find((one) => one.process === process),
      { name: "counter", slots: 5, computed: 5, parked: null },
    )
    assert.include((await run(["ps"])).out, process)
    assert.deepInclude((await json("receipt", process, "1"))["assignment"] as Json, { process, slot: 1 })
    assert.include((await run(["receipt", process, "1"])).out, "batch")
    assert.deepStrictEqual(await list("outbox"), [])
    assert.include((await run(["outbox"])).out, "delivered")
    for (const command of ["replay", "verify"])
      assert.deepInclude(await json(command, process), { process, slots: 5, inadmissible: 0, finding: null })
    assert.match((await run(["replay", process])).out, /^equal 5 slots, \d+ fuel\nstate root [0-9a-f]{64}\n$/)
    assert.match((await run(["verify", process])).out, /^verified 5 slots.*signatures good/)
  })

  it("is told whom a process believes, and shows it with the slot since which that holds", async () => {
    const tags = ["--tag", `Authority=${scheduler}`, "--tag", `Authority=${nobody}`]
    const process = (await run(["spawn", counter, ...tags])).out.trim()
    assert.deepStrictEqual(await json("authority", process), {
      units: [scheduler, nobody],
      quorum: 2,
      since: 0,
    })
    const half = ["authority", process, "--unit", nobody, "--unit", scheduler, "--quorum", "1"]
    assert.include(await failure(1, half), "more than half of the 2")
    assert.deepInclude(await json("authority", process, "--unit", nobody, "--quorum", "1", "--as", "ada"), {
      slot: 1,
      units: [nobody],
      quorum: 1,
      since: 2,
    })
    assert.strictEqual((await run(["authority", process])).out, `1 of 1 from slot 2 on\n  ${nobody}\n`)
    const { out } = await run(["authority", process, "--unit", scheduler])
    assert.strictEqual(out, `changed in slot 2: 1 of 1 from slot 3 on\n  ${scheduler}\n`)
    assert.include(await failure(1, ["authority", nobody]), nobody)
  })

  it("is followed, one JSON object a line", async () => {
    const process = (await run(["spawn", counter])).out.trim()
    const child = start(["follow", process, "--json"])
    const lines = readline.createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    const next = async () => JSON.parse((await lines.next()).value as string) as Json
    assert.strictEqual((await next())["slot"], 0)
    await json("send", process, "Increment", "--tag", "By=9")
    const turn = await next()
    assert.deepInclude(turn, { slot: 1, action: "Increment" })
    assert.strictEqual(await stop(child, "SIGINT"), null)
  })

  it("refuses, and the command says why and exits with 1", async () => {
    const process = (await run(["spawn", counter])).out.trim()
    assert.include(await failure(1, ["ask", process, "Nonsense"]), "this process handles: Increment, Get")
    assert.include(await failure(1, ["query", process, "Nonsense"]), "no handler")
    assert.include(await failure(1, ["send", nobody, "Get"]), "unknown process")
    assert.include(await failure(1, ["log", nobody]), nobody)
    assert.include(await failure(1, ["receipt", process, "99"]), "no slot 99")
    assert.include(await failure(1, ["view", process, "nothing"]), "nothing")
    assert.include(await failure(1, ["spawn", nobody]), "unknown module")
    assert.include(await failure(1, ["replay", nobody]), nobody)
    assert.include(await failure(1, ["send", process, "Get", "--data", "@nothing"]), "nothing")
  })

  it("and tells machines so in JSON", async () => {
    for (const [code, args, expected] of [
      [1, ["log", nobody], { _tag: "LogUnknown", process: nobody, slot: 0 }],
      [1, ["send", nobody, "Get"], { _tag: "Refused", reason: "unknown process" }],
      [1, ["ps", "--url", "http://127.0.0.1:1"], { _tag: "Unreachable", url: "http://127.0.0.1:1" }],
      [2, ["ps", "--url", "here"], { _tag: "SettingsInvalid", source: "flag --url" }],
      [2, ["log"], { _tag: "WrongUsage", help: "heddle log --help" }],
    ] as const) {
      const told = await run([...args, "--json"])
      assert.strictEqual(told.code, code)
      assert.strictEqual(told.out, "")
      const error = JSON.parse(told.errors) as Json
      assert.deepInclude(error, expected)
      assert.isNotEmpty(error["message"])
    }
  })

  it("does not take guest code that does not load, and the author's line is named", async () => {
    const file = path.join(folder, "broken.ts")
    fs.writeFileSync(file, "const a: number = 1\nconst b = (\n")
    assert.include(await failure(1, ["spawn", file]), "broken.ts:3:")
    fs.writeFileSync(
      file,
      'import { on } from "heddle/guest"\n\nconst a: Array<number> = []\non("Get", () => a)\n;(a[0] as unknown as () => void)()\n',
    )
    assert.include(await failure(1, ["spawn", file]), "broken.ts:5:")
  })

  it("sends the bytes of a file and what comes in", async () => {
    const process = (await run(["spawn", counter])).out.trim()
    const file = path.join(folder, "bytes")
    fs.writeFileSync(file, "from a file")
    await json("send", process, "Get", "--data", `@${file}`)
    const log = await list("log", process, "--from", "1")
    assert.deepInclude(log[0]!, { data: "from a file" })
  })

  it("does not wait for an answer longer than it is told to", async () => {
    const file = path.join(folder, "never.ts")
    fs.writeFileSync(file, 'import { on } from "heddle/guest"\non("Never", () => new Promise(() => {}))\n')
    const process = (await run(["spawn", file])).out.trim()
    assert.include(await failure(1, ["ask", process, "Never", "--timeout", "1"]), "no answer within 1 s")
  })

  it("does not start twice on one folder, nor on a port that is taken", async () => {
    assert.include(
      await failure(1, ["dev", "--data", "data", "--port", "0"]),
      "another node is running on it",
    )
    const taken = net.createServer().listen(0, "127.0.0.1")
    await once(taken, "listening")
    const { port } = taken.address() as net.AddressInfo
    assert.include(await failure(1, ["dev", "--data", "data2", "--port", String(port)]), "--port")
    taken.close()
  })

  it("stops with 0 when it is told to, and has everything when it starts again", async () => {
    const process = (await run(["spawn", counter])).out.trim()
    await json("ask", process, "Increment", "--tag", "By=7")
    assert.strictEqual(await stop(node), 0)
    assert.include(await failure(1, ["ps"]), "no answer from")
    assert.include((await run(["ps"])).errors, "heddle dev")
    const again = await dev("--data", "data")
    node = again.child
    assert.strictEqual(again.info.scheduler, scheduler)
    assert.deepInclude(await json("ask", process, "Get"), { value: 7, slot: 2 })
    assert.strictEqual(await stop(node, "SIGINT"), 0)
  })
})

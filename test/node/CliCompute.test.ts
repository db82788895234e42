/** The commands that go by what was computed: proofs, snapshots, differences, trials, upgrades, plain modules. */
import type { ChildProcess } from "node:child_process"
import path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Client } from "../../node/index.ts"
import { connect } from "../../node/index.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Caller from "../support/Caller.ts"
import * as CommandLine from "../support/CommandLine.ts"

const line = CommandLine.make("compute")
const { run, json, list, failure, write } = line
const nobody = "A".repeat(43)
const wasmCounter = path.join(CommandLine.root, "examples", "wat-counter", "counter.wasm")

const counting = (step: string) => `import { on, onExport, onImport, publish } from "heddle/guest"

let count = 0

on("Increment", (message) => {
  count += ${step}
  publish("count", count)
  return count
})
on("Get", () => count)
onExport(() => count)
onImport((old) => {
  count = Number(old)
})
`

const ones = { file: write("ones.ts", counting("1")) }

let node: ChildProcess
let client: Client
let process: string
const stateRoots: Array<string> = []

beforeAll(async () => {
  // So little that a crowd of processes sends those who rest to disk.
  node = (await line.dev("--data", "data", "--memory", "1")).child
  await json("keys", "new", "ada", "--unsealed")
  client = await connect(line.url(), { as: Caller.caller("grace").identity })
  const spawned = await json("spawn", write("counter.ts", counting('Number(message.tags["By"] ?? 1)')))
  process = String(spawned["process"])
  for (const By of ["1", "2", "7"]) await client.ask(process, "Increment", { tags: { By } })
  for (let slot = 0; slot < 4; slot++) {
    const { attestation } = (await client.attestation(process, slot))!
    stateRoots.push(Bytes.toBase64Url(attestation.to.stateRoot))
  }
})

afterAll(async () => {
  await client.close()
  await CommandLine.stop(node)
  line.remove()
})

describe("view --proof", () => {
  it("prints a value with what proves it, checked here", async () => {
    const info = await client.info()
    const [entry] = await client.log(process, { from: 3 })
    assert.deepStrictEqual(await json("view", process, "count", "--proof", "--max-age", "3600"), {
      value: 10,
      slot: 3,
      timestamp: entry!.timestamp,
      stateRoot: stateRoots[3],
      engine: Bytes.toBase64Url(info.engine),
      unit: info.compute,
    })
    const { code, out, errors } = await run(["view", process, "count", "--proof"])
    assert.strictEqual(code, 0)
    assert.strictEqual(out, "10\n")
    assert.match(errors, /^proven after slot 3, \S+ \S+\nstate root [0-9a-f]{64}, attested by \S{43}\n$/)
  })

  it("says that nothing is published, and that this is proven", async () => {
    assert.include(
      await failure(1, ["view", process, "other", "--proof"]),
      'publishes nothing under "other", proven at slot 3',
    )
    const told = await run(["view", process, "other", "--proof", "--json"])
    assert.strictEqual(told.code, 1)
    const error = JSON.parse(told.errors) as CommandLine.Json
    const { compute } = await client.info()
    assert.deepInclude(error, { _tag: "ViewUnknown", process, name: "other", slot: 3, unit: compute })
  })

  it("refuses a proof that is too old", async () => {
    const idle = await client.spawn(ones)
    await client.turn(idle, 0)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    assert.include(
      await failure(1, ["view", idle, "count", "--proof", "--max-age", "1"]),
      "the proof does not hold, age: it is ",
    )
  })
})

describe("diff", () => {
  it("shows that a process believes others", async () => {
    const own = await client.spawn(ones)
    const { compute } = await client.info()
    await client.changeAuthority(own, { units: [compute, nobody] })
    await client.turn(own, 1)
    const { out } = await run(["diff", own, "0", "1"])
    assert.match(out, /^believes +1 of \S+ from slot 0 on +2 of /m)
    assert.match(out, /^0 pages of 4 KiB changed/m)
  })

  it("shows what differs in the state after two slots", async () => {
    const difference = await json("diff", process, "1", "3")
    assert.deepInclude(difference, { views: [{ key: "count", before: "1", after: "10" }], sent: [] })
    for (const [side, slot] of [
      ["before", 1],
      ["after", 3],
    ] as const)
      assert.deepInclude(difference[side], { slot, stateRoot: stateRoots[slot] })
    const { out } = await run(["diff", process, "1", "3"])
    assert.match(out, /^ +after slot 1 {2}after slot 3\nview count +1 +10\n\d+ pages of 4 KiB changed, /)
    assert.match((await run(["diff", process, "2", "2"])).out, /^the states are equal\n/)
  })
})

describe("replay --with", () => {
  it("shows the first outcome that another program would have made otherwise, and exits with 1", async () => {
    const doubling = write("doubling.ts", counting('2 * Number(message.tags["By"] ?? 1)'))
    const told = await run(["replay", process, "--with", doubling])
    assert.strictEqual(told.code, 1)
    assert.match(told.out, /^different 3 of 4 outcomes, slots 0 to 3; the first is slot 1:\n/)
    assert.match(told.out, /^reply to \S+ +1 +2$/m)
    assert.match(told.out, /^view "count" +1 +2$/m)
    assert.match(told.out, /^fuel \d+ recorded, \d+ now \([+-]?\d+\.\d %\)$/m)
    assert.match(told.errors, /^error 3 outcomes differ, the first in slot 1\n$/)

    const some = await run(["replay", process, "--with", doubling, "--from", "2", "--to", "2", "--json"])
    assert.strictEqual(some.code, 1)
    const trial = JSON.parse(some.out) as CommandLine.Json
    assert.deepInclude(trial, { process, from: 2, to: 2, equal: 0, different: 1 })
    const first = trial["first"] as {
      readonly slot: number
      readonly differences: ReadonlyArray<CommandLine.Json>
    }
    assert.strictEqual(first.slot, 2)
    assert.deepInclude(first.differences, { what: 'view "count"', recorded: "3", now: "6" })
    assert.deepInclude(JSON.parse(some.errors), { _tag: "OutcomesDiffer", slot: 2, different: 1 })
  })

  it("finds nothing where a program does the same in other words", async () => {
    const same = write("same.ts", counting('Number(message.tags["By"] ?? 1) + 0'))
    assert.match(
      (await run(["replay", process, "--with", same, "--from", "1"])).out,
      /^equal slots 1 to 3, 3 outcomes\nfuel \d+ recorded, \d+ now/,
    )
    const module = await client.addModule({ file: same })
    assert.deepInclude(await json("replay", process, "--with", module), { equal: 4, different: 0, module })
  })

  it("names the author's line where the program does not load", async () => {
    assert.include(
      await failure(1, ["replay", process, "--with", write("bad.ts", "\n\nthrow new Error('not this')\n")]),
      "bad.ts:3:11: not this",
    )
    assert.include(await failure(1, ["replay", process, "--with", nobody]), "unknown module")
  })
})

/** Lets so many others run that a process which rests is evicted, and waits for its snapshot. */
const crowd = async (slot: number): Promise<void> => {
  const others = await client.processes()
  for (;;) {
    for (const other of others)
      if (other.process !== process) await client.query(other.process, "Get").catch(() => undefined)
    if ((await client.snapshots(process)).some((one) => one.slot === slot)) return
  }
}

describe("snapshots", () => {
  beforeAll(async () => {
    for (let i = 0; i < 16; i++) await client.turn(await client.spawn(ones), 0)
  })

  it("are listed, gone on from and, where they are no longer kept, told of", async () => {
    assert.match((await run(["snapshots", process])).out, /^(no snapshot yet|slot)/)
    for (let slot = 4; slot <= 4 + Limit.snapshotsKeptMax; slot++) {
      await client.ask(process, "Increment", { tags: { By: "0" } })
      await crowd(slot)
    }
    const last = 4 + Limit.snapshotsKeptMax
    const taken = await list("snapshots", process)
    const kept = taken.filter((one) => one["kept"]).map((one) => one["slot"])
    assert.deepStrictEqual(kept, [last - 1, last])
    assert.deepInclude(
      taken.map((one) => [one["slot"], one["kept"]]),
      [4, false],
    )
    assert.match(
      (await run(["snapshots", process])).out,
      /^slot +state root +bytes +kept\n( +\d+ +[0-9a-f]{64} +\d+ +(no|yes)\n)+$/,
    )

    for (const [from, first] of [
      ["newest", last + 1],
      [String(last - 1), last],
    ] as const)
      for (const command of ["replay", "verify"])
        assert.deepInclude(await json(command, process, "--from-snapshot", from), {
          from: first,
          slots: last + 1 - first,
          finding: null,
        })
    assert.match(
      (await run(["verify", process, "--from-snapshot", String(last - 1)])).out,
      new RegExp(`^verified 1 slots, from the snapshot after slot ${last - 1} on, `),
    )
    const where = `there is one after slot ${last - 1}, slot ${last}: take one of these, or newest`
    const pruned = await failure(1, ["verify", process, "--from-snapshot", "4"])
    assert.include(pruned, `the bytes of the snapshot after slot 4 are no longer kept; ${where}`)
    const none = await failure(1, ["replay", process, "--from-snapshot", "1000"])
    assert.include(none, `no snapshot was taken after slot 1000; ${where}`)
    const other = await client.spawn(ones)
    const without = await failure(1, ["verify", other, "--from-snapshot", "0"])
    assert.include(without, "no other is kept; leave --from-snapshot out")
  })
})

describe("upgrade", () => {
  it("lets a process go on as another program with what the old one hands over", async () => {
    const spawned = await json("spawn", path.join(line.folder, "counter.ts"))
    const own = String(spawned["process"])
    await client.ask(own, "Increment", { tags: { By: "5" } })
    const tens = write("tens.ts", counting("10"))
    const upgraded = await json("upgrade", own, tens)
    assert.deepInclude(upgraded, { process: own, slot: 2, module: await client.addModule({ file: tens }) })
    assert.strictEqual(await client.ask(own, "Increment"), 15)
    const again = await run(["upgrade", own, String(spawned["module"])])
    assert.match(again.out, /^upgraded in slot 4 to module \S{43}, \d+ fuel\n$/)
    assert.strictEqual(await client.ask(own, "Increment"), 16)
    assert.deepInclude(await json("verify", own), { slots: 6, finding: null })

    const throwing = write(
      "throwing.ts",
      "import { onImport } from 'heddle/guest'\nonImport(() => {\n  throw new Error('not I')\n})\n",
    )
    assert.include(await failure(1, ["upgrade", own, throwing]), "threw: not I")
    assert.strictEqual(await client.ask(own, "Get"), 16)
    const foreign = await client.spawn(ones)
    assert.include(await failure(1, ["upgrade", foreign, tens]), "can't speak for it")
    assert.include(await failure(1, ["upgrade", own, nobody]), "unknown module")
    assert.include(await failure(1, ["upgrade", own, tens, "--engine", nobody]), "is not served by this node")
  })
})

describe("spawn", () => {
  it("takes a WebAssembly module as it is, and writes its limits", async () => {
    const own = (await run(["spawn", wasmCounter, "--memory", "8", "--fuel", "20000000"])).out.trim()
    assert.strictEqual(await client.ask(own, "Increment", { tags: { By: "4" } }), 4)
    const [spawn] = await client.log(own)
    assert.deepInclude(spawn!.tags, ["Memory-Limit", "128"])
    assert.deepInclude(spawn!.tags, ["Compute-Limit", "20000000"])
    const { engine } = await client.process(own)
    const shown = (await run(["ps"])).out
    assert.include(shown, "other engine")
    assert.match(shown, new RegExp(`^${own} .* ${Bytes.toBase64Url(engine!).slice(0, 12)}$`, "m"))
    assert.deepInclude(await json("replay", own), { slots: 2, finding: null })
  })

  it("names what is wrong with a file that is no module, and the command that compiles one", async () => {
    const wat = write("hello.wat", "(module)")
    assert.include(await failure(1, ["spawn", wat]), "npx -p wabt wat2wasm")
    assert.include(await failure(1, ["spawn", write("text.wasm", "(module)")]), "it is no WebAssembly module")
    const bare = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)
    assert.match(
      await failure(1, ["spawn", write("bare.wasm", bare)]),
      /^error .*bare\.wasm: it exports no memory/,
    )
    assert.include(await failure(1, ["spawn", wasmCounter, "--engine", nobody]), "is not served by this node")
  })

  it("shows where a turn threw to who asked", async () => {
    const file = write(
      "thrower.ts",
      'import { on } from "heddle/guest"\n\non("Throw", () => {\n  throw new Error("oh")\n})\n',
    )
    const own = (await run(["spawn", file])).out.trim()
    assert.match(await failure(1, ["ask", own, "Throw"]), /^at .*thrower\.ts:4:13\)\nerror threw: oh\n$/)
  })
})

describe("wrong usage", () => {
  it.each([
    [["view", nobody, ""], "a name that is not empty"],
    [["view", nobody, "count", "--max-age", "5"], "--max-age goes with --proof"],
    [["replay", nobody, "--from", "3"], "--from and --to go with --with"],
    [["replay", nobody, "--with", wasmCounter, "--from", "3", "--to", "2"], "nothing from slot 3 to 2"],
    [["replay", nobody, "--with", wasmCounter, "--from-snapshot", "2"], "does not go with --with"],
    [["replay", nobody, "--with", "nothing.ts"], "nothing.ts"],
    [["verify", nobody, "--from-snapshot", "soon"], '"soon" is no slot and not "newest"'],
    [["diff", nobody, "1"], "to"],
    [["debug", nobody, "--slot", "-1"], "-1"],
    [["spawn", wasmCounter, "--memory", "1"], "1 is not from 6 to 256"],
    [["spawn", wasmCounter, "--fuel", "1"], "1 is not from"],
    [["spawn", wasmCounter, "--engine", "abc"], "43 characters"],
    [["upgrade", nobody, "nothing.ts"], "nothing.ts"],
  ] as const)("%j is told as such", async (args, says) => assert.include(await failure(2, args), says))

  it("of a slot that has no turn is told with those that have one", async () => {
    const says = /slot 99 has no turn; those of process \S{43} run from 0 to \d+/
    assert.match(await failure(1, ["diff", process, "1", "99"]), says)
    assert.match(await failure(1, ["replay", process, "--with", wasmCounter, "--from", "99"]), says)
    assert.include(await failure(1, ["snapshots", nobody]), nobody)
  })
})

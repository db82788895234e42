/** A node that lost its data folder, at the command line: fetch, restore, and dev on what came back. */
import type { ChildProcess } from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as NodeKey from "../../node/NodeKey.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import * as ArchiveFolder from "../../runtime/ArchiveFolder.ts"
import * as StoreLmdb from "../../runtime/StoreLmdb.ts"
import * as Archived from "../support/Archived.ts"
import * as CommandLine from "../support/CommandLine.ts"

const { folder, run, json, failure, dev, remove } = CommandLine.make("restore")
const at = (name: string) => path.join(folder, name)
let node: ChildProcess | undefined
let process = ""
let root = ""
let batches = ""

const bundleOf = (made: Archived.Made) => {
  const files = fs.readdirSync(at("archive")).filter((name) => name.endsWith(".bundle"))
  return files.find((name) => fs.readFileSync(at(`archive/${name}`)).includes(made.head.type))!
}

beforeAll(async () => {
  node = (await dev("--data", at("data"))).child
  await json("keys", "new", "ada", "--unsealed")
  const spawned = await json("spawn", CommandLine.counter, "--as", "ada")
  process = String(spawned["process"] ?? spawned["id"])
  for (let i = 0; i < 3; i++) await json("ask", process, "Increment", "--as", "ada")
  root = String((await json("verify", process))["stateRoot"])
  await CommandLine.stop(node)
  node = undefined
  const archiving = Effect.scoped(
    Effect.gen(function* () {
      const store = yield* StoreLmdb.make(at("data"))
      const archive = yield* ArchiveFolder.make(at("archive"))
      const signer = SignerLocal.make(yield* NodeKey.open(at("data")))
      const contents = yield* Archived.contents(store, 100)
      for (const one of [contents.modules, contents.batches, contents.turns].flat())
        yield* Archived.put(archive, signer, [one])
      return contents.batches[0]!
    }),
  )
  batches = bundleOf(await Effect.runPromise(archiving))
})

afterAll(async () => {
  if (node !== undefined) await CommandLine.stop(node)
  remove()
})

const key = () => at("data/keys/node.json")

describe("archive fetch", () => {
  it("verifies a process and prints its state root", async () => {
    const report = await json("archive", "fetch", process, "--from", at("archive"))
    assert.deepInclude(report, { process, slots: 4, stateRoot: root, problems: [] })
    const { code, out } = await run(["archive", "fetch", process, "--from", at("archive")])
    assert.strictEqual(code, 0)
    assert.match(out, /^verified 4 slots, \d+ signatures good\nstate root [0-9a-f]{64}\n$/)
  })

  it("names what can't be had", async () => {
    const gone = await failure(1, ["archive", "fetch", process, "--from", at("nowhere")])
    assert.include(gone, `there is no folder ${at("nowhere")}`)
    const other = `${process.slice(0, -2)}AA`
    assert.include(
      await failure(1, ["archive", "fetch", other, "--from", at("archive")]),
      `does not give the spawn message of process ${other}`,
    )
  })
})

describe("restore", () => {
  it("brings a node back, which goes on", async () => {
    const args = ["restore", "--from", at("archive"), "--data", at("back"), "--node-key", key()]
    const { code, out, errors } = await run(args)
    assert.strictEqual(code, 0, errors)
    assert.match(
      out,
      new RegExp(`^process +slots +state root +attested +equal\n${process} +4 .* after 3 +equal\n$`),
    )
    assert.strictEqual(fs.statSync(at("back/keys/node.json")).mode & 0o777, 0o600)
    assert.include(await failure(1, args), "the data folder has a log already")
    node = (await dev("--data", at("back"))).child
    assert.deepInclude(await json("ask", process, "Increment", "--as", "ada"), { slot: 4 })
    assert.strictEqual(Number((await json("verify", process))["slots"]), 5)
    await CommandLine.stop(node)
    node = undefined
  })

  it("runs everything again with --full, and says when the key is not there", async () => {
    const from = ["--from", at("archive")]
    const full = await json("restore", process, ...from, "--data", at("full"), "--full", "--node-key", key())
    assert.deepInclude((full["processes"] as ReadonlyArray<object>)[0], {
      slots: 4,
      computed: 4,
      equal: true,
    })
    const { code, errors } = await run(["restore", process, ...from, "--data", at("reading")])
    assert.strictEqual(code, 0, errors)
    assert.include(errors, "can be read and take no messages")
    assert.include(await failure(1, ["restore", ...from, "--data", at("whose")]), "say whose processes")
  })

  it("names the transaction of what is damaged, and leaves a folder on which no node starts", async () => {
    const file = at(`archive/${batches}`)
    const bytes = fs.readFileSync(file)
    bytes[bytes.length - 1]! ^= 1
    fs.writeFileSync(file, bytes)
    const args = ["restore", "--from", at("archive"), "--data", at("cut"), "--node-key", key()]
    const told = await failure(1, args)
    assert.include(told, `piece ${batches.replace(".bundle", "")}/`)
    assert.match(told, /the archive does not give batches 0 to \d+: they should be in /)
    assert.include(await failure(1, ["dev", "--port", "0", "--data", at("cut")]), "was cut short")
  })
})

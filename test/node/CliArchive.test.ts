/** The permanent log from the command line: how far it is, what it costs, and its way to Arweave. */
import { type ChildProcess } from "node:child_process"
import { once } from "node:events"
import fs from "node:fs"
import path from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as ArweaveGateway from "../support/ArweaveGateway.ts"
import * as Wallet from "../support/ArweaveWallet.ts"
import * as CommandLine from "../support/CommandLine.ts"

const { counter, stop } = CommandLine
const line = CommandLine.make("cli-archive")
const { folder, run, failure, json, dev, write, start } = line
type Json = CommandLine.Json

const scope = Effect.runSync(Scope.make())
const weave = new ArweaveGateway.Weave()
let gateway: ArweaveGateway.Gateway

beforeAll(async () => {
  gateway = await Effect.runPromise(Scope.provide(ArweaveGateway.make(weave), scope))
  write("wallet.json", Wallet.text)
  await json("keys", "new", "ada", "--unsealed")
})

afterAll(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  line.remove()
})

const arweave = (limit = "0.5") => [
  "--arweave",
  gateway.url,
  "--wallet",
  path.join(folder, "wallet.json"),
  "--spending-limit",
  limit,
]

describe("Arweave", () => {
  it("is not used without a wallet and a limit, and the line that is missing is named", async () => {
    const [, , , file] = arweave()
    for (const command of [
      ["dev", "--port", "0", "--data", "none"],
      ["archive", "push"],
    ]) {
      const one = ["--arweave", gateway.url]
      assert.include(await failure(2, [...command, ...one, "--spending-limit", "1"]), "--wallet")
      assert.include(await failure(2, [...command, ...one, "--wallet", file!]), "--spending-limit")
      assert.include(await failure(2, [...command, ...one, "--spending-limit", "1,5"]), '"0.5"')
      const none = [...command, ...one, "--spending-limit", "1", "--wallet"]
      assert.include(await failure(1, [...none, "nothing.json"]), "ENOENT")
      const secret = write("secret.json", '{"d": "very secret"}')
      const told = await failure(1, [...none, secret])
      assert.include(told, "no private key")
      assert.notInclude(told, "very secret")
    }
    assert.include(await failure(2, ["archive", "push"]), "HEDDLE_ARWEAVE")
    assert.isFalse(fs.existsSync(path.join(folder, "none")))
  })

  it("is in the settings, with what it comes from", async () => {
    const settings = await line.list("config", ...arweave("0.25"))
    assert.deepInclude(settings, { name: "spendingLimit", value: "0.25", source: "flag --spending-limit" })
    assert.deepInclude(settings, { name: "arweave", value: gateway.url, source: "flag --arweave" })
  })
})

describe("a node with a folder", () => {
  let node: ChildProcess
  let process: string

  beforeAll(async () => {
    node = (await dev("--data", "data")).child
    process = (await run(["spawn", counter])).out.trim()
    for (let n = 0; n < 3; n++) await json("ask", process, "Increment")
  })

  afterAll(async () => {
    if (node.exitCode === null) await stop(node)
  })

  it("says how far its archive is, and what a process takes", async () => {
    const status = await json("archive", "status")
    assert.deepInclude(status, {
      archive: path.join(fs.realpathSync(folder), "data", "archive"),
      problem: null,
    })
    assert.deepInclude(status, { spent: "0", spendingLimit: null })
    assert.deepInclude(status["batches"] as Json, { made: 4, confirmed: 0 })
    const { out } = await run(["archive", "status"])
    assert.match(out, /made +bundled +confirmed\nbatches +4 +0 +0\nturns +4 +0 +0\n/)
    assert.match(out, /behind +\d+ s\n/)
    assert.notInclude(out, " AR", "nothing is paid")
    const cost = await json("archive", "cost", process)
    assert.deepInclude(cost, { slots: 4, winston: "0" })
    assert.isAbove(Number(cost["signedBytes"]), Number(cost["bytes"]) / 2)
    assert.match(
      (await run(["archive", "cost", process])).out,
      /slots +4\nbytes signed +\d+\nbytes stored +\d+/,
    )
    assert.include(await failure(1, ["archive", "cost", "A".repeat(43)]), "no slot 0 here")
  })

  it("says of a receipt whether it is anchored, as it is once the node has stopped in order", async () => {
    assert.strictEqual((await json("receipt", process, "1"))["anchored"], null)
    assert.match((await run(["receipt", process, "1"])).out, /anchored +no\n/)
    assert.strictEqual(await stop(node), 0)
    node = (await dev("--data", "data")).child
    const status = await json("archive", "status")
    assert.deepInclude(status["batches"] as Json, { made: 4, bundled: 4, confirmed: 4 })
    assert.deepInclude(status, { behindMs: 0, waiting: [] })
    const [file = "", ...more] = fs.readdirSync(path.join(folder, "data", "archive"))
    assert.deepStrictEqual(more, [])
    const transaction = file.replace(".bundle", "")
    const receipt = await json("receipt", process, "1")
    assert.deepStrictEqual(receipt["anchored"], { transaction, height: 1 })
    assert.property(receipt, "link")
    assert.include((await run(["receipt", process, "1"])).out, `yes, by ${transaction} at height 1`)
    await json("send", process, "Increment")
    assert.strictEqual((await json("receipt", process, "4"))["anchored"], null, "that came after")
    assert.include((await run(["archive", "status"])).out, "confirmed  1 bundles")
    assert.strictEqual(await stop(node), 0)
  })

  it("is pushed to Arweave later: killed in the middle, it goes on and pays once for each bundle", async () => {
    assert.include(
      await failure(1, ["archive", "push", "--folder", "nowhere", ...arweave()]),
      "nowhere can't be read",
    )
    const args = ["archive", "push", "--data", "data", "--json"]
    const poor = await run([...args, ...arweave("0.000000001")])
    assert.strictEqual(poor.code, 1)
    assert.include(poor.errors, "PushIncomplete")
    assert.deepInclude((JSON.parse(poor.out) as { bundles: ReadonlyArray<Json> }).bundles[0], {
      state: "waiting",
    })
    assert.strictEqual(weave.paid.size, 0)

    let child: ChildProcess
    gateway.before = ({ path: at }) => {
      if (at === "/chunk") child.kill("SIGKILL")
      return undefined
    }
    child = start([...args, ...arweave()])
    assert.deepStrictEqual(await once(child, "close"), [null, "SIGKILL"])
    gateway.before = () => undefined
    assert.strictEqual(weave.paid.size, 1)
    const [first] = weave.paid

    const report = await run([...args, ...arweave()])
    assert.strictEqual(report.code, 0, report.errors)
    const { bundles, spent } = JSON.parse(report.out) as Json & { bundles: ReadonlyArray<Json> }
    assert.strictEqual(bundles.length, 2)
    assert.deepInclude(bundles[0], { state: "sent", transaction: first })
    assert.sameMembers(
      bundles.map(({ transaction }) => String(transaction)),
      [...weave.paid],
    )
    const costs = bundles.reduce((sum, { cost }) => sum + BigInt(String(cost)), 0n)
    assert.strictEqual(spent, String(costs))
    weave.mine(10)
    const again = await run(["archive", "push", "--data", "data", ...arweave()])
    assert.match(again.out, /bundle +bytes +state +block +AR +transaction\n.* confirmed /)
    assert.match(again.out, /spent 0\.\d+ of 0\.5 AR\n$/)
    assert.strictEqual(weave.paid.size, 2)
    for (const { transaction } of bundles) assert.isDefined(weave.data(String(transaction)))
  })

  it("goes on to Arweave, where the folder has what came before", async () => {
    node = (await dev("--data", "data", ...arweave())).child
    const status = await json("archive", "status")
    assert.deepInclude(status, { archive: `Arweave through ${gateway.url}`, spendingLimit: "500000000000" })
    const cost = await json("archive", "cost", process)
    assert.strictEqual(cost["winston"], String(weave.price(Number(cost["bytes"]))))
    assert.match((await run(["archive", "cost", process])).out, /AR +0\.0\d+, about/)
    await json("send", process, "Increment")
    assert.strictEqual(await stop(node), 0)
    // What the node gathered is closed when it stops, and sent by the next start.
    node = (await dev("--data", "data", ...arweave())).child
    const sent = async (): Promise<Json> => {
      const one = await json("archive", "status")
      const [waiting] = one["waiting"] as ReadonlyArray<Json>
      return waiting?.["state"] === "sent" ? one : sent()
    }
    const { waiting, spent } = (await sent()) as Json & { waiting: ReadonlyArray<Json> }
    assert.deepInclude(waiting[0], { cost: spent })
    assert.isTrue(weave.paid.has(String(waiting[0]!["transfer"])))
    const { out } = await run(["archive", "status"])
    assert.match(out, /spent +0\.\d+ of 0\.5 AR/)
    assert.include(out, "100 %")
    assert.strictEqual(await stop(node), 0)
  })
})

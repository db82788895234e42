/**
 * The whole way: a node that has served ten thousand messages over twenty processes loses its data folder, and comes back
 * out of an Arweave gateway alone, by the command that its operator would use. Every process goes on.
 */
import fs from "node:fs"
import path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ArchiveUnit } from "../../archive-unit/ArchiveUnit.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import { nodeLayer } from "../../node/index.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as DataReference from "../../runtime/DataReference.ts"
import * as Id from "../../runtime/Id.ts"
import * as Message from "../../runtime/Message.ts"
import * as arlocal from "../oracle/arlocal.ts"
import * as ArweaveWallet from "../support/ArweaveWallet.ts"
import * as Caller from "../support/Caller.ts"
import * as CommandLine from "../support/CommandLine.ts"
import * as SmallNode from "../support/SmallNode.ts"

const there = arlocal.install()
const cli = CommandLine.make("archive-life")
afterAll(cli.remove)

const ada = Caller.caller("ada")

const counter = `
  let n = 0
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })
  heddle.on("Get", () => n)
  heddle.on("Read", (m) => m.data.length)`

/** Spawns a child, tells it, asks it, and waits for hours. */
const parent = `
  let child, heard = 0, woken = 0
  heddle.on("Raise", (m) => {
    child = heddle.spawn(m.tags.Of)
    for (let i = 0; i < 3; i++) heddle.send(child, { action: "Add" })
    return child
  })
  heddle.on("Tell", () => { heddle.send(child, { action: "Add" }) })
  heddle.on("Ask", async () => { const n = await heddle.ask(child, { action: "Get" }); heard++; return n })
  heddle.on("Later", async () => { await heddle.sleep("5h"); woken++ })
  heddle.on("Wait", async (m) => await heddle.ask(m.tags.For, { action: "Hold" }))
  heddle.on("Heard", () => heard)`

/** Answers when it is told to. */
const holder = `
  const held = []
  heddle.on("Hold", () => new Promise((resolve) => held.push(resolve)))
  heddle.on("Release", () => { for (const resolve of held.splice(0)) resolve("released"); return held.length })`

const large = Bytes.fromText("warp and weft ".repeat(20_000))

const [counters, parents, bulk] = [10, 4, 1_000]

type Node = Pick<SmallNode.SmallNode, "messenger">

/** Many messages under one signature, all at once. */
const many = Effect.fnUntraced(function* ({ messenger }: Node, process: Id.ProcessId, count: number) {
  const items = yield* SignedItem.signMany(
    ada.signer,
    Array.from({ length: count }, () => ({
      target: Id.toBytes(process),
      tags: [...Message.protocolTags("Message"), { name: "Action", value: "Add" }],
      data: Bytes.empty,
    })),
  )
  yield* Effect.forEach(items, ({ bytes }) => messenger.send(bytes), { concurrency: 256, discard: true })
})

const settled = ({ messenger }: Node) =>
  Effect.gen(function* () {
    for (;;) {
      const all = yield* messenger.processes
      const parked = all.filter((one) => one.parked !== undefined)
      if (parked.length > 0) throw new Error(parked.map((one) => one.parked).join())
      const waiting = (yield* messenger.outbox).filter(({ kind }) => kind !== "timer")
      if (all.every(({ slots, computed }) => slots === computed) && waiting.length === 0) return all
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))
    }
  })

/** What of a process must be the same after it all. */
const told = (all: Effect.Success<ReturnType<typeof settled>>) =>
  new Map(all.map(({ process, slots, stateRoot }) => [process, `${slots} ${Bytes.toHex(stateRoot)}`]))

const run = <A, E>(
  data: string,
  settings: Partial<Parameters<typeof nodeLayer>[0]>,
  use: (node: Node, archive: ArchiveUnit["Service"]) => Effect.Effect<A, E>,
) =>
  Effect.gen(function* () {
    return yield* use({ messenger: yield* MessengerUnit }, yield* ArchiveUnit)
  }).pipe(
    Effect.provide(
      Layer.orDie(
        nodeLayer({ data, sandboxWorkers: 1, cryptoWorkers: 1, archive: `${data}/archive`, ...settings }),
      ),
    ),
  )

describe.skipIf(!there)("a node whose data folder is gone", { timeout: 300_000 }, () => {
  it.live("comes back from Arweave alone: equal roots, next slots, and nothing twice", () =>
    Effect.gen(function* () {
      const gateway = yield* arlocal.make
      yield* gateway.mint(ArweaveWallet.wallet.address, 10n ** 15n)
      yield* gateway.mine(1)
      const wallet = path.join(cli.folder, "wallet.json")
      fs.writeFileSync(wallet, ArweaveWallet.text, { mode: 0o600 })
      const [data, key] = [path.join(cli.folder, "data"), path.join(cli.folder, "node.json")]

      const lived = yield* run(
        data,
        { arweave: gateway.url, wallet, spendingLimit: "100" },
        (node, archive) =>
          Effect.gen(function* () {
            const spawn = (source: string) => SmallNode.spawn(node, ada, source)
            const ids = yield* Effect.forEach(Array.from({ length: counters }), () => spawn(counter))
            for (const process of ids) yield* many(node, process, bulk)
            const held = yield* spawn(holder)
            const of = yield* SmallNode.upload(node, counter)
            const raised = yield* Effect.forEach(Array.from({ length: parents }), () => spawn(parent))
            for (const process of raised) {
              assert.match(
                String(yield* SmallNode.ask(node, ada, process, "Raise", { Of: of })),
                /^[\w-]{43}$/,
              )
              yield* SmallNode.send(node, ada, process, "Tell")
              assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Ask"), 4)
              yield* SmallNode.send(node, ada, process, "Later")
              yield* SmallNode.send(node, ada, process, "Wait", { For: held })
            }
            // Told by reference, what no item has room for.
            const reader = yield* spawn(counter)
            yield* node.messenger.addData(large)
            const tags = Object.fromEntries(
              DataReference.tags(DataReference.of(large)).map(({ name, value }) => [name, value]),
            )
            assert.strictEqual(yield* SmallNode.ask(node, ada, reader, "Read", tags), large.length)
            const all = yield* settled(node)
            const blocks = Effect.forever(Effect.andThen(gateway.mine(12), Effect.sleep(500)))
            yield* Effect.raceFirst(archive.flush, blocks)
            const status = yield* archive.status
            assert.deepStrictEqual([status.waiting, status.problem], [[], undefined])
            assert.isAbove(Number(status.spent), 0)
            return {
              ids,
              held,
              raised,
              before: told(all),
              slots: all.reduce((sum, { slots }) => sum + slots, 0),
            }
          }),
      )
      assert.strictEqual(lived.before.size, 20)
      assert.isAbove(lived.slots, 10_000)

      fs.copyFileSync(path.join(data, "keys", "node.json"), key)
      fs.rmSync(data, { recursive: true })
      const from = ["--from", gateway.url, "--node-key", key, "--data", data]
      const restored = yield* Effect.promise(() => cli.run(["restore", ...from, "--json"]))
      assert.strictEqual(restored.code, 0, restored.errors)

      yield* run(data, {}, (node) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(told(yield* settled(node)), lived.before)
          const data = yield* node.messenger.data(DataReference.of(large).hash)
          assert.isTrue(data !== undefined && Bytes.equal(data, large))
          // What was emitted before is gone through again, beside all else.
          const timers = Effect.map(node.messenger.outbox, (all) =>
            all.filter(({ kind }) => kind === "timer"),
          )
          while ((yield* timers).length < parents) yield* Effect.sleep(20)
          assert.strictEqual((yield* timers).length, parents)
          for (const process of lived.ids) {
            const { slot } = yield* SmallNode.send(node, ada, process, "Add")
            assert.strictEqual(slot, bulk + 1)
            assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Get"), bulk + 1)
          }
          for (const process of lived.raised) {
            yield* SmallNode.send(node, ada, process, "Tell")
            assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Ask"), 5)
            assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Heard"), 2)
          }
          // What each parent has waited for since before is answered now, in the slot of its old question.
          yield* SmallNode.ask(node, ada, lived.held, "Release")
          for (const process of lived.raised) {
            const { result } = yield* node.messenger.answer(process, 6)
            assert.deepStrictEqual(result, { value: '"released"' })
          }
        }),
      )
    }).pipe(Effect.scoped),
  )
})

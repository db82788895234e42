/**
 * A node with one of each kind of process: a parent with children, one that sleeps, one that waits for an answer, one
 * that says something to a process that is not there yet, an upgraded one, a plain module, one with a cron, a token with
 * its auditor. What they were told is the same each time.
 */
import fs from "node:fs"
import path from "node:path"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import type { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Caller from "./Caller.ts"
import * as SmallNode from "./SmallNode.ts"

export const ada = Caller.caller("ada")

const parent = `
  let child
  const log = []
  const note = (what) => { log.push(what); heddle.publish("log", log); return what }
  heddle.on("Have-Child", (m) => { child = heddle.spawn(m.tags.Module); return child })
  heddle.on("Ask-Child", async (m) => note(await heddle.ask(child, { action: "Sum", data: [1, 2, log.length] })))
  heddle.on("Rest", async (m) => { await heddle.sleep(m.tags.For); return note("rested") })
  heddle.on("Wait", async (m) => note(await heddle.ask(m.tags.To, { action: "Slow" }, { timeout: "24h" })))
  heddle.on("Tell", (m) => { heddle.send(m.tags.To, { action: "Add" }); return note("told") })
  heddle.on("Log", () => log)`

const child = `
  let n = 0
  heddle.on("Sum", (m) => { heddle.publish("sums", ++n); return m.json().reduce((sum, n) => sum + n, 0) })
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })
  heddle.on("Slow", async () => { await heddle.sleep("10m"); return "at last " + ++n })`

const first = `
  let n = 0
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })
  heddle.onExport(() => ({ n }))`

const second = `
  let n = 0
  heddle.onImport((state) => { n = state.n * 100 })
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })`

const ticking = `
  let ticks = 0
  heddle.on("Cron", () => { heddle.publish("ticks", ++ticks) })`

const [parentCode, childCode, firstCode, secondCode, tickingCode] = [
  parent,
  child,
  first,
  second,
  ticking,
].map((source) => Bytes.fromText(source)) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array]

const plainCode = new Uint8Array(
  fs.readFileSync(path.join(import.meta.dirname, "..", "..", "examples", "wat-counter", "counter.wasm")),
)

export const childModule = Module.id(childCode)
const address = SmallNode.identity.address

const spawnOf = (code: Uint8Array, tags: Record<string, string> = {}) =>
  ada.spawn(Module.id(code), address, tags)

/** Spawned only after the node was restored. */
export const late = await spawnOf(childCode, { Name: "Late" })

export interface Ids {
  readonly parent: Id.ProcessId
  readonly child: Id.ProcessId
  readonly slow: Id.ProcessId
  readonly upgraded: Id.ProcessId
  readonly plain: Id.ProcessId
  readonly ticking: Id.ProcessId
}

/** Lets everything happen that can without time going by. */
export const rest = Effect.gen(function* () {
  for (let i = 0; i < 400; i++) yield* Effect.yieldNow
})

/** When the lives end, in ms of their clock. */
export const endMs = 60_000

const lives = Effect.fnUntraced(function* (residentBytesMax: number | undefined, store: Store["Service"]) {
  const { node, stop } = yield* SmallNode.open({ store }, residentBytesMax)
  const { messenger } = node
  for (const code of [parentCode, childCode, firstCode, secondCode, plainCode, tickingCode])
    yield* messenger.addModule(code)
  const spawn = Effect.fnUntraced(function* (code: Uint8Array, tags: Record<string, string> = {}) {
    const item = yield* Effect.promise(() => spawnOf(code, tags))
    const { process } = yield* messenger.send(item.bytes)
    yield* rest
    return process
  })
  const send = (process: Id.ProcessId, action: string, tags: Record<string, string> = {}) =>
    Effect.andThen(SmallNode.send(node, ada, process, action, tags), rest)

  const parent = yield* spawn(parentCode, { Name: "Parent" })
  const slow = yield* spawn(childCode, { Name: "Slow" })
  const upgraded = yield* spawn(firstCode)
  const plain = yield* spawn(plainCode)
  const ticking = yield* spawn(tickingCode, { "Cron-Interval": "10-seconds" })
  yield* TestClock.adjust(1_000)
  yield* send(parent, "Have-Child", { Module: childModule })
  for (let i = 0; i < 5; i++) {
    // At once, so that batches and releases are of many processes.
    const said = [send(parent, "Ask-Child"), send(upgraded, "Add"), send(plain, "Increment", { By: "3" })]
    yield* Effect.all(said, { concurrency: "unbounded" })
  }
  yield* send(upgraded, "Upgrade", { Module: Module.id(secondCode) })
  yield* send(upgraded, "Add")
  yield* send(ticking, "Authority", { Authority: address })
  yield* TestClock.adjust(19_000)
  yield* rest
  yield* send(parent, "Rest", { For: "5m" })
  yield* send(parent, "Wait", { To: slow })
  yield* send(parent, "Tell", { To: late.id })
  yield* send(parent, "Fail")
  yield* TestClock.adjust(endMs - 20_000)
  yield* rest
  const child = (yield* messenger.processes).find(
    ({ process, module }) => module === childModule && process !== slow,
  )!.process
  const ids: Ids = { parent, child, slow, upgraded, plain, ticking }
  yield* stop
  return { ids, store, node }
})

/** Lives them; the node is stopped when they are over. */
export const live = (residentBytesMax?: number, store: Store["Service"] = StoreMemory.make()) =>
  Effect.orDie(Effect.scoped(Effect.provide(lives(residentBytesMax, store), TestClock.layer())))

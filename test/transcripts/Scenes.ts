/**
 * Scenes: lives that are recorded. Between them they use everything that an outcome can be made of: values of the
 * language kept over turns, waits over processes and time, spawns, views, binary data, every reason for a turn to
 * fail that a caller can bring about, code that does not load, an upgrade, a change of whom a process
 * believes, a plain module.
 */
import fs from "node:fs"
import path from "node:path"
import * as Effect from "effect/Effect"
import * as Bundle from "../../compute-unit/Bundle.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"

export interface Played {
  readonly process: Id.ProcessId
  readonly modules: ReadonlyArray<Id.Id>
}

type Scene = (node: SmallNode.SmallNode) => Effect.Effect<Readonly<Record<string, Played>>, unknown>

const ada = Caller.caller("ada")
const bob = Caller.caller("bob")

const examples = path.join(import.meta.dirname, "../../examples")

const example = (name: string, file = name) =>
  Effect.promise(async () => {
    const done = await Bundle.bundle(path.join(examples, name, `${file}.ts`))
    if (done._tag === "BundleFailed") throw new Error(done.message)
    return Bytes.toText(done.source)!
  })

const alone = (
  process: Id.ProcessId,
  ...sources: ReadonlyArray<string>
): Readonly<Record<string, Played>> => ({
  "": { process, modules: sources.map((source) => Module.id(Bytes.fromText(source))) },
})

const counter: Scene = Effect.fnUntraced(function* (node) {
  const source = yield* example("counter")
  const process = yield* SmallNode.spawn(node, ada, source)
  for (let i = 0; i < 10; i++) yield* SmallNode.ask(node, ada, process, i % 3 === 2 ? "Get" : "Increment")
  yield* SmallNode.ask(node, bob, process, "Nothing")
  return alone(process, source)
})

const language = `
  const state = { map: new Map(), weak: new WeakMap(), set: new Set(), n: 0 }
  class Shape { #sides = 3; get sides() { return this.#sides } grow() { this.#sides++; return this } }
  const shape = new Shape()
  function* ids() { for (let i = 0; ; i++) yield i }
  const numbers = ids()
  heddle.on("Keep", (m) => { const key = { slot: m.slot }; state.map.set(m.slot, key); state.weak.set(key, m.data); return state.map.size })
  heddle.on("Shape", () => shape.grow().sides)
  heddle.on("Next", () => state.n += numbers.next().value)
  heddle.on("Floats", () => [0.1 + 0.2, Math.sin(1e6), Math.pow(2.5, 3.7), (7n ** 90n).toString(), Math.random()])
  heddle.on("Dates", (m) => [new Date().toISOString(), new Date(2031, 1, 31).getTime(), m.timestamp - heddle.now()])
  heddle.on("Sort", () => Array.from({ length: 300 }, (_, i) => (i * 7919) % 301).sort((a, b) => a - b).slice(0, 9))
  heddle.on("Text", (m) => m.data.normalize("NFKD").replace(/(.)(.)/gu, "$2$1").toUpperCase())
  heddle.on("Bytes", (m) => Array.from(m.bytes().slice(0, 4)).concat(m.bytes().length))
  heddle.on("View", (m) => { heddle.publish(m.tags.Name, m.data === "" ? null : m.json()); console.log("published", m.tags.Name) })
  heddle.on("Loop", () => { for (;;); })
  heddle.on("Hold", () => { const all = []; for (;;) all.push(new Uint8Array(4e6).fill(1)) })
  heddle.on("Deep", () => { const f = () => f(); f() })
  heddle.on("Jobs", async () => { for (;;) await null })
  heddle.on("Throw", () => { throw new RangeError("no \\u{1f9f5}") })
  heddle.on("Large", () => "x".repeat(11e6))
  heddle.on("Hash", (m) => Array.from(heddle.hash("sha3-256", m.data)))
  heddle.on("Sleep", async () => { await heddle.sleep(1); return state.n })`

const languageScene: Scene = Effect.fnUntraced(function* (node) {
  const process = yield* SmallNode.spawn(node, ada, language, {
    "Compute-Limit": "200000000",
    "Memory-Limit": "256",
  })
  const say = (action: string, tags: Record<string, string> = {}, data: string | Uint8Array = "") =>
    SmallNode.ask(node, ada, process, action, tags, data)
  for (let round = 0; round < 3; round++) {
    for (const action of ["Keep", "Shape", "Next", "Floats", "Dates", "Sort", "Sleep"]) yield* say(action)
    yield* say("Text", {}, "Straße ﬁ 🧵".repeat(round + 1))
    yield* say("Bytes", {}, new Uint8Array(3_000 * round + 5).fill(0xff))
    yield* say("View", { Name: `view ${round}` }, JSON.stringify({ round, text: "é" }))
    yield* say("Hash", {}, "x".repeat(70_000 * round))
  }
  yield* say("View", { Name: "view 1" })
  for (const action of ["Loop", "Hold", "Deep", "Jobs", "Throw", "Large", "Nothing", "Keep", "Next"])
    yield* say(action)
  return alone(process, language)
})

const broken: Scene = Effect.fnUntraced(function* (node) {
  // It loads within what an upload may take, and not within what its spawn allows.
  const source = `const big = new Uint8Array(12 * 2 ** 20).fill(7); heddle.on("Get", () => big.length)`
  const process = yield* SmallNode.spawn(node, ada, source, { "Memory-Limit": "100" })
  for (let i = 0; i < 3; i++) yield* SmallNode.ask(node, ada, process, "Get")
  return alone(process, source)
})

const family: Scene = Effect.fnUntraced(function* (node) {
  const [parent, child] = [
    yield* example("parent-and-children", "parent"),
    yield* example("parent-and-children", "child"),
  ]
  const module = yield* SmallNode.upload(node, child)
  const process = yield* SmallNode.spawn(node, ada, parent, { "Child-Module": module, Children: "2" })
  for (const to of ["10", "1000", "7"]) yield* SmallNode.ask(node, ada, process, "Sum", { To: to })
  yield* SmallNode.ask(node, bob, process, "Later", { Ms: "5" })
  const children = (yield* SmallNode.ask(node, ada, process, "Children")) as ReadonlyArray<Id.ProcessId>
  return {
    parent: { process, modules: [Module.id(Bytes.fromText(parent))] },
    child: { process: children[0]!, modules: [module] },
  }
})

const upgradeFrom = `let n = 0
  heddle.on("Add", () => ++n)
  heddle.on("Wait", async () => { await heddle.sleep("1h"); return n })
  heddle.onExport(() => ({ n }))`
const upgradeTo = `let n
  heddle.onImport((state) => { n = state.n * 10; heddle.publish("taken over", n) })
  heddle.on("Add", () => ++n)`

const upgrade: Scene = Effect.fnUntraced(function* (node) {
  const process = yield* SmallNode.spawn(node, ada, upgradeFrom)
  const module = yield* SmallNode.upload(node, upgradeTo)
  const refusing = `heddle.onImport(() => { throw new Error("not this one") })`
  const bad = yield* SmallNode.upload(node, refusing)
  yield* SmallNode.ask(node, ada, process, "Add")
  yield* SmallNode.send(node, bob, process, "Wait")
  yield* SmallNode.ask(node, bob, process, "Upgrade", { Module: module })
  yield* SmallNode.ask(node, ada, process, "Upgrade", { Module: bad })
  yield* SmallNode.ask(node, ada, process, "Add")
  yield* SmallNode.ask(node, ada, process, "Upgrade", { Module: module })
  yield* SmallNode.ask(node, ada, process, "Add")
  return alone(process, upgradeFrom, upgradeTo, refusing)
})

const poker = `heddle.on("Poke", (m) => heddle.ask(m.tags.To, { Action: "Increment" }))`

const authority: Scene = Effect.fnUntraced(function* (node) {
  const source = yield* example("counter")
  const process = yield* SmallNode.spawn(node, ada, source)
  const other = yield* SmallNode.spawn(node, bob, poker)
  const poke = SmallNode.ask(node, bob, other, "Poke", { To: process })
  const believe = (...units: ReadonlyArray<Id.Address>) =>
    SmallNode.ask(
      node,
      ada,
      process,
      "Authority",
      units.map((unit) => ["Authority", unit] as const),
    )
  const { address } = node.compute
  yield* poke
  yield* believe(address, bob.identity.address)
  yield* SmallNode.ask(node, ada, process, "Get")
  yield* believe(address)
  yield* poke
  return alone(process, source)
})

const plain: Scene = Effect.fnUntraced(function* (node) {
  const bytes = new Uint8Array(fs.readFileSync(path.join(examples, "wat-counter", "counter.wasm")))
  const module = yield* node.messenger.addModule(bytes)
  const { scheduler } = yield* node.messenger.info
  const item = yield* Effect.promise(() => ada.spawn(module, scheduler))
  const { process } = yield* node.messenger.send(item.bytes)
  for (const action of ["Increment", "Increment", "Get", "Nothing", "Increment"])
    yield* SmallNode.ask(node, ada, process, action)
  return { "": { process, modules: [module] } }
})

export const scenes: Readonly<Record<string, Scene>> = {
  counter,
  language: languageScene,
  broken,
  family,
  upgrade,
  authority,
  plain,
}

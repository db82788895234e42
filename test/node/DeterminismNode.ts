/**
 * A node of its own for the test of determinism.
 *
 *     node DeterminismNode.ts live <file>        lives through a few hundred messages and writes the logs to the file
 *     node DeterminismNode.ts evaluate <file>    evaluates the logs of the file from slot 0
 *
 * Both print what the logs came to in a fresh sandbox, a line a slot, and the ids of the examples as they bundle here.
 * `live` says besides where that is not what the node itself had recorded and attested.
 */
import fs from "node:fs"
import path from "node:path"
import v8 from "node:v8"
import * as Effect from "effect/Effect"
import * as Bundle from "../../compute-unit/Bundle.ts"
import * as Follower from "../../compute-unit/Follower.ts"
import type { Seen } from "../../compute-unit/OutcomeLog.ts"
import * as SandboxWorkers from "../../compute-unit/SandboxWorkers.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Admission from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import type { LogEntry } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"

/** Whatever a process may do that could come out otherwise elsewhere. */
const mixed = `
  const seen = new Map(), weak = new WeakMap(), closures = []
  class Shape { #side; static made = 0; constructor(side) { this.#side = side; Shape.made++ } get area() { return this.#side ** 2.5 } }
  class Cube extends Shape { get volume() { return super.area * Math.cbrt(this.area) } }
  heddle.on("Work", (m) => {
    const i = Number(m.data), date = new Date(), shape = new Cube(i / 7)
    seen.set(m.id, { i, at: date }); weak.set(shape, i); closures.push((x) => x * i + seen.size)
    if (seen.size > 40) seen.delete(seen.keys().next().value)
    return {
      random: Math.random(), volume: shape.volume, made: Shape.made, closure: closures[i % closures.length](3),
      date: String(date), local: date.toLocaleString(), zone: date.getTimezoneOffset(), hours: date.getHours(),
      parsed: Date.parse("2024-03-31 02:30:00"), made2: new Date(2024, 9, 27, 2, 30).getTime(),
      number: (1234567.891).toLocaleString(), order: ["ä", "z", "a", "Å", "I", "ı"].sort((a, b) => a.localeCompare(b)),
      case: "Iİıi".toLowerCase(), math: [Math.sin(i), Math.exp(i / 9), Math.atan2(i, -3), i ** 0.1].map(String),
    }
  })
  heddle.on("Fail", (m) => { seen.clear(); throw new RangeError("at " + Math.random()) })
  heddle.on("Sleep", async (m) => { const before = Date.now(); await heddle.sleep(Number(m.data)); return [before, Date.now(), Math.random()] })
  heddle.on("Ask", async (m) => {
    const all = await Promise.allSettled([
      heddle.ask(m.tags.Counter, { action: "Increment", tags: { By: 2 } }, { timeout: "1h" }),
      heddle.ask(m.tags.Counter, { action: "Increment", tags: { By: "x" } }),
      heddle.ask(m.tags.Counter, { action: "Get" }),
    ])
    return all.map(({ status, value, reason }) => [status, value, String(reason)])
  })
  const attacks = {
    loop: () => { for (;;); }, jobs: async () => { for (;;) await null }, deep: () => attacks.deep() + 1,
    hoard: () => { for (const all = [];;) all.push(new Uint8Array(1e6)) }, regexp: () => /(a+)+$/.test("a".repeat(40) + "b"),
    flood: (m) => { for (;;) heddle.send(m.from) }, answer: () => "x".repeat(30e6),
  }
  heddle.on("Attack", (m) => { seen.clear(); return attacks[m.data](m) })
  heddle.on("Forever", () => heddle.ask(heddle.process.owner, {}, { timeout: "300d" }))`

interface Log {
  readonly process: Id.ProcessId
  readonly source: Uint8Array
  readonly entries: ReadonlyArray<LogEntry>
}

const examples = [
  "counter/counter",
  "token/token",
  "token/shop",
  "token/auditor",
  "chat-room/chat-room",
  "parent-and-children/parent",
  "parent-and-children/child",
] as const

const bundle = async (name: (typeof examples)[number]) => {
  const bundled = await Bundle.bundle(path.join(import.meta.dirname, "../../examples", `${name}.ts`))
  if (bundled._tag === "BundleFailed") throw new Error(bundled.message)
  return bundled
}

const say = (line: string) => process.stdout.write(`${line}\n`)

/** Runs a log in a fresh process of the sandbox, with a root after every slot. */
const evaluate = Effect.fnUntraced(function* (logs: ReadonlyArray<Log>) {
  const [sandbox, verifier] = [yield* SandboxWorkers.make(1), VerifierLocal.make()]
  const lines = new Map<string, readonly [outcome: string, root: string, end: string]>()
  for (const { process, source, entries } of logs) {
    const seen = new Map<string, Seen>()
    const look = (key: Uint8Array) => seen.get(Bytes.toHex(key))
    const examined = yield* Follower.examine(() => verifier, process, Admission.emptyLog, entries, look)
    const [first] = entries
    yield* sandbox.open({
      process,
      spawn: first!.item,
      term: first!.assignment.term,
      source,
      engine: undefined,
    })
    const all = examined.map(({ entry }) => ({
      ...entry,
      upgrade: undefined,
      data: undefined,
      root: true,
    })) // nothing in them asks for one
    for (const { outcome, stateRoot } of yield* sandbox.run(process, all))
      lines.set(`${process} ${outcome.slot}`, [
        Bytes.toHex(Outcome.hash(outcome)),
        Bytes.toHex(stateRoot!),
        outcome.error?.reason ?? "done",
      ])
  }
  return lines
})

const drive = Effect.fnUntraced(function* (node: SmallNode.SmallNode) {
  const [ada, grace] = [Caller.caller("ada"), Caller.caller("grace")]
  const code = new Map<string, Id.Id>()
  for (const name of examples) {
    const { source } = yield* Effect.promise(() => bundle(name))
    code.set(name, yield* node.messenger.addModule(source))
  }
  code.set("mixed", yield* SmallNode.upload(node, mixed))
  const spawn = Effect.fnUntraced(function* (name: string, tags: Record<string, string> = {}) {
    const item = yield* Effect.promise(() => ada.spawn(code.get(name)!, node.scheduler.address, tags))
    return (yield* node.messenger.send(item.bytes)).process
  })
  const counter = yield* spawn("counter/counter")
  const token = yield* spawn("token/token", { Ticker: "ADA", Supply: "100000" })
  const shop = yield* spawn("token/shop", { Token: token })
  const room = yield* spawn("chat-room/chat-room")
  const child = code.get("parent-and-children/child")!
  const parent = yield* spawn("parent-and-children/parent", { "Child-Module": child, Children: "3" })
  const other = yield* spawn("mixed")

  const asks: Array<Effect.Effect<unknown, unknown>> = []
  const ask = (by: Caller.Caller, ...rest: [Id.ProcessId, string, Record<string, string>?, string?]) =>
    void asks.push(SmallNode.ask(node, by, ...rest))
  ask(ada, room, "Join", { Name: "Ada" })
  ask(grace, room, "Join", { Name: "Grace", Notify: "yes" })
  for (let i = 0; i < 80; i++) {
    ask(i % 2 ? ada : grace, counter, "Increment", { By: i % 7 === 6 ? "much" : String(i) })
    const [from, to] = i % 3 ? [ada, grace] : [grace, ada]
    ask(from, token, "Transfer", { Recipient: to.identity.address, Quantity: String(1 + i * i), Cast: "yes" })
    ask(ada, other, i % 9 === 8 ? "Fail" : "Work", {}, String(i))
    if (i % 4 === 0) ask(i % 8 ? ada : grace, room, "Say", {}, `message ${i} ä`)
    if (i % 10 === 0) ask(ada, other, "Ask", { Counter: counter })
    if (i % 15 === 0) ask(grace, other, "Sleep", {}, String(1 + i))
    if (i % 20 === 0) ask(grace, shop, "Can-Afford", { Price: String(i * 10) })
    if (i % 20 === 5) ask(ada, parent, "Sum", { To: String(100 * i) })
  }
  for (const attack of ["loop", "jobs", "deep", "hoard", "regexp", "flood", "answer"])
    ask(grace, other, "Attack", {}, attack)
  ask(ada, token, "Audit", { "Auditor-Module": code.get("token/auditor")! })
  ask(ada, parent, "Later", { Ms: "5" })
  yield* Effect.forEach(asks, (one) => one, { concurrency: 8, discard: true })
  yield* SmallNode.send(node, ada, other, "Forever")
})

const live = Effect.fnUntraced(function* (file: string) {
  const node = yield* SmallNode.make({ sandbox: yield* SandboxWorkers.make(1) })
  yield* drive(node)
  const logs: Array<Log> = []
  const recorded = new Map<string, readonly [outcome: string, root: string | undefined]>()
  for (const { process, slots, module } of yield* node.messenger.processes) {
    yield* node.compute.turn(process, slots - 1)
    const entries = yield* node.messenger.log(process, 0, 1_000)
    logs.push({ process, entries, source: (yield* node.messenger.module(module))! })
    for (const { outcome } of yield* node.messenger.turns(process, 0, entries.length)) {
      const { to } = (yield* node.messenger.attestation(process, outcome.slot))!.attestation
      const root = to.slot === outcome.slot ? Bytes.toHex(to.stateRoot) : undefined
      recorded.set(`${process} ${outcome.slot}`, [Bytes.toHex(Outcome.hash(outcome)), root])
    }
  }
  fs.writeFileSync(file, v8.serialize(logs))
  const lines = yield* evaluate(logs)
  for (const [place, [outcome, root]] of recorded) {
    const [evaluated, computed] = lines.get(place) ?? []
    if (evaluated !== outcome || (root !== undefined && root !== computed)) say(`recorded otherwise ${place}`)
  }
  return lines
})

const [mode, file = ""] = process.argv.slice(2)
const lines = await Effect.runPromise(
  Effect.scoped(
    mode === "live" ? live(file) : evaluate(v8.deserialize(fs.readFileSync(file)) as ReadonlyArray<Log>),
  ),
)
for (const [place, [outcome, root, end]] of lines) say(`turn ${place} ${end} ${outcome} ${root}`)
for (const name of examples) say(`module ${name} ${(await bundle(name)).moduleId}`)

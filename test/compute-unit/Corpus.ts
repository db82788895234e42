/**
 * A program of its own: runs many turns and prints, a line a turn, how each ended, its fuel and the memory root.
 *
 *     node [V8 options] Corpus.ts language | attacks
 *
 * `language` goes through what a process may use between messages; `attacks` through what must end as an outcome with
 * the memory of before. Both run in a worker with the stack that a sandbox has.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import * as Turn from "../../compute-unit/Turn.ts"
import { id, type Sent, Stage } from "./Stage.ts"

export const language = `
  const state = { map: new Map(), weak: new WeakMap(), set: new Set(), refs: [], n: 0, history: [] }
  class Animal { #name; static count = 0; constructor(name) { this.#name = name; Animal.count++ } get name() { return this.#name } }
  class Dog extends Animal { bark() { return super.name + "!" } }
  function* ids() { let i = 0; for (;;) yield i++ }
  const numbers = ids()
  const registry = new FinalizationRegistry((held) => state.history.push(held))
  const work = [
    (m) => { const key = { n: m.slot }; state.weak.set(key, m.slot); state.refs.push(new WeakRef(key)); if (m.slot % 3) state.map.set(m.slot, key); registry.register(key, m.slot) },
    (m) => state.set.add(new Dog("d" + m.slot).bark()),
    () => state.n += numbers.next().value,
    () => JSON.stringify(Array.from({ length: 200 }, (_, i) => ({ i, f: i / 3, s: "é" + i }))).replace(/(\\d+)\\.(\\d)/g, "$2,$1").length,
    () => [1.1, 1e21, 1e-7, -0, 0.1 + 0.2, NaN, 5e-324].map((x) => x.toString(7) + x.toFixed(3) + String(x)),
    () => [Math.sin(1e6), Math.cos(0.1), Math.tan(2), Math.exp(3.3), Math.log(7), Math.pow(2.5, 3.7), Math.atan2(1, -2), Math.cbrt(5), Math.hypot(3, 4.5)],
    (m) => [new Date().toISOString(), new Date(m.timestamp).toString(), new Date(2031, 1, 31).getTime(), Date.parse("2024-02-29T12:00:00+02:00")],
    () => { const a = Array.from({ length: 400 }, (_, i) => (i * 7919) % 401); return a.sort((x, y) => x - y).slice(0, 5).concat(a.toSorted().slice(0, 5)) },
    () => new Uint8Array(30000).map((_, i) => i * 31).reduce((sum, x) => (sum * 33 + x) >>> 0, 7),
    () => (7n ** 300n).toString().slice(0, 20) + BigInt.asIntN(64, -(3n ** 50n)),
    () => { let s = ""; for (let i = 0; i < 500; i++) s += i.toString(36); return s.length },
    () => "Straße ΑΒΓ ﬁ İ".toLowerCase().normalize("NFKD").split("").reverse().join("") + "ä".localeCompare("z"),
    () => { const holes = []; for (let i = 0; i < 3000; i++) holes.push({ i, next: holes[i - 1] }); holes.length = 10; return holes.length },
    () => Array.from({ length: 4 }, Math.random),
    () => { const p = new Proxy({}, { get: (_, k) => String(k) + "!" }); return p.a + p.b },
    () => { const d = new DataView(new ArrayBuffer(64)); d.setFloat64(3, NaN); d.setFloat32(20, -1e-40); return Array.from(new Uint8Array(d.buffer)) },
  ]
  heddle.on("Work", (m) => { const f = work[m.slot % work.length]; const r = f(m); console.log(r); return typeof r === "object" ? JSON.stringify(r) : String(r) })
  heddle.on("Keep", (m) => { state.map.set(m.slot, "x".repeat(3000 * (m.slot % 9))); return state.map.size })
  heddle.on("Drop", (m) => { for (const key of state.map.keys()) if (key % 2) state.map.delete(key); return [state.map.size, state.refs.filter((r) => r.deref()).length, state.history.length] })
  heddle.on("Ask", async (m) => { const a = await heddle.ask(m.from, { data: { n: m.slot } }); await heddle.sleep("1s"); return [a, heddle.now() - m.timestamp, ++state.n] })
  heddle.on("Fail", (m) => { state.map.clear(); throw new RangeError("at " + m.slot) })`

export const conversation = (turns: number): ReadonlyArray<Sent> => {
  const sent: Array<Sent> = []
  let waits = 0
  for (let i = 0; sent.length < turns; i++) {
    sent.push(
      { action: "Work" },
      { action: i % 5 === 4 ? "Fail" : "Work", after: 1_000 },
      { action: "Keep", data: "ü".repeat(i * 11) },
    )
    if (i % 3 === 0) {
      sent.push({ action: "Ask", from: "bob", process: true, tags: [["Reference", String(i)]] })
      sent.push({
        action: "Reply",
        from: "bob",
        process: true,
        tags: [["X-Reference", String(++waits)]],
        data: `{"i":${i}}`,
      })
      sent.push({ action: "Timer", from: "self", tags: [["X-Reference", String(++waits)]] })
    }
    if (i % 7 === 6) sent.push({ action: "Drop" }, { action: "Work", data: new Uint8Array(i).fill(0xff) })
  }
  return sent
}

/** What is tried, and how it must end within the limits below. */
export const attacks: ReadonlyArray<readonly [name: string, reason: Turn.FailReason, body: string]> = [
  ["endless loop", "out of fuel", `for (;;) {}`],
  ["loop in finally", "out of fuel", `for (;;) try { continue } finally { continue }`],
  ["search of a long array", "out of fuel", `return [].indexOf.call({ length: 2 ** 31 }, 1)`],
  ["long strings let go", "out of fuel", `let s; for (;;) s = "x".repeat(5e6)`],
  ["long strings kept", "out of fuel", `const all = []; for (;;) all.push("x".repeat(5e6))`],
  ["small objects kept", "out of fuel", `const all = []; for (;;) all.push({})`],
  ["typed arrays filled", "out of memory", `const all = []; for (;;) all.push(new Uint8Array(4e6).fill(1))`],
  ["typed array copied", "out of fuel", `const a = new Uint8Array(8e6); for (;;) a.copyWithin(0, 1)`],
  ["huge power", "out of fuel", `return String(7n ** (2n ** 22n)).length`],
  ["backtracking", "out of fuel", `return /(a+)+$/.test("a".repeat(40) + "b")`],
  ["endless microtasks", "out of fuel", `for (;;) await null`],
  [
    "promises that multiply",
    "out of fuel",
    `const f = () => { Promise.resolve().then(f); Promise.resolve().then(f) }; f(); return "fine"`,
  ],
  [
    "promises kept",
    "out of fuel",
    `for (let i = 0; i < 1e9; i++) Promise.resolve(i).then(() => {}); return "fine"`,
  ],
  ["calls", "stack overflow", `const f = () => f(); f()`],
  ["calls caught at every level", "out of fuel", `const f = () => { try { f() } catch { f() } }; f()`],
  ["nested JSON", "stack overflow", `JSON.parse("[".repeat(200000))`],
  [
    "nested arrays as JSON",
    "out of fuel",
    `let a = []; for (let i = 0; i < 30000; i++) a = [a]; JSON.stringify(a)`,
  ],
  ["toString", "stack overflow", `const o = { toString: () => "" + o }; "" + o`],
  ["getters", "stack overflow", `const o = { get x() { return o.x } }; o.x`],
  ["comparators", "stack overflow", `const f = () => [2, 1].sort(f); f()`],
  ["proxies", "stack overflow", `let p = {}; for (let i = 0; i < 50000; i++) p = new Proxy(p, {}); p.x`],
  ["nested groups", "threw", `new RegExp("(".repeat(50000) + ")".repeat(50000)).test("a")`],
  [
    "bound functions",
    "out of memory",
    `let f = () => 1; for (let i = 0; i < 50000; i++) f = f.bind(null); f()`,
  ],
  ["a large answer", "out of fuel", `return "x".repeat(30e6)`],
  ["many messages", "threw", `for (;;) heddle.send(m.from)`],
  ["many spawns", "threw", `for (;;) heddle.spawn(m.id)`],
  ["many timers", "threw", `for (;;) heddle.sleep(1)`],
  ["a function as answer", "threw", `return () => 1`],
  ["a circle as answer", "threw", `const a = {}; a.a = a; return a`],
  ["thrown null", "threw", `throw null`],
  ["a hostile error", "out of fuel", `throw { get message() { for (;;) {} } }`],
  ["an error without end", "out of fuel", `throw new Error("x".repeat(20e6))`],
]

const say = (name: string, result: Turn.TurnResult, root: string): string => {
  const end =
    result._tag === "Done"
      ? JSON.stringify(result.emission.replies)
      : `${result.reason}: ${result.message.slice(0, 200)}`
  return `${name} | ${end} | ${result.fuelUsed} | ${root}`
}

const runLanguage = (turns: number): ReadonlyArray<string> => {
  const stage = new Stage(language)
  return [{}, ...conversation(turns)].map((sent, i) => {
    const result = stage.next(sent)
    if (result._tag === "Failed") stage.machine.abandon(stage.memory, stage.input(sent), result, stage.limits)
    return say(String(i), result, stage.root)
  })
}

const runAttacks = (): ReadonlyArray<string> => {
  const machine = new Turn.Machine()
  const limits = { fuel: 300_000_000n, memoryPagesMax: 1_024 }
  const quiet = new Stage(`let n = 0; heddle.on("Count", () => ++n)`, { machine, name: "quiet" })
  return attacks.map(([name, , body], i) => {
    const stage = new Stage(`heddle.on("Attack", async (m) => { ${body} })`, {
      machine,
      limits,
      name: id(name),
    })
    stage.spawn()
    const before = stage.root
    const result = stage.turn("Attack")
    const kept = stage.root === before ? "memory as before" : "memory changed"
    const served = quiet.value("Count") === i + 1 ? "others served" : "others lost"
    return `${say(name, result, kept)} | ${served}`
  })
}

if (isMainThread && process.argv[1] === import.meta.filename) {
  const options = { workerData: process.argv.slice(2), resourceLimits: { stackSizeMb: 16 } }
  new Worker(new URL(import.meta.url), options).on("message", (lines: ReadonlyArray<string>) =>
    process.stdout.write(lines.join("\n")),
  )
} else if (!isMainThread && Array.isArray(workerData)) {
  const [kind, turns = "150"] = workerData as ReadonlyArray<string> // as given above
  parentPort!.postMessage(kind === "attacks" ? runAttacks() : runLanguage(Number(turns)))
}

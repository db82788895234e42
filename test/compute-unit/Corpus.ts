/**
 * Corpus: a process that uses everything a process may use between messages, and a long life of it. What it computes
 * must be equal wherever it is computed (`Determinism.test.ts`).
 *
 * It stays far from every limit that a native stack sets, so that it may live on a main thread too.
 */
import type { Entry } from "../../compute-unit/Sandbox.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Life from "../support/Life.ts"
import * as Unsigned from "../support/Unsigned.ts"

/** What the process does on a message of this action: each keeps something for its next time. */
export const topics = [
  "closures",
  "maps",
  "weak maps",
  "classes",
  "generators",
  "regular expressions",
  "dates",
  "math",
  "typed arrays",
  "sorting",
  "garbage",
  "growth",
  "text",
  "numbers",
  "randomness",
  "reflection",
  "output",
] as const

const guest = String.raw`
  const bits = (...values) => Array.from(new BigUint64Array(Float64Array.from(values).buffer), (b) => b.toString(16))
  const sum = (bytes) => { let s = 7; for (const byte of bytes) s = (s * 33 + byte) >>> 0; return s }
  const times = {}
  const on = (topic, work) => heddle.on(topic, (m) => work(m, (times[topic] = (times[topic] ?? 0) + 1)))

  const counters = []
  const counter = (by) => { let n = 0; return { up: () => (n += by), get n() { return n } } }
  let composed = (x) => x, depth = 0
  on("closures", (m) => {
    counters.push(counter(m.slot % 7))
    if (counters.length > 60) counters.splice(m.slot % 40, 5)
    const before = composed, by = m.slot % 5
    composed = depth++ % 12 === 0 ? (x) => x + by : (x) => before(x * 2) - by
    return [counters.reduce((all, c) => all + c.up() - c.n % 3, 0), composed(m.slot)]
  })

  const map = new Map([[NaN, "nan"], [0, "zero"]]), set = new Set(), byObject = new Map()
  on("maps", (m, n) => {
    for (let i = 0; i < 5; i++) map.set((m.slot * 7919 + i) % 401, { n, text: "v" + i })
    for (const key of map.keys()) if (map.size > 150 && key % 3 === n % 3) map.delete(key)
    const seen = []
    for (const item of set) { seen.push(item); if (seen.length < 9) set.delete(item) && set.add(item + 1) }
    set.add(n)
    const key = { n }
    byObject.set(key, [...byObject.values()].slice(-2).length)
    return [map.size, map.get(-0), seen, [...set.union(new Set([1, 2]))].length, byObject.get(key), Object.entries(Object.groupBy([1, 2, 3, n], (x) => (x % 2 ? "odd" : "even")))]
  })

  const weak = new WeakMap(), weakSet = new WeakSet(), held = [], refs = [], finalized = []
  const registry = new FinalizationRegistry((token) => finalized.push(token))
  on("weak maps", (m) => {
    const key = { slot: m.slot, self: null }
    if (m.slot % 2) key.self = key // a circle, which only the collector takes
    weak.set(key, { of: m.slot, key })
    weakSet.add(key)
    registry.register(key, m.slot)
    refs.push(new WeakRef(key))
    if (m.slot % 3) held.push(key)
    if (held.length > 30) held.splice(0, 11)
    while (refs.length > 80) refs.shift()
    return [held.map((k) => weak.get(k).of + Number(weakSet.has(k))), refs.filter((r) => r.deref()).length, finalized.length, finalized.at(-1)]
  })

  class Shape { static made = 0; static { Shape.kinds = new Set() } #side; constructor(side) { this.#side = side; Shape.made++; Shape.kinds.add(new.target.name) }
    get side() { return this.#side } set side(to) { this.#side = to } static is(x) { return #side in x } area() { return this.#side ** 2 } }
  const Named = (base) => class extends base { name = base.name + Shape.made; toString() { return this.name + ":" + super.area() } }
  class Cube extends Named(Shape) { area() { return 6 * super.area() } [Symbol.toPrimitive](hint) { return hint === "number" ? this.area() : this.toString() } }
  class Stack extends Array { top() { return this.at(-1) } }
  class Trouble extends RangeError { name = "Trouble"; constructor(message, cause) { super(message, { cause }) } }
  const shapes = new Stack()
  on("classes", (m) => {
    shapes.push(m.slot % 3 ? new Cube(m.slot) : new Shape(m.slot / 3))
    if (shapes.length > 40) shapes.shift().side = 0
    let trouble
    try { throw new Trouble("at " + m.slot, new TypeError("cause")) } catch (error) { trouble = [String(error), error instanceof RangeError, error.cause.message] }
    const some = shapes.filter((s) => s instanceof Cube)
    return [Shape.made, [...Shape.kinds], Shape.is(shapes[0]), String(some.top()), Number(some.top() ?? 0), some.map((s) => s.side).top(), trouble]
  })

  function* fibonacci() { let [a, b] = [0n, 1n]; for (;;) { const reset = yield a; [a, b] = reset ? [0n, 1n] : [b, a + b] } }
  function* walk(tree) { try { if (tree) { yield* walk(tree.left); yield tree.value; yield* walk(tree.right) } } finally { walked++ } }
  let walked = 0, tree
  const numbers = fibonacci(), insert = (to, value) => to === undefined ? { value } : value < to.value ? { ...to, left: insert(to.left, value) } : { ...to, right: insert(to.right, value) }
  on("generators", (m, n) => {
    tree = n % 25 === 0 ? undefined : insert(tree, (m.slot * 7919) % 1009)
    const [first, ...rest] = walk(tree)
    for (const value of walk(tree)) if (value > 500) break
    return [String(numbers.next(n % 90 === 0).value), first, rest.length, walked, Iterator.from(walk(tree)).map((x) => x % 7).filter((x) => x > 2).take(5).toArray()]
  })

  const sticky = /(?<word>[a-z]+)\s*/gy, log = []
  on("regular expressions", (m) => {
    log.push("item " + m.slot + " at 2031-0" + (1 + (m.slot % 9)) + "-14 costs " + m.slot / 8 + "€; ")
    const all = log.slice(-4).join("")
    const word = sticky.exec("one two three four") ?? "start again"
    return [word.groups?.word, sticky.lastIndex, all.replace(/(?<y>\d{4})-(?<m>\d\d)-(?<d>\d\d)/gu, "$<d>.$<m>.$<y>").length, all.match(/(?<=costs )\d+(\.\d+)?(?=€)/g).slice(-3),
      [...all.matchAll(/item (\d+)/dg)].at(-1).indices[1], all.split(/;\s*/, 3), /^(\w+)\s\1$/i.test("Echo echo"), /^(a|ab)(c|bcd)(d*)$/.exec("abcd"), /(?:a+)+c/.test("a".repeat(9)),
      /[\p{L}--[a-z]]/v.test("É"), "a.b*c".replace(new RegExp(RegExp.escape("b*"), "u"), (x, at) => x.length + ":" + at), all.search(/costs (?!0)/)]
  })

  on("dates", (m) => {
    const now = new Date(), at = new Date(2031, m.slot % 12, 31, 26, 61), before = new Date(-1e12 - m.slot * 1e6)
    at.setMonth(at.getMonth() + 1)
    return [now.toISOString(), Date.now() - m.timestamp, String(new Date(m.timestamp)), at.getTime(), at.getDay(), at.getTimezoneOffset(), before.toUTCString(), before.toLocaleString(),
      Date.parse("2024-02-29T12:00:00+02:00"), Date.parse("29 Feb 2024 12:00"), Date.parse("2024-13-01"), Date.UTC(99, 0), new Date(8.64e15).toJSON(), String(new Date(NaN))]
  })

  on("math", (m) => {
    const x = m.slot / 7, y = -1 / (m.slot + 1)
    const functions = ["sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "fround", "f16round", "round", "trunc", "sign", "clz32"]
    return [bits(...functions.flatMap((name) => [Math[name](x), Math[name](y)])).join(), bits(Math.hypot(x, y, 3), Math.atan2(y, x), x ** y, (-x) ** 3, x % 0.3, Math.max(NaN, x), 0 / 0, -(0 / 0), Infinity - Infinity, 5e-324 / 2, x * 1e-320), Math.imul(m.slot, 0x9e3779b1), Math.sumPrecise([1e20, x, -1e20])]
  })

  const views = []
  on("typed arrays", (m, n) => {
    const size = 64 + (m.slot % 8) * 8
    const kinds = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float16Array, Float32Array, Float64Array]
    const view = new DataView(new ArrayBuffer(size))
    for (let i = 0; i + 8 <= size; i += 8) view.setFloat64(i, Math.sin(i + m.slot) * 1e9, n % 2 === 0)
    view.setFloat32(20, -1e-40); view.setFloat64(3, NaN); view.setBigInt64(40, -(2n ** 62n) + BigInt(m.slot)); view.setFloat16(60, 1 / n)
    views.push(new Uint8Array(view.buffer, 8).subarray(2))
    if (views.length > 9) views.splice(3, 4)
    const grown = new ArrayBuffer(8, { maxByteLength: 64 }), tracking = new Int16Array(grown)
    grown.resize(16); tracking.fill(n, 2)
    const shared = new Uint8Array(new SharedArrayBuffer(8)).fill(n)
    return [kinds.map((kind) => sum(new Uint8Array(kind.from(view.buffer.byteLength > 100 ? views.at(-1) : [1.5, -2.5, 3e9, NaN]).buffer))), sum(views.flatMap((v) => [...v.slice(-9)])),
      [...tracking], sum(shared), new Uint8Array(500).map((_, i) => i * n).reduce((a, b) => (a * 33 + b) >>> 0, 7), [...new BigInt64Array([1n, -1n]).toReversed()].map(String), Array.from(new Uint8Array(Float64Array.of(0 / 0).buffer)), view.buffer.slice(4).transfer(16).byteLength]
  })

  const records = []
  on("sorting", (m) => {
    for (let i = 0; i < 4; i++) records.push({ key: (m.slot * 31 + i * 17) % 13, order: records.length, name: "n" + ((m.slot + i) % 29) })
    if (records.length > 40) records.splice(0, 20)
    const stable = records.toSorted((a, b) => a.key - b.key), broken = records.map((r) => r.order).sort(() => Math.random() - 0.5)
    return [stable.slice(0, 9).map((r) => r.order), records.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name))).slice(-3).map((r) => r.name), broken.slice(0, 9), [3, undefined, , 1, 20, "b"].sort(), ["ä", "z", "A", "a", "É"].sort((a, b) => a.localeCompare(b)),
      bits(...Float64Array.of(NaN, 1, -0, 0, -Infinity, m.slot).sort()), Array.from({ length: 40 }, (_, i) => (i * 7919) % 401).sort().at(20)]
  })

  const watched = []
  on("garbage", (m, n) => {
    let last
    for (let i = 0; i < 100; i++) { const a = { i, last: i % 25 ? last : undefined, text: "g" + i }, b = { a, f: () => a }; a.b = b; last = a; if (i % 25 === 0) watched.push(new WeakRef(b)) }
    let s = ""
    for (let i = 0; i < 200; i++) s += i.toString(36)
    const alive = watched.reduce((count, ref) => count + Number(ref.deref() !== undefined), 0)
    if (watched.length > 200) watched.splice(0, 100)
    return [alive, watched.length, s.length]
  })

  const blocks = []
  on("growth", (m, n) => {
    blocks.push(n % 3 ? new Uint8Array(20_000 + m.slot * 3).fill(m.slot) : "ü" + "x".repeat(15_000))
    if (n % 40 === 0) blocks.length = 20
    return [blocks.length, blocks.at(-1).length, blocks.at(-3)?.[5]]
  })

  const texts = new Map()
  on("text", (m) => {
    const text = ("Straße ΑΒΓς ﬁ İ 👩‍👧 " + (m.data ?? "binary " + sum(m.bytes()))).repeat(1 + (m.slot % 3))
    texts.set(m.slot % 97, text)
    const object = { text, "__proto__": 1, ["__proto__"]: text.length, "\0": "\ud800", n: [1.5, -0, 1e21], deep: JSON.parse("[".repeat(40) + "]".repeat(40)) }
    return [text.toLowerCase().normalize("NFKD").length, text.toUpperCase().split("").reverse().join("").slice(0, 40), encodeURIComponent([...text].slice(0, 20).join("")), "ä".localeCompare("z"), text.codePointAt(20), [...text].length, text.at(-1), text.padStart(99, "ab").slice(0, 9),
      text.isWellFormed(), "\ud800".toWellFormed(), JSON.stringify(object).length, JSON.stringify(JSON.parse(JSON.stringify(object), (k, v) => (typeof v === "number" ? v + 1 : v)), null, " ").length, escape(text).length, String.raw({ raw: ["a", "b"] }, texts.size), texts.get(5)?.length]
  })

  let big = 1n
  on("numbers", (m) => {
    big = (big * 6364136223846793005n + BigInt(m.slot)) % 2n ** 521n
    const values = [1.1, 1e21, 1e-7, -0, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, m.slot / 3, 123456789.125]
    return [[values[m.slot % 9].toString(7).slice(0, 30), values.slice(m.slot % 7).slice(0, 3).map((x) => [x.toFixed(3), x.toPrecision(9), x.toExponential(), (x).toLocaleString(), String(x)])], big.toString(36), String(BigInt.asIntN(64, -big)), String((7n ** 90n) >> 33n), String(-7n / 2n) + String(-7n % 2n), parseFloat("1e-400x"), parseInt("zz9", 36), Number("0x1p3"), (m.slot * 2654435761) >>> 5, m.slot ** 0.1, (25).toString(2), Number.MAX_SAFE_INTEGER + 2]
  })

  const drawn = []
  on("randomness", () => {
    const deck = Array.from({ length: 52 }, (_, i) => i)
    for (let i = 51; i > 0; i--) { const k = Math.floor(Math.random() * (i + 1)); [deck[i], deck[k]] = [deck[k], deck[i]] }
    drawn.push(Math.random())
    return [deck.slice(0, 7), bits(Math.random(), ...drawn.slice(-2))]
  })

  const tracked = []
  const proxy = new Proxy({ base: 1 }, { get: (target, key, receiver) => (tracked.push(String(key)), Reflect.get(target, key, receiver) ?? String(key) + "!"), has: (_, key) => key !== "no", ownKeys: () => ["b", "a", "base"], getOwnPropertyDescriptor: (_, key) => ({ value: key, enumerable: true, configurable: true }) })
  on("reflection", (m) => {
    const symbol = Symbol("s" + m.slot), object = { [symbol]: 1, 10: "a", 2: "b", z: 1, get a() { return this.z++ } }
    outer: for (const i of [1, 2, 3]) for (const k of [1, 2]) { if (k === 2) continue outer; if (i === 3) break outer; object.z += i * k }
    const { a, ...rest } = object
    tracked.length %= 50
    return [Object.keys({ ...proxy }), proxy.hello, "no" in proxy, tracked.length, Reflect.ownKeys(object).map(String), a, Object.keys(rest), eval("a + " + m.slot), new Function("a", "b", "return a * b + 1")(m.slot, 2), (function () { return [].slice.call(arguments, 1) })(1, 2, 3), Object.getOwnPropertyNames(globalThis).length,
      new Error("here").stack.split("\n")[0], typeof Intl + typeof setTimeout + typeof process + typeof require, String(on).length, Object.isFrozen(heddle), symbol.description]
  })

  on("output", (m, n) => {
    const id = heddle.send(m.from, { action: "Note", tags: { N: n, Text: "ü\0" + n }, data: m.data ?? m.bytes() })
    const child = n % 10 ? undefined : heddle.spawn(m.id, { tags: [["Name", "child"], ["Name", String(n)]] })
    if (child) heddle.send(child, { data: new Uint8Array(n).fill(m.slot) })
    heddle.publish("view " + (n % 30), n % 4 === 3 ? null : { id, text: "\0é\ud800", ["__proto__"]: n })
    console.log("n", n, { id }, [1.5], new TypeError("printed")); console.error("ü".repeat(n % 500))
    m.reply(n % 2 ? { id, child } : null)
    return "not taken"
  })

  heddle.on("Ask", async (m) => { const local = { m, at: heddle.now() }; const a = await heddle.ask(m.from, { data: { n: m.slot } }); await null; await heddle.sleep("1s"); return [a, heddle.now() - local.at, m.slot, local.m === m] })
  heddle.on("Gather", async (m) => {
    const all = await Promise.allSettled([heddle.ask(m.from), heddle.ask(m.from, { action: "Price" }), heddle.sleep(5)])
    return all.map(({ status, value, reason }) => [status, value, String(reason)])
  })
  async function* ticks(n) { for (let i = 0; i < n; i++) { await heddle.sleep(i + 1); yield i } }
  heddle.on("Stream", async (m) => { const seen = []; for await (const tick of ticks(3)) seen.push(tick, heddle.now() - m.timestamp); return seen })
  heddle.on("Late", async (m) => { try { return await heddle.ask(m.from, {}, { timeout: "1m" }) } catch (error) { return String(error) } })
  heddle.on("Break", async (m) => { await heddle.ask(m.from); counters.length = 0; throw new TypeError("after " + m.slot) })
  heddle.on("Never", (m) => heddle.ask(m.from))
  heddle.on("Fail", (m) => { map.clear(); heddle.publish("lost", m.slot); throw new Trouble("at " + m.slot) })
  heddle.on("Burn", () => { blocks.length = 0; for (;;) map.set(map.size, []) })
  heddle.on("Bomb", () => { const all = []; for (;;) all.push(new Uint8Array(1e6)) })`

/** Fuel for the heaviest topic many times over, and memory that it does not fill. */
const tags: Unsigned.Tags = [
  ["Compute-Limit", "20000000"],
  ["Memory-Limit", "256"],
]

export interface Corpus {
  readonly life: Life.Life
  readonly entries: ReadonlyArray<Entry>
  /** Action of each slot's message; empty for the spawn. */
  readonly actions: ReadonlyArray<string>
}

/** Answers and times are slots of their own, some messages later and not in the order of the questions. */
export const make = (turns: number, name = "corpus"): Corpus => {
  const life = Life.make(guest, tags, name)
  const bob: Id.ProcessId = Unsigned.id("bob")
  const said: Array<Life.Said> = []
  const due: Array<{ readonly at: number; readonly say: () => Life.Said }> = []
  let references = 0
  let pair = 0

  const later = (messages: number, say: () => Life.Said) => void due.push({ at: said.length + messages, say })
  const reply =
    (n: number, data: string, more: Unsigned.Tags = []) =>
    (): Life.Said => ({
      action: "Reply",
      source: bob,
      tags: [["X-Reference", String(n)], ...more],
      data,
      pair: ++pair,
    })
  const timer = (n: number) => (): Life.Said => ({
    action: "Timer",
    source: life.process,
    tags: [["X-Reference", String(n)]],
  })
  const asked = (action: string): Life.Said => ({
    action,
    source: bob,
    tags: [["Reference", "7"]],
    pair: ++pair,
  })
  /** Says it now and the answers when they come. A wait that begins when another ends gets its number then. */
  const waits: ReadonlyArray<(i: number) => Life.Said> = [
    (i) => {
      const n = ++references
      later(3 + (i % 40), () => {
        const sleep = ++references
        later(2 + (i % 5), timer(sleep))
        return reply(n, `{"i":${i}}`)()
      })
      return asked("Ask")
    },
    (i) => {
      const [first, second, third] = [++references, ++references, ++references]
      later(9, reply(second, '"late"', [["Error", "no price"]]))
      later(4, timer(third))
      later(2 + (i % 30), reply(first, "[null]"))
      return asked("Gather")
    },
    () => {
      const tick = (left: number) => {
        const n = ++references
        later(3, () => {
          if (left > 1) tick(left - 1)
          return timer(n)()
        })
      }
      tick(3)
      return { action: "Stream" }
    },
    (i) => {
      const n = ++references
      later(5, i % 2 === 0 ? timer(n) : reply(n, "1"))
      later(6, i % 2 === 0 ? reply(n, "1") : timer(n))
      return asked("Late")
    },
    (i) => {
      later(i % 20, reply(++references, "{}"))
      return asked("Break")
    },
    () => {
      references++
      return asked("Never")
    },
  ]
  const failures = ["Fail", "Bomb", "Fail", "Burn", "Unheard of"]

  for (let i = 0; said.length < turns; i++) {
    for (let n; (n = due.findIndex(({ at }) => at <= said.length)) >= 0 && said.length < turns;)
      said.push(due.splice(n, 1)[0]!.say())
    const data = i % 3 === 0 ? new Uint8Array(i).fill(0xff) : "ü".repeat((i * 11) % 130)
    said.push({ action: topics[(i * 5) % topics.length]!, data })
    if (i % 8 === 7) said.push(waits[Math.floor(i / 8) % waits.length]!(i))
    if (i % 30 === 29) said.push({ action: failures[Math.floor(i / 30) % failures.length]! })
  }
  const all = said.slice(0, turns)
  return { life, entries: life.all(...all), actions: ["", ...all.map(({ action = "" }) => action)] }
}

/** Attacks on what a turn may take: time, jobs, memory, stack. */
import { type Attack, outOfFuel, outOfMemory, overflows, throws, tooManyJobs } from "./Attack.ts"

const loops = [
  outOfFuel("endless loop", `for (;;) {}`),
  outOfFuel("loop in finally", `for (;;) try { continue } finally { continue }`),
  outOfFuel(
    "return undone by finally",
    `const f = () => { for (;;) try { return 1 } finally { continue } }; f()`,
  ),
  outOfFuel("throws caught for ever", `for (;;) try { throw new Error("x") } catch {}`),
  outOfFuel(
    "generator without end",
    `function* g() { for (;;) try { yield } finally { continue } } for (const x of g());`,
  ),
  outOfFuel(
    "iterator without end",
    `return [...{ [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) }]`,
  ),
  outOfFuel("search of a long array", `return [].indexOf.call({ length: 2 ** 31 }, 1)`),
  outOfFuel("search of the longest array", `return [].lastIndexOf.call({ length: 2 ** 53 - 1 }, 1)`),
  outOfFuel("join of a long array", `return [].join.call({ length: 2 ** 31 })`),
  outOfFuel("fill of a long array", `return [].fill.call({ length: 2 ** 53 - 1 }, 0)`),
  outOfFuel("shift of a long array", `return [].unshift.call({ length: 2 ** 53 - 2 }, 0)`),
  outOfFuel("reversal of a long array", `return [].reverse.call({ length: 2 ** 31 })`),
  outOfFuel("long strings let go", `let s; for (;;) s = "x".repeat(5e6)`),
  outOfFuel("search in long strings", `const s = "a".repeat(2e6); return s.indexOf("a".repeat(1e6) + "b")`),
  outOfFuel(
    "replacement in long strings",
    `let s = "ab".repeat(5e5); for (;;) s = s.replaceAll("a", "a").replaceAll("b", "b")`,
  ),
  outOfFuel("backtracking", `return /(a+)+$/.test("a".repeat(40) + "b")`),
  outOfFuel("backtracking over alternatives", `return /^(a|aa)+$/.test("a".repeat(60) + "b")`),
  outOfFuel("backtracking with references", `return /(.*)(.*)(.*)\\1\\2\\3$/.test("a".repeat(400) + "b")`),
  outOfFuel("backtracking in a look-ahead", `return /(?=(a*)*b)c/.test("a".repeat(40))`),
  outOfFuel("backtracking from every place", `return /\\s*\\s*\\s*x/.test(" ".repeat(20000))`),
  outOfFuel("huge power", `return String(7n ** (2n ** 22n)).length`),
  outOfFuel("huge powers multiplied", `let n = 3n; for (;;) n = n * n`),
  outOfFuel("huge number as text", `return String((1n << 1_000_000n) - 1n).length`),
  outOfFuel("huge number from text", `return BigInt("9".repeat(300_000)) > 0n`),
  throws(
    "number that is too large",
    `return (1n << 200_000_000n) > 0n`,
    "RangeError: BigInt is too large to allocate",
  ),
  throws("power that is too large", `return 2n ** 1_000_000_000n > 0n`, "RangeError: BigInt is too large"),
  throws(
    "numbers doubled",
    `let n = 1n; for (;;) n <<= 100_000n`,
    "RangeError: BigInt is too large to allocate",
  ),
  outOfFuel(
    "sort of a long array",
    `const a = Array.from({ length: 1e5 }, (_, i) => (i * 7919) % 99991); for (;;) a.toSorted()`,
  ),
  outOfFuel(
    "sort without order",
    `const a = Array.from({ length: 1e5 }, (_, i) => i); for (;;) a.sort(() => 1)`,
  ),
  outOfFuel("typed array copied", `const a = new Uint8Array(8e6); for (;;) a.copyWithin(0, 1)`),
  outOfFuel("typed array filled again and again", `const a = new Uint8Array(40e6); for (;;) a.fill(1)`),
  outOfFuel(
    "typed array set from itself",
    `const a = new Uint8Array(20e6); for (;;) a.set(a.subarray(0, 19e6), 1e6)`,
  ),
  outOfFuel("typed array sliced", `const a = new Uint8Array(20e6); for (;;) a.slice()`),
  outOfFuel("typed array sorted", `for (let a = new Float64Array(4e6);;) a.sort()`),
  outOfFuel(
    "collections rehashed",
    `for (;;) { const m = new Map(); for (let i = 0; i < 1e4; i++) m.set(i + "", i); m.clear() }`,
  ),
  outOfFuel("source compiled again and again", `for (let i = 0;; i++) new Function("return " + i)`),
  outOfFuel("dates parsed for ever", `for (;;) Date.parse("2024-02-29T12:00:00+02:00")`),
]

const promises = [
  outOfFuel("endless microtasks", `for (;;) await null`),
  outOfFuel("thenables without end", `const t = { then: (f) => f(t) }; return t`),
  outOfFuel(
    "asynchronous generator without end",
    `async function* g() { for (;;) yield 1 } for await (const _ of g());`,
  ),
  outOfFuel(
    "promises that multiply",
    `const f = () => { Promise.resolve().then(f); Promise.resolve().then(f) }; f(); return "fine"`,
  ),
  outOfFuel(
    "promises kept",
    `for (let i = 0; i < 1e9; i++) Promise.resolve(i).then(() => {}); return "fine"`,
  ),
  outOfFuel(
    "promises behind one answer",
    `Promise.resolve().then(async () => { for (;;) await 0 }); m.reply("fine"); return "fine"`,
  ),
  outOfFuel("rejections that nobody takes", `for (;;) Promise.reject(new Error("x"))`),
  tooManyJobs(
    "many jobs at once",
    `const p = Promise.resolve(); for (let i = 0; i < 100_001; i++) p.then(); return "fine"`,
  ),
]

const memory = [
  outOfMemory("long strings kept", `const all = []; for (;;) all.push("x".repeat(1e6 + all.length))`),
  outOfMemory("long strings joined", `let s = "xyz"; for (;;) s = [s, s].join("")`),
  outOfMemory("small objects kept", `const all = []; for (;;) all.push({})`),
  outOfMemory("closures kept", `let f = () => 0; for (;;) { const g = f; f = () => g }`),
  outOfMemory("list that hangs together", `let last; for (;;) last = { last }`),
  outOfMemory("symbols kept", `const all = []; for (;;) all.push(Symbol("s" + all.length))`),
  outOfMemory("keys without end", `const all = {}; for (let i = 0;; i++) all["k" + i] = i`),
  outOfMemory("map that grows", `const all = new Map(); for (let i = 0;; i++) all.set(i, i)`),
  outOfMemory(
    "weak map that grows",
    `const all = new WeakMap(), keys = []; for (;;) { const k = {}; keys.push(k); all.set(k, k) }`,
  ),
  outOfMemory("typed arrays filled", `const all = []; for (;;) all.push(new Uint8Array(4e6).fill(1))`),
  outOfMemory("one array too large", `return new Uint8Array(1e9).length`),
  outOfMemory(
    "buffer that grows",
    `const b = new ArrayBuffer(8, { maxByteLength: 1e9 }); for (let i = 8;; i *= 2) b.resize(i)`,
  ),
  outOfMemory("array of great length", `return new Array(5e7).fill(0).length`),
  outOfMemory("array by length", `return Array.from({ length: 2 ** 31 })`),
  outOfMemory("spread of a long array", `return Math.max(...new Array(6e6))`),
  outOfMemory("large JSON", `const a = Array(1e4).fill("x".repeat(1e4)); return JSON.stringify(a).length`),
  outOfMemory("matches kept", `return "a".repeat(2e6).match(/a/g).length`),
  outOfMemory("splits kept", `return "a".repeat(4e6).split("").length`),
  outOfMemory(
    "async functions that wait",
    `const f = async () => { await new Promise(() => {}) }; const all = []; for (;;) all.push(f())`,
  ),
  outOfMemory("bound functions", `let f = () => 1; for (let i = 0; i < 50_000; i++) f = f.bind(null); f()`),
  outOfMemory("errors with causes", `let e; for (;;) e = new Error("x", { cause: e })`),
]

const recursion = [
  overflows("calls", `const f = () => f(); f()`),
  overflows("calls of two", `const f = () => g(), g = () => f(); f()`),
  overflows("calls with many arguments", `const f = (...a) => f(...a); f(...new Array(20).fill(0))`),
  outOfFuel("calls caught at every level", `const f = () => { try { f() } catch { f() } }; f()`),
  overflows("constructors", `class A { constructor() { new A() } } new A()`),
  overflows(
    "constructors of parents",
    `let C = class {}; for (let i = 0; i < 30_000; i++) C = class extends C {}; new C()`,
  ),
  overflows("asynchronous calls", `const f = async () => f(); await f()`),
  overflows("generators in generators", `function* g() { yield* g() } [...g()]`),
  overflows("iterators", `const o = { [Symbol.iterator]() { return [...o] } }; [...o]`),
  overflows("apply", `const f = function () { f.apply(this, arguments) }; f()`),
  overflows("Reflect", `const f = () => Reflect.apply(f, null, []); f()`),
  overflows("nested JSON", `JSON.parse("[".repeat(200_000))`),
  overflows("nested objects as JSON text", `JSON.parse('{"a":'.repeat(200_000))`),
  overflows("revivers", `const f = () => JSON.parse("[1]", f); f()`),
  overflows(
    "nested arrays as JSON",
    `let a = []; for (let i = 0; i < 4_000; i++) a = [a]; const f = () => JSON.stringify({ toJSON: f }); f(); JSON.stringify(a)`,
  ),
  overflows("toJSON", `const o = { toJSON: () => JSON.stringify(o) }; JSON.stringify(o)`),
  overflows("toString", `const o = { toString: () => "" + o }; "" + o`),
  overflows("valueOf", `const o = { valueOf: () => +o }; +o`),
  overflows("toPrimitive", `const o = { [Symbol.toPrimitive]: () => o > 1 }; o > 1`),
  overflows("toString of nested arrays", `let a = []; for (let i = 0; i < 60_000; i++) a = [a]; String(a)`),
  overflows("flat", `let a = []; for (let i = 0; i < 60_000; i++) a = [a]; a.flat(Infinity)`),
  overflows("getters", `const o = { get x() { return o.x } }; o.x`),
  overflows("setters", `const o = { set x(v) { o.x = v } }; o.x = 1`),
  overflows("comparators", `const f = () => [2, 1].sort(f); f()`),
  overflows("callbacks of arrays", `const f = () => [1].map(f); f()`),
  overflows("callbacks of replace", `const f = () => "a".replace("a", f); f()`),
  overflows("callbacks of groupBy", `const f = () => Map.groupBy([1], f); f()`),
  overflows("proxies", `let p = {}; for (let i = 0; i < 30_000; i++) p = new Proxy(p, {}); p.x`),
  overflows("traps of proxies", `const p = new Proxy({}, { get: () => p.x }); p.x`),
  overflows(
    "proxies of functions",
    `let p = () => 1; for (let i = 0; i < 30_000; i++) p = new Proxy(p, {}); p()`,
  ),
  overflows("keys of proxies", `const p = new Proxy({}, { ownKeys: () => Object.keys(p) }); Object.keys(p)`),
  overflows(
    "prototypes of proxies",
    `const p = new Proxy({}, { getPrototypeOf: () => Object.getPrototypeOf(p) }); Object.getPrototypeOf(p)`,
  ),
  overflows("instanceof", `const o = { [Symbol.hasInstance]: () => 1 instanceof o }; 1 instanceof o`),
  overflows(
    "species",
    `class A extends Array { static get [Symbol.species]() { return new A(1).map((x) => x), A } } new A(1).map((x) => x)`,
  ),
  throws("eval", `globalThis.f = () => eval("f()"); f()`, "SyntaxError: stack overflow"),
  throws("Function", `globalThis.f = () => new Function("f()")(); f()`, "SyntaxError: stack overflow"),
  overflows("nested source", `eval("(".repeat(100_000))`),
  overflows("nested functions in source", `eval("()=>".repeat(100_000) + "1")`),
  overflows("nested arrays in source", `eval("[".repeat(100_000))`),
  throws("nested blocks in source", `eval("{".repeat(100_000))`, "SyntaxError: stack overflow"),
  overflows("nested templates in source", "eval('`${'.repeat(100_000))"),
  throws(
    "nested groups of a regular expression",
    `new RegExp("(?:".repeat(200_000))`,
    "SyntaxError: stack overflow",
  ),
  throws(
    "nested classes of a regular expression",
    `new RegExp("[".repeat(200_000), "v")`,
    "SyntaxError: stack overflow",
  ),
  overflows("custom matchers", `const o = { [Symbol.replace]: () => "".replace(o) }; "".replace(o)`),
  overflows(
    "error messages",
    `const e = new Error(); Object.defineProperty(e, "message", { get: () => String(e) }); String(e)`,
  ),
  outOfFuel("stacks written at every depth", `const f = () => { new Error().stack; f() }; f()`),
  throws(
    "too many groups of a regular expression",
    `new RegExp("(".repeat(50_000) + ")".repeat(50_000)).test("a")`,
    "SyntaxError: too many captures",
  ),
]

export const attacks: ReadonlyArray<Attack> = [...loops, ...promises, ...memory, ...recursion]

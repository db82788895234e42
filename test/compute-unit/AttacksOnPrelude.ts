/** Attacks on what a turn gives out, and on the code that carries it there. */
import { type Attack, failing, harmless, outOfFuel, throws, tooLarge } from "./Attack.ts"

/** A function that never returns, and what puts it in place of all functions of an object. */
const hang = "() => { for (;;); }"
const over = (object: string): string =>
  `{ const of = ${object}, { ownKeys, getOwnPropertyDescriptor } = Reflect; for (const name of ownKeys(of)) { const { value, writable } = getOwnPropertyDescriptor(of, name); if (writable && typeof value === "function") of[name] = ${hang} } }`

const outputs = [
  outOfFuel("an answer of 30 MB", `return "x".repeat(30e6)`),
  tooLarge("an answer that fuel suffices for", `return "x".repeat(10.5e6)`),
  throws(
    "large data",
    `heddle.send(m.from, { data: "x".repeat(11e6) })`,
    "at most 10480640 bytes of data, not 11000000",
  ),
  throws(
    "large bytes",
    `heddle.send(m.from, { data: new Uint8Array(30e6) })`,
    "at most 10480640 bytes of data, not 30000000",
  ),
  throws(
    "large data in pieces",
    `for (;;) heddle.send(m.from, { data: new Uint8Array(1e6) })`,
    "at most 10485760 bytes of data",
  ),
  throws("a large view", `heddle.publish("v", "x".repeat(2e6))`, "at most 262144 bytes as JSON"),
  throws("a large tag", `heddle.send(m.from, { tags: { A: "x".repeat(2e6) } })`, "at most 4096 bytes"),
  throws(
    "many tags",
    `heddle.send(m.from, { tags: Array.from({ length: 1e4 }, (_, i) => ["A" + i, "1"]) })`,
    "at most 128 tags, not 10003",
  ),
  throws("many messages", `for (;;) heddle.send(m.from)`, "at most 1024 messages"),
  throws("many spawns", `for (;;) heddle.spawn(m.id)`, "at most 1024 messages"),
  throws("many timers", `for (;;) heddle.sleep(1)`, "at most 1024 messages"),
  throws("many questions", `for (;;) heddle.ask(m.from)`, "at most 1024 messages"),
  throws("many views", `for (let i = 0;; i++) heddle.publish("v" + i, i)`, "at most 1000 views"),
  outOfFuel("messages past the limit, each refusal caught", `for (;;) try { heddle.send(m.from) } catch {}`),
  outOfFuel("spawns past the limit, each refusal caught", `for (;;) try { heddle.spawn(m.id) } catch {}`),
  outOfFuel("lines without end", `for (;;) console.log("x".repeat(1e5))`),
  throws("a function as answer", `return () => 1`, "it is a function"),
  throws("a circle as answer", `const a = {}; a.a = a; return a`, "circular reference"),
  throws("a number that JSON lacks as answer", `return 1n`, "can't be written as JSON"),
  throws("thrown null", `throw null`, "null"),
  throws(
    "a proxy thrown",
    `throw new Proxy({}, { get() { throw 1 }, has() { throw 1 }, getPrototypeOf() { throw 1 } })`,
    "an error that has no text",
  ),
  outOfFuel("a hostile error", `throw { get message() { for (;;) {} } }`),
  outOfFuel("a hostile answer", `return { toJSON() { for (;;) {} } }`),
  throws("an error with a long text", `throw new Error("x".repeat(2e6))`, "xxxxx"),
]

/** As many as are allowed, and what is awkward to carry: it arrives whole. */
const carried = [
  harmless(
    "as many messages as go out",
    `for (let i = 0; i < 1024; i++) heddle.send(m.from); return "fine"`,
    "fine",
  ),
  harmless(
    "lines past the limit",
    `for (let i = 0; i < 2000; i++) console.log("x".repeat(100)); return "fine"`,
    "fine",
  ),
  harmless("a line of 2 MB", `console.log("x".repeat(2e6)); return "fine"`, "fine"),
  harmless("NUL in an answer", `return ["a\\0b", { "\\0": "\\0\\0" }]`, ["a\0b", { "\0": "\0\0" }]),
  harmless("NUL in what comes in", `return [m.data, m.tags["\\0"]]`, ["in\0side", "\0\0"]),
  harmless(
    "NUL in what goes out",
    `heddle.send(m.from, { action: "a\\0b", tags: { "\\0": "\\0" }, data: "\\0x\\0" }); heddle.publish("\\0", "\\0"); console.log("\\0")`,
    null,
    {
      sent: [
        [
          ["Action", "a\0b"],
          ["\0", "\0"],
        ],
        "\0x\0",
      ],
      view: ["\0", JSON.stringify("\0")],
    },
  ),
  throws("NUL in an error", `throw new Error("a\\0b")`, "a\0b"),
  harmless(
    "__proto__ in an answer",
    `return { ["__proto__"]: { ["__proto__"]: 1 }, constructor: 2 }`,
    JSON.parse('{"__proto__":{"__proto__":1},"constructor":2}'),
  ),
  harmless("__proto__ in what comes in", `return [m.tags["__proto__"], m.tags.constructor]`, ["x", "y"]),
  harmless(
    "__proto__ in what goes out",
    `heddle.send(m.from, { action: "__proto__", tags: { ["__proto__"]: "x", constructor: "y" }, data: { ["__proto__"]: 1 } }); heddle.publish("__proto__", { ["__proto__"]: 1 })`,
    null,
    {
      sent: [
        [
          ["Action", "__proto__"],
          ["__proto__", "x"],
          ["constructor", "y"],
        ],
        '{"__proto__":1}',
      ],
      view: ["__proto__", '{"__proto__":1}'],
    },
  ),
  harmless(
    "__proto__ as an action",
    `heddle.on("__proto__", () => 1); heddle.on("constructor", () => 2); return "fine"`,
    "fine",
  ),
  harmless("half a character", `return "\\ud800" + "\\udc00\\udc00"`, "\ud800\udc00\udc00"),
]

/** Overwrites what the prelude or the engine's own functions might use. The next message is answered all the same. */
const overwritten = [
  harmless(
    "JSON overwritten",
    `globalThis.JSON = { parse() { for (;;); }, stringify: () => "lie" }; return { a: [1] }`,
    { a: [1] },
  ),
  harmless(
    "functions of JSON overwritten",
    `JSON.parse = JSON.stringify = () => { for (;;); }; return { a: [1] }`,
    { a: [1] },
  ),
  harmless(
    "Array.prototype overwritten",
    `${over("Array.prototype")} Array.prototype[Symbol.iterator] = ${hang}; return { a: [1] }`,
    { a: [1] },
  ),
  harmless(
    "elements of all arrays trapped",
    `for (let i = 0; i < 40; i++) Object.defineProperty(Array.prototype, i, { get() { for (;;); }, set() { for (;;); } }); return "fine"`,
    "fine",
  ),
  harmless(
    "fields of all objects trapped",
    `for (const name of ["id", "from", "data", "tags", "process", "message", "slot", "then", "kind", "target", "resolve", "reject", "origin", "answered", "reference", "toJSON", "length", "0", "1", "2"]) Object.defineProperty(Object.prototype, name, { __proto__: null, get() { return undefined }, set() { for (;;); } }); return "fine"`,
    "fine",
  ),
  harmless("String.prototype overwritten", `${over("String.prototype")} return "fine"`, "fine"),
  harmless(
    "Object overwritten",
    `${over("Object")} ${over("Object.prototype")} globalThis.Object = null; return "fine"`,
    "fine",
  ),
  harmless("Promise overwritten", `globalThis.Promise = function () { for (;;); }; return "fine"`, "fine"),
  harmless(
    "functions of Promise overwritten",
    `${over("Promise")} Promise.prototype.catch = Promise.prototype.finally = ${hang}; return "fine"`,
    "fine",
  ),
  outOfFuel(
    "then overwritten and awaited",
    `Promise.prototype.then = ${hang}; Object.defineProperty(Promise.prototype, "constructor", { get() { for (;;); } }); await Promise.resolve()`,
  ),
  harmless(
    "Reflect and Function overwritten",
    `${over("Function.prototype")} ${over("Reflect")} globalThis.Function = globalThis.Reflect = null; return "fine"`,
    "fine",
  ),
  harmless(
    "typed arrays overwritten",
    `const proto = Object.getPrototypeOf(Uint8Array.prototype); for (const name of Object.getOwnPropertyNames(proto)) Object.defineProperty(proto, name, { get() { for (;;); } }); globalThis.Uint8Array = globalThis.ArrayBuffer = globalThis.DataView = null; return "fine"`,
    "fine",
  ),
  harmless(
    "errors overwritten",
    `globalThis.Error = globalThis.TypeError = globalThis.RangeError = globalThis.InternalError = null; return "fine"`,
    "fine",
  ),
  harmless(
    "species and symbols overwritten",
    `for (const at of [Array, Map, Promise, RegExp, Uint8Array]) Object.defineProperty(at, Symbol.species, { get() { for (;;); } }); globalThis.Symbol = null; return "fine"`,
    "fine",
  ),
  harmless(
    "random numbers and time overwritten",
    `${over("Math")} Date.now = ${hang}; globalThis.Date = null; return "fine"`,
    "fine",
  ),
  harmless(
    "every global gone",
    `const all = globalThis, remove = Reflect.deleteProperty; for (const name of Object.getOwnPropertyNames(all)) remove(all, name); return "fine"`,
    "fine",
  ),
  harmless(
    "names of the prelude taken",
    `for (const name of ["turn", "end", "abandon", "describe", "kit", "buffer", "limits", "sha256", "utf8", "read", "write", "digest", "log", "fromId", "toId", "io", "text", "random", "outbox", "answers", "run", "dispatch", "current", "self", "part"]) globalThis[name] = ${hang}; return "fine"`,
    "fine",
  ),
  harmless(
    "the global object trapped",
    `Object.setPrototypeOf(globalThis, new Proxy({}, { get() { for (;;); }, has() { return false }, set() { for (;;); } })); return "fine"`,
    "fine",
  ),
  harmless(
    "the message changed",
    `m.id = m.from = "x"; m.tags = null; m.slot = {}; delete m.data; return "fine"`,
    "fine",
  ),
  throws("heddle changed", `"use strict"; heddle.send = 1`, "TypeError: 'send' is read-only"),
  throws(
    "the class of messages changed",
    `"use strict"; Object.getPrototypeOf(m).reply = 1`,
    "TypeError: 'reply' is read-only",
  ),
  // This engine lets a fixed global be defined anew, and falls over the old one.
  failing("job failed")("heddle defined anew", `Object.defineProperty(globalThis, "heddle", { value: 1 })`),
  outOfFuel("console overwritten", `console = { log() { for (;;); } }; console.log(1)`),
]

export const attacks: ReadonlyArray<Attack> = [...outputs, ...carried, ...overwritten]

/** What a person at a debugger is told: expressions over a copy of a process's memory, in words for a person. */
import crypto from "node:crypto"
import { describe, expect, it } from "vitest"
import { boot, limits, Stage } from "./Stage.ts"

const roomy = { ...limits, fuel: 2_000_000_000n }
const inspect = (s: Stage, code: string): string => s.machine.inspect(s.memory, code, roomy, s.timestamp).text

const program = `
  class Account {
    #pin = 1
    constructor(owner) { this.owner = owner; this.balance = 10n }
    get rich() { return this.balance > 5n }
  }
  const accounts = new Map([["ada", new Account("ada")]])
  let count = 3
  heddle.on("Count", () => ++count)`
/** As a bundle is: in a function of its own. */
const bundled = (code: string) => `(() => {${code}})()`
const withNames = bundled(`${program};heddle.inspectWith?.((code) => eval(code))`)

const process = (script: string) => {
  const s = new Stage(script)
  s.done("Count")
  return s
}

describe("an expression", () => {
  const s = process(withNames)

  it("sees the module's own variables, as the last turn left them", () => {
    expect(inspect(s, "count")).toBe("4")
    expect(inspect(s, "accounts")).toBe('Map(1) { "ada" => Account { owner: "ada", balance: 10n } }')
    expect(inspect(s, "accounts.get('ada').rich")).toBe("true")
    expect(inspect(s, "heddle.process.id")).toBe(`"${s.self}"`)
    expect(inspect(s, "[heddle.now(), Date.now()]")).toBe(`[${s.timestamp}, ${s.timestamp}]`)
  })

  it("changes nothing, whatever it does", () => {
    const s = process(withNames)
    const { root } = s
    expect(inspect(s, "count = 99; heddle.send(heddle.process.owner); heddle.publish('a', 1); count")).toBe(
      "99",
    )
    expect(inspect(s, "for (;;) {}")).toBe("out of fuel: more than 2000000000 fuel")
    expect(inspect(s, "count")).toBe("4")
    expect(s.root).toBe(root)
    expect(s.value("Count")).toBe(5)
  })

  it("sees the globals alone where the module lets nobody in", () => {
    const closed = process(bundled(program))
    expect(inspect(closed, "typeof count")).toBe('"undefined"')
    expect(inspect(closed, "1 + 1")).toBe("2")
    expect(inspect(new Stage(withNames), "count")).toBe("3") // before the first message too
  })

  it("is evaluated by what was given first", () => {
    const twice = process(`${withNames};heddle.inspectWith(() => "mine")`)
    expect(inspect(twice, "count")).toBe("4")
  })

  it("has all of heddle, whatever the last turn sent", () => {
    const sent = process(`heddle.on("Count", (m) => { heddle.send(m.from, { data: "x".repeat(1000) }) })`)
    const digest = crypto.createHash("sha256").update("x".repeat(100_000)).digest("base64url")
    expect(inspect(sent, `heddle.toBase64Url(heddle.hash("sha256", "x".repeat(100000)))`)).toBe(`"${digest}"`)
    expect(inspect(sent, `heddle.send(heddle.process.owner).length`)).toBe("43")
  })

  it("may be statements, and braces an object", () => {
    expect(inspect(s, "let a = 5; a * 2")).toBe("10")
    expect(inspect(s, "{ a: 1 }")).toBe("{ a: 1 }")
    expect(inspect(s, "{ let a = 2; a + 1 }")).toBe("3")
    expect(inspect(s, " ")).toBe("undefined")
  })

  it("that throws says what", () => {
    expect(inspect(s, "throw new RangeError('no')")).toBe("threw RangeError: no")
    expect(inspect(s, "nobody")).toBe("threw ReferenceError: 'nobody' is not defined")
    expect(inspect(s, "1 +")).toMatch(/^threw SyntaxError: /)
    expect(inspect(s, "throw { a: 1 }")).toBe("threw { a: 1 }")
    expect(inspect(s, "throw null")).toBe("threw null")
    expect(inspect(s, "{ throw new TypeError('mine') }")).toBe("threw TypeError: mine")
    expect(inspect(s, "({ get message() { throw 1 } }).message")).toBe("threw 1")
    expect(inspect(s, "throw Object.assign(new Error('x'), { name: { toString() { throw 1 } } })")).toBe(
      "threw Error: x",
    )
  })

  it("is told in the same words on a second run, for the same fuel", () => {
    const run = () => s.machine.inspect(s.memory, "accounts", roomy, s.timestamp)
    expect(run()).toEqual(run())
  })

  it("works in a process that has overwritten what it likes of its globals", () => {
    const spoilt = process(
      `${withNames};JSON.stringify = Reflect.apply = Object.keys = () => { throw 1 }; globalThis.Map = 1`,
    )
    expect(inspect(spoilt, "accounts")).toBe('Map(1) { "ada" => Account { owner: "ada", balance: 10n } }')
  })

  it("writes to the console of its own", () => {
    expect(s.machine.inspect(s.memory, "console.log('seen', count)", roomy, s.timestamp)).toMatchObject({
      text: "undefined",
      console: [["log", "seen 4"]],
    })
  })
})

describe("a value", () => {
  const s = process(withNames)
  it.each([
    [`"a\\"b\\n"`, String.raw`"a\"b\n"`],
    [`"nul \\0"`, String.raw`"nul \u0000"`],
    ["[1, -0, 1e21, NaN, 5n, true, null, undefined]", "[1, -0, 1e+21, NaN, 5n, true, null, undefined]"],
    ["Symbol('s')", "Symbol(s)"],
    ["Symbol('a\\0b')", String.raw`Symbol(a\0b)`],
    ["[1, , 3]", "[1, <empty>, 3]"],
    ["Object.assign([1], { more: 2 })", "[1, more: 2]"],
    [`({ a: 1, "b c": { d: [] }, [Symbol("k")]: "v" })`, `{ a: 1, "b c": { d: [] }, [Symbol(k)]: "v" }`],
    ["({ get a() { throw 1 }, set b(v) {} })", "{ a: [accessor], b: [accessor] }"],
    ["new Map([[{ k: 1 }, new Set(['v'])]])", `Map(1) { { k: 1 } => Set(1) { "v" } }`],
    ["new (class Mine extends Map {})([[1, 2]])", "Mine(1) { 1 => 2 }"],
    ["new Uint8Array([1, 2])", "Uint8Array(2) [1, 2]"],
    ["new ArrayBuffer(8)", "ArrayBuffer {}"],
    ["Object.create(null)", "[no prototype] {}"],
    ["new (class Pair { a = 1 })", "Pair { a: 1 }"],
    ["[function named() {}, () => 1, class Foo {}]", "[function named, function (anonymous), class Foo]"],
    ["[new Date(0), new Date(NaN), /a+/gi]", "[1970-01-01T00:00:00.000Z, Invalid Date, /a+/gi]"],
    ["Promise.resolve(1)", "Promise {}"],
    ["const a = { name: 'a' }; a.self = a; a", `{ name: "a", self: [circular] }`],
    ["const shared = {}; [shared, shared]", "[{}, {}]"],
    ["[[[[[[1]]]]]]", "[[[[[[Array]]]]]]"],
    ["({ a: { a: { a: { a: { a: { a: 1 } } } } } })", "{ a: { a: { a: { a: { a: [Object] } } } } }"],
    ["new Proxy({}, { ownKeys() { throw new Error('trap') } })", "threw Error: trap"],
  ])("is written for a person: %s", (code, text) => {
    expect(inspect(s, code)).toBe(text)
  })

  it("that is an error has its stack, of the author's lines alone", () => {
    const text = inspect(s, "new RangeError('kept')")
    expect(text).toMatch(/^RangeError: kept\n {4}at .*\(module\.js:\d+:\d+\)$/s)
    expect(text).not.toContain("prelude.js")
  })

  it("that is long is broken into lines", () => {
    expect(inspect(s, "Array.from({ length: 30 }, (_, i) => i * 1000)")).toBe(
      [
        "[",
        "  0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000, 11000, 12000,",
        "  13000, 14000, 15000, 16000, 17000, 18000, 19000, 20000, 21000, 22000, 23000,",
        "  24000, 25000, 26000, 27000, 28000, 29000",
        "]",
      ].join("\n"),
    )
    expect(inspect(s, "({ first: 'x'.repeat(50), second: { third: 'y'.repeat(80) } })")).toBe(
      `{\n  first: "${"x".repeat(50)}",\n  second: {\n    third: "${"y".repeat(80)}"\n  }\n}`,
    )
  })

  it("has at most 100 entries of a collection and some 10,000 letters", () => {
    expect(inspect(s, "new Array(101).fill(7)")).toContain("7, ... 1 more")
    expect(inspect(s, "new Array(100).fill(7)")).not.toContain("more")
    expect(inspect(s, "new Set(Array.from({ length: 150 }, (_, i) => i))")).toContain("... 50 more")
    expect(inspect(s, "Object.fromEntries(Array.from({ length: 150 }, (_, i) => ['k' + i, i]))")).toContain(
      "... 50 more",
    )
    expect(inspect(s, "'x'.repeat(20000)").length).toBeLessThan(10_100)
    const wide = "Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => 'x'.repeat(100)))"
    expect(inspect(s, wide).length).toBeLessThan(10_100)
  })
})

describe("a module that does not load to its end", () => {
  it("is no matter: an image without a turn can be looked at", () => {
    const s = new Stage(withNames, { machine: new Stage("").machine })
    expect(boot(withNames).wasmPages).toBe(s.memory.wasmPages)
    expect(inspect(s, "heddle.process.id")).toBe(
      "threw Error: process.id is not known while the module loads",
    )
  })
})

/** An author shares the globals with the prelude. Whatever is done to them, the host's protocol holds. */
import { ed25519 } from "@noble/curves/ed25519.js"
import { describe, expect, it } from "vitest"
import * as Emission from "../../compute-unit/Emission.ts"
import { HostFault } from "../../compute-unit/Ending.ts"
import { GuestScript } from "../../compute-unit/GuestScript.ts"
import * as Utf8 from "../../compute-unit/Utf8.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as fc from "fast-check"
import { boot, id, type Sent, Stage } from "./Stage.ts"

/** Uses everything that the prelude has; itself only syntax that needs no built-in. */
const honest = `
  heddle.on("All", async function (m) {
    const sent = heddle.send(m.from, { action: "Hi", tags: { A: "ü" }, data: m.data })
    const child = heddle.spawn(m.id, { data: m.bytes() })
    heddle.publish("view", { sent: sent, slot: m.slot })
    print("line", m.tags.T, m.timestamp)
    const answer = await heddle.ask(m.from, { data: { q: m.json() } }, { timeout: "1h" })
    await heddle.sleep("2s")
    heddle.send(child, { data: m.bytes() })
    return { sent: sent, child: child, answer: answer, random: random(), now: heddle.now(), me: heddle.process.id }
  })
  heddle.on("Proofs", function (m) {
    const bytes = m.bytes()
    const signed = { type: "Ed25519", key: heddle.fromBase64Url(m.tags.Key), message: "abc", signature: heddle.fromBase64Url(m.tags.Signature) }
    const good = heddle.verify(signed)
    signed.message = "abd"
    m.reply({
      short: heddle.toBase64Url(heddle.hash("sha3-256", m.tags.Key)),
      long: heddle.toBase64Url(heddle.hash("sha512", bytes)),
      shake: heddle.toBase64Url(heddle.hash("shake128", bytes, 50)),
      good: good,
      bad: heddle.verify(signed),
    })
  })
  heddle.onExport(function () { return { of: heddle.process.id, random: random() } })
  heddle.onImport(function (value) { print("imported", value.of, value.random); heddle.send(value.of, { data: { kept: value } }) })
  heddle.on("Throw", function () { throw new Failure("mine") })
  heddle.on("Binary", function (m) { m.reply(sizeOf(m.bytes())) })`

const kept = `
  const random = Math.random, Failure = Error, print = console.log, call = Reflect.apply
  const length = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), "length").get
  const sizeOf = (bytes) => call(length, bytes, [])`

const script = (hostile: string) => `${kept};${honest};${hostile}`

const seed = new Uint8Array(32).fill(0x77)
const story: ReadonlyArray<Sent> = [
  {},
  {
    action: "All",
    data: `["é", 1]`,
    tags: [
      ["T", "t"],
      ["Reference", "1"],
    ],
    process: true,
  },
  { action: "Reply", from: "ada", process: true, tags: [["X-Reference", "1"]], data: `{"a":[1]}` },
  { action: "Timer", from: "self", tags: [["X-Reference", "2"]] },
  { action: "Binary", data: new Uint8Array(70_000).fill(0xff) },
  {
    action: "Proofs",
    data: new Uint8Array(70_000).fill(0xff),
    tags: [
      ["Key", Bytes.toBase64Url(ed25519.getPublicKey(seed))],
      ["Signature", Bytes.toBase64Url(ed25519.sign(Bytes.fromText("abc"), seed))],
    ],
  },
  { action: "Throw" },
  { action: "Nope" },
]

/**
 * Everything that a process gives out through a story, failed turns abandoned and its program replaced by the same
 * at the end; without fuel, which may differ.
 */
const told = (hostile: string, within = limits) => {
  const s = new Stage(script(hostile), { limits: within })
  return { s, told: [...turnsOf(s), upgradeOf(s, hostile)] }
}
const upgradeOf = (s: Stage, hostile: string) => {
  s.slot++
  const input = s.input({ action: "Upgrade", from: "dao", process: true, tags: [["Reference", "9"]] })
  const { result, memory } = s.machine.upgrade(
    s.memory,
    boot(script(hostile), s.limits),
    input,
    s.limits,
    () => undefined,
  )
  if (result._tag === "Failed") throw new Error(result.message)
  const after = new Stage(memory, { machine: s.machine, limits: s.limits })
  after.slot = s.slot
  return [result.emission, result.console, after.done(story[4]).emission.replies]
}
const turnsOf = (s: Stage) =>
  story.map((sent) => {
    const result = s.next(sent)
    const { fuelUsed: _, ...rest } = result
    if (result._tag === "Done") return rest
    const { fuelUsed: __, ...abandoned } = s.machine.abandon(s.memory, s.input(sent), result, s.limits)
    return [{ ...rest, stack: undefined }, abandoned]
  })

const limits = { fuel: 2_000_000_000n, memoryPagesMax: 512 }
const { told: expected } = told("")

/** Visits every property of everything that can be reached from the globals, but for heddle. */
const everywhere = (body: string) => `
  { const Promise_prototype = Promise.prototype
    const seen = new Set([heddle]), all = [], own = Reflect.ownKeys, describe = Object.getOwnPropertyDescriptor
    const define = Reflect.defineProperty, apply = Reflect.apply, has = seen.has.bind(seen), add = seen.add.bind(seen)
    const visit = (value) => {
      if ((typeof value !== "object" && typeof value !== "function") || value === null || has(value)) return
      add(value)
      for (const key of own(value)) { const d = describe(value, key); all.push([value, key, d]); visit(d.value); visit(d.get) }
      visit(Object.getPrototypeOf(value))
    }
    visit(globalThis)
    for (const v of [function* () {}, async () => {}, async function* () {}, [][Symbol.iterator](), new Map().entries(), "".matchAll(/a/g), (function* () {})()]) visit(v)
    for (let i = 0; i < all.length; i++) { const target = all[i][0], key = all[i][1], d = all[i][2]
      // Without these two, an author's own await does not work.
      if (target === Promise_prototype && (key === "constructor" || key === "then")) continue
      if (key === "heddle" || !d.configurable) continue
      ${body} } }`

describe("the prelude", () => {
  it("says in the story what it should", () => {
    const [, asked, , , , proofs] = expected as ReadonlyArray<{ emission: Emission.Emission }> // none of these fails
    expect(asked!.emission.outbox.map(({ kind }) => kind)).toEqual(["message", "spawn", "message", "timer"])
    expect(proofs!.emission.replies).toMatchObject([
      { value: expect.stringContaining('"good":true,"bad":false}') },
    ])
    expect(expected.at(-1)).toMatchObject([
      { outbox: [{ kind: "message" }, { kind: "message" }], replies: [{ value: "null" }] },
      [["log", expect.stringContaining("imported")]],
      [{ value: "70000" }],
    ])
  })

  it("says the same when every built-in function is replaced by one that throws", () => {
    const replace = everywhere(`
      if (typeof d.value === "function") define(target, key, { value() { throw "replaced" }, configurable: true, writable: true })
      else if (d.get) define(target, key, { get() { throw "replaced" }, set() { throw "replaced" }, configurable: true })`)
    expect(told(replace).told).toEqual(expected)
  })

  it("says the same when every global is gone", () => {
    const gone = everywhere(`delete target[key]`)
    expect(told(gone).told).toEqual(expected)
  })

  it("says the same when fields and elements that it writes are traps on the prototypes of all objects", () => {
    const names = [
      "id",
      "from",
      "data",
      "tags",
      "action",
      "process",
      "message",
      "slot",
      "then",
      "kind",
      "value",
      "get",
      "toJSON",
      "origin",
      "reference",
      "answered",
      "length",
      "0",
      "1",
      "2",
      "timeout",
      "scheduler",
      "error",
      "context",
      "number",
      "bytes",
      "state",
      "references",
      "exported",
      "entries",
      "__proto__",
      "constructor",
    ]
    const traps = `for (const prototype of [Object.prototype, Array.prototype, String.prototype, Function.prototype, Promise.prototype])
      for (const name of ${JSON.stringify(names)}) try {
        Object.defineProperty(prototype, name, { get() { return undefined }, set() { throw "trapped" }, configurable: true }) } catch {}`
    expect(told(traps).told).toEqual(expected)
  })

  it("never lets the buffer, or a function that it holds for the host, into the author's hands", () => {
    const spy = `const spied = []; const note = (v) => { if (typeof v === "object" && v !== null || typeof v === "function") spied[spied.length] = v }
      const bufferOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), "buffer").get
      const U8 = Uint8Array, AB = ArrayBuffer, reflect = Reflect.apply, protoOf = Object.getPrototypeOf, names = ["sha256", "utf8", "read", "write", "digest", "log", "fromId", "toId", "hash", "digestOf", "unwrite", "verify", "turn", "end", "abandon", "describe", "exportState", "importState", "inspect"]
      ${everywhere(`
        const spying = (f) => function (...args) { note(this); for (let i = 0; i < args.length; i++) note(args[i]); return new.target ? Reflect_construct(f, args, new.target) : reflect(f, this, args) }
        const Reflect_construct = Reflect.construct
        if (typeof d.value === "function" && key !== "constructor") { const f = d.value; const s = spying(f); for (const k of own(f)) try { define(s, k, describe(f, k)) } catch {} ; define(target, key, { ...d, value: s }) }
        else if (d.get) { const g = d.get; define(target, key, { ...d, get: spying(g) }) }`)}
      heddle.on("Spied", () => { let views = 0, held = 0, others = 0
        for (let i = 0; i < spied.length; i++) { const v = spied[i]
          let b; try { b = reflect(bufferOf, v, []) } catch {}
          if (b !== undefined && b.byteLength === 65536) held++
          if (typeof v === "function") for (const n of names) if (v.name === n) views++
          others++ }
        return { held, views, some: others > 100 } })`
    const { s } = told(spy, { fuel: 8_000_000_000n, memoryPagesMax: 512 })
    expect(s.value("Spied")).toEqual({ held: 0, views: 0, some: true })
  })
})

describe("the host", () => {
  const read =
    (said: unknown, output: Uint8Array = Bytes.empty) =>
    () =>
      Emission.read(typeof said === "string" ? said : JSON.stringify(said), output)
  const empty = { outbox: [], replies: [], views: [], failed: [] }
  const content = (target: Uint8Array, data = Bytes.empty) =>
    Hash.layout("heddle/content/1", target, Bytes.empty, Bytes.empty, data)
  const to = new Uint8Array(32)
  const message = { kind: "message", tags: 0, due: 0 }

  it("takes what fits together", () => {
    const { emission } = read({ ...empty, outbox: [message] }, content(to))()
    expect(emission.outbox).toEqual([{ kind: "message", target: to, tags: [], data: Bytes.empty, due: 0 }])
  })

  it.each([
    ["", Bytes.empty],
    ["[]", Bytes.empty],
    ["null", Bytes.empty],
    [{ ...empty, outbox: {} }, Bytes.empty],
    [{ ...empty, outbox: [null] }, Bytes.empty],
    [{ ...empty, outbox: [message] }, Bytes.empty],
    [{ ...empty, outbox: [message] }, content(to).subarray(1)],
    [{ ...empty, outbox: [message] }, content(Bytes.empty)],
    [{ ...empty, outbox: [message] }, Bytes.concat([content(to), Bytes.u8(0)])],
    [{ ...empty, outbox: [{ ...message, kind: "other" }] }, content(to)],
    [{ ...empty, outbox: [{ ...message, kind: "spawn" }] }, content(to)],
    [{ ...empty, outbox: [{ ...message, due: 1 }] }, content(to)],
    [{ ...empty, outbox: [{ ...message, kind: "timer", due: 0.5 }] }, content(to)],
    [{ ...empty, outbox: [{ ...message, tags: 1 }] }, content(to)],
    [
      { ...empty, outbox: Array.from({ length: 1_025 }, () => message) },
      Bytes.concat(Array.from({ length: 1_025 }, () => content(to))),
    ],
    [
      { ...empty, outbox: [message, message] },
      Bytes.concat([content(to, new Uint8Array(6e6)), content(to, new Uint8Array(6e6))]),
    ],
    [{ ...empty, replies: [{ to: "ada", value: "1" }] }, Bytes.empty],
    [{ ...empty, replies: [{ to: id("ada"), value: 1 }] }, Bytes.empty],
    [{ ...empty, replies: [{ to: id("ada"), error: {} }] }, Bytes.empty],
    [{ ...empty, views: [{ name: "a", value: 1 }] }, Bytes.empty],
    [{ ...empty, views: [{ name: "a", value: "x".repeat(262_145) }] }, Bytes.empty],
    [{ ...empty, views: Array.from({ length: 1_001 }, () => ({ name: "a", value: null })) }, Bytes.empty],
    [{ ...empty, failed: [{ origin: id("ada"), kind: "fine" }] }, Bytes.empty],
  ])("believes nothing that does not: %#", (said, output) => {
    expect(read(said, output)).toThrow(Emission.BadOutput)
  })

  it("takes a fault of its own for no outcome: the memory is as before and the next turn runs", () => {
    const s = new Stage(script(""), { limits })
    s.spawn()
    const { root } = s
    const [sent] = story.slice(4)
    const arm = Object.getOwnPropertyDescriptor(GuestScript.prototype, "arm")!
    const failing = (error: Error) => {
      GuestScript.prototype.arm = () => {
        throw error
      }
      try {
        return s.turn(sent)
      } finally {
        Object.defineProperty(GuestScript.prototype, "arm", arm)
      }
    }
    expect(() => failing(new HostFault("no stack"))).toThrow(Turn.HostFault)
    expect(() => failing(new TypeError("a bug"))).toThrow(TypeError)
    expect(s.root).toBe(root)
    expect(s.value(sent)).toBe(70_000)
  })
})

describe("text that leaves the engine", () => {
  const wide = (text: string) => Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i))

  it("is what TextEncoder makes of it, in pieces of any size that split no character", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 40 }),
        fc.array(fc.nat(0xffff), { maxLength: 40 }),
        fc.integer({ min: 4, max: 50 }),
        (text, more, size) => {
          const units = Uint16Array.from([...wide(text), ...more])
          const pieces: Array<Uint8Array> = []
          for (let from = 0; from < units.length;) {
            const piece = new Uint8Array(size)
            const { written, next } = Utf8.encodeUnits(units, from, piece)
            expect(next).toBeGreaterThan(from)
            pieces.push(piece.subarray(0, written))
            from = next
          }
          expect(Bytes.toHex(Bytes.concat(pieces))).toBe(
            Bytes.toHex(Bytes.fromText(String.fromCharCode(...units))),
          )
        },
      ),
      { numRuns: 300, seed: 11 },
    )
    expect(Utf8.encodeUnits(wide("a😀"), 0, new Uint8Array(4))).toEqual({ written: 1, next: 1 })
  })
})

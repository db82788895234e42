import { describe, expect, it } from "vitest"
import type * as Emission from "../../compute-unit/Emission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as Result from "effect/Result"
import { id, limits, type Sent, Stage } from "./Stage.ts"

const stage = (body: string, more = "") =>
  new Stage(`${more}\nheddle.on("X", async (m) => { ${body} })`, { limits: roomy })
const roomy = { fuel: 4_000_000_000n, memoryPagesMax: 1_024 }

/** Tags beside the three that every message has, as an object. */
const own = ({ tags }: Emission.OutboxEntry) =>
  Object.fromEntries(
    tags
      .filter(({ name }) => !["Data-Protocol", "Type", "Variant"].includes(name))
      .map(({ name, value }) => [name, value]),
  )

const text = (entry: Emission.OutboxEntry) => Bytes.toText(entry.data)
const targetOf = (entry: Emission.OutboxEntry) => Bytes.toBase64Url(entry.target)

describe("a message", () => {
  it("comes to the handler of its action with all its fields", () => {
    const seen = `({ ...m, tags: { ...m.tags }, same: m.tags === m.tags, proto: Object.getPrototypeOf(m.tags), bytes: [...m.bytes()], json: m.json() })`
    const s = new Stage(`heddle.on("Look", (m) => (${seen}))`)
    const tags = [
      ["A", "1"],
      ["B", "2"],
      ["A", "3"],
      ["__proto__", "4"],
    ] as const
    s.spawn()
    expect(s.value({ action: "Look", tags, data: "[1, 2]" })).toEqual({
      id: id(`${s.self} message 1`),
      from: id("ada"),
      target: s.self,
      action: "Look",
      tags: JSON.parse('{ "Action": "Look", "A": "1", "B": "2", "__proto__": "4" }'),
      tagList: [["Action", "Look"], ...tags],
      data: "[1, 2]",
      slot: 1,
      timestamp: s.timestamp,
      same: true,
      proto: null,
      bytes: [91, 49, 44, 32, 50, 93],
      json: [1, 2],
    })
  })

  it("has bytes that are no text as bytes only, of any length", () => {
    const s = stage(
      `const b = m.bytes(); b[0] = 1; return [m.data === undefined, b.length, m.bytes()[0], b[b.length - 1]]`,
    )
    for (const length of [1, 65_504, 65_505, 200_000])
      expect(s.value({ action: "X", data: new Uint8Array(length).fill(0xff) })).toEqual([
        true,
        length,
        255,
        length === 1 ? 1 : 255,
      ])
    expect(stage("return m.json()").failed({ action: "X", data: Uint8Array.of(0xff) }).message).toContain(
      "is not text",
    )
  })

  it("keeps NUL, marks, surrogates and every length of UTF-8 in both directions", () => {
    const s = stage(
      `const t = m.data; heddle.send(m.from, { data: t }); return [t, t.length, m.tags.T, [...m.bytes()].length]`,
    )
    const data = '\0a\0\uFEFFé€😀\u2028\\"\n'.repeat(4_000)
    const { emission } = s.done({ action: "X", data, tags: [["T", "\0😀"]] })
    expect(text(emission.outbox[0]!)).toBe(data)
    const [reply] = emission.replies
    if (reply === undefined || "error" in reply) throw new Error("no reply")
    expect(JSON.parse(reply.value)).toEqual([data, data.length, "\0😀", Bytes.fromText(data).length])
  })

  it("fails without a handler, naming those there are, unless there is one for all", () => {
    const s = new Stage(`heddle.on("A", () => 1); heddle.on("B", () => 2)`)
    expect(s.failed("C")).toMatchObject({
      reason: "threw",
      message: `no handler for action "C"; this process handles: A, B`,
    })
    expect(s.failed({}).message).toBe(`no handler for action ""; this process handles: A, B`)
    expect(s.failed("__proto__").message).toContain(`no handler for action "__proto__"`)
    expect(new Stage("").failed("A").message).toContain("this process handles none")
    expect(new Stage(`heddle.onMessage((m) => m.action); heddle.on("A", () => "a")`).value("Z")).toBe("Z")
  })

  it("of slot 0 is a spawn: answered by its handler, or by nobody", () => {
    const quiet = new Stage(`heddle.onMessage(() => { throw new Error("not for spawns") })`)
    expect(quiet.spawn({ action: "Anything" })).toMatchObject({ _tag: "Done", emission: { replies: [] } })
    const loud = new Stage(
      `heddle.on("Spawn", (m) => [m.slot, heddle.process.id, heddle.process.owner, { ...heddle.process.tags }])`,
    )
    const result = loud.spawn({ action: "Other" })
    const value = JSON.stringify([0, loud.self, id("ada"), { Name: "test" }])
    expect(result).toMatchObject({ emission: { replies: [{ to: loud.self, value }] } })
  })
})

describe("a handler of Spawn or Cron", () => {
  const script = `
    let spawned = 0, ticked = 0
    heddle.on("Spawn", () => ++spawned)
    heddle.on("Cron", () => ++ticked)
    heddle.on("Counts", () => [spawned, ticked])`
  const callers: ReadonlyArray<Partial<Sent>> = [
    { from: "ada" }, // the owner's key
    { from: "eve" },
    { from: "ada", process: true },
    { from: "eve", process: true },
  ]

  it("is not called after slot 0, or by anyone but the process, whatever they write", () => {
    const s = new Stage(script)
    s.spawn()
    for (const caller of callers)
      for (const action of ["Spawn", "Cron"])
        expect(s.failed({ ...caller, action }).message).toBe(
          `no handler for action "${action}"; this process handles: Counts`,
        )
    expect(s.failed({ from: "self", action: "Spawn" }).message).toContain(`no handler for action "Spawn"`)
    expect(s.value("Counts")).toEqual([1, 0])
    expect(s.value({ from: "self", action: "Cron" })).toBe(1)
    expect(s.value("Counts")).toEqual([1, 1])
  })

  it("leaves such messages to the handler of all", () => {
    const s = new Stage(
      `${script}; heddle.onMessage((m) => ["other", m.action, m.from === heddle.process.id])`,
    )
    s.spawn()
    for (const caller of callers)
      for (const action of ["Spawn", "Cron"])
        expect(s.value({ ...caller, action })).toEqual(["other", action, false])
    expect(s.value({ from: "self", action: "Spawn" })).toEqual(["other", "Spawn", true])
    expect(s.value("Counts")).toEqual([1, 0])
  })

  it("is not the handler of slot 0 where the spawn has another action of that name", () => {
    const s = new Stage(script)
    s.spawn({ action: "Cron", from: "self" })
    expect(s.value("Counts")).toEqual([1, 0])
  })
})

describe("an answer", () => {
  it("is what the handler returns, now or after it waited, and given once", () => {
    expect(stage("return { a: [1, null] }").value("X")).toEqual({ a: [1, null] })
    expect(stage("await null; return 'later'").value("X")).toBe("later")
    expect(stage("m.reply(1); return [m.reply(2), heddle.reply(m, 3)]").value("X")).toBe(1)
    expect(stage("return [m.reply(1), m.reply(2)]").value("X")).toBe(1)
    expect(stage("").value("X")).toBe(null)
    expect(stage("m.reply()").value("X")).toBe(null)
  })

  it("can be given in a later turn, to the message that it is for", () => {
    const s = new Stage(
      `const kept = []; heddle.on("Ask", (m) => new Promise(() => kept.push(m))); heddle.on("Tell", () => { for (const m of kept.reverse()) m.reply(m.slot) })`,
    )
    s.done("Ask")
    s.done("Ask")
    expect(s.done("Tell").emission.replies).toEqual(
      [2, 1, 3].map((slot) => ({
        to: id(`${s.self} message ${slot}`),
        value: slot === 3 ? "null" : String(slot),
      })),
    )
  })

  it("goes to a process that waits for it as a message too, with its reference", () => {
    const s = stage("return { n: 1 }")
    const asked = { action: "X", from: "bob", process: true, tags: [["Reference", "41"]] as const }
    const { outbox, replies } = s.done(asked).emission
    expect(outbox.map((entry) => [entry.kind, targetOf(entry), own(entry), text(entry)])).toEqual([
      ["message", id("bob"), { Action: "Reply", "X-Reference": "41" }, '{"n":1}'],
    ])
    expect(replies).toEqual([{ to: id(`${s.self} message 1`), value: '{"n":1}' }])
    expect(s.done({ ...asked, process: false }).emission.outbox).toEqual([])
    expect(s.done({ ...asked, tags: [] }).emission.outbox).toEqual([])
  })

  it.each([
    ["1n", "TypeError: the reply to .* can't be written as JSON: .*BigInt"],
    ["m.self = m", "TypeError: the reply to .* can't be written as JSON: circular reference"],
    ["() => 1", "TypeError: the reply to .* can't be written as JSON: it is a function"],
    ["Symbol()", "TypeError: the reply to .* can't be written as JSON: it is a symbol"],
    [
      "({ toJSON() { throw new Error('mine') } })",
      "TypeError: the reply to .* can't be written as JSON: mine",
    ],
  ])("that JSON can't carry fails the turn: %s", (value, message) => {
    expect(stage(`return ${value}`).failed("X")).toMatchObject({
      reason: "threw",
      message: expect.stringMatching(message),
    })
  })

  it("takes only messages", () => {
    for (const value of ["{}", "null", "1", "Object.create(m)"])
      expect(stage(`heddle.reply(${value}, 1)`).failed("X").message).toContain(
        "takes a message that a handler was given",
      )
  })

  it("over 10 MiB fails the turn", () => {
    expect(stage(`return "x".repeat(${Limit.outputBytesPerTurnMax})`).failed("X")).toMatchObject({
      reason: "output too large",
    })
    expect(
      stage(`return "x".repeat(${Limit.outputBytesPerTurnMax - 400})`).done("X").emission.replies,
    ).toHaveLength(1)
  })
})

describe("the outbox", () => {
  const idOf = (s: Stage, index: number, { target, tags, data }: Emission.OutboxEntry) => {
    const origin = { source: s.self, head: s.head(s.slot), index }
    return Result.getOrThrow(
      OutboxItem.make(origin, { target: target.length === 0 ? undefined : target, tags, data }),
    ).id
  }

  it("has messages and spawns under the ids that the guest was told in the same turn", () => {
    const s = stage(`
      const a = heddle.send(m.from, { action: "Hi", tags: { Ünï: "€😀", N: 7, B: true }, data: { n: 1 } })
      const b = heddle.spawn(m.from, { tags: [["Name", "child"], ["Name", "twin"]], data: new Uint8Array([0, 255]) })
      heddle.sleep(1)
      const c = heddle.send(b)
      const d = heddle.spawn(m.id, { action: "Go", tags: { Scheduler: b }, data: "x".repeat(200000) })
      return [a, b, c, d]`)
    const { outbox, replies } = s.done("X").emission
    const told = JSON.parse((replies[0] as { value: string }).value) as ReadonlyArray<string> // answered with a value
    expect([0, 1, 3, 4].map((index) => idOf(s, index, outbox[index]!))).toEqual(told)
    expect(outbox.map(({ kind }) => kind)).toEqual(["message", "spawn", "timer", "message", "spawn"])
    expect(outbox[0]!.tags.slice(0, 3).map(({ value }) => value)).toEqual(["ao", "Message", "heddle.1"])
    expect(outbox[1]!.tags.slice(0, 3).map(({ value }) => value)).toEqual(["ao", "Process", "heddle.1"])
    expect(outbox.map(own)).toEqual([
      { Action: "Hi", Ünï: "€😀", N: "7", B: "true" },
      { Module: id("ada"), Scheduler: id("scheduler"), Name: "twin" },
      { Action: "Timer", "X-Reference": "1" },
      {},
      { Action: "Go", Module: id(`${s.self} message 1`), Scheduler: told[1] },
    ])
    expect(outbox.map(targetOf)).toEqual([id("ada"), "", s.self, told[1], ""])
    expect([text(outbox[0]!), [...outbox[1]!.data], outbox[4]!.data.length]).toEqual([
      '{"n":1}',
      [0, 255],
      200_000,
    ])
  })

  it("writes a lone surrogate as U+FFFD, and the id agrees", () => {
    const s = stage(`return heddle.send(m.from, { data: "a\\ud800b\\udc00", tags: { T: "\\udfff" } })`)
    const { outbox, replies } = s.done("X").emission
    expect(text(outbox[0]!)).toBe("a\uFFFDb\uFFFD")
    expect(own(outbox[0]!)).toEqual({ T: "\uFFFD" })
    expect(replies[0]).toMatchObject({ value: JSON.stringify(idOf(s, 0, outbox[0]!)) })
  })

  it("stays whole for an author who catches that memory ended in the middle of a message", () => {
    const s = new Stage(
      `heddle.on("X", (m) => {
        const big = new Uint8Array(300000), kept = []
        heddle.send(m.from, { data: "first" })
        try { for (;;) kept.push(new Uint8Array(8)) } catch {}
        let refused = 0, sent = 0, top = kept.length
        while (sent < 3) try { heddle.send(m.from, { data: big }); sent++ } catch { refused++; kept[--top] = 0 }
        kept.length = 0
        heddle.send(m.from, { data: "last" })
        return refused
      })`,
      { limits: { fuel: 1_000_000_000n, memoryPagesMax: 120 } },
    )
    const { outbox, replies } = s.done("X").emission
    expect(outbox.map(({ data }) => data.length)).toEqual([5, 300_000, 300_000, 300_000, 4])
    expect(Number((replies[0] as { value: string }).value)).toBeGreaterThan(0) // answered with a count
  })

  it("takes as many entries, tags, tag bytes and data as the limits say, and not one more", () => {
    const tries = (code: string) => stage(`const { from } = m; ${code}`)
    const entries = (n: number) => tries(`for (let i = 0; i < ${n}; i++) heddle.send(from)`)
    expect(entries(1_024).done("X").emission.outbox).toHaveLength(1_024)
    expect(entries(1_025).failed("X").message).toBe("RangeError: a turn emits at most 1024 messages")
    const tags = (n: number) =>
      tries(`heddle.send(from, { tags: Array.from({ length: ${n} }, (_, i) => ["t" + i, i]) })`)
    expect(tags(125).done("X").emission.outbox[0]!.tags).toHaveLength(128)
    expect(tags(126).failed("X").message).toBe("RangeError: a message has at most 128 tags, not 129")
    // Count, three protocol tags, the name and the two lengths of the last, and the closing zero: 53 bytes.
    const bytes = (n: number) => tries(`heddle.send(from, { tags: { t: "x".repeat(${n}) } })`)
    expect(bytes(4_096 - 53).done("X").emission.outbox).toHaveLength(1)
    expect(bytes(4_097 - 53).failed("X").message).toBe(
      "RangeError: the tags of a message have at most 4096 bytes",
    )
    expect(bytes(100_000).failed("X").message).toBe(
      "RangeError: the tags of a message have at most 4096 bytes",
    )
    const data = (...n: ReadonlyArray<number>) =>
      tries(n.map((length) => `heddle.send(from, { data: new Uint8Array(${length}) })`).join("\n"))
    const most = Limit.itemBytesMax - Limit.tagsBytesMax - 1_024
    const rest = Limit.outputBytesPerTurnMax - most
    expect(data(most, rest).done("X").emission.outbox).toHaveLength(2)
    expect(data(most + 1).failed("X").message).toContain(`a message has at most ${most} bytes of data`)
    expect(data(most, rest + 1).failed("X").message).toContain("a turn emits at most 10485760 bytes of data")
  })

  it.each([
    ["heddle.send('short')", `the target "short" is not an id`],
    ["heddle.send('B'.repeat(43))", "is not an id"],
    ["heddle.send(undefined)", `the target "undefined" is not an id`],
    ["heddle.send(m.from, { tags: { A: '' } })", `tag "A" is empty`],
    ["heddle.send(m.from, { tags: { '': 'a' } })", "a tag's name is a text that is not empty"],
    ["heddle.send(m.from, { tags: { A: {} } })", `tag "A" is a object, not a text`],
    ["heddle.send(m.from, { tags: { Type: 'Process' } })", `tag "Type" is set by heddle`],
    ["heddle.send(m.from, { action: 'A', tags: { Action: 'B' } })", `tag "Action" is set by heddle`],
    ["heddle.ask(m.from, { tags: { Reference: '1' } })", `tag "Reference" is set by heddle`],
    ["heddle.send(m.from, { data: 1n })", "the data can't be written as JSON"],
    ["heddle.spawn()", `tag "Module" is a undefined`],
    ["heddle.sleep('1 h')", `"1 h" is not a duration`],
    ["heddle.sleep(-1)", `"-1" is not a duration`],
    ["heddle.sleep(NaN)", `"NaN" is not a duration`],
    ["heddle.sleep(2 ** 53)", "is not a duration"],
    ["heddle.ask(m.from, {}, { timeout: 'soon' })", `"soon" is not a duration`],
    ["heddle.on('A', 1)", "a handler is a function, not a number"],
    ["heddle.on('', () => 1)", "an action is a text that is not empty"],
    ["heddle.publish('', 1)", "a view's name is a text that is not empty"],
    ["heddle.publish('a', () => 1)", `view "a" can't be written as JSON`],
    ["heddle.publish('a', 'x'.repeat(262143))", "a view has at most 262144 bytes as JSON"],
    ["for (let i = 0; i < 1001; i++) heddle.publish('a', i)", "a turn publishes at most 1000 views"],
  ])("refuses in the author's face: %s", (code, message) => {
    expect(stage(code).failed("X").message).toContain(message)
  })
})

describe("views and console", () => {
  it("have names that differ as bytes: halves of a pair are the one replacement character", () => {
    const s = stage(String.raw`heddle.publish("\ud800", 1); heddle.publish("\ud801x", 2)`)
    expect(s.done("X").emission.views.map(({ name }) => name)).toEqual(["\ufffd", "\ufffdx"])
  })

  it("come with the turn in their order", () => {
    const s =
      stage(`heddle.publish("a", 1); heddle.publish("__proto__", { b: 2 }); heddle.publish("a", null); heddle.publish("c")
      console.log("x", 1, { y: [2] }, null, undefined, Symbol("s"), 3n); console.error(new TypeError("z"))`)
    const { emission, console } = s.done("X")
    expect(emission.views).toEqual([
      { name: "a", value: "1" },
      { name: "__proto__", value: '{"b":2}' },
      { name: "a", value: null },
      { name: "c", value: null },
    ])
    expect(console[0]).toEqual(["log", `x 1 {"y":[2]} null undefined Symbol(s) 3`])
    expect(console[1]).toEqual(["error", expect.stringMatching(/^TypeError: z\n {4}at .*module\.js/)])
  })

  it("keep 1,000 lines and 64 KiB, and say that they were cut", () => {
    const lines = (n: number) => stage(`for (let i = 0; i < ${n}; i++) console.log(i)`).done("X").console
    expect(lines(1_000).at(-1)).toEqual(["log", "999"])
    expect(lines(5_000)).toHaveLength(1_001)
    expect(lines(1_001).at(-1)).toEqual(["warn", expect.stringContaining("cut")])
    const long = stage("for (let i = 0; i < 9; i++) console.log('x'.repeat(10000))").done("X").console
    expect(long).toHaveLength(7)
    expect(long.at(-1)).toEqual(["warn", expect.stringContaining("cut")])
  })

  it("leave the console of a turn that fails to be read, even where it never ended", () => {
    const s = new Stage(`heddle.on("X", () => { console.log("before"); for (;;) {} })`, {
      limits: { ...limits, fuel: 10_000_000n },
    })
    expect(s.failed("X")).toMatchObject({ reason: "out of fuel", console: [["log", "before"]] })
  })
})

describe("randomness", () => {
  it("is a stream of the seed: equal for equal seeds, another in each turn, and even", () => {
    const script = `heddle.on("X", () => Array.from({ length: 2000 }, () => Math.random()))`
    const [a, b] = [new Stage(script), new Stage(script)]
    const first = a.value("X") as ReadonlyArray<number>
    expect(b.value("X")).toEqual(first)
    const second = a.value("X") as ReadonlyArray<number>
    expect(second[0]).not.toBe(first[0])
    const all = [...first, ...second]
    expect(new Set(all).size).toBe(4_000)
    expect(all.every((value) => value >= 0 && value < 1)).toBe(true)
    expect(all.reduce((sum, value) => sum + value) / 4_000).toBeCloseTo(0.5, 1)
  })
})

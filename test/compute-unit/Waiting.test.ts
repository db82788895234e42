import { describe, expect, it } from "vitest"
import type * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import { id, limits, type Sent, Stage } from "./Stage.ts"

const reply = (from: string, n: number, value: unknown, more: Partial<Sent> = {}): Sent => ({
  action: "Reply",
  from,
  process: true,
  tags: [["X-Reference", String(n)]],
  data: JSON.stringify(value),
  ...more,
})
const timer = (n: number): Sent => ({ action: "Timer", from: "self", tags: [["X-Reference", String(n)]] })
const outbox = (result: Turn.Done) =>
  result.emission.outbox.map(({ kind, target, tags, data, due }) => ({
    kind,
    target: Bytes.toBase64Url(target),
    tags: Object.fromEntries(tags.slice(3).map(({ name, value }) => [name, value])),
    data: Bytes.toText(data),
    ...(due === 0 ? {} : { due }),
  }))
const replies = (result: Turn.TurnResult) => (result._tag === "Done" ? result.emission.replies : [])
const messageId = (s: Stage, slot: number) => id(`${s.self} message ${slot}`)
const nothing = { outbox: [], replies: [], views: [] }

const asking = `
  const bob = "${id("bob")}"
  let asked = 0
  heddle.on("Ask", async (m) => {
    const n = ++asked
    const value = await heddle.ask(bob, { action: "Price", data: { n } }, m.data ? { timeout: m.data } : undefined)
    await null
    return { n, value, asked }
  })
  heddle.on("Try", async () => { try { return await heddle.ask(bob) } catch (error) { return [error.name, error.message] } })
  heddle.on("Sleep", async (m) => { await heddle.sleep(m.data); return heddle.now() - m.timestamp })
  heddle.on("Boom", async (m) => { asked = 99; await heddle.ask(bob); asked = 100; throw new RangeError("after " + m.data) })
  heddle.on("Burn", async () => { await heddle.ask(bob); for (;;) {} })
  heddle.on("Now", () => { throw new Error("at once") })
  heddle.on("Asked", () => asked)
  heddle.on("Never", () => new Promise(() => {}))`

describe("ask", () => {
  it("sends a message with a reference, and goes on where the reply comes, in a later turn", () => {
    const s = new Stage(asking)
    const first = s.done("Ask")
    expect(replies(first)).toEqual([])
    expect(outbox(first)).toEqual([
      { kind: "message", target: id("bob"), tags: { Action: "Price", Reference: "1" }, data: '{"n":1}' },
    ])
    expect(replies(s.done(reply("bob", 1, { cents: 5 })))).toEqual([
      { to: messageId(s, 1), value: '{"n":1,"value":{"cents":5},"asked":1}' },
    ])
  })

  it("takes replies out of order, each to its own", () => {
    const s = new Stage(asking)
    for (let n = 1; n <= 3; n++) s.done("Ask")
    const found = [2, 3, 1].map((n) => replies(s.done(reply("bob", n, n * 10))))
    expect(found).toEqual(
      [2, 3, 1].map((n) => [{ to: messageId(s, n), value: `{"n":${n},"value":${n * 10},"asked":3}` }]),
    )
  })

  it("hears nobody but the process that was asked, only once, and passes the rest over without an error", () => {
    const s = new Stage(asking)
    s.done("Ask")
    const others: ReadonlyArray<Sent> = [
      reply("eve", 1, "forged"),
      reply("bob", 2, "unknown"),
      reply("bob", 1, "no reference", { tags: [] }),
      reply("bob", 1, "other spelling", { tags: [["X-Reference", "01"]] }),
      reply("bob", 1, "a key of the same name", { process: false, action: "Asked" }),
      timer(7),
      { action: "Timer", from: "eve", process: true, tags: [["X-Reference", "1"]], data: "" },
    ]
    for (const sent of others.slice(0, 4)) expect(s.done(sent).emission).toEqual(nothing)
    expect(s.value(others[4])).toBe(1)
    expect(s.done(others[5]).emission).toEqual(nothing)
    expect(s.failed(others[6]).message).toContain(`no handler for action "Timer"`)
    expect(s.failed(reply("bob", 1, 0, { process: false })).message).toContain(
      `no handler for action "Reply"`,
    )
    expect(replies(s.done(reply("bob", 1, "real")))).toHaveLength(1)
    expect(s.done(reply("bob", 1, "again")).emission).toEqual(nothing)
  })

  it("rejects with the error of the reply, and with a reply that is not JSON", () => {
    const s = new Stage(asking)
    const tried = (sent: Partial<Sent>, n: number) => {
      s.done("Try")
      const [answer] = replies(s.done(reply("bob", n, "", sent)))
      return JSON.parse((answer as { value: string }).value) as unknown // answered with a value
    }
    expect(
      tried(
        {
          tags: [
            ["X-Reference", "1"],
            ["Error", "too poor"],
          ],
        },
        1,
      ),
    ).toEqual(["Error", "too poor"])
    expect(tried({ data: "{" }, 2)).toEqual(["TypeError", `the reply of ${id("bob")} is not JSON`])
    expect(tried({ data: Uint8Array.of(0xff) }, 3)).toEqual([
      "TypeError",
      `the reply of ${id("bob")} is not JSON`,
    ])
    expect(tried({ data: "" }, 4)).toBe(null)
  })

  it("times out by a timer to itself, and not after the reply", () => {
    const s = new Stage(asking)
    const sent = outbox(s.done({ action: "Ask", data: "2m" }))
    expect(sent[1]).toEqual({
      kind: "timer",
      target: s.self,
      tags: { Action: "Timer", "X-Reference": "1" },
      data: "",
      due: s.timestamp + 120_000,
    })
    const late = s.failed(timer(1))
    expect(late).toMatchObject({ message: "ask timed out", failed: [messageId(s, 1)] })
    const other = new Stage(asking)
    other.done({ action: "Ask", data: "500ms" })
    other.done(reply("bob", 1, 1))
    expect(other.done(timer(1)).emission).toEqual(nothing)
  })
})

describe("sleep", () => {
  it.each([
    ["250", 250],
    ["30s", 30_000],
    ["2m", 120_000],
    ["1.5h", 5_400_000],
    ["1d", 86_400_000],
    ["500ms", 500],
  ])("of %s sets a timer and goes on when it goes off", (text, ms) => {
    const s = new Stage(
      asking.replace("heddle.sleep(m.data)", "heddle.sleep(isNaN(m.data) ? m.data : Number(m.data))"),
    )
    expect(outbox(s.done({ action: "Sleep", data: text }))).toMatchObject([
      { kind: "timer", due: s.timestamp + ms },
    ])
    expect(replies(s.done({ ...timer(1), after: ms + 7 }))).toEqual([
      { to: messageId(s, 1), value: String(ms + 7) },
    ])
  })

  it("is ended by nothing but its timer", () => {
    const s = new Stage(asking)
    s.done({ action: "Sleep", data: "1s" })
    expect(s.done(reply("self", 1, 1)).emission).toEqual(nothing)
    expect(replies(s.done(timer(1)))).toHaveLength(1)
  })

  it("lets messages of time that it did not ask for come to their handlers", () => {
    const s = new Stage(`heddle.on("Cron", (m) => ["cron", m.from === heddle.process.id])`)
    expect(s.value({ action: "Cron", from: "self" })).toEqual(["cron", true])
  })
})

describe("a promise that nothing resolves", () => {
  it("is no error and no answer, and the process goes on", () => {
    const s = new Stage(asking)
    for (let n = 0; n < 5; n++) expect(s.done("Never").emission).toEqual(nothing)
    expect(s.value("Asked")).toBe(0)
  })
})

describe("a failed turn that is abandoned", () => {
  const failThenAbandon = (s: Stage, sent: Sent | string) => {
    const failure = s.failed(sent)
    const root = s.root
    const input = s.input(typeof sent === "string" ? { action: sent } : sent)
    return { failure, root, result: s.machine.abandon(s.memory, input, failure, s.limits) as Turn.Done } // checked by its use
  }
  const byProcess = { from: "carol", process: true, tags: [["Reference", "8"]] } as const

  it("answers who asked for a continuation that threw, and keeps the memory of before it", () => {
    const s = new Stage(asking)
    s.done({ action: "Boom", data: "ask", ...byProcess })
    const { failure, result } = failThenAbandon(s, reply("bob", 1, 1))
    expect(failure).toMatchObject({
      reason: "threw",
      message: "RangeError: after ask",
      failed: [messageId(s, 1)],
    })
    expect(failure.stack).toContain("module.js:")
    const error = "TurnFailed: RangeError: after ask"
    expect(replies(result)).toEqual([{ to: messageId(s, 1), error }])
    expect(outbox(result)).toEqual([
      {
        kind: "message",
        target: id("carol"),
        tags: { Action: "Reply", "X-Reference": "8", Error: error },
        data: "",
      },
    ])
    // What was set before the await is kept, what was set after it is gone; the reply is used up.
    expect(s.value("Asked")).toBe(99)
    expect(s.done(reply("bob", 1, 1)).emission).toEqual(nothing)
  })

  it("answers who asked for a continuation that never came back", () => {
    const s = new Stage(asking)
    s.done({ action: "Burn", ...byProcess })
    const { failure, result } = failThenAbandon(s, reply("bob", 1, 1))
    expect(failure).toMatchObject({ reason: "out of fuel", failed: [] })
    expect(replies(result)).toEqual([
      { to: messageId(s, 1), error: expect.stringMatching(/^TurnFailed: more than \d+ fuel$/) },
    ])
    expect(outbox(result)).toHaveLength(1)
  })

  it("answers the message itself where its own turn failed", () => {
    const s = new Stage(asking)
    for (const [sent, messages] of [
      [{ action: "Now", ...byProcess }, 1],
      ["Now", 0],
      [{ action: "Nope", ...byProcess }, 1],
    ] as const) {
      const { failure, result } = failThenAbandon(s, sent)
      expect(replies(result)).toEqual([{ to: messageId(s, s.slot), error: `TurnFailed: ${failure.message}` }])
      expect(outbox(result)).toHaveLength(messages)
    }
  })

  it("answers however long the message and the error were, for nearly the same fuel", () => {
    const s = new Stage(
      `const long = (length) => Object.assign(new Error("é".repeat(length)), { name: "N".repeat(length) })
       heddle.on("Long", (m) => { throw long(Number(m.tags.Length)) })
       heddle.on("Later", async (m) => { await heddle.sleep(1); throw long(Number(m.tags.Length)) })`,
      { limits: { fuel: 4_000_000_000n, memoryPagesMax: 2_048 } },
    )
    s.spawn()
    const fuel: Array<number> = []
    const abandoned = (sent: Sent, of: () => number) => {
      const { failure, result } = failThenAbandon(s, sent)
      const error = `TurnFailed: ${failure.message.slice(0, 1_000)}`
      expect(replies(result)).toEqual([{ to: messageId(s, of()), error }])
      expect(outbox(result)).toMatchObject([{ target: id("carol"), tags: { "X-Reference": "5" } }])
      fuel.push(Number(result.fuelUsed))
    }
    let waits = 0
    for (const data of ["", "x".repeat(9_000_000), new Uint8Array(9_000_000).fill(0xff)])
      for (const length of ["0", "1000", "1000000"]) {
        const tags = [
          ["Length", length],
          ["Reference", "5"],
          ["Pad", "p".repeat(3_000)],
        ] as const
        const sent: Sent = { from: "carol", process: true, data, tags }
        abandoned({ ...sent, action: "Long" }, () => s.slot)
        s.done({ ...sent, action: "Later" })
        const { slot } = s
        abandoned(timer(++waits), () => slot)
      }
    expect(fuel).toHaveLength(18)
    expect(Math.max(...fuel)).toBeLessThan(3_000_000) // 10,000,000 are in reserve
  })

  it("answers every message whose handler failed in it", () => {
    const s = new Stage(`
      let open; const gate = new Promise((resolve) => { open = resolve })
      heddle.on("Wait", async (m) => { await gate; if (m.data === "throw") throw new Error("late") })
      heddle.on("Open", () => { open(); return "opened" })`)
    s.done({ action: "Wait", data: "throw" })
    s.done({ action: "Wait" })
    s.done({ action: "Wait", data: "throw" })
    const { failure, result } = failThenAbandon(s, "Open")
    expect(failure.failed).toEqual([messageId(s, 1), messageId(s, 3)])
    const error = "TurnFailed: late"
    expect(replies(result)).toEqual([4, 1, 3].map((slot) => ({ to: messageId(s, slot), error })))
  })

  it("answers nobody twice", () => {
    const s = new Stage(
      `heddle.on("X", async (m) => { m.reply("early"); await heddle.sleep(1); throw new Error("late") })`,
    )
    expect(replies(s.done("X"))).toEqual([{ to: messageId(s, 1), value: '"early"' }])
    const { failure, result } = failThenAbandon(s, timer(1))
    expect(failure.failed).toEqual([messageId(s, 1)])
    expect(result.emission).toEqual(nothing)
    expect(s.done(timer(1)).emission).toEqual(nothing)
  })

  it("runs none of the author's code", () => {
    const s = new Stage(`let caught = 0
      heddle.on("X", async () => { try { await heddle.ask(heddle.process.owner) } catch { caught++ } for (;;) {} })
      heddle.on("Caught", () => caught)`)
    s.done("X")
    failThenAbandon(s, reply("ada", 1, 1))
    expect(s.value("Caught")).toBe(0)
  })

  it("tells the process who it is where its spawn failed", () => {
    const s = new Stage(
      `heddle.on("Spawn", () => { throw new Error("no") }); heddle.on("Who", () => heddle.process.id)`,
    )
    const failure = s.spawn() as Turn.Failed // its handler throws
    expect(s.machine.abandon(s.memory, s.input({}), failure, s.limits)).toMatchObject({
      _tag: "Done",
      emission: { replies: [{ to: s.self, error: "TurnFailed: no" }] },
    })
    expect(s.value("Who")).toBe(s.self)
  })

  it("has fuel and memory in reserve, over what the process has left", () => {
    const full = `const kept = []; heddle.on("Fill", () => { try { for (;;) kept.push(new Uint8Array(4096)) } catch {} }); heddle.on("X", async () => { await heddle.sleep(1); kept.push(new Uint8Array(1e7)) })`
    const s = new Stage(full, { limits: { ...limits, memoryPagesMax: 110 } })
    s.done("X")
    s.turn("Fill")
    s.limits = { fuel: 1n, memoryPagesMax: 110 }
    const { failure, result } = failThenAbandon(s, timer(1))
    expect(failure.reason).toMatch(/out of (fuel|memory)/)
    expect(replies(result)).toEqual([{ to: messageId(s, 1), error: `TurnFailed: ${failure.message}` }])
  })
})

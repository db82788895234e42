/** The two halves of an upgrade, as programs meet them: what goes over, who is told, and what can go wrong. */
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import type * as Emission from "../../compute-unit/Emission.ts"
import type * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import { boot, id, limits, type Sent, Stage } from "./Stage.ts"

const upgradeMessage: Sent = { action: "Upgrade" }

/** Upgrades a process; where that went well, it goes on in what is given back. */
const tried = (s: Stage, script: string, sent = upgradeMessage) => {
  s.slot++
  s.timestamp++
  const root = s.root
  const { result, memory } = s.machine.upgrade(
    s.memory,
    boot(script, s.limits),
    s.input(sent),
    s.limits,
    () => undefined,
  )
  expect(s.root).toBe(root) // the memory of before stays as it is, whatever came of it
  const after = new Stage(memory, { machine: s.machine, limits: s.limits })
  after.slot = s.slot
  after.timestamp = s.timestamp
  return { result, after }
}
const upgraded = (s: Stage, script: string, sent?: Sent) => {
  const { result, after } = tried(s, script, sent)
  if (result._tag === "Failed") throw new Error(`${result.reason}: ${result.message}\n${result.stack}`)
  return { result, after }
}
const refused = (s: Stage, script: string) => {
  const { result, after } = tried(s, script)
  if (result._tag === "Done") throw new Error("it went well")
  expect(after.memory).toBe(s.memory)
  return result
}

const started = (script: string): Stage => {
  const s = new Stage(script)
  s.spawn()
  return s
}
const messageId = (s: Stage, slot: number) => id(`${s.self} message ${slot}`)
const texts = (outbox: ReadonlyArray<Emission.OutboxEntry>) => outbox.map(({ data }) => Bytes.toText(data))
const tagsOf = ({ tags }: Emission.OutboxEntry) =>
  Object.fromEntries(tags.slice(3).map(({ name, value }) => [name, value]))
const reply = (from: string, n: number, value: unknown): Sent => ({
  action: "Reply",
  from,
  process: true,
  tags: [["X-Reference", String(n)]],
  data: JSON.stringify(value),
})

const counter = `
  let count = 0
  heddle.onExport(() => ({ count, note: "é\\u0000\\ud800\\"" }))
  heddle.on("Add", () => ++count)`
const counter2 = `
  let count = 0, taken
  heddle.onImport((value) => { taken = value; count = 100 * value.count })
  heddle.on("Add", () => ++count)
  heddle.on("Taken", () => taken)
  heddle.on("Who", () => [heddle.process.id, heddle.process.owner, heddle.process.tags.Name, heddle.now()])
  heddle.on("Spawn", () => { throw new Error("it was spawned before") })`

describe("an upgrade", () => {
  it("hands over what was exported, and nothing else", () => {
    const s = started(counter)
    for (let n = 1; n <= 3; n++) expect(s.value("Add")).toBe(n)
    const { result, after } = upgraded(s, counter2)
    expect(result.emission).toEqual({
      outbox: [],
      views: [],
      replies: [{ to: messageId(s, 4), value: "null" }],
    })
    expect(after.value("Add")).toBe(301)
    expect(after.value("Taken")).toEqual({ count: 3, note: 'é\0\ud800"' })
    expect(after.failed("Get").message).toContain("this process handles: Add, Taken, Who")
  })

  it("tells the new program who the process is, and what time it is", () => {
    const { after } = upgraded(started(counter), counter2)
    expect(after.value("Who")).toEqual([after.self, id("ada"), "test", after.timestamp])
  })

  it("answers the owner's process as a message where it asked", () => {
    const asked: Sent = { action: "Upgrade", from: "dao", process: true, tags: [["Reference", "7"]] }
    const { result } = upgraded(started(counter), counter2, asked)
    const [answer] = result.emission.outbox
    expect([Bytes.toBase64Url(answer!.target), tagsOf(answer!), Bytes.toText(answer!.data)]).toEqual([
      id("dao"),
      { Action: "Reply", "X-Reference": "7" },
      "null",
    ])
  })

  it("goes from nothing exported to an importer that is given undefined, and to none", () => {
    const importing = `let given = "none"; heddle.onImport((value) => { given = [value === undefined] }); heddle.on("Given", () => given)`
    expect(upgraded(started(""), importing).after.value("Given")).toEqual([true])
    const exporting = (value: string) => `heddle.onExport(() => ${value})`
    expect(upgraded(started(exporting("undefined")), importing).after.value("Given")).toEqual([false])
    const none = upgraded(started(""), `heddle.on("X", () => 1)`)
    expect(none.after.value("X")).toBe(1)
  })

  it("can be made again, with what the one before imported", () => {
    const both = `let kept = []; heddle.onExport(() => kept); heddle.onImport((value) => { kept = [...value, heddle.now()] })
      heddle.on("Kept", () => kept.length)`
    let s = started(both)
    for (let n = 1; n <= 3; n++) {
      const { after } = upgraded(s, both)
      expect(after.value("Kept")).toBe(n)
      s = after
    }
  })

  it("comes to the same outcome, fuel and memory on a second run", () => {
    const run = () => {
      const s = started(counter)
      s.done("Add")
      const { result, after } = upgraded(s, counter2)
      return [result, after.root]
    }
    expect(run()).toEqual(run())
  })
})

describe("what was under way", () => {
  const waiting = `
    const bob = "${id("bob")}"
    heddle.on("Ask", async () => await heddle.ask(bob, {}, { timeout: "1h" }))
    heddle.on("Never", () => new Promise(() => {}))
    heddle.on("Early", (m) => { m.reply("early"); return new Promise(() => {}) })
    heddle.on("Done", () => 1)`
  const error = "Upgraded: the process goes on as another program"

  it("is answered with an error, as a message too where a process waits", () => {
    const s = started(waiting)
    s.done({ action: "Ask", from: "carol", process: true, tags: [["Reference", "41"]] })
    s.done("Never")
    s.done("Early")
    s.done("Done")
    const { result } = upgraded(s, "")
    expect(result.emission.replies).toEqual([
      { to: messageId(s, 1), error },
      { to: messageId(s, 2), error },
      { to: messageId(s, 5), value: "null" },
    ])
    const [answer, ...more] = result.emission.outbox
    expect(more).toEqual([])
    expect([Bytes.toBase64Url(answer!.target), tagsOf(answer!)]).toEqual([
      id("carol"),
      { Action: "Reply", "X-Reference": "41", Error: error },
    ])
  })

  it("ends no wait of the new program, however late its answers come", () => {
    const s = started(waiting)
    s.done("Ask")
    s.done("Ask")
    const { after } = upgraded(s, waiting)
    const [asked] = after.done("Ask").emission.outbox
    expect(tagsOf(asked!)).toMatchObject({ Reference: "3" }) // two asks came before
    for (const n of [1, 2]) expect(after.done(reply("bob", n, "late")).emission.replies).toEqual([])
    const timer: Sent = { action: "Timer", from: "self", tags: [["X-Reference", "2"]] }
    expect(after.done(timer).emission.replies).toEqual([])
    expect(after.done(reply("bob", 3, "in time")).emission.replies).toMatchObject([{ value: '"in time"' }])
  })

  it("can still be answered by the exporter", () => {
    const s =
      started(`const kept = []; heddle.on("Keep", (m) => { kept.push(m); return new Promise(() => {}) })
      heddle.onExport(() => { for (const m of kept) m.reply(m.slot) })`)
    s.done("Keep")
    s.done("Keep")
    expect(upgraded(s, `heddle.onImport(() => {})`).result.emission.replies.slice(0, 2)).toEqual([
      { to: messageId(s, 1), value: "1" },
      { to: messageId(s, 2), value: "2" },
    ])
  })

  it("of more messages than a turn can answer is answered in the outcome, and half the outbox is left", () => {
    const s = started(waiting)
    s.limits = { ...limits, fuel: 1_000_000_000n }
    const ask = { action: "Never", from: "carol", process: true, tags: [["Reference", "1"]] } as const
    const half = Limit.outboxEntriesPerTurnMax / 2
    for (let n = 0; n < half + 10; n++) s.done(ask)
    const sending = (n: number) =>
      `heddle.onImport(() => { for (let i = 0; i < ${n}; i++) heddle.send(heddle.process.owner, { data: "new" }) })`
    const { result } = upgraded(s, sending(half))
    expect(result.emission.outbox).toHaveLength(Limit.outboxEntriesPerTurnMax)
    expect(texts(result.emission.outbox).filter((text) => text === "new")).toHaveLength(half)
    expect(result.emission.replies).toHaveLength(half + 11)
    expect(result.emission.replies.filter((one) => "error" in one && one.error === error)).toHaveLength(
      half + 10,
    )
    expect(refused(s, sending(half + 1)).message).toBe("RangeError: a turn emits at most 1024 messages")
  })

  it("does not go on: what the exporter leaves to be done ends with its program", () => {
    const s = started(`let open; const gate = new Promise((resolve) => { open = resolve })
      heddle.on("Wait", async (m) => { await gate; heddle.send(m.from, { data: "went on" }); throw new Error("late") })
      heddle.onExport(() => { open(); Promise.resolve().then(() => heddle.send(heddle.process.owner)); return 1 })`)
    s.done("Wait")
    const { emission } = upgraded(s, `heddle.onImport(() => {})`).result
    expect([emission.outbox, emission.replies.length]).toEqual([[], 2])
  })
})

describe("what both programs send in an upgrade", () => {
  it("goes out in their order, under the ids that they were told", () => {
    const s = started(
      `heddle.onExport(() => [heddle.send(heddle.process.owner, { data: "old 1" }), heddle.send(heddle.process.owner, { data: "old 2" })])`,
    )
    const { result, after } = upgraded(
      s,
      `let ids
       heddle.onImport((value) => {
         heddle.publish("from", value.length); console.log("imported")
         ids = [...value, heddle.send(heddle.process.owner, { data: "new 1" }), heddle.send(heddle.process.owner, { data: "new 2" })] })
       heddle.on("Ids", () => ids)`,
    )
    const { outbox, views } = result.emission
    expect(texts(outbox)).toEqual(["old 1", "old 2", "new 1", "new 2"])
    expect([views, result.console]).toEqual([[{ name: "from", value: "2" }], [["log", "imported"]]])
    const head = s.head(s.slot)
    const ids = outbox.map(
      ({ target, tags, data }, index) =>
        Result.getOrThrow(OutboxItem.make({ source: s.self, head, index }, { target, tags, data })).id,
    )
    expect(after.value("Ids")).toEqual(ids)
  })

  it("has the limits of one turn", () => {
    const sending = (hook: string, code: string) =>
      `heddle.${hook}(() => { const to = heddle.process.owner; ${code} })`
    const many = (hook: string, n: number) => sending(hook, `for (let i = 0; i < ${n}; i++) heddle.send(to)`)
    const views = (hook: string, n: number) =>
      sending(hook, `for (let i = 0; i < ${n}; i++) heddle.publish("v", i)`)
    const data = (hook: string, n: number) => sending(hook, `heddle.send(to, { data: new Uint8Array(${n}) })`)
    const first = 3 * 1024 * 1024
    const rest = Limit.outputBytesPerTurnMax - first
    for (const [make, most, left, message] of [
      [many, 1_000, 24, "a turn emits at most 1024 messages"],
      [views, 600, 400, "a turn publishes at most 1000 views"],
      [data, first, rest, "a turn emits at most 10485760 bytes of data"],
    ] as const) {
      const s = started(make("onExport", most))
      s.limits = { fuel: 2_000_000_000n, memoryPagesMax: 1_024 }
      upgraded(s, make("onImport", left))
      expect(refused(s, make("onImport", left + 1)).message).toBe(`RangeError: ${message}`)
    }
  })
})

describe("an upgrade that fails", () => {
  it.each([
    ["heddle.onExport(() => { throw new RangeError('mine') })", "", "RangeError: mine"],
    ["heddle.onExport(async () => 1)", "", "TypeError: the export must not wait"],
    ["heddle.onExport(() => ({ then() {} }))", "", "TypeError: the export must not wait"],
    ["heddle.onExport(() => 1n)", "", "TypeError: the export can't be written as JSON: "],
    ["heddle.onExport(() => 1)", "", "this program has no onImport for what the one before it exported"],
    ["", "heddle.onImport(() => { throw new RangeError('mine') })", "RangeError: mine"],
    ["", "heddle.onImport(async () => {})", "TypeError: the import must not wait"],
  ])("leaves the process what it was: %s, %s", (before, after, message) => {
    const s = started(`let n = 0; heddle.on("N", () => ++n); ${before}`)
    s.done("N")
    const result = refused(s, after)
    expect(result).toMatchObject({ reason: "threw", failed: [messageId(s, 2)] })
    expect(result.message).toContain(message)
    const told = s.machine.abandon(s.memory, s.input(upgradeMessage), result, s.limits)
    expect(told).toMatchObject({ emission: { replies: [{ error: `TurnFailed: ${result.message}` }] } })
    expect(s.value("N")).toBe(2)
  })

  it.each([
    ["onExport", "for (;;) {}", "out of fuel"],
    ["onImport", "for (;;) {}", "out of fuel"],
    ["onExport", `return "x".repeat(11e6)`, "output too large"],
    ["onImport", "const all = []; for (;;) all.push(new Uint8Array(4e6).fill(1))", "out of memory"],
  ])("for want of fuel, memory or room leaves it so too: %s with %s", (hook, body, reason) => {
    const code = `heddle.${hook}(() => { ${body} })`
    const s = started(hook === "onExport" ? code : "")
    s.limits = { fuel: 4_000_000_000n, memoryPagesMax: 1_024 }
    expect(refused(s, hook === "onImport" ? code : "")).toMatchObject({ reason })
  })

  it("is not caused by what was handled badly before", () => {
    const s = started(`heddle.onExport(() => 5); heddle.on("Bad", () => { throw new Error("bad") })`)
    s.failed("Bad")
    const { after } = upgraded(s, `let n; heddle.onImport((value) => { n = value }); heddle.on("N", () => n)`)
    expect(after.value("N")).toBe(5)
  })
})

describe("onExport and onImport", () => {
  it.each(["onExport", "onImport"])("%s takes one function, once", (name) => {
    const failing = (code: string) => new Stage(`heddle.on("X", () => { ${code} })`).failed("X").message
    expect(failing(`heddle.${name}(1)`)).toMatch(/^TypeError: what (ex|im)ports is a function, not a number$/)
    expect(failing(`heddle.${name}(() => 1); heddle.${name}(() => 2)`)).toBe(`${name} was called before`)
  })

  it("are not called in ordinary turns, whose words stay as they were", () => {
    const s = started(
      `heddle.onExport(() => { throw 1 }); heddle.onImport(() => { throw 2 }); heddle.on("X", () => 3)`,
    )
    const done: Turn.Done = s.done("X")
    expect(done.emission.replies).toMatchObject([{ value: "3" }])
  })
})

import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import type { Answer } from "../../compute-unit/ComputeUnit.ts"
import * as Engine from "../../compute-unit/Engine.ts"
import * as Evaluation from "../../compute-unit/Evaluation.ts"
import * as Metadata from "../../compute-unit/Metadata.ts"
import * as ProcessState from "../../compute-unit/ProcessState.ts"
import * as Snapshot from "../../compute-unit/Snapshot.ts"
import type { Entry, Evaluated } from "../../compute-unit/Sandbox.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Drop from "../../runtime/Drop.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import type * as Outcome from "../../runtime/Outcome.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as Tag from "../../runtime/Tag.ts"
import * as Void from "../../runtime/Void.ts"
import * as Life from "../support/Life.ts"
import { id } from "../support/Unsigned.ts"

const bob = id("bob")
const few: ReadonlyArray<readonly [string, string]> = [["Compute-Limit", "20000000"]]

/** A process that is evaluated in this thread, slot by slot. */
class Process {
  readonly machine = new Turn.Machine()
  readonly life: Life.Life
  readonly state: ProcessState.ProcessState

  constructor(source: string, tags: ReadonlyArray<readonly [string, string]> = few, name?: string) {
    this.life = Life.make(source, tags, name)
    this.state = ProcessState.open(this.life.opening)
    this.evaluate(this.life.next())
  }

  get root(): string {
    return Bytes.toHex(ProcessState.stateRoot(this.state))
  }

  get metadata(): string {
    return Bytes.toHex(Metadata.hash(this.state.metadata, Bytes.empty))
  }

  evaluate(entry: Entry): Evaluated {
    return Evaluation.evaluate(this.machine, this.state, entry)
  }

  turn(said: Life.Said | string): Outcome.Outcome {
    return this.evaluate(this.life.next(said)).outcome
  }

  /** What the message is answered in its own turn. */
  value(said: Life.Said | string): unknown {
    const { replies, error } = this.turn(said)
    const [reply] = replies
    if (error !== undefined || reply === undefined || "error" in reply)
      throw new Error(JSON.stringify([error, replies]))
    return JSON.parse(reply.value) as unknown
  }
}

const messageOf = (entry: Pick<Outcome.OutboxEntry, "item">): Message.Message =>
  Result.getOrThrow(Result.flatMap(Item.decode(entry.item), Message.parse))

const tagOf = (entry: Outcome.OutboxEntry, name: string) => Tag.value(messageOf(entry).item.tags, name)

const counter = `
  let n = 0
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })
  heddle.on("Get", () => n)
  heddle.on("Fail", (m) => {
    n = 1000
    heddle.publish("n", n)
    heddle.publish("other", 1)
    heddle.send(m.tags.To, { action: "Boo" })
    heddle.sleep("1s")
    throw new RangeError("no")
  })`

describe("a turn that stands", () => {
  it("is told in full: slot, message, fuel, replies, views", () => {
    const process = new Process(counter)
    const entry = process.life.next("Add")
    const { outcome, trace, stateRoot } = process.evaluate(entry)
    const message = Result.getOrThrow(Item.decode(entry.item)).id
    expect(outcome).toEqual({
      slot: 1,
      message,
      error: undefined,
      fuelUsed: outcome.fuelUsed,
      replies: [{ to: message, value: "1" }],
      views: [{ name: "n", value: "1" }],
      outbox: [],
    })
    expect(outcome.fuelUsed).toBeGreaterThan(0n)
    expect(trace).toEqual({ console: [], stack: undefined })
    expect(stateRoot).toEqual(ProcessState.stateRoot(process.state))
  })

  it("sees the assignment's time, and randomness that follows from process, slot and head alone", () => {
    const script = `heddle.on("See", () => [Date.now(), heddle.now(), Math.random(), Math.random()])`
    const see = (head: Uint8Array, name = "seer") => {
      const process = new Process(script, few, name)
      return process.evaluate({ ...process.life.next({ action: "See", timestamp: 777_000 }), head }).outcome
        .replies
    }
    const [head, other] = [Hash.sha256(Bytes.fromText("a")), Hash.sha256(Bytes.fromText("b"))]
    const values = [see(head), see(head), see(other), see(head, "somebody else")].map(([reply]) =>
      reply !== undefined && "value" in reply ? (JSON.parse(reply.value) as ReadonlyArray<number>) : [],
    )
    expect(values[0]!.slice(0, 2)).toEqual([777_000, 777_000])
    expect(values[1]).toEqual(values[0])
    expect(new Set(values.map((all) => all[2])).size).toBe(3)
    expect(values[0]![2]).not.toBe(values[0]![3])
  })

  it("makes of what it emits items whose ids the guest knew, in order, with pair numbers and due times", () => {
    const process = new Process(`
      heddle.on("Emit", (m) => {
        const child = heddle.spawn(m.tags.Module, { tags: { Name: "kid" } })
        const ids = [child, heddle.send(child, { action: "Hello" }), heddle.send(m.tags.To, { action: "One", data: { a: 1 } })]
        heddle.sleep(1500)
        ids.push(heddle.send(m.tags.To, { action: "Two" }))
        return ids
      })`)
    const tags = [
      ["Module", id("module")],
      ["To", bob],
    ] as const
    const first = process.turn({ action: "Emit", tags, timestamp: 10_000 })
    const entry = process.life.next({ action: "Emit", tags })
    const { outcome } = process.evaluate(entry)
    const [reply] = outcome.replies
    const ids =
      reply !== undefined && "value" in reply ? (JSON.parse(reply.value) as ReadonlyArray<string>) : []
    const messages = outcome.outbox.map(messageOf)
    expect(messages.filter((_, i) => i !== 3).map((message) => message.id)).toEqual(ids)
    expect(outcome.outbox.map(({ kind, pair, due }) => [kind, pair, due])).toEqual([
      ["spawn", 0, 0],
      ["message", 1, 0],
      ["message", 3, 0],
      ["timer", 0, 12_500],
      ["message", 4, 0],
    ])
    expect(first.outbox.map(({ pair, due }) => [pair, due])).toEqual([
      [0, 0],
      [1, 0],
      [1, 0],
      [0, 11_500],
      [2, 0],
    ])
    for (const [index, { item }] of messages.entries()) {
      const { head, ...place } = OutboxItem.origin(item)!
      expect(place).toEqual({ source: process.life.process, index })
      expect(Bytes.equal(head, entry.head)).toBe(true)
    }
    expect(messages.map((message) => message.process)).toEqual([
      ids[0],
      ids[0],
      bob,
      process.life.process,
      bob,
    ])
    expect([...process.state.metadata.timers]).toEqual([
      [messageOf(first.outbox[3]!).id, 11_500],
      [messages[3]!.id, 12_500],
    ])
  })

  it("adds up to a root over engine, metadata, pages, memory and globals", () => {
    const process = new Process(counter)
    process.turn("Add")
    const { memory, metadata } = process.state
    if (!(memory instanceof Turn.Memory)) throw new Error("it has no memory")
    const root = Hash.tagged(
      "heddle/state/2",
      Engine.id(),
      Metadata.hash(metadata, Turn.handleBytes(memory.boot.handles)),
      Bytes.u32(memory.wasmPages),
      memory.root(),
      memory.globals,
    )
    expect(process.root).toBe(Bytes.toHex(root))
  })
})

describe("a word about who schedules the process", () => {
  const move = { term: 1, scheduler: id("next scheduler") }
  const said = { action: "Scheduler", move }

  it("stands in the metadata, and so in the root and in a snapshot, and the program does not see it", () => {
    const [process, other] = [new Process(counter, few, "one"), new Process(counter, few, "one")]
    expect(process.state.metadata).toMatchObject({ term: 0, scheduler: process.state.process.scheduler })
    const outcome = process.turn(said)
    expect(outcome).toMatchObject({ error: undefined, fuelUsed: 0n, replies: [{ value: "null" }] })
    expect(process.state.metadata).toMatchObject(move)
    other.turn({ action: "Scheduler", move: { ...move, scheduler: id("another") } })
    expect(process.root).not.toBe(other.root)
    const { bytes, stateRoot } = ProcessState.take(process.state)
    const restored = ProcessState.restore(process.life.opening, bytes, stateRoot)
    if (typeof restored === "string") throw new Error(restored)
    expect(restored.metadata).toMatchObject(move)
    const snapshot = Result.getOrThrow(Snapshot.decode(bytes))
    const lie = { ...snapshot, metadata: { ...snapshot.metadata, scheduler: id("a liar") } }
    expect(ProcessState.restore(process.life.opening, Snapshot.encode(lie), stateRoot)).toContain(
      "it leads to",
    )
  })

  it("changes nothing where its slot is inadmissible", () => {
    const process = new Process(counter)
    process.turn({ ...said, inadmissible: "bad move" })
    expect(process.state.metadata.term).toBe(0)
  })
})

describe("a word about the policy", () => {
  const units = [id("unit a"), id("unit b")]
  const authority = { units, quorum: 2, since: 2 }
  const said = { action: "Authority", authority }

  it("stands in the metadata, and so in the root, and the program does not see it", () => {
    const [process, other] = [new Process(counter, few, "one"), new Process(counter, few, "one")]
    expect(process.root).toBe(other.root)
    const outcome = process.turn(said)
    const [reply] = outcome.replies
    expect(outcome).toMatchObject({ error: undefined, fuelUsed: 0n, views: [], outbox: [] })
    expect([reply, outcome.replies.length]).toEqual([{ to: outcome.message, value: "null" }, 1])
    expect(process.state.metadata.authority).toEqual(authority)
    other.turn({ action: "Authority", authority: { ...authority, quorum: 1 } })
    expect(process.root).not.toBe(other.root)
    const pages = (of: Process) => of.state.memory instanceof Turn.Memory && of.state.memory.root()
    expect(pages(process)).toEqual(pages(other))
  })

  it("of a process is answered to it where it waits", () => {
    const process = new Process(counter)
    const { outbox } = process.turn({ ...said, source: bob, pair: 1, tags: [["Reference", "7"]] })
    expect(outbox.map(({ kind, pair }) => [kind, pair])).toEqual([["message", 1]])
    const answer = messageOf(outbox[0]!)
    expect([answer.target, answer.action]).toEqual([bob, "Reply"])
    expect(Tag.value(answer.item.tags, "X-Reference")).toBe("7")
    expect(Bytes.toText(answer.item.data)).toBe("null")
    expect([...process.state.metadata.sent]).toEqual([[bob, 1]])
    expect([...process.state.metadata.received]).toEqual([[bob, 1]])
  })

  it("is in force where the program does not load, and not where the slot is inadmissible", () => {
    const broken = new Process("let a =")
    expect(broken.turn(said).error).toBeUndefined()
    expect(broken.state.metadata.authority).toEqual(authority)
    const process = new Process(counter)
    const before = process.state.metadata.authority
    process.turn({ ...said, inadmissible: "repeat" })
    expect(process.state.metadata.authority).toBe(before)
  })

  it("is taken along by a snapshot, and one that lies about it leads to another root", () => {
    const process = new Process(counter)
    process.turn(said)
    const { bytes, stateRoot } = ProcessState.take(process.state)
    const restored = ProcessState.restore(process.life.opening, bytes, stateRoot)
    if (typeof restored === "string") throw new Error(restored)
    expect(restored.metadata.authority).toEqual(authority)
    const snapshot = Result.getOrThrow(Snapshot.decode(bytes))
    const metadata = { ...snapshot.metadata, authority: { ...authority, units: [id("a liar"), units[1]!] } }
    const lie = Snapshot.encode({ ...snapshot, metadata })
    expect(ProcessState.restore(process.life.opening, lie, stateRoot)).toContain("it leads to state root")
  })
})

describe("a turn that fails", () => {
  it("leaves memory, views, timers and pair numbers as they were, and nothing that the handler emitted", () => {
    const process = new Process(counter)
    process.value("Add")
    const metadata = process.metadata
    const outcome = process.turn({ action: "Fail", tags: [["To", bob]] })
    expect(outcome.error).toEqual({ reason: "threw", message: "RangeError: no" })
    expect([outcome.views, outcome.outbox]).toEqual([[], []])
    expect(process.metadata).toBe(metadata)
    expect(process.state.metadata.views).toEqual(new Map([["n", "1"]]))
    expect(process.value("Get")).toBe(1)
  })

  it("answers the process that asks, and numbers that answer as any message to it", () => {
    const process = new Process(counter)
    const asked = {
      action: "Fail",
      source: bob,
      tags: [
        ["Reference", "7"],
        ["To", bob],
      ] as const,
      pair: 1,
    }
    const outcome = process.turn(asked)
    expect(outcome.outbox.map(({ kind, pair }) => [kind, pair])).toEqual([["message", 1]])
    const [entry] = outcome.outbox
    expect(["Action", "X-Reference", "Error"].map((name) => tagOf(entry!, name))).toEqual([
      "Reply",
      "7",
      "TurnFailed: RangeError: no",
    ])
    expect(messageOf(entry!).process).toBe(bob)
    expect(process.turn({ ...asked, pair: 2 }).outbox.map(({ pair }) => pair)).toEqual([2])
  })

  it("still counts as received: pair, timer and cron are noted whatever becomes of it", () => {
    const process = new Process(`
      heddle.on("Fail", () => { throw new Error("no") })
      heddle.on("Sleep", async () => { await heddle.sleep(5); throw new Error("awake") })`)
    process.turn({ action: "Fail", source: bob, pair: 1 })
    expect(process.state.metadata.received).toEqual(new Map([[bob, 1]]))
    process.turn({ action: "Fail", cron: { name: "1-minute", count: 3 } })
    expect(process.state.metadata.cron).toEqual(new Map([["1-minute", 3]]))
    const [timer] = process.turn("Sleep").outbox
    expect(process.state.metadata.timers.size).toBe(1)
    const woken = process.turn({ item: timer!.item })
    expect(woken.error?.message).toBe("awake")
    expect(process.state.metadata.timers.size).toBe(0)
  })

  it("is one that asks for more timers than may be pending, and sets none of them", () => {
    const process = new Process(
      `heddle.on("Set", (m) => { for (let i = 0; i < Number(m.data); i++) heddle.sleep("1h"); return "set" })`,
      [["Compute-Limit", "2000000000"]],
    )
    for (let i = 0; i < 9; i++) expect(process.value({ action: "Set", data: "1024" })).toBe("set")
    expect(process.value({ action: "Set", data: "783" })).toBe("set")
    expect(process.turn({ action: "Set", data: "2" }).error).toEqual({
      reason: "output too large",
      message: "10001 timers pending; at most 10000 are allowed",
    })
    expect(process.state.metadata.timers.size).toBe(9_999)
    expect(process.value({ action: "Set", data: "1" })).toBe("set")
  })

  /** What guests may do wrong, and the words of its outcome: all of them the guest's or the chapter's own. */
  const wrongs: Readonly<
    Record<string, readonly [code: string, reason: Outcome.TurnError["reason"], message: string]>
  > = {
    "throws an error": [`throw new TypeError("mine")`, "threw", "TypeError: mine"],
    "throws a text": [`throw "mine"`, "threw", "mine"],
    "throws nothing": [`throw undefined`, "threw", "undefined"],
    "calls what is not": [`undefined.x`, "threw", "TypeError: cannot read property 'x' of undefined"],
    "parses what is no JSON": [`JSON.parse("{a")`, "threw", "SyntaxError: expecting property name"],
    "returns a circle": [
      `const a = {}; a.a = a; return a`,
      "threw",
      "TypeError: the reply to <id> can't be written as JSON: circular reference",
    ],
    "returns a BigInt": [
      `return 1n`,
      "threw",
      "TypeError: the reply to <id> can't be written as JSON: Do not know how to serialize a BigInt",
    ],
    "returns a function": [
      `return () => 1`,
      "threw",
      "TypeError: the reply to <id> can't be written as JSON: it is a function",
    ],
    loops: [`for (;;);`, "out of fuel", "more than 20000000 fuel"],
    "takes all memory": [
      `const all = []; for (;;) all.push(new Uint8Array(1e6))`,
      "out of memory",
      "InternalError: out of memory",
    ],
    "takes all memory in small pieces": [
      `let all = ""; for (;;) all = [all, {}]`,
      "out of fuel",
      "more than 20000000 fuel",
    ],
    "starts too many jobs": [
      `const f = () => { Promise.resolve().then(f) }; f()`,
      "out of fuel",
      "more than 20000000 fuel",
    ],
    "sends to nobody": [`heddle.send("nobody")`, "threw", `TypeError: the target "nobody" is not an id`],
    "asks for no handler": [``, "threw", `no handler for action "Nothing"; this process handles: Wrong`],
  }
  it.each(Object.entries(wrongs))(
    "says so in words that no host puts in: %s",
    (name, [code, reason, message]) => {
      const process = new Process(`heddle.on("Wrong", (m) => { ${code} })`)
      const { error } = process.turn(name === "asks for no handler" ? "Nothing" : "Wrong")
      expect({ ...error, message: error?.message.replace(/[\w-]{43}/, "<id>") }).toEqual({ reason, message })
    },
  )
})

describe("a slot that is not admitted", () => {
  it("changes neither memory nor metadata, though its message would have", () => {
    const process = new Process(counter)
    process.value("Add")
    const [sleeper] = new Process(`heddle.on("Sleep", () => heddle.sleep(5))`).turn("Sleep").outbox
    process.state.metadata.timers.set(messageOf(sleeper!).id, 5)
    const before = [process.root, process.metadata]
    for (const said of [
      { action: "Add", pair: 7, source: bob },
      { action: "Add", cron: { name: "1-minute", count: 1 } },
      { action: "Add", item: sleeper!.item },
    ]) {
      const { outcome, trace } = process.evaluate(
        process.life.next({ ...said, inadmissible: "pair out of order" }),
      )
      expect(outcome).toMatchObject({
        error: { reason: "inadmissible", message: "pair out of order" },
        fuelUsed: 0n,
      })
      expect([outcome.replies, outcome.views, outcome.outbox, trace.console]).toEqual([[], [], [], []])
      expect([process.root, process.metadata]).toEqual(before)
    }
    expect(process.value("Get")).toBe(1)
  })
})

describe("the slot of a void", () => {
  it("takes its number and changes nothing else, whatever its tags ask for", () => {
    const process = new Process(counter)
    process.value("Add")
    const before = process.root
    const outcome = process.turn({ action: "Add", source: bob, pair: 7, void: "nobody is there" })
    expect(outcome).toMatchObject({
      error: { reason: "void", message: "nobody is there" },
      fuelUsed: 0n,
      replies: [],
      views: [],
      outbox: [],
    })
    expect(process.state.metadata.received).toEqual(new Map([[bob, 7]]))
    expect(process.root).not.toBe(before)
    process.state.metadata.received.clear()
    expect(process.root).toBe(before)
    expect(process.value("Get")).toBe(1)
  })
})

describe("the slot of a drop", () => {
  const dropped = (more: Partial<Drop.Dropped> = {}): Drop.Dropped => ({
    entry: id("entry"),
    contentHash: Bytes.copy(Id.toBytes(id("content"))),
    target: bob,
    pair: 1,
    reference: undefined,
    reason: "nobody is there",
    ...more,
  })
  const asker = `
    heddle.on("Ask", async (m) => {
      try { return await heddle.ask("${bob}", { action: "Do" }) }
      catch (error) {
        if (m.data === "throw") throw error
        for (let i = 0; i < Number(m.data); i++) heddle.send("${bob}", { action: "Then" })
        return error.message
      }
    })
    heddle.on("Drop", () => { throw new Error("it reached the program") })`
  const asking = (data = "0") => {
    const process = new Process(asker, [["Compute-Limit", "900000000"]])
    const entry = process.life.next({ action: "Ask", data })
    const { outbox } = process.evaluate(entry).outcome
    return { process, asked: messageOf(entry).id, sent: outbox[0]! }
  }
  const shown = ({ outbox }: Outcome.Outcome) => outbox.map(({ kind, pair, due }) => [kind, pair, due])

  it("emits a void with the number that the message had, runs no program, and is answered", () => {
    const process = new Process(asker)
    const before = [process.root, process.metadata]
    const entry = process.life.next({ action: "Drop", drop: dropped({ pair: 9 }) })
    const { outcome } = process.evaluate(entry)
    expect(outcome).toMatchObject({ error: undefined, fuelUsed: 0n, views: [] })
    expect(outcome.replies).toEqual([{ to: outcome.message, value: "null" }])
    expect(shown(outcome)).toEqual([["void", 9, 0]])
    const made = messageOf(outcome.outbox[0]!)
    expect(made.process).toBe(bob)
    expect(Void.read(made)).toEqual({
      entry: id("entry"),
      contentHash: dropped().contentHash,
      reason: "nobody is there",
    })
    const { head, ...place } = OutboxItem.origin(made.item)!
    expect(place).toEqual({ source: process.life.process, index: 0 })
    expect(Bytes.equal(head, entry.head)).toBe(true)
    expect([process.root, process.metadata]).toEqual(before)
  })

  it("ends the wait for the answer with the reason, and goes on from there", () => {
    const { process, asked, sent } = asking("2")
    expect([sent.pair, tagOf(sent, "Reference")]).toEqual([1, "1"])
    const outcome = process.turn({ action: "Drop", drop: dropped({ reference: "1" }) })
    expect(outcome.replies).toEqual([
      { to: asked, value: '"undelivered: nobody is there"' },
      { to: outcome.message, value: "null" },
    ])
    expect(outcome.fuelUsed).toBeGreaterThan(0n)
    expect(shown(outcome)).toEqual([
      ["message", 2, 0],
      ["message", 3, 0],
      ["void", 1, 0],
    ])
    expect(OutboxItem.origin(messageOf(outcome.outbox[2]!).item)!.index).toBe(2)
    expect(process.state.metadata.sent).toEqual(new Map([[bob, 3]]))
  })

  it("ends no wait for another process, of another number, or for the second time", () => {
    const { process } = asking()
    const root = () => process.turn({ action: "Drop", drop: dropped({ reference: "2" }) }).replies.length
    expect(root()).toBe(1)
    const other = process.turn({ action: "Drop", drop: dropped({ target: id("eve"), reference: "1" }) })
    expect(other.replies).toHaveLength(1)
    const right = { action: "Drop", drop: dropped({ reference: "1" }) }
    expect(process.turn(right).replies).toHaveLength(2)
    const again = process.turn(right)
    expect(again.replies).toHaveLength(1)
    expect(shown(again)).toEqual([["void", 1, 0]])
  })

  it("emits its void where what goes on there fails", () => {
    const { process, asked } = asking("throw")
    const outcome = process.turn({ action: "Drop", drop: dropped({ reference: "1" }) })
    expect(outcome.error).toEqual({ reason: "threw", message: "undelivered: nobody is there" })
    expect(outcome.replies).toEqual([
      { to: asked, error: "TurnFailed: undelivered: nobody is there" },
      { to: outcome.message, value: "null" },
    ])
    expect(shown(outcome)).toEqual([["void", 1, 0]])
  })

  it("leaves room for the void among what goes on there", () => {
    const max = Limit.outboxEntriesPerTurnMax
    const fits = asking(String(max - 1)).process.turn({ drop: dropped({ reference: "1" }) })
    expect([fits.error, fits.outbox.length, fits.outbox.at(-1)!.kind]).toEqual([undefined, max, "void"])
    const over = asking(String(max)).process.turn({ drop: dropped({ reference: "1" }) })
    expect(over.error?.reason).toBe("output too large")
    expect(shown(over)).toEqual([["void", 1, 0]])
  })
})

describe("code that does not load", () => {
  const broken = "let a = 1\nheddle.on('Add', () => {"

  it("is the outcome of every slot, by its place, and the root commits to the metadata alone", () => {
    const process = new Process(broken)
    const outcome = process.turn({ action: "Add", source: bob, pair: 1 })
    expect(outcome.error).toEqual({
      reason: "module invalid",
      message: "SyntaxError: unexpected token in expression: '' (module.js:2:25)",
    })
    expect([outcome.fuelUsed, outcome.replies, outcome.outbox]).toEqual([0n, [], []])
    expect(process.state.metadata.received).toEqual(new Map([[bob, 1]]))
    const root = Hash.tagged(
      "heddle/state/2",
      Engine.id(),
      Metadata.hash(process.state.metadata, Bytes.empty),
    )
    expect(process.root).toBe(Bytes.toHex(root))
  })

  it("answers a query with the same error", () => {
    const process = new Process(broken)
    const query = { action: "Get", tags: [], data: Bytes.empty, from: "" }
    const { result } = Evaluation.query(process.machine, process.state, query, process.life.next("Add"))
    expect(result).toMatchObject({ error: { reason: "module invalid" } })
  })
})

describe("a query", () => {
  const script = `
    let n = 0
    heddle.on("Add", () => ++n)
    heddle.on("Look", (m) => [m.slot, m.timestamp, m.from, m.tags.Colour, m.data, n, heddle.process.id, Math.random()])
    heddle.on("Send", (m) => heddle.send(m.tags.To, { action: "Hi" }))
    heddle.on("Random", () => Math.random())
    heddle.on("Loop", () => { for (;;); })
    heddle.on("Log", () => { console.log("seen"); heddle.publish("v", 1) })`
  const ask = (
    process: Process,
    at: Entry,
    query: { action: string; from?: string; tags?: NonNullable<Life.Said["tags"]> },
  ) =>
    Evaluation.query(
      process.machine,
      process.state,
      { tags: [], data: Bytes.fromText("d"), from: "", ...query },
      at,
    )

  it("runs on the newest state at the newest time, is labelled with its slot and leaves nothing", () => {
    const process = new Process(script)
    const at = process.life.next({ action: "Add", timestamp: 99_000 })
    process.evaluate(at)
    const root = process.root
    const { result, slot, timestamp } = ask(process, at, {
      action: "Look",
      from: bob,
      tags: [["Colour", "red"]],
    })
    const seen = "value" in result ? (JSON.parse(result.value ?? "") as ReadonlyArray<unknown>) : []
    expect(seen.slice(0, 7)).toEqual([2, 99_000, bob, "red", "d", 1, process.life.process])
    expect([slot, timestamp]).toEqual([1, 99_000])
    const logged = ask(process, at, { action: "Log" })
    expect(logged).toMatchObject({ result: { value: "null" }, console: [["log", "seen"]] })
    expect(process.root).toBe(root)
  })

  it("has neither the ids nor the randomness of any turn, the newest one or those to come", () => {
    const process = new Process(script)
    const replyTo = ({ replies: [reply] }: Outcome.Outcome) =>
      reply !== undefined && "value" in reply ? reply.value : undefined
    const valueOf = ({ result }: Answer) => ("value" in result ? (result.value ?? undefined) : undefined)
    for (const said of [{ action: "Send", tags: [["To", bob]] }, { action: "Random" }] as const) {
      const at = process.life.next(said)
      const values = [
        replyTo(process.evaluate(at).outcome),
        valueOf(ask(process, at, said)),
        replyTo(process.turn(said)),
      ]
      expect(new Set(values).size).toBe(3)
      expect(values).not.toContain(undefined)
    }
  })

  it("stops at the process's own limit where that is less than a query's", () => {
    const small = new Process(script)
    const large = new Process(script, [["Compute-Limit", "9000000000"]])
    expect(ask(small, small.life.next("Add"), { action: "Loop" })).toMatchObject({
      fuelUsed: 20_000_000n,
      result: { error: { reason: "out of fuel" } },
    })
    expect(ask(large, large.life.next("Add"), { action: "Loop" }).fuelUsed).toBe(100_000_000n)
  })
})

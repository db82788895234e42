/** A process goes on as another program where one of the two, or both, are plain modules. */
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import * as Engine from "../../compute-unit/Engine.ts"
import * as Evaluation from "../../compute-unit/Evaluation.ts"
import * as ProcessState from "../../compute-unit/ProcessState.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Module from "../../runtime/Module.ts"
import type * as Outcome from "../../runtime/Outcome.ts"
import * as Tag from "../../runtime/Tag.ts"
import * as Life from "../support/Life.ts"
import { id } from "../support/Unsigned.ts"
import { counter, module, type Parts, placed, saying } from "./PlainStage.ts"

class Process {
  readonly machine = new Turn.Machine()
  readonly life: Life.Life
  readonly state: ProcessState.ProcessState

  constructor(source: Uint8Array | string, tags: ReadonlyArray<readonly [string, string]> = []) {
    this.life = Life.make(source, tags)
    this.state = ProcessState.open(this.life.opening)
    this.turn("Spawn")
  }

  get root(): string {
    return Bytes.toHex(ProcessState.stateRoot(this.state))
  }

  turn(said: Life.Said | string): Outcome.Outcome {
    return Evaluation.evaluate(this.machine, this.state, this.life.next(said)).outcome
  }

  value(said: Life.Said | string): unknown {
    const { error, replies } = this.turn(said)
    const [reply] = replies
    if (reply === undefined || "error" in reply) throw new Error(JSON.stringify([error, replies]))
    return JSON.parse(reply.value)
  }

  upgrade(to: Uint8Array | string, said: Life.Said = {}): Outcome.Outcome {
    const source = typeof to === "string" ? Bytes.fromText(to) : to
    const module = Module.id(source)
    return this.turn({
      action: "Upgrade",
      tags: [["Module", module]],
      upgrade: { module, engine: undefined, source },
      ...said,
    })
  }
}

/** Exports this text. */
const exporting = (json: string, more: Parts = {}): Uint8Array =>
  module({
    ...saying(json),
    more: `${saying(json).more} (func (export "export") (result i64) ${placed(65_536, Buffer.byteLength(json))})`,
    handle: "(i64.const 0)",
    ...more,
  })

/** Keeps what it is told when it takes over, and says it when it is asked. */
const taking: Parts = {
  memory: "3",
  more: `(global $end (mut i32) (i32.const 0)) (data (i32.const 1002) "{\\22replies\\22: [{\\22value\\22:")
    (data $end "}]}")
    (func (export "import") (param i32 i32) (result i64)
      (memory.copy (i32.const 0x10000) (i32.const 1002) (i32.add (local.get 1) (i32.const 22)))
      (global.set $end (i32.add (local.get 1) (i32.const 22)))
      (memory.init $end (i32.add (i32.const 0x10000) (global.get $end)) (i32.const 0) (i32.const 3))
      (i64.const 0))`,
  handle: `(i64.or (i64.const 0x1000000000000) (i64.extend_i32_u (i32.add (global.get $end) (i32.const 3))))`,
}

const script = `
  let told = "nothing"
  heddle.onImport((state) => { told = state })
  heddle.on("Told", () => told)
  heddle.onExport(() => ({ was: told }))`

describe("from a plain module to a plain module", () => {
  it("goes what the one exports, as it is written, with the turn", () => {
    const value = '{"n": 18446744073709551615,"n":1.0}'
    const process = new Process(exporting(` ${value} `))
    const { source: before } = process.state
    const outcome = process.upgrade(module(taking), { data: "long ".repeat(1_000) })
    expect(outcome.error).toBeUndefined()
    expect(outcome.replies).toEqual([{ to: outcome.message, value: "null" }])
    expect(outcome.outbox).toEqual([])
    expect(process.state.source).not.toBe(before)
    const told = process.turn("X").replies[0] as { readonly value: string }
    expect(told.value).toMatch(/^\{"slot":1,"timestamp":3000,"head":.*,"data":"","length":0\},/)
    expect(told.value.endsWith(`,"exported":true,"state":${value}}`)).toBe(true)
    expect(JSON.parse(told.value)).toMatchObject({
      process: { id: process.life.process, module: process.state.metadata.module },
      message: { action: "Upgrade" },
    })
  })

  it("goes nothing where the one has no export, or gives no length", () => {
    for (const from of [module({}), exporting("")]) {
      const process = new Process(from)
      expect(process.upgrade(module(taking)).error).toBeUndefined()
      expect(process.value("X")).toMatchObject({ exported: false, state: null })
    }
  })

  it("memory and globals begin anew; views, pair numbers and timers stay", () => {
    const process = new Process(counter())
    expect([process.value("Increment"), process.value("Increment")]).toEqual([1, 2])
    expect(process.upgrade(module({ ...saying("{}"), memory: "3" })).error).toBeUndefined()
    expect([...process.state.metadata.views]).toEqual([["count", "2"]])
    expect(process.upgrade(counter()).error).toBeUndefined()
    expect(process.value("Increment")).toBe(1)
  })

  it("the message is answered by what import says, where it says so", () => {
    const said = (json: string): Uint8Array =>
      module({
        ...saying(json),
        more: `${saying(json).more} (func (export "import") (param i32 i32) (result i64) ${saying(json).handle})`,
        handle: "(i64.const 0)",
      })
    const taken = new Process(counter()).upgrade(
      said('{"replies":[{"value":"taken"}],"views":[{"name":"v","value":1}]}'),
    )
    expect(taken.replies).toEqual([{ to: taken.message, value: '"taken"' }])
    expect(taken.views).toEqual([{ name: "v", value: "1" }])
    const process = new Process(counter())
    const { root } = process
    const refused = process.upgrade(said('{"error":"not from a counter"}'))
    expect(refused.error).toEqual({ reason: "threw", message: "not from a counter" })
    expect(refused.replies).toEqual([{ to: refused.message, error: "TurnFailed: not from a counter" }])
    expect(process.root).toBe(root)
  })

  it("costs the fuel of both halves together", () => {
    const loop = (rounds: number, name: string, type: string) =>
      `(func (export "${name}") ${type} (local $n i32)
        (loop $on (br_if $on (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const ${rounds}))))
        (i64.const 0))`
    const spends = (rounds: number) => ({
      from: module({ more: loop(rounds, "export", "(result i64)") }),
      to: module({ more: loop(rounds, "import", "(param i32 i32) (result i64)") }),
    })
    const limit = ["Compute-Limit", "1000000"] as const
    const few = spends(60_000)
    expect(new Process(few.from, [limit]).upgrade(few.to).error).toBeUndefined()
    const many = spends(80_000)
    expect(new Process(many.from, [limit]).upgrade(many.to)).toMatchObject({
      error: { reason: "out of fuel", message: "more than 1000000 fuel" },
      fuelUsed: 1_000_000n,
    })
  })
})

describe("an upgrade leaves everything as it was where", () => {
  const fails = (from: Uint8Array, to: Uint8Array | string): Outcome.TurnError | undefined => {
    const process = new Process(from)
    process.turn("Increment")
    const { metadata } = process.state
    const { module: before } = metadata
    const { root } = process
    const outcome = process.upgrade(to)
    expect(outcome.replies).toEqual([{ to: outcome.message, error: `TurnFailed: ${outcome.error?.message}` }])
    expect([process.root, metadata.module]).toEqual([root, before])
    expect(process.turn("Increment").error).toBeUndefined()
    return outcome.error
  }

  it.each<readonly [string, Uint8Array, string, string]>([
    [
      "the export traps",
      exporting("1", { more: `(func (export "export") (result i64) (unreachable))` }),
      "trapped",
      "the program trapped",
    ],
    ["it gives what is no JSON", exporting("{"), "bad output", "the words are no JSON"],
    ["it gives two values", exporting("1 2"), "bad output", "the words are no JSON"],
    [
      "it gives a place outside of memory",
      exporting("1", { more: `(func (export "export") (result i64) ${placed(1, 10_000_000)})` }),
      "bad output",
      "what it says lies outside of memory",
    ],
    [
      "it gives what is no text",
      exporting("1", {
        more: `(data (i32.const 0) "\\ff") (func (export "export") (result i64) ${placed(0, 1)})`,
      }),
      "bad output",
      "what it says is not UTF-8",
    ],
    [
      "it gives too much",
      exporting("1", {
        memory: "200",
        more: `(func (export "export") (result i64) ${placed(0, Limit.outputBytesPerTurnMax + 1)})`,
      }),
      "output too large",
      "replies, views and outbox take more than 10485760 bytes",
    ],
    [
      "it is nested too deep",
      exporting(`${"[".repeat(101)}${"]".repeat(101)}`),
      "bad output",
      "the words are nested deeper than 100",
    ],
  ])("%s", (_, from, reason, message) => {
    expect(fails(from, module(taking))).toEqual({ reason, message })
  })

  it("the new module has no import for what there is", () => {
    expect(fails(exporting("null"), module({}))).toEqual({
      reason: "threw",
      message: "this program has no import for what the one before it exported",
    })
  })

  it("its import traps, or says what does not fit", () => {
    const importing = (body: string) =>
      module({ more: `(func (export "import") (param i32 i32) (result i64) ${body})` })
    expect(fails(counter(), importing("(unreachable)"))).toEqual({
      reason: "trapped",
      message: "the program trapped",
    })
    expect(fails(counter(), importing("(i64.const -1)"))).toMatchObject({ reason: "bad output" })
    expect(fails(counter(), importing("(i64.const 1)"))).toMatchObject({ reason: "bad output" })
  })

  it("the new module does not load", () => {
    expect(fails(counter(), module({ more: "(start $s) (func $s (unreachable))" }))).toEqual({
      reason: "threw",
      message:
        "the module does not load: trapped while the module loads: the program trapped (module.wasm:0:0)",
    })
  })
})

describe("between a script and a plain module", () => {
  it("goes the state both ways, and the engine changes with it", () => {
    const process = new Process(exporting('{"n":1.50}'))
    expect(process.state.engine.id).toEqual(Engine.plain.id)
    expect(process.upgrade(script).error).toBeUndefined()
    expect(process.state.engine.id).toEqual(Engine.load().id)
    expect(process.value("Told")).toEqual({ n: 1.5 })
    expect(process.upgrade(module(taking)).error).toBeUndefined()
    expect(process.state.engine.id).toEqual(Engine.plain.id)
    expect(process.value("X")).toMatchObject({ exported: true, state: { was: { n: 1.5 } } })
    expect(process.upgrade(script).error).toBeUndefined()
    expect(process.value("Told")).toBeNull()
  })

  it("no answer to a wait of the script before ends a wait of the script after", () => {
    const asking = `heddle.on("Ask", (m) => heddle.ask(heddle.process.id))`
    const process = new Process(asking)
    process.turn("Ask")
    expect(process.upgrade(counter()).error).toBeUndefined()
    expect(process.upgrade(asking).error).toBeUndefined()
    const asked = process.turn("Ask")
    const items = asked.outbox.map(({ item }) => Result.getOrThrow(Item.decode(item)))
    const numbers = items.map(({ tags }) => Tag.value(tags, "Reference"))
    expect(numbers).toEqual([String((3 + 1) * 1_024 + 1)])
  })

  it("goes on counting what the script's half said", () => {
    const full = `heddle.on("X", () => {}); heddle.onExport(() => { for (let i = 0; i < 1000; i++) heddle.publish("v" + i, 1) })`
    const publishing = (count: number) => {
      const json = JSON.stringify({ views: Array.from({ length: count }, () => ({ name: "v1", value: 2 })) })
      const says = saying(json)
      return module({
        ...says,
        more: `${says.more} (func (export "import") (param i32 i32) (result i64) ${says.handle})`,
      })
    }
    expect(new Process(full).upgrade(publishing(0)).error).toBeUndefined()
    expect(new Process(full).upgrade(publishing(1)).error).toEqual({
      reason: "bad output",
      message: "the views are more than 1000",
    })
  })

  it("a child spawned while it takes over is named by its place in the whole outbox", () => {
    const sends = `heddle.on("X", () => {}); heddle.onExport(() => { for (let i = 0; i < 3; i++) heddle.send(heddle.process.owner); return 1 })`
    const json = JSON.stringify({
      outbox: [
        { kind: "spawn", module: id("module") },
        { kind: "message", child: 0 },
      ],
    })
    const says = saying(json)
    const spawning = module({
      ...says,
      more: `${says.more} (func (export "import") (param i32 i32) (result i64) ${says.handle})`,
    })
    const { outbox, error } = new Process(sends).upgrade(spawning)
    expect(error).toBeUndefined()
    expect(outbox).toHaveLength(5)
    const [spawn, message] = outbox.slice(3)
    const decoded = Result.getOrThrow(Item.decode(message!.item))
    expect(Id.fromBytes(decoded.target)).toBe(Result.getOrThrow(Item.decode(spawn!.item)).id)
  })
})

/** A process goes on as another program: what stays, what is handed over, and what happens where that fails. */
import { describe, expect, it } from "vitest"
import * as Engine from "../../compute-unit/Engine.ts"
import * as EngineFile from "../../compute-unit/EngineFile.ts"
import * as Evaluation from "../../compute-unit/Evaluation.ts"
import * as ProcessState from "../../compute-unit/ProcessState.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import type * as Outcome from "../../runtime/Outcome.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Module from "../../runtime/Module.ts"
import * as Life from "../support/Life.ts"
import { id } from "../support/Unsigned.ts"

const bob = id("bob")

const first = `
  let n = 0
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })
  heddle.on("Ask", async (m) => { const a = await heddle.ask(m.from, { action: "Which" }); return [a, ++n] })
  heddle.on("Sleep", async () => { await heddle.sleep("1h"); return ++n })
  heddle.onExport(() => ({ n }))`

const second = `
  let n
  heddle.onImport((state) => { n = state.n * 100; heddle.publish("taken", n) })
  heddle.on("Add", () => ++n)
  heddle.on("Ask", async (m) => [await heddle.ask(m.from, { action: "What" }), n])`

class Process {
  readonly machine = new Turn.Machine()
  readonly life: Life.Life
  readonly state: ProcessState.ProcessState

  constructor(source: string) {
    this.life = Life.make(source)
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
    const outcome = this.turn(said)
    const [reply] = outcome.replies
    if (reply === undefined || "error" in reply)
      throw new Error(JSON.stringify([outcome.error, outcome.replies]))
    return JSON.parse(reply.value)
  }

  upgrade(source: string, engine?: Uint8Array): Outcome.Outcome {
    const bytes = Bytes.fromText(source)
    const module = Module.id(bytes)
    return this.turn({
      action: "Upgrade",
      tags: [["Module", module]],
      upgrade: { module, engine, source: bytes },
    })
  }
}

const asks = (reference: string, pair: number): Life.Said => ({
  action: "Ask",
  source: bob,
  pair,
  tags: [["Reference", reference]],
})

describe("an upgrade", () => {
  it("hands what the old program exports to the new one, and the process goes on as that", () => {
    const process = new Process(first)
    expect([process.value("Add"), process.value("Add")]).toEqual([1, 2])
    const outcome = process.upgrade(second)
    expect(outcome.error).toBeUndefined()
    expect(outcome.replies).toEqual([{ to: outcome.message, value: "null" }])
    expect(outcome.views).toEqual([{ name: "taken", value: "200" }])
    expect(outcome.fuelUsed).toBeGreaterThan(100_000n)
    expect(process.value("Add")).toBe(201)
    expect(process.state.metadata.module).toBe(Module.id(Bytes.fromText(second)))
    expect([...process.state.metadata.views]).toEqual([
      ["n", "2"],
      ["taken", "200"],
    ])
  })

  it("ends what waits with an error to who asked, keeps pair numbers and timers, and takes no late answer for its own", () => {
    const process = new Process(first)
    const asked = process.turn(asks("7", 1))
    process.turn("Sleep")
    expect(process.state.metadata.timers.size).toBe(1)
    const outcome = process.upgrade(second)
    const said = "Upgraded: the process goes on as another program"
    expect(outcome.replies).toContainEqual({ to: asked.message, error: said })
    expect(outcome.outbox).toHaveLength(1)
    expect(outcome.outbox[0]).toMatchObject({ kind: "message", pair: 2 })
    expect(Bytes.toText(outcome.outbox[0]!.item.subarray(-200))).toBeUndefined() // it has a binary signature field
    expect(process.state.metadata.timers.size).toBe(1)
    // The old program asked with number 1; the new one's first ask must not take the answer to that.
    const again = process.turn(asks("8", 2))
    const late = process.turn({
      action: "Reply",
      source: bob,
      pair: 3,
      tags: [["X-Reference", "1"]],
      data: `"late"`,
    })
    expect([late.error, late.replies]).toEqual([undefined, []])
    const answer = process.turn({
      action: "Reply",
      source: bob,
      pair: 4,
      tags: [["X-Reference", "3"]],
      data: `"right"`,
    })
    expect(answer.replies).toEqual([{ to: again.message, value: `["right",0]` }])
  })

  it.each<readonly [string, string, RegExp]>([
    ["the import throws", `heddle.onImport(() => { throw new Error("no") })`, /^no$/],
    ["the import runs for ever", `heddle.onImport(() => { for (;;); })`, /^more than 1000000000 fuel$/],
    ["the import waits", `heddle.onImport(async () => {})`, /^TypeError: the import must not wait$/],
    ["there is none", `let a`, /^this program has no onImport for what the one before it exported$/],
    [
      "the new program does not load",
      `let a = (`,
      /^the module does not load: SyntaxError: .* \(module\.js:1:\d+\)$/,
    ],
    [
      "it would publish too much",
      `heddle.onImport(() => { for (let i = 0; i < 1001; i++) heddle.publish("v" + i, i) })`,
      /views/,
    ],
  ])("leaves everything as it was where %s, and says so to the owner", (_, source, message) => {
    const process = new Process(first)
    process.value("Add")
    const asked = process.turn(asks("7", 1))
    const { module } = process.state.metadata
    const before = Bytes.toHex(ProcessState.take(process.state).stateRoot)
    const outcome = process.upgrade(source)
    expect(outcome.error?.message).toMatch(message)
    expect(outcome.replies).toEqual([{ to: outcome.message, error: `TurnFailed: ${outcome.error!.message}` }])
    expect([outcome.views, outcome.outbox]).toEqual([[], []])
    expect(process.state.metadata.module).toBe(module)
    expect(before).not.toBe("")
    expect(process.value("Add")).toBe(2)
    const answer = process.turn({
      action: "Reply",
      source: bob,
      pair: 2,
      tags: [["X-Reference", "1"]],
      data: "5",
    })
    expect(answer.replies).toEqual([{ to: asked.message, value: "[5,3]" }])
  })

  it("is refused where the export throws or is not JSON, and the old program goes on", () => {
    for (const body of [`{ throw new Error("no") }`, `(1n)`, `Promise.resolve(1)`]) {
      const process = new Process(`let n = 5; heddle.onExport(() => ${body}); heddle.on("Get", () => n)`)
      const outcome = process.upgrade(second)
      expect(outcome.error?.reason).toBe("threw")
      expect(process.value("Get")).toBe(5)
    }
  })

  it("without an export and an import is a fresh start that keeps the views", () => {
    const process = new Process(`heddle.on("Add", () => heddle.publish("old", 1))`)
    process.turn("Add")
    expect(process.upgrade(`let n = 0; heddle.on("Add", () => ++n)`).error).toBeUndefined()
    expect(process.value("Add")).toBe(1)
    expect([...process.state.metadata.views]).toEqual([["old", "1"]])
  })

  it("goes over to another engine, whose id the state root has from then on, and back", () => {
    const artifact = Engine.artifactOf(Engine.build().with(2, Bytes.fromText(`${EngineFile.prelude()}\n\n`)))
    const engine = Engine.read(artifact, Hash.sha256(artifact))
    const process = new Process(first)
    expect(() => process.upgrade(second, Hash.sha256(Bytes.fromText("nowhere")))).toThrow(
      ProcessState.Unknown,
    )
    Engine.add(engine)
    const other = new Process(first)
    other.value("Add")
    expect(other.upgrade(`${second};heddle.onExport(() => ({ n: 7 }))`, engine.id).error).toBeUndefined()
    expect(other.state.engine).toBe(engine)
    expect(other.value("Add")).toBe(101)
    const taken = ProcessState.take(other.state)
    const source = other.state.source
    const back = ProcessState.restore({ ...other.life.opening, source }, taken.bytes, taken.stateRoot)
    if (typeof back === "string") throw new Error(back)
    expect(back.engine).toBe(engine)
    // Without a word about the engine it stays with the one in force.
    expect(
      other.upgrade(first.replace("let n = 0", "let n; heddle.onImport((s) => { n = s.n })")).error,
    ).toBeUndefined()
    expect(other.state.engine).toBe(engine)
    expect(other.upgrade(second, Engine.id()).error).toBeUndefined()
    expect(other.state.engine).toBe(Engine.load())
  })

  it("costs the fuel of both halves and no more than one turn has", () => {
    const process = new Process(`heddle.onExport(() => { for (let i = 0; i < 1e5; i++); return 1 })`)
    const outcome = process.upgrade(`heddle.onImport(() => { for (let i = 0; i < 1e5; i++); })`)
    const half = new Process(`let a`).upgrade(`heddle.onImport(() => { for (let i = 0; i < 1e5; i++); })`)
    expect(outcome.fuelUsed).toBeGreaterThan(half.fuelUsed)
    expect(outcome.fuelUsed).toBeLessThan(Limit.fuelPerTurnDefault)
  })
})

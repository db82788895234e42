/** Our own vectors of plain modules (spec 04 §10), read in place: every module is run from its bytes. */
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import type * as Emission from "../../compute-unit/Emission.ts"
import * as Engine from "../../compute-unit/Engine.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import type { plainModule } from "../vectors/makePlain.ts"
import * as Cases from "../vectors/plainModules.ts"
import * as Refusals from "../vectors/plainRefusals.ts"
import { own } from "../vectors/shared.ts"
import { example, wasm } from "./PlainStage.ts"

const { engine, process, modules } = own<ReturnType<typeof plainModule>>("plain-module.json")

type Case = (typeof modules)[number]
type Valid = Extract<Case, { readonly turns: unknown }>
type Told = Valid["turns"][number]["input"]

const valid = modules.filter((each) => "turns" in each)
const invalid = modules.filter((each) => "refusal" in each)

const id = (text: string): Id.Id => Id.parse(text)!
const bytesOf = ({ bytes }: Case): Uint8Array => Bytes.fromBase64Url(bytes)!
const limitsOf = ({ limits: { fuel, memoryPages } }: Case): Turn.Limits => ({
  fuel: BigInt(fuel),
  memoryPagesMax: memoryPages,
})

const imageOf = (of: Case, limits = limitsOf(of)): Turn.BootImage => {
  const result = Turn.boot(Engine.plain, bytesOf(of), limits)
  if (result._tag === "ModuleInvalid") throw new Error(result.message)
  return result.image
}

/** Fields in the order of the spec: it is that of the words that a module is told. */
const inputOf = ({ tags }: Valid, { module, message, ...told }: Told): Turn.TurnInput => {
  const { from, fromProcess, target, action, tags: own } = message
  const data = "hex" in message ? Bytes.fromHex(message.hex)! : Bytes.fromText(message.data)
  return {
    ...told,
    head: id(told.head),
    seed: Bytes.fromHex(told.seed)!,
    process: {
      id: id(process.id),
      owner: id(process.owner),
      module: id(module),
      scheduler: id(process.scheduler),
      tags,
    },
    message: { id: id(message.id), from, fromProcess, target, action, tags: own, data },
  }
}

const shownData = (data: Uint8Array): object => {
  const text = Bytes.toText(data)
  return text === undefined ? { hex: Bytes.toHex(data) } : { data: text }
}

const shownEntry = (entry: Emission.OutboxEntry, { head }: Turn.TurnInput, index: number): object => {
  const { kind, due, target, tags, data } = entry
  const origin = { source: id(process.id), head: Id.toBytes(head), index }
  return {
    kind,
    due,
    target: target.length === 0 ? null : Id.fromBytes(target),
    tags: tags.map(({ name, value }) => [name, value]),
    ...shownData(data),
    id: Result.getOrThrow(OutboxItem.make(origin, entry)).id,
  }
}

const shownState = (memory: Turn.Memory): object => ({
  pages: memory.wasmPages,
  globals: Bytes.toHex(memory.globals),
  memoryRoot: Bytes.toHex(memory.root()),
})

/** What the turns of a module come to; where it is `moved`, each in another machine than the one before. */
const lived = (of: Valid, moved: boolean): ReadonlyArray<object> => {
  const limits = limitsOf(of)
  let machine = new Turn.Machine()
  let memory = new Turn.Memory(imageOf(of))
  return of.turns.map((turn) => {
    const input = inputOf(of, turn.input)
    const run = (): Turn.TurnResult => {
      if (!("upgrade" in turn)) return machine.turn(memory, input, limits)
      const image = imageOf(
        modules.find(({ name }) => name === turn.upgrade)!,
        limits,
      )
      const { result, memory: next } = machine.upgrade(memory, image, input, limits, () => undefined)
      memory = next
      return result
    }
    const result = run()
    const said = result._tag === "Done" ? result : machine.abandon(memory, input, result, limits)
    if (said._tag === "Failed") throw new Error(said.message)
    const { replies, views, outbox } = said.emission
    const error = result._tag === "Failed" ? { reason: result.reason, message: result.message } : null
    const shown = {
      outcome: {
        error,
        fuelUsed: String(result.fuelUsed),
        replies,
        views,
        outbox: outbox.map((entry, index) => shownEntry(entry, input, index)),
      },
      console: result.console,
      state: shownState(memory),
    }
    if (moved) {
      machine = new Turn.Machine()
      memory = new Turn.Memory(memory.boot, structuredClone(memory.difference()))
    }
    return shown
  })
}

/** What the file says of them. */
const wanted = ({ boot, turns }: Valid): ReadonlyArray<object> => {
  let state = boot.state
  return turns.map((turn) => {
    if ("state" in turn) ({ state } = turn)
    return { outcome: turn.outcome, console: "console" in turn ? turn.console : [], state }
  })
}

describe("spec/vectors/plain-module.json", () => {
  it("is of the engine of this version", () => {
    expect(Bytes.toBase64Url(Engine.plain.id)).toBe(engine)
  })

  it("has every case, and every turn of it", () => {
    const turns = (cases: ReadonlyArray<{ readonly name: string; readonly turns: ReadonlyArray<unknown> }>) =>
      cases.map(({ name, turns }) => [name, turns.length])
    expect(turns(valid)).toEqual(turns(Cases.valid))
    expect(invalid.map(({ name, refusal }) => [name, refusal])).toEqual(
      Refusals.invalid.map(({ name, refusal }) => [name, refusal]),
    )
    expect(modules.map((each) => each.valid)).toEqual(modules.map((each) => "turns" in each))
    expect(new Set(modules.map(({ name }) => name)).size).toBe(modules.length)
    expect(invalid.length).toBeGreaterThanOrEqual(valid.length)
    expect(valid.length).toBeGreaterThanOrEqual(30)
    expect(Math.min(...valid.map((each) => each.turns.length))).toBeGreaterThan(0)
  })

  it("has a turn for each way to end, and all that a turn can give out", () => {
    const all = valid.flatMap((each) => each.turns)
    const outcomes = all.map(({ outcome }) => outcome)
    const reasons = new Set(outcomes.map(({ error }) => error?.reason ?? "done"))
    expect([...reasons].toSorted()).toEqual([
      "bad output",
      "done",
      "out of fuel",
      "out of memory",
      "output too large",
      "stack overflow",
      "threw",
      "trapped",
    ])
    const kinds = new Set(outcomes.flatMap(({ outbox }) => outbox.map(({ kind }) => kind)))
    expect([...kinds].toSorted()).toEqual(["message", "spawn", "timer"])
    expect(new Set(outcomes.flatMap(({ replies }) => replies.map((reply) => "error" in reply))).size).toBe(2)
    expect(new Set(outcomes.flatMap(({ views }) => views.map(({ value }) => value === null))).size).toBe(2)
    for (const field of ["console", "upgrade", "state"])
      expect(all.filter((turn) => field in turn).length).toBeGreaterThan(1)
    expect(all.filter(({ input }) => "hex" in input.message).length).toBeGreaterThan(10)
  })

  it("has a module for each name of a refusal", () => {
    const names = new Set(invalid.flatMap(({ refusal }) => /^([\w -]+): /.exec(refusal)?.[1] ?? []))
    expect([...names].toSorted()).toEqual([
      "64-bit memory",
      "SIMD",
      "exceptions",
      "frame too large",
      "hidden state",
      "not WebAssembly",
      "out of fuel while the module loads",
      "reserved name",
      "several memories",
      "tail calls",
      "threads",
      "trapped while the module loads",
      "unknown type",
    ])
  })

  it("has bytes that are made of the text beside them, or are those of a file, or are told in words", () => {
    const made = modules.flatMap((each) =>
      "text" in each
        ? [[each.bytes, wasm(each.text.join("\n"))] as const]
        : "example" in each
          ? [[each.bytes, example(each.example)] as const]
          : [],
    )
    expect(made.map(([, bytes]) => Bytes.toBase64Url(bytes))).toEqual(made.map(([bytes]) => bytes))
    const words = modules.filter((each) => "what" in each && each.what !== "")
    expect(made.length + words.length).toBe(modules.length)
    expect(made.length).toBeGreaterThan(70)
  })
})

describe("a plain module of the vectors", () => {
  it.each(valid.map((each) => [each.name, each] as const))("loads: %s", (_, each) => {
    const image = imageOf(each)
    const { fuelUsed, console } = image
    const shown = { fuelUsed: String(fuelUsed), console, state: shownState(new Turn.Memory(image)) }
    expect(shown).toEqual({ console: [], ...each.boot })
    expect(each.turns[0]?.input.module).toBe(Module.id(bytesOf(each)))
  })

  it.each(valid.map((each) => [each.name, each] as const))("comes to what stands there: %s", (_, each) => {
    const turns = lived(each, false)
    expect(turns).toHaveLength(each.turns.length)
    expect(turns).toEqual(wanted(each))
  })

  it.each(valid.map((each) => [each.name, each] as const))(
    "comes to the same in another machine after every turn: %s",
    (_, each) => {
      expect(lived(each, true)).toEqual(wanted(each))
    },
  )

  it.each(invalid.map((each) => [each.name, each] as const))("is refused: %s", (_, each) => {
    expect(Turn.boot(Engine.plain, bytesOf(each), limitsOf(each))).toEqual({
      _tag: "ModuleInvalid",
      message: each.refusal,
      file: "module.wasm",
      line: 0,
      column: 0,
    })
  })
})

import { describe, expect, it } from "vitest"
import * as Turn from "../../compute-unit/Turn.ts"
import { GuestScript } from "../../compute-unit/GuestScript.ts"
import { Instance } from "../../compute-unit/Instance.ts"
import * as Engine from "../../compute-unit/Engine.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import { boot, id, limits, Stage } from "./Stage.ts"

const counter = `
  let count = 0
  const kept = []
  heddle.on("Add", (m) => (count += Number(m.data || 1)))
  heddle.on("Keep", (m) => void kept.push("x".repeat(Number(m.data))))
  heddle.on("Grow", (m) => void kept.push(new Uint8Array(Number(m.data)).fill(7)))
  heddle.on("Fail", () => { count += 100; heddle.send(heddle.process.owner); heddle.publish("a", 1); throw new RangeError("no") })
  heddle.on("GrowAndFail", (m) => { kept.push(new Uint8Array(Number(m.data))); throw new Error("no") })`

describe("boot", () => {
  const invalid = (script: string | Uint8Array, within: Turn.Limits = limits) => {
    const result = Turn.boot(
      Engine.load(),
      typeof script === "string" ? Bytes.fromText(script) : script,
      within,
    )
    if (result._tag === "Booted") throw new Error("it boots")
    return result
  }

  it("gives one image for one script, shared by its processes", () => {
    expect(boot(counter)).toBe(boot(counter))
    expect(boot(`${counter}//`)).not.toBe(boot(counter))
  })

  it("names line and column of what does not parse and of what throws", () => {
    const parse = invalid("let a = 1\n\n  let b = ;\n")
    expect(parse).toMatchObject({ file: "module.js", line: 3, column: 11 })
    expect(parse.message).toContain("SyntaxError: ")
    const thrown = invalid("\n\nconst f = () => {\n  throw new TypeError('at load')\n}\nf()")
    expect(thrown).toMatchObject({ message: "TypeError: at load", line: 4, column: 22 })
    expect(invalid("throw 7")).toMatchObject({ message: "7", line: 0, column: 0 })
  })

  it("ends a script that does not end, takes all memory or nests without end", () => {
    expect(invalid("for (;;) {}", { ...limits, fuel: 50_000_000n }).message).toContain(
      "out of fuel while the module loads",
    )
    expect(invalid("const a = []; for (;;) a.push('x'.repeat(1e6))").message).toMatch(
      /out of memory|out of fuel/,
    )
  })

  it("holds a script to its process's limits, whether its image is there already or not", () => {
    const script = "let s = 0; for (let i = 0; i < 1e5; i++) s += i; const big = new Uint8Array(5e6)"
    const few = { ...limits, fuel: 1_000_000n }
    expect(invalid(script, few).message).toContain("out of fuel")
    const { fuelUsed, wasmPages } = boot(script)
    expect(invalid(script, few).message).toContain("out of fuel")
    expect(invalid(script, { ...limits, fuel: fuelUsed - 1n }).message).toContain("out of fuel")
    expect(boot(script, { ...limits, fuel: fuelUsed }).wasmPages).toBe(wasmPages)
    expect(invalid(script, { ...limits, memoryPagesMax: wasmPages - 1 }).message).toContain(
      `takes ${wasmPages} pages`,
    )
  })

  it("refuses bytes that are no text, and more of them than a module may have", () => {
    expect(invalid(Uint8Array.of(0x2f, 0x2f, 0xff)).message).toBe("the module is not UTF-8")
    expect(invalid(new Uint8Array(4 * 1024 * 1024 + 1).fill(32)).message).toContain(
      "at most 4194304 are allowed",
    )
    expect(boot(" ".repeat(1024 * 1024)).fuelUsed).toBeGreaterThan(0n)
  })

  it("keeps what the script wrote to the console, and lets it send nothing", () => {
    expect(boot("console.warn('loaded', { a: 1 })").console).toEqual([["warn", 'loaded {"a":1}']])
    expect(invalid("heddle.send('x'.repeat(43))").message).toContain("while the module loads")
    expect(invalid("heddle.process.id").message).toContain("process.id is not known while the module loads")
  })
})

describe("a turn", () => {
  it("changes memory when it is done", () => {
    const stage = new Stage(counter)
    expect(stage.value({ action: "Add", data: "5" })).toBe(5)
    const root = stage.root
    expect(stage.value({ action: "Add", data: "5" })).toBe(10)
    expect(stage.root).not.toBe(root)
  })

  it("changes nothing and emits nothing when it fails, not even where it grew memory", () => {
    const stage = new Stage(counter)
    stage.done("Add")
    const [root, pages] = [stage.root, stage.memory.wasmPages]
    const failed = stage.failed("Fail")
    expect(failed).toMatchObject({
      reason: "threw",
      message: "RangeError: no",
      failed: [id(`${stage.self} message ${stage.slot}`)],
    })
    expect(failed.stack).toMatch(/^ {4}at .*module\.js:7:/)
    expect(stage.root).toBe(root)
    stage.failed({ action: "GrowAndFail", data: "3000000" })
    expect([stage.root, stage.memory.wasmPages]).toEqual([root, pages])
    stage.limits = { ...limits, fuel: 100_000n }
    expect(stage.failed("Add")).toMatchObject({ reason: "out of fuel", fuelUsed: 100_000n })
    expect(stage.root).toBe(root)
    stage.limits = limits
    expect(stage.value("Add")).toBe(2)
  })

  it("keeps of an error what can be read", () => {
    const stage =
      new Stage(`const deep = (n, text) => { if (n === 0) throw new RangeError(text); deep(n - 1, text) }
      heddle.on("X", () => deep(500, "long ".repeat(100000)))`)
    const { message, stack = "" } = stage.failed("X")
    expect(message).toBe(`RangeError: ${"long ".repeat(200)}`)
    expect(stack.length).toBeLessThanOrEqual(8_001)
    expect(stack).toMatch(/^ {4}at deep \(module\.js:1:/)
  })

  it("grows memory as asked, exactly, and goes on in the larger memory", () => {
    const stage = new Stage(counter)
    stage.done("Add")
    const before = stage.memory.wasmPages
    stage.done({ action: "Grow", data: String(20 * 65_536) })
    const grown = stage.memory.wasmPages
    // Less than was asked for, by what was free before, and nothing to spare.
    expect(grown - before).toBeGreaterThan(16)
    expect(grown - before).toBeLessThanOrEqual(20)
    expect(stage.value("Add")).toBe(2)
    expect(stage.memory.wasmPages).toBe(grown)
  })

  it("ends out of memory at the limit of its process, and at no other", () => {
    const stage = new Stage(counter, { limits: { ...limits, memoryPagesMax: 120 } })
    const grow = { action: "Grow", data: String(40 * 65_536) }
    expect(stage.failed(grow)).toMatchObject({ reason: "out of memory" })
    stage.limits = { ...limits, memoryPagesMax: 140 }
    stage.done(grow)
    expect(stage.failed(grow).reason).toBe("out of memory")
  })

  it("may catch that there is no memory and go on", () => {
    const script = `heddle.on("X", () => { const a = []; try { for (;;) a.push(new Uint8Array(1e6)) } catch (e) { return [a.length, e.message] } })`
    const run = () => new Stage(script, { limits: { ...limits, memoryPagesMax: 150 } })
    expect(run().value("X")).toEqual([4, "out of memory"])
    expect(run().value("X")).toEqual([4, "out of memory"])
  })

  it("uses equal fuel for equal work, whatever ran in the instance before", () => {
    const machine = new Turn.Machine()
    const [a, b] = [new Stage(counter, { machine, name: "a" }), new Stage(counter, { machine, name: "b" })]
    a.spawn()
    b.spawn()
    a.done({ action: "Keep", data: "100000" })
    const alone = new Stage(counter, { name: "b" })
    expect(b.done("Add").fuelUsed).toBe(alone.done("Add").fuelUsed)
    expect(b.root).toBe(alone.root)
  })
})

describe("a turn that can't go on", () => {
  it("ends after 100,000 promise jobs, and not before", () => {
    const stage = new Stage(
      `heddle.on("X", async (m) => { for (let i = 0; i < m.data; i++) await null; return "done" })`,
    )
    stage.limits = { ...limits, fuel: 4_000_000_000n }
    expect(stage.failed({ action: "X", data: "200000" })).toMatchObject({
      reason: "too many jobs",
      message: "more than 100000 promise jobs in one turn",
    })
    expect(stage.value({ action: "X", data: "90000" })).toBe("done")
  })

  it("ends as a broken job where the engine stops, and the next process is served", () => {
    const machine = new Turn.Machine()
    const stage = new Stage(counter, { machine })
    stage.done("Add")
    const { memory } = stage
    // The page of the heap that holds what the engine keeps about itself.
    const broken = [[1_302, new Uint8Array(4_096).fill(0xa5)] as const]
    const bad = new Stage(new Turn.Memory(memory.boot, { ...memory.difference(), pages: broken }), {
      machine,
    })
    const result = bad.next({ action: "Add" })
    expect(result).toMatchObject({ _tag: "Failed", reason: "job failed", message: "the engine stopped" })
    expect(stage.value("Add")).toBe(2)
  })

  it("is a host fault, and no outcome, where the host's stack ends first", () => {
    const script = `heddle.on("Deep", () => JSON.parse("[".repeat(150000))); heddle.on("X", () => 1)`
    const stage = new Stage(script, { limits: { ...limits, fuel: 1_000_000_000n } })
    stage.done("X")
    const { root } = stage
    // The thread of a test has a stack of about one megabyte.
    expect(() => stage.turn("Deep")).toThrow(Turn.HostFault)
    expect(stage.root).toBe(root)
    expect(stage.value("X")).toBe(1)
  })

  it("is a host fault where there is no memory for an instance", () => {
    expect(() => new GuestScript(Engine.load(), 4_097)).toThrow(Turn.HostFault)
  })
})

describe("an objection", () => {
  it("undoes a turn that did what it wanted, by what it wants to give out", () => {
    const stage = new Stage(`let n = 0; heddle.on("X", () => { heddle.publish("n", ++n); return n })`)
    stage.done("X")
    const { root, machine, memory } = stage
    stage.slot++
    const objected = machine.turn(
      memory,
      stage.input({ action: "X" }),
      limits,
      ({ views }) => `no room for ${views[0]!.name}`,
    )
    expect(objected).toMatchObject({ _tag: "Failed", message: "no room for n" })
    expect(stage.root).toBe(root)
    expect(stage.value("X")).toBe(2)
  })
})

describe("a query", () => {
  it("answers from a copy, and the copy is gone", () => {
    const stage = new Stage(counter)
    stage.done({ action: "Add", data: "5" })
    const { root, memory, machine } = stage
    for (const data of ["1", "1"]) {
      const result = machine.query(memory, stage.input({ action: "Add", data }), limits)
      expect(result).toMatchObject({ _tag: "Done", emission: { replies: [{ value: "6" }] } })
    }
    expect(machine.query(memory, stage.input({ action: "Grow", data: "3000000" }), limits)._tag).toBe("Done")
    expect(stage.root).toBe(root)
    expect(stage.value("Add")).toBe(6)
  })
})

describe("memory", () => {
  const rootOf = (memory: Turn.Memory) =>
    Bytes.toHex(
      Merkle.root(
        Array.from({ length: memory.wasmPages * 16 }, (_, index) => Hash.sha256(memory.page(index))),
      ),
    )

  it("has the Merkle root of all its pages by index, zero and unchanged ones too", () => {
    const stage = new Stage(counter)
    const all = [stage.root]
    for (const sent of [
      { action: "Add" },
      { action: "Keep", data: "20000" },
      { action: "Grow", data: "2000000" },
      { action: "Add" },
    ]) {
      stage.done(sent)
      all.push(rootOf(stage.memory))
      expect(stage.root).toBe(all.at(-1))
    }
    stage.done("Add")
    stage.done("Add")
    expect(stage.root).toBe(rootOf(stage.memory))
    expect(new Set(all).size).toBe(5)
  })

  it("keeps few pages of its own, and many processes share one instance", () => {
    const machine = new Turn.Machine()
    const stages = Array.from({ length: 20 }, (_, i) => new Stage(counter, { machine, name: `process ${i}` }))
    for (const [i, stage] of stages.entries()) stage.done({ action: "Add", data: String(i) })
    for (const [i, stage] of stages.entries()) expect(stage.value("Add")).toBe(i + 1)
    expect(new Set(stages.map(({ root }) => root)).size).toBe(20)
    for (const { memory } of stages) expect(memory.own.size).toBeLessThan(60)
  })

  it("serves processes of more sizes than a thread keeps instances", () => {
    const machine = new Turn.Machine()
    const stages = Array.from({ length: 10 }, (_, i) => new Stage(counter, { machine, name: `process ${i}` }))
    for (const [i, stage] of stages.entries()) stage.done({ action: "Grow", data: String((i + 3) * 65_536) })
    expect(new Set(stages.map(({ memory }) => memory.wasmPages)).size).toBe(10)
    for (let n = 1; n <= 2; n++) for (const stage of stages) expect(stage.value("Add")).toBe(n)
  })

  it("comes back from its difference to the boot image, and goes its own way when copied", () => {
    const stage = new Stage(counter)
    stage.done({ action: "Grow", data: "500000" })
    const { root } = stage
    const copy = stage.memory.copy()
    const back = new Turn.Memory(stage.memory.boot, structuredClone(stage.memory.difference()))
    stage.done({ action: "Add", data: "3" })
    for (const memory of [copy, back]) {
      expect(Bytes.toHex(memory.root())).toBe(root)
      const other = new Stage(memory)
      Object.assign(other, { slot: stage.slot - 1, timestamp: stage.timestamp - 1 })
      expect(other.value({ action: "Add", data: "3" })).toBe(3)
      expect(other.root).toBe(stage.root)
    }
  })

  it("has no trace of the stack after a turn, however deep it went", () => {
    const memory = new Turn.Memory(
      boot(`heddle.on("X", () => { const f = (n) => n ? 1 + f(n - 1) : 0; return f(200) })`),
    )
    const guest = new GuestScript(Engine.load(), memory.wasmPages)
    const instance = new Instance(guest)
    const stage = new Stage(memory)
    instance.load(memory)
    for (const action of ["", "X", "X"]) {
      stage.slot++
      const { message, seed, ...input } = stage.input({ action })
      guest.arm(limits, input.timestamp, Bytes.empty)
      const words = { ...input, process: null, seed: Bytes.toHex(seed), message: { ...message, data: "" } }
      guest.run("turn", JSON.stringify(words))
      const stack = guest.bytes.subarray(guest.dataEnd, guest.stackBase)
      expect(stack.some((byte) => byte !== 0)).toBe(true)
      guest.disarm()
      expect(stack.every((byte) => byte === 0)).toBe(true)
    }
    // The stack pointer is the one mutable global, and it is back where it began.
    expect(guest.globals).toEqual(Bytes.u64(guest.stackBase))
    expect(memory.globals).toEqual(guest.globals)
  })
})

/** Turns of plain modules: how they are told, where they speak, and what stays of a turn. */
import { describe, expect, it } from "vitest"
import * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Limit from "../../runtime/Limit.ts"
import { boot, counter, module, type Parts, placed, saying, stage } from "./PlainStage.ts"
import { id, limits, Stage } from "./Stage.ts"

/** Says its input, as the value of its reply. */
const echo: Parts = {
  alloc: `(func (export "alloc") (param i32) (result i32) (memory.grow (i32.const 20)) drop (i32.const 1024))`,
  more: `(data (i32.const 1002) "{\\22replies\\22: [{\\22value\\22:") (data $end "}]}")`,
  handle: `(memory.init $end (i32.add (local.get $at) (local.get $length)) (i32.const 0) (i32.const 3))
    (i64.or (i64.const ${0x3ean << 32n}) (i64.extend_i32_u (i32.add (local.get $length) (i32.const 25))))`,
}

/** Counts its turns in what `more` declares, and answers with the lowest four bytes of it as text of an address. */
const says4 = (value: string, more = ""): Parts => ({
  more: `${more} (data (i32.const 100) "{\\22replies\\22:[{\\22value\\22:1000000000}]}")
    (func $digits (param $value i32) (local $at i32) (local.set $at (i32.const 130))
      (loop $next
        (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10))))
        (local.set $value (i32.div_u (local.get $value) (i32.const 10)))
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (br_if $next (i32.gt_u (local.get $at) (i32.const 121)))))`,
  handle: `(call $digits ${value}) ${placed(100, 34)}`,
})

/** The number that such a module answers with, without its first digit, which is always 1. */
const number = (of: Stage, sent = ""): number => Number(of.value(sent)) - 1_000_000_000

describe("what a module is told", () => {
  it("is the message, the process, the time and the place in the log, in every turn", () => {
    const told = stage(echo)
    const from = { id: told.self, owner: id("ada"), module: id("module"), scheduler: id("scheduler") }
    const process = {
      ...from,
      tags: [
        ["Name", "test"],
        ["Name", "stage"],
      ],
    }
    told.spawn()
    const input = told.done({
      action: "Hi",
      from: "bob",
      process: true,
      tags: [["A", "é"]],
      data: 'a"\u0000',
    })
    const { slot, timestamp, self } = told
    const [{ value } = { value: "" }] = input.emission.replies as ReadonlyArray<{ readonly value: string }>
    expect(value).toBe(
      JSON.stringify({
        slot,
        timestamp,
        head: Bytes.toBase64Url(told.head(slot)),
        seed: Bytes.toHex(Hash.sha256(Bytes.fromText(`${self} seed ${slot}`))),
        process,
        message: {
          id: id(`${self} message 1`),
          from: id("bob"),
          fromProcess: true,
          target: self,
          action: "Hi",
          tags: [
            ["Action", "Hi"],
            ["A", "é"],
          ],
          data: 'a"\u0000',
          length: 3,
        },
      }),
    )
  })

  it("has no data where that is no text, and its length in bytes", () => {
    const told = stage(echo)
    expect(told.value({ data: Uint8Array.of(0xff, 0, 1) })).toMatchObject({
      message: { data: null, length: 3 },
    })
    expect(told.value({ data: "é" })).toMatchObject({ message: { data: "é", length: 2 } })
    expect(told.value({ data: "" })).toMatchObject({ message: { data: "", length: 0, action: "", tags: [] } })
  })

  it("is the spawn too, at slot 0", () => {
    const told = stage(echo)
    const spawned = told.spawn()
    if (spawned._tag === "Failed") throw new Error(spawned.message)
    const [reply] = spawned.emission.replies as ReadonlyArray<{ readonly value: string }>
    expect(JSON.parse(reply!.value)).toMatchObject({ slot: 0, message: { id: told.self, action: "" } })
  })
})

describe("the place that alloc gives", () => {
  const at = (place: string, handle = "(i64.const 0)") =>
    stage({ alloc: `(func (export "alloc") (param i32) (result i32) ${place})`, handle })
  const outside = { reason: "bad output", message: "the place for the input is outside of memory" }

  it("is inside memory, to the last byte", () => {
    for (const place of [
      "(i32.const -1)",
      "(i32.const 65536)",
      "(i32.const 0x7fffffff)",
      "(i32.const 65000)",
    ])
      expect(at(place).next({ data: "x".repeat(1_000) })).toMatchObject(outside)
    const toTheEnd = `(i32.sub (i32.const 65536) (local.get 0))`
    expect(at(toTheEnd).spawn()._tag).toBe("Done")
    expect(at(`(i32.add ${toTheEnd} (i32.const 1))`).spawn()).toMatchObject(outside)
    expect(at("(i32.const 0)").spawn()._tag).toBe("Done")
  })

  it("is a place in memory that alloc made itself", () => {
    const grown = at("(i32.mul (memory.grow (i32.const 2)) (i32.const 65536))")
    expect(grown.spawn()._tag).toBe("Done")
    expect(grown.memory.wasmPages).toBe(3)
    expect(Bytes.toText(grown.memory.page(16).subarray(0, 9))).toBe('{"slot":0')
  })

  it("may never be given: a trap ends the turn as in handle", () => {
    expect(at("(unreachable)").spawn()).toMatchObject({ reason: "trapped", message: "the program trapped" })
  })

  it("is given before each turn, for the length of its input", () => {
    const given = stage({
      alloc: `(func (export "alloc") (param i32) (result i32) (i32.store (i32.const 0) (local.get 0)) (i32.const 8))`,
    })
    const lengthOf = (data: string) => {
      given.done({ data })
      const { length } = given.memory.page(0)
      expect(length).toBe(4_096)
      return new DataView(given.memory.page(0).slice().buffer).getUint32(0, true)
    }
    expect(lengthOf("é") - lengthOf("")).toBe(2)
  })
})

describe("the place that handle gives", () => {
  const at = (place: string) => stage({ handle: place })
  const outside = { reason: "bad output", message: "what it says lies outside of memory" }

  it("is inside memory, to the last byte", () => {
    const bytes = Buffer.byteLength('{"replies":[{}]}')
    const end = 65_536 - bytes
    const saidAt = (at: number) => ({
      more: `(data (i32.const ${end}) "{\\22replies\\22:[{}]}")`,
      handle: placed(at, bytes),
    })
    expect(stage(saidAt(end)).value()).toBeNull()
    expect(stage(saidAt(end + 1)).spawn()).toMatchObject(outside)
  })

  it("is read as two unsigned numbers: nothing wraps around", () => {
    for (const place of [
      placed(0xffff_ffff, 1),
      placed(0, 0xffff_ffff),
      placed(0xffff_ffff, 0xffff_ffff),
      placed(0x8000_0000, 2),
      placed(1, 65_536),
      "(i64.const -1)",
    ])
      expect(at(place).spawn()).toMatchObject(outside)
  })

  it("says nothing where it has no length, wherever it is", () => {
    for (const place of [placed(0, 0), placed(0xffff_ffff, 0), "(i64.const -4294967296)"])
      expect(at(place).done().emission).toEqual({ outbox: [], replies: [], views: [] })
  })

  it("may be in memory that the turn added", () => {
    const grown = stage({
      handle: `(local $to i32) (local.set $to (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)))
        (i32.store16 (local.get $to) (i32.const 0x7d7b))
        (i64.or (i64.shl (i64.extend_i32_u (local.get $to)) (i64.const 32)) (i64.const 2))`,
    })
    grown.done()
    expect(grown.memory.wasmPages).toBe(3)
  })
})

describe("state", () => {
  it("is memory", () => {
    const of = stage(says4("(i32.load (i32.const 8))"))
    const bumps = stage({
      ...says4("(i32.load (i32.const 8))"),
      handle: `(i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))) (call $digits (i32.load (i32.const 8))) ${placed(100, 34)}`,
    })
    expect([number(of), number(of)]).toEqual([0, 0])
    bumps.spawn()
    expect([number(bumps), number(bumps)]).toEqual([2, 3])
  })

  const bumping = says4(
    "(global.get $n)",
    `(global $n (mut i32) (i32.const 40)) (global $sum (mut i64) (i64.const -1))
     (func $bump (export "bump") (global.set $n (i32.add (global.get $n) (i32.const 1)))
       (global.set $sum (i64.add (global.get $sum) (i64.const -1))))`,
  )
  const globals: Parts = { ...bumping, handle: `(call $bump) ${bumping.handle}` }

  it("is globals, of each process its own, whichever ran in the instance before", () => {
    const machine = new Turn.Machine()
    const [a, b] = [stage(globals, { machine, name: "a" }), stage(globals, { machine, name: "b" })]
    expect(a.memory.boot).toBe(b.memory.boot)
    a.spawn()
    expect([number(a), number(b), number(a), number(a), number(b)]).toEqual([42, 42, 43, 44, 43])
    expect([...new BigInt64Array(a.memory.globals.slice().buffer)]).toEqual([44n, -5n])
    expect([...new BigInt64Array(b.memory.globals.slice().buffer)]).toEqual([43n, -4n])
  })

  it("goes back as a whole where a turn fails after it changed memory and globals", () => {
    const failing = stage({
      ...globals,
      handle: `(call $bump) (i32.store (i32.const 0) (i32.const 7))
        (if (i32.eq (global.get $n) (i32.const 43)) (then (unreachable)))
        (i32.store (i32.const 4) (global.get $n)) ${bumping.handle}`,
    })
    failing.done()
    const { root } = failing
    for (let n = 0; n < 3; n++)
      expect(failing.failed()).toMatchObject({ reason: "trapped", message: "the program trapped" })
    expect(failing.root).toBe(root)
    expect([...new BigInt64Array(failing.memory.globals.slice().buffer)]).toEqual([42n, -3n])
  })

  it("keeps every bit of a float in a global, through turns and snapshots", () => {
    const floats = module({
      more: `(global $d (mut f64) (f64.const nan:0x4000000000001)) (global $s (mut f32) (f32.const -nan:0x200001))`,
      handle: `(i64.store (i32.const 8) (i64.reinterpret_f64 (global.get $d)))
        (i32.store (i32.const 16) (i32.reinterpret_f32 (global.get $s)))
        (global.set $d (f64.reinterpret_i64 (i64.add (i64.load (i32.const 8)) (i64.const 1))))
        (global.set $s (f32.reinterpret_i32 (i32.add (i32.load (i32.const 16)) (i32.const 1))))
        (i64.const 0)`,
    })
    const seen = (memory: Turn.Memory) => {
      const view = new DataView(memory.page(0).slice().buffer)
      return [view.getBigUint64(8, true), view.getUint32(16, true)]
    }
    const running = stage(floats)
    running.spawn()
    expect(seen(running.memory)).toEqual([0x7ff4_0000_0000_0001n, 0xffa0_0001])
    const memory = new Turn.Memory(boot(floats), structuredClone(running.memory.difference()))
    const restored = Object.assign(new Stage(memory), { slot: 0, timestamp: running.timestamp })
    for (const one of [running, restored]) one.done()
    expect(seen(memory)).toEqual([0x7ff4_0000_0000_0002n, 0xffa0_0002])
    expect(restored.root).toBe(running.root)
    expect(restored.memory.globals).toEqual(running.memory.globals)
  })

  it("begins with data and start function, for each process anew", () => {
    const begun: Parts = {
      more: `(data (i32.const 8) "\\05") (data $later "\\01\\02\\03") (start $begin)
        (func $begin (i32.store8 (i32.const 9) (i32.add (i32.load8_u (i32.const 8)) (i32.const 1)))
          (drop (memory.grow (i32.const 2))))`,
      handle: `(i32.store8 (i32.const 8) (i32.add (i32.load8_u (i32.const 8)) (i32.const 10)))
        (memory.init $later (i32.const 10) (i32.const 1) (i32.const 2)) (i64.const 0)`,
    }
    const machine = new Turn.Machine()
    const [a, b] = [stage(begun, { machine, name: "a" }), stage(begun, { machine, name: "b" })]
    const bytes = (of: Stage) => [...of.memory.page(0).subarray(8, 12)]
    expect(bytes(a)).toEqual([5, 6, 0, 0])
    expect(a.memory.boot.fuelUsed).toBeGreaterThan(0n)
    expect(a.memory.wasmPages).toBe(3)
    a.spawn()
    a.done()
    b.spawn()
    expect([bytes(a), bytes(b)]).toEqual([
      [25, 6, 2, 3],
      [15, 6, 2, 3],
    ])
  })

  it("is left as it is by a query", () => {
    const of = stage(counter())
    of.done("Increment")
    const { root, memory, machine } = of
    for (let n = 0; n < 2; n++)
      expect(machine.query(memory, of.input({ action: "Increment" }), limits)).toMatchObject({
        _tag: "Done",
        emission: { replies: [{ value: "2" }] },
      })
    expect(of.root).toBe(root)
  })
})

describe("memory that grows", () => {
  const growing = module({
    handle: `(local $pages i32)
      (if (i32.eqz (i32.load8_u offset=8 (local.get $at))) (then (unreachable)))
      (local.set $pages (memory.grow (i32.const 5)))
      (if (i32.eq (local.get $pages) (i32.const -1)) (then (unreachable)))
      (i32.store (i32.shl (local.get $pages) (i32.const 16)) (local.get $pages))
      (i64.const 0)`,
  })

  it("is there in the next turn, in whichever instance that runs", () => {
    const of = stage(growing)
    for (const pages of [6, 11, 16]) {
      of.next({})
      expect(of.memory.wasmPages).toBe(pages)
    }
    const fresh = Object.assign(new Stage(new Turn.Memory(of.memory.boot, of.memory.difference())), {
      slot: of.slot,
      timestamp: of.timestamp,
    })
    expect(fresh.root).toBe(of.root)
    fresh.done()
    of.done()
    expect(fresh.memory.wasmPages).toBe(21)
    expect(fresh.root).toBe(of.root)
    expect(new DataView(fresh.memory.page(16 * 16).slice().buffer).getUint32(0, true)).toBe(16)
  })

  it("ends out of memory at the limit of its process, and leaves the memory of before", () => {
    const of = stage(growing, { limits: { ...limits, memoryPagesMax: 11 } })
    of.done()
    const { root } = of
    expect(of.failed()).toMatchObject({
      reason: "out of memory",
      message: "more than 11 pages of 64 KiB",
    })
    expect([of.root, of.memory.wasmPages]).toEqual([root, 11])
    of.limits = { ...limits, memoryPagesMax: 16 }
    of.done()
    expect(of.memory.wasmPages).toBe(16)
  })

  it("may be refused without ending the turn, and is refused alike by what the module declares", () => {
    const asks = (memory: string) =>
      stage(
        {
          memory,
          handle: `(i32.store (i32.const 0) (memory.grow (i32.const 5))) (i32.store (i32.const 4) (memory.grow (i32.const 3))) (i64.const 0)`,
        },
        { limits: { ...limits, memoryPagesMax: 5 } },
      )
    const answers = (of: Stage) => {
      expect(of.spawn()._tag).toBe("Done")
      return [...new Int32Array(of.memory.page(0).slice(0, 8).buffer)]
    }
    expect(answers(asks("1"))).toEqual([-1, 1])
    expect(answers(asks("1 4"))).toEqual([-1, 1])
    expect(answers(asks("1 3"))).toEqual([-1, -1])
  })

  it("that a module declares not to have is no lack of memory", () => {
    const of = stage({
      memory: "1 1",
      handle: "(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable))) (i64.const 0)",
    })
    expect(of.spawn()).toMatchObject({ reason: "trapped" })
  })

  it("goes back where the turn fails after it grew", () => {
    const of = stage({
      handle: `(drop (memory.grow (i32.const 3))) (if (i32.gt_u (memory.size) (i32.const 4)) (then (unreachable))) (i64.const 0)`,
    })
    of.spawn()
    const { root } = of
    expect(of.memory.wasmPages).toBe(4)
    expect(of.failed().reason).toBe("trapped")
    expect([of.memory.wasmPages, of.root]).toEqual([4, root])
  })

  it("is no more than a process may have from the first turn", () => {
    const pages = (count: number) => module({ memory: String(count) })
    const within = { ...limits, memoryPagesMax: 10 }
    expect(boot(pages(10), within).wasmPages).toBe(10)
    expect(() => boot(pages(11), within)).toThrow(
      "the module takes 11 pages of 64 KiB to load; its limit is 10",
    )
  })
})

describe("intrinsics", () => {
  it("read the message's bytes, hash memory and write lines, each at its price", () => {
    const of = stage({
      imports: `(import "heddle" "read" (func $read (param i32 i32 i32)))
        (import "heddle" "log" (func $log (param i32 i32 i32)))
        (import "heddle" "sha256" (func $sha256 (param i32 i32 i32)))`,
      more: `(data (i32.const 200) "heard")`,
      handle: `(if (i32.eq (i32.load8_u offset=8 (local.get $at)) (i32.const 48)) (then (return (i64.const 0))))
        (call $read (i32.const 1) (i32.const 300) (i32.const 3))
        (call $sha256 (i32.const 300) (i32.const 3) (i32.const 400))
        (call $log (i32.const 3) (i32.const 200) (i32.const 5)) (i64.const 0)`,
    })
    const data = Uint8Array.of(9, 0xff, 0, 7)
    const { console, fuelUsed } = of.done({ data })
    expect(console).toEqual([["warn", "heard"]])
    expect(of.memory.page(0).subarray(300, 303)).toEqual(data.subarray(1))
    expect(of.memory.page(0).subarray(400, 432)).toEqual(new Uint8Array(Hash.sha256(data.subarray(1))))
    expect(fuelUsed).toBeGreaterThan(3n * 2_000n)
    expect(of.failed({ data: new Uint8Array(3) })).toMatchObject({
      reason: "trapped",
      message: "the program trapped",
    })
    of.limits = { ...limits, fuel: 5_000n }
    expect(of.failed({ data })).toMatchObject({
      reason: "out of fuel",
      message: "more than 5000 fuel",
      fuelUsed: 5_000n,
    })
  })

  it("can write while the module loads, but there is no message to read", () => {
    const start = (body: string) =>
      module({
        imports: `(import "heddle" "read" (func $read (param i32 i32 i32)))
          (import "heddle" "log" (func $log (param i32 i32 i32)))`,
        more: `(data (i32.const 200) "loaded") (start $begin) (func $begin ${body})`,
      })
    expect(boot(start("(call $log (i32.const 1) (i32.const 200) (i32.const 6))")).console).toEqual([
      ["log", "loaded"],
    ])
    expect(() => boot(start("(call $read (i32.const 0) (i32.const 0) (i32.const 1))"))).toThrow(
      "trapped while the module loads: the program trapped",
    )
  })
})

describe("after a turn that failed", () => {
  const abandoned = (of: Stage, sent: Parameters<Stage["next"]>[0]) => {
    const result = of.next(sent)
    if (result._tag === "Done") throw new Error("it is done")
    const { root } = of
    const answer = of.machine.abandon(of.memory, of.input(sent), result, limits)
    if (answer._tag === "Failed") throw new Error(answer.message)
    expect([of.root, answer.fuelUsed]).toEqual([root, 0n])
    return answer.emission
  }

  it("whoever sent the message is answered, and a process that waits is sent the answer", () => {
    const of = stage({ handle: "(unreachable)" })
    const error = "TurnFailed: the program trapped"
    expect(abandoned(of, {})).toEqual({ outbox: [], views: [], replies: [{ to: of.self, error }] })
    const asked = abandoned(of, { from: "bob", process: true, tags: [["Reference", "3"]] })
    expect(asked.replies).toEqual([{ to: id(`${of.self} message 1`), error }])
    expect(asked.outbox.map(({ tags }) => tags.at(-1))).toEqual([{ name: "Error", value: error }])
  })

  it("is answered whatever the error was", () => {
    const of = stage(saying(JSON.stringify({ error: "\u{1f9f5}".repeat(500) })))
    const sent = { from: "bob", process: true, tags: [["Reference", "3"] as const] }
    const { outbox } = abandoned(of, sent)
    const value = outbox[0]!.tags.at(-1)!.value
    expect(value).toHaveLength(1_000)
    expect(value.isWellFormed()).toBe(true)
    expect(abandoned(stage(saying('{"error":""}')), sent).outbox).toHaveLength(1)
  })
})

describe("processes of several modules and sizes in one machine", () => {
  it("each come to what they come to alone, more of them than instances are kept", () => {
    const machine = new Turn.Machine()
    const parts = Array.from({ length: 12 }, (_, n) => ({
      ...says4("(global.get $n)", `(global $n (mut i32) (i32.const ${n * 100}))`),
      memory: String(1 + (n % 3)),
    }))
    const bump = "(global.set $n (i32.add (global.get $n) (i32.const 1)))"
    const modules = parts.map((one) => module({ ...one, handle: `${bump} ${one.handle}` }))
    const alone = modules.map((bytes, n) => stage(bytes, { name: String(n) }))
    const shared = modules.map((bytes, n) => stage(bytes, { name: String(n), machine }))
    let turns = 0
    for (let round = 0; round < 3; round++)
      for (const [n, one] of shared.entries()) {
        expect(number(one)).toBe(number(alone[n]!))
        expect(one.root).toBe(alone[n]!.root)
        turns++
      }
    expect(turns).toBe(36)
  })
})

describe("an output over the limit", () => {
  it("ends the turn before it is looked at", () => {
    const of = stage(
      { memory: "200", handle: placed(0, Limit.outputBytesPerTurnMax + 1) },
      { limits: { ...limits, memoryPagesMax: 300 } },
    )
    expect(of.spawn()).toMatchObject({ reason: "output too large" })
  })
})

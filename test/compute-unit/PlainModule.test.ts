/** Which modules are run, and in which words the others are refused. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { caps } from "../../compute-unit/Engine.ts"
import * as Limit from "../../runtime/Limit.ts"
import type * as Turn from "../../compute-unit/Turn.ts"
import * as Wasm from "../../compute-unit/Wasm.ts"
import { boot, counter, module, type Parts, refused, stage, text, tried, wasm } from "./PlainStage.ts"
import { limits } from "./Stage.ts"

const times = (count: number, of: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => of(n)).join(" ")

/** Bytes of a module of these sections alone. */
const bytes = (
  ...sections: ReadonlyArray<readonly [id: number, body: ReadonlyArray<number>]>
): Uint8Array => {
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
  const all = sections.flatMap(([id, body]) => [id, ...Wasm.unsigned(body.length), ...body])
  return Uint8Array.from([...header, ...all])
}

describe("an import", () => {
  const imported = (what: string, from = "heddle", name = "sha256") =>
    module({ imports: `(import "${from}" "${name}" ${what})` })
  const there = "there are the functions heddle.sha256, heddle.read, heddle.log, heddle.hash, heddle.verify"

  it("is an intrinsic, as often as a module wants it", () => {
    const three = "(param i32 i32 i32)"
    expect(
      tried(module({ imports: times(3, () => `(import "heddle" "sha256" (func ${three}))`) }))._tag,
    ).toBe("Booted")
    const all = [
      ["sha256", 3],
      ["read", 3],
      ["log", 3],
      ["hash", 5],
      ["verify", 10],
    ] as const
    const each = all.map(
      ([name, count]) => `(import "heddle" "${name}" (func (param ${"i32 ".repeat(count)})))`,
    )
    expect(tried(module({ imports: each.join("") }))._tag).toBe("Booted")
  })

  it.each([
    ["env", "abort", "(func (param i32 i32 i32 i32))", "function"],
    ["wasi_snapshot_preview1", "fd_write", "(func (param i32 i32 i32 i32) (result i32))", "function"],
    ["heddle", "now", "(func (result i64))", "function"],
    ["heddle", "utf8", "(func (param i32 i32 i32))", "function"],
    ["heddle", "write", "(func (param i32 i32))", "function"],
    ["heddle", "", "(func)", "function"],
    ["Heddle", "sha256", "(func (param i32 i32 i32))", "function"],
    ["heddle", "sha256", "(global i32)", "global"],
    ["heddle", "sha256", "(table 1 funcref)", "table"],
  ])("%s.%s is refused as %s", (from, name, what, kind) => {
    expect(refused(imported(what, from, name))).toBe(`it imports the ${kind} "${from}.${name}"; ${there}`)
  })

  it("of a memory is refused", () => {
    expect(refused(wasm(`(module (import "heddle" "memory" (memory 1)) (export "memory" (memory 0)))`))).toBe(
      `it imports the memory "heddle.memory"; ${there}`,
    )
  })

  it.each([
    "",
    "(param i32 i32)",
    "(param i32 i32 i64)",
    "(param i32 i32 i32 i32)",
    "(param i32 i32 i32) (result i32)",
  ])("has the type of the intrinsic, not %s", (type) => {
    expect(refused(imported(`(func ${type})`))).toBe(
      'it imports "heddle.sha256", which takes 3 i32 and gives nothing',
    )
  })

  it("is named with at most 100 letters", () => {
    expect(refused(imported("(func)", "x".repeat(5_000)))).toContain(`"${"x".repeat(100)}"`)
  })
})

describe("an export", () => {
  const memory = `(memory (export "memory") 1)`
  const alloc = `(func (export "alloc") (param i32) (result i32) (i32.const 0))`
  const handle = `(func (export "handle") (param i32 i32) (result i64) (i64.const 0))`
  const lacks = (name: string, takes: string, gives: string) =>
    `it exports no function "${name}" of (${takes}) -> (${gives})`

  it("is there for memory, alloc and handle; more of them do no harm", () => {
    expect(tried(wasm(`(module ${memory} ${alloc} ${handle})`))._tag).toBe("Booted")
    expect(
      tried(
        wasm(`(module ${memory} ${alloc} ${handle} (global (export "g") (mut i32) (i32.const 0)) (func (export "") )
      (table (export "t") 1 funcref) (func (export "toString")) (func (export "main") (param f64) (result f32) (f32.const 0)))`),
      )._tag,
    ).toBe("Booted")
  })

  it.each([
    [`${alloc} ${handle}`, 'it exports no memory named "memory"'],
    [`(memory 1) ${alloc} ${handle}`, 'it exports no memory named "memory"'],
    [`(memory (export "mem") 1) ${alloc} ${handle}`, 'it exports no memory named "memory"'],
    [`(memory 1) (func (export "memory")) ${alloc} ${handle}`, 'it exports no memory named "memory"'],
    [`${memory} ${handle}`, lacks("alloc", "i32", "i32")],
    [`${memory} ${handle} (func (export "alloc") (param i32))`, lacks("alloc", "i32", "i32")],
    [
      `${memory} ${handle} (func (export "alloc") (param i64) (result i32) (i32.const 0))`,
      lacks("alloc", "i32", "i32"),
    ],
    [`${memory} ${handle} (global (export "alloc") i32 (i32.const 0))`, lacks("alloc", "i32", "i32")],
    [`${memory} ${alloc}`, lacks("handle", "i32 i32", "i64")],
    [
      `${memory} ${alloc} (func (export "handle") (param i32 i32) (result i32) (i32.const 0))`,
      lacks("handle", "i32 i32", "i64"),
    ],
    [
      `${memory} ${alloc} (func (export "handle") (param i32) (result i64) (i64.const 0))`,
      lacks("handle", "i32 i32", "i64"),
    ],
    [
      `${memory} ${alloc} ${handle} (func (export "export") (result i32) (i32.const 0))`,
      lacks("export", "", "i64"),
    ],
    [
      `${memory} ${alloc} ${handle} (func (export "export") (param i32) (result i64) (i64.const 0))`,
      lacks("export", "", "i64"),
    ],
    [`${memory} ${alloc} ${handle} (global (export "export") i64 (i64.const 0))`, lacks("export", "", "i64")],
    [
      `${memory} ${alloc} ${handle} (func (export "import") (param i32 i32))`,
      lacks("import", "i32 i32", "i64"),
    ],
  ])("is missing or of another type: %s", (body, words) => {
    expect(refused(wasm(`(module ${body})`))).toBe(words)
  })

  it("has no name that the pass gives", () => {
    for (const name of ["__allowance", "__mark", "__pages_max", "__denied", "__start", "__global_7"])
      expect(refused(module({ more: `(func (export "${name}"))` }))).toBe(
        `reserved name: the export "${name}" has a name that metering uses`,
      )
  })
})

/** Of a unit that begins so. */
const bytesOf: Readonly<Record<string, number>> = { loop: 3, "local.get": 4, unreachable: 4 }

describe("what a module may declare", () => {
  const most = caps.plainDeclarationsMax
  // What every module here has: three types, two exported functions, the memory.
  const cases: ReadonlyArray<
    readonly [what: string, there: number, max: number, of: (count: number) => Parts]
  > = [
    [
      "types",
      2,
      most,
      (count) => ({
        imports: times(
          count,
          (n) =>
            `(type (func ${times(10, (k) => `(param ${["i32", "i64", "f32", "f64"][(n >> (2 * k)) & 3]})`)}))`,
        ),
      }),
    ],
    [
      "imports",
      0,
      most,
      (count) => ({ imports: times(count, () => `(import "heddle" "log" (func (param i32 i32 i32)))`) }),
    ],
    ["tables", 0, most, (count) => ({ more: times(count, () => "(table 0 funcref)") })],
    ["globals", 0, most, (count) => ({ more: times(count, (n) => `(global (mut i64) (i64.const ${n}))`) })],
    [
      "exports",
      3,
      most,
      (count) => ({ more: `(func $f) ${times(count, (n) => `(export "f${n}" (func $f))`)}` }),
    ],
    ["functions", 2, caps.plainFunctionsMax, (count) => ({ more: times(count, () => "(func)") })],
    [
      "elements in its tables",
      0,
      caps.plainTableElementsMax,
      (count) => ({
        more: `(table ${Math.floor(count / 2)} funcref) (table ${Math.ceil(count / 2)} externref)`,
      }),
    ],
  ]

  it.each(cases)("is at most so many %s, and works with that many", (what, there, max, of) => {
    const built = stage(of(max - there))
    expect(built.next({})._tag).toBe("Done")
    expect(refused(module(of(max - there + 1)))).toBe(`it has ${max + 1} ${what}; at most ${max} are allowed`)
  })

  it("is functions of at most 65,536 bytes, with the code of the pass or without", () => {
    const body = (length: number, unit: string) =>
      module({ more: `(func (param i32) ${unit.repeat(length)})` })
    // A body has a byte for its locals before the code and one for its end.
    const max = caps.plainFunctionBytesMax - 2
    expect(tried(body(max, "nop "))._tag).toBe("Booted")
    expect(refused(body(max + 1, "nop "))).toBe(
      "it has 65537 bytes in its function 1; at most 65536 are allowed",
    )
    // Of all that costs no stack words the pass makes most of these, and V8 compiles a function of that length still.
    for (const unit of ["loop end ", "local.get 0 br_if 0 ", "unreachable memory.fill "]) {
      const longest = body(Math.floor(max / bytesOf[unit.split(" ")[0]!]!), unit)
      expect(longest.length).toBeGreaterThan(max)
      expect(stage(longest).next({})._tag).toBe("Done")
    }
  })

  it("is memory that begins with at most 4,096 pages", () => {
    const wide = { ...limits, memoryPagesMax: Limit.memoryPagesMax }
    expect(boot(module({ memory: String(Limit.memoryPagesMax) }), wide).wasmPages).toBe(Limit.memoryPagesMax)
    expect(refused(module({ memory: "4097" }), wide)).toBe(
      "its memory begins with 4097 pages of 64 KiB; at most 4096 are allowed",
    )
    expect(refused(module({ memory: "65536" }), wide)).toContain("its memory begins with 65536 pages")
    expect(boot(module({ memory: "1 65536" })).wasmPages).toBe(1)
  })

  it("is at most 4 MiB in all", () => {
    const long = new Uint8Array(Limit.moduleBytesMax + 1)
    expect(refused(long)).toBe("the module has 4194305 bytes; at most 4194304 are allowed")
  })

  it("is data and elements that fit", () => {
    const words = "its data or elements do not fit"
    expect(refused(module({ more: `(data (i32.const 65535) "ab")` }))).toBe(words)
    expect(refused(module({ more: `(data (i32.const -1) "a")` }))).toBe(words)
    expect(refused(module({ more: `(func $f) (table 1 funcref) (elem (i32.const 1) $f)` }))).toBe(words)
    expect(
      tried(
        module({ more: `(data (i32.const 65534) "ab") (func $f) (table 1 funcref) (elem (i32.const 0) $f)` }),
      )._tag,
    ).toBe("Booted")
  })
})

describe("what can't be metered or would keep state elsewhere is refused by name", () => {
  it.each<readonly [string, Parts | string]>([
    ["SIMD", { more: "(func (drop (i32x4.splat (i32.const 1))))" }],
    ["SIMD", { more: "(func (param v128))" }],
    ["SIMD", { more: "(func (local v128))" }],
    ["SIMD", { more: "(global v128 (v128.const i64x2 0 0))" }],
    ["SIMD", { more: "(func (drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0))))" }],
    ["threads", { memory: "1 1 shared" }],
    ["threads", { more: "(func (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))" }],
    ["threads", { more: "(func (atomic.fence))" }],
    ["threads", { more: "(func (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))" }],
    [
      "64-bit memory",
      `(module (memory (export "memory") i64 1) (func (export "alloc") (param i32) (result i32) (i32.const 0)) (func (export "handle") (param i32 i32) (result i64) (i64.const 0)))`,
    ],
    ["tail calls", { more: "(func $f (return_call $f))" }],
    ["tail calls", { more: "(table 1 funcref) (func (return_call_indirect (i32.const 0)))" }],
    ["exceptions", { more: "(tag) (func (throw 0))" }],
    ["exceptions", { more: "(func (try (do) (catch_all)))" }],
    ["hidden state", { more: "(table 1 funcref) (func (table.set 0 (i32.const 0) (ref.null func)))" }],
    [
      "hidden state",
      { more: "(table 1 funcref) (func (drop (table.grow 0 (ref.null func) (i32.const 1))))" },
    ],
    [
      "hidden state",
      { more: "(table 1 funcref) (func (table.fill 0 (i32.const 0) (ref.null func) (i32.const 1)))" },
    ],
    [
      "hidden state",
      { more: "(table 1 funcref) (func (table.copy (i32.const 0) (i32.const 0) (i32.const 1)))" },
    ],
    [
      "hidden state",
      {
        more: "(func $f) (table 1 funcref) (elem $e func $f) (func (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)))",
      },
    ],
    ["hidden state", { more: "(func $f) (elem $e func $f) (func (elem.drop $e))" }],
    ["hidden state", { more: `(data $d "a") (func (data.drop $d))` }],
    ["hidden state", { more: "(global (mut funcref) (ref.null func))" }],
    ["hidden state", { more: "(global (mut externref) (ref.null extern))" }],
    ["frame too large", { more: `(func ${"(local i64)".repeat(40_000)})` }],
  ])("%s: %j", (name, of) => {
    expect(refused(wasm(typeof of === "string" ? of : text(of)))).toMatch(new RegExp(`^${name}: `))
  })

  it("with two memories, before the host has seen them", () => {
    expect(refused(bytes([5, [2, 0, 1, 0, 1]]))).toBe("several memories: a module has one memory")
  })

  it("with types of a later standard, before the host has seen them", () => {
    for (const type of [
      [0x5f, 0],
      [0x5e, 0x7f, 0],
      [0x4e, 1, 0x60, 0, 0],
      [0x50, 0, 0x60, 0, 0],
    ])
      expect(refused(bytes([1, [1, ...type]]))).toBe("unknown type: a type is not a function")
    expect(refused(bytes([1, [1, 0x60, 2, 0x64, 0x70, 0]]))).toBe("unknown type: type 0x64 is not supported")
    expect(refused(bytes([4, [1, 0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b]]))).toBe(
      "unknown type: type 0x40 is not supported",
    )
    expect(refused(bytes([4, [1, 0x70, 4, 1]]))).toBe(
      "unknown type: a table has limits that are not of 32 bits",
    )
  })
})

describe("bytes that are no module", () => {
  const words = "not WebAssembly: the bytes are not a valid WebAssembly module"

  it.each<readonly [string, Uint8Array]>([
    ["nothing", new Uint8Array(0)],
    ["the magic number alone", Uint8Array.of(0, 0x61, 0x73, 0x6d)],
    ["another version", Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0)],
    ["a component", Uint8Array.of(0, 0x61, 0x73, 0x6d, 13, 0, 1, 0)],
    ["a section that ends early", Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1)],
    ["a section of 4 GiB", Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f)],
    [
      "a length of six bytes",
      Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0),
    ],
    ["a section twice", bytes([1, [0]], [1, [0]])],
    ["sections out of order", bytes([3, [0]], [1, [0]])],
    ["an unknown section", bytes([99, [0]])],
    ["a function without code", bytes([1, [1, 0x60, 0, 0]], [3, [1, 0]])],
    ["a function of no type", bytes([3, [1, 0]], [10, [1, 2, 0, 0x0b]])],
    ["a type that ends early", bytes([1, [1, 0x60, 5, 0x7f]])],
    ["fewer types than said", bytes([1, [2, 0x60, 0, 0]])],
    ["a body that ends early", bytes([1, [1, 0x60, 0, 0]], [3, [1, 0]], [10, [1, 9, 0]])],
    ["a body without an end", bytes([1, [1, 0x60, 0, 0]], [3, [1, 0]], [10, [1, 2, 0, 1]])],
    ["an operand that is not there", bytes([1, [1, 0x60, 0, 0]], [3, [1, 0]], [10, [1, 3, 0, 0x1a, 0x0b]])],
    ["a name that is not UTF-8", bytes([7, [1, 1, 0xff, 0, 0]])],
    ["a script", new TextEncoder().encode("heddle.on('X', () => 1)")],
  ])("are refused: %s", (_, of) => {
    expect(refused(of)).toBe(words)
  })

  it("are refused wherever a module is cut off", () => {
    const whole = counter()
    const said = Array.from(whole, (_, end) => {
      const result = tried(whole.subarray(0, end))
      return result._tag === "Booted" ? "it loads" : result.message
    })
    const counts = new Map(said.map((one) => [one, said.filter((other) => other === one).length]))
    // Cut between two sections it is a module, of which the first ones export nothing and the last one lacks texts.
    expect([...counts.keys()].toSorted()).toEqual(['it exports no memory named "memory"', "it loads", words])
    expect(counts.get("it loads")).toBe(1)
    expect(counts.get(words)).toBeGreaterThan(whole.length - 10)
  })

  it("are refused or run, and nothing else, however a module is spoilt", () => {
    const whole = counter()
    const few = { fuel: 1_000_000n, memoryPagesMax: 256 }
    const ends: Array<Turn.BootResult["_tag"]> = []
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), {
          minLength: 1,
          maxLength: 3,
        }),
        (changes) => {
          const spoilt = whole.slice()
          for (const [at, byte] of changes) spoilt[at] = byte
          const result = tried(spoilt, few)
          if (result._tag === "Booted") stage(spoilt, { limits: few }).next({ action: "Increment" })
          expect(tried(spoilt, few)).toEqual(result)
          ends.push(result._tag)
        },
      ),
      { numRuns: 1_500 },
    )
    const run = ends.filter((tag) => tag === "Booted").length
    expect(Math.min(run, ends.length - run)).toBeGreaterThan(100)
  })
})

describe("a start function", () => {
  const starting = (body: string) => module({ more: `(start $begin) (func $begin ${body})` })

  it.each([
    ["that traps", "(unreachable)", "trapped while the module loads: the program trapped"],
    [
      "that does not end",
      "(loop $on (br $on))",
      "out of fuel while the module loads: more than 200000000 fuel",
    ],
    [
      "that takes all memory and wants more",
      "(loop $on (br_if $on (i32.ne (memory.grow (i32.const 1000)) (i32.const -1)))) (unreachable)",
      "out of memory while the module loads: more than 4096 pages of 64 KiB",
    ],
  ])("%s keeps the module from loading", (_, body, words) => {
    expect(refused(starting(body))).toBe(words)
  })

  it("that takes more fuel or memory than a process has keeps that process from it", () => {
    const spends = starting(
      "(local $n i32) (loop $on (br_if $on (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 100000)))) (drop (memory.grow (i32.const 9)))",
    )
    const { fuelUsed, wasmPages } = boot(spends)
    expect(wasmPages).toBe(10)
    expect(refused(spends, { ...limits, fuel: fuelUsed - 1n })).toContain(
      "out of fuel while the module loads",
    )
    expect(refused(spends, { ...limits, memoryPagesMax: 9 })).toContain("takes 10 pages of 64 KiB to load")
    expect(boot(spends, { fuel: fuelUsed, memoryPagesMax: 10 })).toBe(boot(spends))
  })
})

/**
 * PlainAttacks: what a plain module may try against the thread that runs it, and how it must end: refused before it runs, or
 * as the outcome of a turn, with the memory of before.
 */
import { caps } from "../../compute-unit/Engine.ts"
import type * as Turn from "../../compute-unit/Turn.ts"
import * as Wasm from "../../compute-unit/Wasm.ts"
import * as Limit from "../../runtime/Limit.ts"
import { type Parts, placed, saying, text, wasm } from "./PlainStage.ts"

export interface Attack {
  readonly name: string
  readonly module: () => Uint8Array
  readonly ends: { readonly refused: string } | { readonly reason: Turn.FailReason; readonly says: string }
}

/** Spawned in peace; what follows is run by every later turn. It has a local of its own. */
const later = (code: string): string =>
  `(local $n i32) (if (i32.eq (i32.load8_u offset=8 (local.get $at)) (i32.const 48)) (then (return (i64.const 0)))) ${code} (i64.const 0)`

const attack =
  (reason: Turn.FailReason, says: string) =>
  (name: string, code: string, parts: Omit<Parts, "handle"> = {}): Attack => ({
    name,
    module: () => wasm(text({ ...parts, handle: later(code) })),
    ends: { reason, says },
  })

const burns = attack("out of fuel", "more than 50000000 fuel")
const starves = attack("out of memory", "more than 1024 pages of 64 KiB")
const overflows = attack("stack overflow", `calls are nested deeper than ${caps.depthWordsMax} stack words`)
const traps = attack("trapped", "the program trapped")
const tooLarge = attack("output too large", `take more than ${Limit.outputBytesPerTurnMax} bytes`)

const refused = (name: string, words: string, module: () => Uint8Array): Attack => ({
  name,
  module,
  ends: { refused: words },
})

const refusedText = (name: string, words: string, of: Parts | string): Attack =>
  refused(name, words, () => wasm(typeof of === "string" ? of : text(of)))

/** Says what does not fit. */
const says = (name: string, words: string, json: string): Attack => {
  const { more = "", memory = "", handle = "" } = saying(json)
  return {
    name,
    module: () => wasm(text({ more, memory, handle: later(`(return ${handle})`) })),
    ends: { reason: "bad output", says: words },
  }
}

const repeated = (count: number, of: string | ((n: number) => string)): string =>
  Array.from({ length: count }, (_, n) => (typeof of === "string" ? of : of(n))).join(" ")

const listOf = (count: number, of: object): string => JSON.stringify(Array.from({ length: count }, () => of))

// ---- frames

/** Functions of `locals` locals that call themselves. */
const recursing = (locals: number): Parts => ({
  more: `(func $f (param i32) (local ${repeated(locals, "i64")}) (call $f (local.get 0)))`,
})

const withLocals = (name: string, locals: number): Attack =>
  locals + 64 > caps.plainFrameWordsMax
    ? refusedText(`${name}, which no frame may have`, "frame too large: ", recursing(locals))
    : overflows(name, "(call $f (i32.const 0))", recursing(locals))

const mostLocals = Math.min(3_800, caps.plainFrameWordsMax - 64)

/** A function that computes values, calls itself, and uses them after. */
const keeping = (values: number): Parts => ({
  more: `(func $f (param i32) (result i64)
    ${repeated(values, (n) => `(i64.load offset=${8 * n} (local.get 0))`)} (call $f (local.get 0)) ${repeated(values, "i64.add")})`,
})

/** As many values that a call comes between as a frame has room for: each is an operand, and is computed twice. */
const mostValues = Math.min(1_000, Math.floor((caps.plainFrameWordsMax - 64) / 3))

const recursions: ReadonlyArray<Attack> = [
  overflows("calls", "(call $f)", { more: "(func $f (call $f))" }),
  overflows("calls of three functions in turn", "(call $a)", {
    more: "(func $a (call $b)) (func $b (call $c)) (func $c (call $a) (call $a))",
  }),
  overflows("calls through a table", "(call_indirect (i32.const 0))", {
    more: "(table 1 funcref) (elem (i32.const 0) $f) (func $f (call_indirect (i32.const 0)))",
  }),
  overflows("calls that keep many values", "(drop (call $f (i32.const 0)))", keeping(mostValues)),
  overflows("calls with 30 parameters", `(drop (call $f ${repeated(30, "(i64.const 1)")}))`, {
    more: `(func $f (param ${repeated(30, "i64")}) (result i64) (call $f ${repeated(30, (n) => `(local.get ${n})`)}))`,
  }),
  ...[300, 1_000].flatMap((count) => [
    overflows(`calls with ${count} parameters`, `(call $f ${repeated(count, "(i64.const 1)")})`, {
      more: `(func $f (param ${repeated(count, "i64")}) (call $f ${repeated(count, (n) => `(local.get ${n})`)}))`,
    }),
    overflows(`calls with ${count} constants`, `(call $f ${repeated(count, "(i64.const 1)")})`, {
      more: `(func $f (param ${repeated(count, "i64")})
        (block (call $f ${repeated(count, "(i64.const 7)")})) (local.set 0 (local.get 1)))`,
    }),
  ]),
  overflows("calls from the place for the input", "(call $f)", {
    more: `(global $spawned (mut i32) (i32.const 0)) (func $f (call $f))`,
    alloc: `(func (export "alloc") (param i32) (result i32)
      (if (global.get $spawned) (then (call $f))) (global.set $spawned (i32.const 1)) (i32.const 1024))`,
  }),
  withLocals(`calls with ${mostLocals} locals`, mostLocals),
  withLocals("calls with 4,000 locals", 4_000),
  withLocals("calls with 40,000 locals", 40_000),
]

// ---- loops and memory

const loops: ReadonlyArray<Attack> = [
  burns("a loop without end", "(loop $on (br $on))"),
  burns("a loop within a loop", "(loop $out (loop $in (br_if $in (i32.const 0))) (br $out))"),
  burns("a loop by a table of branches", "(loop $on (br_table $on $on $on (i32.const 1)))"),
  burns("calls without end that return", "(loop $on (call $f) (br $on))", { more: "(func $f)" }),
  burns("a loop in the place for the input", "", {
    more: "(global $spawned (mut i32) (i32.const 0))",
    alloc: `(func (export "alloc") (param i32) (result i32)
      (if (global.get $spawned) (then (loop $on (br $on)))) (global.set $spawned (i32.const 1)) (i32.const 1024))`,
  }),
  burns("two calls by each of many", "(call $f (i32.const 40))", {
    more: `(func $f (param i32) (if (local.get 0) (then
      (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))`,
  }),
]

const grown = (pages: number) => `(drop (memory.grow (i32.const ${pages})))`

const memory: ReadonlyArray<Attack> = [
  starves(
    "memory page by page",
    `(loop $on (br_if $on (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)`,
  ),
  starves(
    "5,000 pages of memory at once",
    `(if (i32.eq (memory.grow (i32.const 5000)) (i32.const -1)) (then (unreachable)))`,
  ),
  starves(
    "memory page by page, each filled",
    `(loop $on (local.set $n (memory.grow (i32.const 16))) (if (i32.eq (local.get $n) (i32.const -1)) (then (unreachable)))
      (memory.fill (i32.shl (local.get $n) (i32.const 16)) (i32.const 1) (i32.const 0x100000)) (br $on))`,
  ),
  burns("memory that is asked for without end", `(loop $on ${grown(1)} (br $on))`),
  burns("4 GiB of memory in one word", `(loop $on ${grown(-1)} (br $on))`),
  burns(
    "60 MB filled over and over",
    `${grown(1_000)} (loop $on (memory.fill (i32.const 0) (i32.const 1) (i32.const 60000000)) (br $on))`,
  ),
  burns(
    "30 MB copied onto itself over and over",
    `${grown(1_000)} (loop $on (memory.copy (i32.const 1) (i32.const 0) (i32.const 30000000)) (br $on))`,
  ),
  burns(
    "data put down over and over",
    `(loop $on (memory.init $d (i32.const 0) (i32.const 0) (i32.const 60000)) (br $on))`,
    {
      more: `(data $d "${"x".repeat(60_000)}")`,
    },
  ),
  burns("4 GiB filled", "(memory.fill (i32.const 0) (i32.const 1) (i32.const -1))"),
  traps("a fill beyond memory", "(memory.fill (i32.const 65530) (i32.const 1) (i32.const 7))"),
  traps(
    "every page of 64 MB, and then a fault",
    `${grown(1_000)} (loop $on (i32.store (local.get $n) (i32.const 1))
      (local.set $n (i32.add (local.get $n) (i32.const 4096))) (br $on))`,
  ),
]

const faults: ReadonlyArray<Attack> = [
  traps("a fault", "(unreachable)"),
  traps("a division by zero", "(drop (i32.div_u (i32.const 1) (i32.const 0)))"),
  traps("a quotient too large", "(drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1)))"),
  traps("a number that is none", "(drop (i32.trunc_f64_s (f64.const nan)))"),
  traps("a store outside of memory", "(i32.store (i32.const -1) (i32.const 1))"),
  traps("a load 8 GiB away", "(drop (i64.load offset=0xffffffff (i32.const -1)))"),
  traps("a call of nothing", "(call_indirect (i32.const 0))", { more: "(table 1 funcref)" }),
  traps("a call of another type", "(call_indirect (i32.const 0))", {
    more: "(table 1 funcref) (elem (i32.const 0) $f) (func $f (param i32))",
  }),
  traps("a call outside of its table", "(call_indirect (i32.const 7))", { more: "(table 1 funcref)" }),
  traps("data that was put down already", "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))", {
    more: `(data $d (i32.const 0) "x")`,
  }),
]

// ---- outputs and intrinsics

const intrinsics = (name: string, count: number): Parts => ({
  imports: `(import "heddle" "${name}" (func $${name} (param ${repeated(count, "i32")})))`,
})
const called = (name: string, ...values: ReadonlyArray<number>): string =>
  `(call $${name} ${values.map((value) => `(i32.const ${value})`).join(" ")})`
const forEver = (code: string): string => `(loop $on ${code} (br $on))`

const outputs: ReadonlyArray<Attack> = [
  tooLarge("30 MB said", `(drop (memory.grow (i32.const 500))) (return ${placed(0, 30_000_000)})`),
  attack("bad output", "the words are nested deeper than 100")(
    "10 MiB of brackets",
    `(memory.fill (i32.const 0) (i32.const 91) (i32.const ${Limit.outputBytesPerTurnMax}))
      (return ${placed(0, Limit.outputBytesPerTurnMax)})`,
    { memory: "170" },
  ),
  says(
    "1,025 messages",
    "output.outbox has more than 1024 elements",
    `{"outbox":${listOf(1_025, { kind: "message", target: "A".repeat(43) })}}`,
  ),
  says(
    "1,025 spawns",
    "output.outbox has more than 1024 elements",
    `{"outbox":${listOf(1_025, { kind: "spawn", module: "A".repeat(43) })}}`,
  ),
  says(
    "1,025 timers",
    "output.outbox has more than 1024 elements",
    `{"outbox":${listOf(1_025, { kind: "timer", due: 1 })}}`,
  ),
  says(
    "1,001 views",
    "output.views has more than 1000 elements",
    `{"views":${listOf(1_001, { name: "a" })}}`,
  ),
  says(
    "a name of the language",
    'output has a field "__proto__", which there is not',
    '{"__proto__":{"replies":[]}}',
  ),
  says("words that are none", "the words are no JSON", "heddle"),
  burns("hashes without end", forEver(called("sha256", 0, 65_000, 0)), intrinsics("sha256", 3)),
  burns("hashes of nothing without end", forEver(called("hash", 1, 0, 0, 32, 0)), intrinsics("hash", 5)),
  burns(
    "signatures without end",
    forEver(called("verify", 1065, 0, 1952, 0, 60_000, 0, 3309, 0, 0, 0)),
    intrinsics("verify", 10),
  ),
  burns("lines without end", forEver(called("log", 4, 0, 60_000)), intrinsics("log", 3)),
  traps("a hash of what lies outside", called("sha256", 65_000, 1_000, 0), intrinsics("sha256", 3)),
  traps("an answer put outside", called("sha256", 0, 1, 65_530), intrinsics("sha256", 3)),
  traps("a negative length", called("log", 1, 0, -1), intrinsics("log", 3)),
  traps("an input longer than it is", called("read", 0, 0, 1_000), intrinsics("read", 3)),
  traps("an algorithm that is not there", called("hash", 99, 0, 1, 32, 0), intrinsics("hash", 5)),
  traps("a level that is not there", called("log", 5, 0, 1), intrinsics("log", 3)),
]

// ---- what is refused

type Section = readonly [id: number, body: Uint8Array]

const header = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

const bytes = (...sections: ReadonlyArray<Section>): Uint8Array =>
  Buffer.concat([
    header,
    ...sections.flatMap(([id, body]) => [Uint8Array.of(id, ...Wasm.unsigned(body.length)), body]),
  ])

/** 250,000 function types, of which no other part has any. */
const types = (part: number): Uint8Array => {
  const count = 250_000
  const length = Wasm.unsigned(count)
  const all = new Uint8Array(length.length + 15 * count)
  all.set(length)
  for (let n = 0; n < count; n++) {
    const at = length.length + 15 * n
    all.set([0x60, 12], at)
    for (let k = 0; k < 12; k++) all[at + 2 + k] = 0x7f - (((n + part * count) >> (2 * k)) & 3)
  }
  return all
}

const noop: ReadonlyArray<Section> = [
  [1, Uint8Array.of(1, 0x60, 0, 0)],
  [3, Uint8Array.of(1, 0)],
]

// ---- what takes a compiler's time

const op = { block: [0x02, 0x40], end: [0x0b], get: [0x20, 0], brIf: 0x0d, brTable: 0x0e, if: [0x04, 0x40] }

const filled = (count: number, of: ReadonlyArray<number>): Uint8Array =>
  Buffer.alloc(count * of.length, Uint8Array.from(of))

const vector = (entries: ReadonlyArray<Uint8Array>): Uint8Array =>
  Buffer.concat([Uint8Array.from(Wasm.unsigned(entries.length)), ...entries])

const body = (...code: ReadonlyArray<Uint8Array>): Uint8Array => {
  const all = Buffer.concat([Uint8Array.of(0), ...code, Uint8Array.of(0x0b)])
  return Buffer.concat([Uint8Array.from(Wasm.unsigned(all.length)), all])
}

/** Alloc, handle, and functions of an i32, the first of which handle calls once, and then traps; in bytes. */
const bomb = (...functions: ReadonlyArray<Uint8Array>): Uint8Array => {
  const exported = (name: string, kind: number, index: number) =>
    Uint8Array.of(...Wasm.name(name), kind, index)
  const unlessSpawned = [...op.get, 0x2d, 0, 8, 0x41, 48, 0x46, ...op.if, 0x42, 0, 0x0f, ...op.end]
  const handle = Uint8Array.of(...unlessSpawned, 0x41, 0, 0x10, 2, 0)
  const type = (takes: ReadonlyArray<number>, gives: ReadonlyArray<number>) =>
    Uint8Array.of(0x60, takes.length, ...takes, gives.length, ...gives)
  return bytes(
    [1, vector([type([0x7f], [0x7f]), type([0x7f, 0x7f], [0x7e]), type([0x7f], [])])],
    [3, vector([Uint8Array.of(0), Uint8Array.of(1), ...functions.map(() => Uint8Array.of(2))])],
    [5, vector([Uint8Array.of(0, 1)])],
    [7, vector([exported("memory", 2, 0), exported("alloc", 0, 0), exported("handle", 0, 1)])],
    [10, vector([body(Uint8Array.of(0x41, 0x80, 8)), body(handle), ...functions.map((code) => body(code))])],
  )
}

const explodes = (name: string, ...functions: ReadonlyArray<Uint8Array>): Attack => ({
  name,
  module: () => bomb(...functions),
  ends: { reason: "trapped", says: "the program trapped" },
})

const most = caps.plainFunctionBytesMax

const nested = (count: number, code: ReadonlyArray<number>, times: number): Uint8Array =>
  Buffer.concat([filled(count, op.block), filled(times, code), filled(count, op.end)])

const bombs: ReadonlyArray<Attack> = [
  explodes("a function that does nothing at great length", filled(most - 2, [1])),
  explodes("20,000 blocks within each other", nested(20_000, [], 0)),
  explodes(
    "branches out of 8,000 blocks within each other",
    nested(8_000, [...op.get, op.brIf, ...Wasm.unsigned(7_999)], 8_000),
  ),
  explodes(
    "a table of 60,000 branches",
    nested(1, [...op.get, op.brTable, ...Wasm.unsigned(60_000), ...filled(60_001, [0])], 1),
  ),
  explodes("2,000 ways through a function", filled(2_000, [...op.get, ...op.if, 1, 5, 1, ...op.end])),
  explodes("60 functions as long as may be", ...Array.from({ length: 60 }, () => filled(most - 2, [1]))),
  explodes("60,000 functions", ...Array.from({ length: 60_000 }, () => new Uint8Array(0))),
]

const starting = (body: string): Parts => ({ more: `(start $begin) (func $begin ${body})` })

const refusals: ReadonlyArray<Attack> = [
  refusedText("SIMD", "SIMD: ", { more: "(func (drop (i32x4.splat (i32.const 1))))" }),
  refusedText("relaxed SIMD", "SIMD: ", {
    more: "(func (drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0))))",
  }),
  refusedText("atomics", "threads: ", {
    more: "(func (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))",
  }),
  refusedText("shared memory", "threads: ", { memory: "1 1 shared" }),
  refusedText("64-bit memory", "64-bit memory: ", `(module (memory (export "memory") i64 1))`),
  refusedText("exceptions", "exceptions: ", { more: "(tag) (func (throw 0))" }),
  refusedText("tail calls", "tail calls: ", { more: "(func $f (return_call $f))" }),
  refusedText("a table that changes", "hidden state: ", {
    more: "(table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))",
  }),
  refusedText("a clock", 'it imports the function "env.now"', {
    imports: `(import "env" "now" (func (result f64)))`,
  }),
  refusedText(
    "memory of its own choice",
    'it imports the memory "env.memory"',
    `(module (import "env" "memory" (memory 1)))`,
  ),
  refusedText("a start that faults", "trapped while the module loads", starting("(unreachable)")),
  refusedText("a start without end", "out of fuel while the module loads", starting("(loop $on (br $on))")),
  refusedText(
    "a start that calls itself",
    "stack overflow while the module loads",
    starting("(call $begin)"),
  ),
  refusedText(
    "a start that takes all memory",
    "out of memory while the module loads",
    starting("(loop $on (br_if $on (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) (unreachable)"),
  ),
  refusedText("4 GiB of memory to begin with", "its memory begins with 65536 pages", { memory: "65536" }),
  refused("a section that ends early", "not WebAssembly: ", () => bytes([1, Uint8Array.of(5)])),
  refused("a section of 4 GiB", "not WebAssembly: ", () =>
    Uint8Array.of(...header, 1, 0xff, 0xff, 0xff, 0xff, 15),
  ),
  refused("a body that is no code", "not WebAssembly: ", () =>
    bytes(...noop, [10, Uint8Array.of(1, 3, 0, 0xff, 0x0b)]),
  ),
  ...[0, 1, 2, 3, 4].map((part) =>
    refused(`250,000 types, part ${part + 1} of 5`, "it has 250000 types", () => bytes([1, types(part)])),
  ),
  refusedText("a thousand million places in tables", "elements in its tables; at most 65536", {
    more: repeated(100, "(table 10000000 funcref)"),
  }),
  refused("a function of a megabyte", "it has 1000002 bytes in its function 2", () =>
    bomb(filled(1_000_000, [1])),
  ),
]

/** Turns of `inlined` that call in peace, often enough for the second tier to have compiled it. */
export const inlinedWarm = 5

const manyValues = (by: string): string =>
  `${repeated(40, (n) => `(i64.mul (local.get 0) (i64.const ${3 + 2 * n}))`)} ${repeated(39, by)}`

/**
 * A function that calls itself between two small ones, each of which computes the same 40 values: inlined, they would be
 * kept across the call.
 */
export const inlined = (): Uint8Array =>
  wasm(
    text({
      memory: "1",
      more: `(global $sum (mut i64) (i64.const 0))
        (func $g (param i64) (result i64) ${manyValues("i64.xor")})
        (func $h (param i64) (result i64) ${manyValues("i64.add")})
        (func $f (param i64 i32)
          (global.set $sum (call $g (local.get 0)))
          (if (local.get 1) (then (call $f (i64.add (local.get 0) (i64.const 1)) (local.get 1))))
          (global.set $sum (call $h (local.get 0)))
          (if (i32.eq (local.get 1) (i32.const 7)) (then ${repeated(850, "(i32.store (i32.const 0) (i32.const 1))")})))`,
      handle: later(`(i32.store (i32.const 100) (i32.add (i32.load (i32.const 100)) (i32.const 1)))
        (if (i32.le_u (i32.load (i32.const 100)) (i32.const ${inlinedWarm}))
          (then (local.set $n (i32.const 40000))
            (loop $on (call $f (i64.const 5) (i32.const 0))
              (br_if $on (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
          (else (call $f (i64.const 5) (i32.const 1))))`),
    }),
  )

export const attacks: ReadonlyArray<Attack> = [
  ...loops,
  ...recursions,
  ...memory,
  ...faults,
  ...outputs,
  ...bombs,
  ...refusals,
]

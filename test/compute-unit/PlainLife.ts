/**
 * PlainLife: a plain module that uses what may differ between machines (floats and their NaNs, globals of every type,
 * memory that grows, bulk operations, tables, recursion, intrinsics, traps), and a long life of processes of it and of the
 * examples. What they compute must be equal wherever it is computed (`PlainDeterminism.test.ts`).
 */
import type * as Turn from "../../compute-unit/Turn.ts"
import { counter, example, placed, stage, text, wasm } from "./PlainStage.ts"
import type { Sent, Stage } from "./Stage.ts"

/** What the module does, one a turn, chosen by what it is told. */
const topics: ReadonlyArray<readonly [name: string, code: string]> = [
  [
    "floats",
    `(global.set $d (f64.div (f64.sqrt (f64.sub (global.get $d) (f64.convert_i32_u (local.get $x)))) (f64.const 3)))
     (global.set $s (f32.mul (f32.demote_f64 (global.get $d)) (f32.const -nan:0x200005)))
     (f64.store (i32.const 512) (f64.copysign (global.get $d) (f64.neg (f64.promote_f32 (global.get $s)))))
     (f32.store (i32.const 520) (f32.min (global.get $s) (f32.const inf)))
     (f64.store (i32.const 528) (f64.max (f64.div (f64.const 0) (f64.const 0)) (f64.const 1)))
     (i64.store (i32.const 536) (i64.trunc_sat_f64_s (f64.mul (global.get $d) (f64.const 1e18))))
     (if (f64.ne (global.get $d) (global.get $d)) (then
       (global.set $d (f64.reinterpret_i64 (i64.or (i64.const 0x40) (i64.extend_i32_u (local.get $x)))))))`,
  ],
  [
    "bits",
    `(global.set $l (i64.rotl (i64.xor (global.get $l) (i64.mul (i64.extend_i32_u (local.get $x)) (i64.const 0x9e3779b97f4a7c15))) (i64.const 13)))
     (i64.store (i32.const 544) (i64.rem_s (global.get $l) (i64.or (i64.extend_i32_u (local.get $x)) (i64.const 3))))
     (i32.store (i32.const 552) (i32.wrap_i64 (i64.add (i64.popcnt (global.get $l)) (i64.clz (global.get $l)))))
     (i32.store8 (i32.const 556) (i32.extend8_s (local.get $x)))`,
  ],
  [
    "growth",
    `(if (i32.lt_u (memory.size) (i32.const 60)) (then (drop (memory.grow (i32.rem_u (local.get $x) (i32.const 3))))))
     (memory.fill
       (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 9000)) (local.get $x)
       (i32.rem_u (local.get $x) (i32.const 8000)))`,
  ],
  [
    "copies",
    `(memory.copy (i32.const 0x18001) (i32.const 0x18000) (i32.rem_u (local.get $x) (i32.const 30000)))
     (memory.copy (i32.const 0x18000) (i32.const 0x18009) (i32.rem_u (local.get $x) (i32.const 20000)))
     (memory.init $words (i32.add (i32.const 0x18000) (i32.rem_u (local.get $x) (i32.const 100))) (i32.const 1) (i32.const 7))`,
  ],
  [
    "calls",
    `(i32.store (i32.const 560) (call_indirect (param i32) (result i32)
       (i32.rem_u (local.get $x) (i32.const 500)) (i32.and (local.get $x) (i32.const 1))))`,
  ],
  [
    "hashes",
    `(call $sha256 (i32.const 512) (i32.rem_u (local.get $x) (i32.const 5000)) (i32.const 576))
     (call $hash (i32.const 8) (i32.const 0x18000) (i32.const 3000) (i32.const 90) (i32.const 620))
     (call $log (i32.rem_u (local.get $x) (i32.const 5)) (i32.const 576) (i32.const 32))`,
  ],
  [
    "rounds",
    `(loop $on
       (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)))
       (i32.store (i32.add (i32.const 0x20000) (i32.and (local.get $x) (i32.const 0x3ffc))) (local.get $x))
       (br_if $on (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 3000))))`,
  ],
  [
    "failure",
    `(memory.fill (i32.const 0x18000) (i32.const 7) (i32.const 20000)) (global.set $l (i64.const 0))
     (drop (memory.grow (i32.const 1))) (drop (i32.div_u (i32.const 1) (i32.const 0)))`,
  ],
]

const everything = text({
  memory: "4 90",
  imports: `(import "heddle" "sha256" (func $sha256 (param i32 i32 i32)))
    (import "heddle" "hash" (func $hash (param i32 i32 i32 i32 i32)))
    (import "heddle" "log" (func $log (param i32 i32 i32)))`,
  more: `(global $d (mut f64) (f64.const 1234.5)) (global $s (mut f32) (f32.const nan:0x200001))
    (global $l (mut i64) (i64.const -5)) (global $n (mut i32) (i32.const 0))
    (data $words "weaving") (data (i32.const 0x18000) "the warp and the weft")
    (data (i32.const 0x30000) "{\\22replies\\22:[{\\22value\\22:1000000000}]}")
    (table 2 funcref) (elem (i32.const 0) $down $across)
    (func $down (param i32) (result i32)
      (if (result i32) (local.get 0)
        (then (i32.add (call $across (i32.sub (local.get 0) (i32.const 1))) (local.get 0)))
        (else (i32.const 1))))
    (func $across (param i32) (result i32)
      (if (result i32) (local.get 0)
        (then (i32.xor (i32.const 77) (call_indirect (param i32) (result i32)
          (i32.sub (local.get 0) (i32.const 1)) (i32.and (local.get 0) (i32.const 1)))))
        (else (i32.const 2))))`,
  handle: `(local $x i32) (local $n i32) (local $topic i32) (local $end i32)
    (local.set $x (i32.const 0x811c9dc5))
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (loop $on
      (local.set $x (i32.mul (i32.xor (local.get $x) (i32.load8_u (local.get $at))) (i32.const 0x01000193)))
      (br_if $on (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $end))))
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (local.set $topic (i32.rem_u (local.get $x) (i32.const ${topics.length})))
    ${topics.map(([, code], n) => `(if (i32.eq (local.get $topic) (i32.const ${n})) (then ${code}))`).join("\n")}
    (i32.store8 (i32.const 0x30016) (i32.add (i32.const 48) (local.get $topic)))
    ${placed(0x30000, 34)}`,
})

/** How messages are shared out: most to the module that does everything. */
const modules: Readonly<Record<string, () => Uint8Array>> = {
  everything: () => wasm(everything),
  "everything else": () => wasm(everything),
  tally: () => example("assemblyscript-tally/tally.wasm"),
  counter,
}

export const names: ReadonlyArray<string> = Object.keys(modules)

/** Processes by name, each before its first turn. */
export const open = (options: { readonly machine?: Turn.Machine } = {}): Readonly<Record<string, Stage>> =>
  Object.fromEntries(names.map((name) => [name, stage(modules[name]!(), { ...options, name, limits })]))

const limits: Turn.Limits = { fuel: 20_000_000n, memoryPagesMax: 80 }

/** The messages of a life: to whom, and what. */
export const messages = (turns: number): ReadonlyArray<readonly [name: string, sent: Sent]> =>
  Array.from({ length: turns }, (_, n) => {
    const data = n % 7 === 0 ? new Uint8Array(n).fill(0xfe) : "ü".repeat(n % 50)
    switch (n % 8) {
      case 3:
        return ["everything else", { data }]
      case 5: {
        const action = n % 200 === 5 ? "Result" : "Vote"
        return [
          "tally",
          { action, from: `voter ${(n * 7) % 90}`, tags: [["Choice", `choice ${n % 13}`]], data },
        ]
      }
      case 7:
        return [
          "counter",
          { action: n % 5 === 0 ? "Get" : "Increment", tags: [["By", n % 3 === 0 ? "x" : String(n)]] },
        ]
      default:
        return ["everything", { data, after: n % 1_000 }]
    }
  })

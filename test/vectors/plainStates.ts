/** Plain modules whose state is of every kind: memory, globals, what a start function leaves. */
import { data, module, trapped, type Valid } from "./plainText.ts"

const bump = (type: "i32" | "i64", global: string): string =>
  `(global.set ${global} (${type}.add (global.get ${global}) (${type}.const -3)))`

/** Traps in slot 2. */
const trapsInSlot2 = `
  (if (i32.eq (i32.load8_u offset=8 (local.get $at)) (i32.const 50)) ;; "slot":2
    (then (unreachable)))`

export const states: ReadonlyArray<Valid> = [
  {
    name: "globals of every type, and bits of a NaN that nothing is computed of",
    source: {
      wat: module({
        more: `
          (global $i (mut i32) (i32.const -2147483648))
          (global $l (mut i64) (i64.const 1))
          (global $s (mut f32) (f32.const -nan:0x200001))
          (global $d (mut f64) (f64.const 1e300))
          (global $fixed f64 (f64.const 0.1))
          (global $same (mut i32) (i32.const 7))`,
        handle: [
          bump("i32", "$i"),
          bump("i64", "$l"),
          `
          (global.set $s (f32.reinterpret_i32 (i32.add (i32.reinterpret_f32 (global.get $s)) (i32.const 1))))
          (global.set $d (f64.mul (global.get $d) (global.get $fixed)))
          (f64.store (i32.const 8) (global.get $d))
          (f32.store (i32.const 16) (global.get $s))`,
          trapsInSlot2,
          "(i64.const 0)",
        ],
      }),
    },
    turns: [{}, {}, { fails: trapped }, {}],
  },
  {
    name: "a NaN that is computed has one pattern, in memory and in globals",
    source: {
      wat: module({
        more: "(global $d (mut f64) (f64.const 0)) (global $s (mut f32) (f32.const 0))",
        handle: `
          (global.set $d (f64.div (global.get $d) (f64.const 0)))
          (global.set $s (f32.sqrt (f32.const -1)))
          (f64.store (i32.const 8) (f64.min (f64.const nan:0x4000000000001) (f64.const 1)))
          (f32.store (i32.const 16) (f32.add (f32.const inf) (f32.const -inf)))
          (f64.store (i32.const 24) (f64.promote_f32 (f32.const -nan:0x200001)))
          (f64.store (i32.const 32) (f64.neg (global.get $d)))
          (i64.const 0)`,
      }),
    },
    alike: module({
      handle: `
        (i64.store (i32.const 8) (i64.const 0x7ff8000000000000))
        (i32.store (i32.const 16) (i32.const 0x7fc00000))
        (i64.store (i32.const 24) (i64.const 0x7ff8000000000000))
        (i64.store (i32.const 32) (i64.const 0xfff8000000000000))
        (i64.const 0)`,
    }),
    turns: [{}, {}],
  },
  {
    name: "begins with data and a start function",
    source: {
      wat: module({
        imports: ["log"],
        more: [
          data(8, "warp"),
          `(data $later "weft")`,
          data(64, "loaded"),
          `
          (global $turns (mut i64) (i64.const 5))
          (start $begin)
          (func $begin
            (drop (memory.grow (i32.const 2)))
            (global.set $turns (i64.const 10))
            (i32.store8 (i32.const 12) (i32.const 33))
            (call $log (i32.const 1) (i32.const 64) (i32.const 6)))`,
        ],
        handle: [
          bump("i64", "$turns"),
          "(memory.init $later (i32.const 0x20000) (i32.const 1) (i32.const 3))",
          "(i64.const 0)",
        ],
      }),
    },
    turns: [{}, {}],
  },
  {
    name: "memory in bulk, and a table of functions",
    source: {
      wat: module({
        more: [
          data(256, "the warp and the weft"),
          `
          (type $step (func (param i32) (result i32)))
          (table 3 4 funcref)
          (elem (i32.const 0) $double $negate)
          (func $double (type $step) (i32.shl (local.get 0) (i32.const 1)))
          (func $negate (type $step) (i32.sub (i32.const 0) (local.get 0)))
          (func $both (param i32) (result i32 i32)
            (call_indirect (type $step) (local.get 0) (i32.const 0))
            (call_indirect (type $step) (local.get 0) (i32.const 1)))`,
        ],
        handle: `
          (memory.copy (i32.const 300) (i32.const 256) (i32.const 21))
          (memory.copy (i32.const 301) (i32.const 300) (i32.const 100))
          (memory.fill (i32.const 512) (i32.const 0xa5) (i32.const 33))
          (memory.fill (i32.const 600) (i32.const 1) (i32.const 0))
          (i32.store (i32.const 560) (i32.sub (call $both (i32.const 21))))
          (i32.store (i32.const 564) (table.size 0))
          (i64.const 0)`,
      }),
    },
    turns: [{}, {}],
  },
]

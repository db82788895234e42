/** Plain modules whose turns end at a limit or in a trap. */
import { asked, module, placed, trapped, unlessSpawned, type Sent, type Valid } from "./plainText.ts"

const outOfFuel = ["out of fuel", "more than <limit> fuel"] as const
const outOfMemory = ["out of memory", "more than 8 pages of 64 KiB"] as const
const tooDeep = ["stack overflow", "calls are nested deeper than 1500000 stack words"] as const
const tooLarge = ["output too large", "replies, views and outbox take more than 10485760 bytes"] as const

/** Counts up to `rounds` and says nothing. */
const counting = (rounds: number): string =>
  module({
    handle: `
      (local $n i32)
      (loop $on
        (i32.store (i32.const 8) (local.tee $n (i32.add (local.get $n) (i32.const 1))))
        (br_if $on (i32.lt_u (local.get $n) (i32.const ${rounds}))))
      (i64.const 0)`,
  })

/** What it does by the first letter of its data. */
const faults: ReadonlyArray<readonly [letter: string, what: string]> = [
  ["a", "(unreachable)"],
  ["b", "(drop (i32.div_u (i32.const 1) (i32.const 0)))"],
  ["c", "(drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1)))"],
  ["d", "(drop (i32.trunc_f64_s (f64.const nan)))"],
  ["e", "(i32.store (i32.const 0xfffd) (i32.const 1))"],
  ["f", "(memory.fill (i32.const 0xfffd) (i32.const 1) (i32.const 4))"],
  ["g", "(call_indirect (i32.const 0))"],
  ["h", "(call_indirect (i32.const 1))"],
  ["i", "(call_indirect (i32.const 2))"],
  ["j", "(call $read (i32.const 1) (i32.const 0) (i32.const 1))"],
  ["k", "(call $read (i32.const 0) (i32.const 0x10000) (i32.const 1))"],
  ["l", "(call $log (i32.const 1) (i32.const 0) (i32.const -1))"],
  ["m", "(call $log (i32.const 5) (i32.const 0) (i32.const 1))"],
]

/** The data is a digit, the pages that it asks for, and `!` where it ends with a trap. Memory has what it was told. */
const growing = (pages: string): string =>
  module({
    imports: ["read"],
    memory: pages,
    handle: [
      unlessSpawned,
      `
      (call $read (i32.const 0) (i32.const 16) (i32.const 2))
      (i32.store (i32.const 20) (memory.grow (i32.sub (i32.load8_u (i32.const 16)) (i32.const 48))))
      (if (i32.eq (i32.load8_u (i32.const 17)) (i32.const 33)) (then (unreachable)))
      (i32.store8 (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1)) (i32.const 1))
      (i64.const 0)`,
    ],
  })

export const endings: ReadonlyArray<Valid> = [
  {
    name: "does not end, after it was spawned",
    source: {
      wat: module({
        handle: [
          unlessSpawned,
          "(i32.store (i32.const 8) (i32.const 1))",
          "(loop $on (br $on))",
          "(i64.const 0)",
        ],
      }),
    },
    limits: { fuel: 100_000n },
    turns: [{}, { fails: outOfFuel }, { ...asked, fails: outOfFuel }],
  },
  { name: "counts to 10,000", source: { wat: counting(10_000) }, turns: [{}] },
  {
    name: "counts to 1,000 with just enough fuel",
    source: { wat: counting(1_000) },
    limits: { fuel: "just enough" },
    turns: [{}],
  },
  {
    name: "counts to 1,000 with one fuel too little",
    source: { wat: counting(1_000) },
    limits: { fuel: "one too little" },
    turns: [{ fails: outOfFuel }],
  },
  {
    name: "has not the fuel for a hash",
    source: {
      wat: module({
        imports: ["sha256"],
        handle: "(call $sha256 (i32.const 0) (i32.const 0xffff) (i32.const 0)) (i64.const 0)",
      }),
    },
    limits: { fuel: 100_000n },
    turns: [{ fails: outOfFuel }],
  },
  {
    name: "traps as its data says, after it wrote to memory and a global",
    source: {
      wat: module({
        imports: ["read", "log"],
        more: `
          (global $turns (mut i32) (i32.const 0))
          (table 2 funcref)
          (elem (i32.const 0) $another)
          (func $another (param i32))`,
        handle: [
          unlessSpawned,
          "(call $read (i32.const 0) (i32.const 8) (i32.const 1))",
          "(global.set $turns (i32.add (global.get $turns) (i32.const 1)))",
          ...faults.map(
            ([letter, what]) =>
              `(if (i32.eq (i32.load8_u (i32.const 8)) (i32.const ${letter.charCodeAt(0)})) (then ${what}))`,
          ),
          "(i64.const 0)",
        ],
      }),
    },
    turns: [
      {},
      { data: "z" },
      ...faults.map(([data]): Sent => ({ data, fails: trapped })),
      { ...asked, data: "a", fails: trapped },
      { data: "z" },
    ],
  },
  {
    name: "asks for memory, up to the limit of its process and beyond",
    source: { wat: growing("1") },
    limits: { memoryPages: 8 },
    turns: [
      {},
      { data: "3." },
      { data: "2!", fails: trapped },
      { data: "5." },
      { data: "5!", fails: outOfMemory },
      { data: "4." },
      { data: "0!", fails: trapped },
      { data: "1!", fails: outOfMemory },
    ],
  },
  {
    name: "asks for memory, up to what it declares and beyond",
    source: { wat: growing("1 3") },
    limits: { memoryPages: 8 },
    turns: [
      {},
      { data: "2." },
      { data: "1." },
      { data: "1!", fails: trapped },
      { data: "9!", fails: outOfMemory },
    ],
  },
  {
    name: "calls itself without end, 1,000 values computed in each call",
    source: {
      wat: module({
        more: `(func $f (result i32) (call $f) ${"i32.eqz ".repeat(1_000)})`,
        handle: [unlessSpawned, "(i64.extend_i32_u (call $f))"],
      }),
      what: "a module whose handle, once spawned, calls (func $f (result i32) (call $f) i32.eqz i32.eqz ...), with 1,000 of the latter",
    },
    turns: [{}, { fails: tooDeep }],
  },
  {
    name: "says more than 10 MiB",
    source: { wat: module({ memory: "161", handle: placed(0, 10_485_761) }) },
    limits: { memoryPages: 161 },
    turns: [{ fails: tooLarge }],
  },
]

/**
 * The code that the instrumentation pass adds, as bytes. What is on the operand stack before and after stands beside
 * each. Here `allowance` is the global (Allowance.ts), and `left` the local of a function that holds it while the
 * function runs on its own: registers cost less than a global.
 */
import * as Allowance from "./Allowance.ts"
import * as Wasm from "./Wasm.ts"
import { globalGet, globalSet, i32Const, i64Const, localGet, localSet, localTee, op } from "./Wasm.ts"

/** Indices of the globals that the pass adds, after all others; the last two only to an author's module. */
export interface Counters {
  readonly allowance: number
  readonly mark: number
  readonly pagesMax: number
  readonly denied: number
}

const trap = [op.if, op.empty, op.unreachable, op.end]

/** [i64] -> [i32]: whether the bit that says "fuel left" is clear. */
const outOfFuel = [...i64Const(64 - Allowance.fuelBits), op.i64Shl, ...i64Const(0), op.i64GeS]

/** [] -> []: out of the global, into the global. */
export const read = ({ allowance }: Counters, left: number): Array<number> => [
  ...globalGet(allowance),
  ...localSet(left),
]
export const write = ({ allowance }: Counters, left: number): Array<number> => [
  ...localGet(left),
  ...globalSet(allowance),
]

/** [] -> []: takes fuel off. */
export const charge = (left: number, fuel: number): Array<number> => [
  ...localGet(left),
  ...i64Const(fuel),
  op.i64Sub,
  ...localSet(left),
]

/** [] -> []: takes fuel off, writes, and traps below zero. */
export const chargeAndTest = (counters: Counters, left: number, fuel: number): Array<number> => [
  ...localGet(left),
  ...i64Const(fuel),
  op.i64Sub,
  ...writeAndTest(counters, left),
]

/** [i64] -> []: what is left, written and tested for fuel. */
const writeAndTest = ({ allowance }: Counters, left: number): Array<number> => [
  ...localTee(left),
  ...globalSet(allowance),
  ...localGet(left),
  ...outOfFuel,
  ...trap,
]

/** [length] -> [length]: takes a sixteenth of it off the fuel and tests: nothing of a bulk operation runs unpaid. */
export const chargeBytes = (counters: Counters, left: number, length: number): Array<number> => [
  ...localTee(length),
  ...localGet(left),
  ...localGet(length),
  op.i64FromU32,
  ...i64Const(bulkBytesShift),
  op.i64ShrU,
  op.i64Sub,
  ...writeAndTest(counters, left),
]

/** [] -> []: takes a frame off, and traps where words or fuel go below zero. */
export const enter = (counters: Counters, left: number, fuel: number, words: number): Array<number> => [
  ...globalGet(counters.allowance),
  ...i64Const(Allowance.use(fuel, words)),
  op.i64Sub,
  ...localTee(left),
  ...localGet(left),
  ...i64Const(64 - Allowance.fuelBits),
  op.i64Shl,
  op.i64And, // both bits are set only where both are
  ...i64Const(0),
  op.i64GeS,
  op.if,
  op.empty,
  ...write(counters, left),
  op.unreachable,
  op.end,
]

/** [] -> []: gives a frame's words back. Where `stale` the global holds what is left, else the local does. */
export const leave = (
  { allowance }: Counters,
  left: number,
  words: number,
  stale: boolean,
): Array<number> => [
  ...(stale ? globalGet(allowance) : localGet(left)),
  ...i64Const(Allowance.use(0, words)),
  op.i64Add,
  ...globalSet(allowance),
]

/** [] -> []: all that a function does for itself that is one stretch, small, and calls none. */
export const chargeGlobal = ({ allowance }: Counters, fuel: number): Array<number> => [
  ...globalGet(allowance),
  ...i64Const(fuel),
  op.i64Sub,
  ...globalSet(allowance),
]

/** [] -> []: keeps the lowest value of the stack pointer. */
export const mark = ({ mark }: Counters, stackPointer: number): Array<number> => [
  ...globalGet(stackPointer),
  ...globalGet(mark),
  op.i32LtU,
  op.if,
  op.empty,
  ...globalGet(stackPointer),
  ...globalSet(mark),
  op.end,
]

/** [x] -> [x, or the canonical NaN where x is a NaN]: a NaN alone differs from itself. */
export const canonical = {
  f32: (x: number): Array<number> => [
    ...localTee(x),
    ...f32Const(0, 0, 0xc0, 0x7f),
    ...localGet(x),
    ...localGet(x),
    op.f32Eq,
    op.select,
  ],
  f64: (x: number): Array<number> => [
    ...localTee(x),
    ...f64Const(0, 0, 0, 0, 0, 0, 0xf8, 0x7f),
    ...localGet(x),
    ...localGet(x),
    op.f64Eq,
    op.select,
  ],
} as const

const f32Const = (...bytes: ReadonlyArray<number>): Array<number> => [op.f32Const, ...bytes]
const f64Const = (...bytes: ReadonlyArray<number>): Array<number> => [op.f64Const, ...bytes]

/** What the program set `__denied` to when memory did not grow. */
export const denied = { byLimit: 1, byHost: 2 } as const

/** All that 32 bits address. */
export const pagesOf32Bits = 65_536

/**
 * The body of the function (pages: i32) -> i32 that stands in place of `memory.grow`:
 *
 *     left -= 4096 * min(pages, 65536); trap where no fuel is left
 *
 * and of an author's module, where a host limits memory and `pagesDeclared` is what the module allows itself:
 *
 *     all = memory.size + pages, in 64 bits
 *     if all > pagesMax: denied = 1; -1
 *     if all > pagesDeclared: -1
 *     memory.grow; if it gives -1: denied = 2; trap
 *
 * What the host can't give is no answer, since another host could.
 */
export const growBody = (counters: Counters, pagesDeclared: number | undefined): Array<number> => {
  const [pages, i64] = [0, 1]
  const most = [...localGet(pages), ...i32Const(pagesOf32Bits)]
  const charge = [
    ...globalGet(counters.allowance),
    ...most,
    ...most,
    op.i32LtU,
    op.select,
    op.i64FromU32,
    ...i64Const(growPageShift),
    op.i64Shl,
    op.i64Sub,
    ...writeAndTest(counters, i64),
  ]
  const declared = [1, 1, Wasm.typeByte.i64]
  const grow = [...localGet(pages), op.memoryGrow, 0]
  if (pagesDeclared === undefined) return [...declared, ...charge, ...grow, op.end]
  const deny = (why: number) => [...i32Const(why), ...globalSet(counters.denied)]
  const refuse = [...i32Const(-1), op.return, op.end]
  return [
    [...declared, ...charge],
    [op.memorySize, 0, op.i64FromU32, ...localGet(pages), op.i64FromU32, op.i64Add, ...localTee(i64)],
    [...globalGet(counters.pagesMax), op.i64FromU32, op.i64GtU, op.if, op.empty],
    [...deny(denied.byLimit), ...refuse],
    [...localGet(i64), ...i64Const(pagesDeclared), op.i64GtU, op.if, op.empty, ...refuse],
    [...grow, ...localTee(pages), ...i32Const(-1), op.i32Eq],
    [op.if, op.empty, ...deny(denied.byHost), op.unreachable, op.end],
    [...localGet(pages), op.end],
  ].flat()
}

/** Bulk instructions cost one fuel per 16 bytes; a page of `memory.grow` costs as many as its 65,536 bytes. */
const bulkBytesShift = 4
const growPageShift = 12

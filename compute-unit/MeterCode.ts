/**
 * The code that the instrumentation pass adds, as bytes: one function a purpose. What is on the operand stack before
 * and after stands beside each.
 */
import * as Wasm from "./Wasm.ts"
import { globalGet, globalSet, i32Const, i64Const, localGet, localTee, op } from "./Wasm.ts"

/** Indices of the globals that the pass adds, after all others; the last two only where the host limits memory. */
export interface Counters {
  readonly fuel: number
  readonly depth: number
  readonly mark: number
  readonly pagesMax: number
  readonly denied: number
}

/** Scratch locals that the pass adds, after the function's own. */
export interface Scratch {
  readonly i64: number
  readonly i32: number
  readonly f64: number
  readonly f32: number
}

export const scratchTypes = [
  Wasm.typeByte.i64,
  Wasm.typeByte.i32,
  Wasm.typeByte.f64,
  Wasm.typeByte.f32,
] as const

export const scratchFrom = (first: number): Scratch => ({
  i64: first,
  i32: first + 1,
  f64: first + 2,
  f32: first + 3,
})

const trap = [op.if, op.empty, op.unreachable, op.end]

/** [] -> []: takes `fuel` off; traps below zero where it is tested. */
export const charge = (
  counters: Counters,
  scratch: Scratch,
  fuel: number,
  tested: boolean,
): Array<number> => {
  const less = [...globalGet(counters.fuel), ...i64Const(fuel), op.i64Sub]
  if (!tested) return [...less, ...globalSet(counters.fuel)]
  return [...less, ...setFuelAndTest(counters, scratch.i64)]
}

/** [i64] -> []: sets the fuel; traps below zero. */
const setFuelAndTest = ({ fuel }: Counters, i64: number): Array<number> => [
  ...localTee(i64),
  ...globalSet(fuel),
  ...localGet(i64),
  ...i64Const(0),
  op.i64LtS,
  ...trap,
]

/**
 * [length] -> [length]: takes length >> shift, or length << shift, off the fuel and tests: nothing of a bulk
 * operation runs unpaid.
 */
export const chargeLength = (
  counters: Counters,
  { i32, i64 }: Pick<Scratch, "i32" | "i64">,
  shift: number,
  by: "times" | "over",
): Array<number> => [
  ...localTee(i32),
  ...globalGet(counters.fuel),
  ...localGet(i32),
  op.i64FromU32,
  ...i64Const(shift),
  by === "times" ? op.i64Shl : op.i64ShrU,
  op.i64Sub,
  ...setFuelAndTest(counters, i64),
]

/** [] -> []: adds a frame's words to the depth; traps over the limit. Where `counted` is false it only tests. */
export const enterFrame = (
  { depth }: Counters,
  { i32 }: Scratch,
  words: number,
  wordsMax: number,
  counted: boolean,
): Array<number> => {
  const count = [...localGet(i32), ...globalSet(depth)]
  const over = [
    ...globalGet(depth),
    ...i32Const(words),
    op.i32Add,
    ...localTee(i32),
    ...i32Const(wordsMax),
    op.i32GtS,
  ]
  return [...over, op.if, op.empty, ...count, op.unreachable, op.end, ...(counted ? count : [])]
}

/** [] -> []: takes a frame's words off the depth. */
export const leaveFrame = ({ depth }: Counters, words: number): Array<number> => [
  ...globalGet(depth),
  ...i32Const(words),
  op.i32Sub,
  ...globalSet(depth),
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

/** The canonical NaNs: positive, quiet, nothing else set. */
const nan32 = [0, 0, 0xc0, 0x7f]
const nan64 = [0, 0, 0, 0, 0, 0, 0xf8, 0x7f]

/** [x] -> [x, or the canonical NaN where x is a NaN]: a NaN alone differs from itself. */
export const canonical32 = ({ f32 }: Scratch): Array<number> => [
  ...localTee(f32),
  op.f32Const,
  ...nan32,
  ...localGet(f32),
  ...localGet(f32),
  op.f32Eq,
  op.select,
]

export const canonical64 = ({ f64 }: Scratch): Array<number> => [
  ...localTee(f64),
  op.f64Const,
  ...nan64,
  ...localGet(f64),
  ...localGet(f64),
  op.f64Eq,
  op.select,
]

/** What the program set `__denied` to when memory did not grow. */
export const denied = { byLimit: 1, byHost: 2 } as const

/**
 * The body of the function (pages: i32) -> i32 that stands in place of `memory.grow`:
 *
 *     charge by page
 *     all = memory.size + pages, in 64 bits
 *     if all > pagesMax: denied = 1; -1
 *     if all > what the module declares: -1
 *     memory.grow; if it gives -1: denied = 2; trap
 *
 * What the host can't give is no answer, since another host could.
 */
export const growBody = (counters: Counters, pagesDeclared: number): Array<number> => {
  const [pages, all] = [0, 1]
  const deny = (why: number) => [...i32Const(why), ...globalSet(counters.denied)]
  const answerIf = (before: ReadonlyArray<number>) => [
    op.if,
    op.empty,
    ...before,
    ...i32Const(-1),
    op.return,
    op.end,
  ]
  return [
    [1, 1, Wasm.typeByte.i64], // one local: `all`
    localGet(pages),
    chargeLength(counters, { i32: pages, i64: all }, growPageShift, "times"),
    [op.i64FromU32, op.memorySize, 0, op.i64FromU32, op.i64Add, ...localTee(all)],
    [...globalGet(counters.pagesMax), op.i64FromU32, op.i64GtU, ...answerIf(deny(denied.byLimit))],
    [...localGet(all), ...i64Const(pagesDeclared), op.i64GtU, ...answerIf([])],
    [...localGet(pages), op.memoryGrow, 0, ...localTee(pages), ...i32Const(-1), op.i32Eq],
    [op.if, op.empty, ...deny(denied.byHost), op.unreachable, op.end],
    [...localGet(pages), op.end],
  ].flat()
}

/** Bulk instructions cost one fuel per 16 bytes; a page of `memory.grow` costs as many as its 65,536 bytes. */
export const bulkBytesShift = 4
export const growPageShift = 12

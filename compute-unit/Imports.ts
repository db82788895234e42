/**
 * Imports: all that the engine can reach outside its memory, and what it finds there is nothing.
 *
 * No environment, no files, no timers, no modules; the calendar is UTC and the clock stands where the turn's
 * assignment put it. What no turn needs ends the turn that calls it.
 */

/** Changes whenever an import answers differently; part of the engine id. */
export const behaviour = "heddle/imports/1"

/** Letters that the package's build gave to the engine's imports. */
const names = {
  memory: "a",
  assertFail: "b",
  fdWrite: "c",
  fdClose: "d",
  environGet: "e",
  environSizesGet: "f",
  normalizeModule: "g",
  loadModule: "h",
  shouldInterrupt: "i",
  setTimer: "j",
  resizeHeap: "k",
  keepAlive: "l",
  localTime: "m",
  timeZone: "n",
  fdSeek: "o",
  now: "p",
  abort: "q",
  exit: "r",
  callFunction: "s",
  freeHostRef: "t",
} as const

/** An import that no turn needs was called. */
export class Refused extends Error {}

/** What the guest's driver answers itself. */
export interface Driver {
  readonly memory: WebAssembly.Memory
  /** ms since 1970. */
  readonly now: () => number
  /** Makes the memory hold so many bytes; 0 where it may not. */
  readonly grow: (bytes: number) => 0 | 1
  readonly intrinsic: (number: number, count: number, args: number) => 0
}

/** The C library's `struct tm` of a time in UTC: years count from 1900, months and days of the year from 0. */
const calendar = (seconds: bigint): ReadonlyArray<number> => {
  const date = new Date(Number(seconds) * 1_000)
  if (Number.isNaN(date.getTime())) return new Array<number>(10).fill(0)
  const newYear = new Date(0)
  newYear.setUTCFullYear(date.getUTCFullYear(), 0, 1)
  const daylightSaving = 0
  const offset = 0
  return [
    date.getUTCSeconds(),
    date.getUTCMinutes(),
    date.getUTCHours(),
    date.getUTCDate(),
    date.getUTCMonth(),
    date.getUTCFullYear() - 1900,
    date.getUTCDay(),
    Math.floor((date.getTime() - newYear.getTime()) / 86_400_000),
    daylightSaving,
    offset,
  ]
}

const refused = (what: string) => (): never => {
  throw new Refused(`guests have no ${what}`)
}

export const bind = ({ memory, now, grow, intrinsic }: Driver): Readonly<Record<string, unknown>> => {
  const data = (): DataView => new DataView(memory.buffer)
  const bound: Record<keyof typeof names, unknown> = {
    memory,
    now,
    assertFail: refused("way on from a failed assertion"),
    abort: refused("way on from abort"),
    exit: refused("process to end"),
    keepAlive: refused("process to keep"),
    normalizeModule: refused("modules to import"),
    loadModule: refused("modules to import"),
    setTimer: refused("timers of the C library"),
    fdClose: refused("files"),
    fdSeek: refused("files"),
    freeHostRef: refused("objects of the host"),
    shouldInterrupt: () => 0,
    /** What the C library prints goes nowhere, and all of it counts as written. */
    fdWrite: (_file: number, vectors: number, count: number, written: number) => {
      let total = 0
      for (let i = 0; i < count; i++) total += data().getUint32(vectors + 8 * i + 4, true)
      data().setUint32(written, total, true)
      return 0
    },
    environGet: () => 0,
    environSizesGet: (count: number, size: number) => {
      data().setUint32(count, 0, true)
      data().setUint32(size, 0, true)
      return 0
    },
    resizeHeap: (bytes: number) => grow(bytes >>> 0),
    localTime: (seconds: bigint, out: number) => {
      for (const [i, field] of calendar(seconds).entries()) data().setInt32(out + 4 * i, field, true)
    },
    timeZone: (offset: number, daylight: number, standardName: number, daylightName: number) => {
      data().setInt32(offset, 0, true)
      data().setInt32(daylight, 0, true)
      for (const at of [standardName, daylightName]) Buffer.from(memory.buffer).write("UTC\0", at)
    },
    callFunction: (_context: number, _self: number, count: number, args: number, number: number) =>
      intrinsic(number, count, args),
  }
  return Object.fromEntries(
    Object.entries(names).map(([name, letter]) => [letter, bound[name as keyof typeof names]]),
  ) // its keys
}

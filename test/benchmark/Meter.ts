/**
 * Meter: how often and how long.
 *
 * Wall time, by the clock that only goes forward, is what people wait for. The CPU time of a thread has none of what
 * other programs take of the machine: work of one thread is held against work of one thread by it.
 */

/** Rounds of a limit; the best counts. */
const rounds = 3

/** ms that a limit is measured for, all rounds together. */
const limitMs = 1_500
const limitMsQuick = 60

export const limitMsOf = (quick: boolean): number => (quick ? limitMsQuick : limitMs)

/** The value that so large a share of the values is at most: 0.5 is the one in the middle. */
export const quantile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** ms that `work` takes. */
export const timed = async (work: () => unknown): Promise<number> => {
  const from = performance.now()
  await work()
  return performance.now() - from
}

const round = (ms: number, work: (count: number) => unknown): number => {
  const from = performance.now()
  let count = 0
  let now = from
  for (; now - from < ms; now = performance.now()) work(count++)
  return (count * 1_000) / (now - from)
}

/** Times a second that `work` can be called, at best. */
export const rate = (ms: number, work: (count: number) => unknown): number => {
  round(ms / rounds, work) // warms it up
  return Math.max(...Array.from({ length: rounds }, () => round(ms / rounds, work)))
}

/** ms of CPU that this thread has used so far. */
const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** ms of CPU that all threads have used so far. */
export const cpuMsOfAll = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** Times that `work` can be called in a second of this thread's CPU. */
export const cpuRate = (ms: number, work: () => unknown): number => {
  // The system brings the figure up to date a few hundred times a second: a round goes from one such moment to another.
  const before = cpuMs()
  let from = before
  while (from === before) from = cpuMs()
  let count = 0
  let now = from
  for (; now - from < ms; now = cpuMs()) {
    work()
    count++
  }
  return (count * 1_000) / (now - from)
}

/** Does each of `works` once a round, in turns: what else the machine does weighs on all of them. What each gave. */
export const inTurns = async <K extends string>(
  rounds: number,
  works: Readonly<Record<K, () => number | Promise<number>>>,
): Promise<Readonly<Record<K, ReadonlyArray<number>>>> => {
  const names = Object.keys(works) as Array<K> // of this very object
  const all = Object.fromEntries(names.map((name) => [name, new Array<number>()])) as Record<K, Array<number>> // the same
  for (let i = 0; i < rounds; i++) for (const name of names) all[name].push(await works[name]())
  return all
}

/** Times a second that `work` is done where `writers` do it side by side, at best. */
export const rateOfMany = async (
  ms: number,
  writers: number,
  work: (count: number) => Promise<unknown>,
): Promise<number> => {
  let count = 0
  const many = async (): Promise<number> => {
    const from = performance.now()
    const first = count
    const one = async () => {
      while (performance.now() - from < ms / rounds) await work(count++)
    }
    await Promise.all(Array.from({ length: writers }, one))
    return ((count - first) * 1_000) / (performance.now() - from)
  }
  await many() // warms it up
  let best = 0
  for (let i = 0; i < rounds; i++) best = Math.max(best, await many())
  return best
}

/** Runs `work` over all of `values`, `outstanding` at a time, in their order. */
export const drain = async <A>(
  values: ReadonlyArray<A>,
  outstanding: number,
  work: (value: A) => Promise<unknown>,
): Promise<void> => {
  let next = 0
  const one = async () => {
    while (next < values.length) await work(values[next++]!)
  }
  await Promise.all(Array.from({ length: outstanding }, one))
}

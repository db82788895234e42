/** Meter: how often and how long, by the clock that only goes forward. */

/** Rounds of a limit; the best counts. */
const rounds = 3

/** ms that a limit is measured for, all rounds together. */
const limitMs = 1_500
const limitMsQuick = 300

export const limitMsOf = (quick: boolean): number => (quick ? limitMsQuick : limitMs)

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

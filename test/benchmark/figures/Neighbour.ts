/**
 * A quiet process while its neighbour burns all the fuel it has, turn after turn: on a thread beside it, and beside
 * that what a bare engine in a thread makes of another that is busy.
 */
import { setTimeout } from "node:timers/promises"
import * as BareThreads from "../BareThreads.ts"
import { against, type Figure, ms } from "../Figure.ts"
import * as Meter from "../Meter.ts"
import * as Threads from "../Threads.ts"

/** Times as long as alone that the slowest turn of a hundred may take. */
const factorMax = 1.5

const share = 0.99
/** ms between two turns of the quiet process, and of bare engines that are busy. */
const pauseMs = 2
const busyMs = 200

const quiet = `let n = 0; heddle.on("Tick", () => ++n)`
const burning = `heddle.on("Burn", () => { for (;;); })`

/** ms that the slowest of a hundred take of `count` calls. */
const slowest = async (count: number, call: () => Promise<unknown>): Promise<number> => {
  const times: Array<number> = []
  for (let i = 0; i < count; i++) {
    times.push(await Meter.timed(call))
    await setTimeout(pauseMs)
  }
  return Meter.quantile(times, share)
}

/** `measure` while `burn` goes on again and again. */
const beside = async (burn: () => Promise<unknown>, measure: () => Promise<number>): Promise<number> => {
  const stop = new AbortController()
  const burned = (async () => {
    while (!stop.signal.aborted) await burn()
  })()
  const measured = await measure()
  stop.abort()
  await burned
  return measured
}

export const figure: Figure = async ({ quick: isQuick, progress }) => {
  const [rounds, count, together] = isQuick ? [1, 40, 3] : [9, 300, 20]
  await using threads = await Threads.start(2)
  const life = Threads.lifeOn(quiet, 0, 2)
  const neighbour = Threads.lifeOn(burning, 1, 2)
  const same = Threads.lifeOn(burning, 0, 2)
  for (const one of [life, neighbour, same]) await Threads.begin(threads, one)
  await using bare = BareThreads.start(2)

  const tick = () => Threads.run(threads, life, Threads.batch(life, "Tick", 1))
  const ticks = (n = count) => slowest(n, tick)
  const burn = (of: typeof life) => () =>
    Threads.run(threads, of, Threads.batch(of, "Burn", 1), "out of fuel")
  const bareTicks = () => slowest(count, () => bare.call(0, 0))
  const works = {
    alone: () => ticks(),
    beside: () => beside(burn(neighbour), () => ticks()),
    bareAlone: bareTicks,
    bareBeside: () => beside(() => bare.call(1, busyMs), bareTicks),
  }
  progress("warming up")
  await ticks()
  await bareTicks()
  progress(`${rounds} rounds of ${count} turns`)
  const times = await Meter.inTurns(rounds, works)
  progress("on one thread")
  const whole = await Meter.timed(burn(neighbour))
  const waited = await beside(burn(same), () => ticks(together))
  const middle = (name: keyof typeof works) => Meter.median(times[name])
  const machine = middle("bareBeside") / middle("bareAlone")
  const name = "p99 of a quiet process beside one that burns"
  return {
    _tag: "Measured",
    rows: [
      against(name, ms(middle("beside")), "alone", middle("alone"), 1 / factorMax),
      against(
        name,
        ms(middle("beside")),
        "alone, times what the machine gives",
        middle("alone") * Math.max(1, machine),
        1 / factorMax,
      ),
    ],
    reckoning: [
      `it takes ${(middle("beside") / middle("alone")).toFixed(2)} times as long, wanted is at most ${factorMax}; a call of a bare engine beside a busy one ${machine.toFixed(2)} times: that is what the machine gave meanwhile`,
      `each is the median over rounds in turns; on the same thread as one that burns ${whole.toFixed(0)} ms at a time, it waits up to ${waited.toFixed(0)} ms`,
    ],
  }
}

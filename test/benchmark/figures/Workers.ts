/** Two threads of guests against one, beside what two threads of bare engines do against one. */
import * as BareThreads from "../BareThreads.ts"
import { against, type Figure, ms, perSecond } from "../Figure.ts"
import * as Meter from "../Meter.ts"
import * as Threads from "../Threads.ts"

/** Times as many turns as one thread that two are to do. */
const goal = 1.9

/** Turns in one call of a sandbox. */
const batchTurns = 32
/** Processes on each thread, so that a batch waits while another runs. */
const processes = 2

const busy = `heddle.on("Work", () => {
  let n = 0
  for (let i = 0; i < 5000; i++) n = (n * 31 + i) | 0
  return n
})`

/** What gives the turns a second of processes on as many threads. */
const turning = async (threads: Threads.Threads, size: number, batches: number) => {
  const lives = Array.from({ length: processes * size }, (_, i) => Threads.lifeOn(busy, i % size, size))
  for (const life of lives) await Threads.begin(threads, life)
  /** ms of CPU of a turn on all threads, in each round. */
  const cpu: Array<number> = []
  const rate = async (): Promise<number> => {
    const made = lives.map((life) =>
      Array.from({ length: batches }, () => Threads.batch(life, "Work", batchTurns)),
    )
    const turns = lives.length * batches * batchTurns
    const before = Meter.cpuMsOfAll()
    const wall = await Meter.timed(() =>
      Promise.all(
        lives.map((life, i) => Meter.drain(made[i]!, 1, (entries) => Threads.run(threads, life, entries))),
      ),
    )
    cpu.push((Meter.cpuMsOfAll() - before) / turns)
    return (turns * 1_000) / wall
  }
  return { rate, cpu }
}

export const figure: Figure = async ({ quick, progress }) => {
  const [rounds, batches, msEach] = quick ? [2, 2, 60] : [9, 20, 600]
  await using one = await Threads.start(1)
  await using two = await Threads.start(2)
  await using bare = BareThreads.start(2)
  const calling = (size: number) => async (): Promise<number> => {
    let calls = 0
    const count = async (thread: number) => (calls += await bare.call(thread, msEach))
    const wall = await Meter.timed(() => Promise.all(Array.from({ length: size }, (_, i) => count(i))))
    return (calls * 1_000) / wall
  }
  const [onOne, onTwo] = [await turning(one, 1, batches), await turning(two, 2, batches)]
  const works = {
    one: onOne.rate,
    two: onTwo.rate,
    bareOne: calling(1),
    bareTwo: calling(2),
  }
  progress("warming up")
  await Meter.inTurns(1, works)
  for (const { cpu } of [onOne, onTwo]) cpu.length = 0
  progress(`${rounds} rounds`)
  const rates = await Meter.inTurns(rounds, works)
  const best = (name: keyof typeof works) => Math.max(...rates[name])
  const machine = Math.max(1, best("bareTwo") / best("bareOne"))
  const [cpuOne, cpuTwo] = [Meter.median(onOne.cpu), Meter.median(onTwo.cpu)]
  const name = "turns on two threads"
  return {
    _tag: "Measured",
    rows: [
      against(name, perSecond(best("two")), "twice one thread", 2 * best("one"), goal / 2),
      against(
        name,
        perSecond(best("two")),
        "one thread, times what the machine gives",
        machine * best("one"),
        goal / 2,
      ),
      against("CPU of a turn on two threads", ms(cpuTwo), "on one thread", cpuOne, goal / 2),
    ],
    reckoning: [
      `two threads do ${(best("two") / best("one")).toFixed(2)} times as many turns as one; two threads of bare engines ${machine.toFixed(2)} times as many calls: that is what the machine gave meanwhile`,
      "each is the best of its rounds, in turns; the thread that all others work for runs beside them",
    ],
  }
}

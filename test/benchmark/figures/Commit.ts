/**
 * Turns with all that is kept of them: compared, copied out page by page, and at the end of each batch hashed to a
 * state root, in a thread of their own. Against calls into the bare engine, which keep nothing.
 */
import * as Bare from "../Bare.ts"
import * as BareEngine from "../BareEngine.ts"
import { against, type Figure, ms, perSecond } from "../Figure.ts"
import * as Meter from "../Meter.ts"
import * as Threads from "../Threads.ts"

/** Turns in one call of a sandbox, and so between two roots. */
const batchTurns = 64
/** Processes that take turns in the thread. */
const processes = 4

export const figure: Figure = async ({ quick, progress }) => {
  const [rounds, batches, msEach] = quick ? [2, 2, 60] : [7, 16, 300]
  await using threads = await Threads.start(1)
  const source = await Bare.bundled(Bare.counterFile)
  const lives = Array.from({ length: processes }, () => Threads.lifeOn(source))
  for (const life of lives) await Threads.begin(threads, life)
  const counter = await Bare.counter()
  const rooted = await Bare.counter()
  const rootedTurn = () => {
    rooted.next()
    rooted.memory.root()
  }
  /** ms of CPU of a turn, in each round. */
  const cpu: Array<number> = []
  /** Turns a second, a batch of each process waiting while another runs. */
  const committed = async (): Promise<number> => {
    const made = lives.map((life) =>
      Array.from({ length: batches }, () => Threads.batch(life, "Increment", batchTurns)),
    )
    const turns = processes * batches * batchTurns
    const before = Meter.cpuMsOfAll()
    const wall = await Meter.timed(() =>
      Promise.all(
        lives.map((life, i) => Meter.drain(made[i]!, 1, (entries) => Threads.run(threads, life, entries))),
      ),
    )
    cpu.push((Meter.cpuMsOfAll() - before) / turns)
    return (turns * 1_000) / wall
  }
  const published = BareEngine.caller("published")
  const instrumented = BareEngine.caller("instrumented")
  const works = {
    committed,
    published: () => Meter.rate(msEach, published),
    publishedCpu: () => Meter.cpuRate(msEach, published),
    instrumentedCpu: () => Meter.cpuRate(msEach, instrumented),
    turnCpu: () => Meter.cpuRate(msEach, counter.next),
    rootedCpu: () => Meter.cpuRate(msEach, rootedTurn),
  }
  progress("warming up")
  await Meter.inTurns(1, works)
  cpu.length = 0
  progress(`${rounds} rounds of ${processes * batches} batches`)
  const rates = await Meter.inTurns(rounds, works)
  const best = (name: keyof typeof works) => Math.max(...rates[name])
  const each = (name: keyof typeof works) => 1_000 / best(name)
  const turn = Meter.median(cpu)
  const parts = [
    `a call ${each("publishedCpu").toFixed(3)}`,
    `its counters ${(each("instrumentedCpu") - each("publishedCpu")).toFixed(3)}`,
    `prelude, comparison and copies of pages ${(each("turnCpu") - each("instrumentedCpu")).toFixed(3)}`,
    `a root of a batch ${((each("rootedCpu") - each("turnCpu")) / batchTurns).toFixed(3)}`,
  ]
  return {
    _tag: "Measured",
    rows: [
      against(
        `turns with commit in batches of ${batchTurns}, one thread`,
        perSecond(Meter.median(rates.committed)),
        "QuickJS call, as published",
        best("published"),
      ),
      against("the same: CPU of all threads, a turn", ms(turn), "the same", each("publishedCpu")),
    ],
    reckoning: [
      `ms of CPU of a turn on one thread: ${parts.join(", ")}`,
      `the other ${(turn - each("turnCpu") - (each("rootedCpu") - each("turnCpu")) / batchTurns).toFixed(3)} ms: metadata, outcome and their way between two threads`,
    ],
  }
}

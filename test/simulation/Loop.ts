/**
 * Loop: the task scheduler and the clock of a simulation. It takes the place of the event loop: one task at a time, in
 * an order that luck gives, and time goes on only where the loop says so.
 *
 * Each task belongs to a life: what runs on a machine from a start to its crash. A crash is that the tasks and timers of
 * a life are gone, between any two steps: nothing of it runs any more, no finalizer either.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import { Entropy } from "../../identity/Entropy.ts"
import type * as Luck from "./Luck.ts"
import type * as Trace from "./Trace.ts"

/** What runs until it ends. `skewMs` is what its clock is ahead of the world's. */
export interface Life {
  readonly name: string
  alive: boolean
  skewMs: number
}

interface Task {
  readonly life: Life
  readonly run: () => void
}

interface Timer extends Task {
  readonly at: number
  readonly seq: number
}

export interface Manner {
  /** Of the tasks that could run next, from how many luck chooses: 1 is the order in which they came. */
  readonly window: number
  /** Share of operations after which a fiber lets others run. */
  readonly yields: number
}

/** When a simulated world begins, in ms since 1970. */
export const epochMs = 1_700_000_000_000

const opsBeforeYield = 2_048

export class Loop {
  readonly trace: Trace.Trace
  readonly #luck: Luck.Luck
  readonly #manner: Manner
  #now = epochMs
  #ready: Array<Task> = []
  #timers: Array<Timer> = []
  #seq = 0
  steps = 0
  #fault: Error | undefined
  /** Asked after each step. */
  onStep: () => void = () => {}

  constructor(luck: Luck.Luck, manner: Manner, trace: Trace.Trace) {
    this.#luck = luck
    this.#manner = manner
    this.trace = trace
  }

  /** The world's time in ms since 1970; each life has its own view of it. */
  get now(): number {
    return this.#now
  }

  note(event: string): void {
    this.trace.note(`${this.#now - epochMs} ${event}`)
  }

  add(life: Life, run: () => void): void {
    if (life.alive) this.#ready.push({ life, run })
  }

  /** Ends the simulation. What is thrown may be caught by whose fiber this happens in, so it is kept. */
  fail(fault: Error): never {
    this.#fault ??= fault
    throw fault
  }

  /** Runs something later; gives how to call it off. */
  after(life: Life, ms: number, run: () => void): () => void {
    if (!life.alive) return () => {}
    const timer = { life, run, at: this.#now + Math.max(0, Math.ceil(ms)), seq: this.#seq++ }
    let low = 0
    let high = this.#timers.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#timers[middle]!.at <= timer.at) low = middle + 1
      else high = middle
    }
    this.#timers.splice(low, 0, timer)
    return () => {
      const at = this.#timers.indexOf(timer)
      if (at >= 0) this.#timers.splice(at, 1)
    }
  }

  /** Ends a life between two steps. */
  end(life: Life): void {
    life.alive = false
    this.#ready = this.#ready.filter((task) => task.life.alive)
    this.#timers = this.#timers.filter((timer) => timer.life.alive)
  }

  /** One task, or else the next timer, unless that is later than `until`; whether there was any. */
  step(until = Number.POSITIVE_INFINITY): boolean {
    if (this.#ready.length === 0) {
      const timer = this.#timers[0]
      if (timer === undefined || timer.at > until) return false
      this.#timers.shift()
      this.#now = timer.at
      this.#ready.push(timer)
    }
    const at = this.#luck.below(Math.min(this.#ready.length, this.#manner.window))
    const [task] = this.#ready.splice(at, 1)
    this.trace.count(`${this.#now} ${at} ${task!.life.name}`)
    task!.run()
    if (this.#fault !== undefined) throw this.#fault
    this.steps++
    this.onStep()
    return true
  }

  /** Lets time go on to `at`, with all that happens meanwhile. */
  runUntil(at: number): void {
    while (this.step(at));
    this.#now = Math.max(this.#now, at)
  }

  #clock(life: Life): Clock.Clock {
    const now = () => this.#now + life.skewMs
    const nanos = () => BigInt(now()) * 1_000_000n
    const monotonic = () => BigInt(this.#now) * 1_000_000n
    return {
      currentTimeMillisUnsafe: now,
      currentTimeMillis: Effect.sync(now),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: monotonic,
      monotonicTimeNanos: Effect.sync(monotonic),
      sleep: (duration) =>
        Effect.callback<void>((resume) => {
          const stop = this.after(life, Duration.toMillis(duration), () => resume(Effect.void))
          return Effect.sync(stop)
        }),
    }
  }

  #scheduler(life: Life): Scheduler.Scheduler {
    return {
      executionMode: "async",
      shouldYield: (fiber) =>
        fiber.currentOpCount >= opsBeforeYield || this.#luck.chance(this.#manner.yields),
      makeDispatcher: () => ({
        scheduleTask: (task) => this.add(life, task),
        flush: () => {},
      }),
    }
  }

  /** What effects of a life run in. */
  context(life: Life, luck: Luck.Luck): Context.Context<never> {
    const logger = Logger.make(({ message }) => this.note(`${life.name} logs ${String(message)}`))
    return Context.make(Scheduler.Scheduler, this.#scheduler(life)).pipe(
      Context.add(Clock.Clock, this.#clock(life)),
      Context.add(Logger.CurrentLoggers, new Set([logger])),
      Context.add(Entropy, { bytes: luck.bytes }),
      Context.add(Random.Random, { nextDoubleUnsafe: luck.next, nextIntUnsafe: () => luck.below(2 ** 32) }),
    )
  }
}

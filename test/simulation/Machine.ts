/**
 * Machine: a computer that runs a node of production code, on a disk that outlives it. It is started, crashes, is stopped
 * in good order, and is started again on what is durable.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Life, Loop } from "./Loop.ts"
import type * as Luck from "./Luck.ts"
import type { StoreSimulated } from "./StoreSimulated.ts"

/** Builds what runs on a machine. `starts` counts from 1. */
export type Build<N> = (life: Life, starts: number) => Effect.Effect<N, never, Scope.Scope>

/** The machine was gone before it answered; whether it acted is not known. */
export const lost = Symbol("lost")

interface Call {
  readonly lose: () => void
}

export class Machine<N> {
  readonly name: string
  readonly store: StoreSimulated
  readonly #loop: Loop
  readonly #luck: Luck.Luck
  readonly #build: Build<N>
  readonly #calls = new Set<Call>()
  #life: Life
  #scope = Scope.makeUnsafe()
  #node: N | undefined
  starts = 0
  /** Told of each crash, when what was not durable is gone. */
  onCrash: () => void = () => {}

  constructor(name: string, loop: Loop, luck: Luck.Luck, store: StoreSimulated, build: Build<N>) {
    this.name = name
    this.store = store
    this.#loop = loop
    this.#luck = luck
    this.#build = build
    this.#life = { name, alive: false, skewMs: 0 }
  }

  /** Whether it answers. */
  get isUp(): boolean {
    return this.#node !== undefined
  }

  get isRunning(): boolean {
    return this.#life.alive
  }

  set skewMs(ms: number) {
    this.#life.skewMs = ms
  }

  #fork<A, E>(effect: Effect.Effect<A, E>, done: (exit: Exit.Exit<A, E>) => void): void {
    const life = this.#life
    const context = this.#loop.context(life, this.#luck)
    this.#loop.add(life, () => {
      const fiber = Effect.runForkWith(context)(effect)
      fiber.addObserver((exit) => {
        if (life.alive) done(exit)
      })
    })
  }

  start(): void {
    this.starts++
    this.#life = { name: `${this.name}.${this.starts}`, alive: true, skewMs: this.#life.skewMs }
    this.#scope = Scope.makeUnsafe()
    this.#loop.note(`${this.#life.name} starts`)
    this.#fork(Scope.provide(this.#build(this.#life, this.starts), this.#scope), (exit) => {
      if (Exit.isFailure(exit))
        return this.#loop.fail(new Error(`${this.name} does not start: ${Cause.pretty(exit.cause)}`))
      this.#node = exit.value
      this.#loop.note(`${this.#life.name} is up`)
    })
  }

  #end(): void {
    this.#loop.end(this.#life)
    this.#node = undefined
    this.store.crash()
    for (const { lose } of this.#calls) lose()
    this.#calls.clear()
  }

  crash(): void {
    this.#loop.note(`${this.#life.name} crashes`)
    this.#end()
    this.onCrash()
  }

  /** Stops in good order; `then` is told when it has. */
  stop(then: () => void): void {
    this.#loop.note(`${this.#life.name} stops`)
    this.#node = undefined
    this.#fork(Scope.close(this.#scope, Exit.void), () => {
      this.#end()
      then()
    })
  }

  /** Has the node do something. `done` hears what it came to, in the moment in which it is known outside. */
  call<A, E>(
    effect: (node: N) => Effect.Effect<A, E>,
    done: (exit: Exit.Exit<A, E> | typeof lost) => void,
  ): void {
    const node = this.#node
    if (node === undefined) return done(lost)
    const call = { lose: () => done(lost) }
    this.#calls.add(call)
    this.#fork(
      Effect.suspend(() => effect(node)),
      (exit) => {
        if (!this.#calls.delete(call)) return
        const interrupted = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
        done(interrupted ? lost : exit)
      },
    )
  }
}

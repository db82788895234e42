/**
 * Batcher: many callers, one at a time. A batch closes when the one before it has ended - no timer, no idle wait -
 * or at its size limit, so that load makes batches larger and never makes anyone wait for company.
 */
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"

/** The queue is at its bound. What the caller holds is still the caller's: send it again later. */
export class Overloaded extends Data.TaggedError("Overloaded")<{ readonly waitingMax: number }> {
  override get message(): string {
    return `${this.waitingMax} are waiting already; try again later`
  }
}

interface Waiting<A, B, E> {
  readonly value: A
  readonly answer: Deferred.Deferred<B, E>
}

export interface Batcher<A, B, E> {
  /** Puts `value` into the next batch and waits for its answer. */
  readonly submit: (value: A) => Effect.Effect<B, E | Overloaded>
}

/**
 * `run` gets a batch and answers each value in place, as an effect; where `run` itself fails, all of them fail with
 * it. Whoever waits for an answer when the scope closes is interrupted, though the batch may have been run.
 */
export const make = Effect.fnUntraced(function* <A, B, E>(options: {
  readonly batchMax: number
  /** Weight of a batch at most, as `weigh` gives it for each value; a value that is heavier goes alone. */
  readonly weightMax?: number
  readonly weigh?: (value: A) => number
  readonly waitingMax: number
  readonly run: (values: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<Effect.Effect<B, E>>, E>
}) {
  const { batchMax, waitingMax, run, weightMax = Number.POSITIVE_INFINITY, weigh = () => 0 } = options
  const queue = yield* Queue.dropping<Waiting<A, B, E>>(waitingMax)
  yield* Effect.addFinalizer(() =>
    Queue.clear(queue).pipe(
      Effect.flatMap((left) => Effect.forEach(left, ({ answer }) => Deferred.interrupt(answer))),
    ),
  )
  const commit = Effect.fnUntraced(function* (batch: ReadonlyArray<Waiting<A, B, E>>) {
    const exit = yield* Effect.exit(run(batch.map(({ value }) => value)))
    for (let i = 0; i < batch.length; i++)
      Deferred.doneUnsafe(
        batch[i]!.answer,
        Exit.isSuccess(exit) ? exit.value[i]! : Exit.failCause(exit.cause),
      )
  })
  const commitAll = Effect.fnUntraced(function* (taken: ReadonlyArray<Waiting<A, B, E>>) {
    for (let from = 0, to = 0, weight = 0; from < taken.length; from = to, weight = 0) {
      do weight += weigh(taken[to++]!.value)
      while (to < taken.length && weight + weigh(taken[to]!.value) <= weightMax)
      yield* commit(taken.slice(from, to))
    }
  })
  const next = Effect.gen(function* () {
    const taken = yield* Queue.takeBetween(queue, 1, batchMax)
    yield* commitAll(taken).pipe(
      Effect.onInterrupt(() => Effect.forEach(taken, ({ answer }) => Deferred.interrupt(answer))),
    )
  })
  yield* Effect.forkScoped(Effect.forever(next))
  const batcher: Batcher<A, B, E> = {
    submit: (value) =>
      Effect.suspend((): Effect.Effect<B, E | Overloaded> => {
        const answer = Deferred.makeUnsafe<B, E>()
        return Queue.offerUnsafe(queue, { value, answer })
          ? Deferred.await(answer)
          : Effect.fail(new Overloaded({ waitingMax }))
      }),
  }
  return batcher
})

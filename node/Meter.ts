/**
 * Meter: counts what a node does, from outside: a service goes in, the same service that is counted comes out. What is
 * counted lies in Effect's metrics, from where `/metrics` or an exporter takes it.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { Sandbox } from "../compute-unit/Sandbox.ts"
import type { MessengerUnit } from "../messenger-unit/MessengerUnit.ts"
import { Refused } from "../runtime/Admission.ts"

const accepted = Metric.counter("heddle_messages_accepted_total", {
  description: "Messages from outside that got a slot, repeats included",
})
const refused = Metric.counter("heddle_messages_refused_total", {
  description: "Messages from outside that got none, by reason",
})
const requestsRefused = Metric.counter("heddle_requests_refused_total", {
  description: "Queries, uploads and modules from outside that were refused, by call and reason",
})
const waiting = Metric.gauge("heddle_messages_waiting", {
  description: "Messages from outside whose sender waits for an answer",
})

/** From half a millisecond to about half a minute, each twice the one before. */
const seconds = Metric.exponentialBoundaries({ start: 0.0005, factor: 2, count: 17 })
const latency = (call: "send" | "answer") =>
  Metric.histogram("heddle_message_seconds", {
    description: "Time from a message's arrival to its slot (send), and from there to its answer (answer)",
    boundaries: seconds,
    attributes: { call },
  })
const latencies = { send: latency("send"), answer: latency("answer") }

const turns = Metric.counter("heddle_turns_total", {
  description: "Turns run since the start, replays included",
})
const failed = Metric.counter("heddle_turns_failed_total", {
  description: "Turns that ended in an error, by reason",
})
const fuel = Metric.counter("heddle_fuel_total", {
  description: "Fuel used by turns since the start",
  bigint: true,
})

/** What is asked for beside messages. */
export type Call = "query" | "upload" | "module"

const refusedOf = (call: "message" | Call, reason: string) =>
  call === "message"
    ? Metric.withAttributes(refused, { reason })
    : Metric.withAttributes(requestsRefused, { call, reason })

/** Counts what was turned away before anybody read it. */
export const turnedAway = (call: "message" | Call, reason: string, context: Context.Context<never>): void =>
  refusedOf(call, reason).updateUnsafe(1, context)

/** Counts what is refused of one call. */
const counted =
  (call: Call) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.tapError(effect, (error) =>
      error instanceof Refused ? Metric.update(refusedOf(call, error.reason), 1) : Effect.void,
    )

/** Counts what comes in through a messenger, and how long who waits for a slot or an answer waits. */
export const messenger = (inner: MessengerUnit["Service"]): MessengerUnit["Service"] => {
  let open = 0
  const timed =
    (call: "send" | "answer") =>
    <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.gen(function* () {
        const from = yield* Clock.currentTimeNanos
        yield* Metric.update(waiting, ++open)
        const exit = yield* Effect.exit(effect).pipe(Effect.onExit(() => Metric.update(waiting, --open)))
        yield* Metric.update(latencies[call], Number((yield* Clock.currentTimeNanos) - from) / 1e9)
        return yield* exit
      })
  return {
    ...inner,
    send: (item) =>
      timed("send")(inner.send(item)).pipe(
        Effect.tap(() => Metric.update(accepted, 1)),
        Effect.tapError((error) => {
          const reason = error._tag === "Refused" ? error.reason : "unreachable"
          return Metric.update(refusedOf("message", reason), 1)
        }),
      ),
    query: (process, query) => counted("query")(inner.query(process, query)),
    viewProof: (process, name) => counted("query")(inner.viewProof(process, name)),
    addData: (bytes) => counted("upload")(inner.addData(bytes)),
    addModule: (source) => counted("module")(inner.addModule(source)),
    answer: (process, slot) => timed("answer")(inner.answer(process, slot)),
  }
}

/** Counts the turns of the sandbox below. */
export const sandbox = Layer.effect(
  Sandbox,
  Sandbox.useSync((inner) => ({
    ...inner,
    run: (process, entries) =>
      Effect.tap(
        inner.run(process, entries),
        Effect.fnUntraced(function* (evaluated) {
          yield* Metric.update(turns, evaluated.length)
          let used = 0n
          for (const { outcome } of evaluated) {
            used += outcome.fuelUsed
            if (outcome.error !== undefined)
              yield* Metric.update(Metric.withAttributes(failed, { reason: outcome.error.reason }), 1)
          }
          yield* Metric.update(fuel, used)
        }),
      ),
  })),
)

/**
 * Gateways of Arweave over HTTP. One answer is bounded in time and bytes, and a gateway that fails is one of several:
 * the next is asked, and after all of them have failed, all again, later each time and by chance apart.
 *
 * Nothing here says that an answer is true. Who asks checks it inside `ask`, so that a wrong one is a failure of that
 * gateway like any other.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { ArchiveUnavailable } from "./Archive.ts"
import * as Bytes from "./Bytes.ts"
import * as Limit from "./Limit.ts"

/** One gateway did not do what it was asked. */
export class GatewayFailed extends Data.TaggedError("GatewayFailed")<{
  readonly gateway: string
  readonly reason:
    | Exclude<ArchiveUnavailable["reason"], "io" | "full">
    | "not here"
    | "wrong bytes"
    | "not a piece"
  readonly detail: string
  /** How long it wants to be left alone, in ms; for one that was silent too long: for good. */
  readonly waitMs?: number
}> {}

/** All gateways failed; the last failure of each. */
export class GatewaysFailed extends Data.TaggedError("GatewaysFailed")<{
  readonly failures: ReadonlyArray<GatewayFailed>
}> {}

/** Whether the same gateway, asked the same, may answer otherwise in a moment. */
const mayRecover = ({ reason, waitMs }: GatewayFailed): boolean =>
  waitMs !== Number.POSITIVE_INFINITY &&
  (reason === "no answer" || reason === "busy" || reason === "wrong answer" || reason === "wrong bytes")

export interface Question {
  /** Begins with `/`. */
  readonly path: string
  /** JSON, which makes it a POST. */
  readonly json?: string
  readonly bytesMax?: number
}

export interface Answer {
  readonly status: number
  readonly bytes: Uint8Array
}

/** The answer's text, for a message: a line of it. */
export const said = ({ status, bytes }: Answer): string =>
  `${status} ${(Bytes.toText(bytes.subarray(0, 200)) ?? "").replace(/\s+/g, " ").trim()}`.trim()

const secondsOf = (header: string | null): number | undefined =>
  header !== null && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined

const bodyOf = async (response: Response, bytesMax: number): Promise<Uint8Array | undefined> => {
  if (Number(response.headers.get("content-length") ?? 0) > bytesMax) {
    await response.body?.cancel()
    return undefined
  }
  const parts: Array<Uint8Array> = []
  let bytes = 0
  if (response.body !== null)
    for await (const part of response.body) {
      bytes += part.length
      // Leaving the loop ends the transmission.
      if (bytes > bytesMax) return undefined
      parts.push(part)
    }
  return Bytes.concat(parts)
}

const because = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

/** Asks one gateway once. Every answer but a server's own failure is an answer. */
export const ask = (gateway: string, question: Question): Effect.Effect<Answer, GatewayFailed> => {
  const { path, json, bytesMax = Limit.gatewayAnswerBytesMax } = question
  const failed = (reason: GatewayFailed["reason"], detail: string, waitMs?: number) =>
    new GatewayFailed({
      gateway,
      reason,
      detail: `${json === undefined ? "GET" : "POST"} ${path}: ${detail}`,
      ...(waitMs === undefined ? {} : { waitMs }),
    })
  return Effect.tryPromise({
    try: async (signal) => {
      const post = { method: "POST", body: json ?? "", headers: { "content-type": "application/json" } }
      const response = await fetch(gateway + path, { ...(json === undefined ? {} : post), signal })
      const bytes = await bodyOf(response, bytesMax)
      return { status: response.status, bytes, waitMs: secondsOf(response.headers.get("retry-after")) }
    },
    catch: (error) => failed("no answer", because(error)),
  }).pipe(
    Effect.timeoutOrElse({
      duration: Limit.gatewayAnswerMsMax,
      orElse: () => {
        const detail = `nothing whole within ${Limit.gatewayAnswerMsMax} ms`
        return Effect.fail(failed("no answer", detail, Number.POSITIVE_INFINITY))
      },
    }),
    Effect.flatMap(({ status, bytes, waitMs }) => {
      if (bytes === undefined) return Effect.fail(failed("wrong answer", `over ${bytesMax} bytes`))
      if (status === 408 || status === 429 || status >= 500)
        return Effect.fail(failed("busy", said({ status, bytes }), waitMs))
      return Effect.succeed({ status, bytes })
    }),
  )
}

const wait = (round: number, failures: ReadonlyArray<GatewayFailed>): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (chance) => {
    const own = Math.min(Limit.gatewayRetryMsMax, Limit.gatewayRetryMsMin * 2 ** round) * (0.5 + chance / 2)
    // The one that asks for the shortest pause is worth asking then.
    const asked = Math.min(...failures.map(({ waitMs }) => waitMs ?? 0))
    return Effect.sleep(Math.min(Limit.gatewayRetryMsMax, Math.max(own, asked)))
  })

/** One way to get an answer: from one gateway. */
export type Way<A> = Effect.Effect<A, GatewayFailed>

/** The first good answer of several ways, tried in turn. One that says no for good is not tried again. */
export const inTurn = Effect.fnUntraced(function* <A>(
  ways: ReadonlyArray<Way<A>>,
): Effect.fn.Return<A, GatewaysFailed> {
  const failures = new Map<Way<A>, GatewayFailed>()
  let open = ways
  for (let round = 0; ; round++) {
    for (const way of open) {
      const answer = yield* Effect.result(way)
      if (Result.isSuccess(answer)) return answer.success
      failures.set(way, answer.failure)
    }
    open = ways.filter((way) => mayRecover(failures.get(way)!)) // each of them has failed
    if (open.length === 0 || round === Limit.gatewayRoundsMax - 1)
      return yield* new GatewaysFailed({ failures: [...failures.values()] })
    yield* wait(
      round,
      open.map((way) => failures.get(way)!),
    )
  }
})

/** The answer of each of several ways, tried at once, each as often as it may recover. */
export const fromEach = <A>(
  ways: ReadonlyArray<Way<A>>,
): Effect.Effect<ReadonlyArray<Result.Result<A, GatewayFailed>>> =>
  Effect.forEach(
    ways,
    (way) => Effect.result(Effect.mapError(inTurn([way]), ({ failures }) => failures[0]!)), // of the one way
    { concurrency: "unbounded" },
  )

/** `all` with `one` of them first. */
export const firstOf = <A>(all: ReadonlyArray<A>, one: A): ReadonlyArray<A> =>
  all[0] === one ? all : [one, ...all.filter((other) => other !== one)]

/** The failure of all as the seam's. */
export const unavailable = (
  { failures }: { readonly failures: ReadonlyArray<GatewayFailed> },
  transaction?: string,
): ArchiveUnavailable => {
  const last = failures.at(-1)!
  const reason =
    last.reason === "not here"
      ? "refused"
      : last.reason === "wrong bytes" || last.reason === "not a piece"
        ? "wrong answer"
        : last.reason
  const detail = failures.map(({ gateway, detail }) => `${gateway}: ${detail}`).join("; ")
  return new ArchiveUnavailable({ gateway: last.gateway, transaction, reason, detail })
}

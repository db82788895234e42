/**
 * Request body: bytes from a stranger, read within two bounds. One body is at most as large as what it carries may
 * be, and all bodies together at most `Limit.requestBytesInFlightMax`, so nobody can fill the memory with uploads.
 *
 * Bytes count once they are here, so a slow sender holds no more than it has sent. They are given back when the
 * request ends.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as Scope from "effect/Scope"
import * as Bytes from "../runtime/Bytes.ts"
import * as Limit from "../runtime/Limit.ts"

interface Refusal<Reason> {
  readonly _tag: "Refused"
  readonly reason: Reason
  readonly detail: string
}

export type BodyRefused = Refusal<"too large"> | Refusal<"overloaded"> | Refusal<"malformed request">

const refuse = <const Reason extends string>(reason: Reason, detail: string) =>
  Effect.fail({ _tag: "Refused" as const, reason, detail })

export interface RequestBodies {
  /** The whole body, at most `bytesMax` bytes. */
  readonly read: (
    request: HttpServerRequest.HttpServerRequest,
    bytesMax: number,
  ) => Effect.Effect<Uint8Array, BodyRefused, Scope.Scope>
}

/** A body a little over its limit is read, so that the refusal comes from who knows what it is. */
const slackBytes = 1024

/** `inFlightMax` is the bound over all bodies; only tests make it smaller. */
export const make = (inFlightMax: number = Limit.requestBytesInFlightMax): RequestBodies => {
  let inFlight = 0

  const read = Effect.fnUntraced(function* (
    request: HttpServerRequest.HttpServerRequest,
    bytesMax: number,
  ): Effect.fn.Return<Uint8Array, BodyRefused, Scope.Scope> {
    const tooLarge = (length: string) =>
      refuse("too large", `${length} bytes; at most ${bytesMax} are allowed`)
    const announced = Number(request.headers["content-length"] ?? 0)
    if (announced > bytesMax + slackBytes) return yield* tooLarge(String(announced))
    const chunks: Array<Uint8Array> = []
    let held = 0
    yield* Effect.addFinalizer(() => Effect.sync(() => void (inFlight -= held)))
    yield* request.stream.pipe(
      Stream.mapError(() => ({ ended: true as const })),
      Stream.runForEach((chunk): Effect.Effect<void, BodyRefused> => {
        held += chunk.length
        inFlight += chunk.length
        if (held > bytesMax + slackBytes) return tooLarge(`more than ${bytesMax}`)
        if (inFlight > inFlightMax)
          return refuse(
            "overloaded",
            `uploads hold ${inFlight} bytes; at most ${inFlightMax} at once, send it again`,
          )
        chunks.push(chunk)
        return Effect.void
      }),
      Effect.catch((error) =>
        "ended" in error
          ? refuse("malformed request", "the body ended before its announced length")
          : Effect.fail(error),
      ),
    )
    return Bytes.concat(chunks)
  })

  return { read }
}

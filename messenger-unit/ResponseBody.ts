/**
 * Response body: many bytes for a stranger, such as a snapshot, who may be slow to take them. Each goes out in chunks
 * as fast as it is taken, and all together hold at most about `Limit.responseBytesInFlightMax` of the memory.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Limit from "../runtime/Limit.ts"

export interface ResponseBodies {
  /** Answers with what `read` gives, or refuses where there is none, or where too many bytes wait to be taken. */
  readonly answer: <E, F>(
    read: Effect.Effect<Uint8Array, E>,
    overloaded: (detail: string) => Effect.Effect<never, F>,
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, E | F>
}

const chunkBytes = 256 * 1024

const chunksOf = (bytes: Uint8Array): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, i) =>
    bytes.subarray(i * chunkBytes, (i + 1) * chunkBytes),
  )

/** `inFlightMax` is the bound over all bodies; only tests make it smaller. */
export const make = (inFlightMax: number = Limit.responseBytesInFlightMax): ResponseBodies => {
  let inFlight = 0

  /** Counts the bytes from the first chunk on: a stream that nobody begins holds nothing for long. */
  const stream = (bytes: Uint8Array) => {
    let held = 0
    return Stream.suspend(() => {
      held = bytes.length
      inFlight += held
      return Stream.fromIterable(chunksOf(bytes))
    }).pipe(Stream.ensuring(Effect.sync(() => void (inFlight -= held))))
  }

  return {
    answer: Effect.fnUntraced(function* (read, overloaded) {
      if (inFlight >= inFlightMax)
        return yield* overloaded(`answers hold ${inFlight} bytes that are not taken yet; ask again`)
      const bytes = yield* read
      return HttpServerResponse.stream(stream(bytes), {
        contentType: "application/octet-stream",
        contentLength: bytes.length,
      })
    }),
  }
}

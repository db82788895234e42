/** RefusingServer: what a messenger over HTTP answers where no handler did: that a request can't be read, or a defect. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { HttpApiSchemaError } from "effect/http-api/HttpApiError"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { unhandled } from "effect/Types"
import { Refusing } from "./MessengerApi.ts"
import * as Refusal from "./Refusal.ts"

/** A refusal as handlers fail with it. */
export const refuse = <const Reason extends string>(reason: Reason, detail: string) =>
  Effect.fail({ _tag: "Refused", reason, detail } as const)

type CommonRefused = (typeof Refusal.common)[number]["Type"]

const internal = (cause: Cause.Cause<unknown>): Effect.Effect<never, CommonRefused> =>
  Effect.logError("a request ended in a defect", cause).pipe(
    Effect.andThen(refuse("internal error", "the node could not answer; its log says why")),
  )

const isBusy = Schema.is(Refusal.busy)

const sayWhen = (error: unknown): Effect.Effect<void> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.sync(() => {
      if (!isBusy(error)) return
      HttpEffect.appendPreResponseHandlerUnsafe(context, (_, response) =>
        Effect.succeed(HttpServerResponse.setHeader(response, "retry-after", Refusal.retryAfter(error))),
      )
    }),
  )

export const layer = Layer.succeed(Refusing, (handler) =>
  handler.pipe(
    Effect.catch((error): Effect.Effect<never, unhandled | CommonRefused> => {
      if (!HttpApiSchemaError.is(error)) return Effect.andThen(sayWhen(error), Effect.fail(error))
      return error.kind === "Body" || error.kind === "ResponseHeaders"
        ? internal(Cause.fail(error))
        : refuse("malformed request", `${error.kind.toLowerCase()}: ${error.cause.message}`)
    }),
    Effect.catchCause((cause): Effect.Effect<never, unhandled | CommonRefused> =>
      Cause.hasDies(cause) ? internal(cause) : Effect.failCause(cause),
    ),
  ),
)

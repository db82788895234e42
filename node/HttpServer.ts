/**
 * HttpServer: a node's door to the network. The API of its messenger, its OpenAPI document with a page that shows it,
 * and what an operator looks at: `/health` and `/metrics`.
 *
 * It stops in order: streams end, new requests are refused `stopping`, those it has get `Limit.stopMsMax` to finish.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { MessengerApi } from "../messenger-unit/MessengerApi.ts"
import { MessengerUnit } from "../messenger-unit/MessengerUnit.ts"
import * as MessengerUnitServer from "../messenger-unit/MessengerUnitServer.ts"
import * as RequestBody from "../messenger-unit/RequestBody.ts"
import * as ResponseBody from "../messenger-unit/ResponseBody.ts"
import * as Limit from "../runtime/Limit.ts"
import { Peer } from "../runtime/Peer.ts"
import { Intake } from "../scheduler-unit/Intake.ts"
import * as Door from "./Door.ts"
import * as Meter from "./Meter.ts"
import * as Metrics from "./Metrics.ts"
import { version } from "./Version.ts"

export interface Options {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Only tests make these less. */
  readonly stopMsMax?: number
  readonly connectionsMax?: number
  readonly bodies?: RequestBody.RequestBodies
  readonly answers?: ResponseBody.ResponseBodies
}

/** The server can't listen; `detail` says what to change. */
export class HttpServerUnavailable extends Data.TaggedError("HttpServerUnavailable")<{
  readonly host: string
  readonly port: number
  readonly reason: "port taken" | "not allowed" | "no such address" | "io"
  readonly detail: string
}> {
  override get message(): string {
    return `can't listen on ${this.host}:${this.port}: ${this.detail}`
  }
}

const unavailable = ({ host, port }: Options, error: ServeError): HttpServerUnavailable => {
  const { cause } = error
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  const because = (reason: HttpServerUnavailable["reason"], detail: string) =>
    new HttpServerUnavailable({ host, port, reason, detail })
  switch (code) {
    case "EADDRINUSE":
      return because(
        "port taken",
        "the port is taken; stop what listens there, or choose another with --port or HEDDLE_PORT",
      )
    case "EACCES":
      return because(
        "not allowed",
        "this user may not use the port; choose one from 1024 on with --port or HEDDLE_PORT",
      )
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return because(
        "no such address",
        "this machine has no such address; choose another with --host or HEDDLE_HOST",
      )
    default:
      return because("io", cause instanceof Error ? cause.message : String(cause))
  }
}

const refusal = (status: number, reason: string, detail: string) =>
  HttpServerResponse.jsonUnsafe({ _tag: "Refused", reason, detail }, { status })

const json = (value: unknown) => HttpServerResponse.jsonUnsafe(value)

/** The page loads two megabytes of code, so it is made when somebody first looks at it. */
const docs = Effect.gen(function* () {
  const HttpApiSwagger = yield* Effect.promise(() => import("effect/http-api/HttpApiSwagger"))
  return yield* HttpRouter.toHttpEffect(HttpApiSwagger.layer(MessengerApi, { path: "/docs" }))
}).pipe(Effect.scoped)

const routes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const page = yield* Effect.cached(docs)
    yield* router.add("GET", "/docs", Effect.flatten(page))
    yield* router.add("GET", "/", HttpServerResponse.redirect("/docs"))
    yield* router.add(
      "GET",
      "/health",
      Effect.map(Metrics.health, (total) => json({ ok: true, version, ...total })),
    )
    yield* router.add(
      "GET",
      "/metrics",
      Effect.map(Metrics.text, (text) =>
        HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" }),
      ),
    )
    yield* router.add(
      "*",
      "/*",
      Effect.map(HttpServerRequest.HttpServerRequest, ({ method, url }) =>
        refusal(
          404,
          "unknown path",
          `there is no ${method} ${url.split("?", 1)[0]}; /docs shows what there is`,
        ),
      ),
    )
  }),
)

/** Refuses everything once the server is stopping; says whom a request is from, and logs what became of it. */
const entered = (door: Door.Door, isStopping: () => boolean) =>
  HttpRouter.middleware(
    (handler) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        if (isStopping())
          return HttpServerResponse.setHeader(
            refusal(503, "stopping", "the node is stopping; nothing was done, send it again once it is back"),
            "connection",
            "close",
          )
        const from = yield* Clock.currentTimeMillis
        const response = yield* Effect.provideService(handler, Peer, door.peer(request.source))
        yield* Effect.logDebug("request").pipe(
          Effect.annotateLogs({
            method: request.method,
            path: request.url.split("?", 1)[0],
            status: response.status,
            ms: (yield* Clock.currentTimeMillis) - from,
          }),
        )
        return response
      }),
    { global: true },
  )

const listening = (options: Options, door: Door.Door) =>
  NodeHttpServer.make(
    () => {
      const server = door.server({ keepAliveTimeout: 65_000, requestTimeout: 120_000 })
      server.maxConnections = options.connectionsMax ?? Limit.connectionsMax
      return server
    },
    { host: options.host, port: options.port, gracefulShutdownTimeout: options.stopMsMax ?? Limit.stopMsMax },
  ).pipe(Effect.mapError((error) => unavailable(options, error)))

/** Serves for as long as the layer lives. */
export const layer = (options: Options) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const door = Door.make(yield* Intake, yield* Effect.context())
      const stopped = Deferred.makeUnsafe<void>()
      const api = MessengerUnitServer.layer({
        bodies: options.bodies ?? RequestBody.make(),
        answers: options.answers ?? ResponseBody.make(),
        stopping: Deferred.await(stopped),
      }).pipe(Layer.provide(Layer.effect(MessengerUnit, MessengerUnit.useSync(Meter.messenger))))
      const server = Layer.mergeAll(
        Layer.effect(HttpServer.HttpServer, listening(options, door)),
        NodeHttpServer.layerHttpServices,
      )
      const app = Layer.mergeAll(
        api,
        routes,
        entered(door, () => Deferred.isDoneUnsafe(stopped)),
      )
      // Above the server, so that it comes first when all of it ends.
      return Layer.effectDiscard(Effect.addFinalizer(() => Deferred.succeed(stopped, undefined))).pipe(
        Layer.provideMerge(HttpRouter.serve(app, { disableLogger: true, disableListenLog: true })),
        Layer.provideMerge(server),
      )
    }),
  )

/** Where the server listens, as a URL that a program on this machine can use. */
export const url = HttpServer.HttpServer.useSync(({ address }) =>
  HttpServer.formatAddress(address).replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:"),
)

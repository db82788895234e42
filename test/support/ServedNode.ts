/** A small node behind its HTTP server on a free port, with a messenger that talks to it over real connections. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ComputeUnit } from "../../compute-unit/ComputeUnit.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Connection from "../../node/Connection.ts"
import * as HttpServer from "../../node/HttpServer.ts"
import { Store } from "../../runtime/Store.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import type { SmallNode } from "./SmallNode.ts"

/** Serves `node` for as long as the scope lives; gives the URL. */
export const serve = Effect.fnUntraced(function* (
  node: Omit<SmallNode, "adopter">,
  options: Partial<HttpServer.Options> = {},
) {
  const units = Context.make(MessengerUnit, node.messenger).pipe(
    Context.add(SchedulerUnit, node.scheduler),
    Context.add(ComputeUnit, node.compute),
    Context.add(Store, node.store),
  )
  const context = yield* Layer.build(
    HttpServer.layer({ host: "127.0.0.1", port: 0, ...options }).pipe(
      Layer.provide(Layer.succeedContext(units)),
    ),
  )
  return yield* Effect.provideContext(HttpServer.url, context)
})

/** The messenger at a URL. */
export const connect = (url: string) =>
  Effect.map(Layer.build(Connection.layer(url)), (context) => Context.get(context, MessengerUnit))

/** The server around the API: health, metrics, starting where it can't, and stopping in order. */
import net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import type * as HttpServer from "../../node/HttpServer.ts"
import * as Meter from "../../node/Meter.ts"
import { version } from "../../node/Version.ts"
import * as Id from "../../runtime/Id.ts"
import * as ArchiveProbe from "../support/ArchiveProbe.ts"
import * as Caller from "../support/Caller.ts"
import * as ServedNode from "../support/ServedNode.ts"
import * as SmallNode from "../support/SmallNode.ts"

const ada = Caller.caller("ada")
const pid = Id.fromBytes(new Uint8Array(32).fill(3))
const text = (url: string) => Effect.promise(async () => (await fetch(url)).text())

/** A connection on which requests can follow each other without waiting. */
const connect = (url: string) => {
  const { hostname, port } = new URL(url)
  const socket = net.connect(Number(port), hostname)
  let heard = ""
  socket.on("data", (chunk: Buffer) => void (heard += chunk.toString()))
  return {
    ask: (path: string) => void socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`),
    /** Everything that the server said until it closed the connection. */
    end: Effect.callback<string>((resume) => {
      const ended = () => resume(Effect.sync(() => heard))
      if (socket.closed) ended()
      else socket.once("close", ended)
    }),
  }
}

describe("HttpServer", () => {
  it.live("tells how the node stands", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const url = yield* ServedNode.serve(node)
      const process = yield* SmallNode.spawn(node, ada, "heddle.on('Get', () => 1)")
      yield* node.messenger.turn(process, 0)
      const health: unknown = JSON.parse(yield* text(`${url}/health`))
      assert.deepStrictEqual(health, { ok: true, version, processes: 1, slots: 1, computed: 1, parked: 0 })
    }),
  )

  it.live("says how far the archive is, as Prometheus reads it", () =>
    Effect.gen(function* () {
      const probe = ArchiveProbe.make(() => 2n ** 60n)
      const node = yield* SmallNode.make({}, undefined, { archive: probe.archive, pollMs: 10 })
      const url = yield* ServedNode.serve(node)
      const value = Effect.fnUntraced(function* (name: string) {
        const metrics = yield* text(`${url}/metrics`)
        return new RegExp(`^heddle_archive_${name} (.+)$`, "m").exec(metrics)?.[1]
      })
      const process = yield* SmallNode.spawn(node, ada, "heddle.on('Get', () => 1)")
      yield* node.messenger.turn(process, 0)
      const flushing = yield* Effect.forkChild(node.archive.flush)
      yield* SmallNode.until(
        "it is sent",
        Effect.map(node.archive.status, ({ waiting }) => waiting[0]?.state === "sent"),
      )
      const { bytes } = probe.made[0]!
      assert.strictEqual(yield* value("bundles_waiting"), "1")
      assert.strictEqual(yield* value("bytes_waiting"), String(bytes))
      assert.isAbove(Number(yield* value("behind_seconds")), 0)
      assert.strictEqual(yield* value("spent_winston"), String(2n ** 60n))
      assert.strictEqual(yield* value("bundles_confirmed"), "0")
      probe.mine()
      yield* Fiber.join(flushing)
      assert.strictEqual(yield* value("bundles_waiting"), "0")
      assert.strictEqual(yield* value("behind_seconds"), "0")
      assert.strictEqual(yield* value("bundles_confirmed"), "1")
      assert.strictEqual(yield* value("bytes_confirmed"), String(bytes))
    }),
  )

  it.live("counts what it does, as Prometheus reads it", () =>
    Effect.gen(function* () {
      const metered = yield* Layer.build(Meter.sandbox.pipe(Layer.provide(SandboxInline.layer)))
      const node = yield* SmallNode.make({ sandbox: Context.get(metered, Sandbox) })
      const url = yield* ServedNode.serve(node)
      const remote = yield* ServedNode.connect(url)
      const process = yield* SmallNode.spawn({ messenger: remote }, ada, "heddle.on('Get', () => 1)")
      assert.strictEqual(yield* SmallNode.ask({ messenger: remote }, ada, process, "Get"), 1)
      yield* Effect.flip(remote.send(new Uint8Array(3)))
      const metrics = yield* text(`${url}/metrics`)
      for (const line of metrics.split("\n"))
        assert.match(
          line,
          /^$|^# (HELP|TYPE) heddle_\w+ .+$|^heddle_\w+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+.e\dInf]+$/,
        )
      const value = (name: string) =>
        Number(new RegExp(`^${name.replace(/[{}"]/g, "\\$&")} (.+)$`, "m").exec(metrics)?.[1])
      assert.strictEqual(value("heddle_messages_accepted_total"), 2)
      assert.strictEqual(value('heddle_messages_refused_total{reason="unknown signature type"}'), 1)
      assert.strictEqual(value("heddle_messages_waiting"), 0)
      assert.strictEqual(value('heddle_message_seconds_count{call="send"}'), 3)
      assert.strictEqual(value('heddle_message_seconds_count{call="answer"}'), 1)
      assert.strictEqual(value("heddle_turns_total"), 2)
      assert.isAbove(value("heddle_fuel_total"), 10_000)
      assert.strictEqual(value("heddle_batches"), 2)
      assert.strictEqual(value("heddle_store_commits"), node.store.commits())
      assert.strictEqual(value("heddle_processes"), 1)
      assert.strictEqual(value("heddle_slots"), 2)
      assert.strictEqual(value("heddle_turns_waiting"), 0)
      assert.strictEqual(value("heddle_outbox_waiting"), 0)
      // Effect keeps its metrics per registry; this one is of this test alone.
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())),
  )

  it.live("says which option to change where it can't listen", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const url = yield* ServedNode.serve(node)
      const port = Number(new URL(url).port)
      const start = (options: Partial<HttpServer.Options>) =>
        Effect.flip(Effect.scoped(ServedNode.serve(node, options)))
      const taken = yield* start({ port })
      assert.deepInclude(taken, { _tag: "HttpServerUnavailable", reason: "port taken", port })
      assert.include(taken.message, "--port")
      const nowhere = yield* start({ host: "192.0.2.1" })
      assert.deepInclude(nowhere, { reason: "no such address", host: "192.0.2.1" })
      assert.include(nowhere.message, "--host")
    }),
  )

  it.live("stops in order: what it has is finished, what is new is refused, streams end", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, "heddle.on('Get', () => 1)")
      const [asked, go] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const slow = Deferred.succeed(asked, undefined).pipe(
        Effect.andThen(Deferred.await(go)),
        Effect.andThen(node.messenger.info),
      )
      const scope = yield* Scope.make()
      const messenger = { ...node.messenger, info: slow }
      const url = yield* Scope.provide(ServedNode.serve({ ...node, messenger }), scope)
      const stream = yield* Effect.promise(() => fetch(`${url}/v1/processes/${process}/follow`))
      const connection = connect(url)
      connection.ask("/v1/info")
      yield* Deferred.await(asked)
      const stopped = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      connection.ask("/v1/outbox")
      assert.include(yield* Effect.promise(() => stream.text()), "id: 0")
      yield* Deferred.succeed(go, undefined)
      const [, first = "", second = ""] = (yield* connection.end).split("HTTP/1.1 ")
      assert.match(first, /^200 /)
      assert.include(first, node.scheduler.address)
      assert.match(second, /^503 /)
      assert.include(second, '"reason":"stopping"')
      yield* Fiber.join(stopped)
      const refused = yield* Effect.promise(() =>
        fetch(`${url}/health`).then(
          () => "answered",
          () => "refused",
        ),
      )
      assert.strictEqual(refused, "refused")
    }),
  )

  it.live("cuts what does not end in the time that it has", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const asked = yield* Deferred.make<void>()
      const never = Effect.andThen(Deferred.succeed(asked, undefined), Effect.never)
      const scope = yield* Scope.make()
      const sent = { id: pid, process: pid, slot: 1, timestamp: 1, head: new Uint8Array(32), repeat: false }
      const messenger = { ...node.messenger, send: () => Effect.succeed(sent), answer: () => never }
      const url = yield* Scope.provide(ServedNode.serve({ ...node, messenger }, { stopMsMax: 50 }), scope)
      const remote = yield* ServedNode.connect(url)
      const asking = yield* Effect.forkChild(Effect.flip(remote.ask(new Uint8Array(1))), {
        startImmediately: true,
      })
      yield* Deferred.await(asked)
      yield* Scope.close(scope, Exit.void)
      // Whether it was done is not known: the caller sends the same item again.
      assert.deepInclude(yield* Fiber.join(asking), { _tag: "Unreachable" })
    }),
  )
})

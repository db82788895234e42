/** What a server turns away before it reads anything, by peer and by name. */
import http from "node:http"
import net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as References from "effect/References"
import type { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import { Overloaded, type Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import type { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import { Refused } from "../../runtime/Admission.ts"
import * as Id from "../../runtime/Id.ts"
import * as Intake from "../../scheduler-unit/Intake.ts"
import * as Caller from "../support/Caller.ts"
import * as ServedNode from "../support/ServedNode.ts"
import * as SmallNode from "../support/SmallNode.ts"

const ada = Caller.caller("ada")
const pid = Id.fromBytes(new Uint8Array(32).fill(3))

interface Answer {
  readonly status: number | undefined
  readonly retryAfter: string | undefined
  readonly json: { readonly [name: string]: unknown }
}

/** Posts from one of this machine's own addresses. */
const post = (url: string, body: Uint8Array | string, localAddress = "127.0.0.1") =>
  Effect.callback<Answer>((resume) => {
    const request = http.request(url, { method: "POST", localAddress, agent: false }, (response) => {
      let text = ""
      response
        .on("data", (chunk: Buffer) => void (text += chunk.toString()))
        .on("end", () =>
          resume(
            Effect.succeed({
              status: response.statusCode,
              retryAfter: response.headers["retry-after"],
              json: JSON.parse(text) as Answer["json"],
            }),
          ),
        )
    })
    request.end(body)
  })

/** A node behind its server, with an intake that both share. */
const served = Effect.fnUntraced(function* (
  intake: Intake.IntakeService,
  messenger: Partial<MessengerUnit["Service"]> = {},
  seams: Partial<SmallNode.Seams> = {},
) {
  const given = Effect.provideService(Intake.Intake, intake)
  const node = yield* SmallNode.make(seams).pipe(given)
  const url = yield* ServedNode.serve({ ...node, messenger: { ...node.messenger, ...messenger } }).pipe(given)
  return { url, messages: `${url}/v1/messages` }
})

const accepted = { id: pid, process: pid, slot: 1, timestamp: 1, head: new Uint8Array(32), repeat: false }

/** A messenger in whose hands messages stay until they are let go. */
const holding = Effect.gen(function* () {
  const go = yield* Deferred.make<void>()
  let held = 0
  const send = () =>
    Effect.suspend(() => {
      held++
      return Effect.as(Deferred.await(go), accepted)
    })
  const holds = (count: number) =>
    SmallNode.until(
      `${count} are held`,
      Effect.sync(() => held === count),
    )
  return { messenger: { send }, holds, go: Deferred.succeed(go, undefined) }
})

describe("the door", () => {
  it.live.skipIf(process.platform !== "linux")(
    "lets half of the places go to one peer, turns away the next unread, and lets another peer in",
    () =>
      Effect.gen(function* () {
        const { messenger, holds, go } = yield* holding
        const { messages } = yield* served(Intake.make(Intake.noRates, 4), messenger)
        const first = yield* Effect.forEach([1, 2], () => Effect.forkChild(post(messages, "item")))
        yield* holds(2)
        const refused = yield* post(messages, "item")
        assert.deepInclude(refused, { status: 429, retryAfter: "1" })
        assert.deepInclude(refused.json, { _tag: "Refused", reason: "overloaded" })
        assert.include(String(refused.json["detail"]), "2 messages of peers are in hand")
        const other = yield* Effect.forkChild(post(messages, "item", "127.0.0.2"))
        yield* holds(3)
        yield* go
        for (const fiber of [...first, other]) assert.strictEqual((yield* Fiber.join(fiber)).status, 200)
        assert.strictEqual((yield* post(messages, "item")).status, 200)
      }),
  )

  it.live("does not wait for the body of what it turns away", () =>
    Effect.gen(function* () {
      const { url } = yield* served(Intake.make(Intake.noRates, 1), {})
      const { hostname, port } = new URL(url)
      const head = (length: number) =>
        `POST /v1/messages HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: ${length}\r\n\r\n`
      const open = net.connect(Number(port), hostname)
      open.write(head(1_000))
      const heard = yield* SmallNode.until(
        "the first has its place",
        Effect.map(post(`${url}/v1/messages`, "x"), ({ status }) => status === 429),
      ).pipe(
        Effect.andThen(
          Effect.callback<string>((resume) => {
            const socket = net.connect(Number(port), hostname)
            socket.once("data", (chunk: Buffer) => {
              socket.destroy()
              resume(Effect.succeed(chunk.toString()))
            })
            socket.write(head(1_000))
          }),
        ),
      )
      assert.match(heard, /^HTTP\/1\.1 429 /)
      assert.include(heard, '"reason":"overloaded"')
      // Whoever goes away without having sent a message gives its place back.
      open.destroy()
      yield* SmallNode.until(
        "the place is free",
        Effect.map(post(`${url}/v1/messages`, "x"), ({ status }) => status === 400),
      )
    }),
  )

  it.live("has a rate for a peer, whatever it posts, and reading is free", () =>
    Effect.gen(function* () {
      const { url, messages } = yield* served(Intake.make({ ...Intake.noRates, peer: 1 }))
      const query = `${url}/v1/processes/${pid}/query`
      for (let i = 0; i < 5; i++) {
        assert.strictEqual((yield* post(messages, "item")).json["reason"], "unknown signature type")
        assert.strictEqual((yield* post(query, "{")).json["reason"], "malformed request")
      }
      for (const path of [messages, query, `${url}/v1/data`, `${url}/v1/modules`]) {
        const refused = yield* post(path, "item")
        assert.deepInclude(refused, { status: 429, retryAfter: "1" })
        assert.deepInclude(refused.json, { _tag: "Refused", reason: "over rate" })
        assert.isTrue(Number(refused.json["retryMs"]) > 0 && Number(refused.json["retryMs"]) <= 1_000)
        assert.include(String(refused.json["detail"]), "peer 127.0.0.1 may send 1 messages a second")
      }
      const remote = yield* ServedNode.connect(url)
      assert.strictEqual((yield* Effect.flip(remote.send(Bytes.empty)))._tag, "Refused")
      yield* remote.info
    }),
  )

  it.live("tells when to come back also where the scheduler refuses, in whole seconds and in ms", () =>
    Effect.gen(function* () {
      const refused = new Refused({ reason: "over rate", detail: "send it again in 2300 ms", retryMs: 2_300 })
      const { url, messages } = yield* served(Intake.make(Intake.noRates), {
        send: () => Effect.fail(refused),
        query: () => Effect.fail(new Refused({ reason: "overloaded", detail: "later" })),
      })
      const answer = yield* post(messages, "item")
      assert.deepInclude(answer, { status: 429, retryAfter: "3" })
      assert.deepInclude(answer.json, { reason: "over rate", retryMs: 2_300 })
      const remote = yield* ServedNode.connect(url)
      assert.deepInclude(yield* Effect.flip(remote.send(Bytes.empty)), {
        reason: "over rate",
        retryMs: 2_300,
      })
      const asked = yield* post(`${url}/v1/processes/${pid}/query`, '{"action":"Get"}')
      assert.deepInclude(asked, { status: 429, retryAfter: "1" })
      const question = { action: "Get", tags: [], data: Bytes.empty, from: "" as const }
      assert.deepInclude(yield* Effect.flip(remote.query(pid, question)), {
        _tag: "Refused",
        reason: "overloaded",
      })
    }),
  )

  it.live("keeps a message's place until its turn is over, though it was answered before", () =>
    Effect.gen(function* () {
      const intake = Intake.make(Intake.noRates, 2)
      const go = yield* Deferred.make<void>()
      const inner = SandboxInline.make()
      let held = false
      const sandbox: Sandbox["Service"] = {
        ...inner,
        run: (...args) => Effect.andThen(held ? Deferred.await(go) : Effect.void, inner.run(...args)),
      }
      const { url, messages } = yield* served(intake, {}, { sandbox })
      const remote = yield* ServedNode.connect(url)
      const free = SmallNode.until(
        "the place is free",
        Effect.map(post(messages, "x"), ({ status }) => status === 400),
      )
      const process = yield* SmallNode.spawn({ messenger: remote }, ada, "heddle.on('Get', () => 1)")
      yield* free
      held = true
      assert.strictEqual((yield* SmallNode.send({ messenger: remote }, ada, process, "Get")).slot, 1)
      assert.strictEqual((yield* post(messages, "x")).json["reason"], "overloaded")
      yield* Deferred.succeed(go, undefined)
      yield* free
    }),
  )

  it.live("gives a message's place back where its process is parked, or waits for something else", () =>
    Effect.gen(function* () {
      const inner = SandboxInline.make()
      const local = VerifierLocal.make()
      let broken: "sandbox" | "verifier" | undefined
      const sandbox: Sandbox["Service"] = {
        ...inner,
        run: (...args) => (broken === "sandbox" ? Effect.die("broken") : inner.run(...args)),
      }
      const checked = new Set<Id.Id>()
      const verifier: Verifier["Service"] = {
        ...local,
        // The scheduler asks first, then the unit that computes.
        verifyItem: (item) => {
          if (broken === "verifier" && checked.has(item.id))
            return Effect.fail(new Overloaded({ reason: "queue full", waitingMax: 1 }))
          checked.add(item.id)
          return local.verifyItem(item)
        },
      }
      const { url, messages } = yield* served(Intake.make(Intake.noRates, 2), {}, { sandbox, verifier })
      const remote = yield* ServedNode.connect(url)
      const free = SmallNode.until(
        "the place is free",
        Effect.map(post(messages, "x"), ({ status }) => status === 400),
      )
      for (const what of ["verifier", "sandbox"] as const) {
        broken = undefined
        const process = yield* SmallNode.spawn({ messenger: remote }, ada, "heddle.on('Get', () => 1)")
        yield* free
        broken = what
        for (let i = 0; i < 2; i++) {
          yield* SmallNode.send({ messenger: remote }, ada, process, "Get")
          yield* free
        }
      }
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
  )

  it.live("counts what it turns away with what is refused, by reason", () =>
    Effect.gen(function* () {
      const { url, messages } = yield* served(Intake.make({ ...Intake.noRates, peer: 1 }), {
        query: () => Effect.fail(new Refused({ reason: "overloaded", detail: "later" })),
      })
      yield* post(`${url}/v1/processes/${pid}/query`, '{"action":"Get"}')
      for (let i = 0; i < 12; i++) yield* post(messages, "item")
      yield* post(`${url}/v1/data`, "data")
      const metrics = yield* Effect.promise(async () => (await fetch(`${url}/metrics`)).text())
      assert.include(metrics, '\nheddle_messages_refused_total{reason="over rate"} 3\n')
      assert.include(metrics, '\nheddle_messages_refused_total{reason="unknown signature type"} 9\n')
      assert.include(metrics, '\nheddle_requests_refused_total{call="query",reason="overloaded"} 1\n')
      assert.include(metrics, '\nheddle_requests_refused_total{call="upload",reason="over rate"} 1\n')
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())),
  )
})

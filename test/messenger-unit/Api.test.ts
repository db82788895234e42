/** The HTTP API as a stranger with an HTTP client meets it: bytes, statuses, JSON. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as OpenApi from "effect/http-api/OpenApi"
import { ComputeUnknown, ModuleInvalid, type ViewProven } from "../../compute-unit/ComputeUnit.ts"
import { MessengerApi } from "../../messenger-unit/MessengerApi.ts"
import { type MessengerUnit, Unreachable } from "../../messenger-unit/MessengerUnit.ts"
import * as RequestBody from "../../messenger-unit/RequestBody.ts"
import * as ResponseBody from "../../messenger-unit/ResponseBody.ts"
import * as Wire from "../../messenger-unit/Wire.ts"
import type * as HttpServer from "../../node/HttpServer.ts"
import { type Reason, Refused } from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import { StoreFailed } from "../../runtime/Store.ts"
import { LogUnknown } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "../support/Caller.ts"
import * as ServedNode from "../support/ServedNode.ts"
import * as SmallNode from "../support/SmallNode.ts"

const pid = Id.fromBytes(new Uint8Array(32).fill(3))
const ada = Caller.caller("ada")

interface Answer {
  readonly status: number
  readonly type: string | null
  readonly json: { readonly [name: string]: unknown }
}

interface Door {
  readonly url: string
  readonly node: SmallNode.SmallNode
  readonly ask: (path: string, init?: RequestInit) => Effect.Effect<Answer>
}

/** Runs against a node, parts of whose messenger may be another's. */
const served = <A, E>(
  body: (door: Door) => Effect.Effect<A, E, Scope.Scope>,
  messenger: Partial<MessengerUnit["Service"]> = {},
  options: Partial<HttpServer.Options> = {},
) =>
  Effect.gen(function* () {
    const node = yield* SmallNode.make()
    const mixed = { ...node, messenger: { ...node.messenger, ...messenger } }
    const url = yield* ServedNode.serve(mixed, options)
    const ask: Door["ask"] = (path, init) =>
      Effect.promise(async () => {
        const response = await fetch(`${url}${path}`, init)
        return {
          status: response.status,
          type: response.headers.get("content-type"),
          json: (await response.json()) as Answer["json"],
        }
      })
    return yield* body({ url, node: mixed, ask })
  })

const post = (body: RequestInit["body"]): RequestInit => ({ method: "POST", body: body ?? null })

const refusedAs = (answer: Answer, status: number, reason: string): void => {
  assert.strictEqual(answer.status, status, JSON.stringify(answer.json))
  assert.include(answer.type, "application/json")
  assert.strictEqual(answer.json["_tag"], "Refused")
  assert.strictEqual(answer.json["reason"], reason)
  assert.isAbove(String(answer.json["detail"]).length, 0)
}

/** Every reason that admission has. The type says that none is forgotten. */
const statuses: Readonly<Record<Reason, number>> = {
  "malformed item": 400,
  "not a message": 400,
  "unknown signature type": 400,
  "bad spawn": 400,
  "bad signature": 401,
  "bad assigned item": 401,
  "no proof": 403,
  "bad proof": 403,
  "not attested": 403,
  "not assignable": 403,
  "bad reference": 400,
  "bad drop": 400,
  "bad authority": 400,
  "bad move": 400,
  "data unavailable": 424,
  "unknown process": 404,
  "unknown module": 404,
  repeat: 409,
  "anchor reused": 409,
  "pair out of order": 409,
  "source forked": 409,
  "timer early": 409,
  "cron out of order": 409,
  "too large": 413,
  "other scheduler": 421,
  "not restored": 421,
  "other process": 421,
  overloaded: 429,
  "over rate": 429,
  "not anchored": 503,
  "store failed": 503,
  stopping: 503,
}

describe("refusals over HTTP", () => {
  it.live.each(Object.entries(statuses) as ReadonlyArray<[Reason, number]>)(
    "a message refused as %s has status %i, and comes back as that error",
    ([reason, status]) => {
      const error = new Refused({ reason, detail: "what to do" })
      return served(
        ({ ask, url }) =>
          Effect.gen(function* () {
            for (const wait of ["", "?wait=slot", "?wait=receipt", "?wait=answer"])
              refusedAs(yield* ask(`/v1/messages${wait}`, post("item")), status, reason)
            const remote = yield* ServedNode.connect(url)
            assert.deepInclude(yield* Effect.flip(remote.send(Bytes.empty)), {
              _tag: "Refused",
              reason,
              detail: "what to do",
            })
            assert.deepInclude(yield* Effect.flip(remote.ask(Bytes.empty)), {
              _tag: "Refused",
              reason,
              detail: "what to do",
            })
          }),
        { send: () => Effect.fail(error) },
      )
    },
  )

  it.live("guest code that does not load is 422, with its place", () =>
    served(
      ({ ask }) =>
        Effect.gen(function* () {
          const answer = yield* ask("/v1/modules", post("x = ("))
          refusedAs(answer, 422, "module invalid")
          assert.deepInclude(answer.json, { detail: "unexpected end", file: "a.js", line: 3, column: 4 })
        }),
      {
        addModule: () =>
          Effect.fail(new ModuleInvalid({ detail: "unexpected end", file: "a.js", line: 3, column: 4 })),
      },
    ),
  )

  it.live("a store that is full is 503", () =>
    served(
      ({ ask }) =>
        Effect.map(ask("/v1/modules", post("x")), (answer) => refusedAs(answer, 503, "store failed")),
      { addModule: () => Effect.fail(new StoreFailed({ reason: "full", detail: "free some space" })) },
    ),
  )

  it.live("what is not there is 404, by name", () =>
    served(({ ask, node }) =>
      Effect.gen(function* () {
        for (const path of ["", "/log", "/follow", "/receipts/0", "/answers/0", "/turns/0", "/turns/0?wait"])
          refusedAs(yield* ask(`/v1/processes/${pid}${path}`), 404, "unknown process")
        refusedAs(yield* ask(`/v1/processes/${pid}/query`, post('{"action":"Get"}')), 404, "unknown process")
        refusedAs(yield* ask(`/v1/processes/${pid}/view?name=count`), 404, "unknown view")
        refusedAs(yield* ask(`/v1/processes/${pid}/attestations/0`), 404, "not attested")
        refusedAs(yield* ask(`/v1/processes/${pid}/equivocation`), 404, "no equivocation")
        refusedAs(yield* ask(`/v1/processes/${pid}/view/proof?name=count`), 404, "unknown process")
        refusedAs(yield* ask(`/v1/processes/${pid}/snapshots/0`), 404, "unknown snapshot")
        refusedAs(yield* ask(`/v1/data/${pid}`), 404, "unknown data")
        refusedAs(yield* ask(`/v1/processes/${pid}/anchor`), 404, "not anchored")
        refusedAs(yield* ask(`/v1/processes/${pid}/archive-cost`), 404, "unknown process")
        refusedAs(yield* ask(`/v1/modules/${pid}`), 404, "unknown module")
        refusedAs(yield* ask(`/v1/engines/${pid}`), 404, "unknown engine")
        refusedAs(yield* ask(`/v1/inbox/${pid}`), 404, "unknown inbox")
        const entry = JSON.stringify({ entry: { source: pid, slot: 3, index: 1 } })
        const unknown = yield* ask("/v1/outbox/retry", post(entry))
        refusedAs(unknown, 404, "unknown entry")
        assert.deepInclude(unknown.json, { source: pid, slot: 3, index: 1 })
        const process = yield* SmallNode.spawn(node, ada, "heddle.on('Get', () => 1)")
        refusedAs(yield* ask(`/v1/processes/${process}/receipts/7`), 404, "unknown slot")
        refusedAs(yield* ask(`/v1/processes/${process}/turns/7`), 404, "unknown slot")
        refusedAs(yield* ask("/v1/nothing"), 404, "unknown path")
        refusedAs(yield* ask("/v1/messages"), 404, "unknown path")
        refusedAs(yield* ask("/v2/messages", post("x")), 404, "unknown path")
      }),
    ),
  )

  it.live("a slot that is assigned and not computed is 404 unless it is waited for", () =>
    served(
      ({ ask, node }) =>
        Effect.gen(function* () {
          const process = yield* SmallNode.spawn(node, ada, "heddle.on('Get', () => 1)")
          refusedAs(yield* ask(`/v1/processes/${process}/turns/0`), 404, "not computed")
          const waited = yield* ask(`/v1/processes/${process}/turns/0?wait=true`)
          assert.strictEqual(waited.status, 200)
        }),
      { turns: () => Effect.succeed([]) },
    ),
  )

  it.live("ids in another spelling, slots and limits out of range are 400", () =>
    served(({ ask }) =>
      Effect.gen(function* () {
        const lenient = `${pid.slice(0, 42)}N` // the same bytes to a lenient reader
        assert.deepStrictEqual(Buffer.from(lenient, "base64url"), Buffer.from(pid, "base64url"))
        for (const path of [
          "/v1/processes/abc",
          `/v1/processes/${lenient}`,
          `/v1/processes/${pid}/receipts/-1`,
          `/v1/processes/${pid}/receipts/1.5`,
          `/v1/processes/${pid}/log?limit=0`,
          `/v1/processes/${pid}/log?limit=${Limit.logPageMax + 1}`,
          `/v1/processes/${pid}/log?from=x`,
          `/v1/processes/${pid}/turns/0?wait=maybe`,
          `/v1/processes/${pid}/view`,
          `/v1/processes/${pid}/view/proof`,
          `/v1/processes/${pid}/snapshots/x`,
          `/v1/engines/abc`,
        ])
          refusedAs(yield* ask(path), 400, "malformed request")
        refusedAs(yield* ask("/v1/messages?wait=never", post("x")), 400, "malformed request")
        for (const body of ["", "{", "[]", '{"action":1}', '{"action":"Get","data":"%%"}'])
          refusedAs(yield* ask(`/v1/processes/${pid}/query`, post(body)), 400, "malformed request")
      }),
    ),
  )

  it.live("a messenger that can't reach the one behind it is 502", () =>
    served(({ ask }) => Effect.map(ask("/v1/info"), (answer) => refusedAs(answer, 502, "unreachable")), {
      info: Effect.fail(new Unreachable({ url: "http://elsewhere", detail: "it is gone" })),
    }),
  )

  it.live("a mistake of the node is 500 and tells nothing of its inside", () =>
    served(
      ({ ask }) =>
        Effect.gen(function* () {
          const answer = yield* ask("/v1/info")
          refusedAs(answer, 500, "internal error")
          assert.notInclude(JSON.stringify(answer.json), "secret")
        }),
      { info: Effect.die(new Error("secret")) },
    ).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
  )

  it.live("each error of a read comes back as itself", () =>
    served(
      ({ url }) =>
        Effect.gen(function* () {
          const remote = yield* ServedNode.connect(url)
          assert.deepInclude(yield* Effect.flip(remote.log(pid, 0, 1)), {
            _tag: "LogUnknown",
            process: pid,
            slot: 9,
          })
          const query = { action: "Get", tags: [], data: Bytes.empty, from: "" }
          assert.deepInclude(yield* Effect.flip(remote.query(pid, query)), {
            _tag: "ComputeUnknown",
            process: pid,
          })
        }),
      {
        log: (process) => Effect.fail(new LogUnknown({ process, slot: 9 })),
        query: (process) => Effect.fail(new ComputeUnknown({ process })),
      },
    ),
  )
})

describe("uploads", () => {
  const tooLarge = (bytes: number) => new Uint8Array(bytes)
  /** A body without an announced length. */
  const chunked = (bytes: number): RequestInit => ({
    method: "POST",
    duplex: "half",
    body: new ReadableStream({
      start: (controller) => {
        for (let left = bytes; left > 0; left -= 65_536)
          controller.enqueue(new Uint8Array(Math.min(left, 65_536)))
        controller.close()
      },
    }),
  })

  it.live("a body over the limit is 413 before it is read, and where its length was not announced", () =>
    served(({ ask }) =>
      Effect.gen(function* () {
        refusedAs(yield* ask("/v1/messages", post(tooLarge(Limit.itemBytesMax + 1))), 413, "too large")
        refusedAs(yield* ask("/v1/messages", post(tooLarge(Limit.itemBytesMax + 2_000))), 413, "too large")
        refusedAs(yield* ask("/v1/modules", post(tooLarge(Limit.moduleBytesMax + 2_000))), 413, "too large")
        refusedAs(yield* ask("/v1/modules", chunked(Limit.moduleBytesMax + 100_000)), 413, "too large")
        refusedAs(yield* ask("/v1/data", post(tooLarge(Limit.referencedBytesMax + 2_000))), 413, "too large")
        refusedAs(yield* ask("/v1/data", chunked(Limit.referencedBytesMax + 100_000)), 413, "too large")
        refusedAs(yield* ask("/v1/data", post("")), 400, "bad reference")
        const small = Limit.smallRequestBytesMax
        for (const path of ["/v1/inbox", "/v1/outbox/retry"]) {
          refusedAs(yield* ask(path, post(tooLarge(small + 2_000))), 413, "too large")
          refusedAs(yield* ask(path, post("x".repeat(small))), 400, "malformed request")
        }
        const key = JSON.stringify({ signatureType: 4, owner: "AA" })
        refusedAs(yield* ask("/v1/inbox", post(key)), 422, "not a key")
        refusedAs(
          yield* ask(`/v1/processes/${pid}/query`, post(tooLarge(Limit.itemBytesMax + 2_000))),
          413,
          "too large",
        )
      }),
    ),
  )

  it.live("bodies together over their bound are refused overloaded, and room comes back", () => {
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const accepted = { id: pid, process: pid, slot: 1, timestamp: 1, head: new Uint8Array(32), repeat: false }
    return served(
      ({ ask }) =>
        Effect.gen(function* () {
          const first = ask("/v1/messages", post(new Uint8Array(60_000)))
          const [waited] = yield* Effect.all(
            [
              first,
              Effect.gen(function* () {
                // The first is held by the messenger, so its bytes are.
                let second = yield* ask("/v1/messages", post(new Uint8Array(60_000)))
                while (second.status === 200)
                  second = yield* ask("/v1/messages", post(new Uint8Array(60_000)))
                refusedAs(second, 429, "overloaded")
                release()
              }),
            ],
            { concurrency: "unbounded" },
          )
          assert.strictEqual(waited.status, 200)
          assert.strictEqual((yield* ask("/v1/messages", post(new Uint8Array(60_000)))).status, 200)
        }),
      {
        send: () =>
          Effect.as(
            Effect.promise(() => held),
            accepted,
          ),
      },
      { bodies: RequestBody.make(100_000) },
    )
  })
})

describe("messages that wait for their answer", () => {
  it.live("hold none of the room for uploads", () => {
    const sent = { id: pid, process: pid, slot: 1, timestamp: 1, head: new Uint8Array(32), repeat: false }
    let waiting = 0
    return served(
      ({ ask }) =>
        Effect.gen(function* () {
          const large = () => post(new Uint8Array(60_000))
          for (let i = 0; i < 5; i++) {
            yield* Effect.forkChild(ask("/v1/messages?wait=answer", large()))
            yield* SmallNode.until(
              "it waits",
              Effect.map(Effect.sleep(1), () => waiting === i + 1),
            )
          }
          assert.strictEqual((yield* ask("/v1/messages", large())).status, 200)
        }),
      {
        send: () => Effect.succeed(sent),
        answer: () =>
          Effect.andThen(
            Effect.sync(() => void waiting++),
            Effect.never,
          ),
      },
      { bodies: RequestBody.make(100_000), stopMsMax: 10 },
    )
  })
})

describe("answers over HTTP", () => {
  it.live("a message says what became of it, as far as the sender waits", () =>
    served(({ ask, node }) =>
      Effect.gen(function* () {
        const process = yield* SmallNode.spawn(node, ada, "let n = 0; heddle.on('Add', () => ++n)")
        const send = (wait: string) =>
          Effect.flatMap(
            Effect.promise(() => ada.message(process, "Add")),
            ({ bytes }) => ask(`/v1/messages${wait}`, post(Bytes.copy(bytes) as Uint8Array<ArrayBuffer>)),
          )
        const names = ["id", "process", "slot", "timestamp", "head", "repeat"]
        assert.hasAllKeys((yield* send("")).json, names)
        assert.hasAllKeys((yield* send("?wait=slot")).json, names)
        const signed = yield* send("?wait=receipt")
        assert.hasAllKeys(signed.json, [...names, "receipt"])
        Schema.decodeUnknownSync(Schema.toCodecJson(Wire.Receipt))(signed.json["receipt"])
        const answered = yield* send("?wait=answer")
        assert.hasAllKeys(answered.json, [...names, "answer"])
        assert.deepInclude(answered.json["answer"], { result: { value: "4" } })
        assert.match(String((answered.json["answer"] as { fuelUsed: unknown }).fuelUsed), /^[1-9]\d*$/)
      }),
    ),
  )

  it.live("modules travel as the bytes that they are", () =>
    served(({ ask, url }) =>
      Effect.gen(function* () {
        const source = "heddle.on('Get', () => 'ü')"
        const { json } = yield* ask("/v1/modules", post(source))
        const response = yield* Effect.promise(() => fetch(`${url}/v1/modules/${String(json["module"])}`))
        assert.strictEqual(response.headers.get("content-type"), "application/octet-stream")
        assert.strictEqual(yield* Effect.promise(() => response.text()), source)
      }),
    ),
  )

  it.live("a snapshot travels as the bytes that it is, however large", () => {
    const snapshot = new Uint8Array(20 * 1024 * 1024 + 1).map((_, i) => (i * 7) >> 8)
    return served(
      ({ url }) =>
        Effect.gen(function* () {
          const response = yield* Effect.promise(() => fetch(`${url}/v1/processes/${pid}/snapshots/7`))
          assert.strictEqual(response.headers.get("content-type"), "application/octet-stream")
          assert.strictEqual(response.headers.get("content-length"), String(snapshot.length))
          yield* Effect.promise(() => response.body!.cancel())
          const remote = yield* ServedNode.connect(url)
          const read = yield* remote.snapshot(pid, 7)
          assert.isTrue(Bytes.equal(read!, snapshot))
          assert.strictEqual((yield* remote.snapshot(pid, 8))?.length, 0, "an empty one is one too")
          assert.isUndefined(yield* remote.snapshot(pid, 9))
        }),
      {
        snapshot: (_, slot) => Effect.succeed(slot === 7 ? snapshot : slot === 8 ? Bytes.empty : undefined),
      },
    )
  })

  it.live("snapshots that nobody takes are refused overloaded over their bound, and room comes back", () => {
    const snapshot = new Uint8Array(32 * 1024 * 1024)
    return served(
      ({ ask, url }) =>
        Effect.gen(function* () {
          const path = `/v1/processes/${pid}/snapshots/0`
          const reading = new AbortController()
          const slow = yield* Effect.promise(() => fetch(`${url}${path}`, { signal: reading.signal }))
          assert.strictEqual(slow.status, 200)
          refusedAs(yield* ask(path), 429, "overloaded")
          assert.deepInclude(yield* Effect.flip((yield* ServedNode.connect(url)).snapshot(pid, 0)), {
            _tag: "Unreachable",
          })
          reading.abort()
          const again = Effect.promise(async () => (await fetch(`${url}${path}`)).status === 200)
          yield* SmallNode.until("there is room again", Effect.andThen(Effect.sleep(1), again))
        }),
      { snapshot: () => Effect.succeed(snapshot) },
      { answers: ResponseBody.make(snapshot.length), stopMsMax: 10 },
    )
  })

  it.live("a proof whose parts have not their shape does not come in", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, "heddle.on('Spawn', () => heddle.publish('a', 1))")
      yield* node.compute.turn(process, 0)
      const proof = yield* node.messenger.viewProof(process, "a")
      const codec = Schema.toCodecJson(Wire.ViewProven)
      const [decode, encode] = [Schema.decodeUnknownSync(codec), Schema.encodeSync(codec)]
      assert.deepStrictEqual(decode(encode(proof)), proof)
      const { opening, attestation: signed } = proof
      const [leaf] = opening.leaves
      const short = new Uint8Array(31)
      const wrong: ReadonlyArray<ViewProven> = [
        { ...proof, opening: { ...opening, engine: short } },
        { ...proof, opening: { ...opening, viewsRoot: short } },
        { ...proof, opening: { ...opening, metadata: { ...opening.metadata, spawn: short } } },
        { ...proof, opening: { ...opening, memory: { ...opening.memory!, wasmPages: 2 ** 32 } } },
        { ...proof, opening: { ...opening, leaves: [leaf!, leaf!, leaf!] } },
        { ...proof, opening: { ...opening, leaves: [{ ...leaf!, index: 65_536 }] } },
        { ...proof, opening: { ...opening, leaves: [{ ...leaf!, path: leaf!.path.slice(1) }] } },
        { ...proof, attestation: { ...signed, path: [...signed.path, short] } },
        ...[-2, Number.MAX_SAFE_INTEGER].map((slot) => {
          const from = { ...signed.attestation.from, slot }
          return { ...proof, attestation: { ...signed, attestation: { ...signed.attestation, from } } }
        }),
        { ...proof, assignment: { ...proof.assignment, timestamp: -1 } },
      ]
      for (const one of wrong) {
        // A server of ours can't even say it; one that does is not heard.
        assert.throws(() => encode(one))
        const said = Effect.scoped(
          Effect.gen(function* () {
            const messenger = { ...node.messenger, viewProof: () => Effect.succeed(one) }
            const remote = yield* ServedNode.connect(yield* ServedNode.serve({ ...node, messenger }))
            return yield* remote.viewProof(process, "a")
          }),
        )
        assert.strictEqual((yield* Effect.flip(said))._tag, "Unreachable")
      }
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
  )

  it.live("a page of large entries has fewer than were asked for; only an empty one is the end", () =>
    served(({ ask, node, url }) =>
      Effect.gen(function* () {
        const process = yield* SmallNode.spawn(node, ada, "heddle.on('Get', () => 1)")
        const large = new Uint8Array(6 * 1024 * 1024)
        for (let i = 0; i < 4; i++) yield* SmallNode.send(node, ada, process, "Get", {}, large)
        const { json } = yield* ask(`/v1/processes/${process}/log?limit=100`)
        const slots = (json as unknown as ReadonlyArray<unknown>).length
        assert.isAbove(slots, 1)
        assert.isBelow(slots, 5)
        const remote = yield* ServedNode.connect(url)
        assert.strictEqual((yield* remote.log(process, 0, 100)).length, 5)
        assert.strictEqual((yield* remote.log(process, 1, 3)).length, 3)
      }),
    ),
  )
})

describe("the OpenAPI document", () => {
  interface Operation {
    readonly operationId: string
    readonly summary?: string
    readonly description?: string
    readonly parameters: ReadonlyArray<{
      readonly name: string
      readonly in: string
      readonly required: boolean
    }>
    readonly responses: Readonly<Record<string, { readonly description: string }>>
  }
  interface Document {
    readonly openapi: string
    readonly info: { readonly title: string; readonly version: string }
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  }

  it.live("is served, and says everything about each operation", () =>
    served(({ ask }) =>
      Effect.gen(function* () {
        const { status, json } = yield* ask("/openapi.json")
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(json, JSON.parse(JSON.stringify(OpenApi.fromApi(MessengerApi))))
        const document = json as unknown as Document
        assert.match(document.openapi, /^3\.1\./)
        const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
          Object.values(methods).map((operation) => ({ path, ...operation })),
        )
        assert.strictEqual(operations.length, 31)
        assert.strictEqual(new Set(operations.map(({ operationId }) => operationId)).size, operations.length)
        for (const { path, summary, description, parameters, responses } of operations) {
          assert.match(path, /^\/v1\//)
          assert.isNotEmpty(summary)
          assert.isNotEmpty(description)
          const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
          const declared = parameters.filter((parameter) => parameter.in === "path")
          assert.sameMembers(
            declared.map(({ name }) => name),
            inPath,
          )
          assert.isTrue(declared.every(({ required }) => required))
          for (const status of ["200", "400", "500", "503"]) assert.property(responses, status, path)
        }
      }),
    ),
  )

  it("refers to nothing that it does not hold", () => {
    const document: unknown = JSON.parse(JSON.stringify(OpenApi.fromApi(MessengerApi)))
    const at = (pointer: string): unknown =>
      pointer
        .slice("#/".length)
        .split("/")
        .reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], document)
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
      ([, pointer]) => pointer!,
    )
    assert.isAbove(references.length, 10)
    for (const pointer of references) assert.isDefined(at(pointer), pointer)
  })

  it.live("is shown on a page that loads nothing from elsewhere", () =>
    served(({ url }) =>
      Effect.gen(function* () {
        const response = yield* Effect.promise(() => fetch(`${url}/docs`))
        const page = yield* Effect.promise(() => response.text())
        assert.strictEqual(response.status, 200)
        assert.include(response.headers.get("content-type"), "text/html")
        assert.include(page, "/v1/messages")
        // Tags of the page itself; its script has the text of such tags in strings.
        const tags =
          page.replace(/<script[\s\S]*?<\/script>/g, "").match(/<(script|link|img|iframe)\b[^>]*>/g) ?? []
        assert.deepStrictEqual(
          tags.filter((tag) => /(src|href)\s*=/.test(tag)),
          [],
        )
        assert.notMatch(page, /<script[^>]*\bsrc=/)
        assert.notMatch(page, /@import|url\(\s*["']?https?:/)
        const root = yield* Effect.promise(() => fetch(url, { redirect: "manual" }))
        assert.strictEqual(root.headers.get("location"), "/docs")
      }),
    ),
  )
})

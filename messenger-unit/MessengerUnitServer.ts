/**
 * MessengerUnitServer: a messenger over HTTP. Each handler turns a request into a call of the seam and its answer, or
 * its error, into what `MessengerApi` says; nothing is decided here but the size of a page.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Sse from "effect/encoding/Sse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { Turn } from "../compute-unit/ComputeUnit.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import { MessengerApi, TurnEvent } from "./MessengerApi.ts"
import { EntryUnknown, MessengerUnit } from "./MessengerUnit.ts"
import * as Refusal from "./Refusal.ts"
import * as RefusingServer from "./RefusingServer.ts"
import { refuse } from "./RefusingServer.ts"
import type * as RequestBody from "./RequestBody.ts"
import type * as ResponseBody from "./ResponseBody.ts"
import * as Wire from "./Wire.ts"
import * as WireMail from "./WireMail.ts"

export interface Options {
  readonly bodies: RequestBody.RequestBodies
  readonly answers: ResponseBody.ResponseBodies
  /** Ends when the server stops: streams that follow a process end then, for their readers to go on elsewhere. */
  readonly stopping: Effect.Effect<void>
}

const pageDefault = 100

/** What there is, or a refusal. */
const orRefuse =
  <const Reason extends string>(reason: Reason, detail: string) =>
  <A>(found: A | undefined) =>
    found === undefined ? refuse(reason, detail) : Effect.succeed(found)

const messages = ({ bodies }: Options) =>
  HttpApiBuilder.group(MessengerApi, "messages", (handlers) =>
    handlers.handleRaw("send", ({ request, query }) =>
      Effect.gen(function* () {
        const messenger = yield* MessengerUnit
        // The item is let go of once it has its slot: its answer may be long in coming.
        const accepted = yield* Effect.scoped(
          Effect.flatMap(bodies.read(request, Limit.itemBytesMax), (item) =>
            Effect.mapError(messenger.send(item), Refusal.of),
          ),
        )
        const { process, slot } = accepted
        if (query.wait === "receipt")
          return { ...accepted, receipt: yield* Effect.orDie(messenger.receipt(process, slot)) }
        if (query.wait === "answer")
          return { ...accepted, answer: yield* Effect.orDie(messenger.answer(process, slot)) }
        return accepted
      }),
    ),
  )

const modules = ({ bodies }: Options) =>
  HttpApiBuilder.group(MessengerApi, "modules", (handlers) =>
    handlers
      .handleRaw("add", ({ request }) =>
        Effect.gen(function* () {
          const messenger = yield* MessengerUnit
          const source = yield* bodies.read(request, Limit.moduleBytesMax)
          return { module: yield* Effect.mapError(messenger.addModule(source), Refusal.ofAsking) }
        }),
      )
      .handle("get", ({ params }) =>
        MessengerUnit.use((messenger) => messenger.module(params.id)).pipe(
          Effect.mapError(Refusal.of),
          Effect.flatMap(orRefuse("unknown module", `${params.id} is not stored here`)),
        ),
      ),
  )

const data = ({ bodies, answers }: Options) =>
  HttpApiBuilder.group(MessengerApi, "data", (handlers) =>
    handlers
      .handleRaw("add", ({ request }) =>
        Effect.gen(function* () {
          const messenger = yield* MessengerUnit
          const bytes = yield* bodies.read(request, Limit.referencedBytesMax)
          return { hash: yield* Effect.mapError(messenger.addData(bytes), Refusal.ofUpload) }
        }),
      )
      .handle("get", ({ params: { hash } }) =>
        MessengerUnit.use((messenger) =>
          answers.answer(
            messenger
              .data(hash)
              .pipe(
                Effect.mapError(Refusal.of),
                Effect.flatMap(orRefuse("unknown data", `no bytes of hash ${hash} are kept here`)),
              ),
            (detail) => refuse("overloaded", detail),
          ),
        ),
      ),
  )

/** Entries read from a store at once, so that a page of large ones is not all in memory before it is cut. */
const entriesPerRead = 16

/** At most `limit` entries from `from` on, fewer where they weigh more than a page; one at least if there is one. */
const page = Effect.fnUntraced(function* <A, E>(
  read: (from: number, limit: number) => Effect.Effect<ReadonlyArray<A>, E>,
  weigh: (entry: A) => number,
  { from = 0, limit = pageDefault }: { readonly from?: number; readonly limit?: number },
) {
  const entries: Array<A> = []
  for (let bytes = 0; entries.length < limit && bytes < Limit.pageBytesMax;) {
    const more = yield* read(from + entries.length, Math.min(entriesPerRead, limit - entries.length))
    for (const entry of more) {
      bytes += weigh(entry)
      if (bytes < Limit.pageBytesMax || entries.length === 0) entries.push(entry)
    }
    if (more.length === 0) break
  }
  return entries
})

const entryBytes = ({ item, proof }: Pick<LogEntry, "item" | "proof">): number => item.length + proof.length
const turnBytes = ({ outcome }: Turn): number =>
  outcome.outbox.reduce((bytes, entry) => bytes + entry.item.length, 0) +
  outcome.replies.reduce((bytes, reply) => bytes + ("value" in reply ? reply.value : reply.error).length, 0)

const encodeEvent = Schema.encodeSync(TurnEvent)

/** Turns as server-sent events, with a sign of life where there are none for a while. */
const events = <E>(turns: Stream.Stream<Turn, E>) =>
  Stream.map(turns, (turn) =>
    Sse.encoder.write({
      _tag: "Event",
      ...encodeEvent({ id: String(turn.outcome.slot), event: "turn", data: turn }),
    }),
  ).pipe(
    Stream.merge(Stream.as(Stream.tick(Limit.followSilenceMsMax), ": alive\n\n"), { haltStrategy: "left" }),
    Stream.map(Bytes.fromText),
  )

/** Reads a body that is JSON. */
const reader = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeEffect(Schema.fromJsonString(Schema.toCodecJson(schema)))
  return (body: Uint8Array) =>
    decode(Bytes.toText(body) ?? "").pipe(
      Effect.catch(({ message }) => refuse("malformed request", `body: ${message}`)),
    )
}
const readQuery = reader(Wire.Query)
const readRetry = reader(WireMail.Retry)
const readKey = reader(WireMail.PersonKey)

const processes = ({ bodies, answers, stopping }: Options) =>
  HttpApiBuilder.group(MessengerApi, "processes", (handlers) =>
    handlers
      .handle("list", () => MessengerUnit.use(({ processes }) => Effect.mapError(processes, Refusal.of)))
      .handle("get", ({ params }) =>
        MessengerUnit.use((messenger) => Effect.mapError(messenger.process(params.process), Refusal.of)),
      )
      .handle("log", ({ params, query }) =>
        MessengerUnit.use((messenger) =>
          page((from, limit) => messenger.log(params.process, from, limit), entryBytes, query),
        ).pipe(Effect.mapError(Refusal.of)),
      )
      .handle("turns", ({ params, query }) =>
        MessengerUnit.use((messenger) =>
          page((from, limit) => messenger.turns(params.process, from, limit), turnBytes, query),
        ).pipe(Effect.mapError(Refusal.of)),
      )
      .handle("turn", ({ params: { process, slot }, query }) =>
        MessengerUnit.use(
          Effect.fnUntraced(function* (messenger) {
            if (query.wait === "" || query.wait === "true")
              return yield* Effect.mapError(messenger.turn(process, slot), Refusal.of)
            const [turn] = yield* Effect.mapError(messenger.turns(process, slot, 1), Refusal.of)
            if (turn !== undefined) return turn
            const { slots } = yield* Effect.mapError(messenger.process(process), Refusal.of)
            const unknown = `process ${process} has no slot ${slot} here`
            return slot < slots
              ? yield* refuse(
                  "not computed",
                  `slot ${slot} is not computed yet; ask with ?wait to get it once it is`,
                )
              : yield* Effect.fail({
                  _tag: "Refused",
                  reason: "unknown slot",
                  detail: unknown,
                  process,
                  slot,
                } as const)
          }),
        ),
      )
      .handle("answer", ({ params }) =>
        MessengerUnit.use((messenger) => messenger.answer(params.process, params.slot)).pipe(
          Effect.mapError(Refusal.of),
        ),
      )
      .handle("receipt", ({ params }) =>
        MessengerUnit.use((messenger) => messenger.receipt(params.process, params.slot)).pipe(
          Effect.mapError(Refusal.of),
        ),
      )
      .handle("attestation", ({ params: { process, slot } }) =>
        MessengerUnit.use((messenger) => messenger.attestation(process, slot)).pipe(
          Effect.mapError(Refusal.of),
          Effect.flatMap(orRefuse("not attested", `no attestation reaches slot ${slot} of ${process} here`)),
        ),
      )
      .handle("equivocation", ({ params: { process } }) =>
        MessengerUnit.use((messenger) => messenger.equivocation(process)).pipe(
          Effect.mapError(Refusal.of),
          Effect.flatMap(
            orRefuse("no equivocation", `nothing shows here that the scheduler of ${process} equivocated`),
          ),
        ),
      )
      .handle("view", ({ params: { process }, query: { name } }) =>
        MessengerUnit.use((messenger) => messenger.view(process, name)).pipe(
          Effect.mapError(Refusal.of),
          Effect.flatMap(
            orRefuse("unknown view", `process ${process} publishes nothing under "${name}" here`),
          ),
        ),
      )
      .handle("viewProof", ({ params, query }) =>
        MessengerUnit.use((messenger) =>
          Effect.mapError(messenger.viewProof(params.process, query.name), Refusal.ofAsking),
        ),
      )
      .handle("authority", ({ params }) =>
        MessengerUnit.use((messenger) => Effect.mapError(messenger.authority(params.process), Refusal.of)),
      )
      .handle("anchor", ({ params: { process } }) =>
        MessengerUnit.use((messenger) => messenger.anchor(process)).pipe(
          Effect.mapError(Refusal.of),
          Effect.flatMap(
            orRefuse("not anchored", `no slot of ${process} is confirmed in the archive of this node`),
          ),
        ),
      )
      .handle("archiveCost", ({ params }) =>
        MessengerUnit.use((messenger) => Effect.mapError(messenger.archiveCost(params.process), Refusal.of)),
      )
      .handle("snapshots", ({ params }) =>
        MessengerUnit.use((messenger) => Effect.mapError(messenger.snapshots(params.process), Refusal.of)),
      )
      .handle("snapshot", ({ params: { process, slot } }) =>
        MessengerUnit.use((messenger) =>
          answers.answer(
            messenger
              .snapshot(process, slot)
              .pipe(
                Effect.mapError(Refusal.of),
                Effect.flatMap(
                  orRefuse("unknown snapshot", `no snapshot of ${process} after slot ${slot} is kept here`),
                ),
              ),
            (detail) => refuse("overloaded", detail),
          ),
        ),
      )
      .handleRaw("query", ({ params, request }) =>
        MessengerUnit.use(
          Effect.fnUntraced(function* (messenger) {
            const body = yield* bodies.read(request, Limit.itemBytesMax)
            const { action, tags = [], data = Bytes.empty } = yield* readQuery(body)
            return yield* messenger
              .query(params.process, { action, tags, data, from: "" })
              .pipe(Effect.mapError(Refusal.ofAsking))
          }),
        ),
      )
      .handle("follow", ({ params: { process }, query, headers }) =>
        MessengerUnit.use(
          Effect.fnUntraced(function* (messenger) {
            yield* Effect.mapError(messenger.process(process), Refusal.of)
            const last = headers["last-event-id"]
            const turns = messenger.follow(process, last === undefined ? (query.from ?? 0) : last + 1)
            return HttpServerResponse.stream(Stream.interruptWhen(events(turns), stopping), {
              contentType: "text/event-stream",
              headers: { "cache-control": "no-store" },
            })
          }),
        ),
      ),
  )

const inbox = ({ bodies, stopping }: Options) =>
  HttpApiBuilder.group(MessengerApi, "inbox", (handlers) =>
    handlers
      .handleRaw("open", ({ request }) =>
        Effect.gen(function* () {
          const messenger = yield* MessengerUnit
          const body = yield* bodies.read(request, Limit.smallRequestBytesMax)
          const { signatureType, owner } = yield* readKey(body)
          return { address: yield* Effect.mapError(messenger.openInbox(signatureType, owner), Refusal.of) }
        }),
      )
      .handle("read", ({ params: { address }, query }) =>
        MessengerUnit.use(
          Effect.fnUntraced(function* (messenger) {
            const found = yield* page(
              (from, limit) => messenger.inbox(address, from, limit),
              entryBytes,
              query,
            )
            if (found.length > 0 || query.wait === undefined || query.wait === "false") return found
            const waited = messenger.inbox(address, query.from ?? 0, 1, true)
            return yield* Effect.raceFirst(waited, Effect.as(stopping, found))
          }),
        ).pipe(Effect.mapError(Refusal.of)),
      ),
  )

const node = ({ bodies }: Options) =>
  HttpApiBuilder.group(MessengerApi, "node", (handlers) =>
    handlers
      .handleRaw("retry", ({ request }) =>
        Effect.gen(function* () {
          const messenger = yield* MessengerUnit
          const { entry } = yield* readRetry(yield* bodies.read(request, Limit.smallRequestBytesMax))
          return yield* Effect.mapError(messenger.retry(entry), Refusal.of)
        }),
      )
      .handle("engine", ({ params }) =>
        MessengerUnit.use((messenger) => messenger.engineBytes(Id.toBytes(params.id))).pipe(
          Effect.mapError(Refusal.of),
          Effect.flatMap(orRefuse("unknown engine", `engine ${params.id} is not served here`)),
        ),
      )
      .handle("archive", () => MessengerUnit.use(({ archive }) => Effect.mapError(archive, Refusal.of)))
      .handle("outboxEntry", ({ params }) =>
        MessengerUnit.use((messenger) => messenger.outboxEntry(params)).pipe(
          Effect.flatMap((found) =>
            found === undefined ? Effect.fail(new EntryUnknown(params)) : Effect.succeed(found),
          ),
          Effect.mapError(Refusal.of),
        ),
      )
      .handle("outbox", () => MessengerUnit.use(({ outbox }) => Effect.mapError(outbox, Refusal.of)))
      .handle("info", () => MessengerUnit.use(({ info }) => Effect.mapError(info, Refusal.of))),
  )

/** Routes of the API and its OpenAPI document, for an `HttpRouter`. */
export const layer = (options: Options) =>
  HttpApiBuilder.layer(MessengerApi, { openapiPath: "/openapi.json" }).pipe(
    Layer.provide([
      messages(options),
      modules(options),
      data(options),
      processes(options),
      inbox(options),
      node(options),
    ]),
    Layer.provide(RefusingServer.layer),
  )

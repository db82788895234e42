/**
 * MessengerUnitRemote: a messenger at a URL. The calls of the seam as requests of `MessengerApi`; what comes back as a
 * refusal becomes the seam's own error again, and whatever is no proper answer is `Unreachable`.
 *
 * Pages of the API can be shorter than asked; here they are put together, so a caller gets what the seam promises.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Sse from "effect/encoding/Sse"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import { ComputeUnknown } from "../compute-unit/ComputeUnit.ts"
import { Refused } from "../runtime/Admission.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import { LogUnknown } from "../scheduler-unit/SchedulerUnit.ts"
import { MessengerApi } from "./MessengerApi.ts"
import { EntryUnknown, InboxRefused, InboxUnknown, MessengerUnit, Unreachable } from "./MessengerUnit.ts"
import * as Refusal from "./Refusal.ts"

/** What a request can fail with, beside the refusals that the seam knows. */
type Failure = HttpClientError | Schema.SchemaError | Sse.SseError | Sse.Retry | UnknownRefusal

interface UnknownRefusal {
  readonly _tag: "Refused"
  readonly reason: string
  readonly detail: string
}

/** The deepest cause has the words of the system: `connect ECONNREFUSED 127.0.0.1:7734`. */
const deepest = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  if (error.cause instanceof Error) return deepest(error.cause)
  return error.message || ("code" in error ? String(error.code) : error.name)
}

const describe = (failure: Failure): string => {
  if (failure._tag === "Refused") return `${failure.reason}: ${failure.detail}`
  if (failure._tag === "Retry") return "it wants to be asked later"
  if (failure._tag === "SchemaError" || failure._tag === "SseError")
    return `it answers in another form than this heddle reads: ${failure.message}`
  const { reason } = failure
  return reason._tag === "TransportError"
    ? deepest(reason)
    : `it does not answer as heddle does: ${reason.message}`
}

const isBusy = Schema.is(Refusal.busy)
const absent = () => undefined

/** Makes requests to the messenger at `url`, such as `http://127.0.0.1:7734`. */
export const make = Effect.fnUntraced(function* (url: string) {
  const client = yield* HttpApiClient.make(MessengerApi, { baseUrl: url })

  const unreachable = (failure: Failure) => new Unreachable({ url, detail: describe(failure) })

  const plain = <A>(request: Effect.Effect<A, Failure>) => Effect.mapError(request, unreachable)

  /** Refusals of this shape are errors that the seam knows; all others say that there was no answer. */
  const knowing = <S extends Schema.Top, K>(refusal: S, toKnown: (refusal: S["Type"]) => K) => {
    const is = Schema.is(refusal)
    return <A>(request: Effect.Effect<A, S["Type"] | Failure>): Effect.Effect<A, K | Unreachable> =>
      Effect.mapError(request, (error) => (is(error) ? toKnown(error) : unreachable(error)))
  }

  /** The refusal of this shape says that there is no such thing. */
  const optional = <S extends Schema.Top>(refusal: S) => {
    const is = Schema.is(refusal)
    return <A>(request: Effect.Effect<A, S["Type"] | Failure>): Effect.Effect<A | undefined, Unreachable> =>
      request.pipe(
        Effect.catch((error) => (is(error) ? Effect.sync(absent) : Effect.fail(unreachable(error)))),
      )
  }

  const sending = knowing(Schema.Union(Refusal.send), (refusal) => new Refused(refusal))
  const uploading = knowing(Schema.Union(Refusal.upload), (refusal) => new Refused(refusal))
  const reading = knowing(Refusal.unknownSlot, (refusal) => new LogUnknown(refusal))
  const computed = (process: Id.ProcessId) =>
    knowing(Schema.Union([Refusal.unknownProcess, Refusal.busy]), (refusal) =>
      refusal.reason === "unknown process" ? new ComputeUnknown({ process }) : new Refused(refusal),
    )
  const retrying = knowing(Refusal.unknownEntry, (refusal) => new EntryUnknown(refusal))
  const opening = knowing(Schema.Union([Refusal.inboxRefused, Refusal.storeFailed]), (refusal) =>
    refusal.reason === "store failed" ? Refusal.toStoreFailed(refusal) : new InboxRefused(refusal),
  )
  const costing = knowing(Schema.Union([Refusal.unknownSlot, Refusal.archiveUnavailable]), (refusal) =>
    refusal.reason === "archive unavailable"
      ? Refusal.toArchiveUnavailable(refusal)
      : new LogUnknown(refusal),
  )
  const adding = knowing(
    Schema.Union([Refusal.moduleInvalid, Refusal.storeFailed, Refusal.tooLarge, Refusal.busy]),
    (refusal) => {
      if (isBusy(refusal)) return new Refused(refusal)
      return refusal.reason === "store failed"
        ? Refusal.toStoreFailed(refusal)
        : Refusal.toModuleInvalid(refusal)
    },
  )

  /** Reads pages until `limit` entries are there or none is left. */
  const pages = Effect.fnUntraced(function* <A, E>(
    read: (query: { readonly from: number; readonly limit: number }) => Effect.Effect<ReadonlyArray<A>, E>,
    from: number,
    limit: number,
  ) {
    const entries: Array<A> = []
    while (entries.length < limit) {
      const left = Math.min(limit - entries.length, Limit.logPageMax)
      const page = yield* read({ from: from + entries.length, limit: left })
      if (page.length === 0) break
      for (const entry of page) entries.push(entry)
    }
    return entries
  })

  const follow = (process: Id.ProcessId, from: number) =>
    client.processes.follow({ params: { process }, query: { from }, headers: {} }).pipe(
      reading,
      Effect.map(Stream.map(({ data }) => data)),
      Stream.unwrap,
      Stream.catchIf(
        (error) => error._tag !== "LogUnknown" && error._tag !== "Unreachable",
        (error) => Stream.fail(unreachable(error)),
      ),
      // A followed process has no end, so an end is one of the connection.
      Stream.concat(Stream.fail(new Unreachable({ url, detail: "it ended the stream" }))),
    )

  return MessengerUnit.of({
    info: plain(client.node.info()),
    addModule: (source) =>
      Effect.map(adding(client.modules.add({ payload: source })), ({ module }) => module),
    module: (id) => optional(Refusal.unknownModule)(client.modules.get({ params: { id } })),
    addData: (bytes) => Effect.map(uploading(client.data.add({ payload: bytes })), ({ hash }) => hash),
    data: (hash) => optional(Refusal.unknownData)(client.data.get({ params: { hash } })),
    send: (item) => sending(client.messages.send({ query: {}, payload: item })),
    ask: (item) =>
      sending(client.messages.send({ query: { wait: "answer" }, payload: item })).pipe(
        Effect.flatMap(({ answer, ...accepted }) =>
          answer === undefined
            ? Effect.fail(new Unreachable({ url, detail: "it answered without an answer" }))
            : Effect.succeed({ accepted, ...answer }),
        ),
      ),
    answer: (process, slot) => reading(client.processes.answer({ params: { process, slot } })),
    receipt: (process, slot) => reading(client.processes.receipt({ params: { process, slot } })),
    log: (process, from, limit) =>
      pages((query) => reading(client.processes.log({ params: { process }, query })), from, limit),
    turn: (process, slot) =>
      reading(client.processes.turn({ params: { process, slot }, query: { wait: "true" } })),
    turns: (process, from, limit) =>
      pages((query) => plain(client.processes.turns({ params: { process }, query })), from, limit),
    attestation: (process, slot) =>
      optional(Refusal.unknownAttestation)(client.processes.attestation({ params: { process, slot } })),
    equivocation: (process) =>
      optional(Refusal.noEquivocation)(client.processes.equivocation({ params: { process } })),
    follow,
    query: (process, { action, tags, data }) =>
      computed(process)(client.processes.query({ params: { process }, payload: { action, tags, data } })),
    view: (process, name) =>
      // Half of a pair does not travel: it would come out as another name.
      name.isWellFormed()
        ? optional(Refusal.unknownView)(client.processes.view({ params: { process }, query: { name } }))
        : Effect.sync(absent),
    viewProof: (process, name) =>
      computed(process)(client.processes.viewProof({ params: { process }, query: { name } })),
    snapshots: (process) => plain(client.processes.snapshots({ params: { process } })),
    snapshot: (process, slot) =>
      optional(Refusal.unknownSnapshot)(client.processes.snapshot({ params: { process, slot } })),
    engineBytes: (engine) =>
      optional(Refusal.unknownEngine)(client.node.engine({ params: { id: Id.fromBytes(engine) } })),
    process: (process) => reading(client.processes.get({ params: { process } })),
    processes: plain(client.processes.list()),
    authority: (process) => reading(client.processes.authority({ params: { process } })),
    outbox: plain(client.node.outbox()),
    outboxEntry: (params) => optional(Refusal.unknownEntry)(client.node.outboxEntry({ params })),
    retry: (entry) => retrying(client.node.retry({ payload: entry === undefined ? {} : { entry } })),
    openInbox: (signatureType, owner) =>
      Effect.map(opening(client.inbox.open({ payload: { signatureType, owner } })), ({ address }) => address),
    inbox: (address, from, limit, wait = false) => {
      const reading = knowing(Refusal.unknownInbox, () => new InboxUnknown({ address }))
      const read = (query: { readonly from: number; readonly limit: number }, wait: boolean) =>
        reading(
          client.inbox.read({ params: { address }, query: { ...query, wait: wait ? "true" : "false" } }),
        )
      return Effect.flatMap(
        pages((query) => read(query, false), from, limit),
        (letters) =>
          wait && letters.length === 0 && limit > 0
            ? read({ from, limit: 1 }, true)
            : Effect.succeed(letters),
      )
    },
    archive: plain(client.node.archive()),
    anchor: (process) => optional(Refusal.notAnchored)(client.processes.anchor({ params: { process } })),
    archiveCost: (process) => costing(client.processes.archiveCost({ params: { process } })),
  })
})

export const layer = (url: string) => Layer.effect(MessengerUnit, make(url))

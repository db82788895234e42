/**
 * MessengerApi: the HTTP API of a messenger as data. The server, the client, `/openapi.json` and the page that shows
 * it all come from here, so they can't disagree.
 *
 * Messages and modules travel as the bytes they are; everything else is JSON as `Wire.ts` spells it.
 */
import * as Schema from "effect/Schema"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Limit from "../runtime/Limit.ts"
import * as InboxApi from "./InboxApi.ts"
import * as Refusal from "./Refusal.ts"
import * as Wire from "./Wire.ts"
import * as WireMail from "./WireMail.ts"

/** Gives refusals that any endpoint can give the shape that all refusals have. */
export class Refusing extends HttpApiMiddleware.Service<Refusing>()("heddle/MessengerApi/Refusing", {
  error: Refusal.common,
}) {}

const said = (summary: string, description: string) => OpenApi.annotations({ summary, description })

const octets = (description: string) =>
  Schema.Uint8Array.pipe(HttpApiSchema.asUint8Array()).annotate({ description })

const processPath = { process: Wire.Id }
const slotPath = { ...processPath, slot: Schema.Natural }

/** Behind the path: a name can be one that no path can hold, such as `..`. */
const viewName = { name: Schema.String.annotate({ description: "name of the view" }) }

const page = {
  from: Schema.optionalKey(
    Schema.Natural.annotate({ description: "the first slot; 0 where it is left out" }),
  ),
  limit: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Limit.logPageMax })).annotate({
      description: `at most this many; 100 where it is left out, at most ${Limit.logPageMax}`,
    }),
  ),
}

const messages = HttpApiGroup.make("messages")
  .add(
    HttpApiEndpoint.post("send", "/messages", {
      query: {
        wait: Schema.optionalKey(
          Schema.Literals(["slot", "receipt", "answer"]).annotate({
            description:
              "what to wait for: `slot` (the message has its place, durably), `receipt` (with the scheduler's signature), `answer` (with the process's answer, however many turns that takes)",
          }),
        ),
      },
      payload: octets("a whole signed ANS-104 item"),
      success: Wire.Sent,
      error: Refusal.send,
    }).annotateMerge(
      said(
        "Send a signed message or spawn",
        "The body is a signed ANS-104 item. Sending the same item again is safe: it keeps the slot it has, and the answer says `repeat`. Where no answer came, send the same bytes again.",
      ),
    ),
  )
  .annotateMerge(OpenApi.annotations({ description: "Saying something to a process, or making one." }))

const modules = HttpApiGroup.make("modules")
  .add(
    HttpApiEndpoint.post("add", "/modules", {
      payload: octets("guest code: one JavaScript script in UTF-8, or one WebAssembly module"),
      success: Schema.Struct({ module: Wire.Id }),
      error: [Refusal.moduleInvalid, Refusal.storeFailed, Refusal.tooLarge],
    }).annotateMerge(
      said(
        "Upload a module",
        "Keeps guest code for spawns to name, once it has been seen to load. Its id follows from its bytes.",
      ),
    ),
    HttpApiEndpoint.get("get", "/modules/:id", {
      params: { id: Wire.Id },
      success: octets("guest code"),
      error: Refusal.unknownModule,
    }).annotateMerge(said("Read a module", "The guest code under this id, byte for byte.")),
  )
  .annotateMerge(OpenApi.annotations({ description: "The code that processes run." }))

const data = HttpApiGroup.make("data")
  .add(
    HttpApiEndpoint.post("add", "/data", {
      payload: octets(`at most ${Limit.referencedBytesMax} bytes`),
      success: Schema.Struct({ hash: Wire.DataHash }),
      error: Refusal.upload,
    }).annotateMerge(
      said(
        "Upload data",
        "Keeps bytes for a message to refer to with its tags `Data-Hash` and `Data-Length`. Send that message next: until it is accepted, later uploads can drive these bytes out.",
      ),
    ),
    HttpApiEndpoint.get("get", "/data/:hash", {
      params: { hash: Wire.DataHash },
      success: octets("the bytes"),
      error: Refusal.unknownData,
    }).annotateMerge(said("Read data", "The bytes of this hash, as a message refers to them.")),
  )
  .annotateMerge(OpenApi.annotations({ description: "What messages refer to in place of carrying it." }))

/** One event of a followed process: the turn, with its slot as the id to go on from. */
export const TurnEvent = Schema.Struct({
  id: Schema.String,
  event: Schema.Literal("turn"),
  data: Schema.fromJsonString(Schema.toCodecJson(Wire.Turn)),
})

const processes = HttpApiGroup.make("processes")
  .add(
    HttpApiEndpoint.get("list", "/processes", {
      success: Schema.Array(Wire.ProcessInfo),
    }).annotateMerge(
      said(
        "List processes",
        "Every process of this node with the end of its log and how far it is computed.",
      ),
    ),
    HttpApiEndpoint.get("get", "/processes/:process", {
      params: processPath,
      success: Wire.ProcessInfo,
      error: Refusal.unknownSlot,
    }).annotateMerge(
      said("Describe a process", "The end of its log, how far it is computed, and its newest state root."),
    ),
    HttpApiEndpoint.get("log", "/processes/:process/log", {
      params: processPath,
      query: page,
      success: Schema.Array(Wire.LogEntry),
      error: Refusal.unknownSlot,
    }).annotateMerge(
      said(
        "Read the log",
        "Assignments with their items, in order. A page can be shorter than asked where its items are large; only an empty one is the end.",
      ),
    ),
    HttpApiEndpoint.get("turns", "/processes/:process/turns", {
      params: processPath,
      query: page,
      success: Schema.Array(Wire.Turn),
    }).annotateMerge(
      said(
        "Read turns",
        "Outcomes that are there, in order. A page can be shorter than asked; an empty one is the end so far.",
      ),
    ),
    HttpApiEndpoint.get("turn", "/processes/:process/turns/:slot", {
      params: slotPath,
      query: {
        wait: Schema.optionalKey(
          Schema.Literals(["", "true", "false"]).annotate({
            description: "whether to wait until it is computed",
          }),
        ),
      },
      success: Wire.Turn,
      error: [Refusal.unknownSlot, Refusal.unknownTurn],
    }).annotateMerge(
      said(
        "Read one turn",
        "The outcome of a slot, with console output. With `wait` it answers once the turn is computed.",
      ),
    ),
    HttpApiEndpoint.get("answer", "/processes/:process/answers/:slot", {
      params: slotPath,
      success: Wire.Answered,
      error: Refusal.unknownSlot,
    }).annotateMerge(
      said(
        "Read an answer",
        "What the message of a slot was answered, as JSON text; waits for it, however many turns that takes.",
      ),
    ),
    HttpApiEndpoint.get("receipt", "/processes/:process/receipts/:slot", {
      params: slotPath,
      success: Wire.Receipt,
      error: Refusal.unknownSlot,
    }).annotateMerge(
      said(
        "Read a receipt",
        "The scheduler's signed statement that this slot was given: it convinces anyone, without this node.",
      ),
    ),
    HttpApiEndpoint.get("attestation", "/processes/:process/attestations/:slot", {
      params: slotPath,
      success: Wire.SignedAttestation,
      error: Refusal.unknownAttestation,
    }).annotateMerge(
      said("Read an attestation", "The compute unit's signed statement whose turns reach this slot."),
    ),
    HttpApiEndpoint.get("equivocation", "/processes/:process/equivocation", {
      params: processPath,
      success: Wire.Equivocation,
      error: Refusal.noEquivocation,
    }).annotateMerge(
      said(
        "Read a proof against the scheduler",
        "Two receipts in which it gave a slot or a batch number twice, as this node's compute unit got them; 404 where it has seen none.",
      ),
    ),
    HttpApiEndpoint.get("view", "/processes/:process/view", {
      params: processPath,
      query: viewName,
      success: Wire.View,
      error: Refusal.unknownView,
    }).annotateMerge(
      said(
        "Read a view",
        "What the process has published under a name, as JSON text, with the slot that published it.",
      ),
    ),
    HttpApiEndpoint.get("viewProof", "/processes/:process/view/proof", {
      params: processPath,
      query: viewName,
      success: Wire.ViewProven,
      error: Refusal.unknownProcess,
    }).annotateMerge(
      said(
        "Prove a view",
        "The view in the newest attested state, or that there is none, with the hashes, the signed attestation and the assignment that show it: a reader who checks them believes this node nothing.",
      ),
    ),
    HttpApiEndpoint.get("snapshots", "/processes/:process/snapshots", {
      params: processPath,
      success: Schema.Array(Wire.SnapshotInfo),
    }).annotateMerge(
      said(
        "List snapshots",
        "States of a process from which it can be gone on with, oldest first. Of an old one only its hashes are kept.",
      ),
    ),
    HttpApiEndpoint.get("snapshot", "/processes/:process/snapshots/:slot", {
      params: slotPath,
      success: octets("the state of the process after the slot, compressed"),
      error: Refusal.unknownSnapshot,
    }).annotateMerge(
      said(
        "Read a snapshot",
        "The state of a process after a slot. Its state root is what an attestation of that slot says, or it is worth nothing.",
      ),
    ),
    HttpApiEndpoint.get("authority", "/processes/:process/authority", {
      params: processPath,
      success: Wire.Authority,
      error: Refusal.unknownSlot,
    }).annotateMerge(
      said(
        "Read whom a process believes",
        "The policy by which the next message of another process is admitted, and the slot since which it holds.",
      ),
    ),
    HttpApiEndpoint.get("anchor", "/processes/:process/anchor", {
      params: processPath,
      success: Wire.Anchor,
      error: Refusal.notAnchored,
    }).annotateMerge(
      said(
        "Read how far a process is anchored",
        "The newest slot that is confirmed in the node's archive, with all before it, and where.",
      ),
    ),
    HttpApiEndpoint.get("archiveCost", "/processes/:process/archive-cost", {
      params: processPath,
      success: Wire.ArchiveCost,
      error: [Refusal.unknownSlot, Refusal.archiveUnavailable],
    }).annotateMerge(
      said(
        "Estimate what archiving a process takes",
        "Measured on its log, as if nothing of it were archived yet. Nothing is spent.",
      ),
    ),
    HttpApiEndpoint.post("query", "/processes/:process/query", {
      params: processPath,
      payload: Wire.Query,
      success: Wire.QueryAnswer,
      error: [Refusal.unknownProcess, Refusal.tooLarge],
    }).annotateMerge(
      said(
        "Ask without a trace",
        "Runs a message on a throw-away copy of the newest state. Nothing is logged, and the answer is not proven.",
      ),
    ),
    HttpApiEndpoint.get("follow", "/processes/:process/follow", {
      params: processPath,
      query: { from: page.from },
      headers: {
        "last-event-id": Schema.optionalKey(
          Schema.Natural.annotate({ description: "the last slot seen; takes the place of `from`" }),
        ),
      },
      success: HttpApiSchema.StreamSse({ events: TurnEvent }),
      error: Refusal.unknownSlot,
    }).annotateMerge(
      said(
        "Follow a process",
        "Server-sent events: every turn from a slot on, then each new one once it is durable. The id of an event is its slot, so a reader that comes back with Last-Event-ID misses nothing and gets nothing twice.",
      ),
    ),
  )
  .annotateMerge(
    OpenApi.annotations({ description: "Reading what processes were told and what became of it." }),
  )

const node = HttpApiGroup.make("node")
  .add(
    HttpApiEndpoint.get("outbox", "/outbox", {
      success: Schema.Array(Wire.Undelivered),
    }).annotateMerge(
      said(
        "List what is not delivered",
        `Messages between processes that wait, why, since when, and when they are tried next. At most ${Limit.outboxShownMax} are listed.`,
      ),
    ),
    HttpApiEndpoint.post("retry", "/outbox/retry", {
      payload: WireMail.Retry,
      success: WireMail.Retried,
      error: [Refusal.unknownEntry, Refusal.tooLarge],
    }).annotateMerge(
      said(
        "Try again what is not delivered",
        "At once, whatever it waits for; of each pair of source and target the entry that goes first.",
      ),
    ),
    HttpApiEndpoint.get("outboxEntry", "/outbox/:source/:slot/:index", {
      params: { source: Wire.Id, slot: Schema.Natural, index: Schema.Natural },
      success: Wire.ProvenEntry,
      error: Refusal.unknownEntry,
    }).annotateMerge(
      said(
        "Read what is not delivered",
        "One message that waits, with its proof: what its process's owner gives it up with.",
      ),
    ),
    HttpApiEndpoint.get("archive", "/archive", {
      success: Wire.ArchiveStatus,
    }).annotateMerge(
      said(
        "Describe the archive",
        "What is bundled, sent and confirmed, what it took, how far it is behind, and what it waits for.",
      ),
    ),
    HttpApiEndpoint.get("engine", "/engines/:id", {
      params: { id: Wire.Id },
      success: octets("an engine"),
      error: Refusal.unknownEngine,
    }).annotateMerge(
      said(
        "Read an engine",
        "What runs processes, as bytes: their SHA-256 is the id that attestations name.",
      ),
    ),
    HttpApiEndpoint.get("info", "/info", {
      success: Wire.NodeInfo,
    }).annotateMerge(
      said(
        "Describe the node",
        "Its version and the addresses that a spawn names as its Scheduler and Compute.",
      ),
    ),
  )
  .annotateMerge(OpenApi.annotations({ description: "The node itself." }))

export const MessengerApi = HttpApi.make("heddle")
  .add(messages)
  .add(modules)
  .add(data)
  .add(processes)
  .add(InboxApi.inbox)
  .add(node)
  .prefix("/v1")
  .middleware(Refusing)
  .annotateMerge(
    OpenApi.annotations({
      title: "heddle",
      version: "1",
      description:
        'Actors whose ordered, signed logs are permanent. Ids are 32 bytes as 43 characters of base64url, bytes are base64url, fuel is decimal text, times are ms since 1970. A refusal is `{_tag: "Refused", reason, detail}`.',
      license: { name: "Apache-2.0" },
    }),
  )

/**
 * Refusal: an error of a messenger as it travels over HTTP: `{_tag: "Refused", reason, detail}` under the status that
 * fits the reason. What the seam knows as an error of its own goes out as a refusal and comes back as that error.
 */
import * as Schema from "effect/Schema"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import { type ComputeUnknown, ModuleInvalid } from "../compute-unit/ComputeUnit.ts"
import { Refused } from "../runtime/Admission.ts"
import { ArchiveUnavailable } from "../runtime/Archive.ts"
import { StoreFailed } from "../runtime/Store.ts"
import type { LogUnknown } from "../scheduler-unit/SchedulerUnit.ts"
import type { EntryUnknown, InboxRefused, InboxUnknown, Unreachable } from "./MessengerUnit.ts"
import * as Wire from "./Wire.ts"

const tag = { _tag: Schema.tag("Refused") }
const detail = {
  detail: Schema.String.annotate({ description: "what stands there, what is allowed, what to do" }),
}

const refusal = <const Reasons extends ReadonlyArray<string>>(status: number, reasons: Reasons) =>
  Schema.Struct({ ...tag, reason: Schema.Literals(reasons), ...detail }).pipe(HttpApiSchema.status(status))

/** Whoever asks is to ask again, where it is known after how many ms. */
export const busy = Schema.Struct({
  ...tag,
  reason: Schema.Literals(["overloaded", "over rate"]),
  ...detail,
  retryMs: Schema.optionalKey(
    Schema.Natural.annotate({ description: "ms after which it is worth asking again" }),
  ),
}).pipe(HttpApiSchema.status(429))

/** When to ask again, for the header that those go by who read no JSON: whole seconds, one where it is not known. */
export const retryAfter = ({ retryMs = 1 }: { readonly retryMs?: number | undefined }): string =>
  String(Math.ceil(retryMs / 1_000))

/** Refusals of the server itself, which any endpoint can give. */
export const common = [
  refusal(400, ["malformed request"]),
  busy,
  refusal(500, ["internal error"]),
  refusal(502, ["unreachable"]),
  refusal(503, ["stopping"]),
] as const

/** Every reason that admission has, under its status. */
export const send = [
  refusal(400, [
    "malformed item",
    "not a message",
    "unknown signature type",
    "bad spawn",
    "bad reference",
    "bad drop",
    "bad authority",
    "bad move",
  ]),
  refusal(401, ["bad signature", "bad assigned item"]),
  refusal(403, ["no proof", "bad proof", "not attested", "not assignable"]),
  refusal(404, ["unknown process", "unknown module"]),
  refusal(409, [
    "repeat",
    "anchor reused",
    "pair out of order",
    "source forked",
    "timer early",
    "cron out of order",
  ]),
  refusal(413, ["too large"]),
  refusal(421, ["other scheduler", "not restored", "other process"]),
  refusal(424, ["data unavailable"]),
  busy,
  refusal(503, ["not anchored", "store failed", "stopping"]),
] as const

/** Bytes that no message can refer to, or that could not be kept. */
export const upload = [
  refusal(400, ["bad reference"]),
  refusal(413, ["too large"]),
  busy,
  refusal(503, ["store failed"]),
] as const

export const tooLarge = refusal(413, ["too large"])
export const unknownModule = refusal(404, ["unknown module"])
export const unknownData = refusal(404, ["unknown data"])
export const unknownView = refusal(404, ["unknown view"])
export const unknownTurn = refusal(404, ["not computed"])
export const unknownAttestation = refusal(404, ["not attested"])
export const noEquivocation = refusal(404, ["no equivocation"])
export const unknownSnapshot = refusal(404, ["unknown snapshot"])
export const unknownEngine = refusal(404, ["unknown engine"])
export const notAnchored = refusal(404, ["not anchored"])
export const inboxRefused = refusal(422, ["not a key", "too many inboxes"])
/** No key of this address is known. */
export const unknownInbox = refusal(404, ["unknown inbox"])

/** An entry that is not in the outbox. */
export const unknownEntry = Schema.Struct({
  ...tag,
  reason: Schema.Literal("unknown entry"),
  ...detail,
  source: Wire.Id,
  slot: Schema.Natural,
  index: Schema.Natural,
}).pipe(HttpApiSchema.status(404))

/** A process or a slot that is not there. */
export const unknownSlot = Schema.Struct({
  ...tag,
  reason: Schema.Literals(["unknown process", "unknown slot"]),
  ...detail,
  process: Wire.Id,
  slot: Schema.Natural,
}).pipe(HttpApiSchema.status(404))

export const unknownProcess = refusal(404, ["unknown process"])

/** Where in the guest code, counted from 1. */
export const moduleInvalid = Schema.Struct({
  ...tag,
  reason: Schema.Literal("module invalid"),
  ...detail,
  file: Schema.String,
  line: Schema.Int,
  column: Schema.Int,
}).pipe(HttpApiSchema.status(422))

export const storeFailed = Schema.Struct({
  ...tag,
  reason: Schema.Literal("store failed"),
  ...detail,
  cause: Schema.Literals(["full", "closed", "io"]),
}).pipe(HttpApiSchema.status(503))

/** Which gateway, about which transaction. */
export const archiveUnavailable = Schema.Struct({
  ...tag,
  reason: Schema.Literal("archive unavailable"),
  ...detail,
  cause: Schema.Literals(["no answer", "busy", "refused", "wrong answer", "io", "full"]),
  gateway: Schema.String,
  transaction: Schema.UndefinedOr(Schema.String),
}).pipe(HttpApiSchema.status(503))

const refused = <const Reason extends string>(reason: Reason, detail: string) =>
  ({ _tag: "Refused", reason, detail }) as const

type Sending = (typeof send)[number]["Type"]

/** A refusal of admission; a reason that has no status is an error of the compiler. */
const admission = (reason: Sending["reason"], detail: string, retryMs: number | undefined): Sending =>
  ({ ...refused(reason, detail), ...(retryMs === undefined ? {} : { retryMs }) }) as Sending // its reason is that of one of them

/** Each error of the seam as a refusal. */
const refusals = {
  Refused: ({ reason, detail, retryMs }: Refused) => admission(reason, detail, retryMs),
  LogUnknown: ({ process, slot, message }: LogUnknown) => ({
    ...refused(slot === 0 ? "unknown process" : "unknown slot", message),
    process,
    slot,
  }),
  ComputeUnknown: ({ message }: ComputeUnknown) => refused("unknown process", message),
  ModuleInvalid: ({ detail, file, line, column }: ModuleInvalid) => ({
    ...refused("module invalid", detail),
    file,
    line,
    column,
  }),
  StoreFailed: ({ reason, detail }: StoreFailed) => ({ ...refused("store failed", detail), cause: reason }),
  ArchiveUnavailable: ({ reason, detail, gateway, transaction }: ArchiveUnavailable) => ({
    ...refused("archive unavailable", detail),
    cause: reason,
    gateway,
    transaction,
  }),
  EntryUnknown: ({ source, slot, index, message }: EntryUnknown) => ({
    ...refused("unknown entry", message),
    source,
    slot,
    index,
  }),
  InboxUnknown: ({ message }: InboxUnknown) => refused("unknown inbox", message),
  InboxRefused: ({ reason, detail }: InboxRefused) => refused(reason, detail),
  /** A messenger that stands before another one, which did not answer. */
  Unreachable: ({ message }: Unreachable) => refused("unreachable", message),
}

type Refusals = typeof refusals
type SeamError = { [Tag in keyof Refusals]: Parameters<Refusals[Tag]>[0] }[keyof Refusals]

/** An error of the seam as it goes out. */
export const of = <E extends SeamError>(error: E): ReturnType<Refusals[E["_tag"]]> => {
  const refusal = refusals[error._tag] as (error: SeamError) => unknown
  return refusal(error) as ReturnType<Refusals[E["_tag"]]> // by the function under the error's own tag
}

/** An upload that is refused, as it goes out. */
export const ofUpload = (error: Refused | Unreachable) =>
  error._tag === "Unreachable" ? of(error) : (of(error) as (typeof upload)[number]["Type"]) // `addData` has no others

/** A question, or a module, that is refused, as it goes out. */
export const ofAsking = <E extends Exclude<SeamError, Refused>>(error: E | Refused) =>
  error instanceof Refused ? (of(error) as typeof busy.Type) : of(error) // a compute unit refuses for no other reason

export const toModuleInvalid = (refusal: typeof moduleInvalid.Type | typeof tooLarge.Type): ModuleInvalid => {
  const place = refusal.reason === "too large" ? { file: "module.js", line: 1, column: 1 } : refusal
  return new ModuleInvalid({
    detail: refusal.detail,
    file: place.file,
    line: place.line,
    column: place.column,
  })
}

export const toStoreFailed = ({ detail, cause }: typeof storeFailed.Type): StoreFailed =>
  new StoreFailed({ reason: cause, detail })

export const toArchiveUnavailable = ({
  detail,
  cause,
  gateway,
  transaction,
}: typeof archiveUnavailable.Type): ArchiveUnavailable =>
  new ArchiveUnavailable({ reason: cause, detail, gateway, transaction })

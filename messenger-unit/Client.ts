/**
 * Client: what a program uses to talk to processes. Below as Effects that need a `MessengerUnit`, then the same as
 * Promises.
 *
 * Every message gets a random anchor when it is signed. A message that got no answer is sent again as the same signed
 * item, which keeps the slot it may have; so a call that returns was done once, however often it was sent.
 */
import { fileURLToPath } from "node:url"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Query } from "../compute-unit/ComputeUnit.ts"
import type * as Identity from "../identity/Identity.ts"
import * as SignedItem from "../identity/SignedItem.ts"
import * as SignerLocal from "../identity/SignerLocal.ts"
import { Refused } from "../runtime/Admission.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Message from "../runtime/Message.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import * as Draft from "./Draft.ts"
import { type Answered, MessengerUnit, Unreachable } from "./MessengerUnit.ts"

/** The process answered with an error, or its turn failed. */
export class AskFailed extends Data.TaggedError("AskFailed")<{
  readonly process: Id.ProcessId
  readonly slot: number
  /** `replied` where the process said so itself, otherwise why its turn was undone. */
  readonly reason: Extract<Answered["result"], { readonly reason: string }>["reason"]
  readonly detail: string
}> {
  override get message(): string {
    return this.reason === "replied" ? this.detail : `${this.reason}: ${this.detail}`
  }
}

/** A message with the place that it has in its process's log. */
export interface Entry {
  readonly slot: number
  /** ms since 1970. */
  readonly timestamp: number
  readonly id: Id.Id
  readonly from: Id.Address
  readonly fromProcess: boolean
  readonly action: string | undefined
  readonly tags: ReadonlyArray<readonly [name: string, value: string]>
  readonly data: Uint8Array
}

/** A log entry read as a message. */
export const entryOf = ({ assignment, item }: LogEntry): Entry => {
  // What is in a log has passed admission, which reads it by the same functions.
  const {
    id,
    from,
    fromProcess,
    action,
    item: read,
  } = Result.getOrThrow(Result.flatMap(Item.decode(item), Message.parse))
  const tags = read.tags.map(({ name, value }) => [name, value] as const)
  const { slot, timestamp } = assignment
  return { slot, timestamp, id, from, fromProcess, action, tags, data: read.data }
}

/** Tries again while there is no answer, `times` times, each after twice the wait of the one before. */
const patience = (times: number = Limit.sendRetriesMax) =>
  Schedule.exponential(Limit.deliveryRetryMsMin).pipe(
    Schedule.upTo({ times }),
    Schedule.while(({ input }: { readonly input: unknown }) => input instanceof Unreachable),
  )

/** Who speaks, and how often to send again where no answer comes. */
export interface Speaker {
  readonly as: Identity.Identity
  readonly retries?: number | undefined
}

const signed = ({ as }: Speaker, fields: SignedItem.Fields) => SignedItem.sign(SignerLocal.make(as), fields)

/** Sends a message; succeeds once it has its slot, durably. */
export const send = Effect.fnUntraced(function* (
  process: Id.ProcessId,
  action: string,
  options: Speaker & Draft.Draft,
) {
  const messenger = yield* MessengerUnit
  const item = yield* signed(options, Draft.message(process, action, options))
  return yield* Effect.retry(messenger.send(item.bytes), patience(options.retries))
})

/** What an answer comes to for whoever asked. */
const told = (process: Id.ProcessId, slot: number, { fuelUsed, result }: Answered) =>
  "value" in result
    ? Effect.succeed({ fuelUsed, value: result.value })
    : Effect.fail(new AskFailed({ process, slot, reason: result.reason, detail: result.error }))

/** Sends a message and waits for its answer, as JSON text. */
export const ask = Effect.fnUntraced(function* (
  process: Id.ProcessId,
  action: string,
  options: Speaker & Draft.Draft,
) {
  const messenger = yield* MessengerUnit
  const item = yield* signed(options, Draft.message(process, action, options))
  const { accepted, ...answered } = yield* Effect.retry(messenger.ask(item.bytes), patience(options.retries))
  return { accepted, ...(yield* told(process, accepted.slot, answered)) }
})

/** The answer to a message that has its slot; waits for it. */
export const answer = (process: Id.ProcessId, slot: number, retries?: number) =>
  MessengerUnit.use((messenger) =>
    Effect.retry(messenger.answer(process, slot), patience(retries)).pipe(
      Effect.flatMap((answered) => told(process, slot, answered)),
    ),
  )

/** Spawns a process of a module that the node holds; succeeds once its spawn has slot 0, durably. */
export const spawn = Effect.fnUntraced(function* (
  module: Id.Id,
  options: Speaker & Draft.Draft & { readonly name?: string | undefined },
) {
  const messenger = yield* MessengerUnit
  const node = yield* Effect.retry(messenger.info, patience(options.retries))
  const item = yield* signed(options, Draft.spawn(module, node, options))
  return yield* Effect.retry(messenger.send(item.bytes), patience(options.retries))
})

/** A dry run on a throw-away copy of the newest state. */
export const query = (process: Id.ProcessId, action: string, draft: Draft.Draft = {}) => {
  const { data, tags } = Draft.content(draft)
  const asked: Query = { action, tags: tags.map(({ name, value }) => [name, value] as const), data, from: "" }
  return MessengerUnit.use((messenger) => messenger.query(process, asked))
}

/** Every turn from a slot on, then each new one; goes on where it was after the connection broke. */
export const follow = (process: Id.ProcessId, from = 0, retries?: number) =>
  Stream.unwrap(
    MessengerUnit.useSync((messenger) => {
      let next = from
      return Stream.suspend(() => messenger.follow(process, next)).pipe(
        Stream.tap(({ outcome }) => Effect.sync(() => void (next = outcome.slot + 1))),
        Stream.retry(patience(retries)),
      )
    }),
  )

/** Where guest code comes from: a module that the node holds, JavaScript, or an author's file to be bundled. */
export type Code = string | Uint8Array | { readonly file: string | URL } | { readonly module: string }

/** Guest code that is not accepted, with its place in the author's file. Lines and columns count from 1. */
export class SourceInvalid extends Data.TaggedError("SourceInvalid")<{
  readonly file: string
  readonly line: number
  readonly column: number
  readonly detail: string
}> {
  override get message(): string {
    return `${this.file}:${this.line}:${this.column}: ${this.detail}`
  }
}

/** An author's file as one script. */
export interface Bundle {
  readonly source: Uint8Array
  /** The author's file, line and column that a place in the script comes from. */
  readonly locate: (
    line: number,
    column: number,
  ) => Pick<SourceInvalid, "file" | "line" | "column"> | undefined
}

/** Makes one script of an author's file and what it imports; known to whoever assembles a client. */
export type Bundler = (file: string) => Effect.Effect<Bundle, SourceInvalid>

const stored = Effect.fnUntraced(function* (text: string) {
  const module = Id.parse(text)
  if (module !== undefined) return module
  return yield* new Refused({
    reason: "unknown module",
    detail: `"${text}" is no id of a module: it has 43 characters`,
  })
})

/** Uploads guest code unless it is there; gives the module's id. */
export const addModule = Effect.fnUntraced(function* (code: Code, bundler: Bundler) {
  const messenger = yield* MessengerUnit
  if (typeof code === "string") return yield* messenger.addModule(Bytes.fromText(code))
  if (code instanceof Uint8Array) return yield* messenger.addModule(code)
  if ("module" in code) return yield* stored(code.module)
  const { source, locate } = yield* bundler(
    typeof code.file === "string" ? code.file : fileURLToPath(code.file),
  )
  return yield* messenger
    .addModule(source)
    .pipe(
      Effect.catchTag("ModuleInvalid", ({ detail, ...place }) =>
        Effect.fail(new SourceInvalid({ ...(locate(place.line, place.column) ?? place), detail })),
      ),
    )
})

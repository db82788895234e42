/**
 * Client: what a program uses to talk to processes. Below as Effects that need a `MessengerUnit`, then the same as
 * Promises.
 *
 * Every message gets a random anchor when it is signed. A message that got no answer is sent again as the same signed
 * item, which keeps the slot it may have; so a call that returns was done once, however often it was sent.
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Query } from "../compute-unit/ComputeUnit.ts"
import type * as Identity from "../identity/Identity.ts"
import * as SignedItem from "../identity/SignedItem.ts"
import * as SignerLocal from "../identity/SignerLocal.ts"
import { Refused } from "../runtime/Admission.ts"
import * as Assign from "../runtime/Assign.ts"
import * as Authority from "../runtime/Authority.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as DataReference from "../runtime/DataReference.ts"
import * as Drop from "../runtime/Drop.ts"
import * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import type { Accepted, LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import * as Draft from "./Draft.ts"
import {
  type Answered,
  EntryUnknown,
  MessengerUnit,
  type NodeInfo,
  type OutboxPlace,
  Unreachable,
} from "./MessengerUnit.ts"
import * as ProvenView from "./ProvenView.ts"
import * as QuorumAsk from "./QuorumAsk.ts"

export { addModule, type Bundle, type Bundler, type Code, SourceInvalid } from "./Code.ts"

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
  const { id, from, fromProcess, action, item: read } = Result.getOrThrow(Assign.read(item))
  const tags = read.tags.map(({ name, value }) => [name, value] as const)
  const { slot, timestamp } = assignment
  return { slot, timestamp, id, from, fromProcess, action, tags, data: read.data }
}

/** Refused for now, and nothing was done: more was sent than is taken. */
const isBusy = (error: unknown): error is Refused =>
  error instanceof Refused && (error.reason === "over rate" || error.reason === "overloaded")

/**
 * Tries again while there is no answer, or while the node has too much to do, `times` times: each after twice the wait of
 * the one before, and not before the node said.
 */
export const patience = (times: number = Limit.sendRetriesMax) =>
  Schedule.exponential(Limit.deliveryRetryMsMin).pipe(
    Schedule.upTo({ times }),
    Schedule.while(({ input }: { readonly input: unknown }) => input instanceof Unreachable || isBusy(input)),
    Schedule.modifyDelay(({ input, duration }) =>
      Effect.succeed(Math.max(Duration.toMillis(duration), isBusy(input) ? (input.retryMs ?? 0) : 0)),
    ),
  )

/** Who speaks, and how often to send again where no answer comes. */
export interface Speaker {
  readonly as: Identity.Identity
  readonly retries?: number | undefined
}

const signed = ({ as }: Speaker, fields: SignedItem.Fields) => SignedItem.sign(SignerLocal.make(as), fields)

/** Signs a message, and gives the call that is made with it: where the node lacks what it refers to, that goes first. */
const saying = Effect.fnUntraced(function* <A, E>(
  options: Speaker,
  { referenced, ...fields }: Draft.Drafted,
  call: (
    messenger: MessengerUnit["Service"],
    item: Uint8Array,
  ) => Effect.Effect<A, E | Refused | Unreachable>,
) {
  const messenger = yield* MessengerUnit
  const length = referenced?.length ?? 0
  if (length > Limit.referencedBytesMax)
    return yield* new Refused({
      reason: "too large",
      detail: `data of ${length} bytes; a message carries or refers to at most ${Limit.referencedBytesMax}`,
    })
  const item = yield* signed(options, fields)
  const said = Effect.retry(call(messenger, item.bytes), patience(options.retries))
  if (referenced === undefined) return yield* said
  const upload = Effect.retry(messenger.addData(referenced), patience(options.retries))
  // It may be there from before; and where others upload much, it can be gone again before the message comes.
  let uploads = 0
  const saidWith: typeof said = Effect.catchIf(said, isUnavailable, (refused) =>
    uploads++ < Limit.uploadsPerMessageMax ? Effect.andThen(upload, saidWith) : Effect.fail(refused),
  )
  return yield* saidWith
})

const isUnavailable = (error: unknown): error is Refused =>
  error instanceof Refused && error.reason === "data unavailable"

const sending = (messenger: MessengerUnit["Service"], item: Uint8Array) => messenger.send(item)

/** Sends a message; succeeds once it has its slot, durably. */
export const send = Effect.fnUntraced(function* (
  process: Id.ProcessId,
  action: string,
  options: Speaker & Draft.Draft,
) {
  return yield* saying(options, Draft.message(process, action, options), sending)
})

/** Brings an existing item, given as its bytes, into the log of a process; succeeds once it has its slot, durably. */
export const assign = Effect.fnUntraced(function* (
  process: Id.ProcessId,
  bytes: Uint8Array,
  options: Speaker & Pick<Draft.Draft, "tags">,
) {
  const messenger = yield* MessengerUnit
  const assigned = yield* Effect.mapError(
    Effect.fromResult(Item.decode(bytes)),
    ({ message }) => new Refused({ reason: "bad assigned item", detail: message }),
  )
  const item = yield* signed(options, Draft.assign(process, assigned, options))
  return yield* Effect.retry(messenger.send(item.bytes), patience(options.retries))
})

/** What an answer comes to for whoever asked. */
const told = (process: Id.ProcessId, slot: number, { fuelUsed, result }: Answered) =>
  "value" in result
    ? Effect.succeed({ fuelUsed, value: result.value })
    : Effect.fail(new AskFailed({ process, slot, reason: result.reason, detail: result.error }))

const asking = (process: Id.ProcessId, action: string, options: Speaker & Draft.Draft) =>
  saying(options, Draft.message(process, action, options), (messenger, item) => messenger.ask(item))

/** Sends a message and waits for its answer, as JSON text. */
export const ask = Effect.fnUntraced(function* (
  process: Id.ProcessId,
  action: string,
  options: Speaker & Draft.Draft,
) {
  const { accepted, ...answered } = yield* asking(process, action, options)
  return { accepted, ...(yield* told(process, accepted.slot, answered)) }
})

const parked = (process: Id.ProcessId, slot: number, detail: string) =>
  new AskFailed({ process, slot, reason: "parked", detail })

/** How many units have to agree on an answer, and which nodes can be asked for theirs besides the caller's own. */
export interface Quorum {
  readonly units: number
  readonly peers: ReadonlyArray<QuorumAsk.Node>
  readonly withinMs?: number | undefined
}

/** The same, once so many of the process's units attest the answer: it is the attested one, whatever the node said. */
export const askUnits = Effect.fnUntraced(function* (
  process: Id.ProcessId,
  action: string,
  { quorum, ...options }: Speaker & Draft.Draft & { readonly quorum: Quorum },
) {
  const messenger = yield* MessengerUnit
  const asked = yield* asking(process, action, options)
  const { accepted } = asked
  // A process that its node has stopped computing is answered by no turn, there at least.
  if ("reason" in asked.result && asked.result.reason === "parked")
    return yield* parked(process, accepted.slot, asked.result.error)
  const nodes = [{ name: "the node", messenger }, ...quorum.peers] as const
  const agreed = yield* QuorumAsk.confirm(nodes, process, asked, quorum.units, quorum.withinMs)
  const { slot, stateRoot } = agreed.attestation.to
  const answered = yield* told(process, accepted.slot, agreed.answered)
  return { accepted, ...answered, units: agreed.units, attested: { slot, stateRoot } }
})

/** The answer to a message that has its slot; waits for it. */
export const answer = (process: Id.ProcessId, slot: number, retries?: number) =>
  MessengerUnit.use((messenger) =>
    Effect.retry(messenger.answer(process, slot), patience(retries)).pipe(
      Effect.flatMap((answered) => told(process, slot, answered)),
    ),
  )

/** An engine that the node does not have: a process that names it would not be run there. */
export class EngineMissing extends Data.TaggedError("EngineMissing")<{
  readonly engine: Id.Id
  readonly served: Id.Id
}> {
  override get message(): string {
    return `engine ${this.engine} is not served by this node; new processes get ${this.served} where none is named`
  }
}

const checkEngine = Effect.fnUntraced(function* (engine: Id.Id | undefined, node: NodeInfo) {
  const served = Id.fromBytes(node.engine)
  if (engine === undefined || engine === served) return
  const found = yield* MessengerUnit.use((messenger) => messenger.engineBytes(Id.toBytes(engine)))
  if (found === undefined) return yield* new EngineMissing({ engine, served })
})

/** Spawns a process of a module that the node holds; succeeds once its spawn has slot 0, durably. */
export const spawn = Effect.fnUntraced(function* (module: Id.Id, options: Speaker & Draft.Spawn) {
  const messenger = yield* MessengerUnit
  const node = yield* Effect.retry(messenger.info, patience(options.retries))
  yield* checkEngine(options.engine, node)
  return yield* saying(options, Draft.spawn(module, node, options), sending)
})

/** Only its owner can say what a process goes on as, and whom it believes. */
export class NotOwner extends Data.TaggedError("NotOwner")<{
  readonly process: Id.ProcessId
  readonly owner: Id.Address
  readonly speaker: Id.Address
}> {
  override get message(): string {
    return `process ${this.process} is owned by ${this.owner}; ${this.speaker} can't speak for it`
  }
}

export interface Upgrade extends Speaker, Draft.Draft {
  readonly engine?: Id.Id | undefined
}

/** Lets a process go on as another module that the node holds; waits for the turn and gives it. */
export const upgrade = Effect.fnUntraced(function* (process: Id.ProcessId, module: Id.Id, options: Upgrade) {
  const messenger = yield* MessengerUnit
  const { as, engine, retries } = options
  const { owner } = yield* Effect.retry(messenger.process(process), patience(retries))
  if (owner !== as.address) return yield* new NotOwner({ process, owner, speaker: as.address })
  yield* checkEngine(engine, yield* messenger.info)
  // A node that lacks the code could not compute the slot, nor any after it.
  if ((yield* messenger.module(module)) === undefined)
    return yield* new Refused({ reason: "unknown module", detail: `${module} is not stored here` })
  const accepted = yield* saying(options, Draft.upgrade(process, module, engine, options), sending)
  const { slot } = accepted
  // Nobody answers an upgrade, but where the node has stopped computing the process there will be no turn.
  const parked = Effect.flatMap(messenger.answer(process, slot), ({ result }) =>
    "reason" in result && result.reason === "parked"
      ? Effect.fail(new AskFailed({ process, slot, reason: result.reason, detail: result.error }))
      : Effect.never,
  )
  const waiting = Effect.raceFirst(messenger.turn(process, slot), parked)
  const { outcome } = yield* Effect.retry(waiting, patience(retries))
  const { error, fuelUsed } = outcome
  if (error !== undefined)
    return yield* new AskFailed({ process, slot, reason: error.reason, detail: error.message })
  return { ...accepted, module, fuelUsed }
})

export interface GivingUp extends Speaker {
  /** Why, in words for whoever waits for the answer. */
  readonly reason?: string | undefined
}

/** What became of a drop. */
export interface Dropped {
  readonly accepted: Accepted
  /** The message that was given up, and the number that a void to `target` takes in its place. */
  readonly entry: Id.Id
  readonly target: Id.ProcessId
  readonly pair: number
  /** `null`, or what failed of what went on in the process then. */
  readonly result: Answered["result"]
}

/** Gives up a message that a process emitted and that is not delivered; waits for the turn of that. */
export const drop = Effect.fnUntraced(function* ({ source, slot, index }: OutboxPlace, options: GivingUp) {
  const messenger = yield* MessengerUnit
  const { as, reason, retries } = options
  const { owner } = yield* Effect.retry(messenger.process(source), patience(retries))
  if (owner !== as.address) return yield* new NotOwner({ process: source, owner, speaker: as.address })
  const place = { source, slot, index }
  const found = yield* Effect.retry(messenger.outboxEntry(place), patience(retries))
  if (found === undefined) return yield* new EntryUnknown(place)
  const { item, pair } = found.entry
  const { id, target } = Result.getOrThrow(Item.decode(item)) // a messenger keeps what a turn emitted
  const draft = Draft.drop(source, id, Drop.data(item, found.proof), reason)
  const { accepted, result } = yield* saying(options, draft, (to, bytes) => to.ask(bytes))
  const dropped: Dropped = { accepted, entry: id, target: Id.fromBytes(target), pair, result }
  return dropped
})

/** Lets a process believe other units; they count from the slot after the message on. */
export const changeAuthority = Effect.fnUntraced(function* (
  process: Id.ProcessId,
  policy: Draft.Authority,
  options: Speaker,
) {
  const messenger = yield* MessengerUnit
  const { as, retries } = options
  const draft = Draft.authority(process, policy)
  const { units, quorum } = yield* Effect.mapError(
    Effect.fromResult(Authority.parse(draft.tags, [])),
    ({ message }) => new Refused({ reason: "bad authority", detail: message }),
  )
  const { owner } = yield* Effect.retry(messenger.process(process), patience(retries))
  if (owner !== as.address) return yield* new NotOwner({ process, owner, speaker: as.address })
  const accepted = yield* saying(options, draft, sending)
  return { ...accepted, units, quorum, since: accepted.slot + 1 }
})

/** Bytes that messages refer to; none where the node's are others. */
export const data = (hash: Id.Id) =>
  MessengerUnit.use((messenger) =>
    Effect.map(messenger.data(hash), (bytes) =>
      bytes !== undefined && DataReference.hashOf(bytes) === hash ? bytes : undefined,
    ),
  )

/** A dry run on a throw-away copy of the newest state. */
export const query = (
  process: Id.ProcessId,
  action: string,
  draft: Omit<Draft.Draft, "byReference"> = {},
) => {
  const { data, tags } = Draft.content(draft)
  const asked: Query = { action, tags: tags.map(({ name, value }) => [name, value] as const), data, from: "" }
  return MessengerUnit.use((messenger) => messenger.query(process, asked))
}

/** What a process publishes under a name, seen to be so whoever serves it. `maxAgeMs` bounds the newest slot's age. */
export const provenView = Effect.fnUntraced(function* (
  process: Id.ProcessId,
  name: string,
  maxAgeMs?: number,
) {
  const messenger = yield* MessengerUnit
  const reads = [messenger.viewProof(process, name), messenger.log(process, 0, 1)] as const
  const [proof, [first]] = yield* Effect.all(reads, { concurrency: 2 })
  const age = maxAgeMs === undefined ? undefined : { maxMs: maxAgeMs, now: yield* Clock.currentTimeMillis }
  return yield* Effect.fromResult(ProvenView.check(process, name, first?.item ?? Bytes.empty, proof, age))
})

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

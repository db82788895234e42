/**
 * PromiseClient: the client without Effect. Each call is one of `Client.ts` run to its end; what that fails with, the
 * promise rejects with: an `Error` whose `_tag` names it and whose fields say what to do.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as ArchiveUnit from "../archive-unit/ArchiveUnit.ts"
import type { Answer, SnapshotInfo, Turn } from "../compute-unit/ComputeUnit.ts"
import type * as Identity from "../identity/Identity.ts"
import type * as Attestation from "../runtime/Attestation.ts"
import type * as Authority from "../runtime/Authority.ts"
import type * as Batch from "../runtime/Batch.ts"
import * as Id from "../runtime/Id.ts"
import type { TurnError } from "../runtime/Outcome.ts"
import type { Accepted } from "../scheduler-unit/SchedulerUnit.ts"
import * as Client from "./Client.ts"
import * as IdText from "./IdText.ts"
import * as InboxReader from "./InboxReader.ts"
import type * as Draft from "./Draft.ts"
import {
  MessengerUnit,
  type NodeInfo,
  type OutboxPlace,
  type ProcessInfo,
  type Retried,
  type Undelivered,
} from "./MessengerUnit.ts"
import type * as ProvenViews from "./ProvenView.ts"

/** A dry run that threw, ran out of fuel, or found no handler. */
export class QueryFailed extends Data.TaggedError("QueryFailed")<{
  readonly process: Id.ProcessId
  readonly slot: number
  readonly reason: TurnError["reason"]
  readonly detail: string
}> {
  override get message(): string {
    return `${this.reason}: ${this.detail}`
  }
}

/** Nobody to speak as: neither the call nor the client names an identity. */
export class NobodySpeaks extends Data.TaggedError("NobodySpeaks")<{ readonly call: string }> {
  override get message(): string {
    return `${this.call} needs an identity: give it as { as: await createIdentity() }, or once to connect() or start()`
  }
}

export interface Options {
  /** Who speaks where a call does not say. */
  readonly as?: Identity.Identity | undefined
  /** Times that a message is sent again where no answer came. */
  readonly retries?: number | undefined
}

export interface Call {
  /** Stops waiting. What was sent stays sent. */
  readonly signal?: AbortSignal | undefined
}

export interface Message extends Call, Draft.Draft {
  /** Who speaks. */
  readonly as?: Identity.Identity | undefined
}

export interface Spawn extends Message, Omit<Draft.Spawn, "engine">, IdText.Pinned {}

export interface Upgrade extends Message, IdText.Pinned {}

/** Why a message is given up. */
export interface Drop extends Call, Pick<Message, "as"> {
  readonly reason?: string | undefined
}

export interface Assign extends Omit<Message, "data" | "byReference"> {}

/** That a view is to be proven, and how old the newest slot of its process may be. */
export interface Proof {
  readonly proof: true
  readonly maxAgeMs?: number | undefined
}

/** What a process publishes, or that it does not (`undefined`), after `slot`: seen to be so, whoever served it. */
export interface ProvenView extends Omit<ProvenViews.ProvenView, "value"> {
  readonly value: Draft.Json | undefined
}

/** What became of an upgrade. */
export interface Upgraded extends Accepted {
  readonly module: Id.Id
  readonly fuelUsed: bigint
}

/** The policy that a message put in force, and the place that the message has. */
export interface AuthorityChanged extends Accepted, Authority.InForce {}

export interface Page {
  readonly from?: number | undefined
  readonly limit?: number | undefined
}

/** An unproven answer, of the state after `slot`. */
export interface QueryAnswer extends Pick<Answer, "slot" | "timestamp" | "fuelUsed" | "console"> {
  readonly value: Draft.Json
}

export interface PromiseClient extends AsyncDisposable {
  /** Spawns a process, uploading its code where that is not a module yet; gives the process's id. */
  readonly spawn: (code: Client.Code, options?: Spawn) => Promise<Id.ProcessId>
  /** Says something to a process; resolves once it has its slot, durably. */
  readonly send: (process: string, action: string, options?: Message) => Promise<Accepted>
  /**
   * Brings an existing item (its bytes, signed by any key) into a process's log, where it speaks for who signed it;
   * resolves once it has its slot, durably. `answer` gives what the process answers it.
   */
  readonly assign: (process: string, item: Uint8Array, options?: Assign) => Promise<Accepted>
  /** Says something to a process and resolves with its answer, however many turns that takes. */
  readonly ask: (process: string, action: string, options?: Message) => Promise<Draft.Json>
  /** Asks without a trace: runs the message on a throw-away copy of the newest state. */
  readonly query: (
    process: string,
    action: string,
    draft?: Omit<Draft.Draft, "byReference"> & Call,
  ) => Promise<QueryAnswer>
  /** Lets a process that the speaker owns go on as another program; resolves once it does. */
  readonly upgrade: (process: string, code: Client.Code, options?: Upgrade) => Promise<Upgraded>
  /** What the process has published under a name. With `proof`, checked: rejects with `ProofInvalid` where it is not so. */
  readonly view: {
    (process: string, name: string, proof: Proof): Promise<ProvenView>
    (
      process: string,
      name: string,
    ): Promise<{ readonly value: Draft.Json; readonly slot: number } | undefined>
  }
  /** Every turn from a slot on, then each new one. */
  readonly follow: (
    process: string,
    options?: { readonly from?: number | undefined } & Call,
  ) => AsyncIterable<Turn>
  readonly log: (process: string, page?: Page) => Promise<ReadonlyArray<Client.Entry>>
  readonly turns: (process: string, page?: Page) => Promise<ReadonlyArray<Turn>>
  /** The turn of an assigned slot; waits for it. */
  readonly turn: (process: string, slot: number, call?: Call) => Promise<Turn>
  /** The answer to the message of an assigned slot; waits for it. Rejects as `ask` does. */
  readonly answer: (process: string, slot: number, call?: Call) => Promise<Draft.Json>
  readonly receipt: (process: string, slot: number) => Promise<Batch.Receipt>
  readonly attestation: (process: string, slot: number) => Promise<Attestation.SignedAttestation | undefined>
  /** Snapshots taken of a process, oldest first, and the bytes of one that is kept. */
  readonly snapshots: (process: string) => Promise<ReadonlyArray<SnapshotInfo>>
  readonly snapshot: (process: string, slot: number) => Promise<Uint8Array | undefined>
  readonly process: (process: string) => Promise<ProcessInfo>
  /** Whom a process believes about other processes, and since which slot. */
  readonly authority: (process: string) => Promise<Authority.InForce>
  /** Lets a process that the speaker owns believe these units, from the slot after the message on. */
  readonly changeAuthority: (
    process: string,
    policy: Draft.Authority,
    options?: Pick<Message, "as" | "signal">,
  ) => Promise<AuthorityChanged>
  readonly processes: () => Promise<ReadonlyArray<ProcessInfo>>
  /** What is not delivered, at most a thousand of it. */
  readonly outbox: () => Promise<ReadonlyArray<Undelivered>>
  /**
   * Gives up a message of a process that the speaker owns, one that is not delivered; resolves once the process has done so.
   * Who waits there for its answer hears `undelivered: <reason>`.
   */
  readonly drop: (entry: OutboxPlace, options?: Drop) => Promise<Client.Dropped>
  /** Tries at once what is not delivered, or the pair of one entry. */
  readonly retry: (entry?: {
    readonly source: string
    readonly slot: number
    readonly index: number
  }) => Promise<Retried>
  /** What processes said to a person, each letter seen to be from whom it says, or told why it is not. */
  readonly inbox: (
    address: string,
    page?: InboxReader.InboxPage & Call,
  ) => Promise<ReadonlyArray<InboxReader.Received>>
  /** Lets the node know the speaker's key, so that what is for its address has an inbox; gives the address. */
  readonly openInbox: (options?: Pick<Message, "as">) => Promise<Id.Address>
  /** How far the node's archive is behind the node. */
  readonly archive: () => Promise<ArchiveUnit.Status>
  /** The newest slot of a process that is confirmed in the archive, with all before it. */
  readonly anchor: (process: string) => Promise<ArchiveUnit.Anchor | undefined>
  /** Estimates what archiving a process takes; nothing is spent. */
  readonly archiveCost: (process: string) => Promise<ArchiveUnit.Cost>
  /** Uploads guest code; gives its id. */
  readonly addModule: (code: Client.Code) => Promise<Id.Id>
  readonly module: (id: string) => Promise<Uint8Array | undefined>
  /** An engine that the node serves, as bytes whose SHA-256 is its id. */
  readonly engine: (id: string) => Promise<Uint8Array | undefined>
  /** Uploads bytes for messages to refer to; gives their hash. `send` and `ask` do so by themselves. */
  readonly addData: (bytes: Uint8Array) => Promise<Id.Id>
  /** Bytes that messages refer to, whose SHA-256 is seen to be this hash. */
  readonly data: (hash: string) => Promise<Uint8Array | undefined>
  readonly info: () => Promise<NodeInfo>
  /** Ends the connection, and an embedded node with it. */
  readonly close: () => Promise<void>
}

const limitDefault = 100

const parse = (text: string): Draft.Json => JSON.parse(text) as Draft.Json // JSON text of a process

/** `bundler` and `close` come from whoever assembles the client. */
export const make = (
  messenger: MessengerUnit["Service"],
  options: Options,
  bundler: Client.Bundler,
  close: () => Promise<void>,
): PromiseClient => {
  const run = <A, E>(effect: Effect.Effect<A, E, MessengerUnit>, signal?: AbortSignal): Promise<A> =>
    Effect.runPromise(
      Effect.provideService(effect, MessengerUnit, messenger),
      signal === undefined ? {} : { signal },
    )

  const speaker = (
    call: string,
    { as = options.as, data, tags, byReference }: Message,
  ): Effect.Effect<Client.Speaker & Draft.Draft, NobodySpeaks> =>
    as === undefined
      ? Effect.fail(new NobodySpeaks({ call }))
      : Effect.succeed({ data, tags, byReference, as, retries: options.retries })

  /** Runs a call about one process. */
  const about = <A, E>(
    process: string,
    call: (process: Id.ProcessId) => Effect.Effect<A, E, MessengerUnit>,
    signal?: AbortSignal,
  ) => run(Effect.flatMap(IdText.id(process, "process"), call), signal)

  const query = Effect.fnUntraced(function* (process: Id.ProcessId, action: string, draft: Draft.Draft) {
    const { result, ...answer } = yield* Client.query(process, action, draft)
    if ("value" in result) return { ...answer, value: result.value === null ? null : parse(result.value) }
    return yield* new QueryFailed({
      process,
      slot: answer.slot,
      reason: result.error.reason,
      detail: result.error.message,
    })
  })

  const follow: PromiseClient["follow"] = (process, { from, signal } = {}) => {
    const turns = Stream.unwrap(
      Effect.map(IdText.id(process, "process"), (id) => Client.follow(id, from, options.retries)),
    ).pipe(Stream.provideService(MessengerUnit, messenger))
    if (signal === undefined) return Stream.toAsyncIterable(turns)
    const aborted = Effect.callback<void>((resume) => {
      const stop = () => resume(Effect.void)
      if (signal.aborted) stop()
      else signal.addEventListener("abort", stop, { once: true })
      return Effect.sync(() => signal.removeEventListener("abort", stop))
    })
    return Stream.toAsyncIterable(Stream.interruptWhen(turns, aborted))
  }

  /** A view that the messenger says, or with `proof` one that is seen to hold. */
  function view(process: string, name: string, proof: Proof): Promise<ProvenView>
  function view(
    process: string,
    name: string,
  ): Promise<{ readonly value: Draft.Json; readonly slot: number } | undefined>
  function view(process: string, name: string, proof?: Proof): Promise<unknown> {
    if (proof === undefined)
      return about(process, (id) =>
        Effect.map(messenger.view(id, name), (found) =>
          found === undefined ? undefined : { value: parse(found.value), slot: found.slot },
        ),
      )
    return about(process, (id) =>
      Effect.map(Client.provenView(id, name, proof.maxAgeMs), ({ value, ...shown }) => ({
        ...shown,
        value: value === undefined ? undefined : parse(value),
      })),
    )
  }

  return {
    spawn: (code, given = {}) =>
      run(
        Effect.gen(function* () {
          const who = yield* speaker("spawn", given)
          const engine = yield* IdText.engine(given)
          const { name, memoryMiB, fuelPerTurnMax } = given
          const module = yield* Client.addModule(code, bundler)
          const options = { ...who, name, memoryMiB, fuelPerTurnMax, engine }
          return (yield* Client.spawn(module, options)).process
        }),
        given.signal,
      ),
    upgrade: (process, code, given = {}) =>
      about(
        process,
        Effect.fnUntraced(function* (id) {
          const who = yield* speaker("upgrade", given)
          const engine = yield* IdText.engine(given)
          const module = yield* Client.addModule(code, bundler)
          return yield* Client.upgrade(id, module, { ...who, engine })
        }),
        given.signal,
      ),
    send: (process, action, given = {}) =>
      about(
        process,
        (id) => Effect.flatMap(speaker("send", given), (who) => Client.send(id, action, who)),
        given.signal,
      ),
    assign: (process, item, given = {}) =>
      about(
        process,
        (id) => Effect.flatMap(speaker("assign", given), (who) => Client.assign(id, item, who)),
        given.signal,
      ),
    ask: (process, action, given = {}) =>
      about(
        process,
        (id) =>
          speaker("ask", given).pipe(
            Effect.flatMap((who) => Client.ask(id, action, who)),
            Effect.map(({ value }) => parse(value)),
          ),
        given.signal,
      ),
    query: (process, action, { signal, ...draft } = {}) =>
      about(process, (id) => query(id, action, draft), signal),
    view,
    follow,
    log: (process, { from = 0, limit = limitDefault } = {}) =>
      about(process, (id) =>
        Effect.map(messenger.log(id, from, limit), (entries) => entries.map(Client.entryOf)),
      ),
    turns: (process, { from = 0, limit = limitDefault } = {}) =>
      about(process, (id) => messenger.turns(id, from, limit)),
    turn: (process, slot, { signal } = {}) => about(process, (id) => messenger.turn(id, slot), signal),
    answer: (process, slot, { signal } = {}) =>
      about(process, (id) => Effect.map(Client.answer(id, slot), ({ value }) => parse(value)), signal),
    receipt: (process, slot) => about(process, (id) => messenger.receipt(id, slot)),
    attestation: (process, slot) => about(process, (id) => messenger.attestation(id, slot)),
    snapshots: (process) => about(process, messenger.snapshots),
    snapshot: (process, slot) => about(process, (id) => messenger.snapshot(id, slot)),
    process: (process) => about(process, messenger.process),
    authority: (process) => about(process, messenger.authority),
    changeAuthority: (process, policy, given = {}) =>
      about(
        process,
        (id) =>
          Effect.flatMap(speaker("changeAuthority", given), (who) => Client.changeAuthority(id, policy, who)),
        given.signal,
      ),
    processes: () => run(messenger.processes),
    outbox: () => run(messenger.outbox),
    drop: (entry, given = {}) =>
      run(
        Effect.flatMap(speaker("drop", given), ({ as, retries }) =>
          Client.drop(entry, { as, retries, reason: given.reason }),
        ),
        given.signal,
      ),
    retry: (entry) =>
      entry === undefined
        ? run(messenger.retry())
        : about(entry.source, (source) => messenger.retry({ ...entry, source })),
    inbox: (address, { signal, ...page } = {}) =>
      about(address, (id) => InboxReader.inbox(id, page, options.retries), signal),
    openInbox: ({ as } = {}) =>
      run(
        Effect.flatMap(speaker("openInbox", { as: as ?? options.as }), (who) =>
          InboxReader.openInbox(who.as),
        ),
      ),
    archive: () => run(messenger.archive),
    anchor: (process) => about(process, messenger.anchor),
    archiveCost: (process) => about(process, messenger.archiveCost),
    addModule: (code) => run(Client.addModule(code, bundler)),
    module: (id) => run(Effect.flatMap(IdText.id(id, "module"), messenger.module)),
    engine: (text) => {
      const id = Id.parse(text)
      return run(id === undefined ? Effect.undefined : messenger.engineBytes(Id.toBytes(id)))
    },
    addData: (bytes) => run(messenger.addData(bytes)),
    data: (text) => {
      const hash = Id.parse(text)
      return run(hash === undefined ? Effect.undefined : Client.data(hash))
    },
    info: () => run(messenger.info),
    close,
    [Symbol.asyncDispose]: close,
  }
}
